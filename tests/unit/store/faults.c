/* The disk fails: each write and each flush in turn, by a layer under SQLite, and a disk that is really
   full. */
#include "fixture.h"

#include <errno.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "store/blobs.h"

/* ---- the layer: passes everything on, but fails the n-th write or flush ---- */

static atomic_int countdown; /* fails what brings it to 0; below it nothing */
static atomic_int fail_with;
static atomic_int failed;

struct layer_file {
    sqlite3_file base;
    sqlite3_file *real; /* behind it in the same memory */
};

static bool fails_now(void)
{
    if (atomic_fetch_sub(&countdown, 1) != 1)
        return false;
    atomic_fetch_add(&failed, 1);
    return true;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct layer_file *)(void *)file)->real;
}

static int layer_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}
static int layer_read(sqlite3_file *file, void *p, int n, sqlite3_int64 at)
{
    return real_of(file)->pMethods->xRead(real_of(file), p, n, at);
}
static int layer_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
    return fails_now() ? atomic_load(&fail_with) : real_of(file)->pMethods->xWrite(real_of(file), p, n, at);
}
static int layer_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}
static int layer_sync(sqlite3_file *file, int flags)
{
    return fails_now() ? SQLITE_IOERR_FSYNC : real_of(file)->pMethods->xSync(real_of(file), flags);
}
static int layer_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}
static int layer_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}
static int layer_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}
static int layer_reserved(sqlite3_file *file, int *out)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}
static int layer_control(sqlite3_file *file, int op, void *arg)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}
static int layer_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}
static int layer_traits(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}
static int layer_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **p)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, p);
}
static int layer_shm_lock(sqlite3_file *file, int at, int n, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), at, n, flags);
}
static void layer_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}
static int layer_shm_unmap(sqlite3_file *file, int delete)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), delete);
}

static const sqlite3_io_methods layer_methods = {
    .iVersion = 2,
    .xClose = layer_close,
    .xRead = layer_read,
    .xWrite = layer_write,
    .xTruncate = layer_truncate,
    .xSync = layer_sync,
    .xFileSize = layer_size,
    .xLock = layer_lock,
    .xUnlock = layer_unlock,
    .xCheckReservedLock = layer_reserved,
    .xFileControl = layer_control,
    .xSectorSize = layer_sector,
    .xDeviceCharacteristics = layer_traits,
    .xShmMap = layer_shm_map,
    .xShmLock = layer_shm_lock,
    .xShmBarrier = layer_shm_barrier,
    .xShmUnmap = layer_shm_unmap,
};

static sqlite3_vfs *under;

static int layer_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    (void)vfs;
    struct layer_file *l = (struct layer_file *)(void *)file;
    l->real = (sqlite3_file *)(void *)(l + 1);
    int rc = under->xOpen(under, name, l->real, flags, out);
    l->base.pMethods = rc == SQLITE_OK ? &layer_methods : NULL;
    return rc;
}

static void install_layer(void)
{
    static sqlite3_vfs layer;
    under = sqlite3_vfs_find(NULL);
    layer = *under;
    layer.zName = "faulty";
    layer.szOsFile = (int)sizeof(struct layer_file) + under->szOsFile;
    layer.xOpen = layer_open;
    layer.pNext = NULL;
    assert_int_equal(sqlite3_vfs_register(&layer, 1), SQLITE_OK);
}

/* ---- each write and flush in turn ---- */

enum { JOBS = 24 };

static void fail_the_nth(struct fixture *f, int n, int with)
{
    bool kept[JOBS];
    char key[JOBS][32];
    snprintf(f->data, sizeof f->data, "%s/data-%d-%d", f->dir, with, n);
    fixture_open(f);
    atomic_store(&failed, 0);
    atomic_store(&fail_with, with);
    atomic_store(&countdown, n);
    for (int i = 0; i < JOBS; i++) {
        snprintf(key[i], sizeof key[i], "key-%d-%s", i, "with some more bytes");
        int rc = store_write_now(f->store, fixture_put, key[i], &f->e);
        kept[i] = rc == 0;
        if (rc != 0 && rc != ERR_IO && rc != ERR_FULL)
            fail_msg("failing the %d-th: job %d: %d %s", n, i, rc, f->e.text);
    }
    atomic_store(&countdown, 0);
    assert_ok(store_write_now(f->store, fixture_put, "at last", &f->e), f->e); /* the store goes on */
    for (int again = 0; again < 2; again++) {
        for (int i = 0; i < JOBS; i++)
            if (fixture_has(f, key[i]) != kept[i])
                fail_msg("failing the %d-th: row %d is %sthere against what was said", n, i,
                         kept[i] ? "not " : "");
        assert_true(fixture_has(f, "at last"));
        assert_int_equal(fixture_ask(f, "SELECT count(*) FROM pragma_quick_check WHERE quick_check <> 'ok'"),
                         0);
        fixture_reopen(f);
    }
    fixture_close(f);
}

