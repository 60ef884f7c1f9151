/*
 * What the tunnel carries: hawkBit's device protocol of this one device, and nothing else. A request that is
 * not in the table goes nowhere.
 */
#ifndef PQOTA_AGENT_TUNNEL_REQUEST_H
#define PQOTA_AGENT_TUNNEL_REQUEST_H

#include "base/arena.h"
#include "http/message.h"

enum tunnel_what {
    TUNNEL_SMALL,      /* a JSON answer, or none */
    TUNNEL_TEXT,       /* .MD5SUM */
    TUNNEL_DEPLOYMENT, /* an answer that names files */
    TUNNEL_FEEDBACK,   /* what became of the action */
    TUNNEL_FILE,
};

struct tunnel_ask {
    enum tunnel_what what;
    struct str target; /* path and query as the client sent them, without a scheme and host before them */
    struct str tenant;
    struct str action;           /* DEPLOYMENT, FEEDBACK: its number as the path has it */
    struct str module, filename; /* FILE, decoded */
    const char *base_url;        /* "http://127.0.0.1:8480", as the client came */
};

/* The views are in the request and the arena. A failure sets *status (400, 403, 404, 405, 421) and *allow
   (405; else NULL). `listen` is the address that a Host may name beside the usual names of loopback; local:
   it came over the socket, where every Host is as good as another. */
int tunnel_read_ask(const struct http_request *req, const char *device, const char *listen, bool local,
                    struct arena *a, struct tunnel_ask *out, int *status, const char **allow,
                    struct err *e) MUST_CHECK;

/* hawkBit's error body: exceptionClass, errorCode, message. */
void tunnel_error(struct http_response *r, struct arena *a, int status, const char *message);

#endif
