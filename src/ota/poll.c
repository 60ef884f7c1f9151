#include "ota/poll.h"

#include "base/log.h"
#include "ota/announce.h"
#include "ota/deploy.h"
#include "ota/finish.h"
#include "ota/gather.h"
#include "ota/ota.h"
#include "ota/seen.h"
#include "ota/version.h"
#include "store/actions.h"
#include "store/asking.h"
#include "store/consents.h"
#include "store/db.h"
#include "store/deployments.h"
#include "store/devices.h"
#include "store/members.h"
#include "store/releases.h"

struct poll {
    struct ota *ota;
    struct db *db;
    struct arena *arena;
    const struct poll_question *q;
    bool writing;
    int64_t now;
    struct device device;
    bool no_action;    /* it is known that none is open */
    int64_t installed; /* as of the beginning */
    struct gathered g;
    bool changed; /* something was written: what the device is told to expect may differ */
};

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory to look for an update");
}

/* --- how it stands ------------------------------------------------------------------------------------- */

/* What is not there needs no question of its own; with the writer it may come to be there on the way. */
static int find_device(struct poll *p, struct err *e)
{
    struct asking k;
    int rc = store_asking(p->db, p->arena, p->q->device, p->q->ddi ? ASKING_DDI : ASKING_NATIVE, &k, e);
    if (rc != 0)
        return rc;
    p->device = k.device;
    p->installed = k.installed;
    p->no_action = !p->writing && !k.has_action;
    p->g.no_member = !p->writing && !k.has_member;
    return 0;
}

/* --- what it says of itself ---------------------------------------------------------------------------- */

static int take_version(struct poll *p, struct err *e)
{
    struct str version = p->q->version;
    if (version.p == NULL || (p->device.version != NULL && str_is(version, p->device.version)))
        return 0;
    if (!p->writing)
        return POLL_UPGRADE;
    const char *text = arena_dup_str(p->arena, version);
    return text != NULL ? ota_version_reported(p->ota, p->db, p->arena, &p->device, text, &p->changed, e)
                        : no_memory(e);
}

static int take_interface(struct poll *p, struct err *e)
{
    if (p->device.ddi == p->q->ddi)
        return 0;
    if (!p->writing)
        return POLL_UPGRADE;
    p->device.ddi = p->q->ddi;
    p->device.attributes_wanted = p->q->ddi ? ATTRIBUTES_WANTED : ATTRIBUTES_TOLD;
    return store_device_set_interface(p->db, p->device.pk, p->q->ddi, e);
}

/* --- what it is at ------------------------------------------------------------------------------------- */

static int close_open(struct poll *p, const char *message, struct err *e)
{
    struct action *open = &p->g.open;
    if (message == NULL)
        return no_memory(e);
    p->changed = true;
    int rc = ota_action_drop(p->ota, p->db, p->arena, open, message, e);
    *open = (struct action){0};
    return rc;
}

/* It came by another way meanwhile, or it was called off and nobody came to close it yet. */
static bool is_to_end(const struct poll *p, const struct action *open)
{
    return (open->state == ACTION_CANCELLING && !p->q->ddi) ||
           (open->called_off && action_may_cancel(open->state));
}

/* The open action; one that is to end is closed, or, of a device that confirms a cancel, asked for. */
static int find_open(struct poll *p, struct err *e)
{
    struct action *open = &p->g.open;
    int rc;
    if (p->no_action)
        return 0;
    while ((rc = store_action_open(p->db, p->arena, p->device.pk, open, e)) == 0 && open->pk != 0 &&
           is_to_end(p, open)) {
        if (!p->writing)
            return POLL_UPGRADE;
        const char *why = open->state == ACTION_CANCELLING ? open->message : DEPLOY_CANCELLED;
        if (p->q->ddi && open->state != ACTION_WAITING) {
            p->changed = true;
            return ota_action_ask_cancel(p->ota, p->db, open, why, e);
        }
        rc = close_open(p, why, e); /* another may have waited behind it */
        if (rc != 0)
            return rc;
    }
    return rc;
}

/* --- what has settled itself --------------------------------------------------------------------------- */

/* A waiting device that runs the release, or something newer, has nothing to wait for, unless an update that
   is under way is about to change that. */
