/* Who is due when: a heap with the earliest on top, each in it at most once. */
#ifndef BENCH_PQFLEET_DUE_H
#define BENCH_PQFLEET_DUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct due_entry {
    uint64_t at; /* ns */
    uint32_t who;
};

struct due {
    struct due_entry *entries;
    size_t count, max;
};

int due_init(struct due *d, size_t max, struct err *e) MUST_CHECK;
void due_fini(struct due *d);
/* Not more than max at a time. */
void due_add(struct due *d, uint64_t at, uint32_t who);
/* The earliest; false when there is none. */
bool due_first(const struct due *d, struct due_entry *out);
void due_pop(struct due *d);

#endif
