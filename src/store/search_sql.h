/* A statement that looks at devices by a filter, and says of each which phases' filters match too. */
#ifndef PQOTA_STORE_SEARCH_SQL_H
#define PQOTA_STORE_SEARCH_SQL_H

#include "base/buf.h"
#include "model/deployment.h"
#include "store/filter_sql.h"

struct search_sql { /* {0}, then buf_init of the text */
    struct buf text;
    struct filter_sql filter; /* made by the caller, or left empty */
    struct filter_sql phase[DEPLOYMENT_PHASES_MAX];
    const struct filter *const *phases; /* NULL: the phase has none */
    size_t phase_count;
};
#define auto_search_sql __attribute__((cleanup(search_sql_fini)))

/* Appends a column for each phase that has a filter. *first: the number of the first variable, then of the
   next one that is free. The array must live as long as *q. */
int search_sql_phases(struct search_sql *q, const struct filter *const *phases, size_t count, int *first,
                      int64_t now_ms, struct err *e) MUST_CHECK;
/* The values of all its filters. */
int search_sql_bind(const struct search_sql *q, struct stmt *s) MUST_CHECK;
/* Bit i: phase i has a filter and it matches. column: the first that search_sql_phases appended. */
unsigned search_sql_matches(const struct search_sql *q, struct stmt *s, int column);
void search_sql_fini(struct search_sql *q);

#endif
