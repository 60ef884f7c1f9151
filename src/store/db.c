#include "store/db.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/changes.h"
#include "store/db_impl.h"
#include "store/filter_sql.h"

#define CACHE_MAX 512        /* statements kept per connection; past it they are prepared each time */
#define PROGRESS_STEPS 2000  /* virtual machine steps between two looks at the deadline */
#define VALUE_MAX (16 << 20) /* longest text or row in bytes */
#define CACHE_KIB "-8192"    /* page cache per connection */

/* ---- errors ---- */

int db_fail(struct db *db, int rc, struct err *e)
{
    static const struct {
        int sqlite, code;
        const char *meaning;
    } rows[] = {
        {SQLITE_CONSTRAINT, ERR_CONFLICT, "the database refuses what clashes with what is there"},
        {SQLITE_FULL, ERR_FULL, "the disk of the database is full; free some space"},
        {SQLITE_INTERRUPT, ERR_TIMEOUT, "the question took longer than its deadline"},
        {SQLITE_CORRUPT, ERR_CORRUPT, "the database file is damaged; restore a backup"},
        {SQLITE_NOTADB, ERR_CORRUPT, "the file is not a database"},
        {SQLITE_BUSY, ERR_BUSY, "another process holds the database; try again"},
        {SQLITE_LOCKED, ERR_BUSY, "the database is locked; try again"},
        {SQLITE_NOMEM, ERR_NOMEM, "no memory for the database"},
        {SQLITE_TOOBIG, ERR_TOO_LARGE, "a value is too long for the database"},
        {SQLITE_IOERR, ERR_IO, "the database's disk fails"},
        {SQLITE_CANTOPEN, ERR_IO, "the database cannot be opened"},
        {SQLITE_READONLY, ERR_IO, "the database cannot be written"},
        {SQLITE_PERM, ERR_IO, "the database's file permissions forbid it"},
    };
    sqlite3 *raw = db != NULL ? db->raw : NULL;
    const char *said = raw != NULL ? sqlite3_errmsg(raw) : sqlite3_errstr(rc);
    int system = raw != NULL && (rc & 0xff) == SQLITE_IOERR ? sqlite3_system_errno(raw) : 0;
    if (system == ENOSPC || system == EDQUOT)
        rc = SQLITE_FULL; /* as when fsync or the shared memory's growth finds it */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].sqlite == (rc & 0xff))
            return err_set(e, rows[i].code, "%s (%s)", rows[i].meaning, said);
    return err_set(e, ERR_INTERNAL, "the database failed (%d, %s)", rc, said);
}

/* ---- open and close ---- */

