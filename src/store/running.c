/* The running deployments that devices may join, kept with a connection while their generation stays. */
#include "base/log.h"
#include "model/release.h"
#include "store/candidates.h"
#include "store/db.h"
#include "store/db_open.h"

#define MEMORY_MAX (RUNNING_MAX * (size_t)FILTER_MEMORY_MAX)

struct running_memo {
    int64_t generation; /* 0: nothing is known */
    uint32_t view;      /* of the database in which it was that, see db_view */
    bool viewed;
    struct arena arena;
    struct running list[RUNNING_MAX];
    size_t count;
};

static void memo_fini(void *piece)
{
    struct running_memo *m = piece;
    arena_fini(&m->arena);
}

static int read_models(struct db *db, struct running_memo *m, int64_t release, struct running *r,
                       struct err *e)
{
    r->models = arena_array(&m->arena, struct running_model, RELEASE_MODELS_MAX);
    if (r->models == NULL)
        return err_set(e, ERR_NOMEM, "no memory for running deployments");
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT model, version, sequence FROM release_model WHERE release = ?"
                        " AND sequence IS NOT NULL LIMIT ?",
                        e);
    if (rc != 0)
        return rc;
    bool oom = false;
    stmt_i64(&s, 1, release);
    stmt_i64(&s, 2, RELEASE_MODELS_MAX);
    while (r->model_count < RELEASE_MODELS_MAX && (rc = stmt_step(&s, e)) == STMT_ROW)
        r->models[r->model_count++] = (struct running_model){
            .model = stmt_get_text(&s, 0, &m->arena, &oom),
            .version = stmt_get_text(&s, 1, &m->arena, &oom),
            .sequence = stmt_get_i64(&s, 2),
        };
    if (rc < 0)
        return rc;
    return oom ? err_set(e, ERR_NOMEM, "no memory for running deployments") : 0;
}

static int read_one(struct db *db, struct running_memo *m, struct stmt *s, struct err *e)
{
    bool oom = false;
    enum target_kind kind;
    struct running r = {
        .deployment = stmt_get_i64(s, 0),
        .in_phases = stmt_get_i64(s, 4) > 1,
        .prepared = stmt_get_i64(s, 5) != 0,
        .allow_downgrade = stmt_get_i64(s, 6) != 0,
    };
    const char *word = stmt_get_text(s, 2, &m->arena, &oom);
    const char *target = stmt_get_text(s, 3, &m->arena, &oom);
    const char *text = NULL;
    if (!oom && target_kind_parse(str_of(word), &kind) == 0)
        text = deployment_filter(kind, target, &m->arena);
    if (text == NULL)
        return err_set(e, oom ? ERR_NOMEM : ERR_CORRUPT, "deployment %lld could not be read",
                       (long long)r.deployment);
    int rc = filter_parse(str_of(text), &m->arena, &r.filter, e);
    if (rc == 0)
        rc = read_models(db, m, stmt_get_i64(s, 1), &r, e);
    if (rc == 0)
        m->list[m->count++] = r;
    return rc;
}

static int read_all(struct db *db, struct running_memo *m, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s,
                        "SELECT pk, release, target_kind, target, phases, prepared_at IS NOT NULL,"
                        " allow_downgrade"
                        " FROM deployment WHERE dynamic AND state = 'running' ORDER BY pk DESC LIMIT ?",
                        e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, RUNNING_MAX);
    while (rc == 0 && m->count < RUNNING_MAX && (rc = stmt_step(&s, e)) == STMT_ROW) {
        rc = read_one(db, m, &s, e);
        if (rc == ERR_INVALID) { /* a filter of another pqota: its other devices are not to suffer */
            log_error("store", "a deployment's filter is not understood; no device joins it", LOG_ERR(e));
            rc = 0;
        }
    }
    return rc;
}

static int read_again(struct db *db, struct running_memo *m, int64_t generation, struct err *e)
{
    m->generation = 0;
    m->count = 0;
    arena_reset(&m->arena);
    m->arena.max = MEMORY_MAX;
    int rc = read_all(db, m, e);
    if (rc == 0)
        m->generation = generation;
    return rc;
}

int store_running(struct db *db, const struct running **out, size_t *count, struct err *e)
{
    int64_t generation;
    uint32_t view;
    struct running_memo *m = db_attached(db, DB_RUNNING, sizeof *m, memo_fini);
    if (m == NULL)
        return err_set(e, ERR_NOMEM, "no memory for running deployments");
    if (!m->viewed || !db_view(db, &view) || view != m->view) {
        int rc = db_get_i64(db, "SELECT n FROM deployment_generation WHERE pk = 1", &generation, e);
        m->viewed = false;
        if (rc == 0 && m->generation != generation)
            rc = read_again(db, m, generation, e);
        if (rc != 0)
            return rc;
        m->viewed = db_view(db, &m->view);
    }
    *out = m->list;
    *count = m->count;
    return 0;
}

int store_running_count(struct db *db, int64_t *out, struct err *e)
{
    return db_get_i64(db,
                      "SELECT count(*) FROM deployment WHERE dynamic AND state IN"
                      " ('approval', 'scheduled', 'running', 'paused')",
                      out, e);
}
