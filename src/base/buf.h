/* A growing byte buffer with an upper bound. Owned by whoever embeds it. */
#ifndef PQOTA_BASE_BUF_H
#define PQOTA_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct buf {
    char *p; /* what holds `n` bytes, and always a NUL after them once anything was added */
    size_t n;
    size_t cap;
    size_t max; /* appending past this many bytes fails with ERR_TOO_LARGE */
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);
void buf_clear(struct buf *b);   /* keeps the memory */
void buf_release(struct buf *b); /* gives the memory back */
int buf_add(struct buf *b, const void *data, size_t n) MUST_CHECK;
int buf_add_str(struct buf *b, struct str s) MUST_CHECK;
int buf_add_u64(struct buf *b, uint64_t n) MUST_CHECK; /* in decimal */
int buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_CHECK;
int buf_reserve(struct buf *b, size_t extra) MUST_CHECK; /* room for `extra` more bytes at p + n */
void buf_consume(struct buf *b, size_t n);               /* drops the first n bytes */

static inline struct str buf_str(const struct buf *b)
{
    return (struct str){.p = b->p, .n = b->n};
}

#define auto_buf __attribute__((cleanup(buf_fini)))

#endif
