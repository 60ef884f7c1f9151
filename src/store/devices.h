/*
 * Questions about devices. Records and texts are put into the arena that is passed in. Unless said otherwise,
 * times are Unix milliseconds, and a device that is not there is ERR_NOT_FOUND.
 */
#ifndef PQOTA_STORE_DEVICES_H
#define PQOTA_STORE_DEVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "model/device.h"

struct db;
struct filter;
struct stmt;

/* Without tags and action. */
int store_device_by_id(struct db *db, struct arena *a, const char *id, struct device *out,
                       struct err *e) MUST_CHECK;
/* The same, and the statement stays open: until stmt_done, what is read is of one moment. */
int store_device_model_at(struct db *db, struct stmt *s, struct arena *a, const char *id, const char **model,
                          struct err *e) MUST_CHECK;
int store_device_model(struct db *db, struct arena *a, const char *id, const char **model,
                       struct err *e) MUST_CHECK;
int store_device_by_pk(struct db *db, struct arena *a, int64_t pk, struct device *out,
                       struct err *e) MUST_CHECK;
/* With tags and action. */
int store_device_show(struct db *db, struct arena *a, const char *id, struct device *out,
                      struct err *e) MUST_CHECK;

/* ERR_CONFLICT: the id is taken. */
int store_device_add(struct db *db, const char *id, const char *model, int64_t now_ms, int64_t *pk,
                     struct err *e) MUST_CHECK;
/* What runs on it, as it says. Writes nothing when it is what is known already. */
int store_device_set_version(struct db *db, int64_t pk, const char *version, int64_t now_ms,
                             struct err *e) MUST_CHECK;
/* Whether its version is only what it said that it had installed; store_device_set_version makes it its own.
   */
int store_device_set_version_assumed(struct db *db, int64_t pk, bool assumed, struct err *e) MUST_CHECK;
/* revoked_at 0 takes the revocation back. */
int store_device_set_revoked(struct db *db, int64_t pk, int64_t revoked_at, struct err *e) MUST_CHECK;
/* When it was last seen as of the last flush of ota/seen, 0: never. */
int store_device_seen(struct db *db, int64_t pk, int64_t *at_ms, struct err *e) MUST_CHECK;
/* A device that is gone, or was seen later, is no error. */
int store_device_set_seen(struct db *db, const char *id, int64_t at_ms, struct err *e) MUST_CHECK;
/* The same for why it got what it got when it last asked, and how it came. */
int store_device_set_reason(struct db *db, const char *id, int reason, int64_t deployment, int64_t at_ms,
                            struct err *e) MUST_CHECK;
int store_device_set_transport(struct db *db, const char *id, const char *transport,
                               struct err *e) MUST_CHECK;
/* One that begins to speak hawkBit's protocol is asked for its attributes. */
int store_device_set_interface(struct db *db, int64_t pk, bool ddi, struct err *e) MUST_CHECK;
/* What people call it; NULL takes it away. */
int store_device_describe(struct db *db, int64_t pk, const char *name, const char *description,
                          struct err *e) MUST_CHECK;
/* Minutes east of UTC, DEVICE_NO_OFFSET: unknown. */
int store_device_set_offset(struct db *db, int64_t pk, int minutes, struct err *e) MUST_CHECK;
int store_device_description(struct db *db, struct arena *a, int64_t pk, const char **out,
                             struct err *e) MUST_CHECK;
int store_device_set_attributes_wanted(struct db *db, int64_t pk, enum attributes_wanted wanted,
                                       struct err *e) MUST_CHECK;
/* It has a certificate since then, so that no token counts; 0: one may count again. */
int store_device_set_certified(struct db *db, int64_t pk, int64_t at_ms, struct err *e) MUST_CHECK;

/* Calls each for every revoked device; the text is valid during the call; each < 0 stops. */
int store_device_each_revoked(struct db *db, int (*each)(void *ctx, const char *id, struct err *e), void *ctx,
                              struct err *e) MUST_CHECK;

#define STORE_PAGE_MAX 501 /* a page of 500, and one row to know whether another follows */

struct device_filter {
    const char *model, *tag, *version, *prefix; /* NULL: any; prefix of the id */
    int revoked;                                /* -1 any, 0 no, 1 yes */
    const struct filter *filter;                /* NULL: any */
    int64_t now_ms;                             /* for the filter */
    const char *after;                          /* ids greater than this, NULL from the start */
    size_t limit;                               /* 1..STORE_PAGE_MAX */
};
/* For one page so many devices are looked at, where a filter is given, or something else beside a tag. */
#define DEVICE_SCAN_MAX 20000
/* In the order of their ids, with tags and action. *looked is NULL, or the id after which to go on where
   looking ended before the page was full. */
int store_device_list(struct db *db, struct arena *a, const struct device_filter *filter, struct device **out,
                      size_t *count, const char **looked, struct err *e) MUST_CHECK;

/* Tagging twice is fine, untagging what is not tagged too; *changed tells. */
int store_device_tag(struct db *db, const struct device *d, const char *tag, bool *changed,
                     struct err *e) MUST_CHECK;
int store_device_untag(struct db *db, const struct device *d, const char *tag, bool *changed,
                       struct err *e) MUST_CHECK;
int store_device_tag_count(struct db *db, int64_t pk, int64_t *count, struct err *e) MUST_CHECK;

/* Newest first; after: a cursor of an earlier page, or NULL. ERR_INVALID: no such cursor. */
int store_device_history(struct db *db, struct arena *a, const struct device *d, const char *after,
                         size_t limit, struct device_history **out, size_t *count, struct err *e) MUST_CHECK;

#endif
