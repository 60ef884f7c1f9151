#include "ota/deploy.h"

#include "ota/announce.h"
#include "ota/ota.h"
#include "ota/trust.h"
#include "store/actions.h"
#include "store/db.h"
#include "store/deployments.h"
#include "store/devices.h"
#include "store/events.h"
#include "store/releases.h"
#include "store/signed.h"

static int find_release(struct db *db, struct arena *a, const struct deploy *d, struct release *out,
                        struct err *e)
{
    struct release r;
    int rc;
    if (d->release != 0)
        rc = store_release_by_pk(db, a, d->release, &r, e);
    else if (d->version.p == NULL)
        rc = err_set(e, ERR_INVALID, "release: say which, by its id or its version");
    else if (d->name.p != NULL)
        rc = store_release_by_name(db, a, d->name, d->version, &r, e);
    else
        rc = store_release_by_version(db, a, d->version, &r, e);
    if (rc != 0)
        return rc;
    if (r.deleted_at != 0)
        return err_set(e, ERR_NOT_FOUND, "%s %s was deleted", r.name, r.version);
    if (r.state != RELEASE_PUBLISHED)
        return err_set(e, ERR_CONFLICT,
                       "%s %s is a draft that nobody has vouched for: sign the request that pqota firmware "
                       "publish made (for the same file it makes it again), then pqota trust upload",
                       r.name, r.version);
    rc = store_release_details(db, a, &r, e);
    if (rc == 0)
        *out = r;
    return rc;
}

static int check_device(struct db *db, struct arena *a, const char *id, const struct release *r,
                        struct err *e)
{
    struct device device;
    int rc = store_device_by_id(db, a, id, &device, e);
    if (rc != 0)
        return rc;
    if (device.revoked_at != 0)
        return err_set(e, ERR_CONFLICT, "the device %s is revoked", id);
    if (!release_fits(r, device.model))
        return err_set(e, ERR_CONFLICT, "%s %s does not fit the device %s: that is a %s", r->name, r->version,
                       id, device.model);
    return 0;
}

static int check_model(struct db *db, const char *model, const struct release *r, struct err *e)
{
    if (release_fits(r, model))
        return 0;
    bool known;
    int rc = store_model_known(db, model, &known, e);
    if (rc != 0)
        return rc;
    if (!known)
        return err_set(e, ERR_NOT_FOUND, "no device and no firmware has the model %s", model);
    return err_set(e, ERR_CONFLICT, "%s %s does not fit the model %s", r->name, r->version, model);
}

/* The director would tell no device to run what the vendor did not sign. */
static int check_signed(const struct ota *ota, struct db *db, struct arena *a, const struct release *r,
                        struct err *e)
{
    struct signed_terms terms;
    bool signed_it = true;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < r->model_count && !trust_unsigned_allowed(ota); i++) {
        rc = store_signed_terms(db, a, r->pk, r->models[i], &signed_it, &terms, e);
        if (rc == 0 && !signed_it)
            rc = err_set(e, ERR_CONFLICT,
                         "%s %s was published when nobody had to vouch for it: sign it first (pqota firmware "
                         "publish of the same file, with --sign-with)",
                         r->name, r->version);
    }
    return rc;
}

static int note(struct db *db, struct arena *a, const char *kind, const char *who, const struct deployment *d,
                int64_t now, struct err *e)
{
    const char *subject = arena_printf(a, "deployment/%lld", (long long)d->pk);
    const char *detail = arena_printf(a, "%s %s for %s%s%s%s", d->release_name, d->release_version,
                                      target_kind_word(d->kind), d->target[0] != '\0' ? " " : "", d->target,
                                      d->allow_downgrade ? ", also downwards" : "");
    if (subject == NULL || detail == NULL)
        return err_set(e, ERR_NOMEM, "no memory to note an event");
    return store_event_add(db, now, kind, who, subject, detail, e);
}

