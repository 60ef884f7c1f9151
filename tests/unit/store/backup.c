#include "fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "store/blobs.h"
#include "store/blobs_impl.h"
#include "store/manifest.h"

/* ---- a store with a release of two files ---- */

struct publish {
    char sha256[SHA256_HEX_SIZE];
    uint64_t size;
    int number;
};

static int publish_run(struct db *db, void *arg, struct err *e)
{
    struct publish *p = arg;
    char sql[512];
    snprintf(sql, sizeof sql,
             "INSERT INTO artifact (sha256, size, created_at) VALUES ('%s', %llu, 1);"
             "INSERT INTO module (pk, name, version, type) VALUES (%d, 'fw', 'v%d', 'os');"
             "INSERT INTO module_artifact (module, filename, sha256) VALUES (%d, 'image.bin', '%s');",
             p->sha256, (unsigned long long)p->size, p->number, p->number, p->number, p->sha256);
    return db_exec(db, sql, e);
}

static void publish(struct fixture *f, int number, char sha256[SHA256_HEX_SIZE])
{
    struct publish p = {.number = number};
    struct spool *sp = NULL;
    const char *path = NULL;
    char data[64];
    int n = snprintf(data, sizeof data, "firmware number %d", number);
    assert_ok(spool_new(f->store, &sp, &f->e), f->e);
    assert_ok(spool_write(sp, data, (size_t)n, &f->e), f->e);
    assert_ok(spool_finish(sp, &path, &p.size, p.sha256, &f->e), f->e);
    assert_ok(blob_place(f->store, path, p.sha256, &f->e), f->e);
    spool_free(sp);
    assert_ok(store_write_now(f->store, publish_run, &p, &f->e), f->e);
    memcpy(sha256, p.sha256, sizeof p.sha256);
}

struct scene {
    char first[SHA256_HEX_SIZE], second[SHA256_HEX_SIZE];
    char dest[PATH_MAX];
};

static void make_scene(struct fixture *f, struct scene *s)
{
    fixture_open(f);
    publish(f, 1, s->first);
    publish(f, 2, s->second);
    assert_ok(store_write_now(f->store, fixture_put, "before", &f->e), f->e);
    snprintf(s->dest, sizeof s->dest, "%s/backup", f->dir);
}

static bool is_whole(struct fixture *f, const char *dir, const char *sha256)
{
    int fd = -1;
    uint64_t size = 0;
    if (blob_open_in(dir, sha256, &fd, &size, &f->e) != 0)
        return false;
    int rc = blob_verify(fd, -1, "it", sha256, size, &f->e);
    close(fd);
    return rc == 0;
}

/* Overwrites in place; a hard link is damaged with it, so the live one is unlinked first. */
static void damage(struct fixture *f, const char *dir, const char *sha256)
{
    char path[PATH_MAX];
    assert_ok(blob_path(f->data, sha256, path, &f->e), f->e);
    if (strcmp(dir, f->data) != 0)
        unlink(path);
    assert_ok(blob_path(dir, sha256, path, &f->e), f->e);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "X", 1, 3), 1);
    close(fd);
}

static int count_in(const char *path)
{
    DIR *d = opendir(path);
    assert_non_null(d);
    int n = 0;
    for (struct dirent *it; (it = readdir(d)) != NULL;)
        n += it->d_name[0] != '.';
    closedir(d);
    return n;
}

/* ---- tests ---- */

