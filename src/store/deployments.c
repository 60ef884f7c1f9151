#include "store/deployments.h"

#include "model/device.h"
#include "store/db.h"
#include "store/db_open.h"

#define COLUMNS                                                                                              \
    "d.pk, d.release, r.name, r.version, d.target_kind, d.target, d.state, d.allow_downgrade, d.created_at," \
    " d.created_by, d.closed_at"

static int read_row(struct stmt *s, struct arena *a, struct deployment *out, struct err *e)
{
    bool oom = false;
    struct deployment d = {
        .pk = stmt_get_i64(s, 0),
        .release = stmt_get_i64(s, 1),
        .release_name = stmt_get_text(s, 2, a, &oom),
        .release_version = stmt_get_text(s, 3, a, &oom),
        .target = stmt_get_text(s, 5, a, &oom),
        .allow_downgrade = stmt_get_i64(s, 7) != 0,
        .created_at = stmt_get_i64(s, 8),
        .created_by = stmt_get_text(s, 9, a, &oom),
        .closed_at = stmt_get_i64(s, 10),
    };
    const char *kind = stmt_get_text(s, 4, a, &oom), *state = stmt_get_text(s, 6, a, &oom);
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to read a deployment");
    if (target_kind_parse(str_of(kind), &d.kind) != 0 || deployment_state_parse(str_of(state), &d.state) != 0)
        return err_set(e, ERR_CORRUPT, "deployment %lld has an unknown state or target", (long long)d.pk);
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

int store_deployment_running_of(struct db *db, int64_t release, int64_t *pk, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc =
        db_prepare(db, &s, "SELECT pk FROM deployment WHERE release = ? AND state = 'running' LIMIT 1", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, release);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    *pk = rc == STMT_ROW ? stmt_get_i64(&s, 0) : 0;
    return 0;
}

struct looking {
    struct db *db;
    struct arena *arena;
    int64_t device;
    const char *model;
    struct candidate *out;
    size_t count;
};

/* Reads the newest `most` entries of one index range, and the rows they name. */
static int look_at(struct looking *l, enum target_kind kind, const char *target, size_t most, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(l->db, &s,
                        "SELECT d.pk, d.release, m.sequence, d.allow_downgrade, m.version,"
                        " EXISTS (SELECT 1 FROM action WHERE device = ?4 AND deployment = d.pk)"
                        " FROM deployment_model f JOIN deployment d ON d.pk = f.deployment"
                        " JOIN release_model m ON m.model = f.model AND m.release = d.release"
                        " WHERE f.model = ?1 AND f.target_kind = ?2 AND f.target = ?3"
                        " ORDER BY f.deployment DESC LIMIT ?5",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, l->model);
    stmt_text(&s, 2, target_kind_word(kind));
    stmt_text(&s, 3, target);
    stmt_i64(&s, 4, l->device);
    stmt_i64(&s, 5, (int64_t)most);
    bool oom = false;
    while (l->count < CANDIDATES_MAX && (rc = stmt_step(&s, e)) == STMT_ROW)
        l->out[l->count++] = (struct candidate){
            .deployment = stmt_get_i64(&s, 0),
            .release = stmt_get_i64(&s, 1),
            .sequence = stmt_get_i64(&s, 2),
            .allow_downgrade = stmt_get_i64(&s, 3) != 0,
            .version = stmt_get_text(&s, 4, l->arena, &oom),
            .tried = stmt_get_i64(&s, 5) != 0,
        };
    if (rc < 0)
        return rc;
    return oom ? err_set(e, ERR_NOMEM, "no memory to read deployments") : 0;
}

static int read_tags(struct looking *l, const char *tags[DEVICE_TAGS_MAX], size_t *count, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(l->db, &s, "SELECT tag FROM device_tag WHERE device = ? ORDER BY tag LIMIT ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, l->device);
    stmt_i64(&s, 2, DEVICE_TAGS_MAX);
    size_t n = 0;
    bool oom = false;
    while (n < DEVICE_TAGS_MAX && !oom && (rc = stmt_step(&s, e)) == STMT_ROW)
        tags[n++] = stmt_get_text(&s, 0, l->arena, &oom);
    if (rc < 0)
        return rc;
    *count = n;
    return oom ? err_set(e, ERR_NOMEM, "no memory to read a device's tags") : 0;
}

static int look_at_tags(struct looking *l, struct err *e)
{
    _Static_assert(CANDIDATES_OF_TAGS >= DEVICE_TAGS_MAX, "the newest of each tag is looked at");
    const char *tags[DEVICE_TAGS_MAX];
    size_t count = 0;
    int rc = read_tags(l, tags, &count, e);
    size_t most = count > 0 ? CANDIDATES_OF_TAGS / count : 0;
    most = most < CANDIDATES_PER_TARGET ? most : CANDIDATES_PER_TARGET;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = look_at(l, TARGET_TAG, tags[i], most, e);
    return rc;
}

int store_candidates(struct db *db, struct arena *a, int64_t device, const char *device_id, const char *model,
                     struct candidate *out, size_t *count, struct err *e)
{
    struct looking l = {.db = db, .arena = a, .device = device, .model = model, .out = out};
    int rc = look_at(&l, TARGET_DEVICE, device_id, CANDIDATES_PER_TARGET, e);
    if (rc == 0)
        rc = look_at(&l, TARGET_MODEL, model, CANDIDATES_PER_TARGET, e);
    if (rc == 0)
        rc = look_at(&l, TARGET_ALL, "", CANDIDATES_PER_TARGET, e);
    if (rc == 0)
        rc = look_at_tags(&l, e);
    if (rc == 0)
        *count = l.count;
    return rc;
}

int store_deployment_add(struct db *db, struct deployment *d, struct err *e)
{
    auto_stmt struct stmt s = {0}, fit = {0};
    int rc =
        db_prepare(db, &s,
                   "INSERT INTO deployment (release, target_kind, target, state, allow_downgrade, created_at,"
                   " created_by) VALUES (?, ?, ?, 'running', ?, ?, ?)",
                   e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, d->release);
    stmt_text(&s, 2, target_kind_word(d->kind));
    stmt_text(&s, 3, d->target);
    stmt_i64(&s, 4, d->allow_downgrade);
    stmt_i64(&s, 5, d->created_at);
    stmt_text(&s, 6, d->created_by);
    rc = stmt_run(&s, e);
    if (rc != 0)
        return rc;
    int64_t pk = db_last_rowid(db);
    rc = db_prepare(db, &fit,
                    "INSERT INTO deployment_model (model, target_kind, target, deployment)"
                    " SELECT model, ?1, ?2, ?3 FROM release_model"
                    " WHERE release = ?4 AND sequence IS NOT NULL AND (?1 <> 'model' OR model = ?2)",
                    e);
    if (rc != 0)
        return rc;
    stmt_text(&fit, 1, target_kind_word(d->kind));
    stmt_text(&fit, 2, d->target);
    stmt_i64(&fit, 3, pk);
    stmt_i64(&fit, 4, d->release);
    rc = stmt_run(&fit, e);
    if (rc == 0)
        d->pk = pk;
    return rc;
}

int store_deployment_cancel(struct db *db, int64_t pk, int64_t now_ms, struct err *e)
{
    auto_stmt struct stmt s = {0}, fit = {0};
    int rc = db_prepare(db, &s, "UPDATE deployment SET state = 'cancelled', closed_at = ? WHERE pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, now_ms);
    stmt_i64(&s, 2, pk);
    rc = stmt_run(&s, e);
    if (rc == 0)
        rc = db_prepare(db, &fit, "DELETE FROM deployment_model WHERE deployment = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&fit, 1, pk);
    return stmt_run(&fit, e);
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