static enum member_state settles(const struct poll *p, size_t i)
{
    const struct candidate *c = &p->g.candidates[i];
    if (c->joins || c->member != MEMBER_WAITING || p->g.open.pk != 0)
        return MEMBER_WAITING;
    enum reason r = ota_select_one(&p->g.facts, i);
    return r == REASON_RUNS        ? (c->attempts > 0 ? MEMBER_SUCCEEDED : MEMBER_ALREADY)
           : r == REASON_NOT_NEWER ? MEMBER_ALREADY
           : r == REASON_OLDER_ORDER || r == REASON_OLDER_THAN_BACK ? MEMBER_CANCELLED
                                                                    : MEMBER_WAITING;
}

static int settle(struct poll *p, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; i < p->g.facts.count && rc == 0; i++) {
        struct candidate *c = &p->g.candidates[i];
        enum member_state to = settles(p, i);
        if (to == MEMBER_WAITING)
            continue;
        if (!p->writing)
            return POLL_UPGRADE;
        const struct member m = {
            .deployment = c->deployment,
            .device = p->device.pk,
            .phase = c->phase,
            .state = to,
            .attempts = c->attempts,
            .why = reason_text(ota_select_one(&p->g.facts, i)),
        };
        rc = store_member_update(p->db, &m, e);
        if (rc == 0)
            rc = ota_advance(p->ota, p->db, p->arena, &m, false, e);
        c->member = to;
    }
    return rc;
}

/* --- what it gets -------------------------------------------------------------------------------------- */

static int become_member(struct poll *p, const struct candidate *c, struct err *e)
{
    struct member m = {
        .deployment = c->deployment, .device = p->device.pk, .phase = c->phase, .state = MEMBER_WAITING};
    bool added = false;
    int rc = c->joins ? store_member_add(p->db, &m, &added, e) : 0;
    m.state = MEMBER_ACTIVE;
    m.attempts = c->attempts + 1;
    return rc != 0 ? rc : store_member_update(p->db, &m, e);
}

static int offer(struct poll *p, const struct candidate *c, struct err *e)
{
    bool agreed = false;
    int rc = c->policy.consent ? store_auto_confirm_has(p->db, p->device.pk, &agreed, e) : 0;
    if (rc != 0)
        return rc;
    bool waits = c->policy.consent && !agreed;
    struct action made = {
        .deployment = c->deployment,
        .device = p->device.pk,
        .release = c->release,
        .device_id = p->device.id,
        .attempt = c->attempts + 1,
        .state = waits ? ACTION_WAITING : ACTION_OFFERED,
        .progress = ACTION_PROGRESS_NONE,
        .message = "",
        .version_before = p->device.version,
        .created_at = p->now,
        .updated_at = p->now,
    };
    p->changed = true;
    if (!waits) /* else it is counted from the consent */
        rc = ota_deadline(p->arena, &c->policy, &p->device, p->now, &made.deadline_at, e);
    if (rc == 0)
        rc = become_member(p, c, e);
    if (rc == 0)
        rc = store_action_add(p->db, &made, e);
    if (rc == 0)
        rc = store_action_status_add(p->db, &made, e);
    if (rc == 0 && c->policy.per_minute != 0)
        rc = store_deployment_begin(p->db, c->deployment, p->now / 60000, e);
    if (rc == 0 && p->g.open.pk == 0)
        p->g.open = made; /* else it comes after what the device is asked to give up */
    return rc;
}

static int supersede(struct poll *p, const struct candidate *chosen, struct err *e)
{
    const char *message =
        arena_printf(p->arena, "superseded by deployment %lld", (long long)chosen->deployment);
    if (!p->q->ddi || p->g.open.state == ACTION_WAITING)
        return close_open(p, message, e);
    p->changed = true;
    return message != NULL ? ota_action_ask_cancel(p->ota, p->db, &p->g.open, message, e) : no_memory(e);
}

static int fill(struct poll *p, struct poll_answer *out, struct err *e)
{
    out->action = p->g.open;
    out->action.device_id = p->device.id;
    int rc = store_release_by_pk(p->db, p->arena, out->action.release, &out->release, e);
    if (rc == 0)
        rc = store_release_details(p->db, p->arena, &out->release, e);
    if (rc == 0)
        rc = ota_terms(p->db, p->arena, &p->device, &out->action, p->now, &out->terms, e);
    return rc;
}

