#include "ota/deploy.h"

#include <stdio.h>

#include "model/filter.h"
#include "model/window.h"
#include "ota/finish.h"
#include "ota/modules.h"
#include "ota/ota.h"
#include "ota/trust.h"
#include "store/candidates.h"
#include "store/db.h"
#include "store/deployments.h"
#include "store/devices.h"
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
                        struct device *out, struct err *e)
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
    *out = device;
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
    for (size_t i = 0; rc == 0 && i < r->model_count; i++) {
        if (ota_unsigned_model(ota, r->models[i]))
            continue;
        rc = store_signed_terms(db, a, r->pk, r->models[i], &signed_it, &terms, e);
        if (rc == 0 && !signed_it)
            rc = err_set(e, ERR_CONFLICT,
                         "%s %s was published when nobody had to vouch for it: sign it first (pqota firmware "
                         "publish of the same file, with --sign-with)",
                         r->name, r->version);
    }
    return rc;
}

/* --- what is asked for --------------------------------------------------------------------------------- */

struct deployment_policy ota_default_policy(enum target_kind kind)
{
    return (struct deployment_policy){
        .dynamic = kind != TARGET_DEVICE && kind != TARGET_LIST && kind != TARGET_DEPLOYMENT,
        .priority = DEPLOYMENT_PRIORITY_DEFAULT,
        .mode = MODE_FORCED,
        .retry_seconds = DEPLOYMENT_RETRY_SECONDS,
    };
}

static int check_filter(const char *what, const char *text, struct arena *a, struct err *e)
{
    const struct filter *filter;
    int rc = filter_parse(str_of(text), a, &filter, e);
    return rc == 0 || e == NULL ? rc : err_context(e, "%s", what);
}

static int check_window(const struct deployment_policy *p, struct arena *a, struct err *e)
{
    const struct cron *schedule;
    int offset;
    if (p->window_schedule == NULL)
        return 0;
    int rc = cron_parse(str_of(p->window_schedule), a, &schedule, e);
    if (rc == 0 && strcmp(p->window_zone, "device") != 0)
        rc = window_parse_zone(str_of(p->window_zone), &offset, e);
    return rc == 0 || e == NULL ? rc : err_context(e, "window");
}

static int check_terms(struct arena *a, const struct deploy *d, const char *target, struct err *e)
{
    int rc = deployment_check_policy(&d->policy, e);
    if (rc == 0)
        rc = check_window(&d->policy, a, e);
    if (rc == 0 && d->kind == TARGET_FILTER)
        rc = check_filter("target", target, a, e);
    if (rc == 0 && d->phases != NULL)
        rc = deployment_check_phases(d->phases, d->phase_count, e);
    for (size_t i = 0; rc == 0 && d->phases != NULL && i < d->phase_count; i++) {
        char what[32];
        snprintf(what, sizeof what, "phase %zu", i + 1);
        rc = check_filter(what, d->phases[i].filter, a, e);
    }
    if (rc == 0 && d->policy.dynamic && (d->kind == TARGET_DEVICE || d->kind == TARGET_LIST))
        rc =
            err_set(e, ERR_INVALID, "dynamic: no other device comes to match a deployment for named devices");
    return rc;
}

/* Each poll looks at every one of them. */
static int check_room(struct db *db, const struct deployment_policy *p, struct err *e)
{
    int64_t n = 0;
    int rc = p->dynamic ? store_running_count(db, &n, e) : 0;
    if (rc == 0 && n >= RUNNING_MAX)
        rc = err_set(e, ERR_CONFLICT,
                     "there are %d deployments already that devices may join: cancel those that are not "
                     "needed any more, or make this one static",
                     RUNNING_MAX);
    return rc;
}

static int check_rollback(const struct ota *ota, struct db *db, struct arena *a, int64_t release,
                          struct err *e)
{
    if (release == 0)
        return 0;
    const struct deploy back = {.release = release};
    struct release r;
    int rc = find_release(db, a, &back, &r, e);
    if (rc == 0)
        rc = check_signed(ota, db, a, &r, e);
    return rc == 0 || e == NULL ? rc : err_context(e, "rollback");
}

/* --- making one ---------------------------------------------------------------------------------------- */

static enum deployment_state first_state(const struct ota *ota, const struct deploy *d, int64_t now)
{
    if (d->approval || ota->approval)
        return DEPLOYMENT_APPROVAL;
    return d->policy.start_at > now ? DEPLOYMENT_SCHEDULED : DEPLOYMENT_RUNNING;
}

/* Devices that were named are its members at once. */
static int name_members(struct db *db, const struct deployment *d, const int64_t *devices, size_t count,
                        struct err *e)
{
    int rc = 0;
    bool added;
    for (size_t i = 0; i < count && rc == 0; i++) {
        const struct member m = {.deployment = d->pk, .device = devices[i], .state = MEMBER_WAITING};
        rc = store_member_add(db, &m, &added, e);
    }
    return rc;
}

