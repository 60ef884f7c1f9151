#include "store/releases.h"

#include "store/artifacts.h"
#include "store/db.h"

#define COLUMNS                                                                                              \
    "r.pk, r.name, r.version, r.state, r.notes, r.created_at, r.created_by, r.published_at, r.deleted_at"

static int read_row(struct stmt *s, struct arena *a, struct release *out, struct err *e)
{
    bool oom = false;
    struct release r = {
        .pk = stmt_get_i64(s, 0),
        .name = stmt_get_text(s, 1, a, &oom),
        .version = stmt_get_text(s, 2, a, &oom),
        .notes = stmt_get_text(s, 4, a, &oom),
        .created_at = stmt_get_i64(s, 5),
        .created_by = stmt_get_text(s, 6, a, &oom),
        .published_at = stmt_get_i64(s, 7),
        .deleted_at = stmt_get_i64(s, 8),
    };
    const char *state = stmt_get_text(s, 3, a, &oom);
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to read a release");
    if (release_state_parse(str_of(state), &r.state) != 0)
        return err_set(e, ERR_CORRUPT, "release %lld has the unknown state \"%s\"", (long long)r.pk, state);
    *out = r;
    return 0;
}

int store_release_by_pk(struct db *db, struct arena *a, int64_t pk, struct release *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT " COLUMNS " FROM release r WHERE r.pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, pk);
    rc = stmt_step(&s, e);
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "there is no firmware %lld", (long long)pk);
    return rc < 0 ? rc : read_row(&s, a, out, e);
}

int store_release_by_name(struct db *db, struct arena *a, struct str name, struct str version,
                          struct release *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT " COLUMNS " FROM release r WHERE r.name = ? AND r.version = ?", e);
    if (rc != 0)
        return rc;
    stmt_str(&s, 1, name);
    stmt_str(&s, 2, version);
    rc = stmt_step(&s, e);
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "there is no firmware " STR_FMT " " STR_FMT, STR_ARG(name),
                       STR_ARG(version));
    return rc < 0 ? rc : read_row(&s, a, out, e);
}

int store_release_by_version(struct db *db, struct arena *a, struct str version, struct release *out,
                             struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(
        db, &s, "SELECT " COLUMNS " FROM release r WHERE r.version = ? AND r.deleted_at IS NULL LIMIT 2", e);
    if (rc != 0)
        return rc;
    stmt_str(&s, 1, version);
    rc = stmt_step(&s, e);
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "there is no firmware of version " STR_FMT, STR_ARG(version));
    struct release r;
    if (rc == STMT_ROW)
        rc = read_row(&s, a, &r, e);
    if (rc < 0)
        return rc;
    rc = stmt_step(&s, e);
    if (rc == STMT_ROW)
        return err_set(e, ERR_CONFLICT,
                       "several firmwares have the version " STR_FMT ": say which by its name too",
                       STR_ARG(version));
    if (rc == STMT_END)
        *out = r;
    return rc;
}

int store_release_latest(struct db *db, struct arena *a, const char *model, struct release *out,
                         struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc =
        db_prepare(db, &s,
                   "SELECT " COLUMNS ", m.sequence FROM release_model m JOIN release r ON r.pk = m.release"
                   " WHERE m.model = ? AND m.sequence IS NOT NULL AND m.deleted = 0"
                   " ORDER BY m.sequence DESC LIMIT 1",
                   e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, model);
    rc = stmt_step(&s, e);
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "nothing is published for the model %s", model);
    if (rc == STMT_ROW)
        rc = read_row(&s, a, out, e);
    if (rc == 0)
        out->sequence = stmt_get_i64(&s, 9);
    return rc;
}

static int read_models(struct db *db, struct arena *a, struct release *r, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc =
        db_prepare(db, &s, "SELECT model, sequence FROM release_model WHERE release = ? ORDER BY model", e);
    if (rc != 0)
        return rc;
    const char **models = arena_array(a, const char *, RELEASE_MODELS_MAX);
    bool oom = models == NULL;
    size_t n = 0;
    int64_t highest = 0;
    stmt_i64(&s, 1, r->pk);
    while (!oom && n < RELEASE_MODELS_MAX && (rc = stmt_step(&s, e)) == STMT_ROW) {
        models[n++] = stmt_get_text(&s, 0, a, &oom);
        int64_t sequence = stmt_get_i64(&s, 1);
        highest = sequence > highest ? sequence : highest;
    }
    if (rc < 0)
        return rc;
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to read a release");
    r->models = models;
    r->model_count = n;
    r->sequence = highest;
    return 0;
}

int store_release_details(struct db *db, struct arena *a, struct release *r, struct err *e)
{
    int rc = read_models(db, a, r, e);
    return rc != 0 ? rc : store_release_artifacts(db, a, r, e);
}

