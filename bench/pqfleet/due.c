#include "pqfleet/due.h"

#include <stdlib.h>

int due_init(struct due *d, size_t max, struct err *e)
{
    *d = (struct due){.max = max, .entries = calloc(max, sizeof *d->entries)};
    return d->entries != NULL ? 0 : err_set(e, ERR_NOMEM, "no memory for %zu devices", max);
}

void due_fini(struct due *d)
{
    free(d->entries);
    *d = (struct due){0};
}

void due_add(struct due *d, uint64_t at, uint32_t who)
{
    size_t i = d->count++;
    while (i > 0 && d->entries[(i - 1) / 2].at > at) {
        d->entries[i] = d->entries[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    d->entries[i] = (struct due_entry){.at = at, .who = who};
}

bool due_first(const struct due *d, struct due_entry *out)
{
    if (d->count == 0)
        return false;
    *out = d->entries[0];
    return true;
}

void due_pop(struct due *d)
{
    struct due_entry last = d->entries[--d->count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < d->count; i = child) {
        if (child + 1 < d->count && d->entries[child + 1].at < d->entries[child].at)
            child++;
        if (d->entries[child].at >= last.at)
            break;
        d->entries[i] = d->entries[child];
    }
    if (d->count > 0)
        d->entries[i] = last;
}
