/* Percent-encoding (RFC 3986 section 2.1) and its form variant, where "+" is a space. */
#ifndef PQOTA_HTTP_QUERY_H
#define PQOTA_HTTP_QUERY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* Decodes s into the arena, NUL-terminated. ERR_INVALID: a "%" without two hexadecimal digits, or text that
   is then not UTF-8 or has control characters. ERR_NOMEM: the arena is exhausted. */
int http_unescape(struct str s, bool form, struct arena *a, struct str *out) MUST_CHECK;

#endif
