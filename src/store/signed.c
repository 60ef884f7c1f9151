#include "store/signed.h"

#include "store/db.h"

int store_signed_terms(struct db *db, struct arena *a, int64_t release, const char *model, bool *signed_it,
                       struct signed_terms *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT signed, sequence, unpacked_size, upgrade_from, counter, security, advisory"
                        " FROM release_model WHERE model = ? AND release = ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, model);
    stmt_i64(&s, 2, release);
    rc = stmt_step(&s, e);
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "there is no firmware %lld for the model %s", (long long)release,
                       model);
    if (rc < 0)
        return rc;
    bool oom = false;
    struct signed_terms t = {
        .sequence = stmt_get_i64(&s, 1),
        .unpacked_size = stmt_get_i64(&s, 2),
        .upgrade_from = stmt_get_i64(&s, 3),
        .counter = stmt_get_i64(&s, 4),
        .security = stmt_get_i64(&s, 5) != 0,
        .advisory = stmt_get_text(&s, 6, a, &oom),
    };
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to read what was signed of a release");
    *signed_it = stmt_get_i64(&s, 0) != 0;
    *out = t;
    return 0;
}

int store_signed_entry(struct db *db, struct arena *a, int64_t release, const char *model, struct str *cose,
                       struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT cose FROM release_entry WHERE release = ? AND model = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, release);
    stmt_text(&s, 2, model);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    bool oom = false;
    struct str found = {.p = NULL, .n = 0};
    if (rc == STMT_ROW)
        found = stmt_get_blob(&s, 0, a, &oom);
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to read the signed entry of a release");
    *cose = found;
    return 0;
}

int store_release_type(struct db *db, struct arena *a, int64_t release, const char *filename,
                       const char **out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT m.type FROM release_module rm JOIN module m ON m.pk = rm.module"
                        " JOIN module_artifact f ON f.module = m.pk AND f.filename = ?2"
                        " WHERE rm.release = ?1 LIMIT 1",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, release);
    stmt_text(&s, 2, filename);
    rc = stmt_step(&s, e);
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "the firmware %lld has no file %s", (long long)release, filename);
    bool oom = false;
    const char *type = rc == STMT_ROW ? stmt_get_text(&s, 0, a, &oom) : NULL;
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to read a release");
    if (rc < 0)
        return rc;
    *out = type;
    return 0;
}

int store_release_drafts(struct db *db, struct arena *a, size_t limit, int64_t **out, size_t *count,
                         struct err *e)
{
    int64_t *list = arena_array(a, int64_t, limit + 1);
    auto_stmt struct stmt s = {0};
    if (list == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a list of drafts");
    int rc = db_prepare(db, &s,
                        "SELECT pk FROM release WHERE state = 'draft' AND deleted_at IS NULL"
                        " ORDER BY pk DESC LIMIT ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, (int64_t)limit);
    size_t n = 0;
    while (n < limit && (rc = stmt_step(&s, e)) == STMT_ROW)
        list[n++] = stmt_get_i64(&s, 0);
    if (rc < 0)
        return rc;
    *out = list;
    *count = n;
    return 0;
}

int store_sequence_last(struct db *db, const char *model, int64_t *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT last FROM model_sequence WHERE model = ?", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, model);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    *out = rc == STMT_ROW ? stmt_get_i64(&s, 0) : 0;
    return 0;
}

/* --- the writer's --------------------------------------------------------------------------------------- */

static int changed(struct db *db, int64_t release, const char *model, struct err *e)
{
    if (db_changes(db) == 1)
        return 0;
    return err_set(e, ERR_NOT_FOUND, "there is no firmware %lld for the model %s", (long long)release, model);
}

int store_signed_set(struct db *db, int64_t release, const char *model, const struct signed_terms *t,
                     struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "UPDATE release_model SET signed = 1, sequence = ?, unpacked_size = ?,"
                        " upgrade_from = ?, counter = ?, security = ?, advisory = ?"
                        " WHERE model = ? AND release = ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, t->sequence);
    stmt_i64(&s, 2, t->unpacked_size);
    stmt_i64(&s, 3, t->upgrade_from);
    stmt_i64(&s, 4, t->counter);
    stmt_i64(&s, 5, t->security);
    stmt_text(&s, 6, t->advisory);
    stmt_text(&s, 7, model);
    stmt_i64(&s, 8, release);
    rc = stmt_run(&s, e);
    return rc != 0 ? rc : changed(db, release, model, e);
}

int store_sequence_set(struct db *db, int64_t release, const char *model, int64_t sequence, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "UPDATE release_model SET sequence = ? WHERE model = ? AND release = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, sequence);
    stmt_text(&s, 2, model);
    stmt_i64(&s, 3, release);
    rc = stmt_run(&s, e);
    return rc != 0 ? rc : changed(db, release, model, e);
}

int store_signed_entry_set(struct db *db, int64_t release, const char *model, struct str cose, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "INSERT INTO release_entry (release, model, cose) VALUES (?1, ?2, ?3)"
                        " ON CONFLICT (release, model) DO UPDATE SET cose = ?3",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, release);
    stmt_text(&s, 2, model);
    stmt_blob(&s, 3, cose.p, cose.n);
    return stmt_run(&s, e);
}

int store_sequence_raise(struct db *db, const char *model, int64_t sequence, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int64_t last;
    int rc = store_sequence_last(db, model, &last, e);
    if (rc == 0 && sequence <= last)
        rc = err_set(e, ERR_CONFLICT,
                     "the sequence %lld was given for the model %s already: the next is %lld or more",
                     (long long)sequence, model, (long long)last + 1);
    if (rc == 0)
        rc = db_prepare(db, &s,
                        "INSERT INTO model_sequence (model, last) VALUES (?1, ?2)"
                        " ON CONFLICT (model) DO UPDATE SET last = ?2",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, model);
    stmt_i64(&s, 2, sequence);
    return stmt_run(&s, e);
}

int store_release_publish(struct db *db, int64_t release, int64_t now_ms, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "UPDATE release SET state = 'published', published_at = ?"
                        " WHERE pk = ? AND state <> 'published' AND deleted_at IS NULL",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, now_ms);
    stmt_i64(&s, 2, release);
    rc = stmt_run(&s, e);
    if (rc == 0 && db_changes(db) != 1)
        return err_set(e, ERR_CONFLICT, "the firmware %lld is no draft", (long long)release);
    return rc;
}
