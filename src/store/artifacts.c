#include "store/artifacts.h"

#include <stdio.h>

#include "store/db.h"

int store_release_artifacts(struct db *db, struct arena *a, struct release *r, struct err *e)
{
    struct artifact *list = arena_array(a, struct artifact, RELEASE_ARTIFACTS_MAX);
    if (list == NULL)
        return err_set(e, ERR_NOMEM, "no memory to read a release's files");
    auto_stmt struct stmt s = {0};
    int rc =
        db_prepare(db, &s,
                   "SELECT ma.filename, ma.sha256, f.size FROM release_module rm"
                   " JOIN module_artifact ma ON ma.module = rm.module JOIN artifact f ON f.sha256 = ma.sha256"
                   " WHERE rm.release = ? ORDER BY ma.filename LIMIT ?",
                   e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, r->pk);
    stmt_i64(&s, 2, RELEASE_ARTIFACTS_MAX);
    size_t n = 0;
    bool oom = false;
    while (n < RELEASE_ARTIFACTS_MAX && !oom && (rc = stmt_step(&s, e)) == STMT_ROW) {
        list[n] = (struct artifact){
            .filename = stmt_get_text(&s, 0, a, &oom),
            .sha256 = stmt_get_text(&s, 1, a, &oom),
            .size = stmt_get_i64(&s, 2),
        };
        n++;
    }
    if (rc < 0)
        return rc;
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to read a release's files");
    r->artifacts = list;
    r->artifact_count = n;
    return 0;
}

int store_artifact_in_use(struct db *db, const char *sha256, bool *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT EXISTS (SELECT 1 FROM module_artifact WHERE sha256 = ?)", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, sha256);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    *out = rc == STMT_ROW && stmt_get_i64(&s, 0) != 0;
    return 0;
}

int store_artifact_add(struct db *db, const char *sha256, int64_t size, int64_t now_ms, struct err *e)
{
    auto_stmt struct stmt s = {0}, q = {0};
    int rc =
        db_prepare(db, &s, "INSERT OR IGNORE INTO artifact (sha256, size, created_at) VALUES (?, ?, ?)", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, sha256);
    stmt_i64(&s, 2, size);
    stmt_i64(&s, 3, now_ms);
    rc = stmt_run(&s, e);
    if (rc == 0)
        rc = db_prepare(db, &q, "SELECT size FROM artifact WHERE sha256 = ?", e);
    if (rc != 0)
        return rc;
    stmt_text(&q, 1, sha256);
    rc = stmt_step(&q, e);
    if (rc < 0)
        return rc;
    if (rc != STMT_ROW || stmt_get_i64(&q, 0) != size)
        return err_set(e, ERR_CORRUPT, "the file %s is known with another size than %lld bytes", sha256,
                       (long long)size);
    return 0;
}

int store_artifact_unhashed(struct db *db, const char *after, char out[SHA256_HEX_SIZE], struct err *e)
{
    auto_stmt struct stmt s = {0};
    auto_arena struct arena row;
    arena_init(&row, 4096);
    int rc = db_prepare(
        db, &s, "SELECT sha256 FROM artifact WHERE sha1 IS NULL AND sha256 > ? ORDER BY sha256 LIMIT 1", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, after);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    bool oom = false;
    const char *found = rc == STMT_ROW ? stmt_get_text(&s, 0, &row, &oom) : "";
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to read a file's hash");
    snprintf(out, SHA256_HEX_SIZE, "%s", found);
    return 0;
}

int store_artifact_set_hashes(struct db *db, const char *sha256, const char *sha1, const char *md5,
                              struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "UPDATE artifact SET sha1 = ?, md5 = ? WHERE sha256 = ? AND sha1 IS NULL", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, sha1);
    stmt_text(&s, 2, md5);
    stmt_text(&s, 3, sha256);
    return stmt_run(&s, e);
}

int store_module_add(struct db *db, int64_t release, struct str name, struct str version, struct str type,
                     int64_t *pk, struct err *e)
{
    auto_stmt struct stmt s = {0}, join = {0};
    int rc = db_prepare(db, &s, "INSERT INTO module (name, version, type) VALUES (?, ?, ?)", e);
    if (rc != 0)
        return rc;
    stmt_str(&s, 1, name);
    stmt_str(&s, 2, version);
    stmt_str(&s, 3, type);
    rc = stmt_run(&s, e);
    if (rc != 0)
        return rc;
    int64_t module = db_last_rowid(db);
    rc = db_prepare(db, &join, "INSERT INTO release_module (release, module) VALUES (?, ?)", e);
    if (rc != 0)
        return rc;
    stmt_i64(&join, 1, release);
    stmt_i64(&join, 2, module);
    rc = stmt_run(&join, e);
    if (rc == 0)
        *pk = module;
    return rc;
}

int store_module_add_artifact(struct db *db, int64_t module, struct str filename, const char *sha256,
                              struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "INSERT INTO module_artifact (module, filename, sha256) VALUES (?, ?, ?)", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, module);
    stmt_str(&s, 2, filename);
    stmt_text(&s, 3, sha256);
    return stmt_run(&s, e);
}

int store_release_drop_artifacts(struct db *db, const struct release *r, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "DELETE FROM module_artifact WHERE module IN"
                        " (SELECT rm.module FROM release_module rm JOIN module m ON m.pk = rm.module"
                        "  WHERE rm.release = ?1 AND m.created_by = '' AND NOT EXISTS"
                        "  (SELECT 1 FROM release_module o JOIN release other ON other.pk = o.release"
                        "   WHERE o.module = rm.module AND o.release <> ?1 AND other.deleted_at IS NULL))",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, r->pk);
    rc = stmt_run(&s, e);
    for (size_t i = 0; rc == 0 && i < r->artifact_count; i++) {
        auto_stmt struct stmt f = {0};
        rc = db_prepare(db, &f,
                        "DELETE FROM artifact WHERE sha256 = ?1 AND NOT EXISTS"
                        " (SELECT 1 FROM module_artifact WHERE sha256 = ?1)",
                        e);
        if (rc != 0)
            return rc;
        stmt_text(&f, 1, r->artifacts[i].sha256);
        rc = stmt_run(&f, e);
    }
    return rc;
}
