/*
 * Telling the world over MQTT. In the transaction of a change, announce_... notes in the outbox that there is
 * something to tell; what is told is made by ota_say_... when it is sent, from the database as it is then.
 * All of it is a hint: a device that is told asks GET /api/update, by whose rules it was told.
 */
#ifndef PQOTA_OTA_ANNOUNCE_H
#define PQOTA_OTA_ANNOUNCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "model/deployment.h"

struct db;
struct ota;

/* --- noting: writer only, nothing while ota->announce is off ---------------------------------------- */

/* It was published or deleted. */
int announce_release(struct ota *ota, struct db *db, int64_t release, struct err *e) MUST_CHECK;
/* It was created or cancelled: its devices are told. */
int announce_deployment(struct ota *ota, struct db *db, const struct deployment *d, struct err *e) MUST_CHECK;
/* What the device should do may be another thing than before. */
int announce_device(struct ota *ota, struct db *db, int64_t device, struct err *e) MUST_CHECK;

/* At start: events are announced from now on, or from where it ended, or not at all any more. */
int ota_announce_begin(struct ota *ota, struct db *db, struct err *e) MUST_CHECK;

/* Writer only. The broker has lost what was retained: the newest release and the running deployments are told
   again; what was taken away is gone with the rest. Nothing when it never had anything. */
int ota_announce_again(struct ota *ota, struct db *db, struct err *e) MUST_CHECK;

/* --- saying: any reader ------------------------------------------------------------------------------ */

#define ANNOUNCE_RELEASE_TOPIC "ota/update/available"
#define ANNOUNCE_EVENT_TOPIC "ota/fleet/events"
#define ANNOUNCE_DEVICE_TOPIC "ota/devices/%s/update"
#define ANNOUNCE_REPORT_TOPICS "ota/devices/+/status"

#define ANNOUNCE_JITTER_MAX 3600 /* seconds */
#define ANNOUNCE_LOOK_MAX 256    /* devices of a deployment that one call looks at, at most */
#define ANNOUNCE_KNOWN 16

/* How it is said; one thread's. */
struct announcer {
    const struct clock *clock;
    const char *base_url; /* what links begin with; "": they are paths */
    int64_t wakes_per_second;
    /* Deployments and their jitter, so that it is counted once and stays the same for all devices. */
    struct {
        int64_t deployment, seconds;
    } known[ANNOUNCE_KNOWN];
    size_t next_known;
};

struct announcement { /* texts in the arena */
    const char *topic;
    struct str payload; /* JSON; empty takes the retained one away */
    bool retain;
    int64_t position; /* of a list: the device's or the event's pk */
};

/* These give 1 when there is something to say, 0 when not, or an error. */
int ota_say_release(const struct announcer *by, struct db *db, struct arena *a, int64_t release,
                    struct announcement *out, struct err *e) MUST_CHECK;
/* What GET /api/update would bring it, or that there is nothing. */
int ota_say_device(struct announcer *by, struct db *db, struct arena *a, int64_t device,
                   struct announcement *out, struct err *e) MUST_CHECK;

/* To those of the next `look` devices after the position whom the deployment concerns: *out has
   *count of them; *last: where that ended; *end: nobody is left. */
int ota_say_deployment(struct announcer *by, struct db *db, struct arena *a, int64_t deployment,
                       int64_t position, size_t look, struct announcement **out, size_t *count, int64_t *last,
                       bool *end, struct err *e) MUST_CHECK;
/* The first events after that one, in their order. */
int ota_say_events(struct db *db, struct arena *a, int64_t after, size_t limit, struct announcement **out,
                   size_t *count, struct err *e) MUST_CHECK;

#endif
