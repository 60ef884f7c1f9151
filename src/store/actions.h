/* Actions and the reports on them. */
#ifndef PQOTA_STORE_ACTIONS_H
#define PQOTA_STORE_ACTIONS_H

#include "base/arena.h"
#include "model/action.h"

struct db;

/* With the device's id. ERR_NOT_FOUND says that it is not there. */
int store_action_by_pk(struct db *db, struct arena *a, int64_t pk, struct action *out,
                       struct err *e) MUST_CHECK;
/* The same, of that device: ERR_NOT_FOUND in the same words when it is another's. */
int store_action_of(struct db *db, struct arena *a, const char *device_id, int64_t pk, struct action *out,
                    struct err *e) MUST_CHECK;
/* The device's open action, the first if there are several; out->pk is 0 when there is none. */
int store_action_open(struct db *db, struct arena *a, int64_t device, struct action *out,
                      struct err *e) MUST_CHECK;
/* All its open ones, in their order; at most `most`. */
int store_action_opens(struct db *db, struct arena *a, int64_t device, size_t most, struct action *out,
                       size_t *count, struct err *e) MUST_CHECK;
/* Its newest one, open or not; out->pk is 0 when it never had any. */
int store_action_last(struct db *db, struct arena *a, int64_t device, struct action *out,
                      struct err *e) MUST_CHECK;
/* Its newest one of that deployment. */
int store_action_last_of(struct db *db, struct arena *a, int64_t device, int64_t deployment,
                         struct action *out, struct err *e) MUST_CHECK;
/* One whose deadline is over; out->pk is 0 when there is none. */
int store_action_overdue(struct db *db, struct arena *a, int64_t now_ms, struct action *out,
                         struct err *e) MUST_CHECK;
/* What a poll must know of the newest ACTION_PAST_MAX deployments that the device had actions of: 0 for
   none. */
#define ACTION_PAST_MAX 16
struct action_past {
    int64_t newest;     /* deployment that it had a part in */
    int64_t moved_back; /* newest deployment that was allowed to take it downwards, and succeeded */
};
int store_action_past(struct db *db, int64_t device, struct action_past *out, struct err *e) MUST_CHECK;
/* The release of the device's last action that succeeded; 0 for none. */
int store_action_succeeded(struct db *db, int64_t device, int64_t *release, struct err *e) MUST_CHECK;
/* The device's last action that succeeded, if its release has that version (NULL: whichever); 0: none. */
int store_action_installed(struct db *db, int64_t device, const char *version, int64_t *action,
                           struct err *e) MUST_CHECK;
/* The device's open action, not one that it was asked to give up, or else its last that succeeded, whose
   release has the module; 0: none. */
int store_action_with_module(struct db *db, int64_t device, int64_t module, int64_t *action,
                             struct err *e) MUST_CHECK;
/* A deployment's, in the order they began, with device ids; pk above `after`. */
int store_action_list(struct db *db, struct arena *a, int64_t deployment, int64_t after, size_t limit,
                      struct action **out, size_t *count, bool *more, struct err *e) MUST_CHECK;
/* Open actions for the release. */
int store_action_count_open_of(struct db *db, int64_t release, int64_t *count, struct err *e) MUST_CHECK;
int store_action_status_count(struct db *db, int64_t action, int64_t *count, struct err *e) MUST_CHECK;
/* Its newest entries, newest first; out has room for `most`. Texts in the arena. */
struct action_entry {
    int64_t at;          /* Unix milliseconds */
    const char *kind;    /* a state's word, or one of store_action_status_note */
    const char *message; /* lines */
};
int store_action_entries(struct db *db, struct arena *a, int64_t action, size_t most,
                         struct action_entry *out, size_t *count, struct err *e) MUST_CHECK;

/* Writer only. */
/* act->pk is set. ERR_CONFLICT: the device had that attempt already. */
int store_action_add(struct db *db, struct action *act, struct err *e) MUST_CHECK;
/* Writes state, resume, progress, message, deadline_at, retrieved, updated_at and closed_at. */
int store_action_update(struct db *db, const struct action *act, struct err *e) MUST_CHECK;
/* An entry of its history: how it stands now. Its message is that of the action, or what act->said has.
   Several messages of one entry stand below each other, a line each. */
int store_action_status_add(struct db *db, const struct action *act, struct err *e) MUST_CHECK;
/* An entry that is no state of ours, such as hawkBit's "retrieved" or "warning". */
int store_action_status_note(struct db *db, int64_t action, const char *kind, const char *message,
                             int64_t now_ms, struct err *e) MUST_CHECK;
/* Up to `most` of the deployment's open ones, of devices with a pk in (after, until], in their order. */
struct action_to_cancel {
    struct action action;
    bool ddi; /* the device has to be asked */
};
int store_action_open_of(struct db *db, struct arena *a, int64_t deployment, int64_t after, int64_t until,
                         size_t most, struct action_to_cancel *out, size_t *count, struct err *e) MUST_CHECK;

#endif
