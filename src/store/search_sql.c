#include "store/search_sql.h"

int search_sql_phases(struct search_sql *q, const struct filter *const *phases, size_t count, int *first,
                      int64_t now_ms, struct err *e)
{
    _Static_assert(DEPLOYMENT_PHASES_MAX <= 32, "a bit for each phase");
    q->phases = phases;
    q->phase_count = count;
    for (size_t i = 0; i < count; i++) {
        if (phases[i] == NULL)
            continue;
        int rc = filter_sql_make(phases[i], *first, now_ms, &q->phase[i], e);
        if (rc != 0)
            return rc;
        *first = q->phase[i].next;
        if (buf_printf(&q->text, ", (%s)", q->phase[i].text.p) != 0)
            return err_set(e, ERR_NOMEM, "no memory for the filters of phases");
    }
    return 0;
}

int search_sql_bind(const struct search_sql *q, struct stmt *s)
{
    int rc = filter_sql_bind(&q->filter, s);
    for (size_t i = 0; i < q->phase_count && rc == 0; i++)
        rc = filter_sql_bind(&q->phase[i], s);
    return rc;
}

unsigned search_sql_matches(const struct search_sql *q, struct stmt *s, int column)
{
    unsigned matches = 0;
    for (size_t i = 0; i < q->phase_count; i++)
        if (q->phases[i] != NULL && stmt_get_i64(s, column++) != 0)
            matches |= 1u << i;
    return matches;
}

void search_sql_fini(struct search_sql *q)
{
    buf_fini(&q->text);
    filter_sql_fini(&q->filter);
    for (size_t i = 0; i < DEPLOYMENT_PHASES_MAX; i++)
        filter_sql_fini(&q->phase[i]);
}
