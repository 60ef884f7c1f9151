/* Numbered steps from an empty database to today's; each runs once, in a transaction of its own. */
#ifndef PQOTA_STORE_MIGRATIONS_H
#define PQOTA_STORE_MIGRATIONS_H

#include <stddef.h>

struct migration {
    int number; /* PRAGMA user_version after it */
    const char *name;
    const char *sql;
};

extern const char migration_fleets[];
extern const char migration_console[];

extern const struct migration migrations[];
extern const size_t migration_count;

#endif
