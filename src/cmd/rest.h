/*
 * Asks the server's REST interface: HTTPS with post-quantum TLS over libcurl. One request at a time, no
 * retries, every answer bounded. What goes wrong becomes one sentence that says what to do.
 */
#ifndef PQOTA_CMD_REST_H
#define PQOTA_CMD_REST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/json.h"
#include "cmd/profile.h"
#include "cmd/progress.h"

#define REST_ANSWER_MAX (16u << 20) /* bytes of a JSON answer */
#define REST_PATH_MAX 65536         /* bytes of path and query */
#define REST_CONNECT_MS 10000L      /* to be connected, TLS included */
#define REST_CALL_S 60L             /* for a whole call without a file */
#define REST_STALL_S 300L           /* a transfer that moves nothing for so long is given up */

struct rest;

/* The profile must outlive it. */
int rest_new(const struct profile *profile, struct rest **out, struct err *e) MUST_CHECK;
void rest_free(struct rest *r);
/* True when the last request got no answer at all, so that nobody can know what the server did with it. */
bool rest_unanswered(const struct rest *r);

/* The HTTP status of the last answer; 0 when there was none. */
long rest_status(const struct rest *r);

/* path: with its query. body: JSON, or NULL. *doc: the answer's JSON, NULL when it has none (204).
   A refusal has the err code that fits its status (401 ERR_UNAUTHENTICATED, 404 ERR_NOT_FOUND, ...). */
int rest_call(struct rest *r, const char *method, const char *path, const char *body, yyjson_doc **doc,
              struct err *e) MUST_CHECK;

/* GETs a file as it is: at most `size` bytes, more is ERR_TOO_LARGE and ends the transfer. */
int rest_get(struct rest *r, const char *path, void *buf, size_t size, size_t *n, struct err *e) MUST_CHECK;

struct rest_file {
    int fd;                    /* borrowed; read or written by offset */
    const char *name;          /* for messages */
    int64_t size;              /* bytes of the whole file */
    struct progress *progress; /* started by the caller */
};

/* PUTs the file from its beginning. */
int rest_upload(struct rest *r, const char *path, const struct rest_file *file, yyjson_doc **doc,
                struct err *e) MUST_CHECK;
/* GETs what is missing behind `have` bytes, if the server's file still is the one with that SHA-256 (RFC 9110
   section 13.1.5), or else all of it. The descriptor then holds file->size bytes. */
int rest_download(struct rest *r, const char *path, const char *sha256, int64_t have,
                  const struct rest_file *file, struct err *e) MUST_CHECK;

/* --- paths: text from people goes in percent-encoded (RFC 3986 section 2.1) ---------------------- */

/* Adds "/text". */
int rest_add_segment(struct buf *path, const char *text) MUST_CHECK;
/* Adds "?key=value" or "&key=value"; nothing when value is NULL. */
int rest_add_query(struct buf *path, const char *key, const char *value) MUST_CHECK;

/* --- in words ------------------------------------------------------------------------------- */

/* The error of an answer with such a status and body (problem+json, RFC 9457, or anything else). */
int rest_explain_status(long status, struct str body, struct err *e) MUST_CHECK;
/* The error of a request that curl could not finish. detail: curl's own words; tls: our TLS's, or NULL. */
int rest_explain_curl(int curl_code, const char *detail, const char *tls, const struct profile *profile,
                      struct err *e) MUST_CHECK;

#endif
