/*
 * An exchange is one request and its response on a connection, and net_app is what a server does with it.
 * While a request is with the application it belongs to it, whatever happens to the connection; it comes back
 * by exchange_reply, from any thread.
 */
#ifndef PQOTA_NET_EXCHANGE_H
#define PQOTA_NET_EXCHANGE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/list.h"
#include "http/message.h"
#include "tls/tls.h"

enum net_kind { NET_TLS, NET_PLAIN, NET_UNIX };

/* Who is at the other end, constant over the connection's life. */
struct net_peer {
    enum net_kind kind;
    const char *listener;       /* its name, for logs */
    char address[64];           /* "192.0.2.1:5123", "[2001:db8::1]:5123", "unix" */
    const struct tls_info *tls; /* NULL without TLS */
};

enum net_verdict {
    NET_READ_BODY,  /* in memory, up to body_max */
    NET_SPOOL_BODY, /* in chunks to net_app.chunk, up to body_max in all */
    NET_REFUSE,     /* res is filled; a body that follows is not read */
};

struct conn;
struct loop;

/* Something that a thread hands to a loop. */
struct loop_msg {
    struct list link;
    void (*run)(struct loop_msg *msg);
};

struct exchange {
    struct http_request req;
    struct http_response res;
    struct arena arena;
    const struct net_peer *peer;
    uint64_t body_max;  /* set by net_app.head */
    uint64_t body_seen; /* bytes of body that came */
    uint64_t began_us;  /* monotonic, when its first byte came */
    void *app;          /* the application's own, freed by net_app.end */
    atomic_bool gone;   /* the client has left: work for it may be dropped */

    /* The connection's own. */
    struct conn *conn;
    struct http_parser *parser;
    struct buf body; /* NET_READ_BODY: all of it; NET_SPOOL_BODY: the chunk under way */
    struct loop_msg msg;
    enum exchange_news {
        EXCHANGE_NOTHING,
        EXCHANGE_REPLY,
        EXCHANGE_SEND,
        EXCHANGE_CHUNK,
        EXCHANGE_FILE,
        EXCHANGE_CALL
    } news;
    void (*call)(struct exchange *x);
    long file_result; /* bytes read, or a negative enum err_code */
    bool spooling;    /* its body goes to net_app.chunk */
    bool complete;    /* all of the request has come */
    bool refused;     /* net_app.head has answered already */
    bool streaming;   /* exchange_send was called: the head is out or on its way */
    bool sending;     /* what it was called with last is not out yet */
};

/* A request's first byte has come; NULL: no memory. Ends by exchange_end, after net_app.end. */
struct exchange *exchange_begin(struct conn *c);
void exchange_end(struct loop *l, struct exchange *x);
/* The loop ends. */
void exchange_drop_spare(struct loop *l);

struct net_app {
    void *ctx;
    size_t arena_max; /* bytes a request may use */
    /* All on the loop's thread. */
    enum net_verdict (*head)(void *ctx, struct exchange *x);
    /* A piece of a spooled body; its bytes stay until exchange_chunk_done (or exchange_reply, to refuse). */
    void (*chunk)(void *ctx, struct exchange *x, struct str piece);
    /* The request is complete. Ends by exchange_reply. */
    void (*request)(void *ctx, struct exchange *x);
    /* Reads from x->res.file where the page cache has it not; ends by exchange_file_done. */
    void (*file_read)(void *ctx, struct exchange *x, void *buf, size_t size, uint64_t offset);
    /* What exchange_send was called with is out, or never will be (x->gone). Once for each call. */
    void (*sent)(void *ctx, struct exchange *x);
    /* The last of an exchange: its reply is out, or its connection is gone and nobody works on it. */
    void (*end)(void *ctx, struct exchange *x);
    /* Whoever was heard of has been served; what was shared by them ends. May be NULL. */
    void (*turn_end)(void *ctx, void *loop_ctx);
    /* Called once on each loop's thread as it starts and ends; *loop_ctx is the loop's own. */
    int (*loop_start)(void *ctx, void **loop_ctx, struct err *e);
    void (*loop_stop)(void *ctx, void *loop_ctx);
};

/* From any thread: res is filled. */
void exchange_reply(struct exchange *x);
/* From any thread: a part of a reply of no known length goes out, the first time with its head; the exchange
   stays the application's. res holds it and is left alone until net_app.sent. Ends by exchange_reply, whose
   res is not looked at any more, and which closes the connection. */
void exchange_send(struct exchange *x);
/* From any thread: the chunk is taken, more may come. */
void exchange_chunk_done(struct exchange *x);
/* From any thread: n bytes are in the buffer, or a negative enum err_code. */
void exchange_file_done(struct exchange *x, long n);
/* From any thread: fn(x) is called on the loop's thread, and the request stays the application's. */
void exchange_call(struct exchange *x, void (*fn)(struct exchange *x));
/* What loop_start gave for the loop of this exchange. Loop thread only. */
void *exchange_loop_ctx(struct exchange *x);

#endif
