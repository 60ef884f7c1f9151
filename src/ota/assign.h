/* Assigning a release to devices by hand, as hawkBit does: each gets an action at once, and is asked to give
   up what it is at. And taking such an action back. Writer only. */
#ifndef PQOTA_OTA_ASSIGN_H
#define PQOTA_OTA_ASSIGN_H

#include "base/arena.h"
#include "model/deployment.h"

struct db;
struct ota;

#define ASSIGN_DEVICES_MAX 1000 /* in one go */
#define ASSIGN_TERMS_MAX 16     /* different terms among them: each makes a deployment of its own */

struct assignment {
    const char *device;              /* its id */
    struct deployment_policy policy; /* ota_assign_policy, changed */
};
struct assigned {
    int64_t *actions;     /* as they were made, *count of them */
    const char **devices; /* whose they are */
    size_t count;
    size_t already;  /* devices that have the release, or are at it */
    size_t approval; /* devices whose actions begin once a second person has approved */
};

struct deployment_policy ota_assign_policy(void);

/* ERR_NOT_FOUND: no such release or device. ERR_INVALID: terms that cannot be, a set that is not complete.
   ERR_CONFLICT: the release is a draft, or does not fit a device, or the device is revoked. */
int ota_assign(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t release,
               const struct assignment *list, size_t count, struct assigned *out, struct err *e) MUST_CHECK;

/* The device is asked to give the action up; one that does not confirm has it closed, unless it installs.
   force: it was asked already, and its answer is not waited for. ERR_NOT_FOUND: not this device's.
   ERR_GONE: its state does not allow that. */
int ota_action_cancel(struct ota *ota, struct db *db, struct arena *a, const char *who, const char *device_id,
                      int64_t action, bool force, struct err *e) MUST_CHECK;

#endif
