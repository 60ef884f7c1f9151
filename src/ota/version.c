#include "ota/version.h"

#include "ota/finish.h"
#include "ota/ota.h"
#include "store/actions.h"
#include "store/devices.h"
#include "store/members.h"
#include "store/releases.h"

#define DOUBT_MS (86400 * INT64_C(1000)) /* so long a device may take to restart */

/* The action that ended one way did in truth end the other; it is not tried again. */
static int correct(struct ota *ota, struct db *db, struct arena *a, struct action *act,
                   enum action_state state, const char *message, struct err *e)
{
    if (message == NULL)
        return err_set(e, ERR_NOMEM, "no memory to correct an action");
    act->state = state;
    act->message = message;
    return ota_action_close(ota, db, a, act, false, e);
}

/* moved: it said something else before. If not, it may only have to restart yet: it is asked until it says
   something else, for a day at most. */
static int fell_back(struct ota *ota, struct db *db, struct arena *a, const struct device *d,
                     struct action *last, const char *installed, const char *version, bool moved,
                     struct err *e)
{
    const char *why =
        moved ? arena_printf(a, "it fell back: it said that %s was installed, and runs %s again", installed,
                             version)
              : arena_printf(a,
                             "it fell back, or did not restart: it said that %s was installed, and still "
                             "runs %s",
                             installed, version);
    int rc = correct(ota, db, a, last, ACTION_FAILED, why, e);
    return rc != 0 || moved ? rc : store_device_set_attributes_wanted(db, d->pk, ATTRIBUTES_DOUBTED, e);
}

static int look_back(struct ota *ota, struct db *db, struct arena *a, const struct device *d,
                     const char *version, bool moved, struct err *e)
{
    struct action last;
    struct release r;
    int rc = store_action_last(db, a, d->pk, &last, e);
    if (rc != 0 || last.pk == 0 || last.closed_at == 0)
        return rc;
    rc = store_release_by_pk(db, a, last.release, &r, e);
    if (rc != 0)
        return rc;
    bool runs_it = strcmp(version, r.version) == 0;
    bool ran_before = last.version_before != NULL && strcmp(version, last.version_before) == 0;
    if (last.state == ACTION_SUCCEEDED && ran_before && !runs_it)
        return fell_back(ota, db, a, d, &last, r.version, version, moved, e);
    bool doubted = !moved && ran_before && d->attributes_wanted == ATTRIBUTES_DOUBTED;
    if (last.state == ACTION_FAILED && doubted && clock_unix_ms(ota->clock) - last.closed_at > DOUBT_MS)
        return store_device_set_attributes_wanted(db, d->pk, ATTRIBUTES_TOLD, e);
    if (last.state == ACTION_FAILED && runs_it)
        return correct(ota, db, a, &last, ACTION_SUCCEEDED, arena_printf(a, "it runs %s after all", version),
                       e);
    return 0;
}

int ota_version_reported(struct ota *ota, struct db *db, struct arena *a, struct device *d,
                         const char *version, bool *changed, struct err *e)
{
    *changed = d->version == NULL || strcmp(d->version, version) != 0;
    if (!*changed && d->version_assumed) /* it has said so now */
        return store_device_set_version_assumed(db, d->pk, false, e);
    if (!*changed) /* where success names no version, what is said next shows what it was worth */
        return d->ddi ? look_back(ota, db, a, d, version, false, e) : 0;
    int rc = store_device_set_version(db, d->pk, version, clock_unix_ms(ota->clock), e);
    if (rc == 0)
        rc = look_back(ota, db, a, d, version, true, e);
    if (rc == 0)
        rc = store_member_reopen(db, d->pk, e);
    if (rc == 0)
        d->version = version;
    return rc;
}
