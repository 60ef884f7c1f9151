/*
 * A request on its way through its steps. Lives in the exchange's arena; belongs to whoever runs the step.
 */
#ifndef PQOTA_SERVER_RUN_H
#define PQOTA_SERVER_RUN_H

#include "base/identity.h"
#include "http/route.h"
#include "net/exchange.h"
#include "server/pool.h"
#include "server/proxy.h"
#include "store/store.h"

struct ddi_newcomer;
struct login;
struct server;
struct spool;
struct viewer;

struct run {
    struct server *server;
    struct exchange *x;
    const struct route_table *table; /* NULL until it is known, then it says what a refusal looks like */
    const struct route *route;
    struct call call;
    struct proxy_says proxy;
    struct identity who;           /* its address is there from the beginning */
    struct login *login;           /* a name and password whose check waits or is under way; else NULL */
    struct ddi_newcomer *newcomer; /* a device that is registered before anything runs; else NULL */
    struct viewer *viewer;         /* of a stream, see server/live.h; else NULL */
    size_t step;
    bool upgraded; /* the READ step at hand runs in the WRITE lane */
    int result;    /* of the last handler: CALL_NEXT, CALL_REPLY */

    struct pool_job job;
    struct store_job write;

    struct spool *spool;
    struct http_spool spooled;
    struct str piece; /* of the body, being spooled */
    struct {
        void *buf;
        size_t size;
        uint64_t offset;
    } file; /* what is being read for the reply */
};

/* server/lanes.c: runs the steps from run->step on, whatever thread this is. */
void run_steps(struct run *run);
/* Answers with the problem in call.err and ends the run. */
void run_fail(struct run *run);
/* The address of who asks, without its port; "unix" on the Unix socket. */
struct str run_address(const struct run *run);
/* Fill the response, in the form of the route's table. */
void run_refuse(struct run *run, int status, const char *detail);
void run_refuse_err(struct run *run); /* with the problem in call.err */

/* server/spooling.c: the body of an upload, on the file workers. */
void run_spool_piece(struct run *run, struct str piece);
void run_spool_finish(struct run *run);  /* then run_steps */
void run_spool_discard(struct run *run); /* the file goes, if no handler took it */
void run_file_read(struct run *run, void *buf, size_t size, uint64_t offset);

#endif
