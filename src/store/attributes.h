/* What a device tells of itself, as keys with values; store_device_attributes reads them. Writer only. */
#ifndef PQOTA_STORE_ATTRIBUTES_H
#define PQOTA_STORE_ATTRIBUTES_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct db;

int store_attribute_set(struct db *db, int64_t device, struct str key, struct str value,
                        struct err *e) MUST_CHECK;
/* One that is not there is fine. */
int store_attribute_remove(struct db *db, int64_t device, struct str key, struct err *e) MUST_CHECK;
int store_attributes_clear(struct db *db, int64_t device, struct err *e) MUST_CHECK;

#endif
