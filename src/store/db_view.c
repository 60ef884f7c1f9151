/* What a connection sees of the database, for how long, and what is kept with it meanwhile. */
#include <sqlite3.h>
#include <stdlib.h>

#include "store/changes.h"
#include "store/db_impl.h"

static int run_kept(struct db *db, const char *sql_literal, struct err *e)
{
    struct stmt s;
    int rc = db_prepare(db, &s, sql_literal, e);
    if (rc == 0)
        rc = stmt_run(&s, e);
    stmt_done(&s);
    return rc;
}

/* The snapshot is taken by the first question, thus not before the number. */
static int begin_reading(struct db *db, bool *begun, struct err *e)
{
    if (db_in_transaction(db))
        return 0;
    if (db->follows != NULL)
        db->number = changes_number(db->follows);
    int rc = run_kept(db, "BEGIN", e);
    *begun = rc == 0;
    return rc;
}

int db_read_begin(struct db *db, struct err *e)
{
    return begin_reading(db, &db->reading, e);
}

/* It wrote nothing: committing is only the quicker way to end it. */
static void end_reading(struct db *db)
{
    struct err e;
    if (db_in_transaction(db) && run_kept(db, "COMMIT", &e) != 0)
        sqlite3_exec(db->raw, "ROLLBACK", NULL, NULL, NULL);
}

void db_read_end(struct db *db)
{
    if (!db->reading)
        return;
    db->reading = false;
    end_reading(db);
}

int db_share_begin(struct db *db, struct err *e)
{
    return begin_reading(db, &db->shared, e);
}

void db_share_end(struct db *db)
{
    if (!db->shared)
        return;
    db->shared = false;
    end_reading(db);
}

bool db_view(struct db *db, uint32_t *number)
{
    unsigned version = 0;
    if (sqlite3_txn_state(db->raw, "main") != SQLITE_TXN_READ ||
        sqlite3_file_control(db->raw, NULL, SQLITE_FCNTL_DATA_VERSION, &version) != SQLITE_OK)
        return false;
    *number = version;
    return true;
}

void db_follow(struct db *db, const struct changes *c)
{
    db->follows = c;
}

const struct changes *db_number(struct db *db, uint64_t *number)
{
    if (db->follows == NULL)
        return NULL;
    if (db->reading || db->shared)
        *number = db->number;
    else if (!db_in_transaction(db) && sqlite3_txn_state(db->raw, "main") == SQLITE_TXN_NONE)
        *number = changes_number(db->follows);
    else
        return NULL; /* somebody's half-read statement keeps an older state in sight */
    return db->follows;
}

void *db_attached(struct db *db, enum db_piece which, size_t size, void (*fini)(void *piece))
{
    if (db->attached[which].memory == NULL) {
        db->attached[which].memory = calloc(1, size);
        db->attached[which].fini = fini;
    }
    return db->attached[which].memory;
}

void db_forget(struct db *db)
{
    for (size_t i = 0; i < DB_PIECES; i++) {
        if (db->attached[i].memory != NULL)
            db->attached[i].fini(db->attached[i].memory);
        free(db->attached[i].memory);
        db->attached[i].memory = NULL;
    }
}

bool db_in_transaction(struct db *db)
{
    return sqlite3_get_autocommit(db->raw) == 0;
}

bool db_idle(struct db *db)
{
    for (sqlite3_stmt *it = sqlite3_next_stmt(db->raw, NULL); it != NULL; it = sqlite3_next_stmt(db->raw, it))
        if (sqlite3_stmt_busy(it))
            return false;
    return db->shared || (sqlite3_txn_state(db->raw, NULL) == SQLITE_TXN_NONE && !db_in_transaction(db));
}

int db_reset_all(struct db *db)
{
    int busy = 0;
    for (sqlite3_stmt *it = sqlite3_next_stmt(db->raw, NULL); it != NULL; it = sqlite3_next_stmt(db->raw, it))
        if (sqlite3_stmt_busy(it)) {
            busy++;
            sqlite3_reset(it);
        }
    return busy;
}
