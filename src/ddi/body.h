/* Bodies of hawkBit's interfaces: JSON, or the same as CBOR, as the client sends and wants them. */
#ifndef PQOTA_DDI_BODY_H
#define PQOTA_DDI_BODY_H

#include "base/json.h"
#include "http/route.h"

#define DDI_BODY_MAX (128 * 1024) /* bytes */

/* The request's body, an object; an empty body is an empty object. Free it with auto_json. Raw control
   characters in strings, and bytes that are no UTF-8, are let through: who takes a text from it checks it. */
int ddi_body_read(struct call *c, yyjson_doc **out) MUST_CHECK;

/* A new document with an object as its root, for auto_json_mut; NULL fills c->err. */
yyjson_mut_doc *ddi_doc(struct call *c);

/* Answers 200. To a GET with an entity tag, and 304 if the client has that already. */
int ddi_body_reply(struct call *c, yyjson_mut_doc *doc) MUST_CHECK;

#endif
