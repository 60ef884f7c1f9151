/*
 * The load: slots, each at most one connection, that begin operations when they are due, and what was counted
 * while they did. One thread, one event loop.
 */
#ifndef BENCH_PQLOAD_LOAD_H
#define BENCH_PQLOAD_LOAD_H

#include <sys/socket.h>
#include <uv.h>

#include "base/list.h"
#include "pqload/identity.h"
#include "pqload/options.h"
#include "shared/histogram.h"
#include "shared/reply.h"
#include "tls/tls.h"

#define LOAD_BUFFER 65536
#define LOAD_SAMPLES 5       /* errors kept as text */
#define LOAD_ERRORS_MAX 1000 /* then it ends early */
#define LOAD_TICK_MS 50      /* timeouts are looked for, and a slot that failed rests as long */
#define LOAD_ROUND_MAX 32    /* connections that are opened, or asked in a round of idle mode, at once */

enum error_kind {
    ERROR_CONNECT,
    ERROR_HANDSHAKE,
    ERROR_IO,
    ERROR_CLOSED,
    ERROR_HTTP,
    ERROR_STATUS,
    ERROR_TIMEOUT,
    ERROR_KINDS
};

extern const char *const error_names[ERROR_KINDS];

struct failures {
    uint64_t kinds[ERROR_KINDS], count;
    char samples[LOAD_SAMPLES][ERR_TEXT_MAX]; /* the first ones */
};

struct counts {
    struct histogram handshake; /* from connect, or from when it was due, to the end of the handshake */
    struct histogram
        request; /* from the request's first byte (kept-alive: from when it was due) to the response's last */
    struct histogram operation;   /* all of it */
    uint64_t full, resumed;       /* handshakes */
    uint64_t reconnects;          /* of connections that should have stayed; the server said "close" */
    uint64_t bytes_in, bytes_out; /* TCP payload, from and to the server */
    uint64_t body;                /* bytes of responses that came while it was measured */
    struct failures errors;       /* of the whole run, warm-up and all */
    struct failures retries;      /* attempts that were turned away and tried again */
    uint64_t elapsed_ns;
    uint64_t own_cpu_us, other_cpu_us;
};

/* Of a stretch of idle mode in which operations are due at even distances. */
struct stretch {
    struct histogram operation;
    uint64_t begin, end, errors; /* ns; errors before it */
};

enum load_phase { LOAD_OPENING, LOAD_WARMUP, LOAD_MEASURE, LOAD_DRAIN, LOAD_OVER };

enum slot_state {
    SLOT_CLOSED, /* no connection */
    SLOT_HANDSHAKE,
    SLOT_WRITE,
    SLOT_READ,
    SLOT_OPEN, /* a connection that waits for the next operation */
    SLOT_CLOSING,
};

struct load;

struct slot {
    struct load *load;
    enum slot_state state;
    struct list link; /* in load->waiting or load->resting, or alone while busy */
    const struct identity *who;
    struct tls_ctx *tls; /* its own where it must remember its own session, else the identity's */
    char *request;       /* its own where it has a number, else the identity's */
    int fd;
    uv_poll_t poll;
    int polled;
    bool busy;         /* with an operation */
    bool in_round;     /* which is the round's */
    bool failed;       /* what is being closed had an error: the slot rests */
    uint64_t again_at; /* ns: its operation was turned away and tries again then; 0: it was not */
    struct tls_conn *conn;
    struct reply reply;
    size_t written;             /* of the request */
    uint64_t due, began, sent;  /* ns */
    uint64_t seen_in, seen_out; /* bytes of this connection that are in the counts, or were before */
};

struct load {
    const struct options *options;
    uv_loop_t uv;
    uv_prepare_t dispatch; /* begins what is due, before each wait */
    uv_timer_t stage, tick;
    uv_poll_t alarm, input;
    int alarm_fd; /* timerfd: when the next operation is due */
    uint64_t next_due;
    uint64_t step; /* ns between operations; 0: as many as there can be */

    struct sockaddr_storage to;
    socklen_t to_n;
    struct identities identities;
    uint64_t numbered; /* requests that have a number */

    struct slot *slots;
    size_t busy;                   /* slots with an operation under way */
    uint64_t begun, ended;         /* operations, where their number is given */
    bool in_round;                 /* each slot does one operation: opens its connection, or idle mode */
    size_t round_left, round_busy; /* slots that have not begun in this round, and not ended */
    struct stretch stretch;        /* idle mode, while step is not 0 */
    struct list waiting, resting;

    enum load_phase phase;
    uint64_t begin, end; /* ns, of what is measured; the end only where there is a rate */
    uint64_t own_cpu_before, other_cpu_before;
    struct counts counts;
    int rc; /* why it could not go on, and its text */
    struct err error;
    char buffer[LOAD_BUFFER];
};

/* Runs to the end. What failed in single operations is in the counts; another return value than 0 says why it
   ended early. */
int load_run(const struct options *o, struct counts *out, struct err *e) MUST_CHECK;

/* slot.c: begins an operation that was due then. The slot is in no list. */
void slot_begin(struct slot *s, uint64_t due);
void slot_close(struct slot *s);
/* Now and then: what took too long, and what was turned away and may try again. */
void slot_tick(struct slot *s, uint64_t now);
/* Adds what this connection moved since the last time to the counts, if `count`. */
void slot_account(struct slot *s, bool count);
void load_error(struct load *l, enum error_kind kind, const char *text);
/* The slot has no operation any more. */
void load_slot_done(struct slot *s);
/* Whether an operation that was due then and ends now counts. */
bool load_counts(const struct load *l, uint64_t due);
void load_stop(struct load *l);
/* All connections are open: the warm-up begins. */
void load_opened(struct load *l);
void failure_note(struct failures *f, enum error_kind kind, const char *text);

/* round.c: rounds over all slots, and idle mode between them. */
int round_init(struct load *l, struct err *e) MUST_CHECK;
void round_begin(struct load *l);
void round_dispatch(struct load *l);
/* Idle mode: ends a stretch that is over. */
void stretch_check(struct load *l);

#endif
