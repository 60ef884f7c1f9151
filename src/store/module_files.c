/* Modules' files and metadata. */
#include "store/artifacts.h"
#include "store/db.h"
#include "store/modules.h"

#define COLUMNS "ma.pk, ma.module, ma.filename, f.sha256, f.sha1, f.md5, f.size, f.created_at"
#define TABLES " FROM module_artifact ma JOIN artifact f ON f.sha256 = ma.sha256"

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory to read a module's files");
}

static int read_row(struct stmt *s, struct arena *a, struct module_artifact *out, struct err *e)
{
    bool oom = false;
    struct module_artifact f = {
        .pk = stmt_get_i64(s, 0),
        .module = stmt_get_i64(s, 1),
        .filename = stmt_get_text(s, 2, a, &oom),
        .sha256 = stmt_get_text(s, 3, a, &oom),
        .sha1 = stmt_get_text(s, 4, a, &oom),
        .md5 = stmt_get_text(s, 5, a, &oom),
        .size = stmt_get_i64(s, 6),
        .created_at = stmt_get_i64(s, 7),
    };
    if (oom)
        return no_memory(e);
    *out = f;
    return 0;
}

int store_module_artifacts(struct db *db, struct arena *a, int64_t module, struct module_artifact **out,
                           size_t *count, struct err *e)
{
    struct module_artifact *list = arena_array(a, struct module_artifact, RELEASE_ARTIFACTS_MAX);
    if (list == NULL)
        return no_memory(e);
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT " COLUMNS TABLES " WHERE ma.module = ? ORDER BY ma.pk LIMIT ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, module);
    stmt_i64(&s, 2, RELEASE_ARTIFACTS_MAX);
    size_t n = 0;
    while (rc == 0 && n < RELEASE_ARTIFACTS_MAX && (rc = stmt_step(&s, e)) == STMT_ROW)
        rc = read_row(&s, a, &list[n++], e);
    if (rc < 0)
        return rc;
    *out = list;
    *count = n;
    return 0;
}

int store_module_artifact(struct db *db, struct arena *a, int64_t module, int64_t artifact,
                          struct module_artifact *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT " COLUMNS TABLES " WHERE ma.pk = ? AND ma.module = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, artifact);
    stmt_i64(&s, 2, module);
    rc = stmt_step(&s, e);
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "the software module %lld has no artifact %lld", (long long)module,
                       (long long)artifact);
    return rc < 0 ? rc : read_row(&s, a, out, e);
}

int store_module_metadata(struct db *db, struct arena *a, int64_t module, bool visible_only,
                          struct module_metadata **out, size_t *count, struct err *e)
{
    struct module_metadata *list = arena_array(a, struct module_metadata, MODULE_METADATA_MAX);
    if (list == NULL)
        return no_memory(e);
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT key, value, visible FROM module_metadata"
                        " WHERE module = ? AND (visible OR NOT ?) ORDER BY key LIMIT ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, module);
    stmt_i64(&s, 2, visible_only);
    stmt_i64(&s, 3, MODULE_METADATA_MAX);
    size_t n = 0;
    bool oom = false;
    while (!oom && n < MODULE_METADATA_MAX && (rc = stmt_step(&s, e)) == STMT_ROW)
        list[n++] = (struct module_metadata){.key = stmt_get_text(&s, 0, a, &oom),
                                             .value = stmt_get_text(&s, 1, a, &oom),
                                             .visible = stmt_get_i64(&s, 2) != 0};
    if (rc < 0)
        return rc;
    if (oom)
        return no_memory(e);
    *out = list;
    *count = n;
    return 0;
}

/* --- writing ----------------------------------------------------------------------------------------- */

int store_module_put_artifact(struct db *db, struct module_artifact *f, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = f->sha1 != NULL ? store_artifact_set_hashes(db, f->sha256, f->sha1, f->md5, e) : 0;
    if (rc == 0)
        rc = db_prepare(db, &s, "INSERT INTO module_artifact (module, filename, sha256) VALUES (?, ?, ?)", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, f->module);
    stmt_text(&s, 2, f->filename);
    stmt_text(&s, 3, f->sha256);
    rc = stmt_run(&s, e);
    if (rc == ERR_CONFLICT)
        return err_set(e, rc, "the software module %lld has a file %s already", (long long)f->module,
                       f->filename);
    if (rc == 0)
        f->pk = db_last_rowid(db);
    return rc;
}

/* The sweep takes the bytes. */
static int forget(struct db *db, const char *sha256, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "DELETE FROM artifact WHERE sha256 = ?1 AND NOT EXISTS"
                        " (SELECT 1 FROM module_artifact WHERE sha256 = ?1)",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, sha256);
    return stmt_run(&s, e);
}

int store_module_drop_artifact(struct db *db, const struct module_artifact *f, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "DELETE FROM module_artifact WHERE pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, f->pk);
    rc = stmt_run(&s, e);
    return rc != 0 ? rc : forget(db, f->sha256, e);
}

int store_module_drop_artifacts(struct db *db, int64_t module, struct err *e)
{
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    struct module_artifact *list;
    size_t count = 0;
    int rc = store_module_artifacts(db, &a, module, &list, &count, e);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = store_module_drop_artifact(db, &list[i], e);
    return rc;
}

int store_module_leftover(struct db *db, int64_t *module, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(
        db, &s,
        "SELECT coalesce(min(m.pk), 0) FROM module m WHERE m.deleted_at IS NOT NULL"
        " AND EXISTS (SELECT 1 FROM module_artifact f WHERE f.module = m.pk)"
        " AND NOT EXISTS (SELECT 1 FROM release_module rm JOIN release r ON r.pk = rm.release"
        "  WHERE rm.module = m.pk AND (r.deleted_at IS NULL OR EXISTS"
        "   (SELECT 1 FROM deployment p WHERE p.release = r.pk AND (p.state IN"
        "    ('approval', 'scheduled', 'running', 'paused') OR EXISTS (SELECT 1 FROM action_tally t"
        "     WHERE t.deployment = p.pk AND t.n > 0 AND t.state IN"
        "     ('waiting', 'offered', 'downloading', 'installing', 'rebooting', 'cancelling'))))))",
        e);
    if (rc != 0)
        return rc;
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    *module = stmt_get_i64(&s, 0);
    return 0;
}

int store_module_metadata_put(struct db *db, int64_t module, const struct module_metadata *m, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "INSERT INTO module_metadata (module, key, value, visible) VALUES (?1, ?2, ?3, ?4)"
                        " ON CONFLICT (module, key) DO UPDATE SET value = ?3, visible = ?4",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, module);
    stmt_text(&s, 2, m->key);
    stmt_text(&s, 3, m->value);
    stmt_i64(&s, 4, m->visible);
    return stmt_run(&s, e);
}

int store_module_metadata_size(struct db *db, int64_t module, int64_t *entries, int64_t *bytes, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT count(*), coalesce(sum(octet_length(key) + octet_length(value)), 0)"
                        " FROM module_metadata WHERE module = ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, module);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    *entries = stmt_get_i64(&s, 0);
    *bytes = stmt_get_i64(&s, 1);
    return 0;
}
