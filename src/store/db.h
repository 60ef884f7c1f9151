/*
 * One SQLite connection with its prepared statements: used by one thread. What the store's question
 * functions are written with; nothing above src/store includes this for more than the opaque `struct db`.
 */
#ifndef PQOTA_STORE_DB_H
#define PQOTA_STORE_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct db;
struct sqlite3_stmt;

/*
 * A statement, prepared once per connection and kept (keyed by the address of the SQL literal). Usage:
 *
 *     struct stmt s;
 *     int rc = db_prepare(db, &s, "SELECT ... WHERE id = ?", e);
 *     if (rc == 0) rc = stmt_bind(&s, "t", id)...
 *     while (rc == 0 && (rc = stmt_step(&s, e)) == STMT_ROW) ...
 *     stmt_done(&s);
 */
struct stmt {
    struct db *db;
    struct sqlite3_stmt *raw; /* NULL: nothing prepared */
    int slot;                 /* in the connection's cache, -1 when not kept */
    int bind_rc;              /* first failure of a binding */
};
#define auto_stmt __attribute__((cleanup(stmt_done)))

/* On failure *s is zeroed, so that stmt_done stays safe. */
int db_prepare(struct db *db, struct stmt *s, const char *sql_literal, struct err *e) MUST_CHECK;
/* For SQL built at run time (filters): not kept, finalised by stmt_done. */
int db_prepare_once(struct db *db, struct stmt *s, const char *sql, struct err *e) MUST_CHECK;
void stmt_done(struct stmt *s); /* resets and clears bindings; safe on a zeroed one */

/* Binding cannot fail but for memory and a wrong index; such a failure is kept and comes out of stmt_step.
   Index from 1. Texts must live until stmt_done. */
void stmt_text(struct stmt *s, int index, const char *z); /* NULL binds NULL */
void stmt_str(struct stmt *s, int index, struct str v);   /* p NULL binds NULL */
void stmt_i64(struct stmt *s, int index, int64_t v);
void stmt_some(struct stmt *s, int index, int64_t v); /* 0 binds NULL */
void stmt_null(struct stmt *s, int index);
void stmt_blob(struct stmt *s, int index, const void *p, size_t n);

#define STMT_ROW 1
#define STMT_END 0
/* STMT_ROW, STMT_END or negative. A constraint that fails is ERR_CONFLICT, a full disk ERR_FULL, a deadline
   ERR_TIMEOUT, a broken file ERR_CORRUPT. */
int stmt_step(struct stmt *s, struct err *e) MUST_CHECK;
/* For statements that give no row: steps once, 0 or negative. */
int stmt_run(struct stmt *s, struct err *e) MUST_CHECK;

/* Column from 0. Texts are copied to the arena: NULL for NULL; an exhausted arena sets *oom. */
int64_t stmt_get_i64(struct stmt *s, int column); /* NULL reads 0 */
bool stmt_is_null(struct stmt *s, int column);
const char *stmt_get_text(struct stmt *s, int column, struct arena *a, bool *oom);
/* The same for bytes, with a NUL after them: p NULL for NULL. */
struct str stmt_get_blob(struct stmt *s, int column, struct arena *a, bool *oom);

int64_t db_changes(struct db *db); /* rows the last statement changed */
int64_t db_last_rowid(struct db *db);
/* From where what is written comes, which events keep (store/events.h): an address without a port, copied and
   cut at DB_ORIGIN_MAX - 1 bytes; "" is the server itself. */
#define DB_ORIGIN_MAX 64
void db_set_origin(struct db *db, struct str address);
const char *db_origin(const struct db *db);
/* Something was written that is to be announced: the writer tells so after the commit (store_on_news). */
void db_note_news(struct db *db);
bool db_take_news(struct db *db); /* whether there was; not any more */
/* Runs one or more statements without results. */
int db_exec(struct db *db, const char *sql, struct err *e) MUST_CHECK;
/* Deadline for what runs on this connection (progress handler); 0 is none. Monotonic milliseconds. */
void db_set_deadline(struct db *db, int64_t mono_ms);
int64_t db_deadline(const struct db *db);

/* Several questions that must see one and the same state of the database stand between these two. Inside a
   writer's transaction they do nothing, since it sees one state anyway. db_read_end is safe after a
   failure. */
int db_read_begin(struct db *db, struct err *e) MUST_CHECK;
void db_read_end(struct db *db);
/* The questions of several requests see one state, which costs a lock once instead of each time: from the
   first db_share_begin to db_share_end, that is for one turn of a loop. Between them the two above do
   nothing. */
int db_share_begin(struct db *db, struct err *e) MUST_CHECK;
void db_share_end(struct db *db);
/* What this connection sees of the database has a number while it reads, and a new one whenever anything in
   it was changed by anybody. False: nothing was read yet in this transaction, or it writes. */
bool db_view(struct db *db, uint32_t *number);
/* Memory that lives with the connection, zeroed when it is first asked for; fini is called at its end. NULL:
   no memory. */
enum db_piece {
    DB_RELEASE_MEMO,
    DB_SEQUENCES,
    DB_RUNNING,
    DB_ASKING,
    DB_PIECES
}; /* store/release_memo.c, .../running.c, .../asking_memo.c */
void *db_attached(struct db *db, enum db_piece which, size_t size, void (*fini)(void *piece));
/* Drops all of it: what it was read from was rolled back, numbers that tell of changes too. */
void db_forget(struct db *db);
/* No statement is half-way and no transaction open, but for a shared one: what a lane asserts when a
   handler has come back, since a read transaction left open keeps the log from being written back. */
bool db_idle(struct db *db);

#endif
