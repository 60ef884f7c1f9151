#include "ota/status.h"

#include "ota/ota.h"
#include "ota/trust.h"
#include "store/outbox.h"

#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)

int ota_status(struct ota *ota, struct db *db, struct arena *a, struct ota_status *out, struct err *e)
{
    struct ota_status s = {.started_ms = ota->started_ms, .now_ms = clock_unix_ms(ota->clock)};
    int rc = store_summary(db, a, s.now_ms - DAY_MS, &s.fleet, e);
    if (rc != 0)
        return rc;
    rc = store_outbox_waiting(db, &s.announcements, &s.waiting_since_ms, e);
    if (rc == 0)
        rc = store_outbox_events_waiting(db, &s.events, e);
    if (rc != 0)
        return rc;
    s.broker = ota->broker != NULL ? ota->broker(ota->broker_ctx) : OTA_BROKER_OFF;
    store_health(ota->store, &s.store);
    struct trust_row rows[TRUST_VIEW_MAX];
    if (trust_view_get(trust_view_of(ota), rows) > 0)
        s.ends = rows[0];
    s.unsigned_allowed = trust_unsigned_allowed(ota);
    *out = s;
    return 0;
}
