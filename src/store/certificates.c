#include "store/certificates.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/db.h"

#define CERTIFICATE_COLUMNS                                                                                  \
    "issuer, serial, fingerprint, key_id, pem, not_before, not_after, issued_at, first_used_at, revoked_at," \
    " reason, algorithm"

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory to read certificates");
}

static struct certificate read_certificate(struct stmt *s, struct arena *a, bool *oom)
{
    return (struct certificate){
        .issuer = stmt_get_text(s, 0, a, oom),
        .serial = stmt_get_text(s, 1, a, oom),
        .fingerprint = stmt_get_text(s, 2, a, oom),
        .key_id = stmt_get_text(s, 3, a, oom),
        .pem = stmt_get_text(s, 4, a, oom),
        .not_before = stmt_get_i64(s, 5),
        .not_after = stmt_get_i64(s, 6),
        .issued_at = stmt_get_i64(s, 7),
        .first_used_at = stmt_get_i64(s, 8),
        .revoked_at = stmt_get_i64(s, 9),
        .reason = stmt_get_text(s, 10, a, oom),
        .algorithm = stmt_get_text(s, 11, a, oom),
    };
}

static int read_one(struct stmt *s, struct arena *a, struct certificate *out, struct err *e)
{
    int rc = stmt_step(s, e);
    if (rc < 0)
        return rc;
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "there is no such certificate");
    bool oom = false;
    struct certificate c = read_certificate(s, a, &oom);
    if (oom)
        return no_memory(e);
    *out = c;
    return 0;
}

static int read_list(struct stmt *s, struct arena *a, size_t most, struct certificate **out, size_t *count,
                     struct err *e)
{
    struct certificate *list = arena_array(a, struct certificate, most);
    if (list == NULL)
        return no_memory(e);
    bool oom = false;
    size_t n = 0;
    int rc;
    while ((rc = stmt_step(s, e)) == STMT_ROW && n < most)
        list[n++] = read_certificate(s, a, &oom);
    if (rc < 0)
        return rc;
    if (oom)
        return no_memory(e);
    *out = list;
    *count = n;
    return 0;
}

static void bind_owner(struct stmt *s, int index, int64_t pk)
{
    if (pk != 0)
        stmt_i64(s, index, pk);
    else
        stmt_null(s, index);
}

int store_certificate_add(struct db *db, const struct certificate *c, int64_t device, int64_t operator_pk,
                          struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc =
        db_prepare(db, &s,
                   "INSERT INTO certificate (issuer, serial, fingerprint, key_id, pem, not_before, not_after,"
                   " issued_at, device, operator, sha1, algorithm)"
                   " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, c->issuer);
    stmt_text(&s, 2, c->serial);
    stmt_text(&s, 3, c->fingerprint);
    stmt_text(&s, 4, c->key_id);
    stmt_text(&s, 5, c->pem);
    stmt_i64(&s, 6, c->not_before);
    stmt_i64(&s, 7, c->not_after);
    stmt_i64(&s, 8, c->issued_at);
    bind_owner(&s, 9, device);
    bind_owner(&s, 10, operator_pk);
    stmt_text(&s, 11, c->sha1);
    stmt_text(&s, 12, c->algorithm);
    rc = stmt_run(&s, e);
    if (rc == ERR_CONFLICT)
        return err_set(e, ERR_CONFLICT, "the certificate with serial %s is registered already", c->serial);
    return rc;
}

int store_certificate_get(struct db *db, struct arena *a, const char *issuer, const char *serial,
                          struct certificate *out, int64_t *device, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(
        db, &s, "SELECT " CERTIFICATE_COLUMNS ", device FROM certificate WHERE issuer = ? AND serial = ?", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, issuer);
    stmt_text(&s, 2, serial);
    rc = read_one(&s, a, out, e);
    if (rc == 0)
        *device = stmt_get_i64(&s, 12);
    return rc;
}

static void copy_text(struct stmt *s, int column, struct arena *a, char *out, size_t size, bool *bad)
{
    const char *text = stmt_get_text(s, column, a, bad);
    int n = snprintf(out, size, "%s", text != NULL ? text : "");
    if (n < 0 || (size_t)n >= size)
        *bad = true;
}

int store_certificate_seen(struct db *db, const char *issuer, const char *serial,
                           struct certificate_seen *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT c.fingerprint, c.sha1, d.id, c.not_after, c.operator IS NOT NULL"
                        " FROM certificate c LEFT JOIN device d ON d.pk = c.device"
                        " WHERE c.issuer = ? AND c.serial = ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, issuer);
    stmt_text(&s, 2, serial);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "there is no such certificate");
    auto_arena struct arena texts;
    arena_init(&texts, 4096);
    bool bad = false;
    struct certificate_seen c = {.not_after = stmt_get_i64(&s, 3), .is_operator = stmt_get_i64(&s, 4) != 0};
    copy_text(&s, 0, &texts, c.fingerprint, sizeof c.fingerprint, &bad);
    copy_text(&s, 1, &texts, c.sha1, sizeof c.sha1, &bad);
    copy_text(&s, 2, &texts, c.device, sizeof c.device, &bad);
    if (bad)
        return err_set(e, ERR_CORRUPT, "the certificate with serial %s cannot be read", serial);
    *out = c;
    return 0;
}

