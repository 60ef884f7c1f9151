/* Deployments: a release for devices, with a policy, in phases; begun, looked at, steered and called off. */
#ifndef PQOTA_OTA_DEPLOY_H
#define PQOTA_OTA_DEPLOY_H

#include "base/arena.h"
#include "model/action.h"
#include "model/deployment.h"
#include "model/device.h"
#include "model/release.h"
#include "store/members.h"

struct ota;
struct db;

struct deploy {
    int64_t release;          /* 0: by version, and by name if several have it */
    struct str name, version; /* p NULL: not said */
    enum target_kind kind;    /* not TARGET_DEPLOYMENT */
    struct str target;
    const int64_t *devices; /* TARGET_LIST: their pks, at most DEPLOY_LIST_MAX */
    size_t device_count;
    struct deployment_policy policy;
    const struct phase *phases; /* NULL: one, for all */
    size_t phase_count;
    bool approval; /* a second person has to approve, also where the settings do not ask for it */
};
#define DEPLOY_LIST_MAX 5000

/* What a deployment is made with unless something else is said. */
struct deployment_policy ota_default_policy(enum target_kind kind);

/* What was found of it; refers to itself and must not be copied. */
struct deploy_checked {
    struct deploy d;
    struct release release; /* with details */
    const char *target;     /* "" for all */
    struct device device;   /* TARGET_DEVICE */
};
/* Whether it could be made now; refuses as ota_deploy does. Writes nothing. */
int ota_deploy_check(struct ota *ota, struct db *db, struct arena *a, const struct deploy *d,
                     struct deploy_checked *out, struct err *e) MUST_CHECK;

/* Writer only. ERR_NOT_FOUND: the release, device or model is not there. ERR_CONFLICT: it cannot be deployed
   there. */
int ota_deploy(struct ota *ota, struct db *db, struct arena *a, const char *who, const struct deploy *d,
               struct deployment *out, struct err *e) MUST_CHECK;
/* Writer only. Errors stop d: it is cancelled, and its rollback goes to those whom it reached. */
int ota_deploy_back(struct ota *ota, struct db *db, struct arena *a, struct deployment *d, const char *why,
                    struct err *e) MUST_CHECK;

#define DEPLOY_CANCELLED "the deployment was cancelled" /* the message of its actions */
#define DEPLOY_SLICE 200                                /* devices told in one transaction at most */
/* Writer only. What has not begun to install is over from now on, others may finish; DEPLOY_SLICE are closed
   at once, the rest by ota_deploy_slice. Being cancelled already is fine. */
int ota_deploy_cancel(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t deployment,
                      struct deployment *out, struct err *e) MUST_CHECK;
/* Writer only. Being there already is fine. Only another person than who made it may approve (ERR_DENIED). */
int ota_deploy_pause(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t deployment,
                     struct deployment *out, struct err *e) MUST_CHECK;
int ota_deploy_resume(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t deployment,
                      struct deployment *out, struct err *e) MUST_CHECK;
/* Opens the next phase, however many of the present one have succeeded. phase: the number that it is meant to
   have, from 1; 0 is whichever is next. ERR_CONFLICT: there is none, another is next, or it does not run. */
int ota_deploy_next(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t deployment,
                    int64_t phase, struct deployment *out, struct err *e) MUST_CHECK;
int ota_deploy_approve(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t deployment,
                       bool approve, struct deployment *out, struct err *e) MUST_CHECK;

/* Background jobs of the writer; call again while *more: closes actions of cancelled deployments; looks for a
   deployment's devices; starts what is due. */
int ota_deploy_slice(struct ota *ota, struct db *db, bool *more, struct err *e) MUST_CHECK;
int ota_prepare_slice(struct ota *ota, struct db *db, bool *more, struct err *e) MUST_CHECK;
int ota_start_slice(struct ota *ota, struct db *db, bool *more, struct err *e) MUST_CHECK;
/* The same for one deployment: looks at some of the devices that were not looked at yet. */
int ota_prepare(struct ota *ota, struct db *db, struct arena *a, struct deployment *d,
                struct err *e) MUST_CHECK;
/* All its devices are known: they are told, and it goes as far as it can; *d is what it is then. */
int ota_prepared(struct ota *ota, struct db *db, struct arena *a, struct deployment *d,
                 struct err *e) MUST_CHECK;

/* A deployment, how many of its actions are in each state, and its phases. */
struct deployment_view {
    struct deployment d;
    int prepared_percent; /* of the fleet that was looked through for its devices */
    int64_t actions[ACTION_STATES];
    int64_t retrying; /* of those that wait: they have failed, and are to try again */
    struct phase *phases;
    size_t phase_count;
};
int ota_deployment_show(struct db *db, struct arena *a, int64_t deployment, struct deployment_view *out,
                        struct err *e) MUST_CHECK;
/* Newest first, below `after` unless that is 0; state NULL: any. *out has *count <= limit of them. */
int ota_deployment_list(struct db *db, struct arena *a, const enum deployment_state *state, int64_t after,
                        size_t limit, struct deployment_view **out, size_t *count, bool *more,
                        struct err *e) MUST_CHECK;
/* In the order they began, above `after`, with device ids. */
int ota_deployment_actions(struct db *db, struct arena *a, int64_t deployment, int64_t after, size_t limit,
                           struct action **out, size_t *count, bool *more, struct err *e) MUST_CHECK;
/* Its devices, whatever became of them. */
int ota_deployment_members(struct db *db, struct arena *a, int64_t deployment,
                           const struct member_choice *which, int64_t after, size_t limit,
                           struct member_row **out, size_t *count, bool *more, struct err *e) MUST_CHECK;

#endif
