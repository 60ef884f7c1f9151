#include "ota/accounts.h"

#include <string.h>

#include "identity_fixture.h"
#include "store/accounts.h"

struct change {
    const char *name, *role;
    struct account_password password;
    bool disabled;
    struct account account;
};

static int run_create(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct change *c = arg;
    return ota_account_create(&f->ota, db, &f->arena, &f->admin, c->name, c->role, &c->password, &c->account,
                              e);
}

static int run_password(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct change *c = arg;
    return ota_account_set_password(&f->ota, db, &f->arena, &f->admin, c->name, &c->password, &c->account, e);
}

static int run_role(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct change *c = arg;
    return ota_account_set_role(&f->ota, db, &f->arena, &f->admin, c->name, c->role, &c->account, e);
}

static int run_disable(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct change *c = arg;
    return ota_account_disable(&f->ota, db, &f->arena, &f->admin, c->name, c->disabled, &c->account, e);
}

static int run_remove(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct change *c = arg;
    return ota_account_remove(&f->ota, db, &f->arena, &f->admin, c->name, e);
}

static struct change made(struct fixture *f, const char *name, const char *role)
{
    struct change c = {.name = name, .role = role};
    assert_ok(ota_account_hash(&c.password, &f->e), f->e);
    assert_ok(fixture_write(f, run_create, &c), f->e);
    return c;
}

static bool right(struct fixture *f, const char *name, const char *password)
{
    struct account found;
    bool is = false;
    assert_ok(store_account_by_name(f->reader, &f->arena, name, &found, &f->e), f->e);
    assert_ok(password_verify(str_of(password), found.password, &is, &f->e), f->e);
    return is;
}

static void an_account_is_made_with_a_password_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct change c = made(f, "ci@example.com", "operator");
    assert_int_equal(strlen(c.password.made), PASSWORD_MADE);
    assert_string_equal(c.account.role, "operator");
    assert_int_equal(c.account.created_at, f->now_ms);
    assert_true(right(f, "ci@example.com", c.password.made));
    assert_int_equal(fixture_write(f, run_create, &c), ERR_CONFLICT);
    enum who role;
    assert_ok(ota_account_role(f->reader, &f->arena, "ci@example.com", &role, &f->e), f->e);
    assert_int_equal(role, WHO_OPERATOR);
    assert_int_equal(ota_account_role(f->reader, &f->arena, "nobody", &role, &f->e), ERR_UNAUTHENTICATED);
    assert_string_equal(fixture_ask_text(f, "SELECT kind || ' ' || subject || ' ' || detail FROM event"
                                            " ORDER BY pk DESC LIMIT 1"),
                        "account.created account/ci@example.com role operator");
    /* Nothing that the database has is the password. */
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM account WHERE password NOT LIKE '$argon2id$%'"), 0);
}

static void a_given_password_is_kept_to_the_rules(void **state)
{
    struct fixture *f = *state;
    struct change c = {.name = "ann", .role = "viewer", .password = {.given = STR("elevenchars")}};
    assert_int_equal(ota_account_hash(&c.password, &f->e), ERR_INVALID);
    c.password.given = STR("twelve chars");
    assert_ok(ota_account_hash(&c.password, &f->e), f->e);
    assert_string_equal(c.password.made, "");
    assert_ok(fixture_write(f, run_create, &c), f->e);
    assert_true(right(f, "ann", "twelve chars"));
}

static void names_and_roles_are_checked(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"",
                                        "-a",
                                        "a b",
                                        "a:b",
                                        "a/b",
                                        "local",
                                        "@a",
                                        "server",
                                        "anyone",
                                        "\xc3\xa4",
                                        "a2345678901234567890123456789012345678901234567890123456789012345"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (ota_account_check(names[i], "admin", &f->e) != ERR_INVALID)
            fail_msg("\"%s\" is taken for a name", names[i]);
    assert_int_equal(ota_account_check("a", "root", &f->e), ERR_INVALID);
    assert_ok(ota_account_check("A.b_c@d+e-f", "viewer", &f->e), f->e);
    assert_ok(
        ota_account_check("a234567890123456789012345678901234567890123456789012345678901234", "admin", &f->e),
        f->e);
}

