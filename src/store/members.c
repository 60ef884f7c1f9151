#include "store/members.h"

#include "model/filter.h"
#include "store/actions.h"
#include "store/db.h"
#include "store/db_open.h"
#include "store/deployments.h"
#include "store/search_sql.h"

#define COLUMNS "m.deployment, m.device, m.phase, m.state, m.attempts, m.retry_at, m.why"
#define RETRYING "m.state = 'waiting' AND m.retry_at IS NOT NULL"

static int read_row(struct stmt *s, struct arena *a, struct member *out, struct err *e)
{
    bool oom = false;
    struct member m = {
        .deployment = stmt_get_i64(s, 0),
        .device = stmt_get_i64(s, 1),
        .phase = (int)stmt_get_i64(s, 2),
        .attempts = stmt_get_i64(s, 4),
        .retry_at = stmt_get_i64(s, 5),
        .why = stmt_get_text(s, 6, a, &oom),
    };
    const char *state = stmt_get_text(s, 3, a, &oom);
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to read a deployment's devices");
    if (member_state_parse(str_of(state), &m.state) != 0)
        return err_set(e, ERR_CORRUPT, "a device of deployment %lld has an unknown state",
                       (long long)m.deployment);
    *out = m;
    return 0;
}

static int read_one(struct stmt *s, struct arena *a, struct member *out, bool *found, struct err *e)
{
    int rc = stmt_step(s, e);
    if (rc >= 0)
        *found = rc == STMT_ROW;
    return rc <= 0 ? rc : read_row(s, a, out, e);
}

