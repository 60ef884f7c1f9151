/* What was signed for devices: replaced by newer ones alone, found by one step, gone with the device. */
#include "fixture.h"

#include <sqlite3.h>

#include "store/actions.h"
#include "store/devices.h"
#include "store/director.h"

struct scene {
    struct fixture *f;
    int64_t device;
    struct arena arena;
};

static int run_sql(struct db *db, void *arg, struct err *e)
{
    return db_exec(db, arg, e);
}

static void sql(struct fixture *f, const char *text)
{
    char copy[1024];
    snprintf(copy, sizeof copy, "%s", text);
    assert_ok(store_write_now(f->store, run_sql, copy, &f->e), f->e);
}

static int run_device(struct db *db, void *arg, struct err *e)
{
    return store_device_add(db, "d1", "m", 1000, arg, e);
}

static struct scene begin(struct fixture *f)
{
    struct scene s = {.f = f};
    arena_init(&s.arena, 1 << 20);
    fixture_open(f);
    assert_ok(store_write_now(f->store, run_device, &s.device, &f->e), f->e);
    sql(f, "INSERT INTO release (pk, name, version, state, created_at, created_by)"
           " VALUES (7, 'fw', '1', 'published', 1, 'anna')");
    return s;
}

struct put_call {
    enum director_kind kind;
    int64_t device;
    struct director_row row;
};

static int run_put(struct db *db, void *arg, struct err *e)
{
    const struct put_call *c = arg;
    return store_director_put(db, c->kind, c->device, &c->row, e);
}

static int put(struct scene *s, enum director_kind kind, int64_t version, int64_t release, struct str body)
{
    struct put_call c = {kind, s->device, {version, version * 1000, release, body, STR("sig\0nature")}};
    return store_write_now(s->f->store, run_put, &c, &s->f->e);
}

static struct director_row get(struct scene *s, enum director_kind kind)
{
    struct db *db = NULL;
    struct director_row row;
    assert_ok(store_reader_new(s->f->store, &db, &s->f->e), s->f->e);
    assert_ok(store_director_get(db, &s->arena, kind, s->device, &row, &s->f->e), s->f->e);
    assert_true(db_idle(db));
    store_reader_free(db);
    return row;
}

static void newer_ones_replace(void **state)
{
    struct scene s = begin(*state);
    assert_int_equal(get(&s, DIRECTOR_TARGETS).version, 0);
    assert_ok(put(&s, DIRECTOR_TARGETS, 5, 7, STR("one\0more")), s.f->e);
    struct director_row row = get(&s, DIRECTOR_TARGETS);
    assert_int_equal(row.version, 5);
    assert_int_equal(row.expires_at, 5000);
    assert_int_equal(row.release, 7);
    assert_true(str_eq(row.body, STR("one\0more")));
    assert_true(str_eq(row.signatures, STR("sig\0nature")));

    assert_ok(put(&s, DIRECTOR_TARGETS, 6, 0, STR("two")), s.f->e);
    assert_int_equal(put(&s, DIRECTOR_TARGETS, 6, 7, STR("three")), ERR_CONFLICT);
    assert_int_equal(put(&s, DIRECTOR_TARGETS, 4, 7, STR("three")), ERR_CONFLICT);
    row = get(&s, DIRECTOR_TARGETS);
    assert_int_equal(row.version, 6);
    assert_int_equal(row.release, 0);
    assert_true(str_eq(row.body, STR("two")));
    assert_int_equal(fixture_ask(s.f, "SELECT release IS NULL FROM director"), 1);
    arena_fini(&s.arena);
}

static void kinds_are_apart(void **state)
{
    struct scene s = begin(*state);
    assert_ok(put(&s, DIRECTOR_TARGETS, 9, 7, STR("json")), s.f->e);
    assert_ok(put(&s, DIRECTOR_MANIFEST, 3, 0, STR("cbor")), s.f->e);
    assert_true(str_is(get(&s, DIRECTOR_TARGETS).body, "json"));
    assert_true(str_is(get(&s, DIRECTOR_MANIFEST).body, "cbor"));
    assert_int_equal(get(&s, DIRECTOR_MANIFEST).version, 3);
    arena_fini(&s.arena);
}

static void gone_with_the_device(void **state)
{
    struct scene s = begin(*state);
    assert_ok(put(&s, DIRECTOR_TARGETS, 1, 7, STR("json")), s.f->e);
    assert_ok(put(&s, DIRECTOR_MANIFEST, 1, 7, STR("cbor")), s.f->e);
    sql(s.f, "DELETE FROM device");
    assert_int_equal(fixture_ask(s.f, "SELECT count(*) FROM director"), 0);
    assert_int_equal(fixture_ask(s.f, "SELECT count(*) FROM director_manifest"), 0);
    assert_int_equal(put(&s, DIRECTOR_TARGETS, 2, 7, STR("json")), ERR_CONFLICT); /* there is no device */
    arena_fini(&s.arena);
}

static int64_t succeeded(struct scene *s)
{
    struct db *db = NULL;
    int64_t release = -1;
    assert_ok(store_reader_new(s->f->store, &db, &s->f->e), s->f->e);
    assert_ok(store_action_succeeded(db, s->device, &release, &s->f->e), s->f->e);
    store_reader_free(db);
    return release;
}

