/* Actions and their entries, as hawkBit's management interface lists them. */
#include "store/db.h"
#include "store/targets.h"

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory to list actions; ask for fewer at once");
}

/* As a filter looks at it. */
#define TABLES                                                                                               \
    "(SELECT a.pk, CAST(a.pk AS TEXT) AS id, r.name, r.version, '' AS model, a.created_at,"                  \
    " a.device, a.deployment, a.release, a.state, a.resume, a.message, a.updated_at, a.closed_at, v.id AS "  \
    "who,"                                                                                                   \
    " p.created_by, p.mode, p.force_at, p.priority, p.window_schedule, p.window_zone, p.window_seconds"      \
    " FROM action a JOIN device v ON v.pk = a.device JOIN release r ON r.pk = a.release"                     \
    " JOIN deployment p ON p.pk = a.deployment) d"
#define COLUMNS                                                                                              \
    "d.pk, d.device, d.deployment, d.release, d.state, d.message, d.created_at, d.updated_at, d.closed_at,"  \
    " d.who, d.name, d.version, d.created_by, d.mode, d.force_at, d.priority, d.window_schedule,"            \
    " d.window_zone, d.window_seconds"

static int read_action(struct stmt *s, struct arena *a, struct target_action *out, struct err *e)
{
    bool oom = false;
    struct target_action t = {
        .action =
            {
                .pk = stmt_get_i64(s, 0),
                .device = stmt_get_i64(s, 1),
                .deployment = stmt_get_i64(s, 2),
                .release = stmt_get_i64(s, 3),
                .message = stmt_get_text(s, 5, a, &oom),
                .created_at = stmt_get_i64(s, 6),
                .updated_at = stmt_get_i64(s, 7),
                .closed_at = stmt_get_i64(s, 8),
                .device_id = stmt_get_text(s, 9, a, &oom),
                .progress = ACTION_PROGRESS_NONE,
            },
        .release_name = stmt_get_text(s, 10, a, &oom),
        .release_version = stmt_get_text(s, 11, a, &oom),
        .created_by = stmt_get_text(s, 12, a, &oom),
        .mode = stmt_get_text(s, 13, a, &oom),
        .force_at = stmt_get_i64(s, 14),
        .priority = stmt_get_i64(s, 15),
        .window_schedule = stmt_get_text(s, 16, a, &oom),
        .window_zone = stmt_get_text(s, 17, a, &oom),
        .window_seconds = stmt_get_i64(s, 18),
    };
    const char *state = stmt_get_text(s, 4, a, &oom);
    if (oom)
        return no_memory(e);
    if (action_state_parse(str_of(state), &t.action.state) != 0)
        return err_set(e, ERR_CORRUPT, "action %lld has the unknown state \"%s\"", (long long)t.action.pk,
                       state);
    *out = t;
    return 0;
}

int store_target_actions(struct db *db, struct arena *a, int64_t device, const struct listing *q,
                         struct target_action **out, size_t *count, int64_t *total, struct err *e)
{
    const char *whose = device != 0 ? "d.device = ?1" : "?1 = 0";
    auto_listing struct listing_rows r = {0};
    struct target_action *list = arena_array(a, struct target_action, q->limit + 1);
    if (list == NULL)
        return no_memory(e);
    int rc = listing_open(db, COLUMNS, TABLES, whose, q, &r, e);
    if (rc != 0)
        return rc;
    stmt_i64(&r.s, 1, device);
    size_t n = 0;
    while (rc == 0 && n < q->limit && (rc = stmt_step(&r.s, e)) == STMT_ROW)
        rc = read_action(&r.s, a, &list[n++], e);
    if (rc < 0)
        return rc;
    /* Nothing is looked up to count them all. */
    rc = listing_total(db, q->filter != NULL ? TABLES : "action d", whose, device, q, total, e);
    if (rc != 0)
        return rc;
    *out = list;
    *count = n;
    return 0;
}

int store_target_action(struct db *db, struct arena *a, int64_t device, int64_t action,
                        struct target_action *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT " COLUMNS " FROM " TABLES " WHERE d.pk = ? AND d.device = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, action);
    stmt_i64(&s, 2, device);
    rc = stmt_step(&s, e);
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "the target has no action %lld", (long long)action);
    return rc < 0 ? rc : read_action(&s, a, out, e);
}

int store_target_entries(struct db *db, struct arena *a, int64_t action, const struct listing *q,
                         struct target_entry **out, size_t *count, int64_t *total, struct err *e)
{
    auto_listing struct listing_rows r = {0};
    struct target_entry *list = arena_array(a, struct target_entry, q->limit + 1);
    if (list == NULL)
        return no_memory(e);
    int rc = listing_open(db, "d.pk, d.at, d.state, d.message", "action_status d", "d.action = ?1", q, &r, e);
    if (rc != 0)
        return rc;
    stmt_i64(&r.s, 1, action);
    size_t n = 0;
    bool oom = false;
    while (!oom && n < q->limit && (rc = stmt_step(&r.s, e)) == STMT_ROW)
        list[n++] = (struct target_entry){.pk = stmt_get_i64(&r.s, 0),
                                          .at = stmt_get_i64(&r.s, 1),
                                          .kind = stmt_get_text(&r.s, 2, a, &oom),
                                          .message = stmt_get_text(&r.s, 3, a, &oom)};
    if (rc < 0)
        return rc;
    if (oom)
        return no_memory(e);
    rc = listing_total(db, "action_status d", "d.action = ?1", action, q, total, e);
    if (rc != 0)
        return rc;
    *out = list;
    *count = n;
    return 0;
}