int store_member_get(struct db *db, struct arena *a, int64_t deployment, int64_t device, struct member *out,
                     bool *found, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc =
        db_prepare(db, &s, "SELECT " COLUMNS " FROM member m WHERE m.deployment = ? AND m.device = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, deployment);
    stmt_i64(&s, 2, device);
    return read_one(&s, a, out, found, e);
}

int store_member_open(struct db *db, struct arena *a, int64_t device, struct member *out, bool *found,
                      struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT " COLUMNS " FROM member m WHERE m.device = ?"
                        " AND m.state IN ('waiting', 'active') ORDER BY m.deployment LIMIT 1",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    return read_one(&s, a, out, found, e);
}

int store_member_ended(struct db *db, int64_t device, size_t look, size_t most, int64_t *out, size_t *count,
                       struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(
        db, &s,
        "SELECT m.deployment FROM ("
        " SELECT deployment FROM (SELECT DISTINCT deployment FROM action WHERE device = ?1"
        "  ORDER BY deployment DESC LIMIT ?3)"
        " UNION SELECT deployment FROM (SELECT deployment FROM member WHERE device = ?1 AND state = 'already'"
        "  ORDER BY deployment DESC LIMIT ?3)"
        " UNION SELECT pk FROM (SELECT pk FROM deployment ORDER BY pk DESC LIMIT ?2)) x"
        " CROSS JOIN member m ON m.deployment = x.deployment AND m.device = ?1"
        " WHERE m.state NOT IN ('waiting', 'active') ORDER BY m.deployment DESC LIMIT ?3",
        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    stmt_i64(&s, 2, (int64_t)look);
    stmt_i64(&s, 3, (int64_t)most);
    size_t n = 0;
    while (n < most && (rc = stmt_step(&s, e)) == STMT_ROW)
        out[n++] = stmt_get_i64(&s, 0);
    if (rc < 0)
        return rc;
    *count = n;
    return 0;
}

/* --- lists --------------------------------------------------------------------------------------------- */

static int read_listed(struct stmt *s, struct arena *a, struct member_row *out, struct err *e)
{
    bool oom = false;
    struct member_row r = {
        .device_id = stmt_get_text(s, 7, a, &oom),
        .version = stmt_get_text(s, 8, a, &oom),
        .action =
            {
                .pk = stmt_get_i64(s, 9),
                .progress = stmt_is_null(s, 11) ? ACTION_PROGRESS_NONE : (int)stmt_get_i64(s, 11),
                .message = stmt_get_text(s, 12, a, &oom),
                .created_at = stmt_get_i64(s, 13),
                .updated_at = stmt_get_i64(s, 14),
                .closed_at = stmt_get_i64(s, 15),
            },
    };
    const char *state = stmt_get_text(s, 10, a, &oom);
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to list a deployment's devices; ask for fewer at once");
    if (state != NULL && action_state_parse(str_of(state), &r.action.state) != 0)
        return err_set(e, ERR_CORRUPT, "action %lld has an unknown state", (long long)r.action.pk);
    int rc = read_row(s, a, &r.m, e);
    if (rc == 0)
        *out = r;
    return rc;
}

/* Few have failed or are active; these have indexes of their own, which SQLite does not choose by itself. */
static int prepare_list(struct db *db, const struct member_choice *which, struct stmt *s, struct err *e)
{
#define LIST(index, condition)                                                                               \
    "SELECT " COLUMNS ", d.id, d.version, a.pk, a.state, a.progress, a.message, a.created_at, a.updated_at," \
    " a.closed_at FROM member m " index " JOIN device d ON d.pk = m.device LEFT JOIN action a ON a.pk ="     \
    " (SELECT max(x.pk) FROM action x WHERE x.device = m.device AND x.deployment = m.deployment)"            \
    " WHERE m.deployment = ?1 AND m.device > ?2 AND (?4 = 0 OR m.phase = ?4 - 1) " condition                 \
    " ORDER BY m.device LIMIT ?3"
    if (which->retrying)
        return db_prepare(db, s, LIST("INDEXED BY member_retrying", "AND " RETRYING), e);
    if (which->state == NULL)
        return db_prepare(db, s, LIST("", ""), e);
    if (*which->state == MEMBER_FAILED)
        return db_prepare(db, s, LIST("INDEXED BY member_failed", "AND m.state = 'failed'"), e);
    if (*which->state == MEMBER_ACTIVE)
        return db_prepare(db, s, LIST("INDEXED BY member_active", "AND m.state = 'active'"), e);
    int rc = db_prepare(db, s, LIST("", "AND m.state = ?5"), e);
    if (rc == 0)
        stmt_text(s, 5, member_state_word(*which->state));
    return rc;
#undef LIST
}

int store_member_list(struct db *db, struct arena *a, int64_t deployment, const struct member_choice *which,
                      int64_t after, size_t limit, struct member_row **out, size_t *count, bool *more,
                      struct err *e)
{
    struct member_row *list = arena_array(a, struct member_row, limit + 1);
    if (list == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a list of %zu devices", limit);
    auto_stmt struct stmt s = {0};
    int rc = prepare_list(db, which, &s, e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, deployment);
    stmt_i64(&s, 2, after);
    stmt_i64(&s, 3, (int64_t)limit + 1);
    stmt_i64(&s, 4, which->phase);
    size_t n = 0;
    while (rc == 0 && n <= limit && (rc = stmt_step(&s, e)) == STMT_ROW) {
        rc = read_listed(&s, a, &list[n], e);
        n++;
    }
    if (rc < 0)
        return rc;
    *more = n > limit;
    *count = n > limit ? limit : n;
    *out = list;
    return 0;
}

int store_member_told(struct db *db, const struct deployment *d, int64_t after, size_t look, int64_t *out,
                      size_t *count, int64_t *last, bool *end, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT device, phase <= ?3 AND state IN ('waiting', 'active', 'cancelled')"
                        " FROM member WHERE deployment = ?1 AND device > ?2 ORDER BY device LIMIT ?4",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, d->pk);
    stmt_i64(&s, 2, after);
    stmt_i64(&s, 3, d->phase);
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

/* --- looking for members ------------------------------------------------------------------------------- */

#define FIRST_VALUE 9 /* of the filters, among the statement's values */
#define FOUND_COLUMNS 2
#define IDLE "NOT EXISTS (SELECT 1 FROM action x WHERE x.device = d.pk AND x.closed_at IS NULL)"

/* The filters' values are bound; the rest of the text is ours. */
static int write_search(const struct member_search *q, struct search_sql *sql, struct err *e)
{
    struct buf *b = &sql->text;
    int first = FIRST_VALUE, rc;
    rc = buf_printf(b,
                    "SELECT d.pk, CASE"
                    " WHEN d.version IS (SELECT version FROM release WHERE pk = ?3) AND " IDLE " THEN %d"
                    " WHEN NOT ?8 AND (SELECT max(v.sequence) FROM release_model v WHERE v.model = d.model"
                    "  AND v.version = d.version) >= (SELECT r.sequence FROM release_model r"
                    "  WHERE r.release = ?3 AND r.model = d.model) AND " IDLE " THEN %d ELSE %d END",
                    NEED_NONE_SAME, NEED_NONE_NEWER, NEED_UPDATE);
    if (rc == 0 && (rc = search_sql_phases(sql, q->phases, q->phase_count, &first, q->now_ms, e)) != 0)
        return rc;
    if (rc == 0) {
        rc = filter_sql_make(q->filter, first, q->now_ms, &sql->filter, e);
        if (rc != 0)
            return rc;
        rc = buf_printf(b,
                        " FROM device d NOT INDEXED WHERE d.pk > ?1 AND d.pk <= ?2"
                        " AND d.revoked_at IS NULL"
                        " AND EXISTS (SELECT 1 FROM release_model r WHERE r.model = d.model"
                        "  AND r.release = ?3 AND r.sequence IS NOT NULL)"
                        " AND (?4 OR d.created_at <= ?5)"
                        " AND (?6 IS NULL OR EXISTS (SELECT 1 FROM member o WHERE o.deployment = ?6"
                        "  AND o.device = d.pk AND o.attempts > 0))"
                        " AND (%s) ORDER BY d.pk LIMIT ?7",
                        sql->filter.text.p);
    }
    return rc == 0 ? 0 : err_set(e, ERR_NOMEM, "no memory to look for a deployment's devices");
}

static int bind_search(const struct member_search *q, const struct search_sql *sql, int64_t after,
                       int64_t until, struct stmt *s)
{
    const struct deployment *d = q->deployment;
    stmt_i64(s, 1, after);
    stmt_i64(s, 2, until);
    stmt_i64(s, 3, d->release);
    stmt_i64(s, 4, d->policy.dynamic || d->kind == TARGET_DEPLOYMENT); /* its members were named */
    stmt_i64(s, 5, d->created_at);
    stmt_some(s, 6, d->kind == TARGET_DEPLOYMENT ? d->origin : 0);
    stmt_i64(s, 7, until - after);
    stmt_i64(s, 8, d->policy.allow_downgrade);
    return search_sql_bind(sql, s);
}

static struct member_found read_found(const struct search_sql *sql, struct stmt *s)
{
    return (struct member_found){.device = stmt_get_i64(s, 0),
                                 .need = (enum member_need)stmt_get_i64(s, 1),
                                 .matches = search_sql_matches(sql, s, FOUND_COLUMNS)};
}

int store_member_search(struct db *db, const struct member_search *q, int64_t after, int64_t until,
                        struct member_found *out, size_t *count, struct err *e)
{
    auto_search_sql struct search_sql sql = {0};
    buf_init(&sql.text, 1 << 20);
    int rc = write_search(q, &sql, e);
    if (rc != 0)
        return rc;
    auto_stmt struct stmt s = {0};
    rc = db_prepare_once(db, &s, sql.text.p, e);
    if (rc != 0)
        return rc;
    rc = bind_search(q, &sql, after, until, &s);
    if (rc != 0)
        return err_set(e, rc, "the filter's values could not be bound");
    size_t n = 0, most = (size_t)(until - after);
    while (n < most && (rc = stmt_step(&s, e)) == STMT_ROW)
        out[n++] = read_found(&sql, &s);
    if (rc < 0)
        return rc;
    *count = n;
    return 0;
}

int store_device_last_pk(struct db *db, int64_t *out, struct err *e)
{
    return db_get_i64(db, "SELECT coalesce(max(pk), 0) FROM device", out, e);
}

/* --- how many ------------------------------------------------------------------------------------------ */

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

int store_deployment_reach(struct db *db, const struct deployment *d, int64_t most, int64_t *out,
                           struct err *e)
{
    auto_stmt struct stmt s = {0};
    int64_t n;
    int rc = db_prepare(db, &s,
                        "SELECT coalesce(sum(n), 0) FROM member_tally WHERE deployment = ?"
                        " AND state IN ('waiting', 'active')",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, d->pk);
    rc = count_one(&s, &n, e);
    if (rc == 0)
        *out = n < most ? n : most;
    return rc;
}

int store_member_retrying(struct db *db, int64_t deployment, int64_t *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT count(*) FROM member m INDEXED BY member_retrying WHERE m.deployment = ?"
                        " AND " RETRYING,
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, deployment);
    return count_one(&s, out, e);
}

/* --- writing ------------------------------------------------------------------------------------------- */

int store_member_add(struct db *db, const struct member *m, bool *added, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "INSERT INTO member (deployment, device, phase, state, attempts, why)"
                        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, m->deployment);
    stmt_i64(&s, 2, m->device);
    stmt_i64(&s, 3, m->phase);
    stmt_text(&s, 4, member_state_word(m->state));
    stmt_i64(&s, 5, m->attempts);
    stmt_text(&s, 6, m->why);
    rc = stmt_run(&s, e);
    if (rc == 0)
        *added = db_changes(db) > 0;
    return rc;
}

int store_member_update(struct db *db, const struct member *m, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "UPDATE member SET state = ?, attempts = ?, retry_at = ?, why = ?"
                        " WHERE deployment = ? AND device = ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, member_state_word(m->state));
    stmt_i64(&s, 2, m->attempts);
    stmt_some(&s, 3, m->retry_at);
    stmt_text(&s, 4, m->why);
    stmt_i64(&s, 5, m->deployment);
    stmt_i64(&s, 6, m->device);
    return stmt_run(&s, e);
}

int store_member_drop(struct db *db, int64_t device, int64_t *deployment, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "DELETE FROM member WHERE device = ?1 AND deployment = (SELECT m.deployment"
                        " FROM deployment d CROSS JOIN member m ON m.deployment = d.pk AND m.device = ?1"
                        " WHERE d.state = 'running' LIMIT 1) RETURNING deployment",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    return count_one(&s, deployment, e);
}

int store_member_cancel_some(struct db *db, int64_t deployment, const char *why, int64_t look, int64_t *at,
                             bool *more, struct err *e)
{
    auto_stmt struct stmt last = {0}, s = {0};
    int rc = db_prepare(db, &last,
                        "SELECT max(device), count(*) FROM (SELECT device FROM member WHERE deployment = ?"
                        " AND device > ? ORDER BY device LIMIT ?)",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&last, 1, deployment);
    stmt_i64(&last, 2, *at);
    stmt_i64(&last, 3, look);
    rc = stmt_step(&last, e);
    if (rc < 0)
        return rc;
    int64_t until = stmt_get_i64(&last, 0), found = stmt_get_i64(&last, 1);
    stmt_done(&last);
    rc = db_prepare(db, &s,
                    "UPDATE member SET state = 'cancelled', retry_at = NULL, why = ? WHERE deployment = ?"
                    " AND device > ? AND device <= ? AND state = 'waiting'",
                    e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, why);
    stmt_i64(&s, 2, deployment);
    stmt_i64(&s, 3, *at);
    stmt_i64(&s, 4, until);
    rc = stmt_run(&s, e);
    if (rc == 0 && found > 0)
        *at = until;
    if (rc == 0)
        *more = found >= look;
    return rc;
}

int store_member_reopen(struct db *db, int64_t device, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc =
        db_prepare(db, &s,
                   "UPDATE member SET state = 'waiting', why = NULL WHERE device = ? AND state = 'already'"
                   " AND (SELECT d.state IN ('approval', 'scheduled', 'running', 'paused')"
                   "  FROM deployment d WHERE d.pk = member.deployment)",
                   e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    return stmt_run(&s, e);
}
