#include "store/actions.h"

#include "store/db.h"

#define COLUMNS                                                                                              \
    "a.pk, a.deployment, a.device, a.release, a.state, a.progress, a.message, a.version_before, "            \
    "a.created_at,"                                                                                          \
    " a.updated_at, a.closed_at,"                                                                            \
    " EXISTS (SELECT 1 FROM deployment c WHERE c.pk = a.deployment AND c.state = 'cancelled'),"              \
    " a.attempt, a.resume, a.deadline_at, a.retrieved"

static int read_row(struct stmt *s, struct arena *a, struct action *out, struct err *e)
{
    bool oom = false;
    struct action act = {
        .pk = stmt_get_i64(s, 0),
        .deployment = stmt_get_i64(s, 1),
        .device = stmt_get_i64(s, 2),
        .release = stmt_get_i64(s, 3),
        .progress = stmt_is_null(s, 5) ? ACTION_PROGRESS_NONE : (int)stmt_get_i64(s, 5),
        .message = stmt_get_text(s, 6, a, &oom),
        .version_before = stmt_get_text(s, 7, a, &oom),
        .created_at = stmt_get_i64(s, 8),
        .updated_at = stmt_get_i64(s, 9),
        .closed_at = stmt_get_i64(s, 10),
        .called_off = stmt_get_i64(s, 11) != 0,
        .attempt = stmt_get_i64(s, 12),
        .deadline_at = stmt_get_i64(s, 14),
        .retrieved = stmt_get_i64(s, 15) != 0,
    };
    const char *state = stmt_get_text(s, 4, a, &oom), *resume = stmt_get_text(s, 13, a, &oom);
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to read an action");
    if (action_state_parse(str_of(state), &act.state) != 0 ||
        (resume != NULL && action_state_parse(str_of(resume), &act.resume) != 0))
        return err_set(e, ERR_CORRUPT, "action %lld has the unknown state \"%s\"", (long long)act.pk, state);
    *out = act;
    return 0;
}

static int read_row_and_id(struct stmt *s, struct arena *a, struct action *out, struct err *e)
{
    bool oom = false;
    const char *id = stmt_get_text(s, 16, a, &oom);
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to read an action");
    int rc = read_row(s, a, out, e);
    if (rc == 0)
        out->device_id = id;
    return rc;
}

int store_action_of(struct db *db, struct arena *a, const char *device_id, int64_t pk, struct action *out,
                    struct err *e)
{
    struct action act;
    int rc = store_action_by_pk(db, a, pk, &act, e);
    if (rc == 0 && strcmp(act.device_id, device_id) != 0)
        rc = err_set(e, ERR_NOT_FOUND, "there is no action %lld", (long long)pk);
    if (rc == 0)
        *out = act;
    return rc;
}

int store_action_by_pk(struct db *db, struct arena *a, int64_t pk, struct action *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(
        db, &s, "SELECT " COLUMNS ", d.id FROM action a JOIN device d ON d.pk = a.device WHERE a.pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, pk);
    rc = stmt_step(&s, e);
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "there is no action %lld", (long long)pk);
    return rc < 0 ? rc : read_row_and_id(&s, a, out, e);
}

int store_action_open(struct db *db, struct arena *a, int64_t device, struct action *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT " COLUMNS " FROM action a WHERE a.device = ? AND a.closed_at IS NULL"
                        " ORDER BY a.pk LIMIT 1",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    rc = stmt_step(&s, e);
    if (rc == STMT_END)
        *out = (struct action){0};
    return rc <= 0 ? rc : read_row(&s, a, out, e);
}

int store_action_opens(struct db *db, struct arena *a, int64_t device, size_t most, struct action *out,
                       size_t *count, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT " COLUMNS " FROM action a WHERE a.device = ? AND a.closed_at IS NULL"
                        " ORDER BY a.pk LIMIT ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    stmt_i64(&s, 2, (int64_t)most);
    size_t n = 0;
    while (rc == 0 && n < most && (rc = stmt_step(&s, e)) == STMT_ROW)
        rc = read_row(&s, a, &out[n++], e);
    if (rc < 0)
        return rc;
    *count = n;
    return 0;
}

/* One row with a device's id, or pk 0. */
static int one_or_none(struct stmt *s, struct arena *a, struct action *out, struct err *e)
{
    int rc = stmt_step(s, e);
    if (rc == STMT_END)
        *out = (struct action){0};
    return rc <= 0 ? rc : read_row_and_id(s, a, out, e);
}

int store_action_last(struct db *db, struct arena *a, int64_t device, struct action *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT " COLUMNS ", d.id FROM action a JOIN device d ON d.pk = a.device WHERE a.pk ="
                        " (SELECT max(x.pk) FROM action x WHERE x.device = ?)",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    return one_or_none(&s, a, out, e);
}