static void last_success(void **state)
{
    struct scene s = begin(*state);
    assert_int_equal(succeeded(&s), 0);
    sql(s.f, "INSERT INTO release (pk, name, version, state, created_at, created_by)"
             " VALUES (8, 'fw', '2', 'published', 1, 'anna');"
             "INSERT INTO deployment (pk, release, target_kind, dynamic, state, created_at, created_by)"
             " VALUES (1, 8, 'all', 1, 'running', 1, 'anna'), (2, 7, 'all', 1, 'running', 1, 'anna'),"
             "  (3, 8, 'all', 1, 'running', 1, 'anna');"
             "INSERT INTO action (pk, deployment, device, release, state, created_at, updated_at, closed_at)"
             " VALUES (1, 2, 1, 7, 'succeeded', 1, 1, 1), (2, 3, 1, 8, 'failed', 1, 1, 1)");
    assert_int_equal(succeeded(&s), 7);
    /* An older deployment may come to a device later (a tag): what was done last counts. */
    sql(s.f, "INSERT INTO action (pk, deployment, device, release, state, created_at, updated_at, closed_at)"
             " VALUES (3, 1, 1, 8, 'succeeded', 1, 1, 1)");
    assert_int_equal(succeeded(&s), 8);
    arena_fini(&s.arena);
}

static int run_restored(struct db *db, void *arg, struct err *e)
{
    return store_set_restored_at(db, *(int64_t *)arg, e);
}

static int64_t restored(struct scene *s, int64_t set)
{
    struct db *db = NULL;
    int64_t at = -1;
    if (set != 0)
        assert_ok(store_write_now(s->f->store, run_restored, &set, &s->f->e), s->f->e);
    assert_ok(store_reader_new(s->f->store, &db, &s->f->e), s->f->e);
    assert_ok(store_restored_at(db, &at, &s->f->e), s->f->e);
    store_reader_free(db);
    return at;
}

static void restored_at(void **state)
{
    struct scene s = begin(*state);
    assert_int_equal(restored(&s, 0), 0);
    assert_int_equal(restored(&s, 1000), 1000);
    assert_int_equal(restored(&s, 999), 1000); /* not back, and by number: */
    assert_int_equal(restored(&s, 20000), 20000);
    arena_fini(&s.arena);
}

/* Every statement that the connection prepared finds its rows by an index, each by one step. */
static void assert_no_scan(struct db *db)
{
    for (sqlite3_stmt *it = NULL; (it = sqlite3_next_stmt(db_raw(db), it)) != NULL;) {
        char text[4096];
        struct err e = {0};
        auto_stmt struct stmt plan = {0};
        if (sqlite3_stmt_isexplain(it) || strncmp(sqlite3_sql(it), "SELECT", 6) != 0)
            continue;
        snprintf(text, sizeof text, "EXPLAIN QUERY PLAN %s", sqlite3_sql(it));
        assert_ok(db_prepare_once(db, &plan, text, &e), e);
        while (stmt_step(&plan, &e) == STMT_ROW) {
            const char *detail = (const char *)sqlite3_column_text(plan.raw, 3);
            if (strstr(detail, "SCAN") != NULL || strstr(detail, "TEMP B-TREE") != NULL)
                fail_msg("%s\n%s", sqlite3_sql(it), detail);
        }
    }
}

static void by_unique_index(void **state)
{
    struct scene s = begin(*state);
    struct db *db = NULL;
    struct director_row row;
    int64_t n;
    assert_ok(store_reader_new(s.f->store, &db, &s.f->e), s.f->e);
    assert_ok(store_director_get(db, &s.arena, DIRECTOR_TARGETS, 1, &row, &s.f->e), s.f->e);
    assert_ok(store_director_get(db, &s.arena, DIRECTOR_MANIFEST, 1, &row, &s.f->e), s.f->e);
    assert_ok(store_action_succeeded(db, 1, &n, &s.f->e), s.f->e);
    assert_ok(store_restored_at(db, &n, &s.f->e), s.f->e);
    assert_no_scan(db);
    store_reader_free(db);
    arena_fini(&s.arena);
}

static void small_rows(void **state)
{
    struct scene s = begin(*state);
    static char body[450], signatures[32 + 3309 + 32 + 64 + 8]; /* ML-DSA-65 and Ed25519 */
    struct put_call c = {
        .kind = DIRECTOR_TARGETS,
        .row = {1800000000, 1800000000000, 7, {body, sizeof body}, {signatures, sizeof signatures}}};
    sql(s.f, "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 301)"
             " INSERT INTO device (pk, id, model, created_at) SELECT i, 'x' || i, 'm', 1 FROM n");
    for (c.device = 2; c.device < 302; c.device++)
        assert_ok(store_write_now(s.f->store, run_put, &c, &s.f->e), s.f->e);
    int64_t bytes = fixture_ask(s.f, "SELECT (SELECT page_size FROM pragma_page_size) *"
                                     " (SELECT page_count FROM pragma_page_count)");
    assert_true(bytes < 300 * 5000 + (1 << 20));
    arena_fini(&s.arena);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(newer_ones_replace), TEST(kinds_are_apart), TEST(gone_with_the_device), TEST(last_success),
        TEST(restored_at),        TEST(by_unique_index), TEST(small_rows),
    };
    return cmocka_run_group_tests_name("store/director", tests, NULL, NULL);
}
