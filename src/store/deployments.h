/* Deployments in the database, and what a poll looks through. */
#ifndef PQOTA_STORE_DEPLOYMENTS_H
#define PQOTA_STORE_DEPLOYMENTS_H

#include "base/arena.h"
#include "model/action.h"
#include "model/deployment.h"

struct db;

/* ERR_NOT_FOUND says which is not there. */
int store_deployment_by_pk(struct db *db, struct arena *a, int64_t pk, struct deployment *out,
                           struct err *e) MUST_CHECK;
/* Newest first; pk below `after` unless that is 0; state NULL: any. *out has *count <= limit of them. */
int store_deployment_list(struct db *db, struct arena *a, const enum deployment_state *state, int64_t after,
                          size_t limit, struct deployment **out, size_t *count, bool *more,
                          struct err *e) MUST_CHECK;
/* How many actions it has in each state. */
int store_deployment_counts(struct db *db, int64_t pk, int64_t counts[ACTION_STATES],
                            struct err *e) MUST_CHECK;
/* A running deployment of that release, 0 when there is none. */
int store_deployment_running_of(struct db *db, int64_t release, int64_t *pk, struct err *e) MUST_CHECK;

/* Of the running deployments for one target, a device looks at the newest so many that fit its model: of all
   for itself, for its model, for everybody; and of all for a tag, while its tags together have no more than
   CANDIDATES_OF_TAGS. With many tags that is fewer of each, but the newest of each always. */
#define CANDIDATES_PER_TARGET 4
#define CANDIDATES_OF_TAGS 36 /* at least DEVICE_TAGS_MAX */
#define CANDIDATES_MAX (3 * CANDIDATES_PER_TARGET + CANDIDATES_OF_TAGS)

/* A running deployment that reaches the device. */
struct candidate {
    int64_t deployment, release;
    int64_t sequence; /* the release's, for the device's model */
    bool allow_downgrade;
    bool tried;          /* the device had or has an action of it */
    const char *version; /* the release's */
};
/* In no order; out has room for CANDIDATES_MAX. */
int store_candidates(struct db *db, struct arena *a, int64_t device, const char *device_id, const char *model,
                     struct candidate *out, size_t *count, struct err *e) MUST_CHECK;

/* Devices that it is or was for, or that have an action of it, and that did not report its end; in the order
   of their pk, above `after`. out has room for `look`, which is how many devices are looked at in one call at
   most (some may be left out). *last: the pk of the last one looked at; *end: there are no others. Tags as
   they are now. */
int store_deployment_members(struct db *db, const struct deployment *d, int64_t after, size_t look,
                             int64_t *out, size_t *count, int64_t *last, bool *end, struct err *e) MUST_CHECK;
/* About how many devices it is for; counting stops at `most`. */
int store_deployment_reach(struct db *db, const struct deployment *d, int64_t most, int64_t *out,
                           struct err *e) MUST_CHECK;
/* Devices of the release's models that are not revoked. */
int store_release_reach(struct db *db, int64_t release, int64_t *out, struct err *e) MUST_CHECK;

/* Writer only. */
/* d->pk is set. Polls see it through the models of its release (for a model as target: that one). */
int store_deployment_add(struct db *db, struct deployment *d, struct err *e) MUST_CHECK;
/* From running to cancelled; polls see it no more. */
int store_deployment_cancel(struct db *db, int64_t pk, int64_t now_ms, struct err *e) MUST_CHECK;
/* Remembers, or forgets, that a cancelled deployment has actions left to close. */
int store_deployment_closing_set(struct db *db, int64_t pk, bool closing, struct err *e) MUST_CHECK;
/* One that has; 0 when there is none. */
int store_deployment_closing(struct db *db, int64_t *pk, struct err *e) MUST_CHECK;

#endif