int store_action_last_of(struct db *db, struct arena *a, int64_t device, int64_t deployment,
                         struct action *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT " COLUMNS ", d.id FROM action a JOIN device d ON d.pk = a.device"
                        " WHERE a.device = ? AND a.deployment = ? ORDER BY a.attempt DESC LIMIT 1",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    stmt_i64(&s, 2, deployment);
    return one_or_none(&s, a, out, e);
}

int store_action_overdue(struct db *db, struct arena *a, int64_t now_ms, struct action *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT " COLUMNS ", d.id FROM action a JOIN device d ON d.pk = a.device"
                        " WHERE a.closed_at IS NULL AND a.deadline_at IS NOT NULL AND a.deadline_at <= ?"
                        " ORDER BY a.deadline_at LIMIT 1",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, now_ms);
    return one_or_none(&s, a, out, e);
}

int store_action_past(struct db *db, int64_t device, struct action_past *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(
        db, &s,
        "SELECT max(x.deployment), max(CASE WHEN d.allow_downgrade AND x.good THEN x.deployment END)"
        " FROM (SELECT deployment, max(state = 'succeeded') AS good FROM action"
        "  WHERE device = ?1 GROUP BY deployment ORDER BY deployment DESC LIMIT ?2) x"
        " JOIN deployment d ON d.pk = x.deployment",
        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    stmt_i64(&s, 2, ACTION_PAST_MAX);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    *out = (struct action_past){.newest = stmt_get_i64(&s, 0), .moved_back = stmt_get_i64(&s, 1)};
    return 0;
}

/* One number, 0 when there is no row. */
static int one_number(struct stmt *s, int64_t *out, struct err *e)
{
    int rc = stmt_step(s, e);
    if (rc < 0)
        return rc;
    *out = rc == STMT_ROW ? stmt_get_i64(s, 0) : 0;
    return 0;
}

static int ask_number(struct db *db, const char *sql_literal, int64_t key, int64_t *count, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, sql_literal, e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, key);
    return one_number(&s, count, e);
}

int store_action_succeeded(struct db *db, int64_t device, int64_t *release, struct err *e)
{
    return ask_number(db,
                      "SELECT release FROM action WHERE device = ? AND state = 'succeeded'"
                      " ORDER BY pk DESC LIMIT 1",
                      device, release, e);
}

int store_action_installed(struct db *db, int64_t device, const char *version, int64_t *action, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT a.pk FROM action a JOIN release r ON r.pk = a.release"
                        " WHERE a.pk = (SELECT max(pk) FROM action WHERE device = ?1 AND state = 'succeeded')"
                        " AND (?2 IS NULL OR r.version = ?2)",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    stmt_text(&s, 2, version);
    return one_number(&s, action, e);
}

