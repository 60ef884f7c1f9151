/* The fleet in numbers. */
#ifndef PQOTA_STORE_SUMMARY_H
#define PQOTA_STORE_SUMMARY_H

#include "base/arena.h"
#include "model/action.h"

struct db;

#define SUMMARY_VERSIONS_MAX 50
#define SUMMARY_TRANSPORTS 4
extern const char *const summary_transport_text[SUMMARY_TRANSPORTS]; /* "pq", "classical", "plain", "proxy" */

struct summary_version {
    const char *model, *version; /* version NULL: not reported yet */
    int64_t devices;
};

struct summary {
    int64_t devices, revoked, seen;        /* seen: since the time asked for */
    int64_t transport[SUMMARY_TRANSPORTS]; /* devices by how they last came, as far as they ever did */
    int64_t deployments_running, deployments_paused, deployments_approval;
    int64_t open[ACTION_STATES];      /* actions under way, by state */
    int64_t closed[ACTION_STATES];    /* closed since the time asked for */
    struct summary_version *versions; /* of devices that are not revoked, the most frequent first */
    size_t version_count;
};

/* since: Unix milliseconds, counted from the begin of its hour. Reads what was counted before (migration 2),
   some hundred rows however large the fleet. */
int store_summary(struct db *db, struct arena *a, int64_t since, struct summary *out,
                  struct err *e) MUST_CHECK;

#endif
