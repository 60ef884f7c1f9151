#include "store/summary.h"

#include "store/db.h"

static int read_devices(struct db *db, int64_t since, struct summary *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT count(*), count(revoked_at), count(*) FILTER (WHERE last_seen_at >= ?),"
                        " (SELECT count(*) FROM deployment WHERE state = 'running') FROM device",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, since);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    out->devices = stmt_get_i64(&s, 0);
    out->revoked = stmt_get_i64(&s, 1);
    out->seen = stmt_get_i64(&s, 2);
    out->deployments_running = stmt_get_i64(&s, 3);
    return 0;
}

static int read_versions(struct db *db, struct arena *a, struct summary *out, struct err *e)
{
    struct summary_version *list = arena_array(a, struct summary_version, SUMMARY_VERSIONS_MAX);
    if (list == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the list of versions");
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT model, version, count(*) AS n FROM device WHERE revoked_at IS NULL"
                        " GROUP BY model, version ORDER BY n DESC, model, version LIMIT ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, SUMMARY_VERSIONS_MAX);
    bool oom = false;
    size_t n = 0;
    while (!oom && n < SUMMARY_VERSIONS_MAX && (rc = stmt_step(&s, e)) == STMT_ROW) {
        list[n].model = stmt_get_text(&s, 0, a, &oom);
        list[n].version = stmt_get_text(&s, 1, a, &oom);
        list[n].devices = stmt_get_i64(&s, 2);
        n++;
    }
    if (rc < 0)
        return rc;
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory for the list of versions");
    out->versions = list;
    out->version_count = n;
    return 0;
}

/* Rows of state and count. */
static int read_counts(struct stmt *s, int64_t counts[ACTION_STATES], struct err *e)
{
    auto_arena struct arena a;
    arena_init(&a, 4096);
    int rc;
    while ((rc = stmt_step(s, e)) == STMT_ROW) {
        bool oom = false;
        enum action_state state;
        if (action_state_parse(str_of(stmt_get_text(s, 0, &a, &oom)), &state) != 0)
            return err_set(e, ERR_CORRUPT, "an action has an unknown state");
        counts[state] = stmt_get_i64(s, 1);
    }
    return rc;
}

static int read_actions(struct db *db, int64_t since, struct summary *out, struct err *e)
{
    auto_stmt struct stmt open = {0}, closed = {0};
    int rc =
        db_prepare(db, &open, "SELECT state, count(*) FROM action WHERE closed_at IS NULL GROUP BY state", e);
    if (rc == 0)
        rc = read_counts(&open, out->open, e);
    if (rc == 0)
        rc = db_prepare(db, &closed, "SELECT state, count(*) FROM action WHERE closed_at >= ? GROUP BY state",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&closed, 1, since);
    return read_counts(&closed, out->closed, e);
}

int store_summary(struct db *db, struct arena *a, int64_t since, struct summary *out, struct err *e)
{
    struct summary found = {0};
    int rc = read_devices(db, since, &found, e);
    if (rc == 0)
        rc = read_versions(db, a, &found, e);
    if (rc == 0)
        rc = read_actions(db, since, &found, e);
    if (rc == 0)
        *out = found;
    return rc;
}
