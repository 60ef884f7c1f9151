#include "identity_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define ISSUER_DEVICE pki_ca_key_id(f->device_ca)
#define ISSUER_OPERATOR pki_ca_key_id(f->operator_ca)

#define OTHER "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static int identify_as(struct fixture *f, const char *issuer, const char *serial, const char *fingerprint,
                       const char *name, struct identity *who)
{
    const struct principal_certificate cert = {
        .issuer = issuer,
        .serial = serial,
        .fingerprint = fingerprint,
        .common_name = name,
        .not_after = f->now_ms / 1000 + 1000,
    };
    return principals_identify(f->ota.principals, &cert, f->now_ms / 1000, who, &f->e);
}

static int identify(struct fixture *f, const char *issuer, const char *serial, const char *name,
                    struct identity *who)
{
    return identify_as(f, issuer, serial, OTHER, name, who);
}

static int revoke(struct fixture *f, const char *issuer, const char *serial)
{
    return principals_revoke(f->ota.principals, issuer, serial, f->now_ms / 1000 + 1000, f->now_ms / 1000,
                             &f->e);
}

static int load(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)arg;
    return principals_load(f->ota.principals, db, f->now_ms / 1000, e);
}

static void the_issuer_decides(void **state)
{
    struct fixture *f = *state;
    struct identity who = {.address = "[::1]:99"};
    assert_ok(identify(f, ISSUER_DEVICE, "a1", "gw-1", &who), f->e);
    assert_int_equal(who.who, WHO_DEVICE);
    assert_string_equal(who.id, "gw-1");
    assert_string_equal(who.issuer, ISSUER_DEVICE);
    assert_string_equal(who.serial, "a1");
    assert_string_equal(who.address, "[::1]:99");
    /* A device's name under the operators' root is no device, and an operator's under the devices' no
       operator. */
    assert_int_equal(identify(f, ISSUER_OPERATOR, "a1", "gw-1", &who), ERR_UNAUTHENTICATED);
    assert_int_equal(identify(f, "00", "a1", "gw-1", &who), ERR_UNAUTHENTICATED);
    assert_int_equal(identify(f, ISSUER_DEVICE, "a1", "../etc", &who), ERR_UNAUTHENTICATED);
    assert_int_equal(identify(f, ISSUER_DEVICE, "a1", "", &who), ERR_UNAUTHENTICATED);
    char serial[300];
    memset(serial, 'a', sizeof serial - 1);
    serial[sizeof serial - 1] = '\0';
    assert_int_equal(identify(f, ISSUER_DEVICE, serial, "gw-1", &who), ERR_UNAUTHENTICATED);
}

static void old_and_new_roots_count(void **state)
{
    struct fixture *f = *state;
    struct identity who;
    const char *devices[] = {ISSUER_DEVICE, "11"}, *operators[] = {ISSUER_OPERATOR}, *both[] = {"11"};
    assert_int_equal(identify(f, "11", "a1", "gw-1", &who), ERR_UNAUTHENTICATED);
    assert_ok(principals_set_roots(f->ota.principals, devices, 2, operators, 1, GRACE, &f->e), f->e);
    assert_ok(identify(f, "11", "a1", "gw-1", &who), f->e);
    assert_ok(identify(f, ISSUER_DEVICE, "a1", "gw-1", &who), f->e);
    /* One key for both would make every device an operator's equal: refused, and what was stays. */
    assert_int_equal(principals_set_roots(f->ota.principals, devices, 2, both, 1, GRACE, &f->e),
                     ERR_CONFLICT);
    assert_ok(identify(f, "11", "a1", "gw-1", &who), f->e);
}

struct operator_call {
    const char *name, *role;
    struct pki_cert cert;
};

static int add_operator(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    const struct operator_call *c = arg;
    return ota_operator_add(db, c->name, c->role, &c->cert, f->now_ms, e);
}

