/*
 * What a poll looks through: the deployments that a device is a member of and that are not over for it, and
 * the running ones that it may have come to match. The latter are kept with each connection, with their
 * filters parsed, for as long as the number in deployment_generation stays: one indexed read a poll.
 */
#ifndef PQOTA_STORE_CANDIDATES_H
#define PQOTA_STORE_CANDIDATES_H

#include "base/arena.h"
#include "model/action.h"
#include "model/deployment.h"
#include "model/filter.h"

struct db;

#define CANDIDATES_MAX 64 /* the newest deployments of a device */
#define RUNNING_MAX 256   /* running deployments that devices may join, at once */

/* A deployment that may reach the device. Texts in the arena. */
struct candidate {
    int64_t deployment, release;
    int64_t sequence;    /* the release's, for the device's model */
    const char *version; /* the release's */
    enum deployment_state state;
    struct deployment_policy policy; /* without texts but the window's */
    int phase, open_phase;           /* the device's, and the last one that is open */
    int64_t minute, begun;
    bool prepared; /* all its devices are in their phases */
    bool joins;    /* the device is no member yet */
    bool left;     /* it is one, and does not match any more */
    enum member_state member;
    int64_t attempts, retry_at;
};
/* Of the device's open memberships, newest deployment first. Where there is one *out has room for
   CANDIDATES_MAX; else, as for most devices at most times, it is NULL. */
int store_candidates(struct db *db, struct arena *a, int64_t device, const char *model,
                     struct candidate **out, size_t *count, struct err *e) MUST_CHECK;
/* One deployment, as if the device joined it now. *fits: its release has a sequence for the model. */
int store_candidate_of(struct db *db, struct arena *a, int64_t deployment, const char *model,
                       struct candidate *out, bool *fits, struct err *e) MUST_CHECK;

/* A running deployment that devices may join. Lives with the connection until the next call. */
struct running {
    int64_t deployment;
    bool prepared, in_phases; /* several phases; `prepared` counts only then */
    bool allow_downgrade;
    const struct filter *filter;
    struct running_model { /* that its release fits */
        const char *model, *version;
        int64_t sequence;
    } *models;
    size_t model_count;
};
int store_running(struct db *db, const struct running **out, size_t *count, struct err *e) MUST_CHECK;
/* How many there are, with those that are yet to run or paused. */
int store_running_count(struct db *db, int64_t *out, struct err *e) MUST_CHECK;

/* What filters may look at beside the device's own row; texts in the arena. */
int store_device_tags(struct db *db, struct arena *a, int64_t device, struct str **out, size_t *count,
                      struct err *e) MUST_CHECK;
#define DEVICE_ATTRIBUTES_MAX 100
int store_device_attributes(struct db *db, struct arena *a, int64_t device, struct filter_attribute **out,
                            size_t *count, struct err *e) MUST_CHECK;

#endif