int store_action_with_module(struct db *db, int64_t device, int64_t module, int64_t *action, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int64_t found = 0;
    int rc =
        db_prepare(db, &s,
                   "SELECT x.pk FROM (SELECT pk, release FROM action"
                   "  WHERE device = ?1 AND closed_at IS NULL AND state <> 'cancelling'"
                   " UNION ALL SELECT pk, release FROM action"
                   "  WHERE pk = (SELECT max(pk) FROM action WHERE device = ?1 AND state = 'succeeded')) x"
                   " JOIN release_module r ON r.release = x.release AND r.module = ?2 LIMIT 1",
                   e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    stmt_i64(&s, 2, module);
    rc = one_number(&s, &found, e);
    if (rc == 0)
        *action = found;
    return rc;
}

int store_action_list(struct db *db, struct arena *a, int64_t deployment, int64_t after, size_t limit,
                      struct action **out, size_t *count, bool *more, struct err *e)
{
    struct action *list = arena_array(a, struct action, limit + 1);
    if (list == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a list of %zu actions", limit);
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT " COLUMNS ", d.id FROM action a JOIN device d ON d.pk = a.device"
                        " WHERE a.deployment = ? AND a.pk > ? ORDER BY a.pk LIMIT ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, deployment);
    stmt_i64(&s, 2, after);
    stmt_i64(&s, 3, (int64_t)limit + 1);
    size_t n = 0;
    while (rc == 0 && n <= limit && (rc = stmt_step(&s, e)) == STMT_ROW) {
        rc = read_row_and_id(&s, a, &list[n], e);
        n++;
    }
    if (rc < 0)
        return rc;
    *more = n > limit;
    *count = n > limit ? limit : n;
    *out = list;
    return 0;
}

int store_action_count_open_of(struct db *db, int64_t release, int64_t *count, struct err *e)
{
    return ask_number(
        db,
        "SELECT coalesce(sum(t.n), 0) FROM deployment d JOIN action_tally t ON t.deployment = d.pk"
        " AND t.state IN ('waiting', 'offered', 'downloading', 'installing', 'rebooting', 'cancelling')"
        " WHERE d.release = ?",
        release, count, e);
}

int store_action_status_count(struct db *db, int64_t action, int64_t *count, struct err *e)
{
    return ask_number(db, "SELECT count(*) FROM action_status WHERE action = ?", action, count, e);
}

int store_action_entries(struct db *db, struct arena *a, int64_t action, size_t most,
                         struct action_entry *out, size_t *count, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(
        db, &s, "SELECT at, state, message FROM action_status WHERE action = ? ORDER BY pk DESC LIMIT ?", e);
    if (rc != 0)
        return rc;
    bool oom = false;
    size_t n = 0;
    stmt_i64(&s, 1, action);
    stmt_i64(&s, 2, (int64_t)most);
    while (n < most && (rc = stmt_step(&s, e)) == STMT_ROW)
        out[n++] = (struct action_entry){.at = stmt_get_i64(&s, 0),
                                         .kind = stmt_get_text(&s, 1, a, &oom),
                                         .message = stmt_get_text(&s, 2, a, &oom)};
    if (rc < 0)
        return rc;
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to read an action's history");
    *count = n;
    return 0;
}

int store_action_add(struct db *db, struct action *act, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc =
        db_prepare(db, &s,
                   "INSERT INTO action (deployment, device, release, attempt, state, message, version_before,"
                   " deadline_at, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, act->deployment);
    stmt_i64(&s, 2, act->device);
    stmt_i64(&s, 3, act->release);
    stmt_i64(&s, 4, act->attempt);
    stmt_text(&s, 5, action_state_word(act->state));
    stmt_text(&s, 6, act->message);
    stmt_text(&s, 7, act->version_before);
    stmt_some(&s, 8, act->deadline_at);
    stmt_i64(&s, 9, act->created_at);
    stmt_i64(&s, 10, act->updated_at);
    rc = stmt_run(&s, e);
    if (rc == 0)
        act->pk = db_last_rowid(db);
    return rc;
}

int store_action_update(struct db *db, const struct action *act, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "UPDATE action SET state = ?, resume = ?, progress = ?, message = ?, deadline_at = ?,"
                        " retrieved = ?, updated_at = ?, closed_at = ? WHERE pk = ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, action_state_word(act->state));
    stmt_text(&s, 2, act->state == ACTION_CANCELLING ? action_state_word(act->resume) : NULL);
    if (act->progress != ACTION_PROGRESS_NONE)
        stmt_i64(&s, 3, act->progress);
    stmt_text(&s, 4, act->message);
    stmt_some(&s, 5, act->deadline_at);
    stmt_i64(&s, 6, act->retrieved);
    stmt_i64(&s, 7, act->updated_at);
    stmt_some(&s, 8, act->closed_at);
    stmt_i64(&s, 9, act->pk);
    return stmt_run(&s, e);
}

int store_action_status_add(struct db *db, const struct action *act, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(
        db, &s, "INSERT INTO action_status (action, at, state, progress, message) VALUES (?, ?, ?, ?, ?)", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, act->pk);
    stmt_i64(&s, 2, act->updated_at);
    stmt_text(&s, 3, action_state_word(act->state));
    if (act->progress != ACTION_PROGRESS_NONE)
        stmt_i64(&s, 4, act->progress);
    stmt_text(&s, 5, act->said != NULL ? act->said : act->message);
    return stmt_run(&s, e);
}

int store_action_status_note(struct db *db, int64_t action, const char *kind, const char *message,
                             int64_t now_ms, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc =
        db_prepare(db, &s, "INSERT INTO action_status (action, at, state, message) VALUES (?, ?, ?, ?)", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, action);
    stmt_i64(&s, 2, now_ms);
    stmt_text(&s, 3, kind);
    stmt_text(&s, 4, message);
    return stmt_run(&s, e);
}

int store_action_open_of(struct db *db, struct arena *a, int64_t deployment, int64_t after, int64_t until,
                         size_t most, struct action_to_cancel *out, size_t *count, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT " COLUMNS ", d.id, d.interface = 'ddi' FROM member m JOIN action a ON"
                        " a.device = m.device AND a.deployment = m.deployment AND a.closed_at IS NULL"
                        " JOIN device d ON d.pk = m.device WHERE m.deployment = ? AND m.state = 'active'"
                        " AND m.device > ? AND m.device <= ? ORDER BY m.device LIMIT ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, deployment);
    stmt_i64(&s, 2, after);
    stmt_i64(&s, 3, until);
    stmt_i64(&s, 4, (int64_t)most);
    size_t n = 0;
    while (rc == 0 && n < most && (rc = stmt_step(&s, e)) == STMT_ROW) {
        rc = read_row_and_id(&s, a, &out[n].action, e);
        out[n].ddi = stmt_get_i64(&s, 17) != 0;
        n++;
    }
    if (rc < 0)
        return rc;
    *count = n;
    return 0;
}
