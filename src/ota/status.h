/* How the server and its fleet are. */
#ifndef PQOTA_OTA_STATUS_H
#define PQOTA_OTA_STATUS_H

#include "base/arena.h"
#include "store/store.h"
#include "store/summary.h"

struct ota;

struct ota_status {
    int64_t started_ms, now_ms;
    struct summary fleet; /* seen and closed: in the last 24 hours */
    struct store_health store;
};

/* For the QUERY lane. */
int ota_status(struct ota *ota, struct db *db, struct arena *a, struct ota_status *out,
               struct err *e) MUST_CHECK;

#endif