static void there_and_back_while_open(void **state)
{
    struct fixture *f = *state;
    struct scene s;
    struct manifest m;
    char path[PATH_MAX];
    make_scene(f, &s);
    assert_ok(store_backup(f->data, s.dest, &f->e), f->e);
    assert_ok(manifest_read(s.dest, &m, &f->e), f->e);
    assert_int_equal(m.blobs, 2);
    assert_int_equal(m.schema, migrations[migration_count - 1].number);
    assert_true(is_whole(f, s.dest, s.first) && is_whole(f, s.dest, s.second));
    assert_int_equal(count_in(s.dest), 3); /* pqota.db, blobs, manifest: no log beside the database */

    assert_ok(store_write_now(f->store, fixture_put, "after", &f->e), f->e);
    assert_ok(blob_path(f->data, s.second, path, &f->e), f->e);
    assert_int_equal(unlink(path), 0);
    struct db *reader = NULL;
    int64_t rows = 0;
    assert_ok(store_reader_new(f->store, &reader, &f->e), f->e);
    assert_ok(db_get_i64(reader, "SELECT count(*) FROM meta WHERE value = 'x'", &rows, &f->e), f->e);
    assert_int_equal(rows, 2);

    assert_ok(store_restore(s.dest, f->data, &f->e), f->e);
    /* The reader that was open all along, and the writer, see what was put back. */
    assert_ok(db_get_i64(reader, "SELECT count(*) FROM meta WHERE value = 'x'", &rows, &f->e), f->e);
    assert_int_equal(rows, 1);
    store_reader_free(reader);
    assert_true(fixture_has(f, "before"));
    assert_true(is_whole(f, f->data, s.second));
    assert_ok(store_write_now(f->store, fixture_put, "later", &f->e), f->e);
    char tmp[PATH_MAX];
    assert_int_equal(count_in(fixture_path(f, "tmp", tmp)), 0);
    fixture_reopen(f);
    assert_true(fixture_has(f, "before") && fixture_has(f, "later") && !fixture_has(f, "after"));
    assert_int_equal(fixture_ask(f, "PRAGMA user_version"), migrations[migration_count - 1].number);
}

static int ask_changed(struct db *db, void *arg, struct err *e)
{
    (void)e;
    *(bool *)arg = store_changed_outside(db);
    return 0;
}

static void a_restore_is_seen_by_the_server(void **state)
{
    struct fixture *f = *state;
    struct scene s;
    bool changed = true;
    make_scene(f, &s);
    assert_ok(store_backup(f->data, s.dest, &f->e), f->e);
    assert_ok(store_write_now(f->store, ask_changed, &changed, &f->e), f->e);
    assert_false(changed);
    assert_ok(store_restore(s.dest, f->data, &f->e), f->e);
    assert_ok(store_write_now(f->store, ask_changed, &changed, &f->e), f->e);
    assert_true(changed);
}

static void into_a_new_folder(void **state)
{
    struct fixture *f = *state;
    struct scene s;
    make_scene(f, &s);
    assert_ok(store_backup(f->data, s.dest, &f->e), f->e);
    fixture_close(f);
    snprintf(f->data, sizeof f->data, "%s/other/data", f->dir);
    assert_ok(store_restore(s.dest, f->data, &f->e), f->e);
    fixture_open(f);
    assert_true(fixture_has(f, "before"));
    assert_true(is_whole(f, f->data, s.first) && is_whole(f, f->data, s.second));
}

static void a_backup_lands_whole_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    struct scene s;
    char path[PATH_MAX];
    make_scene(f, &s);
    assert_ok(blob_path(f->data, s.second, path, &f->e), f->e);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(store_backup(f->data, s.dest, &f->e), ERR_NOT_FOUND);
    assert_non_null(strstr(f->e.text, s.second));
    assert_int_equal(count_in(f->dir), 1); /* the data folder alone: nothing half made */
    damage(f, f->data, s.first);
    assert_int_equal(store_backup(f->data, s.dest, &f->e), ERR_CORRUPT);
    assert_int_equal(count_in(f->dir), 1);

    assert_int_equal(mkdir(s.dest, 0700), 0);
    snprintf(path, sizeof path, "%s/something", s.dest);
    assert_ok(file_write_atomic(path, "x", 1, 0600, &f->e), f->e);
    assert_int_equal(store_backup(f->data, s.dest, &f->e), ERR_CONFLICT);
    assert_int_equal(store_backup(f->data, path, &f->e), ERR_CONFLICT);
    assert_int_equal(store_backup("/nonexistent", "/tmp/never", &f->e), ERR_NOT_FOUND);
    assert_int_equal(count_in(s.dest), 1);
}

