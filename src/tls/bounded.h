/*
 * A bounded table: 32 bytes that nobody can choose (a random id, a hash) to a few bytes more. The oldest
 * entry goes first; what goes is wiped. In shards, so that threads seldom meet at a lock.
 */
#ifndef PQOTA_TLS_BOUNDED_H
#define PQOTA_TLS_BOUNDED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define BOUNDED_KEY 32
#define BOUNDED_CAPACITY_MAX (16U << 20)

struct bounded;

struct bounded *bounded_new(size_t capacity); /* 1 to BOUNDED_CAPACITY_MAX; NULL: no memory */
void bounded_free(struct bounded *b);
/* n: at most 65535. In the place of one of the same key, or of the oldest of its shard once that is full. */
int bounded_put(struct bounded *b, const unsigned char key[BOUNDED_KEY], const void *p, size_t n) MUST_CHECK;
/* Copies at most max bytes, and answers how many the entry has; 0 when there is none. */
size_t bounded_get(struct bounded *b, const unsigned char key[BOUNDED_KEY], void *out, size_t max);
bool bounded_has(struct bounded *b, const unsigned char key[BOUNDED_KEY]);
void bounded_remove(struct bounded *b, const unsigned char key[BOUNDED_KEY]);
size_t bounded_count(struct bounded *b);

#endif