/* What is stored came with the device's row. */
static void note_reason(struct poll *p, const struct select_decision *d)
{
    bool news = p->device.reason != (int)d->reason || p->device.reason_deployment != d->deployment;
    seen_reason(p->ota->seen, p->device.id, (int)d->reason, d->deployment, news);
}

static void note_transport(struct poll *p)
{
    const char *now = p->q->transport;
    if (now != NULL && !p->writing)
        seen_transport(p->ota->seen, p->device.id, now,
                       p->device.transport == NULL || strcmp(p->device.transport, now) != 0);
}

/* What was done on the way may have ended it. */
static int find_installed(struct poll *p, int64_t *action, struct err *e)
{
    *action = p->installed;
    return p->writing ? store_action_installed(p->db, p->device.pk, p->device.version, action, e) : 0;
}

static int decide(struct poll *p, struct poll_answer *out, struct err *e)
{
    struct select_decision d = ota_select(&p->g.facts);
    log_debug("poll", "decided", LOG_STR("device", p->device.id), LOG_STR("because", reason_text(d.reason)));
    int rc = 0;
    bool acts = d.kind == SELECT_OFFER || d.kind == SELECT_SUPERSEDE;
    if (acts && !p->writing)
        return POLL_UPGRADE;
    if (d.kind == SELECT_SUPERSEDE)
        rc = supersede(p, d.chosen, e);
    if (rc == 0 && acts)
        rc = offer(p, d.chosen, e);
    if (rc != 0)
        return rc;
    note_reason(p, &d);
    struct poll_answer found = {
        .device = p->device, .update = d.kind != SELECT_NOTHING && d.kind != SELECT_WITHHOLD, .decision = d};
    found.withheld = d.kind == SELECT_WITHHOLD;
    found.decision.chosen = NULL;
    if (found.update || found.withheld)
        rc = fill(p, &found, e);
    if (rc == 0 && p->q->ddi)
        rc = find_installed(p, &found.installed, e);
    if (rc == 0)
        *out = found;
    return rc;
}

static int look(struct poll *p, struct poll_answer *out, struct err *e)
{
    int rc = find_device(p, e);
    if (rc == 0)
        note_transport(p);
    if (rc == 0)
        rc = take_version(p, e);
    if (rc == 0)
        rc = take_interface(p, e);
    if (rc == 0)
        rc = find_open(p, e);
    if (rc == 0)
        rc = ota_gather(p->db, p->arena, &p->device, p->device.version, p->q->ddi, p->now, &p->g, e);
    if (rc == 0)
        rc = settle(p, e);
    return rc != 0 ? rc : decide(p, out, e);
}

int ota_poll(struct ota *ota, struct db *db, bool writing, struct arena *a, const struct poll_question *q,
             struct poll_answer *out, struct err *e)
{
    if (q->version.p != NULL && !str_is_name(q->version))
        return err_set(e, ERR_INVALID,
                       "version: it begins with a letter or digit and has at most 128 of letters, "
                       "digits and ._+~-");
    struct poll p = {.ota = ota,
                     .db = db,
                     .arena = a,
                     .q = q,
                     .writing = writing,
                     .now = q->now_ms != 0 ? q->now_ms : clock_unix_ms(ota->clock)};
    int rc = db_read_begin(db, e);
    if (rc == 0)
        rc = look(&p, out, e);
    if (rc == 0 && p.changed)
        rc = announce_device(ota, db, p.device.pk, e);
    db_read_end(db);
    return rc;
}

int ota_poll_expect(struct db *db, struct arena *a, const struct device *d, int64_t now_ms,
                    int64_t *deployment, struct err *e)
{
    struct gathered g = {0};
    *deployment = 0;
    if (d->revoked_at != 0)
        return 0;
    int rc = store_action_open(db, a, d->pk, &g.open, e);
    if (rc == 0 && g.open.pk != 0 && g.open.called_off && action_may_cancel(g.open.state))
        g.open = (struct action){0}; /* as good as closed */
    if (rc == 0)
        rc = ota_gather(db, a, d, d->version, d->ddi, now_ms, &g, e);
    if (rc != 0)
        return rc;
    struct select_decision s = ota_select(&g.facts);
    if (s.kind != SELECT_NOTHING && s.kind != SELECT_WITHHOLD)
        *deployment = s.deployment;
    return 0;
}
