#include "store/sessions.h"

#include "store/db.h"

int store_session_by_hash(struct db *db, struct arena *a, const char *hash, struct session *out,
                          struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc =
        db_prepare(db, &s,
                   "SELECT a.pk, a.name, a.role, a.changed_at, a.disabled_at, s.account_changed, s.by_link,"
                   " s.created_at, s.expires_at"
                   " FROM session s JOIN account a ON a.pk = s.account WHERE s.hash = ?",
                   e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, hash);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "there is no such session");
    bool oom = false;
    struct session found = {
        .account = {.pk = stmt_get_i64(&s, 0),
                    .name = stmt_get_text(&s, 1, a, &oom),
                    .role = stmt_get_text(&s, 2, a, &oom),
                    .changed_at = stmt_get_i64(&s, 3),
                    .disabled_at = stmt_get_i64(&s, 4)},
        .account_changed = stmt_get_i64(&s, 5),
        .by_link = stmt_get_i64(&s, 6) != 0,
        .created_at = stmt_get_i64(&s, 7),
        .expires_at = stmt_get_i64(&s, 8),
    };
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to read a session");
    *out = found;
    return 0;
}

int store_session_add(struct db *db, const char *hash, const struct session *v, const char *address,
                      struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc =
        db_prepare(db, &s,
                   "INSERT INTO session (hash, account, account_changed, by_link, created_at, expires_at,"
                   " address) VALUES (?, ?, ?, ?, ?, ?, ?)",
                   e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, hash);
    stmt_i64(&s, 2, v->account.pk);
    stmt_i64(&s, 3, v->account_changed);
    stmt_i64(&s, 4, v->by_link);
    stmt_i64(&s, 5, v->created_at);
    stmt_i64(&s, 6, v->expires_at);
    stmt_text(&s, 7, address);
    return stmt_run(&s, e);
}

int store_session_remove(struct db *db, const char *hash, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "DELETE FROM session WHERE hash = ?", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, hash);
    return stmt_run(&s, e);
}

static int remove_of(struct db *db, const char *sql, int64_t account, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, sql, e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, account);
    return stmt_run(&s, e);
}

int store_session_remove_all(struct db *db, int64_t account, struct err *e)
{
    return remove_of(db, "DELETE FROM session WHERE account = ?", account, e);
}

int store_links_remove(struct db *db, int64_t account, struct err *e)
{
    return remove_of(db, "DELETE FROM sign_in_link WHERE account = ?", account, e);
}

int store_session_rebind(struct db *db, const char *hash, int64_t account_changed, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "UPDATE session SET account_changed = ?, by_link = 0 WHERE hash = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, account_changed);
    stmt_text(&s, 2, hash);
    return stmt_run(&s, e);
}

static int forget_over(struct db *db, const char *sql, int64_t now_ms, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, sql, e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, now_ms);
    stmt_i64(&s, 2, now_ms + SESSION_AHEAD_MAX_MS);
    return stmt_run(&s, e);
}

int store_session_prune(struct db *db, int64_t now_ms, int64_t account, size_t keep, struct err *e)
{
    int rc = forget_over(db, "DELETE FROM session WHERE expires_at <= ?1 OR created_at > ?2", now_ms, e);
    if (rc == 0)
        rc = forget_over(db, "DELETE FROM sign_in_link WHERE expires_at <= ?1 OR created_at > ?2", now_ms, e);
    if (rc != 0)
        return rc;
    auto_stmt struct stmt s = {0};
    rc = db_prepare(db, &s,
                    "DELETE FROM session WHERE hash IN (SELECT hash FROM session WHERE account = ?"
                    " ORDER BY created_at DESC LIMIT -1 OFFSET ?)",
                    e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, account);
    stmt_i64(&s, 2, (int64_t)keep);
    return stmt_run(&s, e);
}

int store_link_add(struct db *db, const char *hash, int64_t account, int64_t now_ms, int64_t expires_at,
                   const char *created_by, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "INSERT INTO sign_in_link (hash, account, created_at, expires_at, created_by)"
                        " VALUES (?, ?, ?, ?, ?)",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, hash);
    stmt_i64(&s, 2, account);
    stmt_i64(&s, 3, now_ms);
    stmt_i64(&s, 4, expires_at);
    stmt_text(&s, 5, created_by);
    return stmt_run(&s, e);
}

int store_link_find(struct db *db, struct arena *a, const char *hash, int64_t now_ms, const char **name,
                    struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT a.name FROM sign_in_link l JOIN account a ON a.pk = l.account"
                        " WHERE l.hash = ? AND l.expires_at > ? AND l.created_at <= ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, hash);
    stmt_i64(&s, 2, now_ms);
    stmt_i64(&s, 3, now_ms + SESSION_AHEAD_MAX_MS);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    bool oom = false;
    *name = rc == STMT_ROW ? stmt_get_text(&s, 0, a, &oom) : NULL;
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to read a link");
    return *name != NULL ? 0 : err_set(e, ERR_NOT_FOUND, "there is no such link");
}

int store_link_take(struct db *db, struct arena *a, const char *hash, int64_t now_ms, const char **name,
                    struct err *e)
{
    const char *found = NULL;
    int rc = store_link_find(db, a, hash, now_ms, &found, e);
    if (rc != 0)
        return rc;
    auto_stmt struct stmt s = {0};
    rc = db_prepare(db, &s, "DELETE FROM sign_in_link WHERE hash = ?", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, hash);
    rc = stmt_run(&s, e);
    if (rc == 0)
        *name = found;
    return rc;
}
