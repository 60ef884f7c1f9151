#include "fixture.h"

#include <pthread.h>
#include <sqlite3.h>
#include <sys/wait.h>

static void it_is_there_after_a_restart(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    assert_ok(store_write_now(f->store, fixture_put, "kept", &f->e), f->e);
    assert_string_equal(store_dir(f->store), f->data);
    fixture_reopen(f);
    assert_true(fixture_has(f, "kept"));
}

static void folders_are_private(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    static const char *const names[] = {".", "blobs", "tmp", "backups"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[PATH_MAX];
        struct stat st;
        assert_int_equal(stat(fixture_path(f, names[i], path), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
    }
}

static void a_second_process_is_refused(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    struct store *second = NULL;
    char pid[32];
    snprintf(pid, sizeof pid, "process id %ld ", (long)getpid());
    assert_int_equal(store_open(&f->options, &second, &f->e), ERR_CONFLICT);
    assert_null(second);
    assert_non_null(strstr(f->e.text, pid));
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(store_open(&f->options, &second, NULL) == ERR_CONFLICT ? 0 : 1);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    /* The child's end has not dropped this process's lock. */
    assert_int_equal(store_open(&f->options, &second, &f->e), ERR_CONFLICT);
    fixture_reopen(f);
}

static void what_cannot_be_opened_says_why(void **state)
{
    struct fixture *f = *state;
    char path[PATH_MAX];
    static char longer[PATH_MAX + 100];
    memset(longer, 'x', sizeof longer - 1);
    longer[0] = '/';
    struct store_options o = {.dir = longer, .clock = &clock_system};
    assert_int_equal(store_open(&o, &f->store, &f->e), ERR_TOO_LARGE);
    assert_ok(file_mkdirs(f->data, 0700, &f->e), f->e);
    assert_ok(file_mkdirs(fixture_path(f, "pqota.db", path), 0700, &f->e), f->e);
    assert_int_equal(store_open(&f->options, &f->store, &f->e), ERR_CONFLICT);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(store_open(&f->options, &f->store, &f->e), ERR_CONFLICT);
    unlink(path);
    fixture_open(f);
}

/* Leaves a half-written transaction and the journal to undo it, as a start that was cut short may. */
static _Noreturn void die_half_way(const char *path)
{
    struct db *db = NULL;
    struct err e = {0};
    if (db_open(path, DB_WRITE, &clock_system, &db, &e) != 0 ||
        db_exec(db,
                "PRAGMA cache_size = 1; BEGIN IMMEDIATE; UPDATE meta SET value = 'half-way';"
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000) "
                "INSERT INTO meta SELECT 'n' || i, hex(zeroblob(200)) FROM n;",
                &e) != 0)
        _exit(1);
    _exit(0);
}

static void a_journal_left_behind_is_undone(void **state)
{
    struct fixture *f = *state;
    char path[PATH_MAX], journal[PATH_MAX];
    int status = -1;
    fixture_open(f);
    assert_ok(store_write_now(f->store, fixture_put, "kept", &f->e), f->e);
    fixture_close(f);
    fixture_exec(fixture_path(f, "pqota.db", path), "PRAGMA journal_mode = DELETE");
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        die_half_way(path);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(file_exists(fixture_path(f, "pqota.db-journal", journal)));
    fixture_open(f);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM meta"), 1);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM meta WHERE value = 'x'"), 1);
}

static int ask_changed(struct db *db, void *arg, struct err *e)
{
    (void)e;
    *(bool *)arg = store_changed_outside(db);
    return 0;
}

static bool changed(struct fixture *f)
{
    bool answer = false;
    assert_ok(store_write_now(f->store, ask_changed, &answer, &f->e), f->e);
    return answer;
}

static void a_change_from_outside_is_seen_once(void **state)
{
    struct fixture *f = *state;
    char path[PATH_MAX];
    fixture_open(f);
    assert_false(changed(f));
    assert_ok(store_write_now(f->store, fixture_put, "own", &f->e), f->e);
    assert_false(changed(f));
    fixture_exec(fixture_path(f, "pqota.db", path), "INSERT INTO meta VALUES ('foreign', 'x')");
    assert_true(changed(f));
    assert_false(changed(f));
    /* Writing the log back and cutting it off changes nothing. */
    assert_ok(store_write_now(f->store, fixture_put, "own2", &f->e), f->e);
    writer_truncate_log(f->store->writer);
    assert_ok(store_write_now(f->store, fixture_put, "own3", &f->e), f->e);
    assert_false(changed(f));
    assert_int_equal(sqlite3_wal_checkpoint_v2(db_raw(f->store->checkpoint_db), NULL,
                                               SQLITE_CHECKPOINT_PASSIVE, NULL, NULL),
                     SQLITE_OK);
    assert_ok(store_write_now(f->store, fixture_put, "own4", &f->e), f->e);
    assert_false(changed(f));
}

static void *hold_the_lock(void *arg)
{
    struct fixture *f = arg;
    struct db *db = NULL;
    char path[PATH_MAX];
    struct err e = {0};
    if (db_open(fixture_path(f, "pqota.db", path), DB_WRITE, &clock_system, &db, &e) != 0 ||
        db_exec(db, "BEGIN IMMEDIATE; INSERT INTO meta VALUES ('outside', 'x')", &e) != 0)
        abort();
    usleep(300 * 1000); /* as long as a restore takes; the writer waits for it meanwhile */
    if (db_exec(db, "COMMIT", &e) != 0)
        abort();
    db_close(db);
    return NULL;
}

static void an_outside_writer_is_waited_for(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, hold_the_lock, f), 0);
    for (int i = 0; i < 20; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        assert_ok(store_write_now(f->store, fixture_put, key, &f->e), f->e);
        usleep(5000);
    }
    pthread_join(t, NULL);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM meta"), 21);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_is_there_after_a_restart),     T(folders_are_private),
        T(a_second_process_is_refused),     T(what_cannot_be_opened_says_why),
        T(a_journal_left_behind_is_undone), T(a_change_from_outside_is_seen_once),
        T(an_outside_writer_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