static void an_empty_folder_will_do_and_a_slash(void **state)
{
    struct fixture *f = *state;
    struct scene s;
    char slash[PATH_MAX];
    make_scene(f, &s);
    assert_int_equal(mkdir(s.dest, 0700), 0);
    snprintf(slash, sizeof slash, "%s/backup//", f->dir);
    assert_ok(store_backup(f->data, slash, &f->e), f->e);
    assert_int_equal(count_in(s.dest), 3);
    assert_int_equal(store_backup(f->data, slash, &f->e), ERR_CONFLICT);
}

/* The old state, all of it, after a restore that was refused. */
static void assert_untouched(struct fixture *f)
{
    assert_true(fixture_has(f, "after"));
    assert_true(fixture_has(f, "before"));
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM meta"), 2);
    char tmp[PATH_MAX];
    assert_int_equal(count_in(fixture_path(f, "tmp", tmp)), 0);
}

static void rewrite(const char *dir, const char *name, void (*change)(struct buf *), struct fixture *f)
{
    char path[PATH_MAX];
    struct buf b;
    assert_int_equal(file_join(path, sizeof path, dir, name), 0);
    fixture_read(path, &b);
    change(&b);
    assert_ok(file_write_atomic(path, b.p, b.n, 0600, &f->e), f->e);
    buf_fini(&b);
}

static void flip(struct buf *b)
{
    b->p[b->n / 2] ^= 1;
}
static void cut(struct buf *b)
{
    b->n -= 3;
}
static void fewer_lines(struct buf *b)
{
    b->n = (size_t)(strstr(b->p, "blob ") - b->p);
}
static void lie_about_schema(struct buf *b)
{
    *strstr(b->p, "schema ") = 's';
    strstr(b->p, "schema ")[7] = '9';
}
static void newer_form(struct buf *b)
{
    strstr(b->p, "pqota-backup ")[13] = '2';
}

static void a_damaged_backup_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct scene s;
    make_scene(f, &s);
    static const struct {
        const char *file;
        void (*change)(struct buf *);
        int rc;
    } rows[] = {
        {"manifest", cut, ERR_CORRUPT},
        {"manifest", fewer_lines, ERR_CORRUPT},
        {"manifest", flip, ERR_CORRUPT},
        {"manifest", lie_about_schema, ERR_CORRUPT},
        {"manifest", newer_form, ERR_UNSUPPORTED},
        {"pqota.db", flip, ERR_CORRUPT},
        {"pqota.db", cut, ERR_CORRUPT},
    };
    assert_ok(store_write_now(f->store, fixture_put, "after", &f->e), f->e);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(s.dest, sizeof s.dest, "%s/backup-%zu", f->dir, i);
        assert_ok(store_backup(f->data, s.dest, &f->e), f->e);
        rewrite(s.dest, rows[i].file, rows[i].change, f);
        int rc = store_restore(s.dest, f->data, &f->e);
        if (rc != rows[i].rc)
            fail_msg("row %zu: %d %s", i, rc, f->e.text);
        assert_untouched(f);
    }
    assert_int_equal(store_restore(f->dir, f->data, &f->e), ERR_NOT_FOUND);
    assert_int_equal(store_restore("/dev", f->data, &f->e), ERR_NOT_FOUND);
    assert_untouched(f);
}

static void a_damaged_or_missing_blob_refuses_the_whole(void **state)
{
    struct fixture *f = *state;
    struct scene s;
    char path[PATH_MAX];
    make_scene(f, &s);
    assert_ok(store_backup(f->data, s.dest, &f->e), f->e);
    assert_ok(store_write_now(f->store, fixture_put, "after", &f->e), f->e);
    damage(f, s.dest, s.second);
    assert_int_equal(store_restore(s.dest, f->data, &f->e), ERR_CORRUPT);
    assert_untouched(f);
    assert_ok(blob_path(s.dest, s.second, path, &f->e), f->e);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(store_restore(s.dest, f->data, &f->e), ERR_NOT_FOUND);
    assert_non_null(strstr(f->e.text, s.second));
    assert_untouched(f);
}

