#include "store/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"

#define COPY_WAIT_MS 30000 /* how long a copy waits for somebody else's transaction */
#define COPY_NAP_MS 20     /* between two tries: a lock of another process cannot be waited for otherwise */

int snapshot_copy(struct db *from, struct db *to, struct err *e)
{
    sqlite3_backup *b = sqlite3_backup_init(db_raw(to), "main", db_raw(from), "main");
    if (b == NULL)
        return db_fail(to, sqlite3_extended_errcode(db_raw(to)), e);
    /* All pages in one step: in several, each commit of a busy server would make it begin anew. */
    int64_t end = clock_mono_ms(&clock_system) + COPY_WAIT_MS;
    int rc;
    for (;;) {
        rc = sqlite3_backup_step(b, -1);
        bool locked = (rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED;
        if (!locked || clock_mono_ms(&clock_system) >= end)
            break;
        sqlite3_sleep(COPY_NAP_MS);
    }
    int finish = sqlite3_backup_finish(b);
    if (rc == SQLITE_DONE && finish == SQLITE_OK)
        return 0;
    if (finish == SQLITE_OK)
        finish = rc;
    db_fail(to, finish, e);
    return e != NULL ? err_context(e, "copying the database") : db_fail(to, finish, NULL);
}

int snapshot_check(struct db *db, struct err *e)
{
    struct stmt s;
    int rc = db_prepare_once(db, &s, "PRAGMA quick_check(1)", e);
    if (rc == 0)
        rc = stmt_step(&s, e);
    if (rc == STMT_ROW) {
        const unsigned char *said = sqlite3_column_text(s.raw, 0);
        rc = said != NULL && strcmp((const char *)said, "ok") == 0
                 ? 0
                 : err_set(e, ERR_CORRUPT, "the database is damaged: %s",
                           said != NULL ? (const char *)said : "?");
    } else if (rc == STMT_END) {
        rc = err_set(e, ERR_CORRUPT, "the database cannot be checked");
    }
    stmt_done(&s);
    return rc;
}

/* The copy has taken the mark of a database with a log; a backup is one plain file. */
static int make_plain(struct db *db, struct err *e)
{
    struct stmt s;
    int rc = db_prepare_once(db, &s, "PRAGMA journal_mode = DELETE", e);
    if (rc == 0)
        rc = stmt_step(&s, e);
    stmt_done(&s);
    return rc < 0 ? rc : 0;
}

static int fill_file(struct db *from, const char *path, struct err *e)
{
    struct db *to = NULL;
    int rc = db_open(path, DB_WRITE, &clock_system, &to, e);
    if (rc != 0)
        return rc;
    rc = snapshot_copy(from, to, e);
    db_close(to);
    if (rc != 0)
        return rc;
    to = NULL;
    rc = db_open(path, DB_WRITE, &clock_system, &to, e);
    if (rc == 0)
        rc = make_plain(to, e);
    if (rc == 0)
        rc = snapshot_check(to, e);
    db_close(to);
    return rc;
}

int snapshot_to_file(struct db *from, const char *path, struct err *e)
{
    auto_close int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_errno(e, errno, "cannot make %s", path);
    int rc = fill_file(from, path, e);
    if (rc == 0)
        rc = file_fsync(fd, path, e);
    if (rc != 0)
        unlink(path);
    return rc;
}

/* ---- before a migration ---- */

#define BACKUP_PREFIX "before-"

static int is_backup(const struct dirent *it)
{
    return strncmp(it->d_name, BACKUP_PREFIX, sizeof BACKUP_PREFIX - 1) == 0;
}

/* By the time in the name, oldest first: "before-3-2026-11-22T..." after "before-12-2026-11-21T...". */
static int by_time(const struct dirent **a, const struct dirent **b)
{
    const char *x = strchr((*a)->d_name + sizeof BACKUP_PREFIX - 1, '-');
    const char *y = strchr((*b)->d_name + sizeof BACKUP_PREFIX - 1, '-');
    return strcmp(x != NULL ? x : "", y != NULL ? y : "");
}

static void remove_backup(const char *folder)
{
    char path[PATH_MAX];
    if (file_join(path, sizeof path, folder, "pqota.db") == 0)
        unlink(path);
    if (rmdir(folder) != 0)
        log_warn("store", "an old backup could not be removed", LOG_STR("folder", folder),
                 LOG_STR("error", strerror(errno)));
}

static void prune(const char *backups, int keep)
{
    struct dirent **names = NULL;
    int n = scandir(backups, &names, is_backup, by_time);
    for (int i = 0; i < n; i++) {
        char folder[PATH_MAX];
        if (i < n - keep && file_join(folder, sizeof folder, backups, names[i]->d_name) == 0)
            remove_backup(folder);
        free(names[i]);
    }
    free(names);
}

int snapshot_before_migration(const char *dir, int version, const struct clock *clock, int keep,
                              struct err *e)
{
    char when[CLOCK_TEXT_MAX], live[PATH_MAX], backups[PATH_MAX], folder[PATH_MAX], path[PATH_MAX];
    clock_format(clock_unix_ms(clock), when);
    int n = snprintf(folder, sizeof folder, "%s/backups/" BACKUP_PREFIX "%d-%s", dir, version, when);
    if (n < 0 || (size_t)n >= sizeof folder || file_join(path, sizeof path, folder, "pqota.db") != 0 ||
        file_join(live, sizeof live, dir, "pqota.db") != 0 ||
        file_join(backups, sizeof backups, dir, "backups") != 0)
        return err_set(e, ERR_TOO_LARGE, "the path of the data folder %s is too long", dir);
    struct db *from = NULL;
    int rc = file_mkdirs(folder, 0700, e);
    if (rc == 0)
        rc = db_open(live, DB_READ, clock, &from, e);
    if (rc == 0)
        rc = snapshot_to_file(from, path, e);
    db_close(from);
    if (rc == 0)
        rc = file_fsync_dir(folder, e);
    if (rc == 0)
        rc = file_fsync_dir(backups, e);
    if (rc != 0) {
        if (e != NULL)
            err_context(e, "making the backup before the migration");
        rmdir(folder);
        return rc;
    }
    log_info("store", "made a backup before the migration", LOG_STR("file", path));
    prune(backups, keep);
    return 0;
}
