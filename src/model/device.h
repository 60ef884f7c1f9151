/* Devices and what hangs on them. Times are Unix milliseconds, 0 for never. Texts belong to an arena. */
#ifndef PQOTA_MODEL_DEVICE_H
#define PQOTA_MODEL_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define DEVICE_ID_MAX 65 /* with the NUL */
#define DEVICE_TAGS_MAX 32
#define DEVICE_NO_OFFSET 9999

/* The last thing a device was asked to do. */
struct device_action {
    int64_t id; /* 0: never any */
    const char *state;
    int64_t release;
    const char *release_name, *release_version;
};

struct filter_attribute; /* model/filter.h */

/* Whether a device is to tell its attributes: once, or until it says that another version runs. */
enum attributes_wanted { ATTRIBUTES_TOLD, ATTRIBUTES_WANTED, ATTRIBUTES_DOUBTED };

struct device {
    int64_t pk;
    const char *id, *model;
    const char *version; /* as it last reported, NULL when it never did */
    bool version_assumed; /* it never said so itself: it is what it said that it had installed */
    int64_t version_at, created_at, last_seen_at, revoked_at;
    const char *name;       /* for people; NULL: none but the id */
    bool ddi;               /* it speaks hawkBit's protocol */
    int64_t certified_at;   /* it has a certificate: no token counts; 0: it has none */
    const char *transport;  /* how it last came: "pq", "classical", "plain", "proxy"; NULL: never */
    enum attributes_wanted attributes_wanted;
    int utc_offset;         /* minutes east of UTC, DEVICE_NO_OFFSET when unknown */
    /* Why it got what it got when it last asked: enum reason and the deployment that is meant. */
    int reason;
    int64_t reason_deployment, reason_at;
    /* Filled by what lists and shows devices; else empty. */
    const char *const *tags;
    size_t tag_count;
    struct device_action action;
    const struct filter_attribute *attributes; /* by what shows one */
    size_t attribute_count;
};

/* One entry of what a device lived through. */
struct device_history {
    int64_t at;
    const char *kind; /* 'device.enrolled', ..., or 'status' */
    const char *text;
    int64_t action;              /* 0: not about one */
    const char *state;           /* of the action */
    int64_t progress;            /* percent, -1 when none was told */
    const char *cursor;          /* goes on after this entry */
    int64_t deployment, release; /* the action's; 0: not about one */
    const char *release_name, *release_version;
};

/* An id for a device of that model that has no name of its own: "<model>-<8 hex>", with what a model's name
   may hold and an id may not replaced, and cut to length. */
void device_id_make(struct str model, uint32_t random, char out[DEVICE_ID_MAX]);

#endif
