/*
 * JSON (RFC 8259) over yyjson, with the product's rules for what comes from outside: depth at most 32,
 * no duplicate keys, valid UTF-8, one value and nothing after it.
 */
#ifndef PQOTA_BASE_JSON_H
#define PQOTA_BASE_JSON_H

#include <yyjson.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define JSON_DEPTH_MAX 32

/* *doc is freed with yyjson_doc_free (or auto_json). */
int json_parse(struct str text, yyjson_doc **doc, struct err *e) MUST_CHECK;
/* The same, but strings may hold raw control characters and bytes that are no UTF-8, as devices send them. */
int json_parse_lenient(struct str text, yyjson_doc **doc, struct err *e) MUST_CHECK;
/* As json_parse, and the root is an object. */
int json_parse_object(struct str text, yyjson_doc **doc, struct err *e) MUST_CHECK;

/* A member as text: absent gives *out = {NULL, 0}; present and no string, or longer than max bytes, or with
   control characters, is ERR_INVALID naming the member. The view lives as long as the document. */
int json_get_str(yyjson_val *obj, const char *key, size_t max, struct str *out, struct err *e) MUST_CHECK;
/* The same for PEM (RFC 7468), which may have the line ends of Windows: carriage returns are let through. */
int json_get_pem(yyjson_val *obj, const char *key, size_t max, struct str *out, struct err *e) MUST_CHECK;
/* A member as an integer in [min, max]; absent gives `missing`. */
int json_get_i64(yyjson_val *obj, const char *key, int64_t min, int64_t max, int64_t missing, int64_t *out,
                 struct err *e) MUST_CHECK;

/* What a text is; .p NULL: it is none. The view lives as long as the document. */
static inline struct str json_text(yyjson_val *v)
{
    return yyjson_is_str(v) ? (struct str){.p = yyjson_get_str(v), .n = yyjson_get_len(v)}
                            : (struct str){.p = NULL, .n = 0};
}

/* Serialises into the arena; NULL when it is exhausted. */
struct str json_write(yyjson_mut_doc *doc, struct arena *a);

static inline void json_cleanup_doc(yyjson_doc **d)
{
    yyjson_doc_free(*d);
}
static inline void json_cleanup_mut(yyjson_mut_doc **d)
{
    yyjson_mut_doc_free(*d);
}
#define auto_json __attribute__((cleanup(json_cleanup_doc)))
#define auto_json_mut __attribute__((cleanup(json_cleanup_mut)))

#endif
