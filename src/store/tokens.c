#include "store/tokens.h"

#include "store/db.h"

#define TOKEN_COLUMNS                                                                                        \
    "pk, hash, model, device_id, note, uses_max, uses, created_at, created_by, expires_at, revoked_at"

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory to read tokens");
}

static struct token read_token(struct stmt *s, struct arena *a, bool *oom)
{
    return (struct token){
        .id = stmt_get_i64(s, 0),
        .hash = stmt_get_text(s, 1, a, oom),
        .model = stmt_get_text(s, 2, a, oom),
        .device_id = stmt_get_text(s, 3, a, oom),
        .note = stmt_get_text(s, 4, a, oom),
        .uses_max = stmt_get_i64(s, 5),
        .uses = stmt_get_i64(s, 6),
        .created_at = stmt_get_i64(s, 7),
        .created_by = stmt_get_text(s, 8, a, oom),
        .expires_at = stmt_get_i64(s, 9),
        .revoked_at = stmt_get_i64(s, 10),
    };
}

static int read_one(struct stmt *s, struct arena *a, struct token *out, struct err *e)
{
    int rc = stmt_step(s, e);
    if (rc < 0)
        return rc;
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "there is no such token");
    bool oom = false;
    struct token t = read_token(s, a, &oom);
    if (oom)
        return no_memory(e);
    *out = t;
    return 0;
}

int store_token_add(struct db *db, const struct token *t, int64_t *id, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "INSERT INTO token (hash, model, device_id, note, uses_max, created_at, created_by,"
                        " expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, t->hash);
    stmt_text(&s, 2, t->model);
    stmt_text(&s, 3, t->device_id);
    stmt_text(&s, 4, t->note);
    stmt_i64(&s, 5, t->uses_max);
    stmt_i64(&s, 6, t->created_at);
    stmt_text(&s, 7, t->created_by);
    stmt_i64(&s, 8, t->expires_at);
    rc = stmt_run(&s, e);
    if (rc == 0)
        *id = db_last_rowid(db);
    return rc;
}

int store_token_by_hash(struct db *db, struct arena *a, const char *hash, struct token *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT " TOKEN_COLUMNS " FROM token WHERE hash = ?", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, hash);
    return read_one(&s, a, out, e);
}

int store_token_by_id(struct db *db, struct arena *a, int64_t id, struct token *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT " TOKEN_COLUMNS " FROM token WHERE pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, id);
    return read_one(&s, a, out, e);
}

int store_token_list(struct db *db, struct arena *a, int64_t before, size_t limit, struct token **out,
                     size_t *count, struct err *e)
{
    struct token *list = arena_array(a, struct token, limit);
    if (list == NULL)
        return no_memory(e);
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT pk, NULL, model, device_id, note, uses_max, uses, created_at, created_by,"
                        " expires_at, revoked_at FROM token WHERE pk < ? ORDER BY pk DESC LIMIT ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, before > 0 ? before : INT64_MAX);
    stmt_i64(&s, 2, (int64_t)limit);
    bool oom = false;
    size_t n = 0;
    while ((rc = stmt_step(&s, e)) == STMT_ROW && n < limit)
        list[n++] = read_token(&s, a, &oom);
    if (rc < 0)
        return rc;
    if (oom)
        return no_memory(e);
    *out = list;
    *count = n;
    return 0;
}

int store_token_revoke(struct db *db, int64_t id, int64_t now_ms, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "UPDATE token SET revoked_at = ? WHERE pk = ? AND revoked_at IS NULL", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, now_ms);
    stmt_i64(&s, 2, id);
    return stmt_run(&s, e);
}

int store_token_use_get(struct db *db, int64_t token, const char *key_id, int64_t *device, int64_t *used_at,
                        struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT device, used_at FROM token_use WHERE token = ? AND key_id = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, token);
    stmt_text(&s, 2, key_id);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    *device = rc == STMT_ROW ? stmt_get_i64(&s, 0) : 0;
    *used_at = rc == STMT_ROW ? stmt_get_i64(&s, 1) : 0;
    return 0;
}

int store_token_uses_forget(struct db *db, int64_t device, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "DELETE FROM token_use WHERE device = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    return stmt_run(&s, e);
}

int store_token_use_take(struct db *db, int64_t token, const char *key_id, int64_t device, int64_t now_ms,
                         bool *taken, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "UPDATE token SET uses = uses + 1 WHERE pk = ? AND uses < uses_max", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, token);
    rc = stmt_run(&s, e);
    if (rc != 0)
        return rc;
    if (db_changes(db) == 0) {
        *taken = false;
        return 0;
    }
    auto_stmt struct stmt use = {0};
    rc =
        db_prepare(db, &use, "INSERT INTO token_use (token, key_id, device, used_at) VALUES (?, ?, ?, ?)", e);
    if (rc != 0)
        return rc;
    stmt_i64(&use, 1, token);
    stmt_text(&use, 2, key_id);
    stmt_i64(&use, 3, device);
    stmt_i64(&use, 4, now_ms);
    rc = stmt_run(&use, e);
    if (rc == 0)
        *taken = true;
    return rc;
}
