/* Connections: what the store's driver files share; question files need no more than store/db.h. */
#ifndef PQOTA_STORE_DB_OPEN_H
#define PQOTA_STORE_DB_OPEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "store/db.h"

struct changes;
struct sqlite3;

#define DB_APPLICATION_ID 0x70716f74 /* "pqot", in the file's header: tells ours from any other SQLite file */
#define DB_BUSY_MS 10000             /* how long another process (a restore) may hold the write lock */

enum db_mode {
    DB_READ,   /* existing, never written */
    DB_WRITE,  /* existing */
    DB_CREATE, /* made with mode 0600 if missing */
};

int db_open(const char *path, enum db_mode mode, const struct clock *clock, struct db **out,
            struct err *e) MUST_CHECK;
void db_close(struct db *db);
/* Write-ahead log with a sync at each commit: kept in the file from then on. */
int db_use_wal(struct db *db, struct err *e) MUST_CHECK;

struct sqlite3 *db_raw(struct db *db);
/* Says in *e what SQLite's result code rc means and returns the enum err_code for it. */
int db_fail(struct db *db, int rc, struct err *e);
/* First column of the first row of a literal query; ERR_NOT_FOUND without a row. */
int db_get_i64(struct db *db, const char *sql_literal, int64_t *out, struct err *e) MUST_CHECK;
/* False when SQLite has ended the transaction by itself. */
bool db_in_transaction(struct db *db);
/* Resets what a job left half-way; how many there were. */
int db_reset_all(struct db *db);
/* True when another connection has committed since this was last asked (or since db_open). */
bool db_changed_outside(struct db *db);
/* What is written through this connection is noted in c, which has to outlive it. */
int db_note_changes(struct db *db, struct changes *c, struct err *e) MUST_CHECK;
/* Ends a writer's transaction. A failure may leave it open. */
int db_commit(struct db *db, struct err *e) MUST_CHECK;
/* A reader of what c's writer writes, with which it may keep what it reads. */
void db_follow(struct db *db, const struct changes *c);
/* What is read next holds from that number on, see store/changes.h. NULL: what is read cannot be kept. */
const struct changes *db_number(struct db *db, uint64_t *number);

#endif
