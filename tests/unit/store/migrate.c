#include "fixture.h"

#include "store/migrate.h"

static const struct migration list[] = {
    {1, "first",
     "CREATE TABLE thing (a INTEGER PRIMARY KEY, b TEXT) STRICT;"
     "CREATE TABLE part (thing INTEGER NOT NULL REFERENCES thing (a)) STRICT;"
     "INSERT INTO thing VALUES (1, 'one'); INSERT INTO part VALUES (1);"},
    {2, "rebuild",
     "CREATE TABLE new (a INTEGER PRIMARY KEY, b TEXT, c TEXT) STRICT;"
     "INSERT INTO new SELECT a, b, 'c' FROM thing; DROP TABLE thing;"
     "ALTER TABLE new RENAME TO thing;"},
    {3, "more", "CREATE TABLE more (x INTEGER) STRICT;"},
};
static const struct migration broken[] = {
    {1, "first", "SELECT 1"},
    {2, "rebuild", "SELECT 1"},
    {3, "broken", "INSERT INTO thing VALUES (2, 'two', 'c'); INSERT INTO nowhere VALUES (1);"},
};
static const struct migration dangling[] = {
    {1, "first", "SELECT 1"},
    {2, "rebuild", "SELECT 1"},
    {3, "dangling", "DELETE FROM thing;"},
};

static void open_with(struct fixture *f, const struct migration *m, size_t count)
{
    assert_ok(store_open_with(&f->options, m, count, &f->store, &f->e), f->e);
}

static int count_backups(struct fixture *f, char last[PATH_MAX])
{
    char path[PATH_MAX];
    DIR *d = opendir(fixture_path(f, "backups", path));
    assert_non_null(d);
    int n = 0;
    for (struct dirent *it; (it = readdir(d)) != NULL;)
        if (strncmp(it->d_name, "before-", 7) == 0) {
            n++;
            snprintf(last, PATH_MAX, "%s/%s/pqota.db", path, it->d_name);
        }
    closedir(d);
    return n;
}

static void steps_run_once_each_with_a_backup_first(void **state)
{
    struct fixture *f = *state;
    char backup[PATH_MAX];
    open_with(f, list, 1);
    assert_int_equal(fixture_ask(f, "PRAGMA user_version"), 1);
    fixture_close(f);
    assert_int_equal(count_backups(f, backup), 0); /* a new database has nothing to back up */
    open_with(f, list, 3);
    assert_int_equal(fixture_ask(f, "PRAGMA user_version"), 3);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM thing WHERE c = 'c'"), 1);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM part"),
                     1); /* rebuilding a table lost no rows of it */
    assert_int_equal(fixture_ask(f, "PRAGMA foreign_keys"), 1);
    fixture_close(f);
    assert_int_equal(count_backups(f, backup), 1);
    struct db *db = NULL;
    int version = 0;
    int64_t rows = 0;
    assert_ok(db_open(backup, DB_READ, &clock_system, &db, &f->e), f->e);
    assert_ok(migrate_version(db, &version, &f->e), f->e);
    assert_int_equal(version, 1);
    assert_ok(db_get_i64(db, "SELECT count(*) FROM thing", &rows, &f->e), f->e);
    assert_int_equal(rows, 1);
    db_close(db);
    open_with(f, list, 3);
    fixture_close(f);
    assert_int_equal(count_backups(f, backup), 1);
}

static void a_step_that_fails_leaves_what_was(void **state)
{
    struct fixture *f = *state;
    open_with(f, list, 2);
    fixture_close(f);
    assert_int_equal(store_open_with(&f->options, broken, 3, &f->store, &f->e), ERR_INTERNAL);
    assert_null(f->store);
    assert_non_null(strstr(f->e.text, "schema 3 (broken)"));
    assert_int_equal(store_open_with(&f->options, dangling, 3, &f->store, &f->e), ERR_CORRUPT);
    open_with(f, list, 2);
    assert_int_equal(fixture_ask(f, "PRAGMA user_version"), 2);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM thing"), 1);
}

