/*
 * What a request's head must hold beyond its syntax (RFC 9112 sections 3 and 6, RFC 9110 sections 7.2 and
 * 10.1.1): the request line, Host, the body's framing, Connection, Expect.
 */
#ifndef PQOTA_HTTP_REQUEST_H
#define PQOTA_HTTP_REQUEST_H

#include "http/message.h"

/* Cuts "METHOD target HTTP/1.x" up and fills method, method_text, target, path, query and *minor (0 or 1).
   The views are into `line`. Failure sets *status (400, 501, 505) and *e; req may be half filled. */
int http_request_line(struct http_request *req, struct str line, int *minor, int *status,
                      struct err *e) MUST_CHECK;

/* Checks the header fields and fills content_length, has_length, chunked, expect_continue, keep_alive.
   Failure sets *status (400, 417, 501) and *e. */
int http_request_fields(struct http_request *req, int minor, int *status, struct err *e) MUST_CHECK;

#endif