static void operators_by_what_is_registered(void **state)
{
    struct fixture *f = *state;
    struct identity who;
    struct str pem;
    struct operator_call c = {.name = "anna", .role = "admin", .cert = fixture_operator(f, "not-anna", &pem)};
    assert_int_equal(identify(f, c.cert.issuer_key, c.cert.serial, "anna", &who), ERR_UNAUTHENTICATED);
    assert_non_null(strstr(f->e.text, "not registered"));
    assert_ok(fixture_write(f, add_operator, &c), f->e);
    assert_ok(fixture_write(f, load, NULL), f->e);
    assert_ok(identify_as(f, c.cert.issuer_key, c.cert.serial, c.cert.fingerprint, "not-anna", &who), f->e);
    assert_int_equal(who.who, WHO_ADMIN);
    assert_string_equal(who.id, "anna"); /* as registered, not as the certificate says */
    /* Another certificate with that serial: whoever has the authority's key can make one. */
    assert_int_equal(identify(f, c.cert.issuer_key, c.cert.serial, "anna", &who), ERR_UNAUTHENTICATED);
    assert_non_null(strstr(f->e.text, "not the one"));
    assert_int_equal(identify_as(f, c.cert.issuer_key, c.cert.serial, "", "anna", &who), ERR_UNAUTHENTICATED);
    struct principal_certificate old = {c.cert.issuer_key, c.cert.serial, c.cert.fingerprint, "x",
                                        f->now_ms / 1000 - 1};
    assert_int_equal(principals_identify(f->ota.principals, &old, f->now_ms / 1000, &who, &f->e),
                     ERR_UNAUTHENTICATED);
    assert_non_null(strstr(f->e.text, "expired"));
    assert_ok(revoke(f, c.cert.issuer_key, c.cert.serial), f->e);
    assert_int_equal(identify_as(f, c.cert.issuer_key, c.cert.serial, c.cert.fingerprint, "anna", &who),
                     ERR_UNAUTHENTICATED);
    assert_non_null(strstr(f->e.text, "revoked"));
    /* The step after the commit comes late: the revocation stands. */
    assert_ok(revoke(f, c.cert.issuer_key, "b2"), f->e);
    assert_ok(
        principals_add_operator(f->ota.principals, c.cert.issuer_key, "b2", OTHER, "eve", WHO_ADMIN, &f->e),
        f->e);
    assert_int_equal(identify(f, c.cert.issuer_key, "b2", "eve", &who), ERR_UNAUTHENTICATED);
    assert_int_equal(
        principals_add_operator(f->ota.principals, c.cert.issuer_key, "b3", "short", "eve", WHO_ADMIN, &f->e),
        ERR_CORRUPT);
}

static int revoke_anna(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct identity other = {.who = WHO_LOCAL};
    return ota_operator_revoke(&f->ota, db, &f->arena, &other, arg, e);
}

/* Registered, revoked, loaded anew because some commit failed, only then the step after the first commit. */
static void a_late_admission_undoes_no_revocation(void **state)
{
    struct fixture *f = *state;
    struct identity who;
    struct str pem;
    struct operator_call first = {.name = "anna", .role = "admin", .cert = fixture_operator(f, "anna", &pem)};
    struct operator_call c = {.name = "eve", .role = "admin", .cert = fixture_operator(f, "eve", &pem)};
    const struct registration r = {.name = "eve", .role = "admin", .cert = c.cert};
    assert_ok(fixture_write(f, add_operator, &first), f->e);
    assert_ok(fixture_write(f, add_operator, &c), f->e);
    assert_ok(fixture_write(f, revoke_anna, "eve"), f->e);
    assert_ok(fixture_write(f, load, NULL), f->e);
    assert_ok(ota_operator_admit(&f->ota, &r, &f->e), f->e);
    assert_int_equal(identify_as(f, c.cert.issuer_key, c.cert.serial, c.cert.fingerprint, "eve", &who),
                     ERR_UNAUTHENTICATED);
}

static int identify_ending(struct fixture *f, const char *serial, int64_t not_after)
{
    struct identity who;
    const struct principal_certificate cert = {ISSUER_DEVICE, serial, OTHER, "gw-1", not_after};
    return principals_identify(f->ota.principals, &cert, f->now_ms / 1000, &who, &f->e);
}

/* What expired for good is forgotten; what the clock could bring back is not, or is read again. */
static void memory_holds_what_could_still_count(void **state)
{
    struct fixture *f = *state;
    struct principals *p = f->ota.principals;
    char serial[16];
    int64_t day = 86400, start = f->now_ms / 1000;
    for (int i = 0; i < 2000;
         i++) { /* one ends each hour, and one is revoked each hour, three months ahead */
        int64_t now = start + i * 3600;
        snprintf(serial, sizeof serial, "%x", i + 1);
        assert_ok(principals_revoke(p, ISSUER_DEVICE, serial, now + day, now, &f->e), f->e);
    }
    f->now_ms = (start + 1999 * 3600) * 1000;
    /* The last and those within the grace time are known as revoked, and so are those a week before. */
    for (int i = 1999; i > 1999 - (GRACE + 6) * 24; i--) {
        snprintf(serial, sizeof serial, "%x", i + 1);
        f->now_ms = (start + (1999 - 6 * 24) * 3600) * 1000;
        assert_int_equal(identify_ending(f, serial, start + i * 3600 + day), ERR_UNAUTHENTICATED);
    }
    assert_false(principals_stale(p));
    /* The first is not in memory any more: with a clock gone back by months it seems to count, and the table
       knows that it must be read again. */
    f->now_ms = start * 1000;
    assert_ok(identify_ending(f, "1", start + day), f->e);
    assert_true(principals_stale(p));
    assert_ok(fixture_write(f, load, NULL), f->e);
    assert_ok(identify_ending(f, "1", start + day), f->e);
    assert_false(principals_stale(p));
    /* A longer grace time brings some back. */
    const char *devices[] = {ISSUER_DEVICE}, *operators[] = {ISSUER_OPERATOR};
    assert_ok(principals_set_roots(p, devices, 1, operators, 1, GRACE, &f->e), f->e);
    assert_false(principals_stale(p));
    assert_ok(principals_set_roots(p, devices, 1, operators, 1, GRACE + 1, &f->e), f->e);
    assert_true(principals_stale(p));
}

