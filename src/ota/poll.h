/* A device asks what it should do. */
#ifndef PQOTA_OTA_POLL_H
#define PQOTA_OTA_POLL_H

#include "base/arena.h"
#include "model/action.h"
#include "model/release.h"

struct ota;
struct db;

struct poll_answer {
    bool update; /* action and release are filled, with the release's details */
    struct action action;
    struct release release;
};

#define POLL_UPGRADE 1
/*
 * With a reader (writing false) it only looks, by index lookups of a bounded number, and gives POLL_UPGRADE
 * when something must be written: then it is called again with the writer. A poll that changes nothing
 * writes nothing. version: what runs on the device; p NULL leaves what it last said.
 */
int ota_poll(struct ota *ota, struct db *db, bool writing, struct arena *a, const char *device_id,
             struct str version, struct poll_answer *out, struct err *e) MUST_CHECK;

struct device;
/* The deployment whose update the device would be given if it asked now, 0 for none: by the same rules, and
   nothing is written. A revoked device is given none. */
int ota_poll_expect(struct db *db, struct arena *a, const struct device *d, int64_t *deployment,
                    struct err *e) MUST_CHECK;

#endif
