/*
 * What the resources share: reading parameters and bodies, writing JSON. Those that return int give 0 or a
 * negative error with c->err filled, which the handler returns.
 */
#ifndef PQOTA_API_ENCODE_H
#define PQOTA_API_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "http/route.h"

#define API_LIMIT_DEFAULT 50
#define API_LIMIT_MAX 500
#define API_ID_MAX 0x7FFFFFFF

/* --- reading ----------------------------------------------------------------------------------------- */

/* ?limit= */
int api_query_limit(struct call *c, size_t *out) MUST_CHECK;
/* A query parameter, NUL-terminated in the arena; absent or empty gives NULL. valid: str_is_name, ... */
int api_query_text(struct call *c, const char *name, bool (*valid)(struct str), const char **out) MUST_CHECK;
/* A query parameter that is an id; absent gives 0. */
int api_query_id(struct call *c, const char *name, int64_t *out) MUST_CHECK;
/* A query parameter that is true or false: 1, 0, or -1 when absent. */
int api_query_bool(struct call *c, const char *name, int *out) MUST_CHECK;
/* A segment of the path that is an id. One that is none is ERR_NOT_FOUND: there is no such thing. */
int api_param_id(struct call *c, size_t index, int64_t *out) MUST_CHECK;
/* A segment of the path, NUL-terminated in the arena. One that cannot be a name is ERR_NOT_FOUND. */
int api_param_text(struct call *c, size_t index, bool (*valid)(struct str), const char **out) MUST_CHECK;
/* The body as a JSON object (auto_json); an empty body is an empty object. */
int api_body(struct call *c, yyjson_doc **doc) MUST_CHECK;
/* A member of at most max bytes, NUL-terminated in the arena; absent gives NULL. */
int api_get_text(struct call *c, yyjson_val *obj, const char *key, size_t max, const char **out) MUST_CHECK;
/* The same, and it must be there and not be empty. */
int api_need_text(struct call *c, yyjson_val *obj, const char *key, size_t max, const char **out) MUST_CHECK;
/* The same for PEM, with any line ends. */
int api_need_pem(struct call *c, yyjson_val *obj, const char *key, size_t max, const char **out) MUST_CHECK;

/* --- writing ----------------------------------------------------------------------------------------- */

/* Unix milliseconds as RFC 3339; 0 as null. */
void api_put_time(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, int64_t ms);
/* 0, where that means none, as null. */
void api_put_some(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, int64_t n);
/* NULL as null. The text must live until the document is written. */
void api_put_text(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, const char *text);

/* {"items": [...], "next": ...} */
struct api_list {
    yyjson_mut_doc *doc;
    yyjson_mut_val *items;
};
/* Ask the question for limit + 1 rows and cut with api_list_cut: whether there is a next page is then
   known. */
int api_list_begin(struct call *c, struct api_list *l) MUST_CHECK;
yyjson_mut_val *api_list_add(struct api_list *l); /* a new object in it */
/* Writes the response and frees the document. next: the cursor, or NULL on the last page. */
void api_list_end(struct call *c, struct api_list *l, const char *next);
/* Whether more than limit rows came; then *count is cut to it. */
static inline bool api_list_cut(size_t *count, size_t limit)
{
    bool more = *count > limit;
    if (more)
        *count = limit;
    return more;
}

/* A new document with an object as its root, for auto_json_mut; NULL fills c->err. */
yyjson_mut_doc *api_doc(struct call *c);
int api_no_memory(struct call *c);

#endif
