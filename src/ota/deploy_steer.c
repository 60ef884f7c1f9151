/* Deployments that are under way: paused, resumed, approved, called off, started when it is time. */
#include "ota/announce.h"
#include "ota/deploy.h"
#include "ota/finish.h"
#include "ota/ota.h"
#include "store/actions.h"
#include "store/deployments.h"

/* --- the end ------------------------------------------------------------------------------------------- */

/* One device's action is over, or, where the device confirms that, it is asked. */
static int call_off(struct ota *ota, struct db *db, struct arena *a, struct action_to_cancel *it,
                    struct err *e)
{
    struct action *act = &it->action;
    if (it->ddi && act->state != ACTION_WAITING)
        return act->state == ACTION_CANCELLING ? 0 : ota_action_ask_cancel(ota, db, act, DEPLOY_CANCELLED, e);
    if (!action_may_cancel(act->state))
        return 0; /* it is being installed: it may finish */
    return ota_action_drop(ota, db, a, act, DEPLOY_CANCELLED, e);
}

/* Closes some of a cancelled deployment's actions and cancels some of its waiting devices; d->looked is the
   last device that was looked at. */
static int close_some(struct ota *ota, struct db *db, struct arena *a, struct deployment *d, bool *more,
                      struct err *e)
{
    struct action_to_cancel *list = arena_array(a, struct action_to_cancel, DEPLOY_SLICE);
    size_t count = 0;
    int64_t from = d->looked;
    if (list == NULL)
        return err_set(e, ERR_NOMEM, "no memory to cancel a deployment");
    int rc = store_member_cancel_some(db, d->pk, d->why, DEPLOY_SLICE, &d->looked, more, e);
    if (rc == 0)
        rc = store_action_open_of(db, a, d->pk, from, d->looked, DEPLOY_SLICE, list, &count, e);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = call_off(ota, db, a, &list[i], e);
    if (rc == 0)
        rc = store_deployment_looked(db, d, e);
    return rc != 0 ? rc : store_deployment_closing_set(db, d->pk, *more, e);
}

int ota_deploy_end(struct ota *ota, struct db *db, struct arena *a, const char *who, struct deployment *d,
                   enum deployment_state to, const char *what, const char *why, struct err *e)
{
    bool more;
    if (why == NULL)
        return err_set(e, ERR_NOMEM, "no memory to end a deployment");
    d->looked = 0;
    if (d->prepared_at == 0)
        d->prepared_at = clock_unix_ms(ota->clock); /* nobody is looked for any more */
    int rc = ota_deployment_move(ota, db, a, who, d, to, what, why, e);
    return rc != 0 ? rc : close_some(ota, db, a, d, &more, e);
}

int ota_deploy_slice(struct ota *ota, struct db *db, bool *more, struct err *e)
{
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    int64_t deployment = 0, until = clock_mono_ms(ota->clock) + OTA_SLICE_MS;
    int rc;
    do {
        struct deployment d;
        bool others;
        arena_reset(&a);
        rc = store_deployment_closing(db, &deployment, e);
        if (rc == 0 && deployment != 0)
            rc = store_deployment_by_pk(db, &a, deployment, &d, e);
        if (rc == 0 && deployment != 0)
            rc = close_some(ota, db, &a, &d, &others, e);
    } while (rc == 0 && deployment != 0 && clock_mono_ms(ota->clock) < until);
    if (rc == 0)
        *more = deployment != 0; /* this one's others, or another deployment's */
    return rc;
}

int ota_deploy_cancel(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t deployment,
                      struct deployment *out, struct err *e)
{
    struct deployment d;
    int rc = store_deployment_by_pk(db, a, deployment, &d, e);
    if (rc == 0 && d.state != DEPLOYMENT_CANCELLED)
        rc = ota_deploy_end(ota, db, a, who, &d, DEPLOYMENT_CANCELLED, "cancelled", DEPLOY_CANCELLED, e);
    if (rc == 0)
        *out = d;
    return rc;
}

/* --- in between ---------------------------------------------------------------------------------------- */

static int start(struct ota *ota, struct db *db, struct arena *a, const char *who, struct deployment *d,
                 const char *what, struct err *e)
{
    bool later = d->policy.start_at > clock_unix_ms(ota->clock);
    int rc = ota_deployment_move(ota, db, a, who, d, later ? DEPLOYMENT_SCHEDULED : DEPLOYMENT_RUNNING, what,
                                 "", e);
    return rc != 0 || later ? rc : ota_advance_deployment(ota, db, a, d->pk, e);
}

