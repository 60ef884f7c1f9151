#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "store/backup_impl.h"
#include "store/blobs_impl.h"
#include "store/director.h"
#include "store/folder.h"
#include "store/manifest.h"
#include "store/migrate.h"
#include "store/snapshot.h"
#include "store/store.h"

CLEANUP_DEFINE(db, struct db, db_close);

struct restoring {
    const char *src, *dir;
    char copy[PATH_MAX]; /* the backup's database, in dir/tmp; "" before it is there */
    uint64_t blobs;
};

/* ---- the database of the backup ---- */

/* A copy, so that an older one can be brought to today's schema without touching the backup. */
static int copy_database(struct restoring *r, const struct manifest *m, struct err *e)
{
    char path[PATH_MAX], name[PATH_MAX];
    if (file_join(path, sizeof path, r->src, "pqota.db") != 0)
        return err_set(e, ERR_TOO_LARGE, "the path of the backup is too long");
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return err_errno(e, errno, "cannot open the backup's database %s", path);
    int rc = folder_tmp_name(r->dir, "restore", name, e);
    if (rc != 0)
        return rc;
    memcpy(r->copy, name, sizeof r->copy);
    return backup_put(path, fd, name, false, m->database_sha256, m->database_size, e);
}

static int prepare_copy(struct restoring *r, const struct manifest *m, struct db **out, struct err *e)
{
    CLEANUP(db_cleanup) struct db *db = NULL;
    int version = 0;
    int rc = copy_database(r, m, e);
    if (rc == 0)
        rc = backup_open_db(r->copy, DB_WRITE, &db, &version, e);
    if (rc == 0 && version != m->schema)
        rc = err_set(e, ERR_CORRUPT, "the backup's manifest says schema %d, its database %d", m->schema,
                     version);
    if (rc == 0)
        rc = snapshot_check(db, e);
    if (rc == 0)
        rc = migrate_run(db, migrations, migration_count, e);
    if (rc == 0)
        rc = store_set_restored_at(db, clock_unix_ms(&clock_system) / 1000, e);
    if (rc == 0) /* who signed out since, or used a link, did so for good */
        rc = db_exec(db, "DELETE FROM session; DELETE FROM sign_in_link", e);
    if (rc == 0) /* what a running server remembers by that number is of another past */
        rc = db_exec(db, "UPDATE deployment_generation SET n = abs(random() / 2)", e);
    if (rc == 0)
        *out = take_ptr(db);
    return rc;
}

/* ---- blobs ---- */

/* The live one is there, whole: it only needs a new time, so that the sweep leaves it alone until the
   database refers to it. */
static bool have_blob(struct restoring *r, const char *sha256, uint64_t size)
{
    auto_close int lock = -1, fd = -1;
    char path[PATH_MAX];
    uint64_t found = 0;
    if (blob_path(r->dir, sha256, path, NULL) != 0 || blobs_lock(r->dir, &lock, NULL) != 0 ||
        blob_open_in(r->dir, sha256, &fd, &found, NULL) != 0 || found != size || futimens(fd, NULL) != 0)
        return false;
    close(take_fd(&lock)); /* it is young from here on: no sweep takes it while its bytes are read */
    return blob_verify(fd, -1, path, sha256, size, NULL) == 0;
}

/* Root must not put files into the folder that the server's user cannot read. */
static bool may_link(const struct restoring *r, int fd)
{
    struct stat file, dir;
    return fstat(fd, &file) == 0 && stat(r->dir, &dir) == 0 && file.st_uid == dir.st_uid;
}

