#include "store/consents.h"

#include "store/db.h"

int store_auto_confirm(struct db *db, struct arena *a, int64_t device, struct auto_confirm *out,
                       struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT at, initiator, remark FROM auto_confirm WHERE device = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    bool oom = false;
    struct auto_confirm c = {.initiator = "", .remark = ""};
    if (rc == STMT_ROW)
        c = (struct auto_confirm){.at = stmt_get_i64(&s, 0),
                                  .initiator = stmt_get_text(&s, 1, a, &oom),
                                  .remark = stmt_get_text(&s, 2, a, &oom)};
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to read a consent");
    *out = c;
    return 0;
}

int store_auto_confirm_has(struct db *db, int64_t device, bool *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT 1 FROM auto_confirm WHERE device = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    *out = rc == STMT_ROW;
    return 0;
}

int store_auto_confirm_set(struct db *db, int64_t device, const struct auto_confirm *c, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc =
        c->at != 0
            ? db_prepare(db, &s,
                         "INSERT INTO auto_confirm (device, at, initiator, remark) VALUES (?1, ?2, ?3, ?4)"
                         " ON CONFLICT (device) DO UPDATE SET at = ?2, initiator = ?3, remark = ?4",
                         e)
            : db_prepare(db, &s, "DELETE FROM auto_confirm WHERE device = ?1", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    if (c->at != 0) {
        stmt_i64(&s, 2, c->at);
        stmt_text(&s, 3, c->initiator);
        stmt_text(&s, 4, c->remark);
    }
    return stmt_run(&s, e);
}
