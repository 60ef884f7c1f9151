#include "ota/poll.h"

#include "base/log.h"
#include "ota/announce.h"
#include "ota/deploy.h"
#include "ota/ota.h"
#include "ota/select.h"
#include "store/actions.h"
#include "store/db.h"
#include "store/deployments.h"
#include "store/devices.h"
#include "store/releases.h"

struct poll {
    struct db *db;
    struct arena *arena;
    int64_t now;
    struct device device;
    const char *version; /* NULL when unknown */
    struct action open;  /* pk 0: none */
    bool changed;        /* something was written: what the device is told to expect may differ */
    struct candidate *candidates;
    struct select_facts facts;
};

static int close_open(struct poll *p, const char *message, struct err *e)
{
    struct action closed = p->open;
    closed.state = ACTION_CANCELLED;
    closed.progress = ACTION_PROGRESS_NONE;
    closed.message = message;
    closed.updated_at = closed.closed_at = p->now;
    p->changed = true;
    int rc = store_action_update(p->db, &closed, e);
    return rc != 0 ? rc : store_action_status_add(p->db, &closed, e);
}

/* The open action; one that was called off, and that nobody came to close yet, is closed. */
static int find_open(struct poll *p, bool writing, struct err *e)
{
    int rc = store_action_open(p->db, p->arena, p->device.pk, &p->open, e);
    if (rc != 0 || p->open.pk == 0 || !p->open.called_off || !action_may_cancel(p->open.state))
        return rc;
    if (!writing)
        return POLL_UPGRADE;
    rc = close_open(p, DEPLOY_CANCELLED, e);
    p->open = (struct action){0};
    return rc;
}

static int gather(struct poll *p, struct err *e)
{
    struct select_facts *f = &p->facts;
    struct action_past past;
    f->version = p->version;
    p->candidates = arena_array(p->arena, struct candidate, CANDIDATES_MAX);
    if (p->candidates == NULL)
        return err_set(e, ERR_NOMEM, "no memory to look for an update");
    f->candidates = p->candidates;
    int rc = store_candidates(p->db, p->arena, p->device.pk, p->device.id, p->device.model, p->candidates,
                              &f->count, e);
    if (rc == 0 && p->version != NULL)
        rc = store_sequence_of_version(p->db, p->device.model, p->version, &f->sequence, e);
    if (rc == 0)
        rc = store_action_past(p->db, p->device.pk, &past, e);
    if (rc != 0)
        return rc;
    f->newest_deployment = past.newest;
    f->moved_back = past.moved_back;
    if (p->open.pk == 0)
        return 0;
    f->open = &p->open;
    rc = store_release_sequence(p->db, p->open.release, p->device.model, &f->open_sequence, e);
    return rc == ERR_NOT_FOUND ? 0 : rc; /* the device changed its model meanwhile */
}

static int supersede(struct poll *p, const struct candidate *chosen, struct err *e)
{
    const char *message =
        arena_printf(p->arena, "superseded by deployment %lld", (long long)chosen->deployment);
    return message != NULL ? close_open(p, message, e)
                           : err_set(e, ERR_NOMEM, "no memory to close an action");
}

static int offer(struct poll *p, const struct candidate *chosen, struct action *out, struct err *e)
{
    struct action made = {
        .deployment = chosen->deployment,
        .device = p->device.pk,
        .release = chosen->release,
        .device_id = p->device.id,
        .state = ACTION_OFFERED,
        .progress = ACTION_PROGRESS_NONE,
        .message = "",
        .version_before = p->version,
        .created_at = p->now,
        .updated_at = p->now,
    };
    p->changed = true;
    int rc = store_action_add(p->db, &made, e);
    if (rc == 0)
        rc = store_action_status_add(p->db, &made, e);
    if (rc == 0)
        *out = made;
    return rc;
}

static int answer(struct poll *p, const struct action *action, struct poll_answer *out, struct err *e)
{
    struct poll_answer found = {.update = true, .action = *action};
    int rc = store_release_by_pk(p->db, p->arena, action->release, &found.release, e);
    if (rc == 0)
        rc = store_release_details(p->db, p->arena, &found.release, e);
    if (rc == 0)
        *out = found;
    return rc;
}

/* What the device says runs on it counts; writes it down when that is new. */
static int take_version(struct poll *p, bool writing, struct str version, struct err *e)
{
    p->version = p->device.version;
    if (version.p == NULL || (p->version != NULL && str_is(version, p->version)))
        return 0;
    if (!writing)
        return POLL_UPGRADE;
    p->version = arena_dup_str(p->arena, version);
    if (p->version == NULL)
        return err_set(e, ERR_NOMEM, "no memory to look for an update");
    p->changed = true;
    return store_device_set_version(p->db, p->device.pk, p->version, p->now, e);
}

static int decide(struct poll *p, bool writing, struct poll_answer *out, struct err *e)
{
    struct select_decision d = ota_select(&p->facts);
    log_debug("poll", "decided", LOG_STR("device", p->device.id), LOG_STR("because", d.reason));
    if (d.kind == SELECT_NOTHING) {
        *out = (struct poll_answer){0};
        return 0;
    }
    if (d.kind == SELECT_KEEP)
        return answer(p, &p->open, out, e);
    if (!writing)
        return POLL_UPGRADE;
    struct action made;
    int rc = d.kind == SELECT_SUPERSEDE ? supersede(p, d.chosen, e) : 0;
    if (rc == 0)
        rc = offer(p, d.chosen, &made, e);
    return rc != 0 ? rc : answer(p, &made, out, e);
}

static int look(struct poll *p, bool writing, const char *device_id, struct str version,
                struct poll_answer *out, struct err *e)
{
    int rc = store_device_by_id(p->db, p->arena, device_id, &p->device, e);
    if (rc == 0)
        rc = take_version(p, writing, version, e);
    if (rc == 0)
        rc = find_open(p, writing, e);
    if (rc == 0)
        rc = gather(p, e);
    return rc != 0 ? rc : decide(p, writing, out, e);
}

int ota_poll(struct ota *ota, struct db *db, bool writing, struct arena *a, const char *device_id,
             struct str version, struct poll_answer *out, struct err *e)
{
    if (version.p != NULL && !str_is_name(version))
        return err_set(e, ERR_INVALID,
                       "version: it begins with a letter or digit and has at most 128 of letters, "
                       "digits and ._+~-");
    struct poll p = {.db = db, .arena = a, .now = clock_unix_ms(ota->clock)};
    int rc = db_read_begin(db, e);
    if (rc == 0)
        rc = look(&p, writing, device_id, version, out, e);
    if (rc == 0 && p.changed)
        rc = announce_device(ota, db, p.device.pk, e);
    db_read_end(db);
    return rc;
}

int ota_poll_expect(struct db *db, struct arena *a, const struct device *d, int64_t *deployment,
                    struct err *e)
{
    struct poll p = {.db = db, .arena = a, .device = *d, .version = d->version};
    int rc = d->revoked_at != 0 ? 0 : store_action_open(db, a, d->pk, &p.open, e);
    if (rc == 0 && p.open.pk != 0 && p.open.called_off && action_may_cancel(p.open.state))
        p.open = (struct action){0}; /* as good as closed */
    if (rc == 0 && d->revoked_at == 0)
        rc = gather(&p, e);
    if (rc != 0)
        return rc;
    struct select_decision s = d->revoked_at == 0 ? ota_select(&p.facts) : (struct select_decision){0};
    *deployment = s.kind == SELECT_NOTHING ? 0
                  : s.kind == SELECT_KEEP  ? p.open.deployment
                                           : s.chosen->deployment;
    return 0;
}
