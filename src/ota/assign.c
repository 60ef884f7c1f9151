#include "ota/assign.h"

#include "model/window.h"
#include "ota/announce.h"
#include "ota/deploy.h"
#include "ota/finish.h"
#include "ota/modules.h"
#include "ota/ota.h"
#include "store/actions.h"
#include "store/consents.h"
#include "store/devices.h"
#include "store/events.h"
#include "store/members.h"
#include "store/releases.h"

#define OPEN_MAX 64 /* actions of one device that are looked at */

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory to assign a distribution set");
}

struct deployment_policy ota_assign_policy(void)
{
    struct deployment_policy p = ota_default_policy(TARGET_LIST);
    p.allow_downgrade = true; /* who names a device and a release means it */
    return p;
}

/* Devices that are assigned it on the same terms. */
struct group {
    const struct deployment_policy *policy;
    int64_t *pks;
    struct device *devices;
    size_t count;
};

struct assigning {
    struct ota *ota;
    struct db *db;
    struct arena *arena;
    const char *who;
    int64_t now;
    size_t most; /* devices that were named */
    struct release release;
    struct group *groups[ASSIGN_TERMS_MAX];
    size_t group_count;
    struct assigned done;
};

/* --- before anything is written ---------------------------------------------------------------------- */

static bool same_text(const char *x, const char *y)
{
    return x == y || (x != NULL && y != NULL && strcmp(x, y) == 0);
}

static bool same_terms(const struct deployment_policy *x, const struct deployment_policy *y)
{
    return x->mode == y->mode && x->force_at == y->force_at && x->priority == y->priority &&
           x->consent == y->consent && x->window_seconds == y->window_seconds &&
           same_text(x->window_schedule, y->window_schedule) && same_text(x->window_zone, y->window_zone);
}

static int group_of(struct assigning *s, const struct deployment_policy *p, struct group **out, struct err *e)
{
    for (size_t i = 0; i < s->group_count; i++)
        if (same_terms(s->groups[i]->policy, p)) {
            *out = s->groups[i];
            return 0;
        }
    if (s->group_count == ASSIGN_TERMS_MAX)
        return err_set(e, ERR_INVALID, "at most %d different terms in one assignment", ASSIGN_TERMS_MAX);
    struct group *g = arena_new(s->arena, struct group);
    if (g == NULL)
        return no_memory(e);
    g->policy = p;
    g->devices = arena_array(s->arena, struct device, s->most);
    g->pks = arena_array(s->arena, int64_t, s->most);
    if (g->devices == NULL || g->pks == NULL)
        return no_memory(e);
    *out = s->groups[s->group_count++] = g;
    return 0;
}

/* What hawkBit calls the assigned distribution set: what the device is at, or has. */
static int has_already(struct assigning *s, const struct device *d, bool *out, struct err *e)
{
    struct action last;
    int64_t installed = 0;
    *out = false;
    int rc = store_action_last(s->db, s->arena, d->pk, &last, e);
    if (rc != 0 || last.pk == 0)
        return rc;
    if (last.closed_at == 0 && last.state != ACTION_CANCELLING) {
        *out = last.release == s->release.pk;
    } else if (last.state != ACTION_FAILED) {
        rc = store_action_succeeded(s->db, d->pk, &installed, e);
        *out = installed == s->release.pk;
    }
    return rc;
}

static int take(struct assigning *s, const struct assignment *one, struct err *e)
{
    struct device d;
    struct group *g;
    bool already;
    int rc = store_device_by_id(s->db, s->arena, one->device, &d, e);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, rc, "there is no target \"%s\"", one->device);
    if (rc == 0 && d.revoked_at != 0)
        rc = err_set(e, ERR_CONFLICT, "the target %s is revoked", d.id);
    if (rc == 0 && !release_fits(&s->release, d.model))
        rc = err_set(e, ERR_CONFLICT, "%s %s does not fit the target %s: that is a %s", s->release.name,
                     s->release.version, d.id, d.model);
    if (rc == 0)
        rc = group_of(s, &one->policy, &g, e);
    if (rc == 0)
        rc = has_already(s, &d, &already, e);
    if (rc != 0)
        return rc;
    if (already) {
        s->done.already++;
        return 0;
    }
    for (size_t i = 0; i < s->group_count; i++)
        for (size_t k = 0; k < s->groups[i]->count; k++)
            if (s->groups[i]->pks[k] == d.pk)
                return err_set(e, ERR_INVALID, "the target %s is named twice", d.id);
    g->pks[g->count] = d.pk;
    g->devices[g->count++] = d;
    return 0;
}

