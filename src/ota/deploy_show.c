/* Deployments as people look at them. */
#include "ota/deploy.h"
#include "store/actions.h"
#include "store/db.h"
#include "store/deployments.h"
#include "store/phases.h"

static int percent_of(struct db *db, const struct deployment *d, int *out, struct err *e)
{
    int64_t last = 0;
    *out = 100;
    int rc = d->prepared_at == 0 ? store_device_last_pk(db, &last, e) : 0;
    if (rc == 0 && last > 0)
        *out = d->looked < last ? (int)(d->looked * 100 / last) : 99; /* the end is prepared_at */
    return rc;
}

static int view(struct db *db, struct arena *a, const struct deployment *d, struct deployment_view *out,
                struct err *e)
{
    struct deployment_view v = {.d = *d};
    int rc = store_deployment_counts(db, d->pk, v.actions, e);
    if (rc == 0)
        rc = store_phases(db, a, d->pk, &v.phases, &v.phase_count, e);
    if (rc == 0 && d->policy.retries > 0)
        rc = store_member_retrying(db, d->pk, &v.retrying, e);
    if (rc == 0)
        rc = percent_of(db, d, &v.prepared_percent, e);
    if (rc == 0)
        *out = v;
    return rc;
}

int ota_deployment_show(struct db *db, struct arena *a, int64_t deployment, struct deployment_view *out,
                        struct err *e)
{
    struct deployment d;
    int rc = store_deployment_by_pk(db, a, deployment, &d, e);
    return rc != 0 ? rc : view(db, a, &d, out, e);
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
        rc = view(db, a, &found[i], &views[i], e);
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

int ota_deployment_members(struct db *db, struct arena *a, int64_t deployment,
                           const struct member_choice *which, int64_t after, size_t limit,
                           struct member_row **out, size_t *count, bool *more, struct err *e)
{
    struct deployment d;
    int rc = store_deployment_by_pk(db, a, deployment, &d, e);
    return rc != 0 ? rc : store_member_list(db, a, deployment, which, after, limit, out, count, more, e);
}
