/*
 * What the resources of hawkBit's management interface share. Those that return int give 0 or a negative
 * error with c->err filled, which the handler returns.
 */
#ifndef PQOTA_DDI_MANAGEMENT_H
#define PQOTA_DDI_MANAGEMENT_H

#include "base/json.h"
#include "ddi/errors.h"
#include "http/route.h"
#include "ota/modules.h"

#define MANAGEMENT_BODY_MAX (1u << 20)
#define MANAGEMENT_ITEMS_MAX 1000 /* things one request makes or names */
#define MANAGEMENT_ID_MAX 0x7FFFFFFF

#define MANAGEMENT_TABLE(the_rows)                                                                           \
    {.rows = the_rows,                                                                                       \
     .count = sizeof the_rows / sizeof(the_rows)[0],                                                         \
     .face = FACE_MANAGEMENT,                                                                                \
     .refuse = ddi_error_body}

/* --- reading ----------------------------------------------------------------------------------------- */

/* A segment of the path that is a number. What is none is ERR_NOT_FOUND. */
int management_id(struct call *c, size_t index, int64_t *out) MUST_CHECK;
/* The same for a device's id, NUL-terminated. */
int management_device(struct call *c, size_t index, const char **out) MUST_CHECK;
/* The body (auto_json), an object; or an array of 1 to MANAGEMENT_ITEMS_MAX objects, as which one object by
   itself counts too: management_item. */
int management_object(struct call *c, yyjson_doc **doc) MUST_CHECK;
int management_array(struct call *c, yyjson_doc **doc, size_t *count) MUST_CHECK;
yyjson_val *management_item(yyjson_doc *doc, size_t index);
/* What a body of several asks for, one after another: all of them or, on an error, none. `one` adds what it
   made to the array that doc is; that is the answer (201). */
typedef int management_create_fn(struct call *c, yyjson_val *item, yyjson_mut_doc *doc);
int management_create(struct call *c, management_create_fn *one) MUST_CHECK;
/* Members; null is as good as absent: .p NULL, `missing`. */
int management_text(struct call *c, yyjson_val *obj, const char *key, size_t max, struct str *out) MUST_CHECK;
int management_need(struct call *c, yyjson_val *obj, const char *key, size_t max, struct str *out) MUST_CHECK;
int management_bool(struct call *c, yyjson_val *obj, const char *key, bool missing, bool *out) MUST_CHECK;
int management_number(struct call *c, yyjson_val *obj, const char *key, int64_t min, int64_t max,
                      int64_t missing, int64_t *out) MUST_CHECK;

/* ?offset=, limit=, sort=, q=. fields: what can be sorted by, and our words for it; ends with a NULL. */
struct management_field {
    const char *name, *column;
};
int management_page(struct call *c, const struct management_field *fields, struct listing *out) MUST_CHECK;
/* The same, and q= is not about devices: it can name id, name, version and what else `d` has. */
int management_plain_page(struct call *c, const struct management_field *fields,
                          struct listing *out) MUST_CHECK;

/* --- writing ----------------------------------------------------------------------------------------- */

/* For auto_json_mut, with an object or an array as its root; NULL fills c->err. */
yyjson_mut_doc *management_doc(struct call *c, bool array);
int management_no_memory(struct call *c);
/* NULL is left out. */
void management_put(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, const char *text);
/* createdBy, createdAt, lastModifiedBy, lastModifiedAt; Unix milliseconds. */
void management_put_base(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *by, int64_t created,
                         int64_t modified);
/* Adds to the object's _links; what fmt gives is what stands behind /rest/v1/. */
void management_put_link(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *rel,
                         const char *fmt, ...) PRINTF_LIKE(5, 6);

/* {"content": [...], "total", "size"} */
struct management_list {
    yyjson_mut_doc *doc;
    yyjson_mut_val *content;
};
int management_list_begin(struct call *c, struct management_list *l) MUST_CHECK;
/* Writes the response and frees the document. */
void management_list_end(struct call *c, struct management_list *l, int64_t total);

/* The error with that status instead of its code's. */
static inline int management_refuse(struct call *c, int status, int rc)
{
    c->status = status;
    return rc;
}

#endif
