#include "fixture.h"

#include <sqlite3.h>

static struct db *reader(struct fixture *f)
{
    struct db *db = NULL;
    assert_ok(store_reader_new(f->store, &db, &f->e), f->e);
    return db;
}

static void statements_are_kept_by_literal(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    struct db *db = reader(f);
    static const char sql[] = "SELECT count(*) FROM meta WHERE key = ?";
    struct stmt a = {0}, b = {0};
    assert_ok(db_prepare(db, &a, sql, &f->e), f->e);
    struct sqlite3_stmt *first = a.raw;
    /* The same question inside itself gets another statement. */
    assert_ok(db_prepare(db, &b, sql, &f->e), f->e);
    assert_ptr_not_equal(a.raw, b.raw);
    stmt_done(&b);
    stmt_done(&a);
    stmt_done(&a); /* twice is fine */
    assert_ok(db_prepare(db, &a, sql, &f->e), f->e);
    assert_ptr_equal(a.raw, first);
    stmt_done(&a);

    /* A buffer that changed under the same address must not give the old statement. */
    char buffer[32] = "SELECT 1";
    assert_ok(db_prepare(db, &a, buffer, &f->e), f->e);
    stmt_done(&a);
    memcpy(buffer, "SELECT 2", sizeof "SELECT 2");
    int64_t v = 0;
    assert_ok(db_get_i64(db, buffer, &v, &f->e), f->e);
    assert_int_equal(v, 2);
    store_reader_free(db);
}

static void the_cache_is_bounded(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    struct db *db = reader(f);
    enum { MANY = 3000 };
    static char texts[MANY][32];
    for (int i = 0; i < MANY; i++) {
        int64_t v = -1;
        snprintf(texts[i], sizeof texts[i], "SELECT %d", i);
        assert_ok(db_get_i64(db, texts[i], &v, &f->e), f->e);
        assert_int_equal(v, i);
    }
    int kept = 0;
    for (sqlite3_stmt *it = NULL; (it = sqlite3_next_stmt(db_raw(db), it)) != NULL;)
        kept++;
    assert_in_range(kept, 100, 600);
    store_reader_free(db);
}

static void bindings_and_columns(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    struct db *db = reader(f);
    struct stmt s;
    struct arena a;
    bool oom = false;
    arena_init(&a, 4096);
    assert_ok(db_prepare(db, &s, "SELECT ?1, ?2, ?3, ?4, length(?5)", &f->e), f->e);
    stmt_i64(&s, 1, -7);
    stmt_text(&s, 2, "text");
    stmt_str(&s, 3, (struct str){.p = "viewed", .n = 4});
    stmt_text(&s, 4, NULL);
    stmt_blob(&s, 5, "\0\1\2", 3);
    assert_int_equal(stmt_step(&s, &f->e), STMT_ROW);
    assert_int_equal(stmt_get_i64(&s, 0), -7);
    assert_string_equal(stmt_get_text(&s, 1, &a, &oom), "text");
    assert_string_equal(stmt_get_text(&s, 2, &a, &oom), "view");
    assert_true(stmt_is_null(&s, 3));
    assert_null(stmt_get_text(&s, 3, &a, &oom));
    assert_int_equal(stmt_get_i64(&s, 4), 3);
    assert_false(oom);
    assert_int_equal(stmt_step(&s, &f->e), STMT_END);
    stmt_done(&s);
    arena_fini(&a);

    arena_init(&a, 8); /* an exhausted arena is told, not taken for NULL */
    assert_ok(db_prepare(db, &s, "SELECT 'a text that is longer than that arena'", &f->e), f->e);
    assert_int_equal(stmt_step(&s, &f->e), STMT_ROW);
    assert_null(stmt_get_text(&s, 0, &a, &oom));
    assert_true(oom);
    stmt_done(&s);
    arena_fini(&a);

    assert_ok(db_prepare(db, &s, "SELECT ?", &f->e), f->e);
    stmt_i64(&s, 2, 1); /* there is no second: comes out of the step */
    assert_true(stmt_step(&s, &f->e) < 0);
    stmt_done(&s);
    store_reader_free(db);
}

static void errors_have_their_code(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    struct db *db = reader(f);
    struct stmt s;
    assert_int_equal(db_prepare(db, &s, "SELEKT", &f->e), ERR_INTERNAL);
    assert_null(s.raw);
    stmt_done(&s);
    assert_int_equal(db_prepare(db, &s, "", &f->e), ERR_INTERNAL);
    assert_int_equal(stmt_step(&s, &f->e), ERR_INTERNAL);
    int64_t v = 5;
    assert_int_equal(db_get_i64(db, "SELECT 1 WHERE 0", &v, &f->e), ERR_NOT_FOUND);
    assert_int_equal(v, 5);
    /* A reader cannot write, whatever it is told. */
    assert_int_equal(db_exec(db, "INSERT INTO meta VALUES ('a', 'b')", &f->e), ERR_IO);
    assert_int_equal(db_exec(db, "PRAGMA query_only = OFF; INSERT INTO meta VALUES ('a', 'b')", &f->e),
                     ERR_IO);
    store_reader_free(db);

    assert_ok(store_write_now(f->store, fixture_put, "k", &f->e), f->e);
    assert_int_equal(store_write_now(f->store, fixture_put, "k", &f->e), ERR_CONFLICT);
    assert_non_null(strstr(f->e.text, "meta.key"));
    assert_int_equal(store_write_now(f->store, fixture_put, "l", NULL), 0);
    assert_int_equal(store_write_now(f->store, fixture_put, "l", NULL), ERR_CONFLICT);
}

