/* The bytes of a request, made once; where its body has a place for it, each carries a number of its own. */
#ifndef BENCH_PQLOAD_REQUEST_H
#define BENCH_PQLOAD_REQUEST_H

#include <stdint.h>

#include "base/buf.h"
#include "pqload/options.h"

#define REQUEST_BODY_MAX 1048576
#define REQUEST_MAX (REQUEST_BODY_MAX + 65536)
#define REQUEST_NUMBER_LEAST 4 /* so many # in a row in the body are the place of the number */
#define REQUEST_NUMBER_MOST 19

struct request {
    struct buf text;
    size_t number_at, number_n; /* where the number goes; number_n 0: nowhere */
};

/* On failure too, request_fini frees what there is. */
int request_make(const struct options *o, const char *path, struct str body, struct request *out,
                 struct err *e) MUST_CHECK;
void request_fini(struct request *r);
/* Writes the number, with leading zeros, into a copy of the request's text. */
void request_number(const struct request *r, char *text, uint64_t number);

#endif
