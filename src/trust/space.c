#include "trust/space.h"

#include <assert.h>
#include <stdint.h>

#define ALIGN 16u

void space_init(struct trust_space *s, void *memory, size_t size)
{
    size_t skip = (ALIGN - (uintptr_t)memory % ALIGN) % ALIGN;
    s->p = (unsigned char *)memory + (skip < size ? skip : size);
    s->size = skip < size ? size - skip : 0;
    s->used = 0;
    s->peak = 0;
}

void *space_take(struct trust_space *s, size_t n)
{
    if (n > s->size - s->used)
        return NULL;
    size_t whole = n % ALIGN == 0 ? n : n + (ALIGN - n % ALIGN);
    if (whole > s->size - s->used)
        return NULL;
    void *p = s->p + s->used;
    s->used += whole;
    if (s->used > s->peak)
        s->peak = s->used;
    return p;
}

void space_shrink(struct trust_space *s, void *last, size_t n)
{
    size_t at = (size_t)((unsigned char *)last - s->p);
    size_t whole = n % ALIGN == 0 ? n : n + (ALIGN - n % ALIGN);
    assert(at <= s->used && whole <= s->used - at);
    s->used = at + whole;
}
