#include "store/candidates.h"

#include "model/device.h"
#include "store/db.h"

#define DEPLOYMENT                                                                                           \
    "d.pk, d.release, r.sequence, r.version, d.state, d.allow_downgrade, d.consent, d.priority, d.start_at," \
    " d.per_minute, d.window_schedule, d.window_seconds, d.window_zone, d.phase, d.minute, d.begun,"         \
    " d.prepared_at IS NOT NULL, d.deadline_seconds, d.retries, d.retry_seconds"
#define MEMBER_AT 20 /* the first column after these */

static int read_deployment(struct stmt *s, struct arena *a, struct candidate *out, struct err *e)
{
    bool oom = false;
    *out = (struct candidate){
        .deployment = stmt_get_i64(s, 0),
        .release = stmt_get_i64(s, 1),
        .sequence = stmt_get_i64(s, 2),
        .version = stmt_get_text(s, 3, a, &oom),
        .policy =
            {
                .allow_downgrade = stmt_get_i64(s, 5) != 0,
                .consent = stmt_get_i64(s, 6) != 0,
                .priority = (int)stmt_get_i64(s, 7),
                .start_at = stmt_get_i64(s, 8),
                .per_minute = stmt_get_i64(s, 9),
                .window_schedule = stmt_get_text(s, 10, a, &oom),
                .window_seconds = stmt_get_i64(s, 11),
                .window_zone = stmt_get_text(s, 12, a, &oom),
                .deadline_seconds = stmt_get_i64(s, 17),
                .retries = stmt_get_i64(s, 18),
                .retry_seconds = stmt_get_i64(s, 19),
            },
        .open_phase = (int)stmt_get_i64(s, 13),
        .minute = stmt_get_i64(s, 14),
        .begun = stmt_get_i64(s, 15),
        .prepared = stmt_get_i64(s, 16) != 0,
    };
    const char *state = stmt_get_text(s, 4, a, &oom);
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to read deployments");
    if (deployment_state_parse(str_of(state), &out->state) != 0)
        return err_set(e, ERR_CORRUPT, "deployment %lld has an unknown state", (long long)out->deployment);
    return 0;
}

static int read_member(struct stmt *s, struct arena *a, struct candidate *out, struct err *e)
{
    bool oom = false;
    int rc = read_deployment(s, a, out, e);
    if (rc != 0)
        return rc;
    out->phase = (int)stmt_get_i64(s, MEMBER_AT);
    const char *state = stmt_get_text(s, MEMBER_AT + 1, a, &oom);
    out->attempts = stmt_get_i64(s, MEMBER_AT + 2);
    out->retry_at = stmt_get_i64(s, MEMBER_AT + 3);
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to read deployments");
    if (member_state_parse(str_of(state), &out->member) != 0)
        return err_set(e, ERR_CORRUPT, "a device of deployment %lld has an unknown state",
                       (long long)out->deployment);
    return 0;
}

int store_candidates(struct db *db, struct arena *a, int64_t device, const char *model,
                     struct candidate **out, size_t *count, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT " DEPLOYMENT ", m.phase, m.state, m.attempts, m.retry_at"
                        " FROM member m JOIN deployment d ON d.pk = m.deployment"
                        " JOIN release_model r ON r.model = ?2 AND r.release = d.release"
                        "  AND r.sequence IS NOT NULL"
                        " WHERE m.device = ?1 AND m.state IN ('waiting', 'active')"
                        " ORDER BY m.deployment DESC LIMIT ?3",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    stmt_text(&s, 2, model);
    stmt_i64(&s, 3, CANDIDATES_MAX);
    struct candidate *found = NULL;
    size_t n = 0;
    while (rc == 0 && n < CANDIDATES_MAX && (rc = stmt_step(&s, e)) == STMT_ROW) {
        if (found == NULL && (found = arena_array(a, struct candidate, CANDIDATES_MAX)) == NULL)
            return err_set(e, ERR_NOMEM, "no memory for a device's deployments");
        rc = read_member(&s, a, &found[n++], e);
    }
    if (rc < 0)
        return rc;
    *out = found;
    *count = n;
    return 0;
}

int store_candidate_of(struct db *db, struct arena *a, int64_t deployment, const char *model,
                       struct candidate *out, bool *fits, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT " DEPLOYMENT " FROM deployment d JOIN release_model r ON r.model = ?2"
                        " AND r.release = d.release AND r.sequence IS NOT NULL WHERE d.pk = ?1",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, deployment);
    stmt_text(&s, 2, model);
    rc = stmt_step(&s, e);
    if (rc >= 0)
        *fits = rc == STMT_ROW;
    if (rc <= 0)
        return rc;
    rc = read_deployment(&s, a, out, e);
    out->joins = true;
    return rc;
}

/* --- what filters look at ------------------------------------------------------------------------------ */

int store_device_tags(struct db *db, struct arena *a, int64_t device, struct str **out, size_t *count,
                      struct err *e)
{
    struct str *list = arena_array(a, struct str, DEVICE_TAGS_MAX);
    if (list == NULL)
        return err_set(e, ERR_NOMEM, "no memory to read a device's tags");
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT tag FROM device_tag WHERE device = ? ORDER BY tag LIMIT ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    stmt_i64(&s, 2, DEVICE_TAGS_MAX);
    size_t n = 0;
    bool oom = false;
    while (n < DEVICE_TAGS_MAX && (rc = stmt_step(&s, e)) == STMT_ROW)
        list[n++] = stmt_get_blob(&s, 0, a, &oom);
    if (rc < 0)
        return rc;
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to read a device's tags");
    *out = list;
    *count = n;
    return 0;
}

int store_device_attributes(struct db *db, struct arena *a, int64_t device, struct filter_attribute **out,
                            size_t *count, struct err *e)
{
    struct filter_attribute *list = arena_array(a, struct filter_attribute, DEVICE_ATTRIBUTES_MAX);
    if (list == NULL)
        return err_set(e, ERR_NOMEM, "no memory to read a device's attributes");
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT key, value FROM device_attribute WHERE device = ? ORDER BY key LIMIT ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    stmt_i64(&s, 2, DEVICE_ATTRIBUTES_MAX);
    size_t n = 0;
    bool oom = false;
    while (n < DEVICE_ATTRIBUTES_MAX && (rc = stmt_step(&s, e)) == STMT_ROW) {
        list[n].key = stmt_get_blob(&s, 0, a, &oom);
        list[n++].value = stmt_get_blob(&s, 1, a, &oom);
    }
    if (rc < 0)
        return rc;
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to read a device's attributes");
    *out = list;
    *count = n;
    return 0;
}
