#include "identity_fixture.h"

#include <stdio.h>
#include <string.h>

/* A device that enrolled and used its certificate. */
static struct identity enrolled(struct fixture *f, struct enrolment *en)
{
    struct identity who;
    assert_ok(fixture_enrol(f, fixture_token(f, "gw1", NULL, 1), f->key, "gw-1", en), f->e);
    assert_ok(fixture_call(f, &en->cert, "gw-1", &who), f->e);
    return who;
}

/* The renewed certificate looks issued before the one that enrolled. */
static int age_issue(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)f, (void)arg;
    return db_exec(db, "UPDATE certificate SET issued_at = 5 WHERE first_used_at IS NULL", e);
}

static void from_two_thirds_of_life_on(void **state)
{
    struct fixture *f = *state;
    struct enrolment en;
    struct renewal r;
    struct identity who = enrolled(f, &en);
    f->now_ms += DAYS * 2 / 3 * DAY_MS - 600000; /* life began 300 s before */
    assert_int_equal(fixture_renew(f, &who, f->key, &r), ERR_CONFLICT);
    assert_non_null(strstr(f->e.text, "2027-"));
    f->now_ms += 600000;
    assert_ok(fixture_renew(f, &who, f->key, &r), f->e);
    assert_false(r.again);
    struct pki_cert cert;
    assert_ok(pki_cert_verify(r.pem, f->device_roots, PKI_CLIENT, f->now_ms / 1000, &cert, &f->e), f->e);
    assert_string_equal(cert.common_name, "gw-1");
    assert_int_equal(cert.not_after, f->now_ms / 1000 + DAYS * 86400);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM event WHERE kind = 'device.renewed'"), 1);
}

static void the_old_one_counts_until_the_new_one_is_used(void **state)
{
    struct fixture *f = *state;
    struct enrolment en;
    struct renewal r, again;
    struct identity who = enrolled(f, &en);
    EVP_PKEY *key = fixture_key(f);
    f->now_ms += 61 * DAY_MS;
    assert_ok(fixture_renew(f, &who, key, &r), f->e);
    assert_ok(fixture_call(f, &en.cert, "gw-1", &who), f->e);
    /* A reply that got lost: the same key is given the same. */
    assert_ok(fixture_renew(f, &who, key, &again), f->e);
    assert_true(again.again);
    assert_true(str_eq(again.pem, r.pem));
    assert_ok(fixture_call(f, &r.cert, "gw-1", &who), f->e);
    assert_string_equal(who.serial, r.cert.serial);
    assert_int_equal(fixture_call(f, &en.cert, "gw-1", &who), ERR_UNAUTHENTICATED);
    assert_ok(fixture_call(f, &r.cert, "gw-1", &who), f->e);
    pki_key_free(key);
}

static void the_clock_went_back_between(void **state)
{
    struct fixture *f = *state;
    struct enrolment en;
    struct renewal r;
    EVP_PKEY *key = fixture_key(f);
    f->now_ms += 100 * DAY_MS; /* wrong when it enrolled */
    struct identity who = enrolled(f, &en);
    f->now_ms += 61 * DAY_MS;
    who.who = WHO_DEVICE;
    assert_ok(fixture_renew(f, &who, key, &r), f->e);
    f->now_ms -= 100 * DAY_MS;
    assert_ok(fixture_write(f, age_issue, NULL), f->e);
    assert_ok(fixture_call(f, &r.cert, "gw-1", &who), f->e);
    assert_int_equal(fixture_call(f, &en.cert, "gw-1", &who), ERR_UNAUTHENTICATED);
    pki_key_free(key);
}

static void the_same_key_may_stay(void **state)
{
    struct fixture *f = *state;
    struct enrolment en;
    struct renewal r;
    struct identity who = enrolled(f, &en);
    f->now_ms += 61 * DAY_MS;
    assert_ok(fixture_renew(f, &who, f->key, &r), f->e);
    assert_string_not_equal(r.cert.serial, en.cert.serial);
    assert_ok(fixture_call(f, &r.cert, "gw-1", &who), f->e);
    assert_int_equal(fixture_renew(f, &who, f->key, &r), ERR_CONFLICT); /* too early for the new one */
}

static void an_expired_one_renews_within_the_grace_time(void **state)
{
    struct fixture *f = *state;
    struct enrolment en;
    struct renewal r;
    enrolled(f, &en);
    struct identity who;
    f->now_ms += (DAYS + GRACE - 1) * DAY_MS;
    assert_ok(fixture_call(f, &en.cert, "gw-1", &who), f->e);
    assert_int_equal(who.who, WHO_EXPIRED);
    assert_ok(fixture_renew(f, &who, f->key, &r), f->e);
    assert_ok(fixture_call(f, &r.cert, "gw-1", &who), f->e);
    assert_int_equal(who.who, WHO_DEVICE);
}

static void an_expired_one_is_refused_after_it(void **state)
{
    struct fixture *f = *state;
    struct enrolment en;
    struct identity who = enrolled(f, &en);
    f->now_ms += (DAYS + GRACE) * DAY_MS + 1000;
    assert_int_equal(fixture_call(f, &en.cert, "gw-1", &who), ERR_UNAUTHENTICATED);
    assert_non_null(strstr(f->e.text, "expired"));
}

static void the_revoked_never(void **state)
{
    struct fixture *f = *state;
    struct enrolment en;
    struct renewal r;
    struct identity who = enrolled(f, &en), now;
    f->now_ms += 61 * DAY_MS;
    assert_ok(fixture_revoke(f, "gw-1"), f->e);
    assert_int_equal(fixture_call(f, &en.cert, "gw-1", &now), ERR_UNAUTHENTICATED);
    assert_int_equal(fixture_renew(f, &who, f->key, &r), ERR_UNAUTHENTICATED); /* one under way already */
}

static int forget(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)f;
    return db_exec(db, arg, e);
}

/* Issued after the backup that was restored. */
static void one_the_database_does_not_know(void **state)
{
    struct fixture *f = *state;
    struct enrolment en;
    struct renewal r;
    char sql[] = "DELETE FROM certificate", more[] = "DELETE FROM device";
    struct identity who = enrolled(f, &en);
    assert_ok(fixture_write(f, forget, sql), f->e);
    assert_int_equal(fixture_renew(f, &who, f->key, &r), ERR_CONFLICT);
    f->now_ms += 61 * DAY_MS;
    assert_ok(fixture_renew(f, &who, f->key, &r), f->e);
    assert_ok(fixture_write(f, forget, more), f->e);
    assert_int_equal(fixture_renew(f, &who, f->key, &r), ERR_UNAUTHENTICATED);
}

static void hoards_no_certificates(void **state)
{
    struct fixture *f = *state;
    struct enrolment en;
    struct renewal r;
    struct identity who = enrolled(f, &en);
    f->now_ms += 61 * DAY_MS;
    for (int i = 0; i < RENEW_PENDING_MAX; i++) {
        EVP_PKEY *key = fixture_key(f);
        assert_ok(fixture_renew(f, &who, key, &r), f->e);
        pki_key_free(key);
    }
    assert_int_equal(fixture_renew(f, &who, f->key, &r), ERR_CONFLICT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(from_two_thirds_of_life_on),
        TEST(the_old_one_counts_until_the_new_one_is_used),
        TEST(the_clock_went_back_between),
        TEST(the_same_key_may_stay),
        TEST(an_expired_one_renews_within_the_grace_time),
        TEST(an_expired_one_is_refused_after_it),
        TEST(the_revoked_never),
        TEST(one_the_database_does_not_know),
        TEST(hoards_no_certificates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