static int place_blob(struct restoring *r, int fd, const char *sha256, uint64_t size, struct err *e)
{
    char from[PATH_MAX], tmp[PATH_MAX];
    int rc = blob_path(r->src, sha256, from, e);
    if (rc == 0)
        rc = folder_tmp_name(r->dir, "restore", tmp, e);
    if (rc != 0)
        return rc;
    bool linked = may_link(r, fd);
    rc = backup_put(from, fd, tmp, linked, sha256, size, e);
    if (rc != 0)
        return rc;
    auto_close int made = open(tmp, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (made < 0)
        rc = err_errno(e, errno, "cannot open %s", tmp);
    if (rc == 0)
        rc = folder_give(r->dir, made, tmp, e);
    if (rc == 0)
        rc = file_fsync(made, tmp, e); /* the backup's own file may never have been flushed */
    if (rc == 0)
        rc = blob_place_in(r->dir, tmp, sha256, e);
    /* When both names are one file already, rename leaves them both: so in any case. */
    unlink(tmp);
    return rc;
}

static int put_blob(void *ctx, const char *sha256, uint64_t size, struct err *e)
{
    struct restoring *r = ctx;
    auto_close int fd = -1;
    uint64_t found = 0;
    r->blobs++;
    int rc = blob_open_in(r->src, sha256, &fd, &found, e);
    if (rc != 0)
        return e != NULL ? err_context(e, "the backup %s is not whole", r->src) : rc;
    if (have_blob(r, sha256, size)) {
        char name[SHA256_HEX_SIZE + 32];
        snprintf(name, sizeof name, "blob %s of the backup", sha256);
        return blob_verify(fd, -1, name, sha256, size, e);
    }
    return place_blob(r, fd, sha256, size, e);
}

/* ---- the live database ---- */

/* A server that runs has its own schema in its head; without one, whatever is not newer is replaced. */
static int check_live(const char *path, bool alone, struct err *e)
{
    struct stat st;
    if (stat(path, &st) != 0 || st.st_size == 0)
        return 0;
    CLEANUP(db_cleanup) struct db *db = NULL;
    int version = 0;
    int rc = db_open(path, DB_READ, &clock_system, &db, e);
    if (rc == 0)
        rc = migrate_version(db, &version, e);
    if (rc == 0)
        rc = migrate_check(version, migrations, migration_count, e);
    int today = migrations[migration_count - 1].number;
    if (rc == 0 && !alone && version != today)
        rc = err_set(e, ERR_CONFLICT,
                     "the server that is running has schema %d, this pqota %d; restart the server with this "
                     "version first",
                     version, today);
    return rc;
}

static int put_database(struct restoring *r, struct db *from, const char *path, struct err *e)
{
    CLEANUP(db_cleanup) struct db *live = NULL;
    bool fresh = !file_exists(path);
    int rc = db_open(path, DB_CREATE, &clock_system, &live, e);
    if (rc != 0)
        return rc;
    if (fresh) {
        auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
        rc = fd >= 0 ? folder_give(r->dir, fd, path, e) : err_errno(e, errno, "cannot open %s", path);
    }
    if (rc == 0)
        rc = db_use_wal(live, e); /* a commit replaces all of it at once, and readers are not in its way */
    if (rc == 0)
        rc = snapshot_copy(from, live, e);
    return rc == 0 ? file_fsync_dir(r->dir, e) : rc;
}

static int restore_into(struct restoring *r, const struct manifest *m, bool alone, struct err *e)
{
    char path[PATH_MAX];
    if (file_join(path, sizeof path, r->dir, "pqota.db") != 0)
        return err_set(e, ERR_TOO_LARGE, "the path of the data folder %s is too long", r->dir);
    CLEANUP(db_cleanup) struct db *copy = NULL;
    int rc = check_live(path, alone, e);
    if (rc == 0)
        rc = prepare_copy(r, m, &copy, e);
    if (rc == 0)
        rc = backup_each_blob(copy, put_blob, r, e);
    if (rc == 0 && r->blobs != m->blobs)
        rc = err_set(e, ERR_CORRUPT, "the backup's manifest names %llu blobs, its database %llu",
                     (unsigned long long)m->blobs, (unsigned long long)r->blobs);
    return rc == 0 ? put_database(r, copy, path, e) : rc;
}

/* Two restores at once would mix nothing up, but whichever came last would win unseen. */
static int lock_restore(const char *dir, int *out, struct err *e)
{
    char path[PATH_MAX];
    if (file_join(path, sizeof path, dir, "restore.lock") != 0)
        return err_set(e, ERR_TOO_LARGE, "the path of the data folder %s is too long", dir);
    auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_errno(e, errno, "cannot open %s", path);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &lock) != 0)
        return errno == EAGAIN || errno == EACCES
                   ? err_set(e, ERR_CONFLICT, "another restore into %s is under way", dir)
                   : err_errno(e, errno, "cannot lock %s", path);
    int rc = folder_give(dir, fd, path, e);
    if (rc == 0)
        *out = take_fd(&fd);
    return rc;
}

int store_restore(const char *src, const char *dir, struct err *e)
{
    struct restoring r = {.src = src, .dir = dir};
    struct manifest m = {0};
    auto_close int lock = -1, restore_lock = -1;
    int rc = manifest_read(src, &m, e);
    if (rc == 0)
        rc = folder_make(dir, e);
    if (rc == 0)
        rc = lock_restore(dir, &restore_lock, e);
    if (rc == 0) { /* without a server, none may start while this goes on */
        struct err why = {0};
        rc = folder_lock(dir, &lock, &why);
        if (rc == ERR_CONFLICT)
            rc = 0;
        else if (rc != 0 && e != NULL)
            *e = why;
    }
    if (rc == 0)
        rc = restore_into(&r, &m, lock >= 0, e);
    if (r.copy[0] != '\0')
        unlink(r.copy);
    if (rc != 0 && e != NULL)
        err_context(e, "restoring %s changed nothing in the database", src);
    return rc;
}
