/* Devices and their actions as hawkBit's management interface lists them. Times are Unix milliseconds, 0 for
   never; texts belong to the arena that is passed in. */
#ifndef PQOTA_STORE_TARGETS_H
#define PQOTA_STORE_TARGETS_H

#include "base/arena.h"
#include "model/action.h"
#include "model/device.h"
#include "store/listing.h"

struct db;

/* What it was last asked to do, and what it last did. */
struct target {
    struct device device; /* without tags and action */
    const char *description;
    bool auto_confirm;
    int64_t action, action_release; /* the newest one; 0: none */
    enum action_state action_state;
    bool action_open;                        /* not closed yet */
    int64_t installed_release, installed_at; /* by the last action that succeeded; 0: none did */
};
/* ERR_NOT_FOUND. */
int store_target(struct db *db, struct arena *a, const char *id, struct target *out,
                 struct err *e) MUST_CHECK;
/* A filter is about devices. */
int store_target_list(struct db *db, struct arena *a, const struct listing *q, struct target **out,
                      size_t *count, int64_t *total, struct err *e) MUST_CHECK;

/* An action with what its deployment and release say. */
struct target_action {
    struct action action; /* with device_id */
    const char *release_name, *release_version, *created_by;
    const char *mode; /* as the database has it; see deployment_mode_parse */
    int64_t force_at, priority;
    const char *window_schedule, *window_zone; /* NULL: none */
    int64_t window_seconds;
};
/* device 0: of any. A filter is about id, name and version, the latter two the release's. */
int store_target_actions(struct db *db, struct arena *a, int64_t device, const struct listing *q,
                         struct target_action **out, size_t *count, int64_t *total, struct err *e) MUST_CHECK;
/* ERR_NOT_FOUND also when it is another device's. */
int store_target_action(struct db *db, struct arena *a, int64_t device, int64_t action,
                        struct target_action *out, struct err *e) MUST_CHECK;

struct target_entry {
    int64_t pk, at;
    const char *kind, *message; /* see store_action_entries */
};
int store_target_entries(struct db *db, struct arena *a, int64_t action, const struct listing *q,
                         struct target_entry **out, size_t *count, int64_t *total, struct err *e) MUST_CHECK;

/* --- writer only ------------------------------------------------------------------------------------- */

/* NULL leaves what is there; want < 0 too. */
int store_target_describe(struct db *db, int64_t device, const char *name, const char *description, int want,
                          struct err *e) MUST_CHECK;
/* With all that hangs on it. ERR_CONFLICT: it has certificates, whose revocation would be forgotten with
   it. */
int store_target_remove(struct db *db, int64_t device, struct err *e) MUST_CHECK;

#endif
