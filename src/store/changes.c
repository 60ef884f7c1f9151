#define SQLITE_ENABLE_PREUPDATE_HOOK /* as Debian's library has it; meson.build looks for it */
#include "store/changes.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "store/db_open.h"

#define BUCKETS 65536 /* a power of two */
#define WORD_BITS 64
#define UNDER_WAY UINT64_MAX

/* The tables that store/asking.c reads, and the column that says whose a row is. */
static const struct {
    const char *name;
    const char *device;  /* NULL: no one device's; a row that is changed or goes may matter to all */
    const char *ignored; /* what changes all the time and is kept by nobody */
} tables[] = {
    {"device", "pk", "last_seen_at"}, {"action", "device", NULL}, {"member", "device", NULL},
    {"device_token", "device", NULL}, {"release", NULL, NULL},
};
#define TABLES (sizeof tables / sizeof tables[0])
#define NO_COLUMN (-1)

struct changes {
    _Atomic uint64_t number;     /* of the last commit */
    _Atomic uint64_t everything; /* the last after which nothing holds, or UNDER_WAY */
    _Atomic uint64_t at[BUCKETS];
    /* The writer's. */
    int device_column[TABLES], ignored_column[TABLES];
    bool all; /* this transaction touched what matters to all */
    uint64_t touched[BUCKETS / WORD_BITS];
};

struct changes *changes_new(void)
{
    return calloc(1, sizeof(struct changes));
}

void changes_free(struct changes *c)
{
    free(c);
}

/* --- what is touched ----------------------------------------------------------------------------------- */

static size_t bucket_of(int64_t device)
{
    return (size_t)device & (BUCKETS - 1);
}

/* value_of: sqlite3_preupdate_old or _new. */
static void touch(struct changes *c, sqlite3 *raw, int column,
                  int (*value_of)(sqlite3 *, int, sqlite3_value **))
{
    sqlite3_value *device;
    if (value_of(raw, column, &device) != SQLITE_OK || sqlite3_value_type(device) != SQLITE_INTEGER) {
        c->all = true;
        return;
    }
    size_t b = bucket_of(sqlite3_value_int64(device));
    c->touched[b / WORD_BITS] |= (uint64_t)1 << (b % WORD_BITS);
}

static bool same_value(sqlite3_value *a, sqlite3_value *b)
{
    int type = sqlite3_value_type(a);
    if (type != sqlite3_value_type(b))
        return false;
    switch (type) {
    case SQLITE_NULL:
        return true;
    case SQLITE_INTEGER:
        return sqlite3_value_int64(a) == sqlite3_value_int64(b);
    case SQLITE_TEXT:
    case SQLITE_BLOB:
        return sqlite3_value_bytes(a) == sqlite3_value_bytes(b) &&
               memcmp(sqlite3_value_blob(a), sqlite3_value_blob(b), (size_t)sqlite3_value_bytes(a)) == 0;
    default:
        return false;
    }
}

/* Whether an update left the row as it was, but for the column that is ignored. */
static bool same_row(sqlite3 *raw, int ignored)
{
    for (int i = 0; i < sqlite3_preupdate_count(raw); i++) {
        sqlite3_value *before, *after;
        if (i == ignored)
            continue;
        if (sqlite3_preupdate_old(raw, i, &before) != SQLITE_OK ||
            sqlite3_preupdate_new(raw, i, &after) != SQLITE_OK || !same_value(before, after))
            return false;
    }
    return true;
}

static void note_row(struct changes *c, sqlite3 *raw, int operation, size_t table)
{
    int column = c->device_column[table];
    if (column == NO_COLUMN) {
        c->all |= operation != SQLITE_INSERT;
        return;
    }
    if (operation == SQLITE_UPDATE && c->ignored_column[table] != NO_COLUMN &&
        same_row(raw, c->ignored_column[table]))
        return;
    if (operation != SQLITE_INSERT)
        touch(c, raw, column, sqlite3_preupdate_old);
    if (operation != SQLITE_DELETE)
        touch(c, raw, column, sqlite3_preupdate_new);
}

static void on_row(void *ctx, sqlite3 *raw, int operation, const char *database, const char *table,
                   sqlite3_int64 key_before, sqlite3_int64 key_after)
{
    (void)database, (void)key_before, (void)key_after;
    for (size_t i = 0; i < TABLES; i++)
        if (strcmp(table, tables[i].name) == 0) {
            note_row(ctx, raw, operation, i);
            return;
        }
}

static int find_column(struct db *db, const char *table, const char *column, int *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    *out = NO_COLUMN;
    if (column == NULL)
        return 0;
    int rc = db_prepare_once(db, &s, "SELECT cid FROM pragma_table_info(?) WHERE name = ?", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, table);
    stmt_text(&s, 2, column);
    rc = stmt_step(&s, e);
    if (rc == STMT_ROW)
        *out = (int)stmt_get_i64(&s, 0);
    return rc < 0 ? rc : 0; /* without the column each change counts for all */
}

int changes_watch(struct changes *c, struct db *writer, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; i < TABLES && rc == 0; i++) {
        rc = find_column(writer, tables[i].name, tables[i].device, &c->device_column[i], e);
        if (rc == 0)
            rc = find_column(writer, tables[i].name, tables[i].ignored, &c->ignored_column[i], e);
    }
    if (rc == 0)
        sqlite3_preupdate_hook(db_raw(writer), on_row, c);
    return rc;
}

/* --- commits ------------------------------------------------------------------------------------------- */

static void mark(struct changes *c, uint64_t number)
{
    if (c->all)
        atomic_store(&c->everything, number);
    for (size_t i = 0; i < BUCKETS / WORD_BITS; i++)
        for (uint64_t left = c->touched[i]; left != 0; left &= left - 1)
            atomic_store(&c->at[i * WORD_BITS + (size_t)__builtin_ctzll(left)], number);
}

void changes_before_commit(struct changes *c)
{
    mark(c, UNDER_WAY);
}

void changes_after_commit(struct changes *c)
{
    uint64_t number = atomic_load(&c->number) + 1;
    mark(c, number);
    atomic_store(&c->number, number); /* last: whoever has it looks after the commit */
    c->all = false;
    memset(c->touched, 0, sizeof c->touched);
}

void changes_all(struct changes *c)
{
    c->all = true;
}

/* --- asking -------------------------------------------------------------------------------------------- */

uint64_t changes_number(const struct changes *c)
{
    return atomic_load(&c->number);
}

bool changes_since(const struct changes *c, int64_t device, uint64_t number)
{
    return atomic_load(&c->at[bucket_of(device)]) > number || atomic_load(&c->everything) > number;
}
