#include "http/range.h"

#include <stdlib.h>

/* Digits to a number that stops at UINT64_MAX: a position past any file is past it. */
static bool position(struct str s, uint64_t *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(s.p[i] - '0');
        v = v > (UINT64_MAX - digit) / 10 ? UINT64_MAX : v * 10 + digit;
    }
    *out = v;
    return s.n > 0;
}

/* One "first-last", "first-" or "-suffix"; false: malformed. *lies says whether any of it is within size. */
static bool parse_one(struct str spec, uint64_t size, struct http_range *r, bool *lies)
{
    struct str last = spec, first;
    if (!str_split(&last, '-', &first) || last.p == NULL)
        return false;
    uint64_t a, b;
    if (first.n == 0) {
        if (!position(last, &b))
            return false;
        *lies = b > 0 && size > 0;
        if (*lies)
            *r = (struct http_range){.first = b >= size ? 0 : size - b, .last = size - 1};
        return true;
    }
    if (!position(first, &a))
        return false;
    if (last.n == 0)
        b = UINT64_MAX;
    else if (!position(last, &b) || b < a)
        return false;
    *lies = a < size;
    if (*lies)
        *r = (struct http_range){.first = a, .last = b >= size ? size - 1 : b};
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct http_range *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

static size_t merge(struct http_range *r, size_t n)
{
    qsort(r, n, sizeof *r, compare);
    size_t kept = 0;
    for (size_t i = 1; i < n; i++) {
        if (r[i].first <= r[kept].last || r[i].first - r[kept].last == 1) {
            if (r[i].last > r[kept].last)
                r[kept].last = r[i].last;
        } else {
            r[++kept] = r[i];
        }
    }
    return kept + 1;
}

enum http_range_result http_range_parse(struct str value, uint64_t size,
                                        struct http_range out[HTTP_RANGES_MAX], size_t *count)
{
    struct http_range found[HTTP_RANGES_MAX];
    struct str rest = value, unit, spec;
    if (!str_split(&rest, '=', &unit) || rest.p == NULL || !str_eq_nocase(unit, STR("bytes")))
        return HTTP_RANGE_WHOLE;
    size_t specs = 0, n = 0;
    bool suffix_of_nothing = false;
    while (str_split(&rest, ',', &spec)) {
        spec = str_trim(spec);
        if (spec.n == 0)
            continue; /* RFC 9110 section 5.6.1: empty list elements are nothing */
        bool lies = false;
        if (++specs > HTTP_RANGES_MAX || !parse_one(spec, size, &found[n], &lies))
            return HTTP_RANGE_WHOLE;
        suffix_of_nothing |= size == 0 && spec.p[0] == '-' && !str_is(spec, "-0");
        n += lies ? 1 : 0;
    }
    /* The last bytes of an empty file are all of it, which Content-Range cannot say. */
    if (specs == 0 || (n == 0 && suffix_of_nothing))
        return HTTP_RANGE_WHOLE;
    if (n == 0)
        return HTTP_RANGE_NONE;
    n = merge(found, n);
    memcpy(out, found, n * sizeof *out);
    *count = n;
    return HTTP_RANGE_SOME;
}
