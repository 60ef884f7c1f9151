/* Which devices a deployment is for, and how many: what a poll asks from the other side. */
#include "store/db.h"
#include "store/deployments.h"

/* The release fits the device's model. Revoked devices are left out, and those that are done. */
#define FITS                                                                                                 \
    "d.revoked_at IS NULL"                                                                                   \
    " AND NOT EXISTS (SELECT 1 FROM action x WHERE x.device = d.pk AND x.deployment = ?5"                    \
    "  AND x.state IN ('succeeded', 'failed'))"                                                              \
    " AND EXISTS (SELECT 1 FROM release_model m WHERE m.model = d.model AND m.release = ?1"                  \
    "  AND m.sequence IS NOT NULL)"

static int one_device(struct db *db, const struct deployment *d, int64_t after, struct stmt *s, struct err *e)
{
    int rc = db_prepare(db, s, "SELECT d.pk, " FITS " FROM device d WHERE d.id = ?2 AND d.pk > ?3", e);
    if (rc == 0) {
        stmt_text(s, 2, d->target);
        stmt_i64(s, 3, after);
    }
    return rc;
}

/* A tag may have been taken from a device that has an action of the deployment: it is told too. */
static int tagged(struct db *db, const struct deployment *d, int64_t after, struct stmt *s, struct err *e)
{
    int rc = db_prepare(db, s,
                        "SELECT d.pk, " FITS " AND (EXISTS (SELECT 1 FROM device_tag t"
                        " WHERE t.device = d.pk AND t.tag = ?2)"
                        " OR EXISTS (SELECT 1 FROM action a WHERE a.device = d.pk AND a.deployment = ?5))"
                        " FROM device d WHERE d.pk > ?3 ORDER BY d.pk LIMIT ?4",
                        e);
    if (rc == 0) {
        stmt_text(s, 2, d->target);
        stmt_i64(s, 3, after);
    }
    return rc;
}

static int of_models(struct db *db, const struct deployment *d, int64_t after, struct stmt *s, struct err *e)
{
    int rc = db_prepare(db, s,
                        "SELECT d.pk, " FITS " AND (?2 = '' OR d.model = ?2)"
                        " FROM device d WHERE d.pk > ?3 ORDER BY d.pk LIMIT ?4",
                        e);
    if (rc == 0) {
        stmt_text(s, 2, d->kind == TARGET_MODEL ? d->target : "");
        stmt_i64(s, 3, after);
    }
    return rc;
}

int store_deployment_members(struct db *db, const struct deployment *d, int64_t after, size_t look,
                             int64_t *out, size_t *count, int64_t *last, bool *end, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = d->kind == TARGET_DEVICE ? one_device(db, d, after, &s, e)
             : d->kind == TARGET_TAG  ? tagged(db, d, after, &s, e)
                                      : of_models(db, d, after, &s, e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, d->release);
    stmt_i64(&s, 5, d->pk);
    if (d->kind != TARGET_DEVICE)
        stmt_i64(&s, 4, (int64_t)look);
    size_t n = 0, looked = 0;
    int64_t at = after;
    while (looked < look && (rc = stmt_step(&s, e)) == STMT_ROW) {
        looked++;
        at = stmt_get_i64(&s, 0);
        if (stmt_get_i64(&s, 1) != 0)
            out[n++] = at;
    }
    if (rc < 0)
        return rc;
    *count = n;
    *last = at;
    *end = looked < look;
    return 0;
}

static int count_one(struct stmt *s, int64_t *out, struct err *e)
{
    int rc = stmt_step(s, e);
    if (rc < 0)
        return rc;
    *out = rc == STMT_ROW ? stmt_get_i64(s, 0) : 0;
    return 0;
}

int store_release_reach(struct db *db, int64_t release, int64_t *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT coalesce(sum(f.devices), 0) FROM release_model m"
                        " JOIN fleet f ON f.model = m.model WHERE m.release = ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, release);
    return count_one(&s, out, e);
}

static int model_reach(struct db *db, const char *model, int64_t *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT coalesce(sum(devices), 0) FROM fleet WHERE model = ?", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, model);
    return count_one(&s, out, e);
}

static int tag_reach(struct db *db, const char *tag, int64_t most, int64_t *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT count(*) FROM (SELECT 1 FROM device_tag WHERE tag = ? LIMIT ?)", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, tag);
    stmt_i64(&s, 2, most);
    return count_one(&s, out, e);
}

int store_deployment_reach(struct db *db, const struct deployment *d, int64_t most, int64_t *out,
                           struct err *e)
{
    int64_t n = 1;
    int rc = 0;
    switch (d->kind) {
    case TARGET_DEVICE:
        break;
    case TARGET_TAG:
        rc = tag_reach(db, d->target, most, &n, e);
        break;
    case TARGET_MODEL:
        rc = model_reach(db, d->target, &n, e);
        break;
    case TARGET_ALL:
        rc = store_release_reach(db, d->release, &n, e);
        break;
    }
    if (rc == 0)
        *out = n < most ? n : most;
    return rc;
}
