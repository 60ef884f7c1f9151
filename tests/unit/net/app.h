/* A small application on a net with one plain listener. */
#ifndef TEST_NET_APP_H
#define TEST_NET_APP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "net/net.h"

/*
 * What it answers, by path:
 *   /echo        the body, or "ok", at once on the loop's thread
 *   /slow        the same from the worker
 *   /call        from the worker by way of the loop's thread
 *   /spool       "<bytes> <sum>" of a spooled body, chunks taken by the worker
 *   /inline      the same, chunks taken at once on the loop's thread
 *   /late        413 at the first chunk, from the worker
 *   /refuse      403 at the head
 *   /204 /304    that status, with a body that must not be sent
 *   /file        bytes, a range of the file, bytes, another range
 *   /stream      pieces of 100 000 bytes in a stream, ten of them or as many as the client reads
 *   /torn        a file that is shorter than the reply says
 */
struct app {
    pthread_t worker;
    pthread_mutex_t lock; /* for all below */
    pthread_cond_t cond;
    struct list queue;
    bool gate_open, ending; /* the worker takes nothing while the gate is closed */
    size_t waiting;         /* in the queue */
    size_t begun, ended, seen_gone, cold_reads;
    int file; /* FILE_BYTES of pattern */
};

#define FILE_BYTES (3u << 20)

struct fixture {
    struct app app;
    struct net *net;
    char address[64]; /* of the listener, as text and as connect(2) wants it */
    struct sockaddr_in to;
};

extern const struct net_limits ample_limits;

/* Every nth read of a file finds its pages cold, and 0 none. */
extern int cold_every;

struct fixture *app_start(const struct net_limits *limits, size_t loops);
void app_stop(struct fixture *f); /* and frees it */
void app_gate(struct fixture *f, bool open);
void app_wait_queued(struct fixture *f, size_t n);   /* that many wait at the gate */
void app_wait_read(struct fixture *f, size_t bytes); /* so many were read from all clients */
void app_wait_quiet(struct fixture *f);              /* every exchange and connection has ended */
unsigned char app_pattern(size_t i);

#endif
