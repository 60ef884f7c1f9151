/* How a device's part in a deployment ends, and what that means for the deployment. Writer only. */
#ifndef PQOTA_OTA_FINISH_H
#define PQOTA_OTA_FINISH_H

#include "base/arena.h"
#include "model/action.h"
#include "model/deployment.h"

struct db;
struct member;
struct ota;

/* Closes the action in the state that it has by then (succeeded, failed, cancelled, or downloaded for a
   deployment that only downloads): its closed_at is set, an entry and an event are written, its member goes
   on, and so does the deployment. again: a failure is tried again as the deployment's policy says. */
int ota_action_close(struct ota *ota, struct db *db, struct arena *a, struct action *act, bool again,
                     struct err *e) MUST_CHECK;
/* The same, called off for that reason. */
int ota_action_drop(struct ota *ota, struct db *db, struct arena *a, struct action *act, const char *why,
                    struct err *e) MUST_CHECK;

/* The member has changed: opens the next phase, pauses, rolls back or finishes the deployment if it is time.
   failed: the change was a failure, so that the phase's limit of errors counts. */
int ota_advance(struct ota *ota, struct db *db, struct arena *a, const struct member *m, bool failed,
                struct err *e) MUST_CHECK;
/* The same without a change: it was started, resumed or prepared. */
int ota_advance_deployment(struct ota *ota, struct db *db, struct arena *a, int64_t deployment,
                           struct err *e) MUST_CHECK;

/* Another state, with why and an event deployment.<what>; announced. ERR_CONFLICT: not from the present
   one. */
int ota_deployment_move(struct ota *ota, struct db *db, struct arena *a, const char *who,
                        struct deployment *d, enum deployment_state to, const char *what, const char *why,
                        struct err *e) MUST_CHECK;

/* Phase d->phase + 1 opens: noted and announced. */
int ota_phase_open(struct ota *ota, struct db *db, struct arena *a, const char *who, struct deployment *d,
                   struct err *e) MUST_CHECK;
/* The event alone. */
int ota_deployment_note(struct db *db, struct arena *a, const char *who, const struct deployment *d,
                        const char *what, const char *why, int64_t now_ms, struct err *e) MUST_CHECK;
/* The end before all devices are through: cancelled or denied. Devices that wait are cancelled, some at once,
   the rest by ota_deploy_slice. why NULL: no memory. */
int ota_deploy_end(struct ota *ota, struct db *db, struct arena *a, const char *who, struct deployment *d,
                   enum deployment_state to, const char *what, const char *why, struct err *e) MUST_CHECK;

/* All that the device was to do is over, however far it came, in every deployment; these go on without it. */
int ota_device_ends(struct ota *ota, struct db *db, int64_t device, const char *why,
                    struct err *e) MUST_CHECK;

/* The device is asked to give the action up; it answers by closing it, or goes on with it. */
int ota_action_ask_cancel(struct ota *ota, struct db *db, struct action *act, const char *why,
                          struct err *e) MUST_CHECK;

/* A background job: closes an action whose deadline is over. Call it again while *more. */
int ota_overdue_slice(struct ota *ota, struct db *db, bool *more, struct err *e) MUST_CHECK;

#endif
