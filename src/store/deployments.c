#include "store/deployments.h"

#include "store/db.h"
#include "store/db_open.h"
#include "store/phases.h"

#define COLUMNS                                                                                              \
    "d.pk, d.release, r.name, r.version, d.target_kind, d.target, d.state, d.why, d.dynamic,"                \
    " d.allow_downgrade, d.consent, d.priority, d.mode, d.force_at, d.start_at, d.per_minute,"               \
    " d.window_schedule, d.window_seconds, d.window_zone, d.deadline_seconds, d.retries, d.retry_seconds,"   \
    " d.rollback, d.phase, d.phases, d.looked, d.prepared_at, d.minute, d.begun, d.origin, d.created_at,"    \
    " d.approved_at, d.closed_at, d.created_by, d.approved_by"

/* The next column of a row. */
struct row {
    struct stmt *s;
    struct arena *arena;
    int column;
    bool oom;
};

static int64_t number(struct row *r)
{
    return stmt_get_i64(r->s, r->column++);
}

static const char *text(struct row *r)
{
    return stmt_get_text(r->s, r->column++, r->arena, &r->oom);
}

static int read_row(struct stmt *s, struct arena *a, struct deployment *out, struct err *e)
{
    struct row r = {.s = s, .arena = a};
    struct deployment d = {0};
    struct deployment_policy *p = &d.policy;
    d.pk = number(&r);
    d.release = number(&r);
    d.release_name = text(&r);
    d.release_version = text(&r);
    const char *kind = text(&r);
    d.target = text(&r);
    const char *state = text(&r);
    d.why = text(&r);
    p->dynamic = number(&r) != 0;
    p->allow_downgrade = number(&r) != 0;
    p->consent = number(&r) != 0;
    p->priority = (int)number(&r);
    const char *mode = text(&r);
    p->force_at = number(&r);
    p->start_at = number(&r);
    p->per_minute = number(&r);
    p->window_schedule = text(&r);
    p->window_seconds = number(&r);
    p->window_zone = text(&r);
    p->deadline_seconds = number(&r);
    p->retries = number(&r);
    p->retry_seconds = number(&r);
    p->rollback = number(&r);
    d.phase = (int)number(&r);
    d.phases = (int)number(&r);
    d.looked = number(&r);
    d.prepared_at = number(&r);
    d.minute = number(&r);
    d.begun = number(&r);
    d.origin = number(&r);
    d.created_at = number(&r);
    d.approved_at = number(&r);
    d.closed_at = number(&r);
    d.created_by = text(&r);
    d.approved_by = text(&r);
    if (r.oom)
        return err_set(e, ERR_NOMEM, "no memory to read a deployment");
    if (target_kind_parse(str_of(kind), &d.kind) != 0 ||
        deployment_state_parse(str_of(state), &d.state) != 0 ||
        deployment_mode_parse(str_of(mode), &p->mode) != 0)
        return err_set(e, ERR_CORRUPT, "deployment %lld has an unknown state, mode or target",
                       (long long)d.pk);
    *out = d;
    return 0;
}

int store_deployment_by_pk(struct db *db, struct arena *a, int64_t pk, struct deployment *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(
        db, &s, "SELECT " COLUMNS " FROM deployment d JOIN release r ON r.pk = d.release WHERE d.pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, pk);
    rc = stmt_step(&s, e);
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "there is no deployment %lld", (long long)pk);
    return rc < 0 ? rc : read_row(&s, a, out, e);
}

int store_deployment_list(struct db *db, struct arena *a, const enum deployment_state *state, int64_t after,
                          size_t limit, struct deployment **out, size_t *count, bool *more, struct err *e)
{
    struct deployment *list = arena_array(a, struct deployment, limit + 1);
    if (list == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a list of %zu deployments", limit);
    auto_stmt struct stmt s = {0};
    int rc;
    if (state != NULL)
        rc = db_prepare(db, &s,
                        "SELECT " COLUMNS " FROM deployment d JOIN release r ON r.pk = d.release"
                        " WHERE d.pk < ?1 AND d.state = ?3 ORDER BY d.pk DESC LIMIT ?2",
                        e);
    else
        rc = db_prepare(db, &s,
                        "SELECT " COLUMNS " FROM deployment d JOIN release r ON r.pk = d.release"
                        " WHERE d.pk < ?1 ORDER BY d.pk DESC LIMIT ?2",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, after > 0 ? after : INT64_MAX);
    stmt_i64(&s, 2, (int64_t)limit + 1);
    if (state != NULL)
        stmt_text(&s, 3, deployment_state_word(*state));
    size_t n = 0;
    while (rc == 0 && n <= limit && (rc = stmt_step(&s, e)) == STMT_ROW) {
        rc = read_row(&s, a, &list[n], e);
        n++;
    }
    if (rc < 0)
        return rc;
    *more = n > limit;
    *count = n > limit ? limit : n;
    *out = list;
    return 0;
}

int store_deployment_counts(struct db *db, int64_t pk, int64_t counts[ACTION_STATES], struct err *e)
{
    auto_arena struct arena a;
    arena_init(&a, 4096);
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT state, n FROM action_tally WHERE deployment = ?", e);
    if (rc != 0)
        return rc;
    int64_t found[ACTION_STATES] = {0};
    stmt_i64(&s, 1, pk);
    while ((rc = stmt_step(&s, e)) == STMT_ROW) {
        bool oom = false;
        enum action_state state;
        if (action_state_parse(str_of(stmt_get_text(&s, 0, &a, &oom)), &state) != 0)
            return err_set(e, ERR_CORRUPT, "deployment %lld has an action of an unknown state",
                           (long long)pk);
        found[state] = stmt_get_i64(&s, 1);
    }
    if (rc == 0)
        memcpy(counts, found, sizeof found);
    return rc;
}

static int one_pk(struct stmt *s, int64_t *pk, struct err *e)
{
    int rc = stmt_step(s, e);
    if (rc < 0)
        return rc;
    *pk = rc == STMT_ROW ? stmt_get_i64(s, 0) : 0;
    return 0;
}

int store_deployment_live_of(struct db *db, int64_t release, int64_t *pk, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT pk FROM deployment WHERE (release = ?1 OR rollback = ?1) AND state IN"
                        " ('approval', 'scheduled', 'running', 'paused') LIMIT 1",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, release);
    return one_pk(&s, pk, e);
}

