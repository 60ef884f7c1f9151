/* Lists of a deployment's devices: who is on them, and by which index. */
#include "fixture.h"

#include <sqlite3.h>

#include "store/members.h"

#define LIMIT 10

static int run_sql(struct db *db, void *arg, struct err *e)
{
    return db_exec(db, arg, e);
}

static char some[] =
    "INSERT INTO release (pk, name, version, state, created_at, created_by) VALUES (1, 'gw', '2', 'signed', "
    "1,"
    " 'anna');"
    "INSERT INTO deployment (pk, release, target_kind, dynamic, state, phases, retries, created_at, "
    "created_by)"
    " VALUES (1, 1, 'all', 1, 'running', 2, 3, 1, 'anna'), (2, 1, 'all', 1, 'running', 1, 3, 1, 'anna');"
    "INSERT INTO device (pk, id, model, created_at) VALUES (1, 'a', 'gw', 1), (2, 'b', 'gw', 1),"
    " (3, 'c', 'gw', 1), (4, 'd', 'gw', 1), (5, 'e', 'gw', 1);"
    "INSERT INTO member (deployment, device, phase, state, attempts, retry_at) VALUES"
    " (1, 1, 0, 'waiting', 0, NULL), (1, 2, 0, 'waiting', 1, 99), (1, 3, 0, 'failed', 4, NULL),"
    " (1, 4, 1, 'waiting', 2, 99), (1, 5, 1, 'active', 1, NULL), (2, 1, 0, 'waiting', 1, 99);";

static const enum member_state waiting = MEMBER_WAITING, failed = MEMBER_FAILED, active = MEMBER_ACTIVE;

/* index: "" for the table's own order. */
static const struct {
    struct member_choice which;
    const char *ids, *index;
} cases[] = {
    {{.phase = 0}, "abcde", ""},
    {{.phase = 2}, "de", ""},
    {{.phase = 3}, "", ""},
    {{.state = &waiting}, "abd", ""},
    {{.state = &waiting, .phase = 1}, "ab", ""},
    {{.state = &failed}, "c", "member_failed"},
    {{.state = &failed, .phase = 2}, "", "member_failed"},
    {{.state = &active, .phase = 2}, "e", "member_active"},
    {{.retrying = true}, "bd", "member_retrying"},
    {{.retrying = true, .phase = 2}, "d", "member_retrying"},
};

/* The statement of a list is the connection's only one: how does SQLite go about it? */
static void check_plan(struct db *db, const char *index)
{
    struct err e = {0};
    struct stmt plan;
    char text[2048], search[128];
    size_t seen = 0;
    snprintf(search, sizeof search, "SEARCH m USING %s%s (deployment=? AND device>?)",
             *index != '\0' ? "INDEX " : "PRIMARY KEY", index);
    for (sqlite3_stmt *it = sqlite3_next_stmt(db_raw(db), NULL); it != NULL;
         it = sqlite3_next_stmt(db_raw(db), it)) {
        if (strstr(sqlite3_sql(it), "FROM member m") == NULL || sqlite3_stmt_isexplain(it))
            continue;
        snprintf(text, sizeof text, "EXPLAIN QUERY PLAN %s", sqlite3_sql(it));
        assert_ok(db_prepare_once(db, &plan, text, &e), e);
        while (stmt_step(&plan, &e) == STMT_ROW) {
            const char *step = (const char *)sqlite3_column_text(plan.raw, 3);
            if (strstr(step, "TEMP B-TREE") != NULL)
                fail_msg("it is sorted: %s", step);
            seen += strcmp(step, search) == 0;
        }
        stmt_done(&plan);
    }
    if (seen != 1)
        fail_msg("not by \"%s\"", search);
}

static void check_list(struct fixture *f, size_t i)
{
    auto_arena struct arena a;
    struct db *db = NULL;
    struct member_row *list;
    char ids[LIMIT + 1] = "";
    size_t count;
    bool more;
    arena_init(&a, 1 << 20);
    assert_ok(store_reader_new(f->store, &db, &f->e), f->e);
    assert_ok(store_member_list(db, &a, 1, &cases[i].which, 0, LIMIT, &list, &count, &more, &f->e), f->e);
    assert_false(more);
    for (size_t n = 0; n < count; n++)
        strcat(ids, list[n].device_id);
    assert_string_equal(ids, cases[i].ids);
    check_plan(db, cases[i].index);
    store_reader_free(db);
}

static void by_state_and_phase(void **state)
{
    struct fixture *f = *state;
    struct db *db = NULL;
    int64_t n;
    fixture_open(f);
    assert_ok(store_write_now(f->store, run_sql, some, &f->e), f->e);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_list(f, i);
    assert_ok(store_reader_new(f->store, &db, &f->e), f->e);
    assert_ok(store_member_retrying(db, 1, &n, &f->e), f->e);
    assert_int_equal(n, 2);
    assert_ok(store_member_retrying(db, 3, &n, &f->e), f->e);
    assert_int_equal(n, 0);
    store_reader_free(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(by_state_and_phase, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("store/members", tests, NULL, NULL);
}
