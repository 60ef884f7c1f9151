#include "ota/targets.h"

#include "ota/announce.h"
#include "ota/ddi_device.h"
#include "ota/finish.h"
#include "ota/ota.h"
#include "ota/seen.h"
#include "store/actions.h"
#include "store/candidates.h"
#include "store/db.h"
#include "store/events.h"
#include "store/members.h"

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory for a target");
}

int ota_target_show(struct ota *ota, struct db *db, struct arena *a, const char *id, struct target *out,
                    struct err *e)
{
    int rc = store_target(db, a, id, out, e);
    if (rc == 0)
        seen_show(ota->seen, &out->device, clock_unix_ms(ota->clock));
    return rc;
}

int ota_target_list(struct ota *ota, struct db *db, struct arena *a, const struct listing *q,
                    struct target **out, size_t *count, int64_t *total, struct err *e)
{
    int rc = db_read_begin(db, e);
    if (rc == 0)
        rc = store_target_list(db, a, q, out, count, total, e);
    db_read_end(db);
    for (size_t i = 0; rc == 0 && i < *count; i++)
        seen_show(ota->seen, &(*out)[i].device, clock_unix_ms(ota->clock));
    return rc;
}

int ota_target_attributes(struct db *db, struct arena *a, const char *id, struct filter_attribute **out,
                          size_t *count, struct err *e)
{
    struct target t;
    int rc = db_read_begin(db, e);
    if (rc == 0)
        rc = store_target(db, a, id, &t, e);
    if (rc == 0)
        rc = store_device_attributes(db, a, t.device.pk, out, count, e);
    db_read_end(db);
    return rc;
}

int ota_target_actions(struct db *db, struct arena *a, const char *id, const struct listing *q,
                       struct target_action **out, size_t *count, int64_t *total, struct err *e)
{
    struct target t = {0};
    int rc = db_read_begin(db, e);
    if (rc == 0 && id != NULL)
        rc = store_target(db, a, id, &t, e);
    if (rc == 0)
        rc = store_target_actions(db, a, t.device.pk, q, out, count, total, e);
    db_read_end(db);
    return rc;
}

int ota_target_action(struct db *db, struct arena *a, const char *id, int64_t action,
                      struct target_action *out, struct err *e)
{
    struct target t;
    int rc = store_target(db, a, id, &t, e);
    return rc != 0 ? rc : store_target_action(db, a, t.device.pk, action, out, e);
}

int ota_target_entries(struct db *db, struct arena *a, const char *id, int64_t action,
                       const struct listing *q, struct target_entry **out, size_t *count, int64_t *total,
                       struct err *e)
{
    struct target_action t;
    int rc = db_read_begin(db, e);
    if (rc == 0)
        rc = ota_target_action(db, a, id, action, &t, e);
    if (rc == 0)
        rc = store_target_entries(db, a, action, q, out, count, total, e);
    db_read_end(db);
    return rc;
}

/* --- writer only ------------------------------------------------------------------------------------- */

static int check(const char *what, struct str s, size_t max, struct err *e)
{
    if (s.n > max || (s.n > 0 && !str_is_text(s)))
        return err_set(e, ERR_INVALID, "%s: at most %zu bytes of text", what, max);
    return 0;
}

int ota_target_describe(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                        const char *id, struct str name, struct str description, int want, struct err *e)
{
    struct target t;
    const char *new_name = name.p != NULL ? arena_dup_str(a, name) : NULL;
    const char *text = description.p != NULL ? arena_dup_str(a, description) : NULL;
    int rc = store_target(db, a, id, &t, e);
    if (rc == 0)
        rc = check("name", name, DDI_NAME_MAX, e);
    if (rc == 0)
        rc = check("description", description, DDI_DESCRIPTION_MAX, e);
    if (rc == 0 && ((name.p != NULL && new_name == NULL) || (description.p != NULL && text == NULL)))
        rc = no_memory(e);
    if (rc == 0)
        rc = store_target_describe(db, t.device.pk, new_name, text, want, e);
    if (rc == 0)
        rc = store_event_add(db, clock_unix_ms(ota->clock), "device.described", identity_name(who), id,
                             new_name, e);
    return rc != 0 ? rc : announce_device(ota, db, t.device.pk, e);
}

/* It is counted in no phase any more, and what waited for that goes on. */
static int leave_deployments(struct ota *ota, struct db *db, struct arena *a, int64_t device, struct err *e)
{
    int64_t left;
    int rc;
    do {
        rc = store_member_drop(db, device, &left, e);
        if (rc == 0 && left != 0)
            rc = ota_advance_deployment(ota, db, a, left, e);
    } while (rc == 0 && left != 0);
    return rc;
}

int ota_target_remove(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                      const char *id, struct err *e)
{
    struct target t;
    int rc = store_target(db, a, id, &t, e);
    if (rc == 0)
        rc = ota_device_ends(ota, db, t.device.pk, "the device was deleted", e);
    if (rc == 0)
        rc = leave_deployments(ota, db, a, t.device.pk, e);
    if (rc == 0)
        rc = store_target_remove(db, t.device.pk, e);
    return rc != 0 ? rc
                   : store_event_add(db, clock_unix_ms(ota->clock), "device.deleted", identity_name(who), id,
                                     "", e);
}