static int make(struct ota *ota, struct db *db, struct arena *a, const char *who, const char *why,
                const struct deploy *d, struct deployment *made, struct err *e)
{
    static const struct phase whole = {.name = "", .filter = "", .success_percent = 100};
    struct phase phases[DEPLOYMENT_PHASES_MAX] = {whole};
    made->phases = d->phases != NULL ? (int)d->phase_count : 1;
    for (int i = 0; d->phases != NULL && i < made->phases; i++)
        phases[i] = d->phases[i];
    phases[0].opened_at = made->created_at;
    if (d->device_count > 0)
        made->prepared_at = made->created_at;
    int rc = store_deployment_add(db, made, phases, e);
    if (rc == 0)
        rc = ota_deployment_note(db, a, who, made, "created", why, made->created_at, e);
    if (rc == 0)
        rc = name_members(db, made, d->devices, d->device_count, e);
    if (rc != 0)
        return rc;
    return made->prepared_at != 0 ? ota_prepared(ota, db, a, made, e)
                                  : ota_prepare(ota, db, a, made, e); /* a small fleet is ready at once */
}

int ota_deploy_check(struct ota *ota, struct db *db, struct arena *a, const struct deploy *asked,
                     struct deploy_checked *out, struct err *e)
{
    struct deploy *d = &out->d;
    struct release *r = &out->release;
    *d = *asked;
    int rc = d->kind == TARGET_LIST ? 0 : deployment_check_target(d->kind, d->target, e);
    if (rc == 0)
        rc = find_release(db, a, d, r, e);
    if (rc == 0)
        rc = check_signed(ota, db, a, r, e);
    if (rc != 0)
        return rc;
    out->target = d->target.n > 0 ? arena_dup_str(a, d->target) : "";
    if (out->target == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a deployment");
    rc = check_terms(a, d, out->target, e);
    if (rc == 0 && d->kind == TARGET_DEVICE) {
        rc = check_device(db, a, out->target, r, &out->device, e);
        d->devices = &out->device.pk;
        d->device_count = 1;
    } else if (rc == 0 && d->kind == TARGET_MODEL) {
        rc = check_model(db, out->target, r, e);
    }
    if (rc == 0)
        rc = check_room(db, &d->policy, e);
    return rc != 0 ? rc : check_rollback(ota, db, a, d->policy.rollback, e);
}

int ota_deploy(struct ota *ota, struct db *db, struct arena *a, const char *who, const struct deploy *asked,
               struct deployment *out, struct err *e)
{
    struct deploy_checked c;
    int rc = ota_deploy_check(ota, db, a, asked, &c, e);
    if (rc != 0)
        return rc;
    int64_t now = clock_unix_ms(ota->clock);
    struct deployment made = {
        .release = c.release.pk,
        .release_name = c.release.name,
        .release_version = c.release.version,
        .kind = c.d.kind,
        .target = c.target,
        .state = first_state(ota, &c.d, now),
        .why = "",
        .policy = c.d.policy,
        .created_at = now,
        .created_by = who,
    };
    rc = make(ota, db, a, who, c.d.policy.allow_downgrade ? "also downwards" : "", &c.d, &made, e);
    if (rc == 0)
        *out = made;
    return rc;
}

int ota_deploy_back(struct ota *ota, struct db *db, struct arena *a, struct deployment *d, const char *why,
                    struct err *e)
{
    struct deployment back = {
        .release = d->policy.rollback,
        .kind = TARGET_DEPLOYMENT,
        .target = arena_printf(a, "%lld", (long long)d->pk),
        .state = DEPLOYMENT_RUNNING,
        .why = "",
        .policy = ota_default_policy(TARGET_DEPLOYMENT),
        .origin = d->pk,
        .created_at = clock_unix_ms(ota->clock),
        .created_by = d->created_by,
    };
    struct release r;
    back.policy.deadline_seconds = d->policy.deadline_seconds;
    back.policy.allow_downgrade = true;
    back.policy.priority = DEPLOYMENT_PRIORITY_MAX;
    int rc = store_release_by_pk(db, a, back.release, &r, e);
    if (rc != 0)
        return rc;
    back.release_name = r.name;
    back.release_version = r.version;
    if (back.target == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a deployment");
    if (r.deleted_at != 0) /* meanwhile */
        return ota_deployment_move(
            ota, db, a, "server", d, DEPLOYMENT_PAUSED, "paused",
            arena_printf(a, "%s; %s %s, to be rolled back to, was deleted", why, r.name, r.version), e);
    const struct deploy all = {0};
    rc = make(ota, db, a, "server", why, &all, &back, e);
    if (rc != 0)
        return rc;
    why = arena_printf(a, "%s; rolled back by deployment %lld", why, (long long)back.pk);
    return ota_deploy_end(ota, db, a, "server", d, DEPLOYMENT_CANCELLED, "rolled_back", why, e);
}