int store_certificate_add_sha1(struct db *db, const char *issuer, const char *serial, const char *fingerprint,
                               int64_t operator_pk, const char *sha1, bool *added, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "UPDATE certificate SET sha1 = ? WHERE issuer = ? AND serial = ? AND fingerprint = ?"
                        " AND operator = ? AND sha1 IS NULL",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, sha1);
    stmt_text(&s, 2, issuer);
    stmt_text(&s, 3, serial);
    stmt_text(&s, 4, fingerprint);
    stmt_i64(&s, 5, operator_pk);
    rc = stmt_run(&s, e);
    if (rc == 0)
        *added = db_changes(db) > 0;
    return rc;
}

int store_certificate_by_device(struct db *db, struct arena *a, int64_t device, struct certificate **out,
                                size_t *count, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT issuer, serial, fingerprint, key_id, NULL, not_before, not_after, issued_at,"
                        " first_used_at, revoked_at, reason, algorithm FROM certificate WHERE device = ?"
                        " ORDER BY issued_at DESC LIMIT ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    stmt_i64(&s, 2, CERTIFICATE_LIST_MAX);
    return read_list(&s, a, CERTIFICATE_LIST_MAX, out, count, e);
}

int store_certificate_by_operator(struct db *db, struct arena *a, int64_t operator_pk,
                                  struct certificate **out, size_t *count, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT issuer, serial, fingerprint, key_id, NULL, not_before, not_after, issued_at,"
                        " first_used_at, revoked_at, reason, algorithm FROM certificate WHERE operator = ?"
                        " ORDER BY issued_at DESC LIMIT ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, operator_pk);
    stmt_i64(&s, 2, CERTIFICATE_LIST_MAX);
    return read_list(&s, a, CERTIFICATE_LIST_MAX, out, count, e);
}

int store_certificate_for_key(struct db *db, struct arena *a, int64_t device, const char *key_id,
                              struct certificate *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT " CERTIFICATE_COLUMNS " FROM certificate WHERE device = ? AND key_id = ?"
                        " ORDER BY issued_at DESC LIMIT 1",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    stmt_text(&s, 2, key_id);
    return read_one(&s, a, out, e);
}

int store_certificate_pending_count(struct db *db, int64_t device, int64_t now_ms, int64_t *count,
                                    struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT count(*) FROM certificate WHERE device = ? AND first_used_at IS NULL"
                        " AND revoked_at IS NULL AND not_after >= ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    stmt_i64(&s, 2, now_ms);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    *count = stmt_get_i64(&s, 0);
    return 0;
}

int store_certificate_used(struct db *db, const char *issuer, const char *serial, int64_t now_ms,
                           int64_t *device, int64_t *issued_at, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "UPDATE certificate SET first_used_at = ?, pem = NULL WHERE issuer = ? AND serial = ?"
                        " AND first_used_at IS NULL AND device IS NOT NULL RETURNING device, issued_at",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, now_ms);
    stmt_text(&s, 2, issuer);
    stmt_text(&s, 3, serial);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    *device = rc == STMT_ROW ? stmt_get_i64(&s, 0) : 0;
    *issued_at = rc == STMT_ROW ? stmt_get_i64(&s, 1) : 0;
    return rc == STMT_ROW && (rc = stmt_step(&s, e)) < 0 ? rc : 0;
}

int store_certificate_revoke(struct db *db, const char *issuer, const char *serial, int64_t now_ms,
                             const char *reason, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "UPDATE certificate SET revoked_at = ?, reason = ?, pem = NULL"
                        " WHERE issuer = ? AND serial = ? AND revoked_at IS NULL",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, now_ms);
    stmt_text(&s, 2, reason);
    stmt_text(&s, 3, issuer);
    stmt_text(&s, 4, serial);
    return stmt_run(&s, e);
}

int store_certificate_live(struct db *db, struct arena *a, int64_t device, int64_t operator_pk,
                           int64_t issued_until, struct certificate **out, size_t *count, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = device != 0
                 ? db_prepare(db, &s,
                              "SELECT " CERTIFICATE_COLUMNS " FROM certificate WHERE device = ?"
                              " AND revoked_at IS NULL AND (issued_at <= ? OR first_used_at IS NOT NULL)"
                              " ORDER BY issued_at LIMIT ?",
                              e)
                 : db_prepare(db, &s,
                              "SELECT " CERTIFICATE_COLUMNS " FROM certificate WHERE operator = ?"
                              " AND revoked_at IS NULL AND (issued_at <= ? OR first_used_at IS NOT NULL)"
                              " ORDER BY issued_at LIMIT ?",
                              e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device != 0 ? device : operator_pk);
    stmt_i64(&s, 2, issued_until != 0 ? issued_until : INT64_MAX);
    stmt_i64(&s, 3, CERTIFICATE_LIST_MAX);
    return read_list(&s, a, CERTIFICATE_LIST_MAX, out, count, e);
}

