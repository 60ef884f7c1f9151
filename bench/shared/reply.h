/* One HTTP/1.1 response after another on a connection, over llhttp: status, body, where it ends. */
#ifndef BENCH_SHARED_REPLY_H
#define BENCH_SHARED_REPLY_H

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct reply;
/* Takes a piece of the body; false ends the response as an error. */
typedef bool reply_sink(struct reply *r, const char *p, size_t n);

struct reply {
    llhttp_t parser;
    reply_sink *sink; /* set after reply_begin, if at all: what to do with the body, other than count it */
    void *ctx;        /* the sink's */
    bool head;        /* set after reply_begin: the answer to HEAD, which has no body */
    bool complete;
    bool keep_alive; /* once complete: the connection may carry another request */
    int status;      /* once its head was read */
    uint64_t length; /* what Content-Length said, once the head was read; 0 without one */
    uint64_t body;   /* bytes */
};

/* Before each response. */
void reply_begin(struct reply *r);
/* Bytes as they came. What follows a complete response is an error: nothing was asked yet. */
int reply_feed(struct reply *r, const char *p, size_t n, struct err *e) MUST_CHECK;
/* The peer closed; completes a response that ends so. */
int reply_end(struct reply *r, struct err *e) MUST_CHECK;

#endif
