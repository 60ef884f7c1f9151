#include "store/retention.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/db.h"

#define PLACE "retention.actions"           /* "closed_at:pk:since" */
#define ANEW_MS ((int64_t)24 * 3600 * 1000) /* what was needed is looked at again after this time */

struct place {
    int64_t closed_at, pk; /* of the last action looked at */
    int64_t since;         /* what before_ms was when it began at the first one */
};

static int place_get(struct db *db, struct place *out, struct err *e)
{
    auto_arena struct arena a;
    arena_init(&a, 4096);
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT value FROM meta WHERE key = '" PLACE "'", e);
    if (rc != 0)
        return rc;
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    struct place p = {0};
    bool oom = false;
    const char *text = rc == STMT_ROW ? stmt_get_text(&s, 0, &a, &oom) : NULL;
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to read the database");
    if (text != NULL && sscanf(text, "%" SCNd64 ":%" SCNd64 ":%" SCNd64, &p.closed_at, &p.pk, &p.since) != 3)
        p = (struct place){0}; /* unreadable: from the start */
    *out = p;
    return 0;
}

static int place_set(struct db *db, const struct place *p, struct err *e)
{
    char text[96];
    snprintf(text, sizeof text, "%" PRId64 ":%" PRId64 ":%" PRId64, p->closed_at, p->pk, p->since);
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "INSERT INTO meta (key, value) VALUES ('" PLACE "', ?1)"
                        " ON CONFLICT (key) DO UPDATE SET value = ?1 WHERE value <> ?1",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, text);
    return stmt_run(&s, e);
}

/*
 * The first closed action after the place. It is needed while a poll would decide otherwise without it: the
 * device's newest; one that took it back; one of a running deployment whose release is newer than what runs.
 * And while the director would: the last that succeeded.
 */
static int next_closed(struct db *db, int64_t before_ms, struct place *p, bool *found, bool *needed,
                       struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(
        db, &s,
        "SELECT a.closed_at, a.pk,"
        " a.deployment = (SELECT max(b.deployment) FROM action b WHERE b.device = a.device)"
        " OR a.pk = (SELECT max(b.pk) FROM action b WHERE b.device = a.device AND b.state = 'succeeded')"
        " OR EXISTS (SELECT 1 FROM deployment d WHERE d.pk = a.deployment AND (d.allow_downgrade"
        "  OR (d.state = 'running' AND coalesce((SELECT m.sequence FROM release_model m"
        "    WHERE m.model = v.model AND m.release = a.release), 0) >"
        "   coalesce((SELECT max(m.sequence) FROM release_model m"
        "    WHERE m.model = v.model AND m.version = v.version), 0))))"
        " FROM action a JOIN device v ON v.pk = a.device WHERE a.closed_at IS NOT NULL AND a.closed_at < ?1"
        " AND (a.closed_at, a.pk) > (?2, ?3) ORDER BY a.closed_at, a.pk LIMIT 1",
        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, before_ms);
    stmt_i64(&s, 2, p->closed_at);
    stmt_i64(&s, 3, p->pk);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    *found = rc == STMT_ROW;
    if (*found) {
        p->closed_at = stmt_get_i64(&s, 0);
        p->pk = stmt_get_i64(&s, 1);
        *needed = stmt_get_i64(&s, 2) != 0;
    }
    return 0;
}

/* Runs a DELETE of the rows of `key`, at most *most of them. */
static int delete_some(struct db *db, const char *sql_literal, int64_t key, int64_t *most, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, sql_literal, e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, key);
    stmt_i64(&s, 2, *most);
    rc = stmt_run(&s, e);
    if (rc == 0)
        *most -= db_changes(db);
    return rc;
}

int store_actions_prune(struct db *db, int64_t before_ms, int64_t *most, bool *more, struct err *e)
{
    struct place p = {0};
    int rc = place_get(db, &p, e);
    if (before_ms - p.since >= ANEW_MS || before_ms < p.since)
        p = (struct place){.since = before_ms};
    struct place done = p;
    bool found = true;
    while (rc == 0 && found && *most > 0) {
        bool needed = false;
        rc = next_closed(db, before_ms, &p, &found, &needed, e);
        if (rc != 0 || !found)
            break;
        --*most; /* looking costs too */
        rc = delete_some(db,
                         "DELETE FROM action_status WHERE pk IN"
                         " (SELECT pk FROM action_status WHERE action = ?1 ORDER BY pk LIMIT ?2)",
                         p.pk, most, e);
        if (rc != 0 || *most <= 0)
            break; /* perhaps not all of them: this one again in the next slice */
        if (!needed)
            rc = delete_some(db, "DELETE FROM action WHERE pk = ?1 AND ?2 > 0", p.pk, most, e);
        done = p;
    }
    if (rc != 0)
        return rc;
    *more = found;
    return place_set(db, &done, e);
}

int store_tokens_prune(struct db *db, int64_t before_ms, int64_t *most, bool *more, struct err *e)
{
    while (*most > 0) {
        auto_stmt struct stmt s = {0};
        int rc =
            db_prepare(db, &s, "SELECT pk FROM token WHERE expires_at < ? ORDER BY expires_at LIMIT 1", e);
        if (rc != 0)
            return rc;
        stmt_i64(&s, 1, before_ms);
        rc = stmt_step(&s, e);
        if (rc < 0)
            return rc;
        if (rc == STMT_END) {
            *more = false;
            return 0;
        }
        int64_t pk = stmt_get_i64(&s, 0);
        stmt_done(&s);
        rc = delete_some(db,
                         "DELETE FROM token_use WHERE token = ?1 AND key_id IN"
                         " (SELECT key_id FROM token_use WHERE token = ?1 ORDER BY key_id LIMIT ?2)",
                         pk, most, e);
        if (rc == 0 && *most > 0)
            rc = delete_some(db, "DELETE FROM token WHERE pk = ?1 AND ?2 > 0", pk, most, e);
        if (rc != 0)
            return rc;
    }
    *more = true;
    return 0;
}

static int set_forgotten(struct db *db, int64_t deployment, int64_t value, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "UPDATE deployment SET forgotten = ? WHERE pk = ? AND forgotten <> ?1", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, value);
    stmt_i64(&s, 2, deployment);
    return stmt_run(&s, e);
}

/* One that was over before the time and has devices left; 0: none. */
static int next_kept(struct db *db, int64_t before_ms, int64_t *deployment, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT pk FROM deployment WHERE closed_at < ? AND closed_at IS NOT NULL"
                        " AND forgotten < 2 ORDER BY closed_at LIMIT 1",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, before_ms);
    rc = stmt_step(&s, e);
    if (rc >= 0)
        *deployment = rc == STMT_ROW ? stmt_get_i64(&s, 0) : 0;
    return rc < 0 ? rc : 0;
}

int store_members_prune(struct db *db, int64_t before_ms, int64_t *most, bool *more, struct err *e)
{
    while (*most > 0) {
        int64_t deployment;
        int rc = next_kept(db, before_ms, &deployment, e);
        if (rc != 0)
            return rc;
        if (deployment == 0) {
            *more = false;
            return 0;
        }
        --*most; /* looking costs too */
        rc = set_forgotten(db, deployment, 1, e);
        if (rc == 0)
            rc = delete_some(db,
                             "DELETE FROM member WHERE deployment = ?1 AND device IN"
                             " (SELECT device FROM member WHERE deployment = ?1 ORDER BY device LIMIT ?2)",
                             deployment, most, e);
        if (rc == 0 && *most > 0)
            rc = set_forgotten(db, deployment, 2, e);
        if (rc != 0)
            return rc;
    }
    *more = true;
    return 0;
}