int ota_deploy_pause(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t deployment,
                     struct deployment *out, struct err *e)
{
    struct deployment d;
    const char *why = arena_printf(a, "paused by %s", who);
    if (why == NULL)
        return err_set(e, ERR_NOMEM, "no memory to pause a deployment");
    int rc = store_deployment_by_pk(db, a, deployment, &d, e);
    if (rc == 0 && d.state != DEPLOYMENT_PAUSED)
        rc = ota_deployment_move(ota, db, a, who, &d, DEPLOYMENT_PAUSED, "paused", why, e);
    if (rc == 0)
        *out = d;
    return rc;
}

int ota_deploy_resume(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t deployment,
                      struct deployment *out, struct err *e)
{
    struct deployment d;
    int rc = store_deployment_by_pk(db, a, deployment, &d, e);
    if (rc == 0 && d.state != DEPLOYMENT_RUNNING && d.state != DEPLOYMENT_PAUSED)
        rc = err_set(e, ERR_CONFLICT, "deployment %lld is %s, not paused", (long long)d.pk,
                     deployment_state_word(d.state));
    if (rc == 0 && d.state == DEPLOYMENT_PAUSED)
        rc = start(ota, db, a, who, &d, "resumed", e);
    return rc != 0 ? rc : store_deployment_by_pk(db, a, deployment, out, e);
}

int ota_deploy_next(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t deployment,
                    int64_t phase, struct deployment *out, struct err *e)
{
    struct deployment d;
    int rc = store_deployment_by_pk(db, a, deployment, &d, e);
    if (rc != 0)
        return rc;
    if (d.state != DEPLOYMENT_RUNNING)
        return err_set(e, ERR_CONFLICT, "deployment %lld is %s, not running", (long long)d.pk,
                       deployment_state_word(d.state));
    if (d.prepared_at == 0)
        return err_set(e, ERR_CONFLICT, "deployment %lld: its devices are still being put into phases",
                       (long long)d.pk);
    if (d.phase + 1 >= d.phases)
        return err_set(e, ERR_CONFLICT, "deployment %lld: its last phase is open already", (long long)d.pk);
    if (phase != 0 && phase != (int64_t)d.phase + 2)
        return err_set(e, ERR_CONFLICT, "deployment %lld: the phase that opens next is %lld by now, not %lld",
                       (long long)d.pk, (long long)d.phase + 2, (long long)phase);
    rc = ota_phase_open(ota, db, a, who, &d, e);
    if (rc == 0)
        rc = ota_advance_deployment(ota, db, a, d.pk, e);
    return rc != 0 ? rc : store_deployment_by_pk(db, a, deployment, out, e);
}

int ota_deploy_approve(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t deployment,
                       bool approve, struct deployment *out, struct err *e)
{
    struct deployment d;
    int rc = store_deployment_by_pk(db, a, deployment, &d, e);
    if (rc != 0)
        return rc;
    if (d.state != DEPLOYMENT_APPROVAL)
        return err_set(e, ERR_CONFLICT, "deployment %lld is %s: there is nothing to approve", (long long)d.pk,
                       deployment_state_word(d.state));
    if (approve && strcmp(who, d.created_by) == 0)
        return err_set(e, ERR_DENIED, "%s made deployment %lld: another person has to approve it", who,
                       (long long)d.pk);
    if (approve) {
        d.approved_at = clock_unix_ms(ota->clock);
        d.approved_by = who;
        rc = start(ota, db, a, who, &d, "approved", e);
    } else {
        rc = ota_deploy_end(ota, db, a, who, &d, DEPLOYMENT_DENIED, "denied",
                            arena_printf(a, "denied by %s", who), e);
    }
    return rc != 0 ? rc : store_deployment_by_pk(db, a, deployment, out, e);
}

int ota_start_slice(struct ota *ota, struct db *db, bool *more, struct err *e)
{
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    struct deployment d;
    int64_t pk;
    int rc = store_deployment_due(db, clock_unix_ms(ota->clock), &pk, e);
    if (rc == 0 && pk != 0)
        rc = store_deployment_by_pk(db, &a, pk, &d, e);
    if (rc == 0 && pk != 0)
        rc = start(ota, db, &a, "server", &d, "started", e);
    if (rc == 0)
        *more = pk != 0;
    return rc;
}
