/* Which devices alone a filter can be about, told from its text: so that a filter that names them costs no
   search. */
#include <stdlib.h>

#include "model/filter_internal.h"

/* How many ids there are below n, if it can match no others. */
static bool count_ids(const struct filter_node *n, size_t *count);

static bool count_and(const struct filter_node *n, const struct filter_node **fewest, size_t *count)
{
    bool any = false;
    for (const struct filter_node *it = n->first; it != NULL; it = it->next) {
        size_t here;
        if (count_ids(it, &here) && (!any || here < *count)) {
            any = true;
            *count = here;
            *fewest = it;
        }
    }
    return any;
}

static bool count_ids(const struct filter_node *n, size_t *count)
{
    const struct filter_node *fewest;
    size_t all = 0, here;
    switch (n->kind) {
    case FILTER_COMPARISON:
        if (n->field != FIELD_ID || n->op != FILTER_EQUAL)
            return false;
        for (size_t i = 0; i < n->count; i++)
            if (n->values[i].wild)
                return false;
        *count = n->count;
        return true;
    case FILTER_AND:
        return count_and(n, &fewest, count);
    case FILTER_OR:
        for (const struct filter_node *it = n->first; it != NULL; it = it->next) {
            if (!count_ids(it, &here))
                return false;
            all += here;
        }
        *count = all;
        return true;
    }
    return false;
}

/* Only where count_ids says true. */
static void add_ids(const struct filter_node *n, struct str *ids, size_t *count)
{
    const struct filter_node *fewest = NULL;
    size_t ignored;
    switch (n->kind) {
    case FILTER_COMPARISON:
        for (size_t i = 0; i < n->count; i++)
            ids[(*count)++] = n->values[i].text;
        return;
    case FILTER_AND:
        if (count_and(n, &fewest, &ignored))
            add_ids(fewest, ids, count);
        return;
    case FILTER_OR:
        for (const struct filter_node *it = n->first; it != NULL; it = it->next)
            add_ids(it, ids, count);
        return;
    }
}

static int compare_ids(const void *a, const void *b)
{
    const struct str *x = a, *y = b;
    size_t n = x->n < y->n ? x->n : y->n;
    int c = n > 0 ? memcmp(x->p, y->p, n) : 0;
    return c != 0 ? c : (x->n > y->n) - (x->n < y->n);
}

int filter_find_ids(struct filter *f, struct arena *a, struct err *e)
{
    size_t room, count = 0, kept = 0;
    if (f->root == NULL || !count_ids(f->root, &room))
        return 0;
    struct str *ids = arena_array(a, struct str, room);
    if (ids == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a filter");
    add_ids(f->root, ids, &count);
    qsort(ids, count, sizeof *ids, compare_ids);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || !str_eq(ids[i], ids[kept - 1]))
            ids[kept++] = ids[i];
    f->by_ids = true;
    f->ids = ids;
    f->id_count = kept;
    return 0;
}
