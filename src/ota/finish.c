#include "ota/finish.h"

#include "ota/announce.h"
#include "ota/deploy.h"
#include "ota/gather.h"
#include "ota/ota.h"
#include "store/actions.h"
#include "store/db.h"
#include "store/deployments.h"
#include "store/devices.h"
#include "store/events.h"
#include "store/members.h"
#include "store/phases.h"

#define SERVER "server" /* who did it, when nobody did */

/* --- deployments --------------------------------------------------------------------------------------- */

int ota_deployment_note(struct db *db, struct arena *a, const char *who, const struct deployment *d,
                        const char *what, const char *why, int64_t now, struct err *e)
{
    const char *kind = arena_printf(a, "deployment.%s", what);
    const char *subject = arena_printf(a, "deployment/%lld", (long long)d->pk);
    const char *detail = arena_printf(a, "%s %s for %s%s%s%s%s", d->release_name, d->release_version,
                                      target_kind_word(d->kind), d->target[0] != '\0' ? " " : "", d->target,
                                      why[0] != '\0' ? ": " : "", why);
    if (kind == NULL || subject == NULL || detail == NULL)
        return err_set(e, ERR_NOMEM, "no memory to note an event");
    return store_event_add(db, now, kind, who, subject, detail, e);
}

int ota_deployment_move(struct ota *ota, struct db *db, struct arena *a, const char *who,
                        struct deployment *d, enum deployment_state to, const char *what, const char *why,
                        struct err *e)
{
    int64_t now = clock_unix_ms(ota->clock);
    if (!deployment_may_move(d->state, to))
        return err_set(e, ERR_CONFLICT, "deployment %lld is %s and cannot become %s", (long long)d->pk,
                       deployment_state_word(d->state), deployment_state_word(to));
    d->state = to;
    d->why = why;
    if (deployment_is_over(to))
        d->closed_at = now;
    int rc = store_deployment_move(db, d, e);
    if (rc == 0)
        rc = ota_deployment_note(db, a, who, d, what, why, now, e);
    return rc != 0 ? rc : announce_deployment(ota, db, d, e);
}

int ota_phase_open(struct ota *ota, struct db *db, struct arena *a, const char *who, struct deployment *d,
                   struct err *e)
{
    int64_t now = clock_unix_ms(ota->clock);
    const char *why = arena_printf(a, "phase %d of %d", d->phase + 2, d->phases);
    if (why == NULL)
        return err_set(e, ERR_NOMEM, "no memory to open a phase");
    d->phase++;
    d->why = "";
    int rc = store_phase_open(db, d->pk, d->phase, now, e);
    if (rc == 0)
        rc = ota_deployment_note(db, a, who, d, "phase", why, now, e);
    return rc != 0 ? rc : announce_deployment(ota, db, d, e);
}

/* As things are when it stops: devices that have begun may fail after it. NULL: no memory. */
static const char *why_stopped(struct arena *a, const struct deployment *d, int number, const struct phase *p)
{
    long long failed = p->members[MEMBER_FAILED];
    bool counted = p->error_count != 0 && failed >= p->error_count;
    long long limit = counted ? p->error_count : p->error_percent;
    return arena_printf(a, "stopped when %lld device%s of phase %d of %d had failed (limit %lld %s)", failed,
                        failed == 1 ? "" : "s", number + 1, d->phases, limit,
                        !counted     ? "%"
                        : limit == 1 ? "device"
                                     : "devices");
}

static int stop(struct ota *ota, struct db *db, struct arena *a, struct deployment *d, int number,
                const struct phase *p, struct err *e)
{
    const char *why = why_stopped(a, d, number, p);
    if (why == NULL)
        return err_set(e, ERR_NOMEM, "no memory to pause a deployment");
    if (d->policy.rollback != 0)
        return ota_deploy_back(ota, db, a, d, why, e);
    return ota_deployment_move(ota, db, a, SERVER, d, DEPLOYMENT_PAUSED, "paused", why, e);
}

/* Too few have succeeded and nobody else is to come: it stays where it is until a person opens the next
   phase, or a device turns out to run the release after all. */
static int note_short(struct ota *ota, struct db *db, struct arena *a, struct deployment *d,
                      const struct phase *p, struct err *e)
{
    int64_t good = p->members[MEMBER_SUCCEEDED], failed = p->members[MEMBER_FAILED];
    const char *why = arena_printf(
        a, "phase %d of %d fell short: %lld of its %lld devices have succeeded, and %lld %% were to",
        d->phase + 1, d->phases, (long long)good, (long long)(good + failed), (long long)p->success_percent);
    if (why == NULL)
        return err_set(e, ERR_NOMEM, "no memory to look at a deployment");
    if (strcmp(d->why, why) == 0)
        return 0; /* said already */
    d->why = why;
    int rc = store_deployment_move(db, d, e);
    return rc != 0 ? rc : ota_deployment_note(db, a, SERVER, d, "short", why, clock_unix_ms(ota->clock), e);
}

