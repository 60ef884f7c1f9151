/* Firmware as JSON, for every resource that shows it. */
#ifndef PQOTA_API_FIRMWARE_JSON_H
#define PQOTA_API_FIRMWARE_JSON_H

#include "api/encode.h"
#include "model/release.h"

/* Fills an object with a release, whose details must be there. Its texts must live until the document is
   written. */
int firmware_put(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *obj,
                 const struct release *r) MUST_CHECK;
/* "artifacts": [{filename, size, sha256, url}] */
int firmware_put_artifacts(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *obj,
                           const struct release *r) MUST_CHECK;
/* "release": {id, name, version} */
yyjson_mut_val *firmware_put_name(yyjson_mut_doc *doc, yyjson_mut_val *obj, int64_t id, const char *name,
                                  const char *version);
/* Answers with a firmware object. */
int firmware_reply(struct call *c, int status, const struct release *r) MUST_CHECK;
/* The bytes of its one file, ranges and conditions included. FILE lane. */
int firmware_send_file(struct call *c, const struct release *r) MUST_CHECK;

#endif
