/* How the server and its fleet are. */
#ifndef PQOTA_OTA_STATUS_H
#define PQOTA_OTA_STATUS_H

#include "base/arena.h"
#include "ota/ota.h"
#include "ota/trust_view.h"
#include "store/store.h"
#include "store/summary.h"

struct ota_status {
    int64_t started_ms, now_ms;
    struct summary fleet; /* seen and closed: in the last 24 hours */
    struct store_health store;
    enum ota_broker broker;
    int64_t announcements, events; /* that wait for it; counting stops at OUTBOX_COUNT_MAX */
    int64_t waiting_since_ms;      /* the oldest announcement, 0 for none */
    bool unsigned_allowed;
    struct trust_row ends; /* the update metadata that expire first; version 0: there are none */
};

/* For the QUERY lane. */
int ota_status(struct ota *ota, struct db *db, struct arena *a, struct ota_status *out,
               struct err *e) MUST_CHECK;

#endif
