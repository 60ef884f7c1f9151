/* Memory that was given once and is taken from its beginning: what was taken last is given back first. */
#ifndef PQOTA_TRUST_SPACE_H
#define PQOTA_TRUST_SPACE_H

#include <stddef.h>

struct trust_space {
    unsigned char *p; /* 16-byte aligned */
    size_t size, used;
    size_t peak; /* the most that was ever used, bytes */
};

void space_init(struct trust_space *s, void *memory, size_t size);
/* 16-byte aligned, not zeroed; NULL when it is exhausted. */
void *space_take(struct trust_space *s, size_t n);
/* Gives back the end of what was taken last, which then has n bytes. */
void space_shrink(struct trust_space *s, void *last, size_t n);
static inline size_t space_mark(const struct trust_space *s)
{
    return s->used;
}
static inline void space_release(struct trust_space *s, size_t mark)
{
    s->used = mark;
}

#endif
