#include "base/arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_SIZE 4096

struct arena_block {
    struct arena_block *next;
    size_t size; /* of data */
    size_t used;
    _Alignas(16) char data[];
};

void arena_init(struct arena *a, size_t max)
{
    *a = (struct arena){.max = max};
}

void arena_reset(struct arena *a)
{
    struct arena_block *b = a->head;
    while (b != NULL) {
        struct arena_block *next = b->next;
        free(b);
        b = next;
    }
    a->head = NULL;
    a->used = 0;
}

#define BLOCK_ROOM (BLOCK_SIZE - sizeof(struct arena_block))

#ifdef __SANITIZE_ADDRESS__
#define RECYCLES false /* so that the sanitizer sees what is used after its time */
#else
#define RECYCLES true
#endif

void arena_recycle(struct arena *a)
{
    struct arena_block *keep = a->head;
    if (!RECYCLES || keep == NULL || keep->size != BLOCK_ROOM) {
        arena_reset(a);
        return;
    }
    a->head = keep->next;
    arena_reset(a);
    keep->next = NULL;
    keep->used = 0;
    a->head = keep;
    a->used = keep->size;
}

void arena_fini(struct arena *a)
{
    arena_reset(a);
}

static struct arena_block *add_block(struct arena *a, size_t n)
{
    size_t size = n > BLOCK_ROOM ? n : BLOCK_ROOM;
    if (size > a->max || a->used > a->max - size)
        return NULL;
    struct arena_block *b = malloc(sizeof *b + size);
    if (b == NULL)
        return NULL;
    *b = (struct arena_block){.next = a->head, .size = size};
    /* A block for one big piece is full at once: it goes behind the one that has room left. */
    if (n > BLOCK_ROOM && a->head != NULL) {
        b->next = a->head->next;
        a->head->next = b;
    } else {
        a->head = b;
    }
    a->used += size;
    return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
    if (n > SIZE_MAX - 15)
        return NULL;
    n = (n + 15) & ~(size_t)15;
    struct arena_block *b = a->head;
    if (b == NULL || b->size - b->used < n) {
        b = add_block(a, n);
        if (b == NULL)
            return NULL;
    }
    void *p = b->data + b->used;
    b->used += n;
    memset(p, 0, n);
    return p;
}

void *arena_alloc_array(struct arena *a, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    return arena_alloc(a, count * size);
}

char *arena_dup(struct arena *a, const void *data, size_t n)
{
    if (n == SIZE_MAX)
        return NULL;
    char *p = arena_alloc(a, n + 1);
    if (p != NULL && n > 0)
        memcpy(p, data, n);
    return p;
}

char *arena_dup_str(struct arena *a, struct str s)
{
    return arena_dup(a, s.p, s.n);
}

char *arena_join(struct arena *a, const struct str *parts, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += parts[i].n;
    char *text = arena_alloc(a, n + 1), *at = text;
    for (size_t i = 0; i < count && text != NULL; i++) {
        if (parts[i].n > 0)
            memcpy(at, parts[i].p, parts[i].n);
        at += parts[i].n;
    }
    return text;
}

char *arena_i64(struct arena *a, int64_t n)
{
    char text[20], *end = text + sizeof text, *p = end;
    uint64_t rest = n < 0 ? -(uint64_t)n : (uint64_t)n;
    do
        *--p = (char)('0' + rest % 10);
    while ((rest /= 10) != 0);
    if (n < 0)
        *--p = '-';
    return arena_dup(a, p, (size_t)(end - p));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    char small[256]; /* most are, and need not be written twice */
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    if (n < 0)
        return NULL;
    if ((size_t)n < sizeof small)
        return arena_dup(a, small, (size_t)n);
    char *p = arena_alloc(a, (size_t)n + 1);
    if (p == NULL)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return p;
}
