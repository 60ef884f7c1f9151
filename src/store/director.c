#include "store/director.h"

#include <inttypes.h>
#include <stdio.h>

#include "store/db.h"

#define RESTORED_AT "restored_at" /* in meta */

static const char *const get_sql[DIRECTOR_KINDS] = {
    "SELECT version, expires_at, release, body, signatures FROM director WHERE device = ?",
    "SELECT version, expires_at, release, body, signatures FROM director_manifest WHERE device = ?",
};

#define PUT(table)                                                                                           \
    "INSERT INTO " table " AS t (device, release, version, expires_at, body, signatures)"                    \
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (device) DO UPDATE"                                        \
    " SET release = ?2, version = ?3, expires_at = ?4, body = ?5, signatures = ?6 WHERE t.version < ?3"
static const char *const put_sql[DIRECTOR_KINDS] = {PUT("director"), PUT("director_manifest")};

int store_director_get(struct db *db, struct arena *a, enum director_kind kind, int64_t device,
                       struct director_row *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, get_sql[kind], e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    struct director_row row = {0};
    bool oom = false;
    if (rc == STMT_ROW)
        row = (struct director_row){
            .version = stmt_get_i64(&s, 0),
            .expires_at = stmt_get_i64(&s, 1),
            .release = stmt_get_i64(&s, 2),
            .body = stmt_get_blob(&s, 3, a, &oom),
            .signatures = stmt_get_blob(&s, 4, a, &oom),
        };
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to read what was signed for a device");
    *out = row;
    return 0;
}

int store_director_put(struct db *db, enum director_kind kind, int64_t device, const struct director_row *row,
                       struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, put_sql[kind], e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, device);
    if (row->release != 0)
        stmt_i64(&s, 2, row->release);
    stmt_i64(&s, 3, row->version);
    stmt_i64(&s, 4, row->expires_at);
    stmt_blob(&s, 5, row->body.p, row->body.n);
    stmt_blob(&s, 6, row->signatures.p, row->signatures.n);
    rc = stmt_run(&s, e);
    if (rc == 0 && db_changes(db) == 0)
        return err_set(e, ERR_CONFLICT, "something newer than version %" PRId64 " was signed for the device",
                       row->version);
    return rc;
}

int store_restored_at(struct db *db, int64_t *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT CAST(value AS INTEGER) FROM meta WHERE key = '" RESTORED_AT "'", e);
    if (rc != 0)
        return rc;
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    *out = rc == STMT_ROW ? stmt_get_i64(&s, 0) : 0;
    return 0;
}

int store_set_restored_at(struct db *db, int64_t now_s, struct err *e)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, now_s);
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "INSERT INTO meta (key, value) VALUES ('" RESTORED_AT "', ?1) ON CONFLICT (key)"
                        " DO UPDATE SET value = ?1 WHERE CAST(value AS INTEGER) < CAST(?1 AS INTEGER)",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, text);
    return stmt_run(&s, e);
}
