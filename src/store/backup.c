#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/rand.h"
#include "store/backup_impl.h"
#include "store/blobs_impl.h"
#include "store/manifest.h"
#include "store/migrate.h"
#include "store/snapshot.h"
#include "store/store.h"

#define TRIES_MAX 3  /* a blob may be swept away between the database's copy and its own */
#define DEPTH_FDS 16 /* descriptors that removing a folder may use */

CLEANUP_DEFINE(db, struct db, db_close);

/* ---- shared with restore ---- */

int backup_each_blob(struct db *db, int (*each)(void *ctx, const char *sha256, uint64_t size, struct err *e),
                     void *ctx, struct err *e)
{
    auto_stmt struct stmt s;
    int rc =
        db_prepare(db, &s,
                   "SELECT sha256, size FROM artifact WHERE sha256 IN (SELECT sha256 FROM module_artifact) "
                   "ORDER BY sha256",
                   e);
    while (rc == 0 && (rc = stmt_step(&s, e)) == STMT_ROW) {
        char name[SHA256_HEX_SIZE];
        struct arena a;
        arena_init(&a, 4096);
        bool oom = false;
        const char *sha256 = stmt_get_text(&s, 0, &a, &oom);
        int64_t size = stmt_get_i64(&s, 1);
        snprintf(name, sizeof name, "%s", sha256 != NULL ? sha256 : "");
        arena_fini(&a);
        rc = size < 0 ? err_set(e, ERR_CORRUPT, "the blob %s has a negative size in the database", name)
                      : each(ctx, name, (uint64_t)size, e);
    }
    return rc;
}

int backup_open_db(const char *path, enum db_mode mode, struct db **out, int *version, struct err *e)
{
    if (!file_exists(path))
        return err_set(e, ERR_NOT_FOUND, "there is no database %s", path);
    CLEANUP(db_cleanup) struct db *db = NULL;
    int found = 0;
    int rc = db_open(path, mode, &clock_system, &db, e);
    if (rc == 0)
        rc = migrate_version(db, &found, e);
    if (rc == 0)
        rc = migrate_check(found, migrations, migration_count, e);
    if (rc == 0 && found == 0)
        rc = err_set(e, ERR_NOT_FOUND, "the database %s is empty", path);
    if (rc != 0)
        return rc;
    *version = found;
    *out = take_ptr(db);
    return 0;
}

static int copy(int fd, const char *from, const char *to, const char *sha256, uint64_t size, struct err *e)
{
    auto_close int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (out < 0)
        return err_errno(e, errno, "cannot make %s", to);
    int rc = blob_verify(fd, out, from, sha256, size, e);
    return rc == 0 ? file_fsync(out, to, e) : rc;
}

int backup_put(const char *from, int fd, const char *to, bool may_link, const char *sha256, uint64_t size,
               struct err *e)
{
    int rc;
    if (may_link && link(from, to) == 0)
        rc = blob_verify(fd, -1, from, sha256, size, e);
    else
        rc = copy(fd, from, to, sha256, size, e); /* another file system, or one without links */
    if (rc != 0)
        unlink(to);
    return rc;
}

/* ---- backup ---- */

struct making {
    const char *from; /* the data folder */
    char dir[PATH_MAX];
    struct manifest_writer manifest;
};

static int put_blob(void *ctx, const char *sha256, uint64_t size, struct err *e)
{
    struct making *m = ctx;
    char from[PATH_MAX], to[PATH_MAX], folder[PATH_MAX];
    auto_close int fd = -1;
    uint64_t found = 0;
    int rc = blob_open_in(m->from, sha256, &fd, &found, e);
    if (rc == 0)
        rc = blob_path(m->from, sha256, from, e);
    if (rc == 0)
        rc = blob_path(m->dir, sha256, to, e);
    if (rc != 0)
        return rc;
    snprintf(folder, sizeof folder, "%.*s", (int)(strlen(to) - (SHA256_HEX_SIZE - 2)), to);
    rc = file_mkdirs(folder, 0700, e);
    if (rc == 0)
        rc = backup_put(from, fd, to, true, sha256, size, e);
    if (rc == 0)
        rc = file_fsync_dir(folder, e);
    if (rc == 0)
        rc = manifest_blob(&m->manifest, sha256, size, e);
    return rc;
}

