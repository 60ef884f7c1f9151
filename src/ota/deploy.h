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

/* Writer only. ERR_NOT_FOUND: the release, device or model is not there. ERR_CONFLICT: it cannot be deployed there. */
int ota_deploy(struct ota *ota, struct db *db, struct arena *a, const char *who, const struct deploy *d,
               struct deployment *out, struct err *e) MUST_CHECK;
/* Writer only. Actions that have not begun to install are closed, others may finish. Being cancelled already is
   fine. */
int ota_deploy_cancel(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t deployment,
                      struct deployment *out, struct err *e) MUST_CHECK;

#endif
