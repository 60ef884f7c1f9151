#include "store/store.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "store/blobs_impl.h"
#include "store/changes.h"
#include "store/folder.h"
#include "store/migrate.h"
#include "store/snapshot.h"
#include "store/store_impl.h"

#define FILES_MAX_DEFAULT 1024
#define QUEUE_MAX_DEFAULT 4096
#define BACKUPS_KEEP_DEFAULT 3

/* ---- the database ---- */

/* Looks before anything is written: a newer or foreign database is refused as it is. */
static int look_at_version(struct store *s, const struct migration *list, size_t count, int *version,
                           struct err *e)
{
    struct stat st;
    *version = 0;
    if (lstat(s->db_path, &st) != 0)
        return errno == ENOENT ? 0 : err_errno(e, errno, "cannot examine the database %s", s->db_path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_CONFLICT, "%s is not a regular file", s->db_path);
    if (st.st_size == 0)
        return 0; /* made and then nothing: the first start was cut short */
    /* A journal is left where the first start was cut short before the log was there: the database cannot be
       read until SQLite has undone what it tells of. */
    char journal[PATH_MAX + 16];
    snprintf(journal, sizeof journal, "%s-journal", s->db_path);
    struct db *db = NULL;
    int rc = db_open(s->db_path, file_exists(journal) ? DB_WRITE : DB_READ, s->clock, &db, e);
    if (rc != 0)
        return rc;
    rc = migrate_version(db, version, e);
    if (rc == 0)
        rc = migrate_check(*version, list, count, e);
    if (rc != 0 && e != NULL)
        err_context(e, "%s", s->db_path);
    db_close(db);
    return rc;
}

static int on_commit(void *arg, sqlite3 *raw, const char *name, int frames)
{
    struct store *s = arg;
    (void)raw;
    (void)name;
    enum { FRAME = 4096 + 24 }; /* the page size that our databases are made with, and a frame's head */
    checkpointer_note(s->checkpointer, (int64_t)frames * FRAME);
    return SQLITE_OK;
}

static void on_large_log(void *arg)
{
    struct store *s = arg;
    writer_truncate_log(s->writer);
}

static int open_database(struct store *s, const struct migration *list, size_t count, struct err *e)
{
    int version = 0;
    int rc = look_at_version(s, list, count, &version, e);
    if (rc == 0 && version > 0 && count > 0 && version < list[count - 1].number)
        rc = snapshot_before_migration(s->dir, version, s->clock, s->backups_keep, e);
    if (rc == 0)
        rc = db_open(s->db_path, DB_CREATE, s->clock, &s->writer_db, e);
    if (rc == 0)
        rc = db_use_wal(s->writer_db, e);
    if (rc == 0)
        rc = migrate_run(s->writer_db, list, count, e);
    if (rc == 0)
        rc = file_fsync_dir(s->dir, e); /* SQLite flushes the file, not its name */
    if (rc == 0)
        rc = db_open(s->db_path, DB_WRITE, s->clock, &s->checkpoint_db, e);
    return rc;
}

static int start_threads(struct store *s, size_t queue_max, struct err *e)
{
    int rc = checkpointer_start(s->checkpoint_db, on_large_log, s, &s->checkpointer, e);
    if (rc != 0)
        return rc;
    db_changed_outside(s->writer_db); /* what opening did is no news */
    sqlite3_wal_hook(db_raw(s->writer_db), on_commit, s);
    rc = db_note_changes(s->writer_db, s->changes, e);
    return rc != 0 ? rc : writer_start(s->writer_db, s->clock, queue_max, &s->writer, e);
}

