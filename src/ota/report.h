/* A device tells how its action goes. */
#ifndef PQOTA_OTA_REPORT_H
#define PQOTA_OTA_REPORT_H

#include "base/arena.h"
#include "base/json.h"
#include "model/action.h"

struct ota;
struct db;

struct report {
    enum action_state state; /* one that action_is_reported */
    int progress;            /* 0..100 or ACTION_PROGRESS_NONE */
    struct str message;      /* at most ACTION_MESSAGE_MAX bytes of text */
    struct str version;      /* what runs now; p NULL: not said */
};

/* What a device sends, over HTTP or MQTT: {"state", "progress"?, "message"?, "version"?}; members that this
   server does not know are passed over, since the agent may be newer. The texts are the document's. */
int ota_report_read(yyjson_val *body, struct report *out, struct err *e) MUST_CHECK;

/*
 * Writer only. ERR_NOT_FOUND for an action that is not there or not this device's, in the same words. Closed
 * in the same state already: fine (a reply was lost); in another: ERR_GONE. "succeeded" while something else
 * runs than what was to be installed: ERR_CONFLICT, and nothing changes. The history keeps ota->status_max
 * entries and what closes the action; past that only where the action stands is kept.
 */
int ota_report(struct ota *ota, struct db *db, struct arena *a, const char *device_id, int64_t action,
               const struct report *r, struct err *e) MUST_CHECK;

#endif
