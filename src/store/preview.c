#include "store/preview.h"

#include "store/db.h"
#include "store/db_open.h"
#include "store/search_sql.h"

/* --- devices ------------------------------------------------------------------------------------------- */

#define FIRST_VALUE 5 /* of the filters, among the statement's values */
#define ROW_COLUMNS 6

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory to look at a deployment's devices");
}

static int write_from(const struct preview_search *q, int first, struct search_sql *sql, struct err *e)
{
    struct buf *b = &sql->text;
    int rc;
    if (q->by == PREVIEW_BY_TAG) {
        rc = buf_printf(b, " FROM device_tag t JOIN device d ON d.pk = t.device"
                           " WHERE t.tag = ?4 AND t.id > ?3 ORDER BY t.id LIMIT ?2");
        return rc == 0 ? 0 : no_memory(e);
    }
    rc = filter_sql_make(q->filter, first, q->now_ms, &sql->filter, e);
    if (rc != 0)
        return rc;
    rc = q->by == PREVIEW_BY_ID
             ? buf_printf(b, " FROM device d WHERE d.id = ?3 AND (%s)", sql->filter.text.p)
             : buf_printf(b,
                          " FROM device d NOT INDEXED WHERE d.pk > ?1 AND d.pk <= ?2 AND (%s)"
                          " ORDER BY d.pk",
                          sql->filter.text.p);
    return rc == 0 ? 0 : no_memory(e);
}

/* The filters' values are bound; the rest of the text is ours. */
static int write_slice(const struct preview_search *q, struct search_sql *sql, struct err *e)
{
    int first = FIRST_VALUE;
    int rc = buf_printf(&sql->text, "SELECT d.pk, d.id, d.model, d.version, d.revoked_at IS NOT NULL,"
                                    " d.utc_offset IS NULL");
    if (rc != 0)
        return no_memory(e);
    rc = search_sql_phases(sql, q->phases, q->phase_count, &first, q->now_ms, e);
    return rc == 0 ? write_from(q, first, sql, e) : rc;
}

static int bind_slice(const struct preview_search *q, const struct search_sql *sql,
                      const struct preview_place *at, struct stmt *s)
{
    if (q->by == PREVIEW_BY_PK)
        stmt_i64(s, 1, at->pk);
    if (q->by != PREVIEW_BY_ID)
        stmt_i64(s, 2, q->by == PREVIEW_BY_PK ? at->pk + PREVIEW_SLICE : PREVIEW_SLICE);
    if (q->by != PREVIEW_BY_PK)
        stmt_text(s, 3, at->id);
    if (q->by == PREVIEW_BY_TAG)
        stmt_text(s, 4, q->tag);
    return search_sql_bind(sql, s);
}

static struct preview_row read_row(const struct search_sql *sql, struct stmt *s, struct arena *a, bool *oom)
{
    return (struct preview_row){
        .pk = stmt_get_i64(s, 0),
        .id = stmt_get_text(s, 1, a, oom),
        .model = stmt_get_text(s, 2, a, oom),
        .version = stmt_get_text(s, 3, a, oom),
        .revoked = stmt_get_i64(s, 4) != 0,
        .no_clock = stmt_get_i64(s, 5) != 0,
        .matches = search_sql_matches(sql, s, ROW_COLUMNS),
    };
}

static int move_on(struct db *db, const struct preview_search *q, const struct preview_row *rows, size_t n,
                   struct preview_place *at, bool *end, struct err *e)
{
    int64_t last;
    switch (q->by) {
    case PREVIEW_BY_ID:
        *end = true;
        break;
    case PREVIEW_BY_TAG:
        *end = n < PREVIEW_SLICE;
        if (n > 0)
            at->id = rows[n - 1].id;
        break;
    case PREVIEW_BY_PK:
        if (db_get_i64(db, "SELECT coalesce(max(pk), 0) FROM device", &last, e) != 0)
            return e->code;
        at->pk += PREVIEW_SLICE;
        *end = at->pk >= last;
        break;
    }
    return 0;
}

