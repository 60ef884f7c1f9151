/* Devices as operators see and handle them. */
#ifndef PQOTA_OTA_DEVICE_H
#define PQOTA_OTA_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/identity.h"
#include "model/certificate.h"
#include "model/device.h"
#include "ota/attributes.h"

struct db;
struct ota;

struct device_query {
    const char *model, *tag, *version, *prefix; /* NULL: any; prefix of the id */
    int revoked;                                /* -1 any, 0 no, 1 yes */
    struct str filter;                          /* model/filter.h; p NULL: any */
    const char *after;                          /* ids greater than this, or NULL */
    size_t limit;
};
/* ERR_INVALID: the filter is none. In the order of their ids. "Last seen" includes what memory knows and the
   database not yet. *looked is NULL, or the id after which to go on where looking ended before the page
   was full. */
int ota_device_list(struct ota *ota, struct db *db, struct arena *a, const struct device_query *query,
                    struct device **out, size_t *count, const char **looked, struct err *e) MUST_CHECK;
int ota_device_show(struct ota *ota, struct db *db, struct arena *a, const char *id, struct device *out,
                    struct certificate **certificates, size_t *certificate_count, struct err *e) MUST_CHECK;
/* Newest first; after: the cursor of an entry, or NULL. */
int ota_device_history(struct db *db, struct arena *a, const char *id, const char *after, size_t limit,
                       struct device_history **out, size_t *count, struct err *e) MUST_CHECK;

/* ERR_CONFLICT past DEVICE_TAGS_MAX. Tagging twice is fine. */
int ota_device_tag(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                   const char *id, const char *tag, struct err *e) MUST_CHECK;
int ota_device_untag(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                     const char *id, const char *tag, struct err *e) MUST_CHECK;

#define DEVICE_NAME_MAX 128 /* bytes */
struct device_words {
    bool set_name, set_offset; /* what is to be changed */
    struct str name;           /* n 0: none */
    int utc_offset;            /* minutes east of UTC, or DEVICE_NO_OFFSET */
};
int ota_device_describe(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                        const char *id, const struct device_words *words, struct err *e) MUST_CHECK;
/* As ota_attributes_set, by a person: what tells the version is the device's alone (ERR_DENIED). */
int ota_device_set_attributes(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                              const char *id, enum attributes_mode mode, const struct attribute *list,
                              size_t count, struct err *e) MUST_CHECK;

#define REVOKE_REASON_MAX 256
/* The device and all its certificates: its next request is refused. Revoking twice is fine. reason may be
   NULL. */
int ota_device_revoke(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                      const char *id, const char *reason, struct err *e) MUST_CHECK;

#endif
