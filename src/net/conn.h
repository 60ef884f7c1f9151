/*
 * One connection: its state, what it waits for, and the exchange under way. Used by its loop's thread alone.
 */
#ifndef PQOTA_NET_CONN_H
#define PQOTA_NET_CONN_H

#include "http/parser.h"
#include "net/limits.h"
#include "net/listener.h"
#include "net/stream.h"

/* What a state allows next stands in the table in conn.c; conn_set_state asserts it. */
enum conn_state {
    CONN_HANDSHAKE,
    CONN_IDLE,    /* between requests */
    CONN_HEADER,  /* a request has begun */
    CONN_BODY,    /* its body is arriving */
    CONN_CHUNK,   /* a piece of its body is with the application */
    CONN_APP,     /* the whole request is with the application */
    CONN_REPLY,   /* the response is going out */
    CONN_FILE,    /* the next piece of the response is being read from the disk */
    CONN_CLOSING, /* close_notify is going out */
    CONN_LINGER,  /* all is sent; what the peer still sends is thrown away, so that it sees our reply */
    CONN_DEAD,    /* closed; its memory waits for the application to hand the exchange back */
    CONN_STATES
};

enum wait {
    WAIT_NOTHING,
    WAIT_READ,
    WAIT_WRITE,
    WAIT_GONE, /* the application has it: all we want to know is whether the client leaves */
};

struct conn {
    struct loop *loop;
    enum net_kind kind;
    enum conn_state state;
    enum phase phase;
    struct list phase_link, ready_link, shake_link;
    int64_t phase_began_ms;
    uint64_t phase_bytes; /* moved since the phase's deadline was last set */

    int fd;
    enum wait wait;      /* what it goes on with */
    bool readable;       /* there may be something to read */
    bool hup;            /* the peer closed its direction, or the connection broke */
    bool watches_writes; /* the socket also tells when it takes more */
    enum shake shake;
    bool shakes_fully; /* no resumption */
    struct stream stream;
    struct address_key address;
    struct net_peer peer;

    struct exchange *x; /* NULL when idle */
    bool app_has_it;    /* the application works on x: neither may be freed */
    bool driving;       /* inside conn_drive: what is called back must not drive again */
    bool refused;       /* the reply goes out before the body was read */
    bool has_ready;     /* in loop->ready */
    bool is_buried;     /* in loop->buried */
    uint64_t requests;
    struct buf pending; /* bytes read and not parsed yet: the next requests of a pipeline */

    struct buf head; /* the response's head, with what of its body fits beside it */
    size_t head_sent;
    size_t next_part;   /* of the response, not in `head` */
    uint64_t part_sent; /* bytes of that part */
    size_t offered;     /* bytes of a write that waits: TLS wants exactly these again */
    bool continuing;    /* what goes out is "100 Continue", after which the body is read */
    char *cold;         /* bytes of the file that were not in the page cache, or NULL */
    uint64_t cold_offset;
    size_t cold_n;
    bool asked_kernel;   /* whether it sends this response's file: */
    bool by_kernel;      /* it does */
    bool counted_kernel; /* it has sent some of it */
    uint64_t warm_end;   /* how far the file was in the page cache when that was last looked at */
    enum close_reason reason;
    struct err error;
};

int conn_open(struct listener *ln, int fd, const struct sockaddr_storage *from, struct err *e) MUST_CHECK;
/* Goes on until it has to wait for somebody. */
void conn_drive(struct conn *c);
/* The one way out, from any state. */
void conn_close(struct conn *c, enum close_reason reason);
void conn_set_state(struct conn *c, enum conn_state next);
/* The state's deadline begins anew. */
void conn_restart_deadline(struct conn *c);

void conn_check_deadlines(struct loop *l);
void conn_free_buried(struct loop *l);
void conn_run_ready(struct loop *l);
/* Closes what is idle, and everything if `all`. */
void conn_close_all(struct loop *l, bool all);

/* conn_in.c: from bytes to requests. Each answers whether the connection can go on at once. */
bool conn_read(struct conn *c);
void conn_end_exchange(struct conn *c);
void conn_refuse(struct conn *c, int status, const char *detail);

/* conn_out.c: from responses to bytes. */
void conn_begin_reply(struct conn *c);
bool conn_write(struct conn *c);
void conn_end_reply(struct conn *c);
/* The next part of a stream. */
void conn_send(struct conn *c);
/* What it was is out, or never will be. */
void conn_sent(struct conn *c);
void conn_file_arrived(struct conn *c, long n);

/* Goes on when the socket tells of that. */
void conn_wait(struct conn *c, enum wait what);
/* What the socket tells: epoll(7)'s events. */
void conn_hear(struct conn *c, uint32_t events);
/* Will be driven again in the next turn of the loop. */
void conn_make_ready(struct conn *c);

#endif
