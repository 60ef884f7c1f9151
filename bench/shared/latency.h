/* What a histogram of durations says, as a member of a result in JSON. */
#ifndef BENCH_SHARED_LATENCY_H
#define BENCH_SHARED_LATENCY_H

#include <stdbool.h>
#include <yyjson.h>

#include "shared/histogram.h"

static inline double latency_ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

/* {"count", "mean_ms", "p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms"}; false without memory. */
bool latency_add(yyjson_mut_doc *doc, yyjson_mut_val *root, const char *name, const struct histogram *h);

#endif
