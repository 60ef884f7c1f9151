/*
 * A loop thread: its event loop, its listening sockets and connections, the deadlines of those, and a mailbox
 * by which other threads reach it. Everything here but loop_post belongs to the loop's own thread.
 */
#ifndef PQOTA_NET_LOOP_H
#define PQOTA_NET_LOOP_H

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "base/list.h"
#include "net/limits.h"
#include "net/net.h"
#include "net/shake.h"
#include "net/watch.h"

#define LOOP_BUFFER 65536      /* what one read may bring */
#define LOOP_WINDOW 131072     /* what one write of a file offers */
#define LOOP_EXCHANGES_KEPT 32 /* memory of ended exchanges kept for the next ones */
#define LOOP_TICK_MS 200

/* What a connection waits for. The deadline is the same for all in a phase, so its list is in their order. */
enum phase {
    PHASE_NONE,
    PHASE_HANDSHAKE,
    PHASE_IDLE,
    PHASE_HEADER,
    PHASE_BODY,
    PHASE_WRITE,
    PHASE_LINGER,
    PHASES
};

struct listener;

struct loop {
    struct net *net;
    size_t index;
    const struct net_app *app;
    const struct clock *clock;
    struct net_limits limits;
    struct address_counts *addresses; /* shared by all loops */
    atomic_size_t *open;              /* connections of all loops */
    void *app_ctx;                    /* what net_app.loop_start gave */

    uv_loop_t uv;
    uv_async_t wake;
    uv_timer_t tick;
    uv_idle_t spin;  /* runs while `ready` has somebody or a handshake waits */
    uv_check_t turn; /* after the established connections were served */
    struct watch watch;
    pthread_t thread;
    pthread_t self; /* the same, set by itself: what pthread_create stores may be late */
    bool thread_started;
    int start_rc; /* set before `started` is announced */
    struct err start_err;

    pthread_mutex_t mail_lock;
    struct list mail; /* of loop_msg */

    struct listener *listeners;
    size_t listener_count;
    struct list phases[PHASES]; /* connections, by conn.phase_link */
    struct list ready;          /* connections with work that poll does not announce, by conn.ready_link */
    struct list buried;         /* closed ones that may still be spoken of this turn, by ready_link */
    struct shakes shakes;
    size_t connections;
    bool draining, stopping;
    int64_t now_ms;        /* monotonic, of this turn */
    int64_t complained_ms; /* when a limit was last logged */

    struct exchange *spare[LOOP_EXCHANGES_KEPT];
    size_t spare_count;
    char *buffer; /* LOOP_BUFFER bytes, for whoever reads now */
    char *window; /* LOOP_WINDOW bytes, for whoever sends a file now */

    struct net_stats stats; /* own counters: written by this thread, read by others through loop_stats_read */
};

int loop_init(struct loop *l, struct err *e) MUST_CHECK;
int loop_start(struct loop *l, struct err *e) MUST_CHECK; /* returns when the thread runs or has failed */
void loop_join(struct loop *l);
void loop_fini(struct loop *l);

/* After connections were served, before anything else is heard. */
void loop_end_turn(struct loop *l);
/* Turns without waiting as long as `ready` has somebody or a handshake waits. */
void loop_spin(struct loop *l);

/* Once it is stopping and its last connection is gone, nobody can post to it any more: its thread ends. */
void loop_end_if_empty(struct loop *l);

/* From any thread: msg->run is called on the loop's. */
void loop_post(struct loop *l, struct loop_msg *msg);

/* Counters are plain words written by one thread: relaxed atomics keep the readers honest. */
static inline void stat_add(uint64_t *counter, uint64_t n)
{
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}
void loop_stats_add(const struct loop *l, struct net_stats *sum);

/* True at most once in a while: for warnings that an attacker could repeat. */
bool loop_may_complain(struct loop *l);

#endif
