#include "ota/why.h"

#include "ota/ota.h"
#include "ota/seen.h"
#include "store/actions.h"
#include "store/candidates.h"
#include "store/db.h"
#include "store/deployments.h"
#include "store/devices.h"
#include "store/phases.h"

struct asking {
    struct db *db;
    struct arena *arena;
    int64_t now;
    struct device device;
    struct gathered g;
    struct action called_off; /* pk 0: none; the next poll closes it */
    struct select_decision decision;
    struct why *out;
};

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory to tell why");
}

/* --- numbers ------------------------------------------------------------------------------------------- */

static int measure_phase(struct asking *q, const struct candidate *c, struct why_line *l, struct err *e)
{
    struct phase open;
    int rc = store_phase(q->db, q->arena, c->deployment, c->open_phase, &open, e);
    if (rc != 0)
        return rc;
    l->waits_for = c->open_phase + 1;
    l->need_percent = (int)open.success_percent;
    l->have = open.members[MEMBER_SUCCEEDED];
    l->of =
        l->have + open.members[MEMBER_WAITING] + open.members[MEMBER_ACTIVE] + open.members[MEMBER_FAILED];
    return 0;
}

static int measure_preparing(struct asking *q, struct why_line *l, struct err *e)
{
    int64_t last;
    int rc = store_device_last_pk(q->db, &last, e);
    if (rc == 0 && last > 0)
        l->prepared_percent = (int)(l->deployment.looked < last ? 100 * l->deployment.looked / last : 99);
    return rc;
}

static int measure(struct asking *q, const struct candidate *c, struct why_line *l, struct err *e)
{
    enum select_window window;
    l->phase = 1 + (l->has_part ? l->member.phase : c->phase);
    l->phases = l->deployment.phases;
    switch (l->reason) {
    case REASON_PHASE:
        return measure_phase(q, c, l, e);
    case REASON_PREPARING:
        return measure_preparing(q, l, e);
    case REASON_WINDOW:
        return ota_window(q->arena, &c->policy, &q->device, q->now, &window, &l->at, e);
    case REASON_UNDER_WAY: /* over hawkBit's protocol it is given outside the window too */
        if (q->device.ddi && action_may_cancel(l->action.state)) {
            int rc = ota_window(q->arena, &c->policy, &q->device, q->now, &window, &l->at, e);
            l->closed = rc == 0 && window == SELECT_WINDOW_CLOSED;
            l->at = l->closed ? l->at : 0;
            return rc;
        }
        break;
    case REASON_SCHEDULED:
        l->at = l->deployment.policy.start_at;
        break;
    case REASON_RETRY:
        l->at = c->retry_at;
        break;
    case REASON_RATE:
        l->at = (c->minute + 1) * 60000;
        break;
    case REASON_BUSY:
        l->first = q->g.facts.open != NULL ? q->g.open.deployment : 0;
        break;
    case REASON_PRIORITY:
        l->first = q->decision.deployment;
        break;
    default:
        break;
    }
    return 0;
}

/* --- one candidate ------------------------------------------------------------------------------------- */

/* What the decision makes of one that nothing else stands in the way of, or that is under way. */
static enum reason settle(const struct asking *q, const struct candidate *c, enum reason alone)
{
    const struct select_decision *d = &q->decision;
    if (alone == REASON_BUSY && q->called_off.pk != 0 && q->called_off.deployment == c->deployment)
        return REASON_CANCELLING;
    if (alone == REASON_UNDER_WAY)
        return d->deployment == c->deployment ? d->reason : REASON_PRIORITY;
    if (alone != REASON_NEWER && alone != REASON_BACK)
        return alone;
    if (d->chosen == c)
        return d->reason;
    return d->chosen != NULL ? REASON_PRIORITY : REASON_BUSY;
}

static bool is_given(enum reason r)
{
    return r == REASON_NEWER || r == REASON_BACK || r == REASON_SUPERSEDES || r == REASON_UNDER_WAY;
}

static int find_part(struct asking *q, struct why_line *l, struct err *e)
{
    int rc = store_member_get(q->db, q->arena, l->deployment.pk, q->device.pk, &l->member, &l->has_part, e);
    return rc != 0 ? rc
                   : store_action_last_of(q->db, q->arena, q->device.pk, l->deployment.pk, &l->action, e);
}

static int add(struct asking *q, const struct candidate *c, enum reason reason, struct err *e)
{
    struct why_line *l = &q->out->lines[q->out->count];
    *l = (struct why_line){.reason = reason, .gets = is_given(reason)};
    int rc = store_deployment_by_pk(q->db, q->arena, c->deployment, &l->deployment, e);
    if (rc == 0)
        rc = find_part(q, l, e);
    if (rc == 0)
        rc = measure(q, c, l, e);
    if (rc == 0)
        rc = why_say(q->arena, &q->g.facts, c, l, e);
    if (rc == 0)
        q->out->count++;
    return rc;
}

static int add_candidates(struct asking *q, int64_t only, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; i < q->g.facts.count && rc == 0; i++) {
        const struct candidate *c = &q->g.candidates[i];
        if (only == 0 || only == c->deployment)
            rc = add(q, c, settle(q, c, ota_select_one(&q->g.facts, i)), e);
    }
    return rc;
}

