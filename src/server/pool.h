/*
 * Worker threads with a bounded queue: one pool per kind of work, so that one kind cannot starve another.
 */
#ifndef PQOTA_SERVER_POOL_H
#define PQOTA_SERVER_POOL_H

#include <stddef.h>

#include "base/err.h"
#include "base/list.h"

struct db;
struct pool;
struct store;

struct pool_job {
    struct list link;
    void (*run)(struct pool_job *job, struct db *db);
};

struct pool_config {
    const char *name; /* a constant; names the limit in errors: limits.<name>_queue */
    size_t threads, queue_max;
    struct store *store; /* each thread gets a reader of it; NULL: jobs get no database */
};

int pool_new(const struct pool_config *config, struct pool **out, struct err *e) MUST_CHECK;
/* ERR_BUSY when queue_max jobs wait. The job's memory is the submitter's until run was called. */
int pool_submit(struct pool *p, struct pool_job *job, struct err *e) MUST_CHECK;
/* For what must happen and is bounded elsewhere (the end of an exchange). */
void pool_submit_always(struct pool *p, struct pool_job *job);
size_t pool_waiting(struct pool *p);
/* Runs what waits, then ends the threads. NULL is fine. */
void pool_free(struct pool *p);

#endif
