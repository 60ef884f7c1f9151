#include "rollout_world.h"

#include <stdio.h>

#include "ota/assign.h"
#include "ota/targets.h"
#include "store/devices.h"

unsigned pick(struct world *w, unsigned n)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (unsigned)((w->random >> 20) % n);
}

bool once_in(struct world *w, unsigned n)
{
    return pick(w, n) == 0;
}

int64_t number(struct world *w, const char *fmt, ...)
{
    char sql[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(sql, sizeof sql, fmt, ap);
    va_end(ap);
    auto_stmt struct stmt s = {0};
    struct err e = {0};
    if (db_prepare_once(w->db, &s, sql, &e) != 0 || stmt_step(&s, &e) != STMT_ROW) {
        snprintf(w->wrong, sizeof w->wrong, "%s: %.200s", sql, e.text);
        return 0;
    }
    return stmt_get_i64(&s, 0);
}

void tell(struct world *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(w->told[w->step % TOLD], sizeof w->told[0], fmt, ap);
    va_end(ap);
}

void wrong(struct world *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (w->wrong[0] == '\0')
        vsnprintf(w->wrong, sizeof w->wrong, fmt, ap);
    va_end(ap);
}

const char *id_of(struct world *w, int i)
{
    const char *id = arena_printf(&w->arena, "d%d", i + 1);
    return id != NULL ? id : "";
}

int refusal(int rc)
{
    return rc == ERR_GONE || rc == ERR_NOT_FOUND || rc == ERR_INVALID || rc == ERR_TOO_LARGE ? ERR_CONFLICT
                                                                                             : rc;
}

/* --- people -------------------------------------------------------------------------------------------- */

static struct deployment_policy some_policy(struct world *w, enum target_kind kind)
{
    struct deployment_policy p = ota_default_policy(kind);
    if (kind != TARGET_DEVICE)
        p.dynamic = once_in(w, 3);
    p.allow_downgrade = once_in(w, 3);
    p.consent = once_in(w, 6);
    p.priority = 400 + 100 * (int)pick(w, 3);
    p.mode = once_in(w, 6) ? MODE_DOWNLOAD_ONLY : once_in(w, 4) ? MODE_SOFT : MODE_FORCED;
    if (once_in(w, 4))
        p.start_at = w->now + ((int64_t)pick(w, 4) - 1) * 3600000;
    if (once_in(w, 4))
        p.per_minute = 1;
    if (once_in(w, 4)) {
        p.window_schedule = "0 0 * * * ?";
        p.window_seconds = 1800;
        p.window_zone = once_in(w, 2) ? "+05:45" : "device";
    }
    if (once_in(w, 3))
        p.deadline_seconds = 3600;
    if (once_in(w, 2)) {
        p.retries = 1 + pick(w, 2);
        p.retry_seconds = 600;
    }
    if (once_in(w, 4))
        p.rollback = w->releases[pick(w, RELEASES)];
    return p;
}

int step_deploy(struct world *w, struct err *e)
{
    static const char *const targets[] = {"tag==lab", "model==m", "id=in=(d1,d3,d5,d7)", "version!=4"};
    struct phase phases[3];
    struct deployment made;
    struct deploy d = {.release = w->releases[pick(w, RELEASES)], .kind = TARGET_FILTER};
    if (number(w, "SELECT count(*) FROM deployment WHERE closed_at IS NULL") >= 8)
        return 0;
    d.target = str_of(targets[pick(w, 4)]);
    if (once_in(w, 5)) {
        d.kind = TARGET_ALL; /* the crowd too */
        d.target = STR("");
    } else if (once_in(w, 5)) {
        d.kind = TARGET_DEVICE;
        d.target = str_of(id_of(w, (int)pick(w, DEVICES)));
    }
    d.policy = some_policy(w, d.kind);
    d.approval = once_in(w, 6);
    d.phase_count = 1 + pick(w, 3);
    for (size_t i = 0; i < d.phase_count; i++) {
        phases[i] = (struct phase){.name = "",
                                   .filter = "",
                                   .success_percent = 25 * (int)(2 + pick(w, 3)),
                                   .error_count = once_in(w, 3) ? 1 + pick(w, 3) : 0,
                                   .error_percent = once_in(w, 4) ? 50 : 0};
        if (i + 1 < d.phase_count && once_in(w, 3))
            phases[i].filter = "tag==lab";
        if (i + 1 < d.phase_count && once_in(w, 2))
            phases[i].devices = 1 + pick(w, 3);
        else if (i + 1 < d.phase_count && phases[i].filter[0] == '\0')
            phases[i].percent = 30;
    }
    d.phases = d.kind == TARGET_DEVICE ? NULL : phases;
    int rc = ota_deploy(&w->ota, w->db, &w->arena, "anna", &d, &made, e);
    if (rc == 0)
        tell(w, "deployment %lld of release %lld for \"" STR_FMT "\" in %d phases%s%s", (long long)made.pk,
             (long long)d.release, STR_ARG(d.target), made.phases, d.policy.dynamic ? ", dynamic" : "",
             d.policy.rollback != 0 ? ", takes back" : "");
    return refusal(rc);
}

static int approve(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t deployment,
                   struct deployment *out, struct err *e)
{
    return ota_deploy_approve(ota, db, a, "berta", deployment, strcmp(who, "deny") != 0, out, e);
}

static int next(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t deployment,
                struct deployment *out, struct err *e)
{
    return ota_deploy_next(ota, db, a, who, deployment, 0, out, e);
}

int step_steer(struct world *w, struct err *e)
{
    static const struct {
        steer_fn *fn;
        const char *word;
    } ways[] = {{ota_deploy_pause, "pause"},   {ota_deploy_resume, "resume"},
                {ota_deploy_resume, "resume"}, {next, "next"},
                {ota_deploy_cancel, "cancel"}, {approve, "approve"},
                {approve, "approve"},          {approve, "deny"}};
    size_t k = pick(w, sizeof ways / sizeof ways[0]);
    struct deployment d;
    int64_t pk = number(w,
                        "SELECT coalesce((SELECT pk FROM deployment WHERE closed_at IS NULL"
                        " ORDER BY pk LIMIT 1 OFFSET %u), 0)",
                        pick(w, 8));
    if (pk == 0 || (ways[k].fn == ota_deploy_cancel && once_in(w, 3)))
        return 0;
    tell(w, "%s %lld", ways[k].word, (long long)pk);
    int rc = ways[k].fn(&w->ota, w->db, &w->arena, ways[k].word, pk, &d, e);
    return rc; /* it is there: ERR_NOT_FOUND would be wrong */
}

int step_assign(struct world *w, struct err *e)
{
    int i = DDI_FROM + (int)pick(w, DEVICES - DDI_FROM);
    int64_t release = w->releases[pick(w, RELEASES)];
    const struct assignment one = {.device = id_of(w, i), .policy = ota_assign_policy()};
    struct assigned done;
    tell(w, "release %lld is assigned to %s", (long long)release, one.device);
    return refusal(ota_assign(&w->ota, w->db, &w->arena, "anna", release, &one, 1, &done, e));
}

int step_take_back(struct world *w, struct err *e)
{
    int i = (int)pick(w, DEVICES);
    bool force = once_in(w, 3);
    tell(w, "action %lld of %s is taken back%s", (long long)w->devices[i].action, id_of(w, i),
         force ? " by force" : "");
    return refusal(
        ota_action_cancel(&w->ota, w->db, &w->arena, "anna", id_of(w, i), w->devices[i].action, force, e));
}

int put_device(struct world *w, int i, struct err *e)
{
    int64_t pk;
    w->devices[i].gone = false;
    w->devices[i].action = 0;
    snprintf(w->devices[i].runs, sizeof w->devices[i].runs, "0");
    int rc = store_device_add(w->db, id_of(w, i), "m", w->now, &pk, e);
    if (rc != 0)
        return rc;
    w->last_pk += APART;
    auto_stmt struct stmt s = {0};
    rc = db_prepare(w->db, &s, "UPDATE device SET pk = ? WHERE pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, w->last_pk);
    stmt_i64(&s, 2, pk);
    return stmt_run(&s, e);
}

int step_leave(struct world *w, struct err *e)
{
    int i = (int)pick(w, DEVICES);
    if (!w->devices[i].gone && once_in(w, 4)) {
        tell(w, "%s is revoked", id_of(w, i));
        w->devices[i].gone = true;
        return ota_device_revoke(&w->ota, w->db, &w->arena, &w->f->admin, id_of(w, i), "lost", e);
    }
    if (number(w,
               "SELECT count(*) FROM member m JOIN device d ON d.pk = m.device WHERE d.id = '%s'"
               " AND m.state = 'failed' AND m.deployment IN"
               " (SELECT pk FROM deployment WHERE closed_at IS NULL)",
               id_of(w, i)))
        return 0; /* a phase that fell short for it opens with the next report only */
    tell(w, "%s is deleted and comes again", id_of(w, i));
    int rc = ota_target_remove(&w->ota, w->db, &w->arena, &w->f->admin, id_of(w, i), e);
    return rc != 0 ? rc : put_device(w, i, e);
}

/* A release is deleted, and there again under another number. */
int step_unpublish(struct world *w, struct err *e)
{
    unsigned k = pick(w, RELEASES);
    struct release r;
    bool made;
    tell(w, "release %lld is deleted", (long long)w->releases[k]);
    int rc = ota_unpublish(&w->ota, w->db, &w->arena, "anna", w->releases[k], e);
    if (rc != 0)
        return refusal(rc);
    const char *version = arena_printf(&w->arena, "%u", k + 1),
               *hash = arena_printf(&w->arena, "%064x", k + 1);
    const struct publish p = {.name = STR("gw"),
                              .version = str_of(version),
                              .filename = STR("image.bin"),
                              .models = STR("m"),
                              .sha256 = hash,
                              .size = 1000};
    rc = ota_publish(&w->ota, w->db, &w->arena, "anna", &p, &r, &made, e);
    if (rc == 0)
        w->releases[k] = r.pk;
    return rc;
}
