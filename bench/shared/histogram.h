/*
 * Counts of durations in a fixed amount of memory: linear within a power of two, logarithmic over them, so
 * that a percentile is at most 1/128 above what was recorded, from one nanosecond to hours.
 */
#ifndef BENCH_SHARED_HISTOGRAM_H
#define BENCH_SHARED_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BITS 7 /* 2^7 steps within a power of two */
#define HISTOGRAM_STEPS (1U << HISTOGRAM_BITS)
#define HISTOGRAM_POWERS                                                                                     \
    36 /* the last step ends at 2^(7 + 36) ns, about two hours; what is longer counts there */
#define HISTOGRAM_BUCKETS (HISTOGRAM_STEPS * (HISTOGRAM_POWERS + 1))

struct histogram {
    uint64_t count;
    uint64_t sum, max; /* exact, in ns */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* A histogram of zeros is an empty one. */
void histogram_add(struct histogram *h, uint64_t ns);
/* The duration that at least `share` (0..1) of all do not exceed: the upper end of its bucket, at most max. 0
   when nothing was recorded. */
uint64_t histogram_at(const struct histogram *h, double share);
uint64_t histogram_mean(const struct histogram *h);

#endif
