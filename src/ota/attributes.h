/* A device tells of itself: attributes, and among them what it runs. */
#ifndef PQOTA_OTA_ATTRIBUTES_H
#define PQOTA_OTA_ATTRIBUTES_H

#include <stddef.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/str.h"

struct db;
struct device;
struct ota;

#define ATTRIBUTES_MAX 100     /* of one device */
#define ATTRIBUTE_TEXT_MAX 128 /* characters of a key, or of a value */

enum attributes_mode { ATTRIBUTES_MERGE, ATTRIBUTES_REPLACE, ATTRIBUTES_REMOVE };

struct attribute {
    struct str key, value; /* value.p NULL: none; with ATTRIBUTES_MERGE it is taken away */
};

/* The members of an object, as a device sends them: numbers and booleans become their text. *out and its
   texts live in the arena. ERR_INVALID names the member; ERR_TOO_LARGE: more than ATTRIBUTES_MAX of them. */
int ota_attributes_read(yyjson_val *data, struct arena *a, struct attribute **out, size_t *count,
                        struct err *e) MUST_CHECK;

/* The attribute by which devices tell their version. */
const char *ota_attribute_of_version(struct ota *ota, struct arena *a) MUST_CHECK; /* NULL: no memory */

/*
 * Writer only. MERGE adds and changes, REPLACE leaves these alone, REMOVE takes those keys away.
 * ERR_INVALID: a key or value that cannot be one. ERR_TOO_LARGE: it would have more than ATTRIBUTES_MAX;
 * nothing is changed then.
 */
int ota_attributes_set(struct ota *ota, struct db *db, struct arena *a, const struct device *d,
                       enum attributes_mode mode, const struct attribute *list, size_t count,
                       struct err *e) MUST_CHECK;
/* The same, by the device itself: it is not asked again, and the attribute that tells the version is what it
   says that it runs. ERR_NOT_FOUND: no such device. */
int ota_attributes_told(struct ota *ota, struct db *db, struct arena *a, const char *device_id,
                        enum attributes_mode mode, const struct attribute *list, size_t count,
                        struct err *e) MUST_CHECK;

#endif
