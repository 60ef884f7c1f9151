/* FNV-1a, 64 bits, for tables in memory. Where others choose the keys, it begins with a random number. */
#ifndef PQOTA_BASE_HASH_H
#define PQOTA_BASE_HASH_H

#include <stdint.h>

#define HASH_START 0xcbf29ce484222325u

static inline uint64_t hash_byte(uint64_t h, unsigned char byte)
{
    return (h ^ byte) * 0x100000001b3u;
}

/* Goes on from h with the text, without its NUL. */
static inline uint64_t hash_text(uint64_t h, const char *z)
{
    for (; *z != '\0'; z++)
        h = hash_byte(h, (unsigned char)*z);
    return h;
}

/* So that the low bits depend on all. */
static inline uint64_t hash_finish(uint64_t h)
{
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdu;
    return h ^ (h >> 33);
}

#endif
