#include "ota/consent.h"

#include <string.h>

#include "ota/announce.h"
#include "ota/gather.h"
#include "ota/ota.h"
#include "store/actions.h"
#include "store/consents.h"
#include "store/deployments.h"
#include "store/devices.h"

#define OPEN_MAX 16 /* open actions of one device that are looked at */

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory to note a consent");
}

/* It is offered; the time for it begins. */
static int confirm(struct ota *ota, struct db *db, struct arena *a, struct action *act, const char *said,
                   struct err *e)
{
    struct deployment d;
    struct device device;
    int64_t now = clock_unix_ms(ota->clock);
    int rc = store_deployment_by_pk(db, a, act->deployment, &d, e);
    if (rc == 0)
        rc = store_device_by_pk(db, a, act->device, &device, e);
    if (rc == 0)
        rc = ota_deadline(a, &d.policy, &device, now, &act->deadline_at, e);
    if (rc != 0)
        return rc;
    act->state = ACTION_OFFERED;
    act->message = "";
    act->said = said;
    act->updated_at = now;
    rc = store_action_update(db, act, e);
    return rc != 0 ? rc : store_action_status_add(db, act, e);
}

/* It was asked for and denied: the question stays. */
static int deny(struct ota *ota, struct db *db, const struct action *act, const char *said, struct err *e)
{
    int64_t entries;
    int rc = store_action_status_count(db, act->pk, &entries, e);
    if (rc != 0 || entries >= ota->status_max)
        return rc;
    return store_action_status_note(db, act->pk, action_state_word(ACTION_WAITING), said,
                                    clock_unix_ms(ota->clock), e);
}

int ota_consent(struct ota *ota, struct db *db, struct arena *a, const char *device_id, int64_t action,
                bool confirmed, const char *said, struct err *e)
{
    struct action act;
    int rc = store_action_of(db, a, device_id, action, &act, e);
    if (rc == 0 && act.closed_at != 0)
        return err_set(e, ERR_GONE, "action %lld is over (%s)", (long long)action,
                       action_state_word(act.state));
    if (rc == 0 && act.state != ACTION_WAITING)
        return err_set(e, ERR_NOT_FOUND, "action %lld does not wait for consent", (long long)action);
    if (rc != 0)
        return rc;
    rc = confirmed ? confirm(ota, db, a, &act, said, e) : deny(ota, db, &act, said, e);
    return rc != 0 ? rc : announce_device(ota, db, act.device, e);
}

/* --- in advance ---------------------------------------------------------------------------------------- */

static int check(struct str text, size_t most, const char *what, struct err *e)
{
    if (text.n == 0 || (str_is_text(text) && str_characters(text) <= most))
        return 0;
    return err_set(e, ERR_INVALID, "%s: at most %zu characters of text", what, most);
}

static int confirm_waiting(struct ota *ota, struct db *db, struct arena *a, const struct device *d,
                           struct err *e)
{
    struct action list[OPEN_MAX];
    size_t count;
    int rc = store_action_opens(db, a, d->pk, OPEN_MAX, list, &count, e);
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (list[i].state == ACTION_WAITING)
            rc = confirm(ota, db, a, &list[i], "confirmed in advance", e);
    return rc;
}

int ota_consent_always(struct ota *ota, struct db *db, struct arena *a, const char *device_id,
                       struct str initiator, struct str remark, struct err *e)
{
    struct device d;
    bool already = false;
    int rc = check(initiator, CONSENT_INITIATOR_MAX, "initiator", e);
    if (rc == 0)
        rc = check(remark, CONSENT_REMARK_MAX, "remark", e);
    if (rc == 0)
        rc = store_device_by_id(db, a, device_id, &d, e);
    if (rc == 0)
        rc = store_auto_confirm_has(db, d.pk, &already, e);
    if (rc == 0 && already)
        rc = err_set(e, ERR_CONFLICT, "updates of %s are confirmed in advance already", device_id);
    if (rc != 0)
        return rc;
    const struct auto_confirm c = {
        .at = clock_unix_ms(ota->clock),
        .initiator = initiator.n > 0 ? arena_dup_str(a, initiator) : "",
        .remark = remark.n > 0 ? arena_dup_str(a, remark) : "",
    };
    if (c.initiator == NULL || c.remark == NULL)
        return no_memory(e);
    rc = store_auto_confirm_set(db, d.pk, &c, e);
    if (rc == 0)
        rc = confirm_waiting(ota, db, a, &d, e);
    return rc != 0 ? rc : announce_device(ota, db, d.pk, e);
}

int ota_consent_ask(struct ota *ota, struct db *db, struct arena *a, const char *device_id, struct err *e)
{
    struct device d;
    const struct auto_confirm off = {0};
    int rc = store_device_by_id(db, a, device_id, &d, e);
    if (rc == 0)
        rc = store_auto_confirm_set(db, d.pk, &off, e);
    return rc != 0 ? rc : announce_device(ota, db, d.pk, e);
}
