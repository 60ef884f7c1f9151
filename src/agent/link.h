/*
 * Requests to the one server, through libcurl: TLS 1.3 with the policy of src/tls, our roots only, the
 * device's certificate, proxies as configured or as the environment says; redirects are not followed.
 */
#ifndef PQOTA_AGENT_LINK_H
#define PQOTA_AGENT_LINK_H

#include <curl/curl.h>
#include <stdbool.h>

#include "agent/clock_floor.h"
#include "base/buf.h"
#include "base/err.h"
#include "pqota_client.h"

#define LINK_CONNECT_S 30
#define LINK_STALL_S 60 /* slower than LINK_STALL_BYTES a second for so long ends a request */
#define LINK_STALL_BYTES 100
#define LINK_SMALL_S 120      /* a request that is no download, in all, unless the settings say otherwise */
#define LINK_REPLY_MAX 262144 /* bytes of an answer that link_call collects */

struct link_settings { /* the texts must outlive the link */
    const char *server, *proxy, *policy;
    const char *ca_file;
    const char *cert_file, *key_file; /* NULL before enrolment */
    struct clock_floor *floor;
    int64_t small_s; /* instead of LINK_SMALL_S; 0: that */
    /* Asked during a transfer: true ends it. */
    bool (*stop)(void *ctx);
    void *stop_ctx;
};

struct link {
    struct link_settings set;
    CURL *curl;
    struct err tls; /* why the TLS settings did not apply */
    char trouble[CURL_ERROR_SIZE];
};

int link_init(struct link *l, const struct link_settings *set, struct err *e) MUST_CHECK;
void link_fini(struct link *l);
/* Forgets every connection, so that the next one shows the certificates that are on the disk now. */
int link_renew(struct link *l, struct err *e) MUST_CHECK;

/* The client library's; ctx is the link. */
int link_request(void *ctx, const struct pqota_request *request, struct pqota_response *response,
                 pqota_sink sink, void *sink_ctx);
/* One request whose answer is collected in *reply (an initialised buf). 0 when an answer came: look at
   *status. */
int link_call(struct link *l, const char *method, const char *path, const struct buf *body, int *status,
              struct buf *reply, struct err *e) MUST_CHECK;
/* What a refusal says (RFC 9457), for a person: "401 Unauthorized: the token ...". */
void link_problem(int status, const struct buf *reply, char *out, size_t size);

#endif
