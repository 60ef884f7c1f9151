/*
 * A filter (model/filter.h) as a condition in SQL, which holds for exactly the devices that filter_match
 * says:
 *
 *     auto_filter_sql struct filter_sql q = {0}; // before the statement, so that it goes after it
 *     auto_stmt struct stmt s = {0};
 *     int rc = filter_sql_make(f, 1, now_ms, &q, e);
 *     ... buf_printf(&sql, "SELECT d.id FROM device d WHERE %s AND d.pk > ?%d", q.text.p, q.next)
 *     ... db_prepare_once(db, &s, sql.p, e)
 *     filter_sql_bind(&q, &s);
 *     stmt_i64(&s, q.next, after);
 *
 * Without an index of help it looks at every device: some 0.5 s for a million. What goes through devices in
 * slices by pk should say "device d NOT INDEXED", so that no slice sorts a whole model's devices first, and
 * ask filter_ids before that.
 */
#ifndef PQOTA_STORE_FILTER_SQL_H
#define PQOTA_STORE_FILTER_SQL_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "model/filter.h"
#include "store/db.h"

struct filter_sql_value;

struct filter_sql {
    struct buf text; /* in parentheses, about `d`, an alias of device; 0 or 1, never NULL; NUL-terminated */
    int first, next; /* its variables are ?first to ?next-1; no value is in the text */
    struct filter_sql_value *values;
    struct arena memory;
};
#define auto_filter_sql __attribute__((cleanup(filter_sql_fini)))

/* `first`: number of its first variable, from 1. Relative times are taken from now_ms. The filter must live
   until filter_sql_fini. On failure *out is zeroed, so that filter_sql_fini stays safe. */
int filter_sql_make(const struct filter *f, int first, int64_t now_ms, struct filter_sql *out,
                    struct err *e) MUST_CHECK;
/* Binds its values, which live as long as *q. A failure (memory, a wrong number) comes out of stmt_step
   too. */
int filter_sql_bind(const struct filter_sql *q, struct stmt *s);
void filter_sql_fini(struct filter_sql *q);

/* The SQL functions that a condition calls; db_open calls this for each connection. */
int filter_sql_register(struct db *db, struct err *e) MUST_CHECK;

#endif
