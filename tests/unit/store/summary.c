/* The numbers that triggers count are those that counting gives. */
#include "fixture.h"

#include "store/migrations.h"

static int run_sql(struct db *db, void *arg, struct err *e)
{
    return db_exec(db, arg, e);
}

/* Formats and runs. */
static void run(struct fixture *f, const char *fmt, ...)
{
    char sql[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(sql, sizeof sql, fmt, ap);
    va_end(ap);
    assert_ok(store_write_now(f->store, run_sql, sql, &f->e), f->e);
}

/* How many rows are in one and not in the other; rows that count nothing do not matter. */
#define DIFFERENCE(counted, real)                                                                            \
    "SELECT (SELECT count(*) FROM (SELECT * FROM (" counted ") EXCEPT SELECT * FROM (" real ")))"            \
    " + (SELECT count(*) FROM (SELECT * FROM (" real ") EXCEPT SELECT * FROM (" counted ")))"

static void assert_counted(struct fixture *f)
{
    static const char *const differences[] = {
        DIFFERENCE("SELECT n FROM tally WHERE name = 'devices'", "SELECT count(*) FROM device"),
        DIFFERENCE("SELECT n FROM tally WHERE name = 'revoked'", "SELECT count(revoked_at) FROM device"),
        DIFFERENCE(
            "SELECT at, n FROM tally WHERE name = 'seen' AND n <> 0",
            "SELECT last_seen_at / 3600000, count(*) FROM device WHERE last_seen_at IS NOT NULL GROUP BY 1"),
        DIFFERENCE("SELECT model, version, devices FROM fleet WHERE devices <> 0",
                   "SELECT model, coalesce(version, ''), count(*) FROM device WHERE revoked_at IS NULL GROUP "
                   "BY 1, 2"),
        DIFFERENCE("SELECT deployment, state, n FROM action_tally WHERE n <> 0",
                   "SELECT deployment, state, count(*) FROM action GROUP BY 1, 2"),
        DIFFERENCE(
            "SELECT name, at, n FROM tally WHERE name NOT IN ('devices', 'revoked', 'seen') AND n <> 0",
            "SELECT state, coalesce(closed_at / 3600000, 0), count(*) FROM action GROUP BY 1, 2"),
    };
    for (size_t i = 0; i < sizeof differences / sizeof differences[0]; i++)
        if (fixture_ask(f, differences[i]) != 0)
            fail_msg("the numbers differ: %s", differences[i]);
}

#define DEVICES 40

/* old: as the first migration made the tables. */
static void add_some(struct fixture *f, bool old)
{
    run(f,
        "INSERT INTO release (pk, name, version, state, created_at, created_by)"
        " VALUES (1, 'gw', '1', 'published', 1, 'x');"
        "INSERT INTO release_model (model, release, version, sequence) VALUES ('m0', 1, '1', 1);"
        "INSERT INTO deployment (pk, release, target_kind, state, created_at, created_by%s)"
        " VALUES (1, 1, 'all', 'running', 1, 'x'%s), (2, 1, 'all', 'running', 1, 'x'%s)",
        old ? "" : ", dynamic", old ? "" : ", 1", old ? "" : ", 1");
    for (int i = 0; i < DEVICES; i++)
        run(f,
            "INSERT INTO device (pk, id, model, version, created_at, last_seen_at, revoked_at) VALUES"
            " (%d, 'd%d', 'm%d', iif(%d, 'v', NULL), 1, nullif(%d, 0) * 3600000, nullif(%d, 0))",
            i + 1, i, i % 3, i % 2, i % 5, i % 4 == 0);
    for (int i = 0; i < DEVICES; i++)
        run(f,
            "INSERT INTO action (deployment, device, release, state, created_at, updated_at, closed_at) "
            "VALUES"
            " (%d, %d, 1, '%s', 1, 1, %s)",
            i % 2 + 1, i + 1, i % 3 == 0 ? "failed" : "offered", i % 3 == 0 ? "7200000" : "NULL");
}

static void change(struct fixture *f, int i)
{
    int device = i * 7 % DEVICES + 1;
    switch (i % 9) {
    case 0:
        run(f, "UPDATE device SET version = 'v%d' WHERE pk = %d", i % 4, device);
        return;
    case 1:
        run(f, "UPDATE device SET version = NULL, model = 'm9' WHERE pk = %d", device);
        return;
    case 2:
        run(f, "UPDATE device SET revoked_at = 5 WHERE pk = %d", device);
        return;
    case 3:
        run(f, "UPDATE device SET revoked_at = NULL, version = 'back' WHERE pk = %d", device);
        return;
    case 4:
        run(f, "UPDATE device SET last_seen_at = coalesce(last_seen_at, 0) + %d WHERE pk = %d", i * 100000,
            device);
        return;
    case 5:
        run(f, "UPDATE action SET state = 'installing' WHERE device = %d AND closed_at IS NULL", device);
        return;
    case 6:
        run(f,
            "UPDATE action SET state = 'succeeded', closed_at = %d WHERE device = %d AND closed_at IS NULL",
            i * 90000, device);
        return;
    case 7:
        run(f, "DELETE FROM action WHERE device = %d", device);
        return;
    default:
        run(f, "DELETE FROM device WHERE pk = %d AND pk %% 3 = 0", device); /* with its action */
    }
}

static void counted_as_rows_change(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    assert_counted(f);
    add_some(f, false);
    assert_counted(f);
    for (int i = 0; i < 120; i++) {
        change(f, i);
        assert_counted(f);
    }
    assert_true(fixture_ask(f, "SELECT count(*) FROM action") > 0);
    assert_true(fixture_ask(f, "SELECT n FROM tally WHERE name = 'revoked'") > 0);
}

static void counted_by_the_migration(void **state)
{
    struct fixture *f = *state;
    assert_ok(store_open_with(&f->options, migrations, 1, &f->store, &f->e), f->e);
    add_some(f, true);
    run(f, "UPDATE release SET deleted_at = 1");
    fixture_reopen(f);
    assert_counted(f);
    assert_int_equal(fixture_ask(f, "SELECT deleted FROM release_model"), 1);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM action a JOIN device d ON d.pk = a.device"
                                    " WHERE d.revoked_at IS NOT NULL AND a.closed_at IS NULL"),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counted_as_rows_change, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(counted_by_the_migration, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("store/summary", tests, NULL, NULL);
}
