#include "store/phases.h"

#include "store/db.h"

#define COLUMNS "name, filter, percent, devices, success_percent, error_percent, error_count, opened_at"

static int read_row(struct stmt *s, struct arena *a, struct phase *out, struct err *e)
{
    bool oom = false;
    struct phase p = {
        .name = stmt_get_text(s, 0, a, &oom),
        .filter = stmt_get_text(s, 1, a, &oom),
        .percent = stmt_get_i64(s, 2),
        .devices = stmt_get_i64(s, 3),
        .success_percent = stmt_get_i64(s, 4),
        .error_percent = stmt_get_i64(s, 5),
        .error_count = stmt_get_i64(s, 6),
        .opened_at = stmt_get_i64(s, 7),
    };
    if (oom)
        return err_set(e, ERR_NOMEM, "no memory to read a phase");
    *out = p;
    return 0;
}

static int read_members(struct db *db, int64_t deployment, int number, struct phase *p, struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT state, n FROM member_tally WHERE deployment = ? AND phase = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, deployment);
    stmt_i64(&s, 2, number);
    auto_arena struct arena a;
    arena_init(&a, 4096);
    while ((rc = stmt_step(&s, e)) == STMT_ROW) {
        bool oom = false;
        enum member_state state;
        const char *word = stmt_get_text(&s, 0, &a, &oom);
        if (oom || member_state_parse(str_of(word), &state) != 0)
            return err_set(e, ERR_CORRUPT, "deployment %lld counts devices of an unknown state",
                           (long long)deployment);
        p->members[state] = stmt_get_i64(&s, 1);
    }
    return rc;
}

int store_phases(struct db *db, struct arena *a, int64_t deployment, struct phase **out, size_t *count,
                 struct err *e)
{
    struct phase *list = arena_array(a, struct phase, DEPLOYMENT_PHASES_MAX);
    if (list == NULL)
        return err_set(e, ERR_NOMEM, "no memory for phases");
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT " COLUMNS " FROM phase WHERE deployment = ? ORDER BY number", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, deployment);
    size_t n = 0;
    while (rc == 0 && n < DEPLOYMENT_PHASES_MAX && (rc = stmt_step(&s, e)) == STMT_ROW) {
        rc = read_row(&s, a, &list[n], e);
        n++;
    }
    stmt_done(&s);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = read_members(db, deployment, (int)i, &list[i], e);
    if (rc < 0)
        return rc;
    *out = list;
    *count = n;
    return 0;
}

int store_phase(struct db *db, struct arena *a, int64_t deployment, int number, struct phase *out,
                struct err *e)
{
    auto_stmt struct stmt s = {0};
    int rc = db_prepare(db, &s, "SELECT " COLUMNS " FROM phase WHERE deployment = ? AND number = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, deployment);
    stmt_i64(&s, 2, number);
    rc = stmt_step(&s, e);
    if (rc == STMT_END)
        return err_set(e, ERR_CORRUPT, "deployment %lld has no phase %d", (long long)deployment, number + 1);
    struct phase p;
    if (rc == STMT_ROW)
        rc = read_row(&s, a, &p, e);
    stmt_done(&s);
    if (rc == 0)
        rc = read_members(db, deployment, number, &p, e);
    if (rc == 0)
        *out = p;
    return rc;
}

int store_phases_add(struct db *db, int64_t deployment, const struct phase *phases, int count, struct err *e)
{
    int rc = 0;
    for (int i = 0; i < count && rc == 0; i++) {
        const struct phase *p = &phases[i];
        auto_stmt struct stmt s = {0};
        rc = db_prepare(db, &s,
                        "INSERT INTO phase (deployment, number, name, filter, percent, devices,"
                        " success_percent, error_percent, error_count, opened_at)"
                        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        e);
        if (rc != 0)
            break;
        stmt_i64(&s, 1, deployment);
        stmt_i64(&s, 2, i);
        stmt_text(&s, 3, p->name);
        stmt_text(&s, 4, p->filter);
        stmt_some(&s, 5, p->percent);
        stmt_some(&s, 6, p->devices);
        stmt_i64(&s, 7, p->success_percent);
        stmt_some(&s, 8, p->error_percent);
        stmt_some(&s, 9, p->error_count);
        stmt_some(&s, 10, p->opened_at);
        rc = stmt_run(&s, e);
    }
    return rc;
}

int store_phase_open(struct db *db, int64_t deployment, int number, int64_t now_ms, struct err *e)
{
    auto_stmt struct stmt s = {0}, p = {0};
    int rc = db_prepare(db, &s, "UPDATE deployment SET phase = ?, why = '' WHERE pk = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&s, 1, number);
    stmt_i64(&s, 2, deployment);
    rc = stmt_run(&s, e);
    if (rc == 0)
        rc = db_prepare(db, &p, "UPDATE phase SET opened_at = ? WHERE deployment = ? AND number = ?", e);
    if (rc != 0)
        return rc;
    stmt_i64(&p, 1, now_ms);
    stmt_i64(&p, 2, deployment);
    stmt_i64(&p, 3, number);
    return stmt_run(&p, e);
}
