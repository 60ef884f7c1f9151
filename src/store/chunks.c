#include "store/chunks.h"

#include "model/module.h"
#include "model/release.h"
#include "store/db.h"

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory to read a release's modules");
}

static int read_artifacts(struct db *db, struct arena *a, struct chunk *c, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT m.filename, m.sha256, f.sha1, f.md5, f.size, f.created_at"
                        " FROM module_artifact m JOIN artifact f ON f.sha256 = m.sha256"
                        " WHERE m.module = ? ORDER BY m.filename LIMIT ?",
                        e);
    c->artifacts = arena_array(a, struct chunk_artifact, RELEASE_ARTIFACTS_MAX);
    if (rc == 0 && c->artifacts == NULL)
        rc = no_memory(e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, c->module);
    stmt_i64(&s, 2, RELEASE_ARTIFACTS_MAX);
    bool oom = false;
    while (c->artifact_count < RELEASE_ARTIFACTS_MAX && (rc = stmt_step(&s, e)) == STMT_ROW)
        c->artifacts[c->artifact_count++] = (struct chunk_artifact){
            .filename = stmt_get_text(&s, 0, a, &oom),
            .sha256 = stmt_get_text(&s, 1, a, &oom),
            .sha1 = stmt_get_text(&s, 2, a, &oom),
            .md5 = stmt_get_text(&s, 3, a, &oom),
            .size = stmt_get_i64(&s, 4),
            .created_at = stmt_get_i64(&s, 5),
        };
    if (rc < 0)
        return rc;
    return oom ? no_memory(e) : 0;
}

static int read_metadata(struct db *db, struct arena *a, struct chunk *c, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(
        db, &s, "SELECT key, value FROM module_metadata WHERE module = ? AND visible ORDER BY key LIMIT ?",
        e);
    c->metadata = arena_array(a, struct chunk_metadata, MODULE_METADATA_MAX);
    if (rc == 0 && c->metadata == NULL)
        rc = no_memory(e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, c->module);
    stmt_i64(&s, 2, MODULE_METADATA_MAX);
    bool oom = false;
    while (c->metadata_count < MODULE_METADATA_MAX && (rc = stmt_step(&s, e)) == STMT_ROW)
        c->metadata[c->metadata_count++] = (struct chunk_metadata){.key = stmt_get_text(&s, 0, a, &oom),
                                                                   .value = stmt_get_text(&s, 1, a, &oom)};
    if (rc < 0)
        return rc;
    return oom ? no_memory(e) : 0;
}

static struct chunk read_row(struct stmt *s, struct arena *a, bool *oom)
{
    return (struct chunk){
        .module = stmt_get_i64(s, 0),
        .type = stmt_get_text(s, 1, a, oom),
        .name = stmt_get_text(s, 2, a, oom),
        .version = stmt_get_text(s, 3, a, oom),
        .encrypted = stmt_get_i64(s, 4) != 0,
    };
}

static int read_modules(struct db *db, struct arena *a, int64_t release, struct chunk *list, size_t *count,
                        struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT m.pk, m.type, m.name, m.version, m.encrypted FROM release_module r"
                        " JOIN module m ON m.pk = r.module WHERE r.release = ? ORDER BY m.pk LIMIT ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, release);
    stmt_i64(&s, 2, RELEASE_MODULES_MAX);
    bool oom = false;
    size_t n = 0;
    while (n < RELEASE_MODULES_MAX && (rc = stmt_step(&s, e)) == STMT_ROW)
        list[n++] = read_row(&s, a, &oom);
    if (rc < 0)
        return rc;
    *count = n;
    return oom ? no_memory(e) : 0;
}

int store_chunks(struct db *db, struct arena *a, int64_t release, struct chunk **out, size_t *count,
                 struct err *e)
{
    struct chunk *list = arena_array(a, struct chunk, RELEASE_MODULES_MAX);
    size_t n = 0;
    int rc = list != NULL ? read_modules(db, a, release, list, &n, e) : no_memory(e);
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = read_artifacts(db, a, &list[i], e);
        if (rc == 0)
            rc = read_metadata(db, a, &list[i], e);
    }
    if (rc != 0)
        return rc;
    *out = list;
    *count = n;
    return 0;
}

static int read_module(struct db *db, struct arena *a, int64_t module, struct chunk *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT pk, type, name, version, encrypted FROM module WHERE pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, module);
    rc = stmt_step(&s, e);
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "there is no software module %lld", (long long)module);
    if (rc < 0)
        return rc;
    bool oom = false;
    *out = read_row(&s, a, &oom);
    return oom ? no_memory(e) : 0;
}

int store_chunk(struct db *db, struct arena *a, int64_t module, struct chunk *out, struct err *e)
{
    struct chunk c;
    int rc = read_module(db, a, module, &c, e);
    if (rc == 0)
        rc = read_artifacts(db, a, &c, e);
    if (rc == 0)
        *out = c;
    return rc;
}

/* --- which action it is for ---------------------------------------------------------------------------- */

static int one_number(struct stmt *s, int64_t *out, struct err *e)
{
    int rc = stmt_step(s, e);
    if (rc < 0)
        return rc;
    *out = rc == STMT_ROW ? stmt_get_i64(s, 0) : 0;
    return 0;
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