int ota_deploy(struct ota *ota, struct db *db, struct arena *a, const char *who, const struct deploy *d,
               struct deployment *out, struct err *e)
{
    struct release r;
    int rc = deployment_check_target(d->kind, d->target, e);
    if (rc == 0)
        rc = find_release(db, a, d, &r, e);
    if (rc == 0)
        rc = check_signed(ota, db, a, &r, e);
    if (rc != 0)
        return rc;
    const char *target = d->target.n > 0 ? arena_dup_str(a, d->target) : "";
    if (target == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a deployment");
    if (d->kind == TARGET_DEVICE)
        rc = check_device(db, a, target, &r, e);
    else if (d->kind == TARGET_MODEL)
        rc = check_model(db, target, &r, e);
    if (rc != 0)
        return rc;
    int64_t now = clock_unix_ms(ota->clock);
    struct deployment made = {
        .release = r.pk,
        .release_name = r.name,
        .release_version = r.version,
        .kind = d->kind,
        .target = target,
        .state = DEPLOYMENT_RUNNING,
        .allow_downgrade = d->allow_downgrade,
        .created_at = now,
        .created_by = who,
    };
    rc = store_deployment_add(db, &made, e);
    if (rc == 0)
        rc = note(db, a, "deployment.created", who, &made, now, e);
    if (rc == 0)
        rc = announce_deployment(ota, db, &made, e);
    if (rc == 0)
        *out = made;
    return rc;
}

/* Closes some of a cancelled deployment's actions; *more says whether there are others. */
static int close_actions(struct db *db, int64_t deployment, int64_t now, bool *more, struct err *e)
{
    int rc = store_action_cancel_some(db, deployment, DEPLOY_CANCELLED, now, DEPLOY_SLICE, more, e);
    return rc != 0 ? rc : store_deployment_closing_set(db, deployment, *more, e);
}

int ota_deploy_slice(struct ota *ota, struct db *db, bool *more, struct err *e)
{
    int64_t deployment;
    bool others;
    int rc = store_deployment_closing(db, &deployment, e);
    if (rc == 0 && deployment != 0)
        rc = close_actions(db, deployment, clock_unix_ms(ota->clock), &others, e);
    if (rc == 0)
        *more = deployment != 0; /* this one's others, or another deployment's */
    return rc;
}

int ota_deploy_cancel(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t deployment,
                      struct deployment *out, struct err *e)
{
    struct deployment d;
    int rc = store_deployment_by_pk(db, a, deployment, &d, e);
    if (rc != 0)
        return rc;
    if (d.state == DEPLOYMENT_RUNNING) {
        int64_t now = clock_unix_ms(ota->clock);
        bool others;
        rc = store_deployment_cancel(db, d.pk, now, e);
        if (rc == 0)
            rc = close_actions(db, d.pk, now, &others, e);
        if (rc == 0)
            rc = note(db, a, "deployment.cancelled", who, &d, now, e);
        if (rc == 0)
            rc = announce_deployment(ota, db, &d, e);
        if (rc != 0)
            return rc;
        d.state = DEPLOYMENT_CANCELLED;
        d.closed_at = now;
    }
    *out = d;
    return 0;
}

static int view(struct db *db, const struct deployment *d, struct deployment_view *out, struct err *e)
{
    struct deployment_view v = {.d = *d};
    int rc = store_deployment_counts(db, d->pk, v.actions, e);
    if (rc == 0)
        *out = v;
    return rc;
}

int ota_deployment_show(struct db *db, struct arena *a, int64_t deployment, struct deployment_view *out,
                        struct err *e)
{
    struct deployment d;
    int rc = store_deployment_by_pk(db, a, deployment, &d, e);
    return rc != 0 ? rc : view(db, &d, out, e);
}

static int list(struct db *db, struct arena *a, const enum deployment_state *state, int64_t after,
                size_t limit, struct deployment_view **out, size_t *count, bool *more, struct err *e)
{
    struct deployment *found;
    size_t n;
    bool others;
    int rc = store_deployment_list(db, a, state, after, limit, &found, &n, &others, e);
    if (rc != 0)
        return rc;
    struct deployment_view *views = arena_array(a, struct deployment_view, n + 1);
    if (views == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a list of %zu deployments", n);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = view(db, &found[i], &views[i], e);
    if (rc == 0) {
        *out = views;
        *count = n;
        *more = others;
    }
    return rc;
}

int ota_deployment_list(struct db *db, struct arena *a, const enum deployment_state *state, int64_t after,
                        size_t limit, struct deployment_view **out, size_t *count, bool *more, struct err *e)
{
    int rc = db_read_begin(db, e);
    if (rc == 0)
        rc = list(db, a, state, after, limit, out, count, more, e);
    db_read_end(db);
    return rc;
}

int ota_deployment_actions(struct db *db, struct arena *a, int64_t deployment, int64_t after, size_t limit,
                           struct action **out, size_t *count, bool *more, struct err *e)
{
    struct deployment d;
    int rc = store_deployment_by_pk(db, a, deployment, &d, e);
    return rc != 0 ? rc : store_action_list(db, a, deployment, after, limit, out, count, more, e);
}
