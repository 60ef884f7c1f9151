#include "ota/announce.h"

#include "ota/ota.h"
#include "store/deployments.h"
#include "store/devices.h"
#include "store/events.h"
#include "store/outbox.h"
#include "store/releases.h"

#define AT_ONCE 100

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
    if (rc == ERR_NOT_FOUND)
        return 0; /* it was deleted meanwhile */
    return rc != 0 ? rc : announce_device(ota, db, device.pk, e);
}

static int put_deployments(struct ota *ota, struct db *db, struct err *e)
{
    const enum deployment_state running = DEPLOYMENT_RUNNING;
    int64_t after = 0;
    bool more = true;
    int rc = 0;
    while (rc == 0 && more) {
        auto_arena struct arena a;
        arena_init(&a, 1 << 20);
        struct deployment *list;
        size_t n = 0;
        rc = store_deployment_list(db, &a, &running, after, AT_ONCE, &list, &n, &more, e);
        for (size_t i = 0; rc == 0 && i < n; i++) {
            rc = announce_deployment(ota, db, &list[i], e);
            after = list[i].pk;
        }
    }
    return rc;
}

int ota_announce_again(struct ota *ota, struct db *db, struct err *e)
{
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    const enum release_state published = RELEASE_PUBLISHED;
    const struct release_filter filter = {.state = &published};
    struct release *newest;
    size_t n = 0;
    bool known, more;
    int rc = store_outbox_broker_known(db, &known, e);
    if (rc != 0 || !known)
        return rc != 0 ? rc : store_outbox_broker_know(db, e);
    rc = store_release_list(db, &a, &filter, 0, 1, &newest, &n, &more, e);
    if (rc == 0 && n > 0)
        rc = announce_release(ota, db, newest[0].pk, e);
    return rc == 0 ? put_deployments(ota, db, e) : rc;
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
