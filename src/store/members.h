/* Which devices a deployment is for: one row each, found by a search in slices or by the device that asks. */
#ifndef PQOTA_STORE_MEMBERS_H
#define PQOTA_STORE_MEMBERS_H

#include "base/arena.h"
#include "model/action.h"
#include "model/deployment.h"

struct db;
struct filter;

struct member {
    int64_t deployment, device;
    int phase;
    enum member_state state;
    int64_t attempts;
    int64_t retry_at; /* Unix milliseconds, 0: at once */
    const char *why;  /* NULL: nothing to say */
};

/* *found: whether there is one. */
int store_member_get(struct db *db, struct arena *a, int64_t deployment, int64_t device, struct member *out,
                     bool *found, struct err *e) MUST_CHECK;

/* One of the device's that are open (it waits or is active); *found as above. */
int store_member_open(struct db *db, struct arena *a, int64_t device, struct member *out, bool *found,
                      struct err *e) MUST_CHECK;

/* Deployments in which the device's part is over: the newest `most` of its last ones, of those that it had an
   action of and of the `look` newest deployments of all. out has room for `most`. */
int store_member_ended(struct db *db, int64_t device, size_t look, size_t most, int64_t *out, size_t *count,
                       struct err *e) MUST_CHECK;

/* A member as it is listed. */
struct member_row {
    struct member m;
    const char *device_id, *version;
    struct action action; /* its last; pk 0: none yet */
};
/* Which are listed; nothing set: all. */
struct member_choice {
    const enum member_state *state;
    bool retrying; /* they have failed, and wait to try again */
    int64_t phase; /* from 1 */
};
/* In the order in which they were registered, device pk above `after`. */
int store_member_list(struct db *db, struct arena *a, int64_t deployment, const struct member_choice *which,
                      int64_t after, size_t limit, struct member_row **out, size_t *count, bool *more,
                      struct err *e) MUST_CHECK;
/* How many have failed, and wait to try again. */
int store_member_retrying(struct db *db, int64_t deployment, int64_t *out, struct err *e) MUST_CHECK;
/* Devices that are to be told of it: they wait, are active or were cancelled, in a phase that is open; in the
   order of their pk, above `after`. out has room for `look`, which is how many are looked at in one call at
   most. *last: the pk of the last one looked at; *end: there are no others. */
int store_member_told(struct db *db, const struct deployment *d, int64_t after, size_t look, int64_t *out,
                      size_t *count, int64_t *last, bool *end, struct err *e) MUST_CHECK;

/* --- looking for members ----------------------------------------------------------------------------- */

/* What is looked for: devices that the release fits, that are not revoked and match. */
struct member_search {
    const struct deployment *deployment;
    const struct filter *filter;
    const struct filter *phases[DEPLOYMENT_PHASES_MAX]; /* NULL: none of its own */
    size_t phase_count;
    int64_t now_ms;
};
/* By what it runs, unless an action that is open is about to change that. */
enum member_need { NEED_UPDATE, NEED_NONE_SAME, NEED_NONE_NEWER };
struct member_found {
    int64_t device;
    enum member_need need;
    unsigned matches; /* bit i: phase i has a filter and it matches */
};
/* Of the devices with a pk in (after, until]. out has room for until - after. */
int store_member_search(struct db *db, const struct member_search *q, int64_t after, int64_t until,
                        struct member_found *out, size_t *count, struct err *e) MUST_CHECK;
int store_device_last_pk(struct db *db, int64_t *out, struct err *e) MUST_CHECK;

/* --- writer only ------------------------------------------------------------------------------------- */

/* Nothing when there is one already; *added tells. */
int store_member_add(struct db *db, const struct member *m, bool *added, struct err *e) MUST_CHECK;
/* Writes state, attempts, retry_at and why. */
int store_member_update(struct db *db, const struct member *m, struct err *e) MUST_CHECK;
/* The device's row in one of the running deployments goes; *deployment: in that one, 0: it is in none. */
int store_member_drop(struct db *db, int64_t device, int64_t *deployment, struct err *e) MUST_CHECK;
/* Cancels those that wait among the next `look` after *at, and sets *at to the last that was looked at;
   *more: there are others. */
int store_member_cancel_some(struct db *db, int64_t deployment, const char *why, int64_t look, int64_t *at,
                             bool *more, struct err *e) MUST_CHECK;
/* Where the device counted as done because of what it ran, it waits again, in deployments that are not
   over. */
int store_member_reopen(struct db *db, int64_t device, struct err *e) MUST_CHECK;

#endif
