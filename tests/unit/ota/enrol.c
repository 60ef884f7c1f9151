#include "identity_fixture.h"

static void gives_a_certificate(void **state)
{
    struct fixture *f = *state;
    struct enrolment en;
    assert_ok(fixture_enrol(f, fixture_token(f, "gw1", NULL, 1), f->key, "gw-17", &en), f->e);
    assert_string_equal(en.id, "gw-17");
    assert_string_equal(en.model, "gw1");
    assert_false(en.again);
    struct pki_cert cert;
    assert_ok(pki_cert_verify(en.pem, f->device_roots, PKI_CLIENT, f->now_ms / 1000, &cert, &f->e), f->e);
    assert_string_equal(cert.common_name, "gw-17"); /* and not what the request says */
    assert_int_equal(cert.not_before, f->now_ms / 1000 - 300);
    assert_int_equal(cert.not_after, f->now_ms / 1000 + DAYS * 86400);
    assert_string_equal(cert.issuer_key, pki_ca_key_id(f->device_ca));
    assert_int_equal(
        fixture_ask(f, "SELECT count(*) FROM event WHERE kind = 'device.enrolled' AND who = 'gw-17'"), 1);
    struct identity who;
    assert_ok(fixture_call(f, &cert, "gw-17", &who), f->e);
    assert_int_equal(who.who, WHO_DEVICE);
    assert_int_equal(fixture_ask(f, "SELECT first_used_at FROM certificate WHERE device IS NOT NULL"),
                     f->now_ms);
    assert_null(fixture_ask_text(f, "SELECT pem FROM certificate WHERE device IS NOT NULL"));
}

static void makes_up_an_id(void **state)
{
    struct fixture *f = *state;
    struct enrolment en;
    assert_ok(fixture_enrol(f, fixture_token(f, "gw~1", NULL, 1), f->key, NULL, &en), f->e);
    assert_memory_equal(en.id, "gw-1-", 5);
    assert_int_equal(strlen(en.id), 13);
    assert_true(str_is_device_id(str_of(en.id)));
}

static void gives_the_same_again(void **state)
{
    struct fixture *f = *state;
    struct enrolment first, second;
    struct str token = fixture_token(f, "gw1", NULL, 1);
    assert_ok(fixture_enrol(f, token, f->key, NULL, &first), f->e);
    assert_ok(fixture_enrol(f, token, f->key, NULL, &second), f->e);
    assert_true(second.again);
    assert_true(str_eq(first.pem, second.pem));
    assert_string_equal(first.id, second.id);
    assert_int_equal(second.cert.not_after, first.cert.not_after);
    assert_int_equal(fixture_ask(f, "SELECT uses FROM token"), 1);
    /* Also when the token ran out meanwhile: nothing new is signed. */
    f->now_ms += 2 * 3600000;
    assert_ok(fixture_enrol(f, token, f->key, NULL, &second), f->e);
    assert_true(second.again);
    /* Once it is used, there is nothing to give again. */
    struct identity who;
    assert_ok(fixture_call(f, &first.cert, first.id, &who), f->e);
    assert_int_equal(fixture_enrol(f, token, f->key, NULL, &second), ERR_CONFLICT);
}

static int run_revoke_token(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    return ota_token_revoke(&f->ota, db, &f->arena, &f->admin, *(int64_t *)arg, e);
}

static void refuses_all_bad_tokens_alike(void **state)
{
    struct fixture *f = *state;
    struct enrolment en;
    char text[ERR_TEXT_MAX];
    EVP_PKEY *other = fixture_key(f);
    struct str used = fixture_token(f, "gw1", NULL, 1);
    assert_ok(fixture_enrol(f, used, f->key, NULL, &en), f->e);
    assert_int_equal(fixture_enrol(f, used, other, NULL, &en), ERR_UNAUTHENTICATED);
    memcpy(text, f->e.text, sizeof text);
    assert_int_equal(fixture_enrol(f, STR("pqt_0000"), other, NULL, &en), ERR_UNAUTHENTICATED);
    assert_string_equal(f->e.text, text);
    struct str revoked = fixture_token(f, "gw1", NULL, 5);
    int64_t id = fixture_ask(f, "SELECT max(pk) FROM token");
    assert_ok(fixture_write(f, run_revoke_token, &id), f->e);
    assert_int_equal(fixture_enrol(f, revoked, other, NULL, &en), ERR_UNAUTHENTICATED);
    assert_string_equal(f->e.text, text);
    struct str expired = fixture_token(f, "gw1", NULL, 5);
    f->now_ms += 3600000;
    assert_int_equal(fixture_enrol(f, expired, other, NULL, &en), ERR_UNAUTHENTICATED);
    assert_string_equal(f->e.text, text);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM device"), 1);
    pki_key_free(other);
}