static int check_window(struct assigning *s, const struct deployment_policy *p, struct err *e)
{
    struct window w = {.seconds = p->window_seconds};
    struct window_state state;
    if (p->window_schedule == NULL)
        return 0;
    int rc = cron_parse(str_of(p->window_schedule), s->arena, &w.schedule, e);
    if (rc == 0)
        rc = window_parse_zone(str_of(p->window_zone), &w.offset_minutes, e);
    if (rc != 0)
        return e != NULL ? err_context(e, "maintenanceWindow") : rc;
    window_at(&w, s->now / 1000, &state);
    if (!state.open && state.begins_s == 0)
        return err_set(e, ERR_INVALID, "maintenanceWindow: it never comes");
    return 0;
}

static int find_set(struct assigning *s, int64_t release, struct err *e)
{
    struct set set;
    int rc = ota_set_show(s->db, s->arena, release, &set, e);
    if (rc == 0 && !ota_set_is_complete(&set))
        rc = err_set(e, ERR_INVALID,
                     "the distribution set %s %s is not complete: its type %s demands a software module that "
                     "it does not have",
                     set.release.name, set.release.version, set.type);
    if (rc != 0)
        return rc;
    s->release = set.release;
    return store_release_details(s->db, s->arena, &s->release, e);
}

/* --- what a device is at ----------------------------------------------------------------------------- */

static int give_up(struct assigning *s, const struct device *d, const char *why, struct err *e)
{
    struct action *open = arena_array(s->arena, struct action, OPEN_MAX);
    size_t count = 0;
    if (open == NULL || why == NULL)
        return no_memory(e);
    int rc = store_action_opens(s->db, s->arena, d->pk, OPEN_MAX, open, &count, e);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct action *act = &open[i];
        act->device_id = d->id;
        if (act->state == ACTION_CANCELLING)
            continue;
        if (d->ddi && act->state != ACTION_WAITING)
            rc = ota_action_ask_cancel(s->ota, s->db, act, why, e);
        else if (action_may_cancel(act->state))
            rc = ota_action_drop(s->ota, s->db, s->arena, act, why, e);
    }
    return rc;
}

/* --- and what it gets -------------------------------------------------------------------------------- */

static int begin(struct assigning *s, const struct deployment *made, const struct device *d, struct err *e)
{
    bool agreed = false;
    int rc = give_up(s, d, arena_printf(s->arena, "superseded by deployment %lld", (long long)made->pk), e);
    if (rc == 0 && made->policy.consent)
        rc = store_auto_confirm_has(s->db, d->pk, &agreed, e);
    const char *said = arena_printf(s->arena, "Update Server: assignment initiated by user '%s'", s->who);
    if (rc == 0 && said == NULL)
        rc = no_memory(e);
    const struct member m = {.deployment = made->pk, .device = d->pk, .state = MEMBER_ACTIVE, .attempts = 1};
    struct action act = {
        .deployment = made->pk,
        .device = d->pk,
        .release = made->release,
        .device_id = d->id,
        .attempt = 1,
        .state = made->policy.consent && !agreed ? ACTION_WAITING : ACTION_OFFERED,
        .progress = ACTION_PROGRESS_NONE,
        .message = "",
        .said = said,
        .version_before = d->version,
        .created_at = s->now,
        .updated_at = s->now,
    };
    if (rc == 0)
        rc = store_member_update(s->db, &m, e);
    if (rc == 0)
        rc = store_action_add(s->db, &act, e);
    if (rc == 0)
        rc = store_action_status_add(s->db, &act, e);
    if (rc == 0)
        rc = announce_device(s->ota, s->db, d->pk, e);
    if (rc != 0)
        return rc;
    s->done.devices[s->done.count] = d->id;
    s->done.actions[s->done.count++] = act.pk;
    return 0;
}

