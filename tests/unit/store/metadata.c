/* Update metadata in the database, and what was signed of releases. */
#include "fixture.h"

#include <sqlite3.h>

#include "store/metadata.h"
#include "store/releases.h"
#include "store/signed.h"

struct adding {
    enum repository r;
    const char *role;
    int64_t version, now_ms;
    struct str body;
};

static int run_add(struct db *db, void *arg, struct err *e)
{
    const struct adding *a = arg;
    const struct metadata m = {
        .repository = a->r,
        .role = a->role,
        .version = a->version,
        .expires_at = a->now_ms + 1000,
        .sha256 = "00",
        .body = a->body,
    };
    return store_metadata_add(db, &m, a->now_ms, e);
}

static int add(struct fixture *f, enum repository r, const char *role, int64_t version, int64_t now_ms)
{
    struct adding a = {r, role, version, now_ms, STR("{}")};
    return store_write_now(f->store, run_add, &a, &f->e);
}

static struct db *reader(struct fixture *f)
{
    struct db *db = NULL;
    assert_ok(store_reader_new(f->store, &db, &f->e), f->e);
    return db;
}

static void the_highest_version_counts(void **state)
{
    struct fixture *f = *state;
    struct metadata m, *list;
    size_t count;
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    fixture_open(f);
    struct db *db = reader(f);
    assert_ok(store_metadata_current(db, &a, REPOSITORY_IMAGE, "root", true, &m, &f->e), f->e);
    assert_int_equal(m.version, 0);
    assert_ok(add(f, REPOSITORY_IMAGE, "root", 1, 10), f->e);
    assert_ok(add(f, REPOSITORY_IMAGE, "root", 3, 20), f->e);
    assert_ok(add(f, REPOSITORY_IMAGE, "model-b", 1, 20), f->e);
    assert_ok(add(f, REPOSITORY_DIRECTOR, "root", 7, 20), f->e);
    assert_int_equal(add(f, REPOSITORY_IMAGE, "root", 3, 30), ERR_CONFLICT);
    assert_int_equal(add(f, REPOSITORY_IMAGE, "root", 2, 30), ERR_CONFLICT);
    assert_non_null(strstr(f->e.text, "the next is 4"));
    assert_ok(store_metadata_current(db, &a, REPOSITORY_IMAGE, "root", true, &m, &f->e), f->e);
    assert_int_equal(m.version, 3);
    assert_int_equal(m.created_at, 20);
    assert_int_equal(m.size, 2);
    assert_true(str_is(m.body, "{}"));
    assert_ok(store_metadata_get(db, &a, REPOSITORY_IMAGE, "root", 1, false, &m, &f->e), f->e);
    assert_int_equal(m.expires_at, 1010);
    assert_null(m.body.p);
    assert_int_equal(store_metadata_get(db, &a, REPOSITORY_DIRECTOR, "root", 1, false, &m, &f->e),
                     ERR_NOT_FOUND);
    assert_ok(store_metadata_list(db, &a, REPOSITORY_IMAGE, &list, &count, &f->e), f->e);
    assert_int_equal(count, 2);
    assert_string_equal(list[0].role, "model-b");
    assert_int_equal(list[1].version, 3);
    store_reader_free(db);
}

static void five_megabytes(void **state)
{
    struct fixture *f = *state;
    struct metadata m;
    auto_arena struct arena a;
    arena_init(&a, 1 << 23);
    auto_free char *big = malloc(5000000);
    assert_non_null(big);
    memset(big, 'x', 5000000);
    fixture_open(f);
    struct adding what = {REPOSITORY_IMAGE, "targets", 1, 1, {.p = big, .n = 5000000}};
    assert_ok(store_write_now(f->store, run_add, &what, &f->e), f->e);
    struct db *db = reader(f);
    assert_ok(store_metadata_current(db, &a, REPOSITORY_IMAGE, "targets", true, &m, &f->e), f->e);
    assert_int_equal(m.size, 5000000);
    assert_memory_equal(m.body.p, big, 5000000);
    store_reader_free(db);
}

struct pruning {
    int64_t before_ms, now_ms, most;
    bool more;
};

static int run_prune(struct db *db, void *arg, struct err *e)
{
    struct pruning *p = arg;
    return store_metadata_prune(db, p->before_ms, p->now_ms, &p->most, &p->more, e);
}

