/* Releases as sets of modules. */
#include "store/db.h"
#include "store/modules.h"
#include "store/releases.h"

#define COLUMNS                                                                                              \
    "d.pk, d.type, EXISTS (SELECT 1 FROM deployment p WHERE p.release = d.pk), d.name, d.version, d.state,"  \
    " d.notes, d.created_by, d.created_at, d.published_at, d.deleted_at"
#define AS_LIST                                                                                              \
    "(SELECT pk, CAST(pk AS TEXT) AS id, name, version, type, type AS model, state, notes, created_at,"      \
    " created_by, published_at, deleted_at FROM release WHERE deleted_at IS NULL) d"

static int no_memory(struct err *e)
{
    return err_set(e, ERR_NOMEM, "no memory to read distribution sets");
}

static int read_row(struct stmt *s, struct arena *a, struct set *out, struct err *e)
{
    bool oom = false;
    struct set set = {
        .type = stmt_get_text(s, 1, a, &oom),
        .deployed = stmt_get_i64(s, 2) != 0,
        .release =
            {
                .pk = stmt_get_i64(s, 0),
                .name = stmt_get_text(s, 3, a, &oom),
                .version = stmt_get_text(s, 4, a, &oom),
                .notes = stmt_get_text(s, 6, a, &oom),
                .created_by = stmt_get_text(s, 7, a, &oom),
                .created_at = stmt_get_i64(s, 8),
                .published_at = stmt_get_i64(s, 9),
                .deleted_at = stmt_get_i64(s, 10),
            },
    };
    const char *state = stmt_get_text(s, 5, a, &oom);
    if (oom)
        return no_memory(e);
    if (release_state_parse(str_of(state), &set.release.state) != 0)
        return err_set(e, ERR_CORRUPT, "release %lld has the unknown state \"%s\"", (long long)set.release.pk,
                       state);
    *out = set;
    return 0;
}

int store_set_list(struct db *db, struct arena *a, const struct listing *q, struct set **out, size_t *count,
                   int64_t *total, struct err *e)
{
    auto_listing struct listing_rows r = {0};
    struct set *list = arena_array(a, struct set, q->limit + 1);
    if (list == NULL)
        return no_memory(e);
    int rc = listing_open(db, COLUMNS, AS_LIST, "?1 = 0", q, &r, e);
    if (rc != 0)
        return rc;
    stmt_i64(&r.s, 1, 0);
    size_t n = 0;
    while (rc == 0 && n < q->limit && (rc = stmt_step(&r.s, e)) == STMT_ROW)
        rc = read_row(&r.s, a, &list[n++], e);
    if (rc < 0)
        return rc;
    rc = listing_total(db, AS_LIST, "?1 = 0", 0, q, total, e);
    if (rc != 0)
        return rc;
    *out = list;
    *count = n;
    return 0;
}

int store_set_by_pk(struct db *db, struct arena *a, int64_t release, struct set *out, struct err *e)
{
    auto_stmt struct stmt s = {0};
    struct set set;
    int rc = db_prepare(db, &s, "SELECT " COLUMNS " FROM release d WHERE d.pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, release);
    rc = stmt_step(&s, e);
    if (rc == STMT_END)
        return err_set(e, ERR_NOT_FOUND, "there is no distribution set %lld", (long long)release);
    if (rc > 0)
        rc = read_row(&s, a, &set, e);
    if (rc == 0)
        rc = store_modules_of(db, a, release, &set.modules, &set.module_count, e);
    if (rc != 0)
        return rc;
    *out = set;
    return 0;
}

int store_set_deployment(struct db *db, int64_t release, int64_t *deployment, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT coalesce(min(pk), 0) FROM deployment WHERE state IN"
                        " ('approval', 'scheduled', 'running', 'paused')"
                        " AND ((release = ?1 AND target_kind <> 'list') OR rollback = ?1)",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, release);
    rc = stmt_step(&s, e);
    if (rc < 0)
        return rc;
    *deployment = stmt_get_i64(&s, 0);
    return 0;
}

int store_set_type(struct db *db, int64_t release, const char *type, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "UPDATE release SET type = ? WHERE pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_text(&s, 1, type);
    stmt_i64(&s, 2, release);
    return stmt_run(&s, e);
}