int store_certificate_each(struct db *db, enum certificate_state state,
                           int (*each)(void *ctx, const char *issuer, const char *serial, int64_t not_after,
                                       struct err *e),
                           void *ctx, struct err *e)
{
    auto_stmt struct stmt s = {0};
    /* The plus keeps the planner from indexes that would walk through all certificates. */
    int rc = state == CERTIFICATE_REVOKED
                 ? db_prepare(db, &s,
                              "SELECT issuer, serial, not_after FROM certificate WHERE revoked_at IS NOT NULL"
                              " AND +device IS NOT NULL",
                              e)
                 : db_prepare(db, &s,
                              "SELECT issuer, serial, not_after FROM certificate WHERE first_used_at IS NULL"
                              " AND revoked_at IS NULL AND +device IS NOT NULL",
                              e);
    if (rc != 0)
        return rc;
    auto_arena struct arena row;
    arena_init(&row, 4096);
    while ((rc = stmt_step(&s, e)) == STMT_ROW) {
        bool oom = false;
        const char *issuer = stmt_get_text(&s, 0, &row, &oom), *serial = stmt_get_text(&s, 1, &row, &oom);
        if (oom)
            return no_memory(e);
        rc = each(ctx, issuer, serial, stmt_get_i64(&s, 2), e);
        if (rc != 0)
            return rc;
        arena_reset(&row);
    }
    return rc;
}

static int count_revoked(struct db *db, const char *issuer, int64_t not_after_min, size_t most, size_t *count,
                         struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc =
        db_prepare(db, &s,
                   "SELECT count(*) FROM certificate WHERE revoked_at IS NOT NULL AND +device IS NOT NULL"
                   " AND +issuer = ? AND not_after >= ?",
                   e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, issuer);
    stmt_i64(&s, 2, not_after_min);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    int64_t rows = stmt_get_i64(&s, 0);
    if (rows < 0 || (uint64_t)rows > most)
        return err_set(e, ERR_TOO_LARGE, "%lld certificates are revoked; a revocation list holds at most %zu",
                       (long long)rows, most);
    *count = (size_t)rows;
    return 0;
}

static int list_revoked(struct db *db, struct arena *a, const char *issuer, int64_t not_after_min,
                        size_t rows, struct certificate **out, size_t *count, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT NULL, serial, NULL, NULL, NULL, NULL, NULL, NULL, NULL, revoked_at, NULL"
                        " FROM certificate WHERE revoked_at IS NOT NULL AND +device IS NOT NULL"
                        " AND +issuer = ? AND not_after >= ? ORDER BY revoked_at",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, issuer);
    stmt_i64(&s, 2, not_after_min);
    return read_list(&s, a, rows, out, count, e);
}

int store_certificate_revoked(struct db *db, struct arena *a, const char *issuer, int64_t not_after_min,
                              size_t most, struct certificate **out, size_t *count, struct err *e)
{
    /* Counted and read in one state of the database: none may be left out. */
    int rc = db_read_begin(db, e);
    if (rc != 0)
        return rc;
    size_t rows = 0;
    rc = count_revoked(db, issuer, not_after_min, most, &rows, e);
    if (rc == 0)
        rc = list_revoked(db, a, issuer, not_after_min, rows, out, count, e);
    db_read_end(db);
    return rc;
}

int store_certificate_ending(struct db *db, int64_t from_ms, int64_t until_ms, int64_t *count, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT count(*) FROM (SELECT 1 FROM certificate WHERE device IS NOT NULL"
                        " AND revoked_at IS NULL AND not_after >= ? AND not_after < ? LIMIT ?)",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, from_ms);
    stmt_i64(&s, 2, until_ms);
    stmt_i64(&s, 3, CERTIFICATE_COUNT_MAX);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    *count = stmt_get_i64(&s, 0);
    return 0;
}

int store_crl_number(struct db *db, int64_t *number, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "INSERT INTO meta (key, value) VALUES ('crl_number', '1') ON CONFLICT (key)"
                        " DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)"
                        " RETURNING CAST(value AS INTEGER)",
                        e);
    if (rc != 0)
        return rc;
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    int64_t value = stmt_get_i64(&s, 0);
    rc = stmt_step(&s, e);
    if (rc == 0)
        *number = value;
    return rc;
}
