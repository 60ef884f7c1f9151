/* What failed, as a member of a result in JSON. */
#ifndef BENCH_SHARED_ERRORS_H
#define BENCH_SHARED_ERRORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yyjson.h>

#include "base/err.h"

struct errors {
    uint64_t count;
    const char *const *names; /* of the kinds */
    const uint64_t *kinds;    /* how many of each */
    size_t kind_count;
    const char (*samples)[ERR_TEXT_MAX];
    size_t sample_count;
};

/* NAME: {"count", "kinds": {those that there were}, "samples": [texts]}; false without memory. Name and texts
   must live until the document is written. */
bool errors_add(yyjson_mut_doc *doc, yyjson_mut_val *root, const char *name, const struct errors *errors);

#endif