int store_preview_slice(struct db *db, struct arena *a, const struct preview_search *q,
                        struct preview_place *at, struct preview_row *out, size_t *count, bool *end,
                        struct err *e)
{
    auto_search_sql struct search_sql sql = {0};
    buf_init(&sql.text, 1 << 20);
    int rc = write_slice(q, &sql, e);
    if (rc != 0)
        return rc;
    auto_stmt struct stmt s = {0};
    rc = db_prepare_once(db, &s, sql.text.p, e);
    if (rc != 0)
        return rc;
    rc = bind_slice(q, &sql, at, &s);
    if (rc != 0)
        return err_set(e, rc, "the filter's values could not be bound");
    size_t n = 0;
    bool oom = false;
    while (n < PREVIEW_SLICE && (rc = stmt_step(&s, e)) == STMT_ROW)
        out[n++] = read_row(&sql, &s, a, &oom);
    if (rc < 0)
        return rc;
    if (oom)
        return no_memory(e);
    stmt_done(&s);
    rc = move_on(db, q, out, n, at, end, e);
    if (rc == 0)
        *count = n;
    return rc;
}

/* --- numbers that are kept ----------------------------------------------------------------------------- */

int store_preview_tally(struct db *db, struct arena *a, const char *model, size_t limit,
                        struct preview_tally **out, size_t *count, bool *more, struct err *e)
{
    struct preview_tally *list = arena_array(a, struct preview_tally, limit);
    if (list == NULL)
        return no_memory(e);
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT model, nullif(version, ''), devices FROM fleet"
                        " WHERE model = ?1 AND devices > 0 ORDER BY devices DESC LIMIT ?2",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, model);
    stmt_i64(&s, 2, (int64_t)limit + 1);
    size_t n = 0;
    bool oom = false;
    while (n < limit && (rc = stmt_step(&s, e)) == STMT_ROW) {
        list[n] = (struct preview_tally){
            .model = stmt_get_text(&s, 0, a, &oom),
            .version = stmt_get_text(&s, 1, a, &oom),
            .devices = stmt_get_i64(&s, 2),
        };
        n++;
    }
    bool others = false;
    if (rc == STMT_ROW) {
        rc = stmt_step(&s, e);
        others = rc == STMT_ROW;
    }
    if (rc < 0)
        return rc;
    if (oom)
        return no_memory(e);
    *out = list;
    *count = n;
    *more = others;
    return 0;
}

static int one_number(struct stmt *s, int64_t *out, struct err *e)
{
    int rc = stmt_step(s, e);
    if (rc < 0)
        return rc;
    *out = rc == STMT_ROW ? stmt_get_i64(s, 0) : 0;
    return 0;
}

int store_preview_fleet(struct db *db, int64_t *devices, int64_t *revoked, struct err *e)
{
    int rc = db_get_i64(db, "SELECT n FROM tally WHERE name = 'devices' AND at = 0", devices, e);
    return rc != 0 ? rc : db_get_i64(db, "SELECT n FROM tally WHERE name = 'revoked' AND at = 0", revoked, e);
}

int store_preview_revoked(struct db *db, const char *model, int64_t *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT count(*) FROM device WHERE model = ?1 AND revoked_at IS NOT NULL", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, model);
    return one_number(&s, out, e);
}

int store_preview_some(struct db *db, struct arena *a, const char *model, const char *version, size_t limit,
                       const char **out, size_t *count, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT id FROM device INDEXED BY device_by_model_version"
                        " WHERE model = ?1 AND version IS ?2 AND revoked_at IS NULL ORDER BY id LIMIT ?3",
                        e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, model);
    stmt_text(&s, 2, version);
    stmt_i64(&s, 3, (int64_t)limit);
    size_t n = 0;
    bool oom = false;
    while (n < limit && (rc = stmt_step(&s, e)) == STMT_ROW)
        out[n++] = stmt_get_text(&s, 0, a, &oom);
    if (rc < 0)
        return rc;
    if (oom)
        return no_memory(e);
    *count = n;
    return 0;
}

int store_preview_other(struct db *db, int64_t release, int64_t *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT max(pk) FROM deployment WHERE release = ?1"
                        " AND state IN ('approval', 'scheduled', 'running', 'paused')",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, release);
    return one_number(&s, out, e);
}