int store_deployment_unprepared(struct db *db, int64_t *pk, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT pk FROM deployment WHERE prepared_at IS NULL AND state IN"
                        " ('approval', 'scheduled', 'running', 'paused') ORDER BY pk LIMIT 1",
                        e);
    return rc != 0 ? rc : one_pk(&s, pk, e);
}

int store_deployment_due(struct db *db, int64_t now_ms, int64_t *pk, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT pk FROM deployment WHERE state = 'scheduled' AND start_at <= ?"
                        " ORDER BY start_at LIMIT 1",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, now_ms);
    return one_pk(&s, pk, e);
}

/* --- writing ------------------------------------------------------------------------------------------- */

int store_deployment_add(struct db *db, struct deployment *d, const struct phase *phases, struct err *e)
{
    const struct deployment_policy *p = &d->policy;
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(
        db, &s,
        "INSERT INTO deployment (release, target_kind, target, state, why, dynamic, allow_downgrade, consent,"
        " priority, mode, force_at, start_at, per_minute, window_schedule, window_seconds, window_zone,"
        " deadline_seconds, retries, retry_seconds, rollback, phases, prepared_at, origin, created_at,"
        " created_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        e);
    if (rc != 0)
        return rc;
    int i = 0;
    stmt_i64(&s, ++i, d->release);
    stmt_text(&s, ++i, target_kind_word(d->kind));
    stmt_text(&s, ++i, d->target);
    stmt_text(&s, ++i, deployment_state_word(d->state));
    stmt_text(&s, ++i, d->why);
    stmt_i64(&s, ++i, p->dynamic);
    stmt_i64(&s, ++i, p->allow_downgrade);
    stmt_i64(&s, ++i, p->consent);
    stmt_i64(&s, ++i, p->priority);
    stmt_text(&s, ++i, deployment_mode_word(p->mode));
    stmt_some(&s, ++i, p->force_at);
    stmt_some(&s, ++i, p->start_at);
    stmt_some(&s, ++i, p->per_minute);
    stmt_text(&s, ++i, p->window_schedule);
    stmt_some(&s, ++i, p->window_seconds);
    stmt_text(&s, ++i, p->window_zone);
    stmt_some(&s, ++i, p->deadline_seconds);
    stmt_i64(&s, ++i, p->retries);
    stmt_i64(&s, ++i, p->retry_seconds);
    stmt_some(&s, ++i, p->rollback);
    stmt_i64(&s, ++i, d->phases);
    stmt_some(&s, ++i, d->prepared_at);
    stmt_some(&s, ++i, d->origin);
    stmt_i64(&s, ++i, d->created_at);
    stmt_text(&s, ++i, d->created_by);
    rc = stmt_run(&s, e);
    if (rc != 0)
        return rc;
    int64_t pk = db_last_rowid(db);
    rc = store_phases_add(db, pk, phases, d->phases, e);
    if (rc == 0)
        d->pk = pk;
    return rc;
}

int store_deployment_move(struct db *db, const struct deployment *d, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "UPDATE deployment SET state = ?, why = ?, closed_at = ?, approved_at = ?,"
                        " approved_by = ? WHERE pk = ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, deployment_state_word(d->state));
    stmt_text(&s, 2, d->why);
    stmt_some(&s, 3, d->closed_at);
    stmt_some(&s, 4, d->approved_at);
    stmt_text(&s, 5, d->approved_by);
    stmt_i64(&s, 6, d->pk);
    return stmt_run(&s, e);
}

int store_deployment_looked(struct db *db, const struct deployment *d, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "UPDATE deployment SET looked = ?, prepared_at = ? WHERE pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, d->looked);
    stmt_some(&s, 2, d->prepared_at);
    stmt_i64(&s, 3, d->pk);
    return stmt_run(&s, e);
}

int store_deployment_begin(struct db *db, int64_t pk, int64_t minute, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "UPDATE deployment SET begun = CASE minute WHEN ?1 THEN begun + 1 ELSE 1 END,"
                        " minute = ?1 WHERE pk = ?2",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, minute);
    stmt_i64(&s, 2, pk);
    return stmt_run(&s, e);
}

int store_deployment_closing_set(struct db *db, int64_t pk, bool closing, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc =
        closing
            ? db_prepare(db, &s,
                         "INSERT INTO deployment_closing (deployment) VALUES (?) ON CONFLICT DO NOTHING", e)
            : db_prepare(db, &s, "DELETE FROM deployment_closing WHERE deployment = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, pk);
    return stmt_run(&s, e);
}

int store_deployment_closing(struct db *db, int64_t *pk, struct err *e)
{
    return db_get_i64(db, "SELECT coalesce(min(deployment), 0) FROM deployment_closing", pk, e);
}
