#include "store/metadata.h"

#include "store/db.h"

const char *repository_word(enum repository r)
{
    return r == REPOSITORY_IMAGE ? "image" : "director";
}

int repository_parse(struct str word, enum repository *out)
{
    for (int i = 0; i < REPOSITORIES; i++)
        if (str_is(word, repository_word((enum repository)i))) {
            *out = (enum repository)i;
            return 0;
        }
    return ERR_INVALID;
}

#define COLUMNS "role, version, expires_at, created_at, length(body), sha256"
#define BODY 6

static int read_row(struct stmt *s, struct arena *a, enum repository r, bool body, struct metadata *out,
                    struct err *e)
{
    bool oom = false;
    struct metadata m = {
        .repository = r,
        .role = stmt_get_text(s, 0, a, &oom),
        .version = stmt_get_i64(s, 1),
        .expires_at = stmt_get_i64(s, 2),
        .created_at = stmt_get_i64(s, 3),
        .size = stmt_get_i64(s, 4),
        .sha256 = stmt_get_text(s, 5, a, &oom),
    };
    if (body)
        m.body = stmt_get_blob(s, BODY, a, &oom);
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to read update metadata");
    *out = m;
    return 0;
}

/* Both literals, since a statement is kept by its text's address. */
static int prepare_one(struct db *db, struct stmt *s, bool version, bool body, struct err *e)
{
    static const char *const sql[2][2] = {
        {"SELECT " COLUMNS " FROM metadata WHERE repository = ? AND role = ? AND replaced_at IS NULL",
         "SELECT " COLUMNS ", body FROM metadata WHERE repository = ? AND role = ? AND replaced_at IS NULL"},
        {"SELECT " COLUMNS " FROM metadata WHERE repository = ? AND role = ? AND version = ?",
         "SELECT " COLUMNS ", body FROM metadata WHERE repository = ? AND role = ? AND version = ?"},
    };
    return db_prepare(db, s, sql[version][body], e);
}

int store_metadata_current(struct db *db, struct arena *a, enum repository r, const char *role, bool body,
                           struct metadata *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = prepare_one(db, &s, false, body, e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, repository_word(r));
    stmt_text(&s, 2, role);
    rc = stmt_step(&s, e);
    if (rc == STMT_ROW)
        return read_row(&s, a, r, body, out, e);
    if (rc == STMT_END)
        *out = (struct metadata){.repository = r, .role = role};
    return rc;
}

int store_metadata_get(struct db *db, struct arena *a, enum repository r, const char *role, int64_t version,
                       bool body, struct metadata *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = prepare_one(db, &s, true, body, e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, repository_word(r));
    stmt_text(&s, 2, role);
    stmt_i64(&s, 3, version);
    rc = stmt_step(&s, e);
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "the %s repository has no version %lld of the role %s",
                       repository_word(r), (long long)version, role);
    return rc < 0 ? rc : read_row(&s, a, r, body, out, e);
}

int store_metadata_list(struct db *db, struct arena *a, enum repository r, struct metadata **out,
                        size_t *count, struct err *e)
{
    struct metadata *list = arena_array(a, struct metadata, METADATA_ROLES_MAX);
    auto_stmt struct stmt s = {0};
    if (list == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a list of update metadata");
    int rc = db_prepare(db, &s,
                        "SELECT " COLUMNS " FROM metadata WHERE repository = ? AND replaced_at IS NULL"
                        " ORDER BY role LIMIT ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, repository_word(r));
    stmt_i64(&s, 2, METADATA_ROLES_MAX + 1);
    size_t n = 0;
    while (rc == 0 && (rc = stmt_step(&s, e)) == STMT_ROW) {
        if (n == METADATA_ROLES_MAX) /* part of it would be without its root */
            return err_set(e, ERR_TOO_LARGE, "the %s repository has more than %d roles", repository_word(r),
                           METADATA_ROLES_MAX);
        rc = read_row(&s, a, r, false, &list[n++], e);
    }
    if (rc < 0)
        return rc;
    *out = list;
    *count = n;
    return 0;
}

/* --- the writer's --------------------------------------------------------------------------------------- */

static int replace(struct db *db, const struct metadata *m, int64_t now_ms, struct err *e)
{
    auto_arena struct arena a;
    arena_init(&a, 8192);
    auto_stmt struct stmt s = {0};
    struct metadata now;
    int rc = store_metadata_current(db, &a, m->repository, m->role, false, &now, e);
    if (rc == 0 && now.version >= m->version)
        rc = err_set(e, ERR_CONFLICT,
                     "version %lld of the role %s in the %s repository is there already: the next is %lld",
                     (long long)now.version, m->role, repository_word(m->repository),
                     (long long)now.version + 1);
    if (rc != 0 || now.version == 0)
        return rc;
    rc = db_prepare(
        db, &s, "UPDATE metadata SET replaced_at = ? WHERE repository = ? AND role = ? AND version = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, now_ms);
    stmt_text(&s, 2, repository_word(m->repository));
    stmt_text(&s, 3, m->role);
    stmt_i64(&s, 4, now.version);
    return stmt_run(&s, e);
}

int store_metadata_add(struct db *db, const struct metadata *m, int64_t now_ms, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = replace(db, m, now_ms, e);
    if (rc == 0)
        rc = db_prepare(
            db, &s,
            "INSERT INTO metadata (repository, role, version, expires_at, sha256, created_at, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, repository_word(m->repository));
    stmt_text(&s, 2, m->role);
    stmt_i64(&s, 3, m->version);
    stmt_i64(&s, 4, m->expires_at);
    stmt_text(&s, 5, m->sha256);
    stmt_i64(&s, 6, now_ms);
    stmt_blob(&s, 7, m->body.p, m->body.n);
    return stmt_run(&s, e);
}

int store_metadata_prune(struct db *db, int64_t before_ms, int64_t now_ms, int64_t *most, bool *more,
                         struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "DELETE FROM metadata WHERE rowid IN (SELECT rowid FROM metadata"
                        " WHERE replaced_at < ?1 AND replaced_at <= coalesce((SELECT min(t.created_at)"
                        "  FROM metadata t WHERE t.repository = 'image' AND t.role = 'timestamp'"
                        "  AND t.expires_at > ?2), ?1)"
                        " AND replaced_at IS NOT NULL AND role <> 'root' ORDER BY replaced_at LIMIT ?3)",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, before_ms);
    stmt_i64(&s, 2, now_ms);
    stmt_i64(&s, 3, *most);
    rc = stmt_run(&s, e);
    if (rc != 0)
        return rc;
    int64_t removed = db_changes(db);
    *more = *more || removed == *most;
    *most -= removed;
    return 0;
}
