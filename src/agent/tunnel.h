/*
 * `pqota-agent tunnel`: hawkBit's device protocol at a local address, carried to the server over
 * post-quantum mutual TLS with the device's own key, so that an updater that knows neither (SWUpdate,
 * rauc-hawkbit-updater) has both. Files go through only as far as the device's update metadata
 * vouch for them.
 *
 * The loop of src/net has the local connections; each request is worked off by one of `connections` threads,
 * which asks the server with a link of its own.
 */
#ifndef PQOTA_AGENT_TUNNEL_H
#define PQOTA_AGENT_TUNNEL_H

#include "agent/agent.h"
#include "agent/tunnel_flow.h"
#include "agent/tunnel_hash.h"
#include "agent/tunnel_request.h"
#include "agent/tunnel_trust.h"
#include "agent/tunnel_up.h"

#define TUNNEL_CONNECTIONS_MAX 64
#define TUNNEL_BODY_MAX (256u * 1024)    /* bytes of a request */
#define TUNNEL_ANSWER_MAX (1024u * 1024) /* bytes of an answer that is no file */
#define TUNNEL_ARENA_MAX (4 * TUNNEL_ANSWER_MAX)
#define TUNNEL_HELD 65536       /* bytes at a file's end that wait until its hash is right */
#define TUNNEL_RETRY_AFTER "10" /* seconds, with a 502 or 503 */
#define TUNNEL_TRIES_MAX 12   /* times in a row that a broken download is gone on with, without a new byte */
#define TUNNEL_BREAKS_MAX 500 /* ... and in all */
#define TUNNEL_PAUSE_MAX_MS 10000 /* between two such tries; the first one is a second */

_Static_assert(TUNNEL_HELD + PROGRESS_BLOCK < FLOW_RING, "what is withheld has room");

struct tunnel;

struct tunnel_worker {
    struct tunnel *tunnel;
    pthread_t thread;
    bool started;
    struct tunnel_worker *next; /* in tunnel.idle */
    pthread_cond_t work;        /* there is some for this one */
    bool called;
    struct clock_floor floor;
    struct link link;
    unsigned renewed;  /* the generation of certificates that the link shows */
    struct flow *file; /* the download under way, whose end ends the transfer; NULL: none */
};

struct tunnel {
    struct agent_config config;
    struct files files;
    char device[PQOTA_NAME_SIZE];
    struct clock_floor floor;
    struct link link; /* of the main thread: renewals */
    struct tunnel_trust trust;
    struct progress_shelf *shelf;
    struct net *net;
    int signals; /* signalfd */
    atomic_bool stop;
    atomic_uint generation; /* of the device's certificate and roots */

    pthread_mutex_t lock; /* of the queue, and of who has nothing to do */
    struct list queue;    /* of struct flow */
    size_t queued;
    struct tunnel_worker *idle; /* who had work last first: its connection to the server is still there */
    struct tunnel_worker workers[TUNNEL_CONNECTIONS_MAX];
    size_t worker_count;
};

/* What net_app.head found, in the exchange's arena. */
struct tunnel_job {
    struct tunnel_ask ask;
    struct flow *flow; /* NULL until the request is complete */
};

/* Runs until SIGTERM or SIGINT. */
enum agent_exit agent_tunnel(const struct agent_config *config);

/* tunnel_work.c: a worker's life, and what is no file. */
void *tunnel_work(void *worker);
/* False: there is more to do than can be. */
bool tunnel_queue(struct tunnel *t, struct flow *f);
/* Every worker sees that the tunnel stops. */
void tunnel_stop_work(struct tunnel *t);
/* Refuses the exchange of a flow in hawkBit's words; from 500 on with a Retry-After. */
void tunnel_refuse(struct flow *f, int status, const char *message);
/* A header field of the answer to the client, copied; none for NULL or "". */
void tunnel_set(struct exchange *x, const char *name, const char *value);
/* Tells the server, for its history of the action, why a file was refused. */
void tunnel_report(struct tunnel_worker *w, struct str tenant, uint32_t action, const char *filename,
                   const char *why);
/* An answer that is no file, as the client gets it. */
void tunnel_pass_on(struct flow *f, const struct tunnel_ask *ask, const struct up_answer *answer,
                    struct str body);

/* tunnel_file.c */
void tunnel_serve_file(struct tunnel_worker *w, struct flow *f);

#endif
