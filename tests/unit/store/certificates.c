/* Questions about certificates: how many end soon, by an index, and no more than are worth counting. */
#include "fixture.h"

#include <sqlite3.h>

#include "store/certificates.h"

static int run_sql(struct db *db, void *arg, struct err *e)
{
    return db_exec(db, arg, e);
}

#define COLUMNS "(issuer, serial, fingerprint, key_id, device, operator, not_before, not_after, issued_at)"

static char some[] =
    "INSERT INTO operator (pk, name, role, created_at) VALUES (1, 'anna', 'admin', 1);"
    "INSERT INTO device (pk, id, model, created_at) VALUES (1, 'gw-1', 'gw', 1);"
    "INSERT INTO certificate " COLUMNS " VALUES"
    " ('aa', '01', '1', 'k', 1, NULL, 1, 99, 1), ('aa', '02', '2', 'k', 1, NULL, 1, 100, 1),"
    " ('aa', '03', '3', 'k', 1, NULL, 1, 199, 1), ('aa', '04', '4', 'k', 1, NULL, 1, 200, 1),"
    " ('aa', '05', '5', 'k', 1, NULL, 1, 150, 1), ('bb', '06', '6', 'k', NULL, 1, 1, 150, 1);"
    "UPDATE certificate SET revoked_at = 9 WHERE serial = '05'";

static char many[] =
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10500)"
    "INSERT INTO certificate " COLUMNS " SELECT 'cc', printf('%05d', i), 'f' || i, 'k', 1, NULL, 1, 5000, 1"
    " FROM n";

static int64_t ending(struct db *db, int64_t from, int64_t until)
{
    struct err e = {0};
    int64_t count = -1;
    assert_ok(store_certificate_ending(db, from, until, &count, &e), e);
    return count;
}

/* The statement just run is still there, prepared: how does SQLite go about it? */
static void check_plan(struct db *db)
{
    struct err e = {0};
    struct stmt plan;
    char text[1024];
    size_t seen = 0;
    for (sqlite3_stmt *it = sqlite3_next_stmt(db_raw(db), NULL); it != NULL;
         it = sqlite3_next_stmt(db_raw(db), it)) {
        if (strstr(sqlite3_sql(it), "not_after >=") == NULL || sqlite3_stmt_isexplain(it))
            continue;
        snprintf(text, sizeof text, "EXPLAIN QUERY PLAN %s", sqlite3_sql(it));
        assert_ok(db_prepare_once(db, &plan, text, &e), e);
        while (stmt_step(&plan, &e) == STMT_ROW)
            if (strstr((const char *)sqlite3_column_text(plan.raw, 3), "certificate_ending") != NULL)
                seen++;
        stmt_done(&plan);
    }
    assert_int_equal(seen, 1);
}

static void that_end_soon(void **state)
{
    struct fixture *f = *state;
    struct db *db = NULL;
    fixture_open(f);
    assert_ok(store_write_now(f->store, run_sql, some, &f->e), f->e);
    assert_ok(store_reader_new(f->store, &db, &f->e), f->e);
    assert_int_equal(ending(db, 100, 200), 2); /* neither the revoked one nor an operator's */
    assert_int_equal(ending(db, INT64_MIN, 100), 1);
    assert_int_equal(ending(db, 201, 300), 0);
    check_plan(db);
    assert_ok(store_write_now(f->store, run_sql, many, &f->e), f->e);
    assert_int_equal(ending(db, 4000, 6000), CERTIFICATE_COUNT_MAX);
    assert_int_equal(ending(db, 0, 4000), 4);
    store_reader_free(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(that_end_soon, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("store/certificates", tests, NULL, NULL);
}
