/* A connection from the inside: for db.c and db_view.c. */
#ifndef PQOTA_STORE_DB_IMPL_H
#define PQOTA_STORE_DB_IMPL_H

#include <sqlite3.h>
#include <stddef.h>

#include "store/db_open.h"

#define CACHE_SLOTS 1024 /* a power of two */

struct kept {
    const char *sql; /* the literal's address is the key */
    sqlite3_stmt *raw;
    bool used;
};

struct db {
    sqlite3 *raw;
    const struct clock *clock;
    int64_t deadline; /* monotonic ms, 0 none */
    int64_t data_version;
    bool reading;                  /* db_read_begin made a transaction */
    bool shared;                   /* db_share_begin did */
    bool news;                     /* something to announce was written */
    struct changes *changes;       /* what it writes is noted there, NULL: nowhere */
    const struct changes *follows; /* what it reads can be kept by that, NULL: it cannot */
    uint64_t number;               /* changes_number before the transaction that it has begun */
    char origin[DB_ORIGIN_MAX];
    struct {
        void *memory;
        void (*fini)(void *piece);
    } attached[DB_PIECES];
    size_t kept_count;
    struct kept kept[CACHE_SLOTS];
};

#endif