/* Nobody can join, and everybody is through. */
static bool is_done(const struct deployment *d, const struct phase *phases)
{
    if (d->policy.dynamic || d->phase + 1 < d->phases)
        return false;
    for (int i = 0; i < d->phases; i++)
        if (phases[i].members[MEMBER_WAITING] != 0 || phases[i].members[MEMBER_ACTIVE] != 0)
            return false;
    return true;
}

/* failed: the phase in which a device has just failed, -1 for none. */
static int advance(struct ota *ota, struct db *db, struct arena *a, int64_t deployment, int failed,
                   struct err *e)
{
    struct deployment d;
    struct phase *phases;
    size_t count;
    int rc = store_deployment_by_pk(db, a, deployment, &d, e);
    if (rc != 0 || d.state != DEPLOYMENT_RUNNING)
        return rc;
    rc = store_phases(db, a, deployment, &phases, &count, e);
    if (rc == 0 && (int)count != d.phases)
        rc = err_set(e, ERR_CORRUPT, "deployment %lld has lost phases", (long long)deployment);
    if (rc != 0)
        return rc;
    if (failed >= 0 && failed < d.phases && phase_broken(&phases[failed]))
        return stop(ota, db, a, &d, failed, &phases[failed], e);
    if (d.prepared_at == 0)
        return 0; /* nobody knows yet how many there are */
    while (rc == 0 && d.phase + 1 < d.phases && phase_passed(&phases[d.phase]))
        rc = ota_phase_open(ota, db, a, SERVER, &d, e);
    if (rc == 0 && d.phase + 1 < d.phases && phase_fell_short(&phases[d.phase]))
        rc = note_short(ota, db, a, &d, &phases[d.phase], e);
    if (rc == 0 && is_done(&d, phases))
        rc = ota_deployment_move(ota, db, a, SERVER, &d, DEPLOYMENT_FINISHED, "finished", "", e);
    return rc;
}

int ota_advance(struct ota *ota, struct db *db, struct arena *a, const struct member *m, bool failed,
                struct err *e)
{
    return advance(ota, db, a, m->deployment, failed ? m->phase : -1, e);
}

int ota_advance_deployment(struct ota *ota, struct db *db, struct arena *a, int64_t deployment, struct err *e)
{
    return advance(ota, db, a, deployment, -1, e);
}

/* --- actions ------------------------------------------------------------------------------------------- */

/* How long after the n-th failure it is tried again: doubled each time, at most a day. */
static int64_t wait_ms(const struct deployment_policy *p, int64_t attempts)
{
    int64_t s = p->retry_seconds;
    for (int64_t i = 1; i < attempts && s < DEPLOYMENT_RETRY_SECONDS_MAX; i++)
        s *= 2;
    return 1000 * (s < DEPLOYMENT_RETRY_SECONDS_MAX ? s : DEPLOYMENT_RETRY_SECONDS_MAX);
}

static void move_member(const struct deployment *d, const struct action *act, bool again, struct member *m)
{
    const struct deployment_policy *p = &d->policy;
    m->why = act->message[0] != '\0' ? act->message : NULL;
    m->retry_at = 0;
    switch (act->state) {
    case ACTION_SUCCEEDED:
    case ACTION_DOWNLOADED:
        m->state = MEMBER_SUCCEEDED;
        return;
    case ACTION_FAILED:
        again = again && !deployment_is_over(d->state) && m->attempts <= p->retries;
        m->state = again ? MEMBER_WAITING : MEMBER_FAILED;
        if (m->state == MEMBER_WAITING)
            m->retry_at = act->closed_at + wait_ms(p, m->attempts);
        return;
    default:
        m->state = MEMBER_CANCELLED;
    }
}

static int write_event(struct db *db, struct arena *a, const struct deployment *d, const struct action *act,
                       struct err *e)
{
    if (act->state != ACTION_SUCCEEDED && act->state != ACTION_FAILED)
        return 0;
    bool good = act->state == ACTION_SUCCEEDED;
    const char *detail =
        arena_printf(a, "%s %s %s (deployment %lld, was %s)%s%s", d->release_name, d->release_version,
                     good ? "installed" : "not installed", (long long)d->pk,
                     act->version_before != NULL ? act->version_before : "unknown",
                     act->message[0] != '\0' ? ": " : "", act->message);
    if (detail == NULL)
        return err_set(e, ERR_NOMEM, "no memory to note an event");
    return store_event_add(db, act->closed_at, good ? "action.succeeded" : "action.failed", act->device_id,
                           act->device_id, detail, e);
}