static int64_t fake_now;
static int64_t fake_unix_ms(void *ctx)
{
    (void)ctx;
    return fake_now;
}

static void old_backups_go(void **state)
{
    struct fixture *f = *state;
    struct clock clock = {.unix_ms = fake_unix_ms, .mono_ms = clock_system.mono_ms};
    char last[PATH_MAX], db[PATH_MAX];
    f->options.clock = &clock;
    f->options.backups_keep = 2;
    fixture_path(f, "pqota.db", db);
    open_with(f, list, 1);
    fixture_close(f);
    for (int i = 0; i < 4; i++) {
        fake_now = 1000000000000 + i * 86400000;
        assert_int_equal(store_open_with(&f->options, broken, 3, &f->store, &f->e), ERR_INTERNAL);
        fixture_exec(db, "PRAGMA user_version = 1");
    }
    assert_int_equal(count_backups(f, last), 2);
    char path[PATH_MAX];
    assert_true(file_exists(fixture_path(f, "backups/before-1-2001-09-12T01:46:40.000Z/pqota.db", path)));
    assert_true(file_exists(fixture_path(f, "backups/before-1-2001-09-11T01:46:40.000Z/pqota.db", path)));
}

static void a_newer_database_stays_untouched(void **state)
{
    struct fixture *f = *state;
    char db[PATH_MAX];
    struct buf before, after;
    fixture_open(f);
    fixture_close(f);
    fixture_exec(fixture_path(f, "pqota.db", db), "PRAGMA user_version = 999");
    fixture_read(db, &before);
    assert_int_equal(store_open(&f->options, &f->store, &f->e), ERR_UNSUPPORTED);
    assert_null(f->store);
    assert_non_null(strstr(f->e.text, "999"));
    fixture_read(db, &after);
    assert_int_equal(before.n, after.n);
    assert_memory_equal(before.p, after.p, before.n);
    buf_fini(&before);
    buf_fini(&after);
    assert_int_equal(count_backups(f, db), 0);
}

static void a_foreign_database_stays_untouched(void **state)
{
    struct fixture *f = *state;
    char db[PATH_MAX];
    struct buf before, after;
    fixture_open(f);
    fixture_close(f);
    fixture_exec(fixture_path(f, "pqota.db", db), "PRAGMA application_id = 5; PRAGMA user_version = 0");
    fixture_read(db, &before);
    assert_int_equal(store_open(&f->options, &f->store, &f->e), ERR_CONFLICT);
    fixture_read(db, &after);
    assert_int_equal(before.n, after.n);
    assert_memory_equal(before.p, after.p, before.n);
    buf_fini(&before);
    buf_fini(&after);

    int fd = open(db, O_WRONLY | O_TRUNC | O_CLOEXEC);
    static const char text[] =
        "This is a letter to somebody and no database at all, longer than a header though, "
        "which in SQLite's case has one hundred bytes.";
    assert_int_equal(write(fd, text, sizeof text), sizeof text);
    close(fd);
    assert_int_equal(store_open(&f->options, &f->store, &f->e), ERR_CORRUPT);
    assert_non_null(strstr(f->e.text, "pqota.db"));
    fixture_read(db, &after);
    assert_memory_equal(after.p, text, sizeof text);
    buf_fini(&after);
}

static void an_empty_file_is_a_start_cut_short(void **state)
{
    struct fixture *f = *state;
    char db[PATH_MAX];
    assert_ok(file_mkdirs(f->data, 0700, &f->e), f->e);
    int fd = open(fixture_path(f, "pqota.db", db), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    fixture_open(f);
    assert_true(fixture_ask(f, "PRAGMA user_version") >= 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(steps_run_once_each_with_a_backup_first),
        T(a_step_that_fails_leaves_what_was),
        T(old_backups_go),
        T(a_newer_database_stays_untouched),
        T(a_foreign_database_stays_untouched),
        T(an_empty_file_is_a_start_cut_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
