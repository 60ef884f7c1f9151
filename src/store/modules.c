#include "store/modules.h"

#include "store/db.h"

#define COLUMNS                                                                                              \
    "d.pk, d.name, d.version, d.type, d.vendor, d.description, d.encrypted, d.created_at, d.created_by,"     \
    " d.deleted_at"
/* As a filter looks at it. */
#define AS_LIST                                                                                              \
    "(SELECT pk, CAST(pk AS TEXT) AS id, name, version, type, type AS model, vendor, description,"           \
    " encrypted, created_at, created_by, deleted_at FROM module WHERE deleted_at IS NULL) d"

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory to read modules");
}

static int read_row(struct stmt *s, struct arena *a, struct module *out, struct err *e)
{
    bool oom = false;
    struct module m = {
        .pk = stmt_get_i64(s, 0),
        .name = stmt_get_text(s, 1, a, &oom),
        .version = stmt_get_text(s, 2, a, &oom),
        .type = stmt_get_text(s, 3, a, &oom),
        .vendor = stmt_get_text(s, 4, a, &oom),
        .description = stmt_get_text(s, 5, a, &oom),
        .encrypted = stmt_get_i64(s, 6) != 0,
        .created_at = stmt_get_i64(s, 7),
        .created_by = stmt_get_text(s, 8, a, &oom),
        .deleted_at = stmt_get_i64(s, 9),
    };
    if (oom)
        return no_memory(e);
    *out = m;
    return 0;
}

int store_module_by_pk(struct db *db, struct arena *a, int64_t pk, struct module *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT " COLUMNS " FROM module d WHERE d.pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, pk);
    rc = stmt_step(&s, e);
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "there is no software module %lld", (long long)pk);
    return rc < 0 ? rc : read_row(&s, a, out, e);
}

int store_module_by_name(struct db *db, struct arena *a, struct str name, struct str version, struct str type,
                         struct module *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(
        db, &s, "SELECT " COLUMNS " FROM module d WHERE d.name = ? AND d.version = ? AND d.type = ?", e);
    if (rc != 0)
        return rc;
    stmt_str(&s, 1, name);
    stmt_str(&s, 2, version);
    stmt_str(&s, 3, type);
    rc = stmt_step(&s, e);
    if (rc == STMT_END)
        *out = (struct module){0};
    return rc <= 0 ? rc : read_row(&s, a, out, e);
}

static int read_all(struct stmt *s, struct arena *a, size_t most, struct module **out, size_t *count,
                    struct err *e)
{
    struct module *list = arena_array(a, struct module, most + 1);
    if (list == NULL)
        return no_memory(e);
    size_t n = 0;
    int rc = 0;
    while (rc == 0 && n < most && (rc = stmt_step(s, e)) == STMT_ROW)
        rc = read_row(s, a, &list[n++], e);
    if (rc < 0)
        return rc;
    *out = list;
    *count = n;
    return 0;
}

int store_module_list(struct db *db, struct arena *a, const struct listing *q, struct module **out,
                      size_t *count, int64_t *total, struct err *e)
{
    auto_listing struct listing_rows r = {0};
    int rc = listing_open(db, COLUMNS, AS_LIST, "?1 = 0", q, &r, e);
    if (rc != 0)
        return rc;
    stmt_i64(&r.s, 1, 0);
    rc = read_all(&r.s, a, q->limit, out, count, e);
    return rc != 0 ? rc : listing_total(db, AS_LIST, "?1 = 0", 0, q, total, e);
}

int store_modules_of(struct db *db, struct arena *a, int64_t release, struct module **out, size_t *count,
                     struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT " COLUMNS " FROM release_module rm JOIN module d ON d.pk = rm.module"
                        " WHERE rm.release = ? ORDER BY d.pk LIMIT ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, release);
    stmt_i64(&s, 2, RELEASE_MODULES_MAX);
    return read_all(&s, a, RELEASE_MODULES_MAX, out, count, e);
}

int store_module_use(struct db *db, int64_t module, struct module_use *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(
        db, &s,
        "SELECT count(*), max((SELECT count(*) FROM module_artifact WHERE module = ?1),"
        "  coalesce(max((SELECT count(*) FROM release_module o JOIN module_artifact f ON f.module = o.module"
        "   WHERE o.release = r.pk)) FILTER (WHERE r.deleted_at IS NULL), 0)),"
        " coalesce(max(EXISTS (SELECT 1 FROM deployment p WHERE p.release = r.pk)"
        "  OR EXISTS (SELECT 1 FROM release_model s WHERE s.release = r.pk AND s.signed)), 0)"
        " FROM release_module rm JOIN release r ON r.pk = rm.release WHERE rm.module = ?1",
        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, module);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    *out = (struct module_use){.releases = stmt_get_i64(&s, 0),
                               .artifacts = stmt_get_i64(&s, 1),
                               .settled = stmt_get_i64(&s, 2) != 0};
    return 0;
}

/* --- writing ----------------------------------------------------------------------------------------- */

int store_module_make(struct db *db, struct module *m, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "INSERT INTO module (name, version, type, vendor, description, encrypted, created_at,"
                        " created_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, m->name);
    stmt_text(&s, 2, m->version);
    stmt_text(&s, 3, m->type);
    stmt_text(&s, 4, m->vendor);
    stmt_text(&s, 5, m->description);
    stmt_i64(&s, 6, m->encrypted);
    stmt_i64(&s, 7, m->created_at);
    stmt_text(&s, 8, m->created_by);
    rc = stmt_run(&s, e);
    if (rc == ERR_CONFLICT)
        return err_set(e, rc, "there is a software module %s %s of the type %s already", m->name, m->version,
                       m->type);
    if (rc == 0)
        m->pk = db_last_rowid(db);
    return rc;
}

int store_module_describe(struct db *db, const struct module *m, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "UPDATE module SET vendor = ?, description = ? WHERE pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, m->vendor);
    stmt_text(&s, 2, m->description);
    stmt_i64(&s, 3, m->pk);
    return stmt_run(&s, e);
}

int store_module_mark_deleted(struct db *db, int64_t pk, int64_t now_ms, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "UPDATE module SET deleted_at = ? WHERE pk = ? AND deleted_at IS NULL", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, now_ms);
    stmt_i64(&s, 2, pk);
    return stmt_run(&s, e);
}

int store_module_remove(struct db *db, int64_t pk, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = store_module_drop_artifacts(db, pk, e);
    if (rc == 0)
        rc = db_prepare(db, &s, "DELETE FROM module WHERE pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, pk);
    return stmt_run(&s, e);
}

int store_module_join(struct db *db, int64_t release, int64_t module, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "INSERT INTO release_module (release, module) VALUES (?, ?)", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, release);
    stmt_i64(&s, 2, module);
    return stmt_run(&s, e);
}