static void a_damaged_live_blob_is_mended(void **state)
{
    struct fixture *f = *state;
    struct scene s;
    char live[PATH_MAX], kept[PATH_MAX];
    make_scene(f, &s);
    assert_ok(store_backup(f->data, s.dest, &f->e), f->e);
    /* A copy of its own, so that the damage does not reach the backup through the link. */
    assert_ok(blob_path(f->data, s.first, live, &f->e), f->e);
    assert_ok(blob_path(s.dest, s.first, kept, &f->e), f->e);
    assert_int_equal(unlink(live), 0);
    assert_ok(file_write_atomic(live, "firmware numbXr 1", 17, 0600, &f->e), f->e);
    assert_false(is_whole(f, f->data, s.first));
    assert_ok(store_restore(s.dest, f->data, &f->e), f->e);
    assert_true(is_whole(f, f->data, s.first));
    assert_true(is_whole(f, s.dest, s.first));
}

static void versions_that_do_not_fit(void **state)
{
    struct fixture *f = *state;
    struct scene s;
    char db[PATH_MAX];
    int today = migrations[migration_count - 1].number;
    make_scene(f, &s);
    assert_ok(store_backup(f->data, s.dest, &f->e), f->e);
    fixture_close(f);
    /* The live database is a newer pqota's: not overwritten. */
    char sql[64];
    fixture_exec(fixture_path(f, "pqota.db", db), "PRAGMA user_version = 999");
    assert_int_equal(store_restore(s.dest, f->data, &f->e), ERR_UNSUPPORTED);
    assert_int_equal(store_backup(f->data, "/tmp/never", &f->e), ERR_UNSUPPORTED);
    snprintf(sql, sizeof sql, "PRAGMA user_version = %d", today);
    fixture_exec(db, sql);
    assert_ok(store_restore(s.dest, f->data, &f->e), f->e);
    /* The same while a server runs: its schema must be this program's. */
    fixture_open(f);
    fixture_exec(db, "PRAGMA user_version = 999");
    assert_int_equal(store_restore(s.dest, f->data, &f->e), ERR_UNSUPPORTED);
}

struct load {
    struct fixture *f;
    atomic_bool stop;
    int written, failed;
};

static void *write_on(void *arg)
{
    struct load *l = arg;
    for (int i = 0; !atomic_load(&l->stop); i++) {
        char key[32];
        struct err e = {0};
        snprintf(key, sizeof key, "load-%d", i);
        if (store_write_now(l->f->store, fixture_put, key, &e) == 0)
            l->written++;
        else
            l->failed++;
    }
    return NULL;
}

static void under_load(void **state)
{
    struct fixture *f = *state;
    struct scene s;
    make_scene(f, &s);
    struct load l = {.f = f};
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, write_on, &l), 0);
    for (int i = 0; i < 5; i++) {
        snprintf(s.dest, sizeof s.dest, "%s/backup-%d", f->dir, i);
        assert_ok(store_backup(f->data, s.dest, &f->e), f->e);
    }
    for (int i = 0; i < 5; i++) {
        snprintf(s.dest, sizeof s.dest, "%s/backup-%d", f->dir, i);
        assert_ok(store_restore(s.dest, f->data, &f->e), f->e);
    }
    atomic_store(&l.stop, true);
    pthread_join(t, NULL);
    assert_true(l.written > 0);
    assert_int_equal(l.failed, 0); /* the writer waits for a restore; it does not refuse */
    assert_true(fixture_has(f, "before"));
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM pragma_quick_check WHERE quick_check <> 'ok'"), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(there_and_back_while_open),
        T(a_restore_is_seen_by_the_server),
        T(into_a_new_folder),
        T(a_backup_lands_whole_or_not_at_all),
        T(an_empty_folder_will_do_and_a_slash),
        T(a_damaged_backup_changes_nothing),
        T(a_damaged_or_missing_blob_refuses_the_whole),
        T(a_damaged_live_blob_is_mended),
        T(versions_that_do_not_fit),
        T(under_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
