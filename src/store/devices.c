#include "store/devices.h"

#include "store/db.h"
#include "store/device_row.h"

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory to read devices");
}

struct device device_row_read(struct stmt *s, struct arena *a, bool *oom)
{
    return (struct device){
        .pk = stmt_get_i64(s, 0),
        .id = stmt_get_text(s, 1, a, oom),
        .model = stmt_get_text(s, 2, a, oom),
        .version = stmt_get_text(s, 3, a, oom),
        .version_at = stmt_get_i64(s, 4),
        .created_at = stmt_get_i64(s, 5),
        .last_seen_at = stmt_get_i64(s, 6),
        .revoked_at = stmt_get_i64(s, 7),
        .name = stmt_get_text(s, 8, a, oom),
        .ddi = stmt_get_i64(s, 9) != 0,
        .certified_at = stmt_get_i64(s, 10),
        .transport = stmt_get_text(s, 11, a, oom),
        .attributes_wanted = (enum attributes_wanted)stmt_get_i64(s, 12),
        .utc_offset = stmt_is_null(s, 13) ? DEVICE_NO_OFFSET : (int)stmt_get_i64(s, 13),
        .reason = (int)stmt_get_i64(s, 14),
        .reason_deployment = stmt_get_i64(s, 15),
        .reason_at = stmt_get_i64(s, 16),
        .version_assumed = stmt_get_i64(s, 17) != 0,
    };
}

static int one_device(struct stmt *s, struct arena *a, struct device *out, struct err *e)
{
    bool oom = false;
    int rc = stmt_step(s, e);
    if (rc < 0)
        return rc;
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "there is no such device");
    struct device d = device_row_read(s, a, &oom);
    if (oom)
        return no_memory(e);
    *out = d;
    return 0;
}

int store_device_by_id(struct db *db, struct arena *a, const char *id, struct device *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT " DEVICE_COLUMNS " FROM device d WHERE d.id = ?", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, id);
    return one_device(&s, a, out, e);
}

int store_device_model_at(struct db *db, struct stmt *s, struct arena *a, const char *id, const char **model,
                          struct err *e)
{
    bool oom = false;
    int rc = db_prepare(db, s, "SELECT model FROM device WHERE id = ?", e);
    if (rc != 0)
        return rc;
    stmt_text(s, 1, id);
    rc = stmt_step(s, e);
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "there is no such device");
    if (rc < 0)
        return rc;
    const char *found = stmt_get_text(s, 0, a, &oom);
    if (oom)
        return no_memory(e);
    *model = found;
    return 0;
}

int store_device_model(struct db *db, struct arena *a, const char *id, const char **model, struct err *e)
{
    auto_stmt struct stmt s = {0};
    return store_device_model_at(db, &s, a, id, model, e);
}

int store_device_by_pk(struct db *db, struct arena *a, int64_t pk, struct device *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT " DEVICE_COLUMNS " FROM device d WHERE d.pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, pk);
    return one_device(&s, a, out, e);
}

int store_device_add(struct db *db, const char *id, const char *model, int64_t now_ms, int64_t *pk,
                     struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "INSERT INTO device (id, model, created_at) VALUES (?, ?, ?)", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, id);
    stmt_text(&s, 2, model);
    stmt_i64(&s, 3, now_ms);
    rc = stmt_run(&s, e);
    if (rc == ERR_CONFLICT)
        return err_set(e, ERR_CONFLICT, "there is a device \"%s\" already", id);
    if (rc == 0)
        *pk = db_last_rowid(db);
    return rc;
}

int store_device_set_version(struct db *db, int64_t pk, const char *version, int64_t now_ms, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "UPDATE device SET version = ?1, version_at = ?2, version_assumed = 0"
                        " WHERE pk = ?3 AND (version IS NOT ?1 OR version_assumed)",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, version);
    stmt_i64(&s, 2, now_ms);
    stmt_i64(&s, 3, pk);
    return stmt_run(&s, e);
}

int store_device_set_version_assumed(struct db *db, int64_t pk, bool assumed, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "UPDATE device SET version_assumed = ? WHERE pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, assumed);
    stmt_i64(&s, 2, pk);
    return stmt_run(&s, e);
}

