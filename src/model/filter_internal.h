/* How a filter is kept: for the parser, for filter_match, and for what makes SQL of it. */
#ifndef PQOTA_MODEL_FILTER_INTERNAL_H
#define PQOTA_MODEL_FILTER_INTERNAL_H

#include "model/filter.h"

/* Stands for "*" in a pattern. No control character gets into a filter, so nothing else looks like it. */
#define FILTER_STAR '\x01'

enum filter_kind { FILTER_COMPARISON, FILTER_AND, FILTER_OR };

enum filter_field {
    FIELD_ID,
    FIELD_MODEL,
    FIELD_VERSION,
    FIELD_NAME,
    FIELD_TAG,
    FIELD_ATTRIBUTE,
    FIELD_CREATED,
    FIELD_LAST_SEEN,
};

enum filter_op {
    FILTER_EQUAL,  /* also =in= */
    FILTER_DIFFER, /* also =out=: exactly what FILTER_EQUAL is not */
    FILTER_LESS,
    FILTER_LESS_EQUAL,
    FILTER_GREATER,
    FILTER_GREATER_EQUAL,
};

struct filter_value {
    struct str text;
    bool wild; /* has FILTER_STAR, never two in a row */
};

struct filter_time {
    int64_t ms; /* Unix milliseconds, or how many before now */
    bool ago;
};

struct filter_node {
    enum filter_kind kind;
    const struct filter_node *next; /* beside it in the same AND or OR */

    const struct filter_node *first; /* AND, OR: at least two */

    /* A comparison. */
    enum filter_field field;
    enum filter_op op;
    struct str key;                    /* FIELD_ATTRIBUTE */
    const struct filter_value *values; /* FILTER_EQUAL, FILTER_DIFFER: one at least; else a number */
    size_t count;
    struct filter_time time; /* FIELD_CREATED, FIELD_LAST_SEEN */
};

struct filter {
    const struct filter_node *root; /* NULL: all devices */
    unsigned needs;
    size_t values; /* keys, values, times */
    bool by_ids;
    const struct str *ids;
    size_t id_count;
};

/* Whether the text is what a pattern with FILTER_STAR stands for. */
bool filter_pattern_fits(struct str pattern, struct str text);

/* filter_value.c */

/* True: both are numbers, and *order is negative, 0 or positive as `value` is less, equal or greater. */
bool filter_number_order(struct str value, struct str number, int *order);
bool filter_is_number(struct str text);
/* RFC 3339, Unix milliseconds, or -<n>{s,m,h,d,w}. */
int filter_time_parse(struct str text, struct filter_time *out) MUST_CHECK;
int64_t filter_time_at(struct filter_time t, int64_t now_ms);

/* filter_ids.c: fills by_ids, ids, id_count from root. */
int filter_find_ids(struct filter *f, struct arena *a, struct err *e) MUST_CHECK;

#endif