static int prepare_list(struct db *db, struct stmt *s, const struct release_filter *f, int64_t after,
                        size_t limit, struct err *e)
{
    int rc;
    if (f->model != NULL)
        rc = db_prepare(db, s,
                        "SELECT " COLUMNS
                        ", m.sequence FROM release_model m JOIN release r ON r.pk = m.release"
                        " WHERE m.model = ?1 AND m.release < ?2 AND r.deleted_at IS NULL"
                        " AND (?3 IS NULL OR r.name = ?3) AND (?4 IS NULL OR r.state = ?4)"
                        " ORDER BY m.release DESC LIMIT ?5",
                        e);
    else
        rc = db_prepare(db, s,
                        "SELECT " COLUMNS ", ?1 FROM release r"
                        " WHERE r.pk < ?2 AND r.deleted_at IS NULL"
                        " AND (?3 IS NULL OR r.name = ?3) AND (?4 IS NULL OR r.state = ?4)"
                        " ORDER BY r.pk DESC LIMIT ?5",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(s, 1, f->model);
    stmt_i64(s, 2, after > 0 ? after : INT64_MAX);
    stmt_text(s, 3, f->name);
    stmt_text(s, 4, f->state != NULL ? release_state_word(*f->state) : NULL);
    stmt_i64(s, 5, (int64_t)limit + 1);
    return 0;
}

int store_release_list(struct db *db, struct arena *a, const struct release_filter *filter, int64_t after,
                       size_t limit, struct release **out, size_t *count, bool *more, struct err *e)
{
    struct release *list = arena_array(a, struct release, limit + 1);
    if (list == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a list of %zu firmwares", limit);
    auto_stmt struct stmt s = {0};
    int rc = prepare_list(db, &s, filter, after, limit, e);
    size_t n = 0;
    while (rc == 0 && n <= limit && (rc = stmt_step(&s, e)) == STMT_ROW) {
        rc = read_row(&s, a, &list[n], e);
        if (rc == 0)
            list[n++].sequence = stmt_get_i64(&s, 9);
    }
    if (rc < 0)
        return rc;
    *more = n > limit;
    n = n > limit ? limit : n;
    for (size_t i = 0; i < n; i++) {
        int64_t sequence = list[i].sequence;
        rc = store_release_details(db, a, &list[i], e);
        if (rc != 0)
            return rc;
        if (filter->model != NULL)
            list[i].sequence = sequence;
    }
    *out = list;
    *count = n;
    return 0;
}

int store_release_sequence(struct db *db, int64_t pk, const char *model, int64_t *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT sequence FROM release_model WHERE model = ? AND release = ?", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, model);
    stmt_i64(&s, 2, pk);
    rc = stmt_step(&s, e);
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "there is no firmware %lld for the model %s", (long long)pk, model);
    if (rc < 0)
        return rc;
    *out = stmt_get_i64(&s, 0);
    return 0;
}

int store_model_known(struct db *db, const char *model, bool *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT EXISTS (SELECT 1 FROM release_model WHERE model = ?1)"
                        " OR EXISTS (SELECT 1 FROM device WHERE model = ?1)",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, model);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    *out = rc == STMT_ROW && stmt_get_i64(&s, 0) != 0;
    return 0;
}

int store_release_add(struct db *db, const struct release *r, int64_t *pk, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc =
        db_prepare(db, &s,
                   "INSERT INTO release (name, version, state, notes, created_at, created_by, published_at)"
                   " VALUES (?, ?, ?, ?, ?, ?, ?)",
                   e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, r->name);
    stmt_text(&s, 2, r->version);
    stmt_text(&s, 3, release_state_word(r->state));
    stmt_text(&s, 4, r->notes);
    stmt_i64(&s, 5, r->created_at);
    stmt_text(&s, 6, r->created_by);
    if (r->published_at != 0)
        stmt_i64(&s, 7, r->published_at);
    rc = stmt_run(&s, e);
    if (rc == 0)
        *pk = db_last_rowid(db);
    return rc;
}

int store_release_add_model(struct db *db, const struct release *r, const char *model, int64_t sequence,
                            struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(
        db, &s, "INSERT INTO release_model (model, release, version, sequence) VALUES (?, ?, ?, ?)", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, model);
    stmt_i64(&s, 2, r->pk);
    stmt_text(&s, 3, r->version);
    if (sequence != 0)
        stmt_i64(&s, 4, sequence);
    return stmt_run(&s, e);
}

int store_sequence_next(struct db *db, const char *model, int64_t *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "INSERT INTO model_sequence (model, last) VALUES (?, 1)"
                        " ON CONFLICT (model) DO UPDATE SET last = last + 1 RETURNING last",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, model);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    if (rc != STMT_ROW)
        return err_set(e, ERR_INTERNAL, "no sequence was given for the model %s", model);
    *out = stmt_get_i64(&s, 0);
    return 0;
}

/* A firmware is published as one: with a module of its own, which nobody made. */
static int mark_own_modules(struct db *db, int64_t pk, int64_t now_ms, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "UPDATE module SET deleted_at = ? WHERE created_by = '' AND deleted_at IS NULL"
                        " AND pk IN (SELECT module FROM release_module WHERE release = ?)",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, now_ms);
    stmt_i64(&s, 2, pk);
    return stmt_run(&s, e);
}

int store_release_mark_deleted(struct db *db, int64_t pk, int64_t now_ms, struct err *e)
{
    auto_stmt struct stmt s = {0}, models = {0};
    int rc = db_prepare(db, &s, "UPDATE release SET deleted_at = ? WHERE pk = ? AND deleted_at IS NULL", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, now_ms);
    stmt_i64(&s, 2, pk);
    rc = stmt_run(&s, e);
    if (rc == 0 && db_changes(db) == 0)
        return err_set(e, ERR_NOT_FOUND, "there is no firmware %lld", (long long)pk);
    if (rc == 0)
        rc = db_prepare(db, &models, "UPDATE release_model SET deleted = 1 WHERE release = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&models, 1, pk);
    rc = stmt_run(&models, e);
    return rc != 0 ? rc : mark_own_modules(db, pk, now_ms, e);
}
