#include "store/fleet.h"

#include "store/db.h"
#include "store/db_open.h"

#define SCRATCH_BYTES ((size_t)1 << 20)
#define THINNED "fleet.thinned" /* in meta: the Unix ms before which numbers are by the hour already */
#define THIN_HOURS 6            /* looked at in one call */
#define FORGET_ROWS 500         /* removed in one call */

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory for the history of the fleet");
}

/* First column of the first row; 0 without one. */
static int one_number(struct stmt *s, int64_t *out, struct err *e)
{
    int rc = stmt_step(s, e);
    if (rc < 0)
        return rc;
    *out = rc == STMT_ROW ? stmt_get_i64(s, 0) : 0;
    return 0;
}

/* --- noting -------------------------------------------------------------------------------------------- */

struct noting {
    struct db *db;
    int64_t now;
    bool all; /* also what did not change */
    struct fleet_row rows[FLEET_LIVE_MAX + 1];
    int64_t series[FLEET_LIVE_MAX + 1]; /* of each row, 0: it has none yet */
    size_t count;
};

/* What runs now, most first; then all the rest as one. */
static int read_live(struct noting *n, struct arena *a, struct err *e)
{
    int64_t rest = 0;
    int rc = store_fleet_now(n->db, NULL, &rest, e);
    auto_stmt struct stmt s = {0};
    if (rc == 0)
        rc = db_prepare(n->db, &s,
                        "SELECT model, version, devices FROM fleet WHERE devices > 0"
                        " ORDER BY devices DESC, model, version LIMIT ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, FLEET_LIVE_MAX);
    bool oom = false;
    while (n->count < FLEET_LIVE_MAX && (rc = stmt_step(&s, e)) == STMT_ROW) {
        struct fleet_row *r = &n->rows[n->count++];
        r->model = stmt_get_text(&s, 0, a, &oom);
        r->version = stmt_get_text(&s, 1, a, &oom);
        r->devices = stmt_get_i64(&s, 2);
        rest -= r->devices;
    }
    if (rc < 0)
        return rc;
    n->rows[n->count++] = (struct fleet_row){.model = "", .version = "", .devices = rest};
    return oom ? no_memory(e) : 0;
}

static int note_number(struct noting *n, int64_t series, int64_t devices, struct err *e)
{
    auto_stmt struct stmt s = {0}, t = {0};
    int rc =
        db_prepare(n->db, &s, "UPDATE fleet_series SET devices = ?2, peak = max(peak, ?2) WHERE pk = ?1", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, series);
    stmt_i64(&s, 2, devices);
    rc = stmt_run(&s, e);
    if (rc == 0)
        rc = db_prepare(n->db, &t,
                        "INSERT INTO fleet_sample (series, at, devices) VALUES (?1, ?2, ?3)"
                        " ON CONFLICT (series, at) DO UPDATE SET devices = ?3",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&t, 1, series);
    stmt_i64(&t, 2, n->now);
    stmt_i64(&t, 3, devices);
    return stmt_run(&t, e);
}

static int find_series(struct noting *n, size_t i, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(n->db, &s, "SELECT pk, devices FROM fleet_series WHERE model = ? AND version = ?", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, n->rows[i].model);
    stmt_text(&s, 2, n->rows[i].version);
    rc = stmt_step(&s, e);
    if (rc <= 0)
        return rc;
    n->series[i] = stmt_get_i64(&s, 0);
    bool changed = stmt_get_i64(&s, 1) != n->rows[i].devices;
    stmt_done(&s);
    return changed || n->all ? note_number(n, n->series[i], n->rows[i].devices, e) : 0;
}

static bool is_live(const struct noting *n, int64_t series)
{
    for (size_t i = 0; i < n->count; i++)
        if (n->series[i] == series)
            return true;
    return false;
}

/* What nothing runs any more, or so little that it counts among the rest. */
static int end_others(struct noting *n, struct err *e)
{
    int64_t gone[FLEET_SERIES_MAX];
    size_t count = 0;
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(n->db, &s, "SELECT pk FROM fleet_series WHERE devices > 0 LIMIT ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, FLEET_SERIES_MAX);
    while (count < FLEET_SERIES_MAX && (rc = stmt_step(&s, e)) == STMT_ROW) {
        gone[count] = stmt_get_i64(&s, 0);
        count += !is_live(n, gone[count]);
    }
    stmt_done(&s);
    for (size_t i = 0; i < count && rc >= 0; i++)
        rc = note_number(n, gone[i], 0, e);
    return rc < 0 ? rc : 0;
}

/* Room for a new series: the one goes that nothing runs and that the fewest ever ran. */
static int make_room(struct noting *n, struct err *e)
{
    int64_t have = 0;
    int rc = db_get_i64(n->db, "SELECT count(*) FROM fleet_series", &have, e);
    if (rc != 0 || have < FLEET_SERIES_MAX)
        return rc;
    auto_stmt struct stmt s = {0};
    rc = db_prepare(n->db, &s,
                    "DELETE FROM fleet_series WHERE pk = (SELECT pk FROM fleet_series"
                    " WHERE devices = 0 AND model <> '' ORDER BY peak, pk LIMIT 1)",
                    e);
    return rc != 0 ? rc : stmt_run(&s, e);
}

static int add_series(struct noting *n, size_t i, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = make_room(n, e);
    if (rc == 0)
        rc = db_prepare(n->db, &s,
                        "INSERT INTO fleet_series (model, version, devices, peak) VALUES (?, ?, 0, 0)", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, n->rows[i].model);
    stmt_text(&s, 2, n->rows[i].version);
    rc = stmt_run(&s, e);
    stmt_done(&s);
    return rc != 0 ? rc : note_number(n, db_last_rowid(n->db), n->rows[i].devices, e);
}

/* Numbers that are later than now: the clock was wrong by then, or is now. */
static int drop_future(struct noting *n, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(n->db, &s, "DELETE FROM fleet_sample WHERE at > ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, n->now);
    rc = stmt_run(&s, e);
    n->all = rc == 0 && db_changes(n->db) > 0;
    return rc;
}

int store_fleet_sample(struct db *db, int64_t now_ms, struct err *e)
{
    auto_arena struct arena a;
    arena_init(&a, SCRATCH_BYTES);
    struct noting *n = arena_new(&a, struct noting);
    if (n == NULL)
        return no_memory(e);
    n->db = db;
    n->now = now_ms;
    int rc = drop_future(n, e);
    if (rc == 0)
        rc = read_live(n, &a, e);
    for (size_t i = 0; i < n->count && rc == 0; i++)
        rc = find_series(n, i, e);
    if (rc == 0)
        rc = end_others(n, e);
    for (size_t i = 0; i < n->count && rc == 0; i++)
        if (n->series[i] == 0)
            rc = add_series(n, i, e);
    return rc;
}

/* --- forgetting ---------------------------------------------------------------------------------------- */

/* A time that is still to come was noted when the clock was wrong. */
static int read_thinned(struct db *db, int64_t now_ms, int64_t *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = '" THINNED
                        "' AND CAST(value AS INTEGER) <= ?), (SELECT min(at) FROM fleet_sample), 0)",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, now_ms);
    rc = one_number(&s, out, e);
    *out -= rc == 0 ? *out % FLEET_HOUR_MS : 0;
    return rc;
}

static int set_thinned(struct db *db, int64_t at, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "INSERT INTO meta (key, value) VALUES ('" THINNED "', ?1)"
                        " ON CONFLICT (key) DO UPDATE SET value = ?1",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, at);
    return stmt_run(&s, e);
}

/* Of each series and hour the last number stays. */
static int thin_hours(struct db *db, int64_t now_ms, bool *more, struct err *e)
{
    int64_t from = 0, end = now_ms - FLEET_FINE_MS;
    end -= end % FLEET_HOUR_MS;
    int rc = read_thinned(db, now_ms, &from, e);
    if (rc != 0 || from == 0 || from >= end)
        return rc;
    int64_t to = from + THIN_HOURS * FLEET_HOUR_MS < end ? from + THIN_HOURS * FLEET_HOUR_MS : end;
    auto_stmt struct stmt s = {0};
    rc = db_prepare(db, &s,
                    "DELETE FROM fleet_sample WHERE at >= ?1 AND at < ?2 AND EXISTS (SELECT 1"
                    " FROM fleet_sample l WHERE l.series = fleet_sample.series AND l.at > fleet_sample.at"
                    "  AND l.at < (fleet_sample.at / ?3 + 1) * ?3)",
                    e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, from);
    stmt_i64(&s, 2, to);
    stmt_i64(&s, 3, FLEET_HOUR_MS);
    rc = stmt_run(&s, e);
    *more = to < end;
    return rc == 0 ? set_thinned(db, to, e) : rc;
}

/* What is too old, but for the last number of each series, which holds until the next one. */
static int forget_old(struct db *db, int64_t before, bool *more, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "DELETE FROM fleet_sample WHERE (series, at) IN (SELECT f.series, f.at"
                        " FROM fleet_sample f WHERE f.at < ?1 AND EXISTS (SELECT 1 FROM fleet_sample l"
                        "  WHERE l.series = f.series AND l.at > f.at AND l.at <= ?1)"
                        " ORDER BY f.at LIMIT ?2)",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, before);
    stmt_i64(&s, 2, FORGET_ROWS);
    rc = stmt_run(&s, e);
    if (rc == 0 && db_changes(db) == FORGET_ROWS)
        *more = true;
    return rc;
}

