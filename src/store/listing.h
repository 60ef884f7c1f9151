/*
 * Lists as hawkBit's management interface has them: a filter, any order, a page by its offset, and how many
 * there are in all. They look at every row that matches, so they belong to the lane with a deadline.
 */
#ifndef PQOTA_STORE_LISTING_H
#define PQOTA_STORE_LISTING_H

#include <stdint.h>

#include "base/arena.h"
#include "model/filter.h"
#include "store/db.h"
#include "store/filter_sql.h"

#define LISTING_LIMIT_MAX 500

struct listing {
    const struct filter *filter; /* NULL: all. It looks at `d`, whatever that is a list of */
    int64_t now_ms;              /* for relative times in it */
    const char *order;           /* our own words for ORDER BY, such as "d.name DESC, d.pk"; NULL: d.pk */
    size_t offset, limit;        /* limit: LISTING_LIMIT_MAX at most */
};

/* A list under way; to be zeroed, and given back with listing_done. */
struct listing_rows {
    struct filter_sql condition;
    struct stmt s;
};
#define auto_listing __attribute__((cleanup(listing_done)))

/* SELECT columns FROM from WHERE (extra) AND filter: the statement is bound but for ?1, which is the caller's
   where `extra` or `from` has it. from gives `d`, with pk and what the filter looks at. These are our own
   words. */
int listing_open(struct db *db, const char *columns, const char *from, const char *extra,
                 const struct listing *q, struct listing_rows *out, struct err *e) MUST_CHECK;
/* How many rows it has without offset and limit. number: ?1. */
int listing_total(struct db *db, const char *from, const char *extra, int64_t number, const struct listing *q,
                  int64_t *total, struct err *e) MUST_CHECK;
void listing_done(struct listing_rows *r);

#endif
