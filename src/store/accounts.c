#include "store/accounts.h"

#include "store/db.h"

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory to read accounts");
}

static struct account read_account(struct stmt *s, struct arena *a, bool *oom)
{
    return (struct account){
        .pk = stmt_get_i64(s, 0),
        .name = stmt_get_text(s, 1, a, oom),
        .role = stmt_get_text(s, 2, a, oom),
        .password = stmt_get_text(s, 3, a, oom),
        .created_at = stmt_get_i64(s, 4),
        .created_by = stmt_get_text(s, 5, a, oom),
        .changed_at = stmt_get_i64(s, 6),
        .disabled_at = stmt_get_i64(s, 7),
    };
}

int store_account_by_name(struct db *db, struct arena *a, const char *name, struct account *out,
                          struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT pk, name, role, password, created_at, created_by, changed_at, disabled_at"
                        " FROM account WHERE name = ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, name);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "there is no account \"%s\"", name);
    bool oom = false;
    struct account found = read_account(&s, a, &oom);
    if (oom)
        return no_memory(e);
    *out = found;
    return 0;
}

int store_account_add(struct db *db, const struct account *account, int64_t *pk, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "INSERT INTO account (name, role, password, created_at, created_by, changed_at)"
                        " VALUES (?, ?, ?, ?, ?, ?)",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, account->name);
    stmt_text(&s, 2, account->role);
    stmt_text(&s, 3, account->password);
    stmt_i64(&s, 4, account->created_at);
    stmt_text(&s, 5, account->created_by);
    stmt_i64(&s, 6, account->changed_at);
    rc = stmt_run(&s, e);
    if (rc == ERR_CONFLICT)
        return err_set(e, ERR_CONFLICT, "there is an account \"%s\" already", account->name);
    if (rc == 0)
        *pk = db_last_rowid(db);
    return rc;
}

int store_account_change(struct db *db, const struct account *account, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(
        db, &s, "UPDATE account SET role = ?, password = ?, disabled_at = ?, changed_at = ? WHERE pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, account->role);
    stmt_text(&s, 2, account->password);
    if (account->disabled_at != 0)
        stmt_i64(&s, 3, account->disabled_at);
    else
        stmt_null(&s, 3);
    stmt_i64(&s, 4, account->changed_at);
    stmt_i64(&s, 5, account->pk);
    return stmt_run(&s, e);
}

int store_account_remove(struct db *db, int64_t pk, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "DELETE FROM account WHERE pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, pk);
    return stmt_run(&s, e);
}

int store_account_list(struct db *db, struct arena *a, const char *after, size_t limit, struct account **out,
                       size_t *count, struct err *e)
{
    struct account *list = arena_array(a, struct account, limit);
    if (list == NULL)
        return no_memory(e);
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT pk, name, role, NULL, created_at, created_by, changed_at, disabled_at"
                        " FROM account WHERE name > ? ORDER BY name LIMIT ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, after != NULL ? after : "");
    stmt_i64(&s, 2, (int64_t)limit);
    bool oom = false;
    size_t n = 0;
    while ((rc = stmt_step(&s, e)) == STMT_ROW && n < limit)
        list[n++] = read_account(&s, a, &oom);
    if (rc < 0)
        return rc;
    if (oom)
        return no_memory(e);
    *out = list;
    *count = n;
    return 0;
}

int store_anything_sealed(struct db *db, bool *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT EXISTS (SELECT 1 FROM device_token) OR"
                        " EXISTS (SELECT 1 FROM setting WHERE key = 'authentication.gatewaytoken.key')",
                        e);
    if (rc != 0)
        return rc;
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    *out = stmt_get_i64(&s, 0) != 0;
    return 0;
}
