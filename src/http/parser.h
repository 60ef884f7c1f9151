/*
 * Bytes into a request, incrementally, over llhttp in strict mode (RFC 9112). Pull style: feed what arrived,
 * get told what happened, feed the rest.
 */
#ifndef PQOTA_HTTP_PARSER_H
#define PQOTA_HTTP_PARSER_H

#include "base/arena.h"
#include "http/message.h"

struct http_limits {
    size_t head_max;   /* request line and headers, bytes (431, or 414 when the line alone is longer) */
    size_t target_max; /* request target, bytes (414) */
};

enum http_event {
    HTTP_MORE,      /* all fed bytes are used, none of the below happened */
    HTTP_HEAD_DONE, /* request is filled but for its body */
    HTTP_BODY,      /* *piece is a part of the body (a view into what was fed), never empty */
    HTTP_END,       /* the message is complete; bytes not used belong to the next one */
    HTTP_BAD, /* *status is what to answer (400, 414, 417, 431, 501, 503, 505), *e the sentence; then close */
};

struct http_parser; /* one a request under way; holds no memory between requests but itself */

struct http_parser *http_parser_new(const struct http_limits *limits); /* NULL: no memory */
void http_parser_free(struct http_parser *p);
/* Of the requests that begin from now on. */
void http_parser_set_limits(struct http_parser *p, const struct http_limits *limits);
/* Begins a request: *req is emptied; its texts go to the arena, its head in one piece. */
void http_parser_begin(struct http_parser *p, struct http_request *req, struct arena *a);
/* Lets go of the request, also one that is half-way. */
void http_parser_end(struct http_parser *p);
/* After HTTP_HEAD_DONE and HTTP_BODY call again with the bytes not used, also when none are left (n == 0): a
   message without a body, or at its last byte, answers HTTP_END. HTTP_MORE waits for the peer. HTTP_END and
   HTTP_BAD are answered again until http_parser_begin. However the bytes are cut, the events are the same
   but for the sizes of the pieces. */
enum http_event http_parse(struct http_parser *p, const char *data, size_t n, size_t *used, struct str *piece,
                           int *status, struct err *e);
/* True once the first byte of a request was seen and it has not ended. */
bool http_parser_in_request(const struct http_parser *p);

#endif