static int deploy(struct assigning *s, const struct group *g, struct err *e)
{
    const struct deploy asked = {
        .release = s->release.pk,
        .kind = TARGET_LIST,
        .devices = g->pks,
        .device_count = g->count,
        .policy = *g->policy,
    };
    struct deployment made;
    if (g->count == 0)
        return 0;
    int rc = ota_deploy(s->ota, s->db, s->arena, s->who, &asked, &made, e);
    if (rc != 0)
        return rc;
    if (made.state != DEPLOYMENT_RUNNING) {
        s->done.approval += g->count;
        return 0;
    }
    for (size_t i = 0; rc == 0 && i < g->count; i++)
        rc = begin(s, &made, &g->devices[i], e);
    return rc;
}

int ota_assign(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t release,
               const struct assignment *list, size_t count, struct assigned *out, struct err *e)
{
    struct assigning *s = arena_new(a, struct assigning);
    if (s == NULL)
        return no_memory(e);
    *s = (struct assigning){
        .ota = ota, .db = db, .arena = a, .who = who, .now = clock_unix_ms(ota->clock), .most = count};
    if (count > ASSIGN_DEVICES_MAX)
        return err_set(e, ERR_TOO_LARGE, "at most %d targets in one assignment", ASSIGN_DEVICES_MAX);
    s->done.actions = arena_array(a, int64_t, count + 1);
    s->done.devices = arena_array(a, const char *, count + 1);
    if (s->done.actions == NULL || s->done.devices == NULL)
        return no_memory(e);
    int rc = find_set(s, release, e);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = take(s, &list[i], e);
    for (size_t i = 0; rc == 0 && i < s->group_count; i++)
        rc = check_window(s, s->groups[i]->policy, e);
    for (size_t i = 0; rc == 0 && i < s->group_count; i++)
        rc = deploy(s, s->groups[i], e);
    if (rc == 0)
        *out = s->done;
    return rc;
}

/* --- taking one back --------------------------------------------------------------------------------- */

static int cancel(struct ota *ota, struct db *db, struct arena *a, const char *who, const struct device *d,
                  struct action *act, bool force, struct err *e)
{
    const char *why = arena_printf(a,
                                   force ? "Update Server: force quit by user '%s'"
                                         : "Update Server: cancellation requested by user '%s'",
                                   who);
    if (why == NULL)
        return no_memory(e);
    if (act->closed_at != 0)
        return err_set(e, ERR_GONE, "action %lld is over (%s)", (long long)act->pk,
                       action_state_word(act->state));
    if (force && act->state != ACTION_CANCELLING)
        return err_set(e, ERR_GONE,
                       "action %lld: its device was not asked yet to give it up, and only then "
                       "force counts",
                       (long long)act->pk);
    if (!force && act->state == ACTION_CANCELLING)
        return err_set(e, ERR_GONE,
                       "action %lld: its device was asked already; force=true does not wait for "
                       "its answer",
                       (long long)act->pk);
    if (force || (act->state == ACTION_WAITING || (!d->ddi && action_may_cancel(act->state))))
        return ota_action_drop(ota, db, a, act, why, e);
    if (!d->ddi)
        return err_set(e, ERR_GONE, "action %lld is being installed: it may finish", (long long)act->pk);
    return ota_action_ask_cancel(ota, db, act, why, e);
}

int ota_action_cancel(struct ota *ota, struct db *db, struct arena *a, const char *who, const char *device_id,
                      int64_t action, bool force, struct err *e)
{
    struct device d;
    struct action act;
    int rc = store_device_by_id(db, a, device_id, &d, e);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, rc, "there is no target \"%s\"", device_id);
    if (rc == 0)
        rc = store_action_by_pk(db, a, action, &act, e);
    if (rc == 0 && act.device != d.pk)
        rc = err_set(e, ERR_NOT_FOUND, "the target has no action %lld", (long long)action);
    if (rc == 0)
        rc = cancel(ota, db, a, who, &d, &act, force, e);
    const char *detail =
        arena_printf(a, "action %lld%s", (long long)action, force ? ", without its answer" : "");
    if (rc == 0 && detail == NULL)
        rc = no_memory(e);
    if (rc == 0)
        rc = store_event_add(db, clock_unix_ms(ota->clock), "action.cancel", who, d.id, detail, e);
    return rc != 0 ? rc : announce_device(ota, db, d.pk, e);
}
