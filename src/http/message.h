/*
 * One HTTP request and its response as plain records (RFC 9110, RFC 9112). No I/O here.
 */
#ifndef PQOTA_HTTP_MESSAGE_H
#define PQOTA_HTTP_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <yyjson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hex.h"
#include "base/str.h"

#define HTTP_HEADERS_MAX 64
#define HTTP_PARTS_MAX 130 /* 64 ranges with a part header each, and the two ends */
#define HTTP_RANGES_MAX 64

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_OTHER };

struct http_header {
    struct str name; /* as received; compare with str_eq_nocase */
    struct str value;
};

struct http_request {
    enum http_method method;
    struct str method_text;
    struct str target; /* as received */
    struct str path;   /* still percent-encoded, without the query */
    struct str query;  /* still encoded, without the "?"; p is NULL when there is none */
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
    uint64_t content_length;
    int minor; /* of the version: HTTP/1.0 or HTTP/1.1 */
    bool has_length, chunked, expect_continue, keep_alive;
    struct str body; /* a body kept in memory, whole */
};

/* A body that went to the blob store's temporary folder as it arrived. */
struct http_spool {
    const char *path; /* the temporary file; fsynced when the handler sees it */
    uint64_t size;
    char sha256[SHA256_HEX_SIZE];
    const char *sha1, *md5; /* hex too; NULL: not computed */
};

/* A piece of a response's body: bytes that stay until the exchange ends, or a range of `file`. */
struct http_part {
    enum { HTTP_PART_BYTES, HTTP_PART_FILE } kind;
    struct str bytes;
    uint64_t offset, length;
};

struct http_response {
    int status;
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
    struct http_part parts[HTTP_PARTS_MAX];
    size_t part_count;
    int file;                                 /* descriptor the response has, or -1; read at offsets alone */
    void (*file_done)(void *owner, int file); /* takes it back; NULL: it is closed */
    void *file_owner;
    bool close;  /* the connection ends after it */
    bool stream; /* its length is not known: it ends with the connection */
};

/* Empties it; its rows of headers are left as they are, past header_count. */
void http_request_init(struct http_request *r);
/* First header of that name, or {NULL, 0}. */
struct str http_header_get(const struct http_request *r, const char *name);
/* Decoded value of a query parameter (form encoding), in the arena. Absent: {NULL, 0}. ERR_INVALID on a bad
   escape or a control character; ERR_INVALID when it is named twice. */
int http_query_get(const struct http_request *r, const char *name, struct arena *a, struct str *out,
                   struct err *e) MUST_CHECK;

void http_response_init(struct http_response *r);
void http_response_fini(struct http_response *r); /* gives the file back */
/* Sets a header, in place of one of that name. name and value must outlive the response (literals or arena).
   Past HTTP_HEADERS_MAX it is dropped and asserted. */
void http_set(struct http_response *r, const char *name, const char *value);
void http_unset(struct http_response *r, const char *name);
/* Replaces the body by these bytes, which stay until the exchange ends, with that content type. */
void http_reply(struct http_response *r, int status, const char *content_type, struct str body);
/* Serialises doc. An exhausted arena gives 500. */
void http_reply_json(struct http_response *r, struct arena *a, int status, yyjson_mut_doc *doc);
void http_reply_empty(struct http_response *r, int status); /* 204, 304 */
/* RFC 9457: type about:blank#<word>, title, status, detail (the sentence of *e). The status comes from the
   code: INVALID 400, UNAUTHENTICATED 401, DENIED 403, NOT_FOUND 404, CONFLICT 409, GONE 410, TOO_LARGE 413,
   UNSUPPORTED 415, MISMATCH 422, BUSY 503 with Retry-After, FULL 507, TIMEOUT 503, all else 500. From 500 on
   the sentence is logged and the peer gets a general one. Headers that describe the thing asked for (ETag,
   Content-Disposition, ...) are dropped; others that were set stay. */
void http_reply_problem(struct http_response *r, struct arena *a, const struct err *e);
void http_reply_problem_status(struct http_response *r, struct arena *a, int status, const char *detail);
/* The same in another form: `write` fills status, body and content type. e->text is what the peer may be
   told. */
typedef void http_error_body(struct http_response *r, struct arena *a, int status, const struct err *e);
/* As http_reply_problem, in that form (NULL: problem+json). status 0: the code's. */
void http_reply_error(struct http_response *r, struct arena *a, int status, const struct err *e,
                      http_error_body *write);
/* 500 that needs no memory. */
void http_reply_no_memory(struct http_response *r);

struct http_file {
    int fd; /* taken over by the response; in the end done(owner, fd) takes it back, or NULL: it is closed */
    void (*done)(void *owner, int fd);
    void *owner;
    uint64_t size;
    const char *etag;         /* strong, with its quotes */
    int64_t modified_ms;      /* Unix milliseconds */
    const char *content_type; /* "application/octet-stream" */
    const char *filename;     /* for Content-Disposition, or NULL; already a safe name */
};
/* Answers GET or HEAD for a file: If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, If-Range
   and Range as RFC 9110 sections 13 and 14 say; one range, several as multipart/byteranges (merged when they
   overlap or touch, at most HTTP_RANGES_MAX, else the Range is ignored), 416. */
void http_reply_file(const struct http_request *req, struct http_response *r, struct arena *a,
                     const struct http_file *file);

const char *http_status_text(int status);
/* Appends the response's head to out: status line, Date, the headers set, Content-Length of the parts (none
   for 1xx, 204, 304 and a stream), Connection. The parts are then to be sent, but not for HEAD (its head
   tells what GET would get) nor for 204 and 304. req may be NULL when there was none to understand: then it
   is close. Date, Connection, Content-Length, Transfer-Encoding that were set by hand, and values with
   control characters, are left out. On failure (ERR_TOO_LARGE, ERR_NOMEM) out is as before. */
int http_write_head(const struct http_request *req, const struct http_response *r, int64_t now_ms,
                    struct buf *out) MUST_CHECK;
uint64_t http_body_length(const struct http_response *r);

#endif
