#include "model/filter.h"

#include "model/filter_internal.h"

/* Byte by byte, which is the same as character by character where both are UTF-8. Only the last star is ever
   gone back to: what an earlier one could take more of, the later one can too. So the work is at most the
   product of both lengths. */
bool filter_pattern_fits(struct str pattern, struct str text)
{
    size_t p = 0, t = 0, after_star = 0, from = 0;
    bool star = false;
    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == FILTER_STAR) {
            star = true;
            after_star = ++p;
            from = t;
        } else if (p < pattern.n && pattern.p[p] == text.p[t]) {
            p++;
            t++;
        } else if (star) {
            p = after_star;
            t = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == FILTER_STAR)
        p++;
    return p == pattern.n;
}

static bool fits_any(const struct filter_node *c, struct str text)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct filter_value *v = &c->values[i];
        if (v->wild ? filter_pattern_fits(v->text, text) : str_eq(v->text, text))
            return true;
    }
    return false;
}

static bool order_holds(enum filter_op op, int order)
{
    switch (op) {
    case FILTER_LESS:
        return order < 0;
    case FILTER_LESS_EQUAL:
        return order <= 0;
    case FILTER_GREATER:
        return order > 0;
    case FILTER_GREATER_EQUAL:
        return order >= 0;
    case FILTER_EQUAL:
    case FILTER_DIFFER:
        break;
    }
    return false;
}

static bool tag_fits(const struct filter_node *c, const struct filter_device *d)
{
    for (size_t i = 0; i < d->tag_count; i++)
        if (fits_any(c, d->tags[i]))
            return true;
    return false;
}

static bool attribute_fits(const struct filter_node *c, const struct filter_device *d)
{
    for (size_t i = 0; i < d->attribute_count; i++) {
        struct str value = d->attributes[i].value;
        int order;
        if (!str_eq(d->attributes[i].key, c->key))
            continue;
        if (c->op == FILTER_EQUAL || c->op == FILTER_DIFFER)
            return fits_any(c, value);
        return filter_number_order(value, c->values[0].text, &order) && order_holds(c->op, order);
    }
    return false;
}

static bool time_fits(const struct filter_node *c, int64_t at, int64_t now_ms)
{
    int64_t than = filter_time_at(c->time, now_ms);
    return order_holds(c->op, (at > than) - (at < than));
}

static bool comparison_holds(const struct filter_node *c, const struct filter_device *d, int64_t now_ms)
{
    bool fits = false;
    switch (c->field) {
    case FIELD_ID:
        fits = fits_any(c, d->id);
        break;
    case FIELD_MODEL:
        fits = fits_any(c, d->model);
        break;
    case FIELD_VERSION:
        fits = fits_any(c, d->version);
        break;
    case FIELD_NAME:
        fits = fits_any(c, d->name);
        break;
    case FIELD_TAG:
        fits = tag_fits(c, d);
        break;
    case FIELD_ATTRIBUTE:
        fits = attribute_fits(c, d);
        break;
    case FIELD_CREATED:
        return time_fits(c, d->created_at, now_ms);
    case FIELD_LAST_SEEN:
        return time_fits(c, d->last_seen_at, now_ms);
    }
    return c->op == FILTER_DIFFER ? !fits : fits;
}

/* As deep as the text nests, which is bounded. */
static bool node_holds(const struct filter_node *n, const struct filter_device *d, int64_t now_ms)
{
    if (n->kind == FILTER_COMPARISON)
        return comparison_holds(n, d, now_ms);
    bool all = n->kind == FILTER_AND;
    for (const struct filter_node *it = n->first; it != NULL; it = it->next)
        if (node_holds(it, d, now_ms) != all)
            return !all;
    return all;
}

bool filter_match(const struct filter *f, const struct filter_device *d, int64_t now_ms)
{
    return f->root == NULL || node_holds(f->root, d, now_ms);
}

unsigned filter_needs(const struct filter *f)
{
    return f->needs;
}

bool filter_ids(const struct filter *f, const struct str **ids, size_t *count)
{
    if (!f->by_ids)
        return false;
    *ids = f->ids;
    *count = f->id_count;
    return true;
}

static bool is_lone_star(const struct filter_value *v)
{
    return v->wild && v->text.n == 1;
}

/* A device always has the four texts, if only as ""; it need not have a tag or an attribute. */
bool filter_is_all(const struct filter *f)
{
    const struct filter_node *c = f->root;
    if (c == NULL)
        return true;
    if (c->kind != FILTER_COMPARISON || c->op != FILTER_EQUAL || c->field > FIELD_NAME)
        return false;
    for (size_t i = 0; i < c->count; i++)
        if (is_lone_star(&c->values[i]))
            return true;
    return false;
}
