/* One HTTP/1.1 response after another on a connection, over llhttp: status, bytes of body, where it ends. */
#ifndef BENCH_PQLOAD_REPLY_H
#define BENCH_PQLOAD_REPLY_H

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct reply {
    llhttp_t parser;
    bool complete;
    bool keep_alive; /* once complete: the connection may carry another request */
    int status;      /* once complete */
    uint64_t body;   /* bytes */
};

/* Before each response. */
void reply_begin(struct reply *r);
/* Bytes as they came. What follows a complete response is an error: nothing was asked yet. */
int reply_feed(struct reply *r, const char *p, size_t n, struct err *e) MUST_CHECK;
/* The peer closed; completes a response that ends so. */
int reply_end(struct reply *r, struct err *e) MUST_CHECK;

#endif
