/*
 * Memory that lives as long as one request: allocated in blocks, given back all at once.
 * Bounded: past `max` bytes in all, allocation fails.
 */
#ifndef PQOTA_BASE_ARENA_H
#define PQOTA_BASE_ARENA_H

#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

struct arena_block;

struct arena {
    struct arena_block *head;
    size_t used; /* bytes in all blocks */
    size_t max;
};

void arena_init(struct arena *a, size_t max);
void arena_reset(struct arena *a); /* gives every block back */
/* The same, but one block of the usual size stays for what comes next. */
void arena_recycle(struct arena *a);
void arena_fini(struct arena *a);

/* 16-byte aligned, zeroed; NULL when memory or the bound is exhausted. */
void *arena_alloc(struct arena *a, size_t n) MUST_CHECK;
/* NUL-terminated copies; NULL as above. */
char *arena_dup(struct arena *a, const void *data, size_t n) MUST_CHECK;
char *arena_dup_str(struct arena *a, struct str s) MUST_CHECK;
char *arena_join(struct arena *a, const struct str *parts, size_t count) MUST_CHECK;
char *arena_i64(struct arena *a, int64_t n) MUST_CHECK; /* in decimal */
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_CHECK;

#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define arena_array(a, type, count) ((type *)arena_alloc_array((a), (count), sizeof(type)))
void *arena_alloc_array(struct arena *a, size_t count, size_t size) MUST_CHECK;

#define auto_arena __attribute__((cleanup(arena_fini)))

#endif