static int copy_database(struct making *m, struct db *live, struct db **out, struct manifest *head,
                         struct err *e)
{
    char path[PATH_MAX];
    if (file_join(path, sizeof path, m->dir, "pqota.db") != 0)
        return err_set(e, ERR_TOO_LARGE, "the path of the backup is too long");
    int rc = snapshot_to_file(live, path, e);
    if (rc != 0)
        return rc;
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, errno, "cannot open %s", path);
    rc = blob_hash(fd, -1, path, head->database_sha256, &head->database_size, e);
    if (rc == 0)
        rc = backup_open_db(path, DB_READ, out, &head->schema, e);
    if (rc == 0)
        clock_format(clock_unix_ms(&clock_system), head->created);
    return rc;
}

static int fill(struct making *m, struct db *live, struct err *e)
{
    CLEANUP(db_cleanup) struct db *copied = NULL;
    char blobs[PATH_MAX];
    struct manifest head = {0};
    int rc = copy_database(m, live, &copied, &head, e);
    if (rc == 0 && file_join(blobs, sizeof blobs, m->dir, "blobs") != 0)
        rc = err_set(e, ERR_TOO_LARGE, "the path of the backup is too long");
    if (rc == 0)
        rc = file_mkdirs(blobs, 0700, e);
    if (rc == 0)
        rc = manifest_begin(&m->manifest, m->dir, &head, e);
    if (rc == 0)
        rc = backup_each_blob(copied, put_blob, m, e);
    if (rc == 0)
        rc = manifest_end(&m->manifest, e);
    manifest_writer_fini(&m->manifest);
    if (rc == 0)
        rc = file_fsync_dir(blobs, e);
    return rc == 0 ? file_fsync_dir(m->dir, e) : rc;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

static void remove_tree(const char *dir)
{
    if (nftw(dir, remove_one, DEPTH_FDS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0)
        log_warn("store", "an unfinished backup could not be removed", LOG_STR("folder", dir));
}

/* Made beside dest and renamed: a backup is there whole or not at all. */
static int try_backup(const char *dir, struct db *live, const char *dest, struct err *e)
{
    struct making m = {.from = dir};
    unsigned char raw[8];
    char hex[2 * sizeof raw + 1], parent[PATH_MAX];
    int rc = rand_bytes(raw, sizeof raw, e);
    if (rc != 0)
        return rc;
    hex_encode(raw, sizeof raw, hex);
    int n = snprintf(m.dir, sizeof m.dir, "%s.%s.tmp", dest, hex);
    if (n < 0 || (size_t)n >= sizeof m.dir || file_join(parent, sizeof parent, dest, "..") != 0)
        return err_set(e, ERR_TOO_LARGE, "the path of the backup is too long");
    if (mkdir(m.dir, 0700) != 0)
        return err_errno(e, errno, "cannot make the folder %s", m.dir);
    rc = fill(&m, live, e);
    if (rc == 0 && rename(m.dir, dest) != 0) /* over an empty folder, or over nothing */
        rc = errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR
                 ? err_set(e, ERR_CONFLICT, "%s exists already; name a folder that does not, or an empty one",
                           dest)
                 : err_errno(e, errno, "cannot make %s", dest);
    if (rc != 0) {
        remove_tree(m.dir);
        return rc;
    }
    return file_fsync_dir(parent, e);
}

static int check_dest(const char *dest, struct err *e)
{
    auto_closedir DIR *d = opendir(dest);
    if (d == NULL && errno == ENOENT)
        return 0;
    if (d == NULL)
        return err_set(e, ERR_CONFLICT, "%s exists already and is no folder that can be read", dest);
    for (struct dirent *it; (it = readdir(d)) != NULL;)
        if (strcmp(it->d_name, ".") != 0 && strcmp(it->d_name, "..") != 0)
            return err_set(e, ERR_CONFLICT, "%s exists already and is not empty; name another folder", dest);
    return 0;
}

int store_backup(const char *dir, const char *dest, struct err *e)
{
    char path[PATH_MAX], to[PATH_MAX];
    CLEANUP(db_cleanup) struct db *live = NULL;
    int version = 0;
    int n = snprintf(to, sizeof to, "%s", dest);
    while (n > 1 && (size_t)n < sizeof to && to[n - 1] == '/')
        to[--n] = '\0';
    if (n <= 0 || (size_t)n >= sizeof to || file_join(path, sizeof path, dir, "pqota.db") != 0)
        return err_set(e, ERR_INVALID, "the path of the data folder or of the backup is empty or too long");
    int rc = check_dest(to, e);
    if (rc == 0)
        rc = backup_open_db(path, DB_READ, &live, &version, e);
    for (int i = 0; rc == 0 && i < TRIES_MAX; i++) {
        rc = try_backup(dir, live, to, e);
        if (rc != ERR_NOT_FOUND || i + 1 == TRIES_MAX)
            break;
        rc = 0; /* the next copy of the database does without it, unless it is really lost */
    }
    return rc;
}
