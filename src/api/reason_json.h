/* Why a device gets what it gets, in replies. */
#ifndef PQOTA_API_REASON_JSON_H
#define PQOTA_API_REASON_JSON_H

#include "api/encode.h"
#include "model/device.h"
#include "ota/reason.h"

void reason_put(yyjson_mut_doc *doc, yyjson_mut_val *obj, enum reason r, const char *text,
                int64_t deployment);
/* What its last poll was answered, or null. */
void reason_put_last(yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *key, const struct device *d);

#endif
