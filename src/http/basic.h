/* The Basic authentication scheme (RFC 7617). */
#ifndef PQOTA_HTTP_BASIC_H
#define PQOTA_HTTP_BASIC_H

#include "base/arena.h"
#include "http/message.h"

#define BASIC_TEXT_MAX 2048 /* bytes of name, colon and password */

/* How a 401 asks for it. */
#define BASIC_CHALLENGE "Basic realm=\"pqota\", charset=\"UTF-8\""

/* What the request's Authorization field says, NUL-terminated in the arena. 1: these are name and password;
   0: it has none of this scheme. ERR_UNAUTHENTICATED: it is malformed, not UTF-8, or has control
   characters; ERR_INVALID: there are two such fields. Errors do not repeat what was sent. */
int basic_read(const struct http_request *req, struct arena *a, struct str *name, struct str *password,
               struct err *e) MUST_CHECK;

#endif
