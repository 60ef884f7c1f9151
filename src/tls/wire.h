/* Bytes as TLS lays them out (RFC 8446 section 3): numbers with their most significant byte first, vectors
   behind their length. Reading and writing stop for good where there is no room: look at `bad` at the end. */
#ifndef PQOTA_TLS_WIRE_H
#define PQOTA_TLS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What is left to read. */
struct wire {
    const unsigned char *p;
    size_t n;
    bool bad;
};

static inline struct wire wire_take(struct wire *w, size_t n)
{
    if (w->bad || n > w->n) {
        *w = (struct wire){.bad = true};
        return *w;
    }
    struct wire part = {.p = w->p, .n = n};
    w->p += n;
    w->n -= n;
    return part;
}

/* Of so many bytes, 8 at most; 0 where there are fewer. */
static inline uint64_t wire_number(struct wire *w, size_t bytes)
{
    struct wire part = wire_take(w, bytes);
    uint64_t value = 0;
    for (size_t i = 0; i < part.n; i++)
        value = value << 8 | part.p[i];
    return value;
}

/* What stands behind its length of so many bytes. */
static inline struct wire wire_vector(struct wire *w, size_t bytes)
{
    uint64_t n = wire_number(w, bytes);
    return wire_take(w, n < SIZE_MAX ? (size_t)n : SIZE_MAX);
}

/* What is being written, at p, which takes size bytes. */
struct wire_out {
    unsigned char *p;
    size_t n, size;
    bool bad;
};

static inline void wire_put(struct wire_out *w, const void *p, size_t n)
{
    w->bad = w->bad || n > w->size - w->n;
    if (w->bad || n == 0)
        return;
    memcpy(w->p + w->n, p, n);
    w->n += n;
}

static inline void wire_put_number(struct wire_out *w, uint64_t value, size_t bytes)
{
    unsigned char digits[8];
    for (size_t i = 0; i < bytes; i++)
        digits[i] = (unsigned char)(value >> (8 * (bytes - 1 - i)));
    wire_put(w, digits, bytes);
}

/* A vector whose length is not known yet: answers where it begins, for wire_end. */
static inline size_t wire_begin(struct wire_out *w, size_t bytes)
{
    wire_put_number(w, 0, bytes);
    return w->n;
}

static inline void wire_end(struct wire_out *w, size_t begin, size_t bytes)
{
    size_t n = w->n - begin;
    if (w->bad)
        return;
    for (size_t i = 0; i < bytes; i++)
        w->p[begin - 1 - i] = (unsigned char)(n >> (8 * i));
}

#endif
