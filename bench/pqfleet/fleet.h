/*
 * The fleet: devices that ask when they are due, over connections that stay. One thread, one event loop. A
 * device has at most one request under way; a connection carries one at a time, of whichever device, since
 * who asks is said in each. While there are no more devices than connections each device has its own.
 */
#ifndef BENCH_PQFLEET_FLEET_H
#define BENCH_PQFLEET_FLEET_H

#include <openssl/evp.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/list.h"
#include "pqfleet/device.h"
#include "pqfleet/due.h"
#include "shared/reply.h"

#define FLEET_BUFFER 65536
#define FLEET_REPLY_MAX 262144 /* bytes of an answer that is kept */
#define FLEET_REQUEST_MAX 8192
#define FLEET_DRAIN_NS 5000000000ULL /* for what is under way when the fleet ends */
#define FLEET_NOBODY UINT32_MAX

enum conn_state { CONN_CLOSED, CONN_CONNECTING, CONN_BUSY, CONN_IDLE };

struct conn {
    int fd;
    uint32_t generation; /* of the descriptor: an event for the one before is none */
    enum conn_state state;
    bool reused; /* it carried an answer before this request */
    bool full;   /* of a fetch: the body is hashed */
    uint32_t user;
    struct list link; /* closed, idle or busy */
    uint64_t deadline;
    struct reply reply;
    enum ask_kind kind;
    size_t sent; /* of out */
    struct buf out, body;
    EVP_MD_CTX *hash;
};

struct unit {
    struct device device;
    const char *token; /* its own, or NULL */
    uint64_t asked;    /* ns: when it wanted to ask what it asks now */
    uint32_t conn;     /* the one that it had last, or FLEET_NOBODY */
    struct list link;  /* in fleet->waiting, or alone */
};

struct fleet {
    const struct options *options;
    struct sim sim;
    struct counts counts;
    struct unit *units;
    struct conn *conns;
    struct due due;
    struct list idle, busy, closed; /* connections; idle: longest so first; busy: earliest deadline first */
    struct list waiting;            /* devices without one */
    int epoll_fd, signal_fd;
    struct sockaddr_storage to;
    socklen_t to_n;
    struct buf tokens; /* the file's text, in which units' tokens are */
    bool draining;
    const char *ended; /* why */
    uint64_t begun, drain_end;
    char buffer[FLEET_BUFFER];
};

uint64_t fleet_now(void); /* ns, monotonic */

/* Runs to the end. What failed in single requests is in the counts. *ended: "done", "time" or "signal". */
int fleet_run(const struct options *o, struct counts *out, const char **ended, struct err *e) MUST_CHECK;

/* --- conn.c: connections -------------------------------------------------------------------------------- */

int conn_init(struct fleet *f, struct err *e) MUST_CHECK;
void conn_fini(struct fleet *f);
/* Sends what the device asks over a connection that is free, or has it wait for one. */
void conn_ask(struct fleet *f, uint32_t who);
/* What epoll said. */
void conn_event(struct fleet *f, uint64_t which, uint32_t events);
/* Devices that wait for a connection get what is free by now. */
void conn_dispatch(struct fleet *f);
void conn_check_timeouts(struct fleet *f, uint64_t now);

/* --- fleet.c, for conn.c -------------------------------------------------------------------------------- */

/* There is an answer, or not. The device is then due again, or wants to ask at once. */
void fleet_answered(struct fleet *f, uint32_t who, enum ask_kind kind, const struct answer *a);
void fleet_failed(struct fleet *f, uint32_t who, enum error_kind kind, const char *text);
/* Its turn comes a moment later. */
void fleet_later(struct fleet *f, uint32_t who);

/* --- request.c ------------------------------------------------------------------------------------------ */

/* The request's bytes into out, which is emptied first. */
int request_write(const struct fleet *f, const struct unit *u, const struct ask *a, struct buf *out,
                  struct err *e) MUST_CHECK;
/* Each device's token from the file. */
int request_read_tokens(struct fleet *f, struct err *e) MUST_CHECK;

#endif