static void replaced_ones_go_and_roots_stay(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    for (int64_t v = 1; v <= 5; v++) {
        assert_ok(add(f, REPOSITORY_IMAGE, "root", v, v * 10), f->e);
        assert_ok(add(f, REPOSITORY_IMAGE, "timestamp", v, v * 10), f->e);
    }
    struct pruning p = {.before_ms = 45, .now_ms = 1100, .most = 2};
    assert_ok(store_write_now(f->store, run_prune, &p, &f->e), f->e);
    assert_true(p.more);
    assert_int_equal(p.most, 0);
    assert_int_equal(fixture_ask(f, "SELECT min(version) FROM metadata WHERE role = 'timestamp'"), 3);
    p = (struct pruning){.before_ms = 45, .now_ms = 1100, .most = 2};
    assert_ok(store_write_now(f->store, run_prune, &p, &f->e), f->e);
    assert_false(p.more);
    assert_int_equal(p.most, 1); /* version 4 was replaced at 50 */
    assert_int_equal(fixture_ask(f, "SELECT min(version) FROM metadata WHERE role = 'timestamp'"), 4);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM metadata WHERE role = 'root'"), 5);
}

/* A timestamp that still counts names a snapshot, and that the targets: a cache may have it. */
static void what_a_good_timestamp_names_stays(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    for (int64_t v = 1; v <= 5; v++) {
        assert_ok(add(f, REPOSITORY_IMAGE, "targets", v, v * 10), f->e);
        assert_ok(add(f, REPOSITORY_IMAGE, "timestamp", v, v * 10), f->e); /* good until 1000 later */
    }
    struct pruning p = {.before_ms = 500, .now_ms = 1025, .most = 100};
    assert_ok(store_write_now(f->store, run_prune, &p, &f->e), f->e);
    assert_int_equal(fixture_ask(f, "SELECT min(version) FROM metadata WHERE role = 'timestamp'"), 3);
    assert_int_equal(fixture_ask(f, "SELECT min(version) FROM metadata WHERE role = 'targets'"), 3);
    p.now_ms = 1050;
    assert_ok(store_write_now(f->store, run_prune, &p, &f->e), f->e);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM metadata WHERE replaced_at IS NOT NULL"), 0);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM metadata"), 2);
}

/* --- what was signed ------------------------------------------------------------------------------------ */

static int run_signed(struct db *db, void *arg, struct err *e)
{
    (void)arg;
    const struct signed_terms t = {.sequence = 9,
                                   .unpacked_size = 5,
                                   .upgrade_from = 3,
                                   .counter = 2,
                                   .security = true,
                                   .advisory = "now"};
    int rc =
        db_exec(db,
                "INSERT INTO release (pk, name, version, state, created_at, created_by)"
                " VALUES (1, 'r', '1', 'draft', 1, 'anna'), (2, 'r', '2', 'draft', 2, 'anna');"
                "INSERT INTO release_model (model, release, version) VALUES ('m', 1, '1'), ('m', 2, '2')",
                e);
    if (rc == 0)
        rc = store_sequence_raise(db, "m", 9, e);
    if (rc == 0)
        rc = store_signed_set(db, 1, "m", &t, e);
    if (rc == 0)
        rc = store_signed_entry_set(db, 1, "m", STR("cose"), e);
    return rc == 0 ? store_release_publish(db, 1, 77, e) : rc;
}

static int run_raise(struct db *db, void *arg, struct err *e)
{
    return store_sequence_raise(db, "m", *(int64_t *)arg, e);
}

static int run_publish(struct db *db, void *arg, struct err *e)
{
    return store_release_publish(db, *(int64_t *)arg, 78, e);
}

