#include "store/operators.h"

#include <stdbool.h>
#include <stdlib.h>

#include "store/db.h"

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory to read operators");
}

static struct operator_account read_operator(struct stmt *s, struct arena *a, bool *oom)
{
    return (struct operator_account){
        .pk = stmt_get_i64(s, 0),
        .name = stmt_get_text(s, 1, a, oom),
        .role = stmt_get_text(s, 2, a, oom),
        .created_at = stmt_get_i64(s, 3),
        .revoked_at = stmt_get_i64(s, 4),
    };
}

int store_operator_by_name(struct db *db, struct arena *a, const char *name, struct operator_account *out,
                           struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc =
        db_prepare(db, &s, "SELECT pk, name, role, created_at, revoked_at FROM operator WHERE name = ?", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, name);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "there is no operator \"%s\"", name);
    bool oom = false;
    struct operator_account o = read_operator(&s, a, &oom);
    if (oom)
        return no_memory(e);
    *out = o;
    return 0;
}

int store_operator_add(struct db *db, const char *name, const char *role, int64_t now_ms, int64_t *pk,
                       struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "INSERT INTO operator (name, role, created_at) VALUES (?, ?, ?)", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, name);
    stmt_text(&s, 2, role);
    stmt_i64(&s, 3, now_ms);
    rc = stmt_run(&s, e);
    if (rc == ERR_CONFLICT)
        return err_set(e, ERR_CONFLICT, "there is an operator \"%s\" already", name);
    if (rc == 0)
        *pk = db_last_rowid(db);
    return rc;
}

int store_operator_revoke(struct db *db, int64_t pk, int64_t now_ms, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "UPDATE operator SET revoked_at = ? WHERE pk = ? AND revoked_at IS NULL", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, now_ms);
    stmt_i64(&s, 2, pk);
    return stmt_run(&s, e);
}

int store_operator_list(struct db *db, struct arena *a, const char *after, size_t limit,
                        struct operator_account **out, size_t *count, struct err *e)
{
    struct operator_account *list = arena_array(a, struct operator_account, limit);
    if (list == NULL)
        return no_memory(e);
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT pk, name, role, created_at, revoked_at FROM operator WHERE name > ?"
                        " ORDER BY name LIMIT ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, after != NULL ? after : "");
    stmt_i64(&s, 2, (int64_t)limit);
    bool oom = false;
    size_t n = 0;
    while ((rc = stmt_step(&s, e)) == STMT_ROW && n < limit)
        list[n++] = read_operator(&s, a, &oom);
    if (rc < 0)
        return rc;
    if (oom)
        return no_memory(e);
    *out = list;
    *count = n;
    return 0;
}

int store_operator_admins(struct db *db, int64_t but, int64_t now_ms, int64_t *count, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT count(*) FROM operator o WHERE o.role = 'admin' AND o.revoked_at IS NULL"
                        " AND o.pk <> ? AND EXISTS (SELECT 1 FROM certificate c WHERE c.operator = o.pk"
                        "  AND c.revoked_at IS NULL AND c.not_after >= ?)",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, but);
    stmt_i64(&s, 2, now_ms);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    *count = stmt_get_i64(&s, 0);
    return 0;
}

int store_operator_each(struct db *db,
                        int (*each)(void *ctx, const struct operator_certificate *c, struct err *e),
                        void *ctx, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc =
        db_prepare(db, &s,
                   "SELECT c.issuer, c.serial, c.fingerprint, o.name, o.role,"
                   " o.revoked_at IS NOT NULL OR c.revoked_at IS NOT NULL"
                   " FROM certificate c JOIN operator o ON o.pk = c.operator WHERE c.operator IS NOT NULL",
                   e);
    if (rc != 0)
        return rc;
    auto_arena struct arena row;
    arena_init(&row, 8192);
    while ((rc = stmt_step(&s, e)) == STMT_ROW) {
        bool oom = false;
        const struct operator_certificate c = {
            .issuer = stmt_get_text(&s, 0, &row, &oom),
            .serial = stmt_get_text(&s, 1, &row, &oom),
            .fingerprint = stmt_get_text(&s, 2, &row, &oom),
            .name = stmt_get_text(&s, 3, &row, &oom),
            .role = stmt_get_text(&s, 4, &row, &oom),
            .revoked = stmt_get_i64(&s, 5) != 0,
        };
        if (oom)
            return no_memory(e);
        rc = each(ctx, &c, e);
        if (rc != 0)
            return rc;
        arena_reset(&row);
    }
    return rc;
}