static void takes_a_use_a_key(void **state)
{
    struct fixture *f = *state;
    struct enrolment en;
    EVP_PKEY *second = fixture_key(f), *third = fixture_key(f);
    struct str token = fixture_token(f, "gw1", NULL, 2);
    assert_ok(fixture_enrol(f, token, f->key, NULL, &en), f->e);
    assert_ok(fixture_enrol(f, token, f->key, NULL, &en), f->e);
    assert_ok(fixture_enrol(f, token, second, NULL, &en), f->e);
    assert_int_equal(fixture_enrol(f, token, third, NULL, &en), ERR_UNAUTHENTICATED);
    assert_int_equal(fixture_ask(f, "SELECT uses FROM token"), 2);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM device"), 2);
    pki_key_free(second);
    pki_key_free(third);
}

static void goes_on_after_a_crash(void **state)
{
    struct fixture *f = *state;
    struct str token = fixture_token(f, "gw1", NULL, 1);
    struct enrolment cut = fixture_enrolment(f, token, f->key, "gw-1"), en;
    assert_ok(fixture_reserve(f, &cut), f->e); /* and nothing after it */
    assert_ok(fixture_enrol(f, token, f->key, "gw-1", &en), f->e);
    assert_false(en.again);
    assert_int_equal(en.device, cut.device);
    assert_int_equal(fixture_ask(f, "SELECT uses FROM token"), 1);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM certificate WHERE device IS NOT NULL"), 1);
}

static void signs_nothing_new_under_an_expired_token(void **state)
{
    struct fixture *f = *state;
    struct str token = fixture_token(f, "gw1", NULL, 1);
    struct enrolment cut = fixture_enrolment(f, token, f->key, "gw-1"), en;
    assert_ok(fixture_reserve(f, &cut), f->e);
    f->now_ms += 3600000;
    assert_int_equal(fixture_enrol(f, token, f->key, "gw-1", &en), ERR_UNAUTHENTICATED);
}

static void two_at_once_get_the_same(void **state)
{
    struct fixture *f = *state;
    struct str token = fixture_token(f, "gw1", NULL, 1);
    struct enrolment a = fixture_enrolment(f, token, f->key, "gw-1"),
                     b = fixture_enrolment(f, token, f->key, "gw-1");
    assert_ok(fixture_reserve(f, &a), f->e);
    assert_ok(fixture_reserve(f, &b), f->e);
    assert_ok(ota_enrol_sign(&f->ota, &f->arena, &a, &f->e), f->e);
    assert_ok(ota_enrol_sign(&f->ota, &f->arena, &b, &f->e), f->e);
    assert_false(str_eq(a.pem, b.pem));
    assert_ok(fixture_store(f, &a), f->e);
    assert_ok(fixture_store(f, &b), f->e);
    assert_true(b.again);
    assert_true(str_eq(a.pem, b.pem));
    assert_string_equal(a.cert.serial, b.cert.serial);
}

static void keeps_ids_apart(void **state)
{
    struct fixture *f = *state;
    struct enrolment en;
    EVP_PKEY *other = fixture_key(f);
    assert_ok(fixture_enrol(f, fixture_token(f, "gw1", NULL, 1), f->key, "gw-1", &en), f->e);
    struct str token = fixture_token(f, "gw1", NULL, 1);
    assert_int_equal(fixture_enrol(f, token, other, "gw-1", &en), ERR_CONFLICT);
    assert_int_equal(fixture_ask(f, "SELECT uses FROM token ORDER BY pk DESC LIMIT 1"),
                     0); /* not for nothing */
    assert_ok(fixture_enrol(f, token, other, "gw-2", &en), f->e);
    assert_int_equal(fixture_enrol(f, fixture_token(f, "gw1", "gw-3", 1), other, "gw-4", &en), ERR_DENIED);
    assert_int_equal(fixture_enrol(f, fixture_token(f, "gw1", NULL, 1), other, "../x", &en), ERR_INVALID);
    pki_key_free(other);
}

static void enrols_a_named_device_again(void **state)
{
    struct fixture *f = *state;
    struct enrolment old, new;
    struct identity who;
    EVP_PKEY *other = fixture_key(f);
    assert_ok(fixture_enrol(f, fixture_token(f, "gw1", NULL, 1), f->key, "gw-1", &old), f->e);
    assert_ok(fixture_call(f, &old.cert, "gw-1", &who), f->e);
    f->now_ms += 1000;
    assert_ok(fixture_enrol(f, fixture_token(f, "gw1", "gw-1", 1), other, NULL, &new), f->e);
    assert_int_equal(new.device, old.device);
    assert_ok(fixture_call(f, &old.cert, "gw-1", &who), f->e); /* until the new one is used */
    assert_ok(fixture_call(f, &new.cert, "gw-1", &who), f->e);
    assert_int_equal(fixture_call(f, &old.cert, "gw-1", &who), ERR_UNAUTHENTICATED);
    assert_string_equal(fixture_ask_text(f, "SELECT reason FROM certificate WHERE revoked_at IS NOT NULL"),
                        "superseded");
    pki_key_free(other);
}

