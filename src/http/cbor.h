/*
 * CBOR (RFC 8949) as another way to write a JSON text: maps with text keys, arrays, text, integers, finite
 * floats, booleans and null. Everything else (tags, byte strings, undefined, other simple values) is refused.
 */
#ifndef PQOTA_HTTP_CBOR_H
#define PQOTA_HTTP_CBOR_H

#include "base/json.h"

#define CBOR_IN_MAX (64 * 1024)    /* bytes of an item that is read */
#define CBOR_OUT_MAX (1024 * 1024) /* bytes of one that is written */

/* One item and nothing after it. *json lives in the arena, and is what json_parse takes: depth at most
   JSON_DEPTH_MAX, no key twice in a map, valid UTF-8. Declared lengths are believed only as far as there are
   bytes. ERR_INVALID names the byte; ERR_TOO_LARGE: past CBOR_IN_MAX; ERR_NOMEM: the arena is exhausted. */
int cbor_to_json(struct str bytes, struct arena *a, struct str *json, struct err *e) MUST_CHECK;

/* Definite lengths, integers in their shortest form, a float as single precision where that is exact
   (section 4.1). *out lives in the arena. ERR_TOO_LARGE: past CBOR_OUT_MAX, or deeper than JSON_DEPTH_MAX. */
int cbor_from_json(const yyjson_mut_doc *doc, struct arena *a, struct str *out, struct err *e) MUST_CHECK;

#endif
