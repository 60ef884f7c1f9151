#include "store/listing.h"

#define SQL_MAX (256u << 10)

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory for a list; ask for fewer at once, or with a shorter filter");
}

static int open_sql(struct db *db, struct buf *sql, const struct listing *q, const char *tail,
                    struct listing_rows *out, struct err *e)
{
    int rc = q->filter != NULL ? filter_sql_make(q->filter, 4, q->now_ms, &out->condition, e) : 0;
    if (rc != 0)
        return rc;
    if (q->filter != NULL)
        rc = buf_printf(sql, " AND %s", out->condition.text.p);
    if (rc == 0)
        rc = buf_printf(sql, "%s", tail);
    if (rc != 0)
        return no_memory(e);
    rc = db_prepare_once(db, &out->s, sql->p, e);
    if (rc == 0 && q->filter != NULL)
        rc = filter_sql_bind(&out->condition, &out->s);
    return rc;
}

int listing_open(struct db *db, const char *columns, const char *from, const char *extra,
                 const struct listing *q, struct listing_rows *out, struct err *e)
{
    auto_buf struct buf sql, tail;
    buf_init(&sql, SQL_MAX);
    buf_init(&tail, 1024);
    if (buf_printf(&sql, "SELECT %s FROM %s WHERE (%s)", columns, from, extra) != 0 ||
        buf_printf(&tail, " ORDER BY %s LIMIT ?2 OFFSET ?3", q->order != NULL ? q->order : "d.pk") != 0)
        return no_memory(e);
    int rc = open_sql(db, &sql, q, tail.p, out, e);
    if (rc != 0)
        return rc;
    stmt_i64(&out->s, 2, (int64_t)(q->limit < LISTING_LIMIT_MAX ? q->limit : LISTING_LIMIT_MAX));
    stmt_i64(&out->s, 3, (int64_t)q->offset);
    return 0;
}

int listing_total(struct db *db, const char *from, const char *extra, int64_t number, const struct listing *q,
                  int64_t *total, struct err *e)
{
    auto_listing struct listing_rows r = {0};
    auto_buf struct buf sql;
    buf_init(&sql, SQL_MAX);
    /* The same variables, so that ?1 is the same here. */
    if (buf_printf(&sql, "SELECT count(*), ?1, ?2, ?3 FROM %s WHERE (%s)", from, extra) != 0)
        return no_memory(e);
    int rc = open_sql(db, &sql, q, "", &r, e);
    if (rc != 0)
        return rc;
    stmt_i64(&r.s, 1, number);
    rc = stmt_step(&r.s, e);
    if (rc < 0)
        return rc;
    *total = stmt_get_i64(&r.s, 0);
    return 0;
}

void listing_done(struct listing_rows *r)
{
    stmt_done(&r->s);
    filter_sql_fini(&r->condition);
}
