#include "store/device_tokens.h"

#include "store/db.h"

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory to read a device's token");
}

int store_device_standing(struct db *db, struct arena *a, const char *id, struct device_standing *out,
                          struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT d.pk, d.revoked_at, d.certified_at, d.transport, t.hash"
                        " FROM device d LEFT JOIN device_token t ON t.device = d.pk WHERE d.id = ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, id);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "there is no device \"%s\"", id);
    bool oom = false;
    struct device_standing found = {
        .pk = stmt_get_i64(&s, 0),
        .revoked_at = stmt_get_i64(&s, 1),
        .certified_at = stmt_get_i64(&s, 2),
        .transport = stmt_get_text(&s, 3, a, &oom),
        .hash = stmt_get_text(&s, 4, a, &oom),
    };
    if (oom)
        return no_memory(e);
    *out = found;
    return 0;
}

int store_device_token_set(struct db *db, int64_t pk, const char *hash, struct str sealed, int64_t now_ms,
                           struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "INSERT INTO device_token (device, hash, sealed, created_at) VALUES (?, ?, ?, ?)"
                        " ON CONFLICT (device) DO UPDATE SET hash = excluded.hash, sealed = excluded.sealed,"
                        " created_at = excluded.created_at",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, pk);
    stmt_text(&s, 2, hash);
    stmt_blob(&s, 3, sealed.p, sealed.n);
    stmt_i64(&s, 4, now_ms);
    return stmt_run(&s, e);
}

int store_device_token_sealed(struct db *db, struct arena *a, int64_t pk, struct str *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT sealed FROM device_token WHERE device = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, pk);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "this device has no token");
    bool oom = false;
    struct str sealed = stmt_get_blob(&s, 0, a, &oom);
    if (oom)
        return no_memory(e);
    *out = sealed;
    return 0;
}