static void revoked_stays_revoked_but_for_a_newer_token(void **state)
{
    struct fixture *f = *state;
    struct enrolment en;
    struct identity who;
    struct str before = fixture_token(f, "gw1", NULL, 2);
    assert_ok(fixture_enrol(f, before, f->key, "gw-1", &en), f->e);
    struct pki_cert old = en.cert;
    struct str named_before = fixture_token(f, "gw1", "gw-1", 1);
    f->now_ms += 1000;
    assert_ok(fixture_revoke(f, "gw-1"), f->e);
    assert_int_equal(fixture_call(f, &old, "gw-1", &who), ERR_UNAUTHENTICATED);
    assert_int_equal(fixture_enrol(f, before, f->key, "gw-1", &en), ERR_UNAUTHENTICATED);
    assert_int_equal(fixture_enrol(f, named_before, f->key, NULL, &en), ERR_UNAUTHENTICATED);
    assert_int_equal(fixture_enrol(f, fixture_token(f, "gw1", NULL, 1), f->key, "gw-1", &en), ERR_CONFLICT);
    f->now_ms += 1000;
    assert_ok(fixture_enrol(f, fixture_token(f, "gw1", "gw-1", 1), f->key, NULL, &en), f->e);
    assert_ok(fixture_call(f, &en.cert, "gw-1", &who), f->e);
    assert_int_equal(fixture_call(f, &old, "gw-1", &who), ERR_UNAUTHENTICATED);
    assert_int_equal(fixture_ask(f, "SELECT revoked_at IS NULL FROM device WHERE id = 'gw-1'"), 1);
}

/* A thief took a use and no certificate; then the device was revoked and readmitted with another key. */
static void a_readmitted_device_is_not_its_thiefs(void **state)
{
    struct fixture *f = *state;
    struct enrolment en;
    EVP_PKEY *thief = fixture_key(f);
    struct str token = fixture_token(f, "gw1", "gw-1", 1), fleet = fixture_token(f, "gw1", NULL, 5);
    struct enrolment begun = fixture_enrolment(f, token, thief, NULL);
    struct enrolment stolen = fixture_enrolment(f, fleet, thief, NULL);
    assert_ok(fixture_reserve(f, &begun), f->e);
    f->now_ms += 1000;
    assert_ok(fixture_revoke(f, "gw-1"), f->e);
    f->now_ms += 1000;
    assert_ok(fixture_enrol(f, fixture_token(f, "gw1", "gw-1", 1), f->key, NULL, &en), f->e);
    assert_int_equal(fixture_enrol(f, token, thief, NULL, &begun), ERR_UNAUTHENTICATED);
    assert_ok(fixture_reserve(f, &stolen), f->e); /* as any new device that has such a token */
    assert_string_not_equal(stolen.id, "gw-1");
    pki_key_free(thief);
}

static void revoked_while_it_is_signed(void **state)
{
    struct fixture *f = *state;
    struct enrolment en = fixture_enrolment(f, fixture_token(f, "gw1", NULL, 1), f->key, "gw-1");
    assert_ok(fixture_reserve(f, &en), f->e);
    assert_ok(fixture_revoke(f, "gw-1"), f->e);
    assert_ok(ota_enrol_sign(&f->ota, &f->arena, &en, &f->e), f->e);
    assert_int_equal(fixture_store(f, &en), ERR_UNAUTHENTICATED);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM certificate WHERE device IS NOT NULL"), 0);
}

static void refuses_bad_requests(void **state)
{
    struct fixture *f = *state;
    struct enrolment en = {.token = STR("pqt_x"), .csr = STR("no request")};
    assert_int_equal(ota_enrol_check(&en, &f->e), ERR_INVALID);
    EVP_PKEY *classical = NULL;
    struct str pem = {0};
    assert_ok(pki_key_generate("p256", &classical, &f->e), f->e);
    assert_ok(pki_csr_make(classical, "x", &f->arena, &pem, &f->e), f->e);
    en.csr = pem;
    assert_int_equal(ota_enrol_check(&en, &f->e), ERR_INVALID);
    pki_key_free(classical);
    en.csr = fixture_csr(f, f->key);
    assert_int_equal(ota_enrol_look(f->reader, &f->arena, &en, &f->e), ERR_UNAUTHENTICATED);
    en.token = STR("");
    assert_int_equal(ota_enrol_look(f->reader, &f->arena, &en, &f->e), ERR_INVALID);
    en.token = fixture_token(f, "gw1", NULL, 1);
    assert_ok(ota_enrol_look(f->reader, &f->arena, &en, &f->e), f->e);
    en.proposed_id = "../x";
    assert_int_equal(ota_enrol_look(f->reader, &f->arena, &en, &f->e), ERR_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(gives_a_certificate),
        TEST(makes_up_an_id),
        TEST(gives_the_same_again),
        TEST(refuses_all_bad_tokens_alike),
        TEST(takes_a_use_a_key),
        TEST(goes_on_after_a_crash),
        TEST(signs_nothing_new_under_an_expired_token),
        TEST(two_at_once_get_the_same),
        TEST(keeps_ids_apart),
        TEST(enrols_a_named_device_again),
        TEST(revoked_stays_revoked_but_for_a_newer_token),
        TEST(a_readmitted_device_is_not_its_thiefs),
        TEST(revoked_while_it_is_signed),
        TEST(refuses_bad_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
