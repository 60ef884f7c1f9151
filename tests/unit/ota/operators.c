#include "identity_fixture.h"

#include <string.h>

#include "store/certificates.h"

static int run_register(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    return ota_operator_register(&f->ota, db, &f->arena, &f->admin, arg, e);
}

static int enter(struct fixture *f, struct registration *r)
{
    int rc = ota_operator_check(&f->ota, r, &f->e);
    if (rc == 0)
        rc = fixture_write(f, run_register, r);
    return rc != 0 ? rc : ota_operator_admit(&f->ota, r, &f->e);
}

struct revoke_call {
    struct identity who;
    const char *name;
};

static int run_revoke(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    const struct revoke_call *c = arg;
    return ota_operator_revoke(&f->ota, db, &f->arena, &c->who, c->name, e);
}

static void registers_what_its_root_issued(void **state)
{
    struct fixture *f = *state;
    struct registration r = {.name = "ben", .role = "operator"};
    struct identity who;
    fixture_operator(f, "ben", &r.pem);
    assert_ok(enter(f, &r), f->e);
    assert_int_equal(r.account.certificate_count, 1);
    assert_ok(fixture_call(f, &r.cert, "ben", &who), f->e);
    assert_int_equal(who.who, WHO_OPERATOR);
    assert_int_equal(enter(f, &r), ERR_CONFLICT); /* the same certificate */
    fixture_operator(f, "ben", &r.pem);
    assert_ok(enter(f, &r), f->e); /* his next one */
    assert_int_equal(r.account.certificate_count, 2);
    r.role = "admin";
    fixture_operator(f, "ben", &r.pem);
    assert_int_equal(enter(f, &r), ERR_CONFLICT);
    r = (struct registration){.name = "cy", .role = "root", .pem = r.pem};
    assert_int_equal(enter(f, &r), ERR_INVALID);
    r = (struct registration){.name = "c y", .role = "viewer", .pem = r.pem};
    assert_int_equal(enter(f, &r), ERR_INVALID);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM operator"), 1);
}

static void keeps_the_sha1_by_which_a_proxy_names_it(void **state)
{
    struct fixture *f = *state;
    struct registration r = {.name = "ben", .role = "operator"};
    struct certificate_seen seen;
    fixture_operator(f, "ben", &r.pem);
    assert_ok(enter(f, &r), f->e);
    assert_ok(store_certificate_seen(f->reader, r.cert.issuer_key, r.cert.serial, &seen, &f->e), f->e);
    assert_int_equal(strlen(seen.sha1), 40);
    assert_string_equal(seen.sha1, r.cert.sha1);
    assert_string_equal(seen.fingerprint, r.cert.fingerprint);
    assert_string_equal(seen.device, "");
    assert_true(seen.is_operator);
    assert_int_equal(seen.not_after, r.cert.not_after * 1000);
    assert_int_equal(store_certificate_seen(f->reader, r.cert.issuer_key, "1", &seen, &f->e), ERR_NOT_FOUND);

    struct enrolment en;
    assert_ok(fixture_enrol(f, fixture_token(f, "gw1", NULL, 1), f->key, "gw-1", &en), f->e);
    assert_ok(store_certificate_seen(f->reader, en.cert.issuer_key, en.cert.serial, &seen, &f->e), f->e);
    assert_string_equal(seen.device, "gw-1");
    assert_string_equal(seen.sha1, en.cert.sha1);
    assert_false(seen.is_operator);
}

static int forget_sha1(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)f, (void)arg;
    return db_exec(db, "UPDATE certificate SET sha1 = NULL", e);
}

static void registering_again_completes_an_old_row(void **state)
{
    struct fixture *f = *state;
    struct registration r = {.name = "ben", .role = "operator"}, other = {.name = "cy", .role = "operator"};
    struct certificate_seen seen;
    fixture_operator(f, "ben", &r.pem);
    assert_ok(enter(f, &r), f->e);
    assert_ok(fixture_write(f, forget_sha1, NULL), f->e);
    assert_ok(store_certificate_seen(f->reader, r.cert.issuer_key, r.cert.serial, &seen, &f->e), f->e);
    assert_string_equal(seen.sha1, "");
    other.pem = r.pem;
    assert_int_equal(enter(f, &other), ERR_CONFLICT); /* it is ben's */
    assert_ok(enter(f, &r), f->e);
    assert_ok(store_certificate_seen(f->reader, r.cert.issuer_key, r.cert.serial, &seen, &f->e), f->e);
    assert_string_equal(seen.sha1, r.cert.sha1);
    assert_int_equal(enter(f, &r), ERR_CONFLICT);
    assert_int_equal(r.account.certificate_count, 1);
}

