/* What hawkBit's protocol shows a device of its actions, and which files it may have. */
#ifndef PQOTA_OTA_DDI_VIEW_H
#define PQOTA_OTA_DDI_VIEW_H

#include "base/arena.h"
#include "model/action.h"
#include "model/device.h"
#include "model/module.h"
#include "ota/poll.h"
#include "store/consents.h"

struct db;
struct ota;

/* What a device that polls is told. */
struct ddi_poll {
    struct device device;
    enum { DDI_NOTHING, DDI_DEPLOYMENT, DDI_CANCEL, DDI_CONFIRMATION } what;
    int64_t action;
    uint32_t mark;         /* another number when the terms of the action are others */
    int64_t installed;     /* action by which what runs was installed; 0: none */
    int64_t sleep_seconds; /* until it should come again */
    bool attributes;       /* it should tell its attributes */
};
/* As ota_poll: POLL_UPGRADE, and what now_ms is. */
int ota_ddi_poll(struct ota *ota, struct db *db, bool writing, struct arena *a, const char *device_id,
                 int64_t now_ms, struct ddi_poll *out, struct err *e) MUST_CHECK;

/* A module, as devices see it. */
struct ddi_chunk {
    struct module module;
    struct module_artifact *artifacts;
    size_t artifact_count;
    struct module_metadata *metadata; /* not by ota_ddi_module */
    size_t metadata_count;
};

/* One action. */
struct ddi_view {
    struct action action;
    struct poll_terms terms;
    struct ddi_chunk *chunks;
    size_t chunk_count;
    const char *status;   /* hawkBit's word */
    const char **history; /* messages, newest first */
    size_t history_count;
};
enum ddi_subject { DDI_FOR_DEPLOYMENT, DDI_FOR_CONFIRMATION, DDI_FOR_INSTALLED };
#define DDI_HISTORY_MAX 100
/* ERR_NOT_FOUND: it is not this device's, or not to be seen as that. ERR_BUSY: a file's hashes are not known
   yet. history: so many messages at most; negative: DDI_HISTORY_MAX. */
int ota_ddi_view(struct ota *ota, struct db *db, struct arena *a, const char *device_id, int64_t action,
                 enum ddi_subject subject, int64_t history, struct ddi_view *out, struct err *e) MUST_CHECK;
/* The same for an action that the device is asked to give up: nothing but that it is. */
int ota_ddi_cancel(struct db *db, struct arena *a, const char *device_id, int64_t action,
                   struct err *e) MUST_CHECK;

/* Whether its user agreed in advance, and the action that waits for consent, 0: none. */
int ota_ddi_consent(struct db *db, struct arena *a, const char *device_id, struct auto_confirm *out,
                    int64_t *waiting, struct err *e) MUST_CHECK;

/* A module's files, for a device that has an open action with it, or whose last update had it. *action: that
   one. ERR_NOT_FOUND in the same words whether it is not there or not for this device. */
int ota_ddi_module(struct db *db, struct arena *a, const char *device_id, int64_t module,
                   struct ddi_chunk *out, int64_t *action, struct err *e) MUST_CHECK;
/* The file's bytes, for reading. FILE lane. */
int ota_ddi_open(struct ota *ota, const struct module_artifact *file, int *fd, struct err *e) MUST_CHECK;

/* Writer only. The device says what it runs. *news: it is another version than before. */
int ota_ddi_installed(struct ota *ota, struct db *db, struct arena *a, const char *device_id,
                      struct str version, bool *news, struct err *e) MUST_CHECK;

#endif
