/* What the seventh migration makes of a database that was in use. */
#include "fixture.h"

#include "store/migrations.h"

static int run_sql(struct db *db, void *arg, struct err *e)
{
    return db_exec(db, arg, e);
}

static char before[] =
    "INSERT INTO operator (pk, name, role, created_at, revoked_at) VALUES (3, 'anna', 'admin', 5, NULL),"
    " (7, 'bob', 'viewer', 6, 9);"
    "INSERT INTO certificate (issuer, serial, fingerprint, key_id, operator, not_before, not_after, "
    "issued_at)"
    " VALUES ('aa', '01', 'ff', 'kk', 3, 1, 2, 1), ('aa', '02', 'fe', 'kl', 7, 1, 2, 1);"
    "INSERT INTO account (pk, name, role, password, created_at, created_by, changed_at, disabled_at)"
    " VALUES (2, 'ci', 'operator', '$argon2id$x', 5, 'anna', 6, 8), (4, 'kim', 'viewer', 'p', 5, 'anna', 6,"
    " NULL);"
    "INSERT INTO event (at, kind, who, subject) VALUES (1, 'release.published', 'anna', 'gw 1');";

static void check(struct fixture *f, const char *sql, int64_t want)
{
    int64_t is = fixture_ask(f, sql);
    if (is != want)
        fail_msg("%s: %lld", sql, (long long)is);
}

static void in_use(void **state)
{
    struct fixture *f = *state;
    assert_ok(store_open_with(&f->options, migrations, 6, &f->store, &f->e), f->e);
    assert_ok(store_write_now(f->store, run_sql, before, &f->e), f->e);
    fixture_close(f);
    fixture_open(f);
    check(f, "SELECT count(*) FROM operator", 2);
    check(f, "SELECT revoked_at FROM operator WHERE pk = 7 AND name = 'bob' AND role = 'viewer'", 9);
    check(f, "SELECT count(*) FROM certificate c JOIN operator o ON o.pk = c.operator", 2);
    check(f, "SELECT disabled_at FROM account WHERE pk = 2 AND name = 'ci' AND role = 'operator'", 8);
    check(f, "SELECT changed_at FROM account WHERE pk = 4 AND password = 'p' AND created_by = 'anna'", 6);
    check(f, "SELECT count(*) FROM event WHERE address = ''", 1);
    /* What refers to what was rebuilt still does. */
    static char approvers[] = "UPDATE operator SET role = 'approver' WHERE pk = 7;"
                              "UPDATE account SET role = 'approver' WHERE pk = 4;"
                              "INSERT INTO session VALUES ('h', 4, 6, 0, 1, 2, '::1');"
                              "INSERT INTO sign_in_link VALUES ('l', 4, 1, 2, 'local');"
                              "DELETE FROM account WHERE pk = 4; DELETE FROM operator WHERE pk = 3;";
    assert_ok(store_write_now(f->store, run_sql, approvers, &f->e), f->e);
    check(f, "SELECT count(*) FROM session", 0);
    check(f, "SELECT count(*) FROM sign_in_link", 0);
    check(f, "SELECT count(*) FROM certificate WHERE operator = 7", 1);
    check(f, "SELECT count(*) FROM certificate", 1);
    static char wrong[] = "UPDATE operator SET role = 'root'";
    assert_int_equal(store_write_now(f->store, run_sql, wrong, &f->e), ERR_CONFLICT);
    static char nobody[] = "INSERT INTO session VALUES ('h', 9, 6, 0, 1, 2, '::1')";
    assert_int_equal(store_write_now(f->store, run_sql, nobody, &f->e), ERR_CONFLICT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(in_use, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("store/migration_console", tests, NULL, NULL);
}