static void a_deadline_ends_a_question(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    struct db *db = reader(f);
    static const char endless[] = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
                                  "SELECT count(*) FROM n";
    int64_t v = 0, start = clock_mono_ms(&clock_system);
    db_set_deadline(db, start + 50);
    assert_int_equal(db_get_i64(db, endless, &v, &f->e), ERR_TIMEOUT);
    assert_in_range(clock_mono_ms(&clock_system) - start, 50, 5000);
    db_set_deadline(db, 0);
    assert_ok(db_get_i64(db, "SELECT 3", &v, &f->e), f->e);
    assert_int_equal(v, 3);
    assert_true(db_idle(db));
    store_reader_free(db);
}

static void a_snapshot_spans_questions(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    struct db *db = reader(f);
    int64_t v = -1;
    assert_ok(db_read_begin(db, &f->e), f->e);
    assert_ok(db_get_i64(db, "SELECT count(*) FROM meta", &v, &f->e), f->e);
    assert_int_equal(v, 0);
    assert_false(db_idle(db));
    assert_ok(store_write_now(f->store, fixture_put, "later", &f->e), f->e);
    assert_ok(db_get_i64(db, "SELECT count(*) FROM meta", &v, &f->e), f->e);
    assert_int_equal(v, 0);
    db_read_end(db);
    db_read_end(db);
    assert_true(db_idle(db));
    assert_ok(db_get_i64(db, "SELECT count(*) FROM meta", &v, &f->e), f->e);
    assert_int_equal(v, 1);

    struct stmt s; /* half-way is not idle */
    assert_ok(db_prepare(db, &s, "SELECT key FROM meta", &f->e), f->e);
    assert_int_equal(stmt_step(&s, &f->e), STMT_ROW);
    assert_false(db_idle(db));
    stmt_done(&s);
    assert_true(db_idle(db));
    store_reader_free(db);
}

static void several_requests_share_a_snapshot(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    struct db *db = reader(f);
    int64_t v = -1;
    db_share_end(db); /* nothing is shared yet */
    assert_ok(db_share_begin(db, &f->e), f->e);
    assert_ok(db_get_i64(db, "SELECT count(*) FROM meta", &v, &f->e), f->e);
    assert_int_equal(v, 0);
    assert_ok(store_write_now(f->store, fixture_put, "later", &f->e), f->e);
    for (int i = 0; i < 2; i++) { /* two requests, the second with questions that belong together */
        assert_ok(db_share_begin(db, &f->e), f->e);
        assert_ok(db_read_begin(db, &f->e), f->e);
        assert_ok(db_get_i64(db, "SELECT count(*) FROM meta", &v, &f->e), f->e);
        assert_int_equal(v, 0);
        db_read_end(db);
        assert_true(db_idle(db));
    }
    db_share_end(db);
    assert_true(db_idle(db));
    assert_ok(db_get_i64(db, "SELECT count(*) FROM meta", &v, &f->e), f->e);
    assert_int_equal(v, 1);
    /* A transaction of another's making is not ended. */
    assert_ok(db_read_begin(db, &f->e), f->e);
    assert_ok(db_share_begin(db, &f->e), f->e);
    db_share_end(db);
    assert_ok(store_write_now(f->store, fixture_put, "unseen", &f->e), f->e);
    assert_ok(db_get_i64(db, "SELECT count(*) FROM meta", &v, &f->e), f->e);
    assert_int_equal(v, 2); /* its first question came after the commit */
    db_read_end(db);
    assert_true(db_idle(db));
    store_reader_free(db);
}

static int begin_in_a_job(struct db *db, void *arg, struct err *e)
{
    int rc = db_read_begin(db, e);
    if (rc == 0)
        rc = fixture_put(db, arg, e);
    db_read_end(db);
    return rc;
}

static void a_snapshot_in_a_job_is_the_jobs(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    assert_ok(store_write_now(f->store, begin_in_a_job, "kept", &f->e), f->e);
    assert_true(fixture_has(f, "kept"));
}

static int64_t pragma(struct db *db, const char *sql)
{
    struct err e = {0};
    int64_t v = -1;
    assert_ok(db_get_i64(db, sql, &v, &e), e);
    return v;
}

static int check_pragmas(struct db *db, void *arg, struct err *e)
{
    (void)arg;
    (void)e;
    assert_int_equal(pragma(db, "PRAGMA synchronous"), 2);
    assert_int_equal(pragma(db, "PRAGMA foreign_keys"), 1);
    assert_int_equal(pragma(db, "PRAGMA trusted_schema"), 0);
    assert_int_equal(pragma(db, "PRAGMA cell_size_check"), 1);
    assert_int_equal(pragma(db, "PRAGMA wal_autocheckpoint"), 0);
    assert_int_equal(pragma(db, "PRAGMA application_id"), DB_APPLICATION_ID);
    assert_true(db_exec(db, "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = ''", NULL) < 0);
    return 0;
}

static void the_connection_is_strict(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    assert_ok(store_write_now(f->store, check_pragmas, NULL, &f->e), f->e);
    char path[PATH_MAX];
    struct stat st;
    assert_int_equal(stat(fixture_path(f, "pqota.db", path), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(fixture_path(f, "pqota.db-wal", path), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(statements_are_kept_by_literal),
        T(the_cache_is_bounded),
        T(bindings_and_columns),
        T(errors_have_their_code),
        T(a_deadline_ends_a_question),
        T(a_snapshot_spans_questions),
        T(several_requests_share_a_snapshot),
        T(a_snapshot_in_a_job_is_the_jobs),
        T(the_connection_is_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