static void changes_hold_and_are_told(void **state)
{
    struct fixture *f = *state;
    struct change c = made(f, "ci", "viewer");
    int64_t changed = c.account.changed_at;
    c.role = "admin";
    assert_ok(fixture_write(f, run_role, &c), f->e);
    assert_true(c.account.changed_at > changed); /* also within one millisecond */
    changed = c.account.changed_at;
    assert_ok(fixture_write(f, run_role, &c), f->e); /* it is one already */
    assert_int_equal(c.account.changed_at, changed);
    f->now_ms -= DAY_MS; /* the clock goes back */
    struct change next = {.name = "ci", .password = {.given = STR("another password")}};
    assert_ok(ota_account_hash(&next.password, &f->e), f->e);
    assert_ok(fixture_write(f, run_password, &next), f->e);
    assert_true(next.account.changed_at > changed);
    assert_false(right(f, "ci", c.password.made));
    assert_true(right(f, "ci", "another password"));
    enum who role;
    assert_ok(ota_account_role(f->reader, &f->arena, "ci", &role, &f->e), f->e);
    assert_int_equal(role, WHO_ADMIN);
    c.disabled = true;
    assert_ok(fixture_write(f, run_disable, &c), f->e);
    assert_int_equal(ota_account_role(f->reader, &f->arena, "ci", &role, &f->e), ERR_UNAUTHENTICATED);
    c.disabled = false;
    assert_ok(fixture_write(f, run_disable, &c), f->e);
    assert_ok(ota_account_role(f->reader, &f->arena, "ci", &role, &f->e), f->e);
    assert_ok(fixture_write(f, run_remove, &c), f->e);
    assert_int_equal(ota_account_role(f->reader, &f->arena, "ci", &role, &f->e), ERR_UNAUTHENTICATED);
    assert_string_equal(
        fixture_ask_text(f, "SELECT group_concat(kind, ' ') FROM (SELECT kind FROM event"
                            " WHERE subject = 'account/ci' ORDER BY pk)"),
        "account.created account.role account.password account.disabled account.enabled account.removed");
    assert_int_equal(fixture_write(f, run_remove, &c), ERR_NOT_FOUND);
    assert_int_equal(fixture_write(f, run_role, &c), ERR_NOT_FOUND);
    assert_int_equal(fixture_write(f, run_disable, &c), ERR_NOT_FOUND);
    assert_int_equal(fixture_write(f, run_password, &next), ERR_NOT_FOUND);
    made(f, "ci", "viewer"); /* an account's name may be given again */
}

static void lists_leave_passwords_out(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"carl", "anna", "bert"};
    struct change c = {.role = "viewer"};
    assert_ok(ota_account_hash(&c.password, &f->e), f->e);
    for (size_t i = 0; i < 3; i++) {
        c.name = names[i];
        assert_ok(fixture_write(f, run_create, &c), f->e);
    }
    struct account *list;
    size_t count;
    assert_ok(ota_account_list(f->reader, &f->arena, NULL, 2, &list, &count, &f->e), f->e);
    assert_int_equal(count, 2);
    assert_string_equal(list[0].name, "anna");
    assert_null(list[0].password);
    assert_ok(ota_account_list(f->reader, &f->arena, "bert", 2, &list, &count, &f->e), f->e);
    assert_int_equal(count, 1);
    assert_string_equal(list[0].name, "carl");
}

static int seal_one(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)f, (void)arg;
    return db_exec(
        db,
        "PRAGMA defer_foreign_keys = ON; INSERT INTO device (id, model, created_at)"
        " VALUES ('sealed', 'm', 1);"
        "INSERT INTO device_token VALUES ((SELECT pk FROM device WHERE id = 'sealed'), 'h', x'01', 1)",
        e);
}

static void what_is_sealed_is_known(void **state)
{
    struct fixture *f = *state;
    bool any = true;
    assert_ok(store_anything_sealed(f->reader, &any, &f->e), f->e);
    assert_false(any);
    assert_ok(fixture_write(f, seal_one, NULL), f->e);
    assert_ok(store_anything_sealed(f->reader, &any, &f->e), f->e);
    assert_true(any);
}

#define EACH(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(an_account_is_made_with_a_password_of_its_own),
        EACH(a_given_password_is_kept_to_the_rules),
        EACH(names_and_roles_are_checked),
        EACH(changes_hold_and_are_told),
        EACH(lists_leave_passwords_out),
        EACH(what_is_sealed_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