static void refuses_a_device_s_certificate(void **state)
{
    struct fixture *f = *state;
    struct enrolment en;
    assert_ok(fixture_enrol(f, fixture_token(f, "gw1", NULL, 1), f->key, "gw-1", &en), f->e);
    struct registration r = {.name = "eve", .role = "admin", .pem = en.pem};
    assert_int_equal(enter(f, &r), ERR_MISMATCH);
    r.pem = STR("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert_int_not_equal(enter(f, &r), 0);
    struct identity who;
    assert_int_not_equal(
        principals_identify(f->ota.principals,
                            &(struct principal_certificate){pki_ca_key_id(f->operator_ca), en.cert.serial, "",
                                                            "eve", INT64_MAX},
                            0, &who, &f->e),
        0);
}

static void keeps_one_admin(void **state)
{
    struct fixture *f = *state;
    struct identity who;
    struct registration anna = {.name = "anna", .role = "admin"}, ben = {.name = "ben", .role = "admin"};
    fixture_operator(f, "anna", &anna.pem);
    fixture_operator(f, "ben", &ben.pem);
    assert_ok(enter(f, &anna), f->e);
    struct revoke_call c = {.who = {.who = WHO_LOCAL}, .name = "anna"};
    assert_int_equal(fixture_write(f, run_revoke, &c), ERR_CONFLICT);
    assert_non_null(strstr(f->e.text, "last admin"));
    assert_ok(enter(f, &ben), f->e);
    c.who = f->admin;
    assert_int_equal(fixture_write(f, run_revoke, &c), ERR_CONFLICT); /* oneself */
    c.name = "ben";
    assert_ok(fixture_write(f, run_revoke, &c), f->e);
    assert_int_equal(fixture_call(f, &ben.cert, "ben", &who), ERR_UNAUTHENTICATED);
    assert_ok(fixture_call(f, &anna.cert, "anna", &who), f->e);
    fixture_operator(f, "ben", &ben.pem);
    assert_int_equal(enter(f, &ben), ERR_CONFLICT); /* names are not given twice */
    c.name = "nobody";
    assert_int_equal(fixture_write(f, run_revoke, &c), ERR_NOT_FOUND);
    /* An admin whose certificate ran out is none to rely on. */
    struct registration dora = {.name = "dora", .role = "admin"};
    fixture_operator(f, "dora", &dora.pem);
    assert_ok(enter(f, &dora), f->e);
    f->now_ms += 366 * DAY_MS;
    c = (struct revoke_call){.who = {.who = WHO_LOCAL}, .name = "dora"};
    assert_int_equal(fixture_write(f, run_revoke, &c), ERR_CONFLICT);
}

static void lists_by_name(void **state)
{
    struct fixture *f = *state;
    const char *names[] = {"cy", "anna", "ben"};
    for (int i = 0; i < 3; i++) {
        struct registration r = {.name = names[i], .role = "viewer"};
        fixture_operator(f, names[i], &r.pem);
        assert_ok(enter(f, &r), f->e);
    }
    struct operator_account *list = NULL;
    size_t count = 0;
    assert_ok(ota_operator_list(f->reader, &f->arena, NULL, 2, &list, &count, &f->e), f->e);
    assert_int_equal(count, 2);
    assert_string_equal(list[0].name, "anna");
    assert_int_equal(list[1].certificate_count, 1);
    assert_ok(ota_operator_list(f->reader, &f->arena, "ben", 2, &list, &count, &f->e), f->e);
    assert_int_equal(count, 1);
    assert_string_equal(list[0].name, "cy");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(registers_what_its_root_issued),
        TEST(keeps_the_sha1_by_which_a_proxy_names_it),
        TEST(registering_again_completes_an_old_row),
        TEST(refuses_a_device_s_certificate),
        TEST(keeps_one_admin),
        TEST(lists_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
