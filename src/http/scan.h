/*
 * The line discipline of a head, of a chunk's size line and of trailers (RFC 9112 sections 2.2, 5.2 and 7.1),
 * byte by byte before llhttp sees them: lines end in CRLF, no control characters, no folding, bounded.
 */
#ifndef PQOTA_HTTP_SCAN_H
#define PQOTA_HTTP_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum http_scan_kind { HTTP_SCAN_HEAD, HTTP_SCAN_CHUNK, HTTP_SCAN_TRAILER };

struct http_scan {
    enum http_scan_kind kind;
    size_t max;        /* bytes in all */
    size_t target_max; /* bytes between the first and the second space of a head's first line */
    size_t total;      /* bytes seen */
    size_t lines;      /* lines ended */
    size_t line;       /* bytes of the line begun, without its end */
    size_t target;
    unsigned spaces;
    bool cr; /* the last byte was a carriage return */
};

enum http_scan_result { HTTP_SCAN_MORE, HTTP_SCAN_END, HTTP_SCAN_BAD };

/* Looks at up to n bytes and stops behind the last one of the head, line or trailers. *used is set in every
   case; HTTP_SCAN_BAD sets *status (400, 414, 431) and *e. */
enum http_scan_result http_scan(struct http_scan *s, const char *p, size_t n, size_t *used, int *status,
                                struct err *e);

#endif