static void every_failed_write_or_flush_is_told(void **state)
{
    struct fixture *f = *state;
    int hits = 0;
    for (int n = 1; n <= 3 * JOBS; n += 1 + n / 8) {
        fail_the_nth(f, n, SQLITE_FULL);
        hits += atomic_load(&failed);
        fail_the_nth(f, n, SQLITE_IOERR_WRITE);
        hits += atomic_load(&failed);
    }
    assert_true(hits >= 20);
}

static void opening_on_a_failing_disk(void **state)
{
    struct fixture *f = *state;
    int refused = 0;
    for (int n = 1; n < 60; n++) {
        snprintf(f->data, sizeof f->data, "%s/open-%d", f->dir, n);
        atomic_store(&failed, 0);
        atomic_store(&fail_with, SQLITE_IOERR_WRITE);
        atomic_store(&countdown, n);
        int rc = store_open(&f->options, &f->store, &f->e);
        atomic_store(&countdown, 0);
        if (rc != 0) {
            assert_true(atomic_load(&failed) > 0);
            assert_null(f->store);
            refused++;
            fixture_open(f); /* once the disk is well again */
        }
        assert_ok(store_write_now(f->store, fixture_put, "key", &f->e), f->e);
        fixture_close(f);
    }
    assert_true(refused >= 3);
}

/* ---- a disk that is really full: a small one of memory, in a mount namespace of its own ---- */

static int fill(struct db *db, void *arg, struct err *e)
{
    (void)arg;
    return db_exec(db,
                   "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 4000) "
                   "INSERT INTO meta SELECT 'f' || i, hex(randomblob(1000)) FROM n",
                   e);
}

enum { CANNOT_MOUNT = 77 };

static int on_a_small_disk(struct fixture *f)
{
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return CANNOT_MOUNT;
    /* In a chroot "/" need not be a mount point; whoever made the chroot has seen to its propagation. */
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 && errno != EINVAL)
        return CANNOT_MOUNT;
    if (mount("small", f->dir, "tmpfs", 0, "size=4m") != 0)
        return CANNOT_MOUNT;
    static char chunk[64 << 10];
    struct spool *sp = NULL;
    fixture_open(f);
    assert_ok(store_write_now(f->store, fixture_put, "before", &f->e), f->e);
    assert_ok(spool_new(f->store, &sp, &f->e), f->e);
    int rc = 0;
    for (int i = 0; rc == 0 && i < 100; i++)
        rc = spool_write(sp, chunk, sizeof chunk, &f->e);
    assert_int_equal(rc, ERR_FULL); /* and gives the space back at once */
    assert_ok(store_write_now(f->store, fixture_put, "between", &f->e), f->e);
    spool_free(sp);
    assert_int_equal(store_write_now(f->store, fill, NULL, &f->e), ERR_FULL);
    struct store_health h;
    store_health(f->store, &h);
    assert_true(h.last_failure_ms > 0 || h.jobs > 0);
    assert_true(h.disk_free_bytes < 4 << 20);
    assert_true(fixture_has(f, "before") && fixture_has(f, "between"));
    fixture_reopen(f);
    assert_ok(store_write_now(f->store, fixture_put, "after", &f->e), f->e);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM meta"), 3);
    fixture_close(f);
    return 0;
}

static void a_disk_that_is_full(void **state)
{
    struct fixture *f = *state;
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(on_a_small_disk(f)); /* a failed assertion leaves through cmocka's longjmp and shows there */
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT_MOUNT) {
        print_message("no mount namespace may be made here: skipped\n");
        skip();
    }
    assert_int_equal(status, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_disk_that_is_full),
        T(every_failed_write_or_flush_is_told),
        T(opening_on_a_failing_disk),
    };
    install_layer();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