/* Series of what nobody ran in all that time. */
static int forget_dead(struct db *db, int64_t before, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "DELETE FROM fleet_series WHERE devices = 0 AND model <> ''"
                        " AND NOT EXISTS (SELECT 1 FROM fleet_sample f WHERE f.series = fleet_series.pk"
                        "  AND f.at >= ?)",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, before);
    return stmt_run(&s, e);
}

int store_fleet_thin(struct db *db, int64_t now_ms, bool *more, struct err *e)
{
    bool again = false;
    int rc = thin_hours(db, now_ms, &again, e);
    if (rc == 0)
        rc = forget_old(db, now_ms - FLEET_KEEP_MS, &again, e);
    if (rc == 0)
        rc = forget_dead(db, now_ms - FLEET_KEEP_MS, e);
    if (rc == 0)
        *more = again;
    return rc;
}

/* --- reading ------------------------------------------------------------------------------------------- */

int store_fleet_since(struct db *db, int64_t *out, struct err *e)
{
    return db_get_i64(db, "SELECT coalesce((SELECT min(at) FROM fleet_sample), 0)", out, e);
}

int store_fleet_now(struct db *db, const char *model, int64_t *devices, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = model != NULL ? db_prepare(db, &s, "SELECT sum(devices) FROM fleet WHERE model = ?", e)
                           : db_prepare(db, &s, "SELECT sum(devices) FROM fleet", e);
    if (rc != 0)
        return rc;
    if (model != NULL)
        stmt_text(&s, 1, model);
    return one_number(&s, devices, e);
}