int ota_action_close(struct ota *ota, struct db *db, struct arena *a, struct action *act, bool again,
                     struct err *e)
{
    struct deployment d;
    struct member m;
    bool found = false;
    act->updated_at = act->closed_at = clock_unix_ms(ota->clock);
    int rc = store_deployment_by_pk(db, a, act->deployment, &d, e);
    if (rc == 0)
        rc = store_action_update(db, act, e);
    if (rc == 0)
        rc = store_action_status_add(db, act, e);
    if (rc == 0)
        rc = write_event(db, a, &d, act, e);
    if (rc == 0)
        rc = store_member_get(db, a, act->deployment, act->device, &m, &found, e);
    if (rc != 0 || !found)
        return rc;
    move_member(&d, act, again, &m);
    rc = store_member_update(db, &m, e);
    return rc != 0 ? rc : ota_advance(ota, db, a, &m, m.state == MEMBER_FAILED, e);
}

int ota_action_drop(struct ota *ota, struct db *db, struct arena *a, struct action *act, const char *why,
                    struct err *e)
{
    act->state = ACTION_CANCELLED;
    act->progress = ACTION_PROGRESS_NONE;
    act->message = why;
    return ota_action_close(ota, db, a, act, false, e);
}

static int end_action(struct ota *ota, struct db *db, struct arena *a, int64_t device, const char *why,
                      bool *more, struct err *e)
{
    struct action act;
    int rc = store_action_open(db, a, device, &act, e);
    *more = rc == 0 && act.pk != 0;
    if (!*more)
        return rc;
    return ota_action_drop(ota, db, a, &act, why, e);
}

static int end_member(struct ota *ota, struct db *db, struct arena *a, int64_t device, const char *why,
                      bool *more, struct err *e)
{
    struct member m;
    int rc = store_member_open(db, a, device, &m, more, e);
    if (rc != 0 || !*more)
        return rc;
    m.state = MEMBER_CANCELLED;
    m.why = why;
    m.retry_at = 0;
    rc = store_member_update(db, &m, e);
    return rc != 0 ? rc : ota_advance(ota, db, a, &m, false, e);
}

int ota_device_ends(struct ota *ota, struct db *db, int64_t device, const char *why, struct err *e)
{
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    bool more = true;
    int rc = 0;
    for (; rc == 0 && more; arena_reset(&a))
        rc = end_action(ota, db, &a, device, why, &more, e);
    for (more = true; rc == 0 && more; arena_reset(&a))
        rc = end_member(ota, db, &a, device, why, &more, e);
    return rc;
}

int ota_action_ask_cancel(struct ota *ota, struct db *db, struct action *act, const char *why, struct err *e)
{
    act->resume = act->state;
    act->state = ACTION_CANCELLING;
    act->message = why;
    act->updated_at = clock_unix_ms(ota->clock);
    int rc = store_action_update(db, act, e);
    return rc != 0 ? rc : store_action_status_add(db, act, e);
}

/* What is not begun while its deployment is paused may not be begun: it does not fail for that. */
static int wait_for_resume(struct ota *ota, struct db *db, struct arena *a, struct action *act, bool *waits,
                           struct err *e)
{
    struct deployment d;
    struct device device;
    int rc = store_deployment_by_pk(db, a, act->deployment, &d, e);
    *waits = rc == 0 && d.state == DEPLOYMENT_PAUSED && act->state == ACTION_OFFERED && !act->retrieved;
    if (!*waits)
        return rc;
    rc = store_device_by_pk(db, a, act->device, &device, e);
    if (rc == 0)
        rc = ota_deadline(a, &d.policy, &device, clock_unix_ms(ota->clock), &act->deadline_at, e);
    return rc != 0 ? rc : store_action_update(db, act, e);
}

static int close_overdue(struct ota *ota, struct db *db, struct arena *a, bool *more, struct err *e)
{
    struct action act;
    int rc = store_action_overdue(db, a, clock_unix_ms(ota->clock), &act, e);
    if (rc != 0)
        return rc;
    *more = act.pk != 0;
    bool waits = false;
    if (act.pk != 0)
        rc = wait_for_resume(ota, db, a, &act, &waits, e);
    if (rc != 0 || waits || act.pk == 0)
        return rc;
    bool asked = act.state == ACTION_CANCELLING;
    act.message = asked ? "cancelled; the device did not say so in time"
                        : arena_printf(a, "nothing was heard of its end in time; it was %s last",
                                       action_state_word(act.state));
    if (act.message == NULL)
        return err_set(e, ERR_NOMEM, "no memory to close an action");
    act.state = asked ? ACTION_CANCELLED : ACTION_FAILED;
    rc = ota_action_close(ota, db, a, &act, true, e);
    return rc != 0 ? rc : announce_device(ota, db, act.device, e);
}

int ota_overdue_slice(struct ota *ota, struct db *db, bool *more, struct err *e)
{
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    int64_t until = clock_mono_ms(ota->clock) + OTA_SLICE_MS;
    int rc;
    do {
        arena_reset(&a);
        rc = close_overdue(ota, db, &a, more, e);
    } while (rc == 0 && *more && clock_mono_ms(ota->clock) < until);
    return rc;
}
