/* What the sixth migration makes of a database that was in use. */
#include "fixture.h"

#include "store/migrations.h"

static int run_sql(struct db *db, void *arg, struct err *e)
{
    return db_exec(db, arg, e);
}

static char before[] =
    "INSERT INTO release (pk, name, version, state, created_at, created_by)"
    " VALUES (1, 'gw', '1', 'published', 1, 'x'), (2, 'gw', '2', 'published', 1, 'x');"
    "INSERT INTO release_model (model, release, version, sequence) VALUES ('m', 1, '1', 1), ('m', 2, '2', 2);"
    "INSERT INTO artifact VALUES ('aa', 1, 1), ('bb', 1, 1);"
    "INSERT INTO module (pk, name, version, type) VALUES (1, 'gw', '1', 'os'), (2, 'gw', '2', 'os');"
    "INSERT INTO module_artifact VALUES (2, 'f', 'bb'), (1, 'f', 'aa');"
    "INSERT INTO device (pk, id, model, created_at, version) VALUES (1, 'd1', 'm', 5, '1'),"
    " (2, 'd2', 'm', 5, NULL), (3, 'd3', 'm', 5, NULL), (4, 'd4', 'm', 5, NULL);"
    "INSERT INTO deployment (pk, release, target_kind, target, state, allow_downgrade, created_at, "
    "created_by,"
    " closed_at) VALUES (1, 1, 'all', '', 'cancelled', 0, 10, 'anna', 20),"
    " (2, 2, 'tag', 'lab', 'running', 1, 11, 'anna', NULL), (3, 2, 'device', 'd4', 'running', 0, 12, 'bob',"
    " NULL);"
    "INSERT INTO deployment_model VALUES ('m', 'tag', 'lab', 2), ('m', 'device', 'd4', 3);"
    "INSERT INTO action (pk, deployment, device, release, state, progress, message, version_before, "
    "created_at,"
    " updated_at, closed_at) VALUES (1, 1, 1, 1, 'succeeded', NULL, '', '0', 1, 2, 3),"
    " (2, 1, 2, 1, 'cancelled', NULL, 'm', NULL, 1, 2, 3), (3, 2, 3, 2, 'installing', 40, 'half', '1', 1, 2,"
    " NULL), (9, 2, 1, 2, 'failed', NULL, '', '1', 1, 2, 4);"
    "DELETE FROM action WHERE pk = 9;" /* its number must not come back */
    "INSERT INTO action_status (action, at, state, message) VALUES (1, 1, 'offered', ''), (3, 2, "
    "'installing',"
    " 'half');";

static void in_use(void **state)
{
    struct fixture *f = *state;
    assert_ok(store_open_with(&f->options, migrations, 5, &f->store, &f->e), f->e);
    assert_ok(store_write_now(f->store, run_sql, before, &f->e), f->e);
    fixture_close(f);
    fixture_open(f);
    static const struct {
        const char *sql;
        int64_t want;
    } rows[] = {
        {"SELECT count(*) FROM action", 3},
        {"SELECT count(*) FROM action_status", 2},
        {"SELECT seq FROM sqlite_sequence WHERE name = 'action'", 9},
        {"SELECT progress FROM action WHERE pk = 3 AND state = 'installing' AND attempt = 1", 40},
        {"SELECT count(*) FROM deployment WHERE state = 'running' AND dynamic", 1},
        {"SELECT allow_downgrade FROM deployment WHERE pk = 2 AND target = 'lab'", 1},
        {"SELECT prepared_at IS NULL FROM deployment WHERE pk = 2", 1}, /* its devices are looked for anew */
        {"SELECT prepared_at FROM deployment WHERE pk = 3", 12},
        {"SELECT count(*) FROM phase WHERE number = 0", 3},
        {"SELECT count(*) FROM member WHERE deployment = 1 AND state = 'succeeded' AND device = 1", 1},
        {"SELECT count(*) FROM member WHERE deployment = 1 AND state = 'cancelled' AND device = 2", 1},
        {"SELECT count(*) FROM member WHERE deployment = 2 AND state = 'active' AND device = 3", 1},
        {"SELECT count(*) FROM member WHERE deployment = 3 AND state = 'waiting' AND device = 4", 1},
        {"SELECT sum(n) FROM member_tally", 4},
        {"SELECT n FROM action_tally WHERE deployment = 2 AND state = 'installing'", 1},
        {"SELECT count(*) FROM device WHERE certified_at = 5 AND interface = 'native'", 4},
        {"SELECT count(DISTINCT pk) FROM module_artifact", 2},
        {"SELECT pk FROM module_artifact WHERE sha256 = 'aa'", 1},
        {"SELECT count(*) FROM artifact WHERE sha1 IS NULL", 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (fixture_ask(f, rows[i].sql) != rows[i].want)
            fail_msg("%s: %lld", rows[i].sql, (long long)fixture_ask(f, rows[i].sql));
    static char again[] = "INSERT INTO action (deployment, device, release, state, created_at, updated_at)"
                          " VALUES (2, 4, 2, 'offered', 1, 1)";
    assert_ok(store_write_now(f->store, run_sql, again, &f->e), f->e);
    assert_int_equal(fixture_ask(f, "SELECT max(pk) FROM action"), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(in_use, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("store/migration_fleets", tests, NULL, NULL);
}
