/* A hash table from short texts to a number and, if wanted, a text. Not thread-safe: its owner locks. */
#ifndef PQOTA_OTA_TABLE_H
#define PQOTA_OTA_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct table_entry {
    struct table_entry *next;
    uint64_t hash;
    int64_t value;
    const char *text; /* in key's memory, after its NUL; NULL when none was given */
    char key[];
};

struct table {
    struct table_entry **buckets;
    size_t size; /* of buckets: 0 or a power of two */
    size_t count;
    uint64_t seed; /* random, so that nobody can choose keys that collide */
};

int table_init(struct table *t, struct err *e) MUST_CHECK;
void table_fini(struct table *t); /* a zeroed one is fine */

/* Adds or replaces. ERR_NOMEM. */
int table_put(struct table *t, const char *key, int64_t value, const char *text, struct err *e) MUST_CHECK;
/* Valid until the table is changed; NULL when there is none. */
struct table_entry *table_get(const struct table *t, const char *key);
bool table_remove(struct table *t, const char *key); /* whether it was there */
/* Takes any one entry out, for the caller to free(); NULL when the table is empty. Begins to look at *at. */
struct table_entry *table_pop(struct table *t, size_t *at);
/* Removes those with a value below `least` from a few buckets, the next ones at each call: called at each
   table_put, it keeps such entries a small part of the whole, and no call takes long. */
void table_sweep(struct table *t, size_t *at, int64_t least);

#endif