int store_device_set_revoked(struct db *db, int64_t pk, int64_t revoked_at, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "UPDATE device SET revoked_at = ? WHERE pk = ?", e);
    if (rc != 0)
        return rc;
    if (revoked_at != 0)
        stmt_i64(&s, 1, revoked_at);
    else
        stmt_null(&s, 1);
    stmt_i64(&s, 2, pk);
    rc = stmt_run(&s, e);
    if (rc == 0 && db_changes(db) == 0)
        return err_set(e, ERR_NOT_FOUND, "there is no such device");
    return rc;
}

int store_device_seen(struct db *db, int64_t pk, int64_t *at_ms, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT last_seen_at FROM device WHERE pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, pk);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    *at_ms = rc == STMT_ROW ? stmt_get_i64(&s, 0) : 0;
    return 0;
}

int store_device_set_seen(struct db *db, const char *id, int64_t at_ms, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(
        db, &s, "UPDATE device SET last_seen_at = ?1 WHERE id = ?2 AND coalesce(last_seen_at, 0) < ?1", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, at_ms);
    stmt_text(&s, 2, id);
    return stmt_run(&s, e);
}

int store_device_set_reason(struct db *db, const char *id, int reason, int64_t deployment, int64_t at_ms,
                            struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "UPDATE device SET reason = ?, reason_deployment = ?, reason_at = ? WHERE id = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, reason);
    stmt_i64(&s, 2, deployment);
    stmt_i64(&s, 3, at_ms);
    stmt_text(&s, 4, id);
    return stmt_run(&s, e);
}

int store_device_set_transport(struct db *db, const char *id, const char *transport, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "UPDATE device SET transport = ?1 WHERE id = ?2 AND transport IS NOT ?1", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, transport);
    stmt_text(&s, 2, id);
    return stmt_run(&s, e);
}

int store_device_set_interface(struct db *db, int64_t pk, bool ddi, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "UPDATE device SET interface = ?1, attributes_wanted = ?1 = 'ddi'"
                        " WHERE pk = ?2 AND interface <> ?1",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, ddi ? "ddi" : "native");
    stmt_i64(&s, 2, pk);
    return stmt_run(&s, e);
}

int store_device_describe(struct db *db, int64_t pk, const char *name, const char *description, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "UPDATE device SET name = ?, description = ? WHERE pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, name);
    stmt_text(&s, 2, description);
    stmt_i64(&s, 3, pk);
    return stmt_run(&s, e);
}

int store_device_set_offset(struct db *db, int64_t pk, int minutes, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "UPDATE device SET utc_offset = nullif(?, ?) WHERE pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, minutes);
    stmt_i64(&s, 2, DEVICE_NO_OFFSET);
    stmt_i64(&s, 3, pk);
    return stmt_run(&s, e);
}

int store_device_description(struct db *db, struct arena *a, int64_t pk, const char **out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    bool oom = false;
    int rc = db_prepare(db, &s, "SELECT description FROM device WHERE pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, pk);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    const char *text = rc == STMT_ROW ? stmt_get_text(&s, 0, a, &oom) : NULL;
    if (oom)
        return no_memory(e);
    *out = text;
    return 0;
}

int store_device_set_attributes_wanted(struct db *db, int64_t pk, enum attributes_wanted wanted,
                                       struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "UPDATE device SET attributes_wanted = ? WHERE pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, wanted);
    stmt_i64(&s, 2, pk);
    return stmt_run(&s, e);
}

int store_device_set_certified(struct db *db, int64_t pk, int64_t at_ms, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "UPDATE device SET certified_at = ? WHERE pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_some(&s, 1, at_ms);
    stmt_i64(&s, 2, pk);
    return stmt_run(&s, e);
}

int store_device_each_revoked(struct db *db, int (*each)(void *ctx, const char *id, struct err *e), void *ctx,
                              struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT id FROM device WHERE revoked_at IS NOT NULL", e);
    if (rc != 0)
        return rc;
    auto_arena struct arena row;
    arena_init(&row, 4096);
    while ((rc = stmt_step(&s, e)) == STMT_ROW) {
        bool oom = false;
        const char *id = stmt_get_text(&s, 0, &row, &oom);
        if (oom)
            return no_memory(e);
        rc = each(ctx, id, e);
        if (rc != 0)
            return rc;
        arena_reset(&row);
    }
    return rc;
}