static int set_pragmas(struct db *db, enum db_mode mode, struct err *e)
{
    sqlite3 *raw = db->raw;
    sqlite3_extended_result_codes(raw, 1);
    sqlite3_busy_timeout(raw, DB_BUSY_MS);
    sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(raw, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(raw, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(raw, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_limit(raw, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(raw, SQLITE_LIMIT_LENGTH, VALUE_MAX);
    sqlite3_wal_autocheckpoint(raw, 0); /* the checkpoint thread does it */
    int rc = db_exec(db,
                     "PRAGMA cell_size_check = ON;"
                     "PRAGMA mmap_size = 0;" /* a failing disk is an error code then, not SIGBUS */
                     "PRAGMA temp_store = MEMORY;"
                     "PRAGMA foreign_keys = ON;"
                     "PRAGMA synchronous = FULL;"
                     "PRAGMA cache_size = " CACHE_KIB ";",
                     e);
    if (rc == 0 && mode == DB_READ) {
        sqlite3_db_config(raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        rc = db_exec(db, "PRAGMA query_only = ON;", e);
    }
    return rc;
}

int db_open(const char *path, enum db_mode mode, const struct clock *clock, struct db **out, struct err *e)
{
    if (mode == DB_CREATE) { /* SQLite would make it readable for all; its log takes the mode from it */
        auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return err_errno(e, errno, "cannot make the database %s", path);
    }
    struct db *db = calloc(1, sizeof *db);
    if (db == NULL)
        return err_set(e, ERR_NOMEM, "no memory to open %s", path);
    db->clock = clock;
    int flags = (mode == DB_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX;
    int raw_rc = sqlite3_open_v2(path, &db->raw, flags | SQLITE_OPEN_EXRESCODE, NULL);
    int rc = raw_rc != SQLITE_OK ? db_fail(db, raw_rc, e) : set_pragmas(db, mode, e);
    if (rc == 0)
        rc = filter_sql_register(db, e);
    if (rc == 0) /* the first that reads the file: finds out whether it is a database at all */
        rc = db_get_i64(db, "PRAGMA data_version", &db->data_version, e);
    if (rc != 0) {
        rc = e != NULL ? err_context(e, "%s", path) : rc;
        db_close(db);
        return rc;
    }
    *out = db;
    return 0;
}

void db_close(struct db *db)
{
    if (db == NULL)
        return;
    for (size_t i = 0; i < CACHE_SLOTS; i++)
        sqlite3_finalize(db->kept[i].raw);
    sqlite3_close_v2(db->raw);
    db_forget(db);
    free(db);
}

int db_use_wal(struct db *db, struct err *e)
{
    struct stmt s;
    int rc = db_prepare_once(db, &s, "PRAGMA journal_mode = WAL", e);
    if (rc == 0)
        rc = stmt_step(&s, e);
    if (rc == STMT_ROW) {
        const unsigned char *mode = sqlite3_column_text(s.raw, 0);
        rc = mode != NULL && strcmp((const char *)mode, "wal") == 0
                 ? 0
                 : err_set(e, ERR_UNSUPPORTED,
                           "the file system of the database cannot hold a write-ahead log");
    }
    stmt_done(&s);
    return rc;
}

struct sqlite3 *db_raw(struct db *db)
{
    return db->raw;
}

/* ---- statements ---- */

static struct kept *find_kept(struct db *db, const char *sql)
{
    size_t at = ((uintptr_t)sql >> 3) * (size_t)0x9e3779b97f4a7c15u >> 20;
    for (;; at++) {
        struct kept *k = &db->kept[at & (CACHE_SLOTS - 1)];
        if (k->sql == NULL || k->sql == sql)
            return k;
    }
}

static int prepare(struct db *db, const char *sql, unsigned flags, sqlite3_stmt **raw, struct err *e)
{
    int rc = sqlite3_prepare_v3(db->raw, sql, -1, flags, raw, NULL);
    if (rc != SQLITE_OK)
        return db_fail(db, rc, e);
    return *raw != NULL ? 0 : err_set(e, ERR_INTERNAL, "an empty statement was asked of the database");
}

int db_prepare_once(struct db *db, struct stmt *s, const char *sql, struct err *e)
{
    *s = (struct stmt){.db = db, .slot = -1};
    int rc = prepare(db, sql, 0, &s->raw, e);
    if (rc != 0)
        *s = (struct stmt){0};
    return rc;
}

int db_prepare(struct db *db, struct stmt *s, const char *sql, struct err *e)
{
    struct kept *k = find_kept(db, sql);
    /* In use further up the stack, cache full, or (a mistake) a buffer that holds another text by now. */
    bool fresh = k->sql == NULL;
    if (k->used || (fresh && db->kept_count == CACHE_MAX) ||
        (!fresh && strcmp(sqlite3_sql(k->raw), sql) != 0))
        return db_prepare_once(db, s, sql, e);
    if (fresh) {
        sqlite3_stmt *raw = NULL;
        int rc = prepare(db, sql, SQLITE_PREPARE_PERSISTENT, &raw, e);
        if (rc != 0) {
            *s = (struct stmt){0};
            return rc;
        }
        *k = (struct kept){.sql = sql, .raw = raw};
        db->kept_count++;
    }
    k->used = true;
    *s = (struct stmt){.db = db, .raw = k->raw, .slot = (int)(k - db->kept)};
    return 0;
}

void stmt_done(struct stmt *s)
{
    if (s->raw == NULL)
        return;
    if (s->slot < 0) {
        sqlite3_finalize(s->raw);
    } else {
        sqlite3_reset(s->raw); /* its result is that of the step, told already */
        sqlite3_clear_bindings(s->raw);
        s->db->kept[s->slot].used = false;
    }
    *s = (struct stmt){0};
}

static void bound(struct stmt *s, int rc)
{
    if (rc != SQLITE_OK && s->bind_rc == SQLITE_OK)
        s->bind_rc = rc;
}

void stmt_str(struct stmt *s, int index, struct str v)
{
    if (v.p == NULL)
        stmt_null(s, index);
    else
        bound(s, sqlite3_bind_text64(s->raw, index, v.p, v.n, SQLITE_STATIC, SQLITE_UTF8));
}

void stmt_text(struct stmt *s, int index, const char *z)
{
    stmt_str(s, index, str_of(z));
}

void stmt_i64(struct stmt *s, int index, int64_t v)
{
    bound(s, sqlite3_bind_int64(s->raw, index, v));
}

void stmt_some(struct stmt *s, int index, int64_t v)
{
    if (v != 0)
        stmt_i64(s, index, v);
    else
        stmt_null(s, index);
}

void stmt_null(struct stmt *s, int index)
{
    bound(s, sqlite3_bind_null(s->raw, index));
}

void stmt_blob(struct stmt *s, int index, const void *p, size_t n)
{
    bound(s, sqlite3_bind_blob64(s->raw, index, p != NULL ? p : "", n, SQLITE_STATIC));
}

int stmt_step(struct stmt *s, struct err *e)
{
    if (s->raw == NULL)
        return err_set(e, ERR_INTERNAL, "a statement that was not prepared was run");
    int rc = s->bind_rc != SQLITE_OK ? s->bind_rc : sqlite3_step(s->raw);
    if (rc == SQLITE_ROW)
        return STMT_ROW;
    if (rc == SQLITE_DONE)
        return STMT_END;
    return db_fail(s->db, rc, e);
}

int stmt_run(struct stmt *s, struct err *e)
{
    int rc = stmt_step(s, e);
    if (rc == STMT_ROW)
        return err_set(e, ERR_INTERNAL, "a statement gave a row where none was expected: %s",
                       sqlite3_sql(s->raw));
    return rc;
}

int64_t stmt_get_i64(struct stmt *s, int column)
{
    return sqlite3_column_int64(s->raw, column);
}

bool stmt_is_null(struct stmt *s, int column)
{
    return sqlite3_column_type(s->raw, column) == SQLITE_NULL;
}

const char *stmt_get_text(struct stmt *s, int column, struct arena *a, bool *oom)
{
    if (stmt_is_null(s, column))
        return NULL;
    const unsigned char *z = sqlite3_column_text(s->raw, column);
    char *copy = NULL;
    if (z != NULL) /* NULL here is SQLite out of memory */
        copy = arena_dup(a, z, (size_t)sqlite3_column_bytes(s->raw, column));
    if (copy == NULL)
        *oom = true;
    return copy;
}

struct str stmt_get_blob(struct stmt *s, int column, struct arena *a, bool *oom)
{
    if (stmt_is_null(s, column))
        return (struct str){.p = NULL, .n = 0};
    const void *p = sqlite3_column_blob(s->raw, column); /* NULL when it is empty */
    size_t n = (size_t)sqlite3_column_bytes(s->raw, column);
    char *copy = p != NULL || n == 0 ? arena_dup(a, p != NULL ? p : "", n) : NULL;
    if (copy == NULL)
        *oom = true;
    return (struct str){.p = copy, .n = copy != NULL ? n : 0};
}

/* ---- the connection ---- */

int64_t db_changes(struct db *db)
{
    return sqlite3_changes64(db->raw);
}

int64_t db_last_rowid(struct db *db)
{
    return sqlite3_last_insert_rowid(db->raw);
}

int db_exec(struct db *db, const char *sql, struct err *e)
{
    int rc = sqlite3_exec(db->raw, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : db_fail(db, rc, e);
}

int db_get_i64(struct db *db, const char *sql, int64_t *out, struct err *e)
{
    struct stmt s;
    int rc = db_prepare(db, &s, sql, e);
    if (rc == 0)
        rc = stmt_step(&s, e);
    if (rc == STMT_ROW) {
        *out = stmt_get_i64(&s, 0);
        rc = 0;
    } else if (rc == STMT_END) {
        rc = err_set(e, ERR_NOT_FOUND, "the database has no answer to: %s", sql);
    }
    stmt_done(&s);
    return rc;
}

static int past_deadline(void *arg)
{
    const struct db *db = arg;
    return clock_mono_ms(db->clock) >= db->deadline;
}

int64_t db_deadline(const struct db *db)
{
    return db->deadline;
}

void db_set_deadline(struct db *db, int64_t mono_ms)
{
    db->deadline = mono_ms;
    sqlite3_progress_handler(db->raw, mono_ms != 0 ? PROGRESS_STEPS : 0, mono_ms != 0 ? past_deadline : NULL,
                             db);
}

void db_set_origin(struct db *db, struct str address)
{
    size_t n = address.n < DB_ORIGIN_MAX ? address.n : DB_ORIGIN_MAX - 1;
    if (n > 0)
        memcpy(db->origin, address.p, n);
    db->origin[n] = '\0';
}

const char *db_origin(const struct db *db)
{
    return db->origin;
}

void db_note_news(struct db *db)
{
    db->news = true;
}

bool db_take_news(struct db *db)
{
    bool news = db->news;
    db->news = false;
    return news;
}

bool db_changed_outside(struct db *db)
{
    int64_t now = db->data_version;
    if (db_get_i64(db, "PRAGMA data_version", &now, NULL) != 0 || now == db->data_version)
        return false;
    db->data_version = now;
    if (db->changes != NULL)
        changes_all(db->changes);
    return true;
}

int db_note_changes(struct db *db, struct changes *c, struct err *e)
{
    int rc = changes_watch(c, db, e);
    if (rc == 0)
        db->changes = c;
    return rc;
}

int db_commit(struct db *db, struct err *e)
{
    if (db->changes != NULL)
        changes_before_commit(db->changes);
    int rc = db_exec(db, "COMMIT", e);
    if (db->changes != NULL)
        changes_after_commit(db->changes);
    return rc;
}
