#include "ota/retention.h"

#include "ota/modules.h"
#include "ota/ota.h"
#include "store/artifacts.h"
#include "store/events.h"
#include "store/metadata.h"
#include "store/retention.h"

#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)

int ota_retention_slice(struct ota *ota, struct db *db, int64_t now_ms, bool *more, struct err *e)
{
    int64_t left = RETENTION_SLICE;
    bool again = false;
    int rc = 0;
    if (ota->event_days > 0) {
        size_t removed = 0;
        rc = store_event_prune(db, now_ms - ota->event_days * DAY_MS, (size_t)left, &removed, e);
        left -= (int64_t)removed;
    }
    if (rc == 0 && left > 0)
        rc = store_tokens_prune(db, now_ms - RETENTION_TOKEN_DAYS * DAY_MS, &left, &again, e);
    if (rc == 0 && left > 0 && ota->action_days > 0)
        rc = store_actions_prune(db, now_ms - ota->action_days * DAY_MS, &left, &again, e);
    if (rc == 0 && left > 0 && ota->action_days > 0)
        rc = store_members_prune(db, now_ms - ota->action_days * DAY_MS, &left, &again, e);
    if (rc == 0 && left > 0)
        rc = store_metadata_prune(db, now_ms - RETENTION_METADATA_DAYS * DAY_MS, now_ms, &left, &again, e);
    bool others = false;
    if (rc == 0 && left > 0)
        rc = ota_set_slice(ota, db, &others, e);
    if (rc == 0)
        *more = again || others || left <= 0;
    return rc;
}

int ota_blob_keep(struct db *db, const char *sha256, struct err *e)
{
    bool used;
    int rc = store_artifact_in_use(db, sha256, &used, e);
    return rc != 0 ? rc : used;
}