static int add_ended(struct asking *q, int64_t deployment, struct err *e)
{
    const struct candidate c = {.deployment = deployment, .open_phase = 0};
    return add(q, &c, REASON_DONE, e);
}

static int add_last_ended(struct asking *q, struct err *e)
{
    int64_t ended[WHY_ENDED];
    size_t count = 0;
    int rc = store_member_ended(q->db, q->device.pk, WHY_LOOK, WHY_ENDED, ended, &count, e);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = add_ended(q, ended[i], e);
    return rc;
}

/* --- one that was asked for ---------------------------------------------------------------------------- */

static int matches(struct asking *q, const struct deployment *d, bool *out, struct err *e)
{
    *out = false;
    if (d->kind == TARGET_LIST || d->kind == TARGET_DEPLOYMENT)
        return 0; /* its members were named */
    const char *filter = deployment_filter(d->kind, d->target, q->arena);
    if (filter == NULL)
        return no_memory(e);
    return ota_match(q->db, q->arena, &q->device, filter, q->now, out, e);
}

/* A deployment of which the device has no part, and that a poll does not look at for it. */
static int add_foreign(struct asking *q, const struct deployment *d, struct err *e)
{
    struct candidate c = {.deployment = d->pk};
    bool fits = false, match = false;
    int rc = store_candidate_of(q->db, q->arena, d->pk, q->device.model, &c, &fits, e);
    if (rc == 0)
        rc = matches(q, d, &match, e);
    if (rc != 0)
        return rc;
    if (!fits || !match)
        return add(q, &c, fits ? REASON_NO_MATCH : REASON_MODEL, e);
    if (d->prepared_at == 0 && !deployment_is_over(d->state))
        return add(q, &c, REASON_PREPARING, e);
    if (!d->policy.dynamic)
        return add(q, &c, REASON_LATE, e);
    struct select_facts alone = q->g.facts;
    enum select_window window = SELECT_WINDOW_NONE;
    alone.candidates = &c;
    alone.windows = &window;
    alone.count = 1;
    rc = ota_window(q->arena, &c.policy, &q->device, q->now, &window, &(int64_t){0}, e);
    return rc != 0 ? rc : add(q, &c, settle(q, &c, ota_select_one(&alone, 0)), e);
}

static int add_one(struct asking *q, int64_t deployment, struct err *e)
{
    struct deployment d;
    struct member m;
    bool part = false;
    int rc = store_deployment_by_pk(q->db, q->arena, deployment, &d, e);
    if (rc == 0)
        rc = add_candidates(q, deployment, e);
    if (rc != 0 || q->out->count > 0)
        return rc;
    rc = store_member_get(q->db, q->arena, deployment, q->device.pk, &m, &part, e);
    if (rc != 0)
        return rc;
    return part ? add_ended(q, deployment, e) : add_foreign(q, &d, e);
}

/* --- all ----------------------------------------------------------------------------------------------- */

static int decide(struct asking *q, struct err *e)
{
    struct action *open = &q->g.open;
    int rc = store_action_open(q->db, q->arena, q->device.pk, open, e);
    if (rc == 0 && open->pk != 0 && open->called_off && action_may_cancel(open->state)) {
        q->called_off = *open;
        *open = (struct action){0}; /* the next poll sees to it first */
    }
    if (rc == 0)
        rc = ota_gather(q->db, q->arena, &q->device, q->device.version, q->device.ddi, q->now, &q->g, e);
    if (rc == 0)
        q->decision = ota_select(&q->g.facts);
    return rc;
}

/* The sentence of the deployment that it is about, or the reason's own. */
static void conclude(struct asking *q)
{
    struct why *w = q->out;
    w->reason = q->decision.reason;
    w->deployment = q->decision.deployment;
    w->text = reason_text(w->reason);
    for (size_t i = 0; i < w->count; i++)
        if (w->deployment != 0 && w->lines[i].deployment.pk == w->deployment &&
            w->lines[i].reason == w->reason)
            w->text = w->lines[i].text;
    if (q->device.revoked_at != 0) {
        w->reason = REASON_NOTHING;
        w->deployment = 0;
        w->text = "the device is revoked: all that it asks is refused";
    }
}

static int ask(struct ota *ota, struct asking *q, const char *id, int64_t only, struct err *e)
{
    int rc = store_device_by_id(q->db, q->arena, id, &q->device, e);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, rc, "there is no device \"%s\"", id);
    if (rc != 0)
        return rc;
    seen_show(ota->seen, &q->device, q->now);
    rc = decide(q, e);
    if (rc != 0)
        return rc;
    rc = only != 0 ? add_one(q, only, e) : add_candidates(q, 0, e);
    if (rc == 0 && only == 0)
        rc = add_last_ended(q, e);
    q->out->device = q->device;
    conclude(q);
    return rc;
}

int ota_why(struct ota *ota, struct db *db, struct arena *a, const char *device, int64_t deployment,
            struct why *out, struct err *e)
{
    struct why w = {.lines = arena_array(a, struct why_line, WHY_LINES)};
    struct asking q = {.db = db, .arena = a, .now = clock_unix_ms(ota->clock), .out = &w};
    if (w.lines == NULL)
        return no_memory(e);
    int rc = db_read_begin(db, e);
    if (rc == 0)
        rc = ask(ota, &q, device, deployment, e);
    db_read_end(db);
    if (rc == 0)
        *out = w;
    return rc;
}
