/*
 * One request on its way through the tunnel, shared by two threads: the loop that has its exchange, and the
 * worker that asks the server. A long body goes through a ring between the two: the worker waits while it is
 * full, the exchange while it is empty, and what is not released yet stays in it.
 */
#ifndef PQOTA_AGENT_TUNNEL_FLOW_H
#define PQOTA_AGENT_TUNNEL_FLOW_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "net/exchange.h"

#define FLOW_RING 262144 /* bytes of a body that wait in the tunnel */

struct flow {
    struct list link; /* in the queue of the workers */
    pthread_mutex_t lock;
    pthread_cond_t moved;
    unsigned refs;
    const atomic_bool *stop; /* the program ends */
    struct exchange *x;      /* NULL once it has ended */
    bool failed;             /* no more of the body will come */
    char *ring;              /* FLOW_RING bytes, allocated with the first of them; NULL: none yet */
    size_t at, n;            /* where its oldest byte is, and how many there are */
    uint64_t given;          /* bytes that went on to the exchange */
    uint64_t released;       /* bytes of the body, from its beginning, that may go on */
    char *want;              /* the exchange waits for bytes here */
    size_t want_n;
};

/* Two references: the exchange's and the worker's. NULL: no memory. */
struct flow *flow_new(struct exchange *x, const atomic_bool *stop);
void flow_drop(struct flow *f);

/* --- the worker's --------------------------------------------------------------------------------------- */

/* Whether there is nobody left to work for. */
bool flow_is_over(struct flow *f);
/* Waits so long, or until it is over; true when it is. */
bool flow_wait(struct flow *f, int64_t ms);
/* Waits for room. ERR_GONE: it is over; ERR_NOMEM. */
int flow_put(struct flow *f, const char *p, size_t n) MUST_CHECK;
/* So many bytes of the body, counted from its beginning, may go on. Never fewer than before. */
void flow_release(struct flow *f, uint64_t n);
/* The rest of the body does not come: the connection is cut where it is. */
void flow_fail(struct flow *f);

/* --- the loop's ----------------------------------------------------------------------------------------- */

/* net_app.file_read: the next bytes, at once or when there are some. */
void flow_read(struct flow *f, char *buf, size_t size);
/* The exchange is over. */
void flow_ended(struct flow *f);

#endif
