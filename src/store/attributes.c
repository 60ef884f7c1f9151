#include "store/attributes.h"

#include "store/db.h"

int store_attribute_set(struct db *db, int64_t device, struct str key, struct str value, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "INSERT INTO device_attribute (device, key, value) VALUES (?1, ?2, ?3)"
                        " ON CONFLICT (device, key) DO UPDATE SET value = ?3 WHERE value <> ?3",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    stmt_str(&s, 2, key);
    stmt_str(&s, 3, value);
    return stmt_run(&s, e);
}

int store_attribute_remove(struct db *db, int64_t device, struct str key, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "DELETE FROM device_attribute WHERE device = ? AND key = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    stmt_str(&s, 2, key);
    return stmt_run(&s, e);
}

int store_attributes_clear(struct db *db, int64_t device, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "DELETE FROM device_attribute WHERE device = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    return stmt_run(&s, e);
}