static void what_was_signed_of_a_release(void **state)
{
    struct fixture *f = *state;
    struct signed_terms t;
    struct release r;
    struct str cose;
    int64_t *drafts, last, nine = 9, one = 1;
    size_t count;
    bool signed_it;
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    fixture_open(f);
    assert_ok(store_write_now(f->store, run_signed, NULL, &f->e), f->e);
    struct db *db = reader(f);
    assert_ok(store_signed_terms(db, &a, 1, "m", &signed_it, &t, &f->e), f->e);
    assert_true(signed_it && t.security);
    assert_int_equal(t.sequence + t.unpacked_size + t.upgrade_from + t.counter, 9 + 5 + 3 + 2);
    assert_string_equal(t.advisory, "now");
    assert_ok(store_signed_terms(db, &a, 2, "m", &signed_it, &t, &f->e), f->e);
    assert_false(signed_it);
    assert_int_equal(store_signed_terms(db, &a, 2, "x", &signed_it, &t, &f->e), ERR_NOT_FOUND);
    assert_ok(store_signed_entry(db, &a, 1, "m", &cose, &f->e), f->e);
    assert_true(str_is(cose, "cose"));
    assert_ok(store_signed_entry(db, &a, 2, "m", &cose, &f->e), f->e);
    assert_null(cose.p);
    assert_ok(store_release_drafts(db, &a, 10, &drafts, &count, &f->e), f->e);
    assert_int_equal(count, 1);
    assert_int_equal(drafts[0], 2);
    assert_ok(store_release_latest(db, &a, "m", &r, &f->e), f->e); /* a draft is none */
    assert_int_equal(r.pk, 1);
    assert_int_equal(r.published_at, 77);
    assert_ok(store_sequence_last(db, "m", &last, &f->e), f->e);
    assert_int_equal(last, 9);
    assert_int_equal(store_write_now(f->store, run_raise, &nine, &f->e), ERR_CONFLICT);
    assert_non_null(strstr(f->e.text, "10 or more"));
    assert_int_equal(store_write_now(f->store, run_publish, &one, &f->e), ERR_CONFLICT);
    store_reader_free(db);
}

/* --- plans ---------------------------------------------------------------------------------------------- */

static void assert_no_scan(struct db *db)
{
    for (sqlite3_stmt *it = NULL; (it = sqlite3_next_stmt(db_raw(db), it)) != NULL;) {
        char text[4096];
        struct err e = {0};
        auto_stmt struct stmt plan = {0};
        if (sqlite3_stmt_isexplain(it) || strncmp(sqlite3_sql(it), "PRAGMA", 6) == 0 ||
            strstr(sqlite3_sql(it), "sqlite_schema") != NULL) /* opening's own */
            continue;
        snprintf(text, sizeof text, "EXPLAIN QUERY PLAN %s", sqlite3_sql(it));
        assert_ok(db_prepare_once(db, &plan, text, &e), e);
        while (stmt_step(&plan, &e) == STMT_ROW) {
            const char *detail = (const char *)sqlite3_column_text(plan.raw, 3);
            bool by_index = strstr(detail, "USING") != NULL; /* a scan of a partial index is what it is for */
            if ((strstr(detail, "SCAN") != NULL && !by_index) || strstr(detail, "TEMP B-TREE") != NULL)
                fail_msg("%s\n%s", sqlite3_sql(it), detail);
        }
    }
}

static void by_index(void **state)
{
    struct fixture *f = *state;
    struct metadata m, *list;
    struct signed_terms t;
    struct str cose;
    size_t count;
    int64_t n, *pks;
    bool yes;
    const char *type;
    auto_arena struct arena a;
    arena_init(&a, 1 << 22);
    fixture_open(f);
    struct db *db = reader(f);
    for (int body = 0; body < 2; body++) {
        assert_ok(store_metadata_current(db, &a, REPOSITORY_IMAGE, "root", body, &m, &f->e), f->e);
        assert_int_equal(store_metadata_get(db, &a, REPOSITORY_IMAGE, "root", 1, body, &m, &f->e),
                         ERR_NOT_FOUND);
    }
    assert_ok(store_metadata_list(db, &a, REPOSITORY_IMAGE, &list, &count, &f->e), f->e);
    assert_int_equal(store_signed_terms(db, &a, 1, "m", &yes, &t, &f->e), ERR_NOT_FOUND);
    assert_ok(store_signed_entry(db, &a, 1, "m", &cose, &f->e), f->e);
    assert_ok(store_sequence_last(db, "m", &n, &f->e), f->e);
    assert_ok(store_release_drafts(db, &a, 5, &pks, &count, &f->e), f->e);
    assert_int_equal(store_release_type(db, &a, 1, "f", &type, &f->e), ERR_NOT_FOUND);
    assert_no_scan(db);
    store_reader_free(db);
    struct pruning p = {.before_ms = 1, .now_ms = 1, .most = 1};
    assert_ok(store_write_now(f->store, run_prune, &p, &f->e), f->e);
    assert_ok(store_write_now(f->store, run_signed, NULL, &f->e), f->e);
    assert_no_scan(f->store->writer_db);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_highest_version_counts),      TEST(five_megabytes),
        TEST(replaced_ones_go_and_roots_stay), TEST(what_a_good_timestamp_names_stays),
        TEST(what_was_signed_of_a_release),    TEST(by_index),
    };
    return cmocka_run_group_tests_name("store/metadata", tests, NULL, NULL);
}