static void grace_time_of_nothing(void **state)
{
    struct fixture *f = *state;
    int64_t now = f->now_ms / 1000;
    const char *devices[] = {ISSUER_DEVICE}, *operators[] = {ISSUER_OPERATOR};
    assert_ok(principals_set_roots(f->ota.principals, devices, 1, operators, 1, 0, &f->e), f->e);
    assert_ok(identify_ending(f, "a1", now), f->e);
    assert_int_equal(identify_ending(f, "a1", now - 1), ERR_UNAUTHENTICATED);
    assert_int_equal(identify_ending(f, "a1", -1), ERR_UNAUTHENTICATED);
    assert_int_equal(identify_ending(f, "a1", -62167219200), ERR_UNAUTHENTICATED);
    assert_ok(identify_ending(f, "a1", 253402300799), f->e); /* the end of 9999 */
}

static void loading_replaces_what_memory_held(void **state)
{
    struct fixture *f = *state;
    struct enrolment en;
    struct identity who;
    assert_ok(fixture_enrol(f, fixture_token(f, "gw1", NULL, 1), f->key, "gw-1", &en), f->e);
    assert_ok(fixture_revoke(f, "gw-1"), f->e);
    assert_ok(revoke(f, ISSUER_DEVICE, "beef"), f->e); /* its commit failed */
    assert_int_equal(identify(f, ISSUER_DEVICE, "beef", "gw-2", &who), ERR_UNAUTHENTICATED);
    principals_mark_stale(f->ota.principals);
    assert_true(principals_stale(f->ota.principals));
    assert_ok(fixture_write(f, load, NULL), f->e);
    assert_false(principals_stale(f->ota.principals));
    assert_ok(identify(f, ISSUER_DEVICE, "beef", "gw-2", &who), f->e);
    assert_int_equal(identify(f, ISSUER_DEVICE, en.cert.serial, "gw-1", &who), ERR_UNAUTHENTICATED);
    /* Whatever certificate the revoked device has. */
    assert_int_equal(identify(f, ISSUER_DEVICE, "cafe", "gw-1", &who), ERR_UNAUTHENTICATED);
}

static void a_first_use_is_noticed_once(void **state)
{
    struct fixture *f = *state;
    struct enrolment en;
    assert_ok(fixture_enrol(f, fixture_token(f, "gw1", NULL, 1), f->key, "gw-1", &en), f->e);
    assert_false(principals_take_pending(f->ota.principals, ISSUER_DEVICE, "dead"));
    struct identity who = {0};
    assert_ok(identify(f, ISSUER_DEVICE, "dead", "gw-1", &who), f->e);
    assert_false(who.pending);
    assert_ok(identify(f, ISSUER_DEVICE, en.cert.serial, "gw-1", &who), f->e);
    assert_true(who.pending);
    assert_true(principals_take_pending(f->ota.principals, ISSUER_DEVICE, en.cert.serial));
    assert_ok(identify(f, ISSUER_DEVICE, en.cert.serial, "gw-1", &who), f->e);
    assert_false(who.pending);
    assert_false(principals_take_pending(f->ota.principals, ISSUER_DEVICE, en.cert.serial));
    /* The process ended before it was noted. */
    assert_ok(fixture_write(f, load, NULL), f->e);
    assert_true(principals_take_pending(f->ota.principals, ISSUER_DEVICE, en.cert.serial));
}

struct race {
    struct fixture *f;
    atomic_int revoked; /* serials below this are */
    atomic_bool failed, stop;
};

static void *ask(void *arg)
{
    struct race *r = arg;
    struct fixture *f = r->f;
    struct identity who;
    struct err e;
    while (!atomic_load(&r->stop)) {
        int n = atomic_load(&r->revoked);
        for (int i = 0; i < n; i += 7) {
            char serial[16];
            snprintf(serial, sizeof serial, "%x", i + 1);
            const struct principal_certificate cert = {ISSUER_DEVICE, serial, "", "gw-1", INT64_MAX};
            if (principals_identify(f->ota.principals, &cert, 0, &who, &e) != ERR_UNAUTHENTICATED)
                atomic_store(&r->failed, true);
        }
    }
    return NULL;
}

static void revoked_is_revoked_for_every_thread(void **state)
{
    struct fixture *f = *state;
    struct race r = {.f = f};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &r), 0);
    for (int i = 0; i < 3000; i++) {
        char serial[16];
        snprintf(serial, sizeof serial, "%x", i + 1);
        assert_ok(revoke(f, ISSUER_DEVICE, serial), f->e);
        atomic_store(&r.revoked, i + 1);
    }
    atomic_store(&r.stop, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_false(atomic_load(&r.failed));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_issuer_decides),
        TEST(old_and_new_roots_count),
        TEST(operators_by_what_is_registered),
        TEST(a_late_admission_undoes_no_revocation),
        TEST(memory_holds_what_could_still_count),
        TEST(grace_time_of_nothing),
        TEST(loading_replaces_what_memory_held),
        TEST(a_first_use_is_noticed_once),
        TEST(revoked_is_revoked_for_every_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
