#include "ota/announce.h"

#include "ota/ota.h"
#include "store/devices.h"
#include "store/events.h"
#include "store/outbox.h"

static int put(struct ota *ota, struct db *db, enum outbox_kind kind, int64_t ref, struct err *e)
{
    return ota->announce ? store_outbox_put(db, kind, ref, clock_unix_ms(ota->clock), e) : 0;
}

int announce_release(struct ota *ota, struct db *db, int64_t release, struct err *e)
{
    return put(ota, db, OUTBOX_RELEASE, release, e);
}

int announce_device(struct ota *ota, struct db *db, int64_t device, struct err *e)
{
    return put(ota, db, OUTBOX_DEVICE, device, e);
}

int announce_deployment(struct ota *ota, struct db *db, const struct deployment *d, struct err *e)
{
    if (d->kind != TARGET_DEVICE)
        return put(ota, db, OUTBOX_DEPLOYMENT, d->pk, e);
    if (!ota->announce)
        return 0;
    /* One device does not wait until a million others have been told of another deployment. */
    auto_arena struct arena a;
    arena_init(&a, 16384);
    struct device device;
    int rc = store_device_by_id(db, &a, d->target, &device, e);
    return rc != 0 ? rc : announce_device(ota, db, device.pk, e);
}

int ota_announce_begin(struct ota *ota, struct db *db, struct err *e)
{
    int64_t cursor, last;
    int rc = store_outbox_event_cursor(db, &cursor, e);
    if (rc == 0)
        rc = store_event_last(db, &last, e);
    if (rc != 0)
        return rc;
    if (!ota->announce)
        return cursor >= 0 ? store_outbox_event_cursor_set(db, -1, e) : 0;
    return cursor >= 0 && cursor <= last ? 0 : store_outbox_event_cursor_set(db, last, e);
}