int store_open_with(const struct store_options *options, const struct migration *list, size_t count,
                    struct store **out, struct err *e)
{
    struct store *s = calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(e, ERR_NOMEM, "no memory to open the store");
    s->clock = options->clock;
    s->lock_fd = -1;
    s->backups_keep = options->backups_keep > 0 ? options->backups_keep : BACKUPS_KEEP_DEFAULT;
    size_t queue_max = options->queue_max > 0 ? options->queue_max : QUEUE_MAX_DEFAULT;
    s->files_max = options->files_max > 0 ? options->files_max : FILES_MAX_DEFAULT;
    int rc = 0;
    int n = snprintf(s->dir, sizeof s->dir, "%s", options->dir);
    if (n < 0 || (size_t)n >= sizeof s->dir ||
        file_join(s->db_path, sizeof s->db_path, s->dir, "pqota.db") != 0)
        rc = err_set(e, ERR_TOO_LARGE, "the path of the data folder is too long");
    if (rc == 0)
        rc = folder_make(s->dir, e);
    if (rc == 0 && ((s->shares = blob_shares_new()) == NULL || (s->changes = changes_new()) == NULL))
        rc = err_set(e, ERR_NOMEM, "no memory to open the store");
    if (rc == 0)
        rc = folder_lock(s->dir, &s->lock_fd, e);
    if (rc == 0)
        rc = open_database(s, list, count, e);
    if (rc == 0)
        rc = folder_sweep_tmp(s->dir, e);
    if (rc == 0)
        rc = start_threads(s, queue_max, e);
    if (rc != 0) {
        store_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

int store_take_file(struct store *s, struct err *e)
{
    if (atomic_fetch_add(&s->files, 1) < s->files_max)
        return 0;
    store_drop_file(s);
    return err_set(e, ERR_BUSY, "too many files are read and received at once; try again later");
}

void store_drop_file(struct store *s)
{
    atomic_fetch_sub(&s->files, 1);
}

int store_open(const struct store_options *options, struct store **out, struct err *e)
{
    return store_open_with(options, migrations, migration_count, out, e);
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    writer_stop(s->writer);             /* first: its last commits still tell the checkpointer */
    checkpointer_stop(s->checkpointer); /* which until here may still ask the writer for a truncation */
    writer_free(s->writer);
    blob_shares_free(s->shares);
    db_close(s->checkpoint_db);
    db_close(s->writer_db); /* the last connection writes the log back and removes it */
    changes_free(s->changes);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    free(s);
}

/* ---- the rest of the interface ---- */

int store_reader_new(struct store *s, struct db **out, struct err *e)
{
    int rc = db_open(s->db_path, DB_READ, s->clock, out, e);
    if (rc == 0)
        db_follow(*out, s->changes);
    return rc;
}

void store_reader_free(struct db *db)
{
    db_close(db);
}

int store_submit(struct store *s, struct store_job *job, struct err *e)
{
    return writer_submit(s->writer, job, false, e);
}

int store_submit_background(struct store *s, struct store_job *job, struct err *e)
{
    return writer_submit(s->writer, job, true, e);
}

int store_write_now(struct store *s, int (*run)(struct db *, void *, struct err *), void *arg, struct err *e)
{
    return writer_run_now(s->writer, run, arg, e);
}

void store_on_news(struct store *s, void (*call)(void *ctx), void *ctx)
{
    writer_on_news(s->writer, call, ctx);
}

bool store_changed_outside(struct db *writer_db)
{
    return db_changed_outside(writer_db);
}

void store_health(struct store *s, struct store_health *out)
{
    struct store_health h = {0};
    writer_health(s->writer, &h);
    struct stat st;
    if (stat(s->db_path, &st) == 0)
        h.db_bytes = st.st_size;
    char wal[PATH_MAX + 8];
    snprintf(wal, sizeof wal, "%s-wal", s->db_path);
    if (stat(wal, &st) == 0)
        h.wal_bytes = st.st_size;
    struct statvfs vfs;
    if (statvfs(s->dir, &vfs) == 0)
        h.disk_free_bytes = (int64_t)(vfs.f_bavail * vfs.f_frsize);
    *out = h;
}

const char *store_dir(const struct store *s)
{
    return s->dir;
}
