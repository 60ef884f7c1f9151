/*
 * Filters: which devices, in a few words that people write (a subset of FIQL/RSQL as hawkBit has it; for
 * users in docs/filters.md). A filter is parsed once and then asked of one device here, or of all of them in
 * SQL (store/filter_sql.h); both say the same.
 */
#ifndef PQOTA_MODEL_FILTER_H
#define PQOTA_MODEL_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define FILTER_TEXT_MAX 4096        /* bytes */
#define FILTER_COMPARISONS_MAX 64   /* in one filter */
#define FILTER_NESTING_MAX 16       /* parentheses in each other */
#define FILTER_LIST_MAX 100         /* values of one =in= or =out= */
#define FILTER_DIGITS_MAX 15        /* of a number, before and after its point together */
#define FILTER_MEMORY_MAX (1 << 18) /* an arena of this size is always enough for one */

struct filter; /* immutable */

/* The filter lives in the arena; the text need not live on. An empty text is a filter for all devices.
   ERR_INVALID: "filter, column 12: ..." says what was expected there (columns are characters, from 1). */
int filter_parse(struct str text, struct arena *a, const struct filter **out, struct err *e) MUST_CHECK;

struct filter_attribute {
    struct str key, value;
};
/* What a filter looks at; texts that are not known are "". */
struct filter_device {
    struct str id, model, version, name;
    int64_t created_at, last_seen_at; /* Unix milliseconds; 0: never */
    const struct str *tags;
    size_t tag_count;
    const struct filter_attribute *attributes;
    size_t attribute_count;
};
bool filter_match(const struct filter *f, const struct filter_device *d, int64_t now_ms);

/* What of a device it looks at beside what stands in its row and seldom changes: a bit set. */
#define FILTER_TAGS 1u
#define FILTER_ATTRIBUTES 2u
#define FILTER_SEEN 4u /* last_seen_at */
unsigned filter_needs(const struct filter *f);

/* True: it can match no other devices than those with these ids (each is there once, sorted by bytes; not
   all of them need match). The views live as long as the filter. */
bool filter_ids(const struct filter *f, const struct str **ids, size_t *count);
/* It says nothing, or no more than "any": every device matches. */
bool filter_is_all(const struct filter *f);

#endif
