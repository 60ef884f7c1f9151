/* Deployments: a release for one device, a tag, a model or all; begun, looked at and called off. */
#ifndef PQOTA_OTA_DEPLOY_H
#define PQOTA_OTA_DEPLOY_H

#include "base/arena.h"
#include "model/action.h"
#include "model/deployment.h"

struct ota;
struct db;

struct deploy {
    int64_t release;          /* 0: by version, and by name if several have it */
    struct str name, version; /* p NULL: not said */
    enum target_kind kind;
    struct str target;
    bool allow_downgrade;
};

/* Writer only. ERR_NOT_FOUND: the release, device or model is not there. ERR_CONFLICT: it cannot be deployed
   there. */
int ota_deploy(struct ota *ota, struct db *db, struct arena *a, const char *who, const struct deploy *d,
               struct deployment *out, struct err *e) MUST_CHECK;
#define DEPLOY_CANCELLED "the deployment was cancelled" /* the message of its actions */
#define DEPLOY_SLICE 200                                /* actions closed in one transaction at most */
/* Writer only. Actions that have not begun to install are over from now on, others may finish; DEPLOY_SLICE
   are closed at once, the rest by ota_deploy_slice. Being cancelled already is fine. */
int ota_deploy_cancel(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t deployment,
                      struct deployment *out, struct err *e) MUST_CHECK;

/* A background job of the writer: closes actions of cancelled deployments. Call it again while *more. */
int ota_deploy_slice(struct ota *ota, struct db *db, bool *more, struct err *e) MUST_CHECK;

/* A deployment and how many of its actions are in each state. */
struct deployment_view {
    struct deployment d;
    int64_t actions[ACTION_STATES];
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

#endif