int store_fleet_each(struct db *db, struct arena *scratch, const char *model, int64_t from,
                     int (*each)(void *ctx, const struct fleet_point *p, struct err *e), void *ctx,
                     struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT s.pk, s.model, nullif(s.version, ''), coalesce(l.devices, 0), f.at, f.devices"
                        " FROM fleet_series s CROSS JOIN fleet_sample f"
                        " LEFT JOIN fleet l ON l.model = s.model AND l.version = s.version"
                        " WHERE f.series = s.pk AND f.at >= coalesce((SELECT max(b.at) FROM fleet_sample b"
                        "  WHERE b.series = s.pk AND b.at <= ?1), 0) AND (?2 IS NULL OR s.model = ?2)"
                        " ORDER BY s.pk, f.at",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, from);
    stmt_text(&s, 2, model);
    struct fleet_point p = {0};
    bool oom = false;
    while ((rc = stmt_step(&s, e)) == STMT_ROW) {
        int64_t series = stmt_get_i64(&s, 0);
        if (series != p.series) {
            arena_recycle(scratch);
            p = (struct fleet_point){
                .series = series,
                .model = stmt_get_text(&s, 1, scratch, &oom),
                .version = stmt_get_text(&s, 2, scratch, &oom),
                .live = stmt_get_i64(&s, 3),
            };
        }
        p.at = stmt_get_i64(&s, 4);
        p.devices = stmt_get_i64(&s, 5);
        rc = oom ? no_memory(e) : each(ctx, &p, e);
        if (rc < 0)
            return rc;
    }
    return rc;
}

int store_fleet_new(struct db *db, struct arena *a, const char *model, size_t limit, struct fleet_row *out,
                    size_t *count, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT f.model, nullif(f.version, ''), f.devices FROM fleet f"
                        " WHERE f.devices > 0 AND (?1 IS NULL OR f.model = ?1) AND NOT EXISTS (SELECT 1"
                        "  FROM fleet_series s WHERE s.model = f.model AND s.version = f.version)"
                        " ORDER BY f.devices DESC, f.model, f.version LIMIT ?2",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, model);
    stmt_i64(&s, 2, (int64_t)limit);
    size_t n = 0;
    bool oom = false;
    while (n < limit && (rc = stmt_step(&s, e)) == STMT_ROW) {
        out[n].model = stmt_get_text(&s, 0, a, &oom);
        out[n].version = stmt_get_text(&s, 1, a, &oom);
        out[n++].devices = stmt_get_i64(&s, 2);
    }
    if (rc < 0)
        return rc;
    if (oom)
        return no_memory(e);
    *count = n;
    return 0;
}

int store_failures(struct db *db, struct arena *a, int64_t since, int64_t at, int64_t action, size_t limit,
                   struct failure *out, size_t *count, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT x.pk, x.closed_at, x.deployment, x.message, d.id, r.name, r.version"
                        " FROM action x INDEXED BY action_failed CROSS JOIN device d ON d.pk = x.device"
                        " JOIN release r ON r.pk = x.release"
                        " WHERE x.state = 'failed' AND x.closed_at >= ?1 AND x.closed_at <= ?2"
                        "  AND (x.closed_at < ?2 OR x.pk < ?3)"
                        " ORDER BY x.closed_at DESC, x.pk DESC LIMIT ?4",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, since);
    stmt_i64(&s, 2, at != 0 ? at : INT64_MAX);
    stmt_i64(&s, 3, at != 0 ? action : INT64_MAX);
    stmt_i64(&s, 4, (int64_t)limit);
    size_t n = 0;
    bool oom = false;
    while (n < limit && (rc = stmt_step(&s, e)) == STMT_ROW)
        out[n++] = (struct failure){
            .action = stmt_get_i64(&s, 0),
            .at = stmt_get_i64(&s, 1),
            .deployment = stmt_get_i64(&s, 2),
            .message = stmt_get_text(&s, 3, a, &oom),
            .device = stmt_get_text(&s, 4, a, &oom),
            .release_name = stmt_get_text(&s, 5, a, &oom),
            .release_version = stmt_get_text(&s, 6, a, &oom),
        };
    if (rc < 0)
        return rc;
    if (oom)
        return no_memory(e);
    *count = n;
    return 0;
}
