/*
 * A request of the tunnel to the server: over the agent's link (post-quantum mutual TLS), with the few header
 * fields that DDI needs. What the local client said of itself (Authorization, Host, a proxy's fields) stays
 * behind.
 */
#ifndef PQOTA_AGENT_TUNNEL_UP_H
#define PQOTA_AGENT_TUNNEL_UP_H

#include "agent/link.h"
#include "base/arena.h"
#include "http/message.h"

#define UP_FIELD_SIZE 256   /* of a header field that is passed on, with the NUL; a longer one is not */
#define UP_CONDITIONS_MAX 6 /* fields of a request that are passed on as they are */
#define UP_RANGE_SIZE 2100  /* of a Range, with the NUL */
#define UP_LENGTH_UNKNOWN UINT64_MAX

struct up_request {
    enum http_method method;
    struct str target; /* path and query as the client sent them */
    const char *accept;
    struct str content_type; /* of the body */
    struct str body;
    const char *range;                    /* "bytes=0-99"; NULL: none */
    const char *if_range;                 /* NULL: none */
    const struct http_header *conditions; /* passed on as they are */
    size_t condition_count;
    bool file; /* no deadline for the whole: it may take as long as it moves */
};

struct up_answer {
    int status; /* 0: none came */
    uint64_t length;
    char type[UP_FIELD_SIZE], etag[UP_FIELD_SIZE], modified[UP_FIELD_SIZE], disposition[UP_FIELD_SIZE];
    char content_range[UP_FIELD_SIZE], retry_after[UP_FIELD_SIZE];
};

/* Both answer 0, or an error that ends the transfer and is what up_perform answers. head is called once,
   before any data and also when there are none. */
struct up_sink {
    void *ctx;
    int (*head)(void *ctx, const struct up_answer *answer);
    int (*data)(void *ctx, const char *p, size_t n);
};

/* 0: the whole answer came, whatever its status. ERR_IO, ERR_TIMEOUT: the server was not reached, or the
   answer broke off. ERR_GONE: link_settings.stop said so. */
int up_perform(struct link *l, const struct up_request *q, const struct up_sink *sink,
               struct up_answer *answer, struct err *e) MUST_CHECK;

/* "bytes 100-199/1000": false when it is something else. */
bool up_content_range(const char *text, uint64_t *first, uint64_t *last, uint64_t *total);

#endif
