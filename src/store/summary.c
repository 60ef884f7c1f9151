#include "store/summary.h"

#include "store/db.h"
#include "store/db_open.h"

#define HOUR_MS 3600000 /* what the tallies of days are counted by */

const char *const summary_transport_text[SUMMARY_TRANSPORTS] = {"pq", "classical", "plain", "proxy"};
static const char *const transport_tally[SUMMARY_TRANSPORTS] = {"transport-pq", "transport-classical",
                                                                "transport-plain", "transport-proxy"};

/* Of one name, from that hour on. */
static int read_tally(struct db *db, const char *name, int64_t since, int64_t *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT sum(n) FROM tally WHERE name = ? AND at >= ?", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, name);
    stmt_i64(&s, 2, since / HOUR_MS);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    *out = stmt_get_i64(&s, 0);
    return 0;
}

static int read_devices(struct db *db, int64_t since, struct summary *out, struct err *e)
{
    int rc = read_tally(db, "devices", 0, &out->devices, e);
    if (rc == 0)
        rc = read_tally(db, "revoked", 0, &out->revoked, e);
    if (rc == 0)
        rc = read_tally(db, "seen", since, &out->seen, e);
    for (int i = 0; i < SUMMARY_TRANSPORTS && rc == 0; i++)
        rc = read_tally(db, transport_tally[i], 0, &out->transport[i], e);
    return rc;
}

static int read_deployments(struct db *db, struct summary *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT count(*) FILTER (WHERE state = 'running'),"
                        " count(*) FILTER (WHERE state = 'paused'),"
                        " count(*) FILTER (WHERE state = 'approval')"
                        " FROM deployment WHERE state IN ('running', 'paused', 'approval')",
                        e);
    if (rc == 0)
        rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    out->deployments_running = stmt_get_i64(&s, 0);
    out->deployments_paused = stmt_get_i64(&s, 1);
    out->deployments_approval = stmt_get_i64(&s, 2);
    return 0;
}

static int read_versions(struct db *db, struct arena *a, struct summary *out, struct err *e)
{
    struct summary_version *list = arena_array(a, struct summary_version, SUMMARY_VERSIONS_MAX);
    if (list == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the list of versions");
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT model, nullif(version, ''), devices FROM fleet WHERE devices > 0"
                        " ORDER BY devices DESC, model, version LIMIT ?",
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

static int read_actions(struct db *db, int64_t since, struct summary *out, struct err *e)
{
    int rc = 0;
    for (unsigned i = 0; i < ACTION_STATES && rc == 0; i++) {
        enum action_state state = (enum action_state)i;
        bool final = action_is_final(state);
        rc = read_tally(db, action_state_word(state), final ? since : 0,
                        final ? &out->closed[i] : &out->open[i], e);
    }
    return rc;
}

static int read_all(struct db *db, struct arena *a, int64_t since, struct summary *out, struct err *e)
{
    int rc = read_devices(db, since, out, e);
    if (rc == 0)
        rc = read_deployments(db, out, e);
    if (rc == 0)
        rc = read_versions(db, a, out, e);
    return rc != 0 ? rc : read_actions(db, since, out, e);
}

int store_summary(struct db *db, struct arena *a, int64_t since, struct summary *out, struct err *e)
{
    struct summary found = {0};
    int rc = db_read_begin(db, e);
    if (rc == 0)
        rc = read_all(db, a, since, &found, e);
    db_read_end(db);
    if (rc == 0)
        *out = found;
    return rc;
}
