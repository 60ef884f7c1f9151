/*
 * The server's own numbers over the last hour, kept in memory: one point every HISTORY_STEP_MS, made of the
 * difference between what the network side had counted then and before.
 */
#ifndef PQOTA_SERVER_HISTORY_H
#define PQOTA_SERVER_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/stats.h"

#define HISTORY_STEP_MS 10000
#define HISTORY_POINTS 360

struct server;
struct history;

struct history_point {
    int64_t at_ms;                                  /* Unix milliseconds of its end */
    double requests, errors, bytes_out, handshakes; /* a second; errors: replies of 500 and above */
    double p50_ms, p99_ms;                          /* negative: no request ended */
    double post_quantum;                            /* share of the handshakes; negative: there were none */
    uint64_t connections;                           /* open at its end */
};

/* The value that a share q of the counted ones is at most, in milliseconds, as if each bucket's were spread
   evenly over it. Above the last bound: that bound. Negative: nothing was counted. */
double history_quantile(const uint64_t counts[NET_LATENCY_BUCKETS], double q);
/* elapsed_ms is more than 0. */
struct history_point history_between(const struct net_stats *before, const struct net_stats *after,
                                     int64_t at_ms, int64_t elapsed_ms);

struct history_ring {
    struct history_point points[HISTORY_POINTS];
    size_t count, next;
};
void history_add(struct history_ring *r, const struct history_point *p); /* the oldest goes when it is full */
const struct history_point *history_at(const struct history_ring *r, size_t i); /* 0 is the oldest */

/* Begins to count, on the main loop's timer; the server's net is there when it first rings. */
int history_start(struct server *s, struct history **out, struct err *e) MUST_CHECK;
/* Once the main loop has closed its timers. NULL is fine. */
void history_free(struct history *h);

#endif
