/* Whether a certificate ends in a bundle of roots. */
#include "fixture.h"

#include <string.h>

static void check(const char *cert, const char *roots, enum pki_purpose purpose, int64_t now, int code,
                  const char *part)
{
    struct err e = {0};
    int rc = pki_issued_by(cert, roots, purpose, now, &e);
    if (rc != code || (part != NULL && strstr(e.text, part) == NULL))
        fail_msg("%d and not %d, \"%s\"", rc, code, e.text);
}

static void only_its_own_root_will_do(void **state)
{
    struct fixture *fx = *state;
    auto_ca struct pki_ca *ours = fx_root(fx, "ours", "mldsa65", 100),
                          *theirs = fx_root(fx, "theirs", "mldsa65", 100);
    fx_leaf(fx, ours, "srv", "mldsa65", PKI_SERVER);
    assert_int_equal(fx_run(fx, "cat theirs.pem ours.pem > both.pem"), 0);
    check("srv.pem", "ours.pem", PKI_SERVER, NOW, 0, NULL);
    check("srv.pem", "both.pem", PKI_SERVER, NOW, 0, NULL);
    check("srv.pem", "theirs.pem", PKI_SERVER, NOW, ERR_MISMATCH,
          "srv.pem does not verify with the roots in theirs.pem");
    check("srv.pem", "ours.pem", PKI_CLIENT, NOW, ERR_MISMATCH, "purpose");
    check("srv.pem", "ours.pem", PKI_SERVER, NOW + 31 * DAY, ERR_MISMATCH, "expired");
    check("srv.pem", "missing.pem", PKI_SERVER, NOW, ERR_NOT_FOUND, "missing.pem");
}

/* Another root of the same name must not do. */
static void a_name_is_not_a_key(void **state)
{
    struct fixture *fx = *state;
    auto_ca struct pki_ca *real = fx_root(fx, "same", "mldsa44", 100);
    fx_leaf(fx, real, "leaf", "mldsa44", PKI_SERVER);
    assert_int_equal(fx_run(fx, "mv same.pem real.pem; mv same.key real.key"), 0);
    auto_ca struct pki_ca *forged = fx_root(fx, "same", "mldsa44", 100);
    check("leaf.pem", "real.pem", PKI_SERVER, NOW, 0, NULL);
    check("leaf.pem", "same.pem", PKI_SERVER, NOW, ERR_MISMATCH, NULL);
}

static void refuse(struct fixture *fx, const char *cert, const char *roots, enum pki_purpose purpose,
                   int64_t now, int code, const char *part)
{
    struct err e = {0};
    struct pki_cert c = {.serial = "before"};
    if (pki_cert_verify(fx_read(fx, cert), roots, purpose, now, &c, &e) != code ||
        strstr(e.text, part) == NULL)
        fail_msg("%s with %s: \"%s\"", cert, roots, e.text);
    assert_string_equal(c.serial, "before");
}

static void a_verified_certificate_knows_its_issuer(void **state)
{
    struct fixture *fx = *state;
    struct err e = {0};
    struct pki_cert c;
    auto_ca struct pki_ca *mine = fx_root(fx, "mine", "mldsa44", 100),
                          *foe = fx_root(fx, "foe", "mldsa44", 100);
    struct pki_cert made = fx_leaf(fx, mine, "op", "mldsa44", PKI_CLIENT);
    assert_string_not_equal(pki_ca_key_id(mine), pki_ca_key_id(foe));
    assert_int_equal(pki_cert_verify(fx_read(fx, "op.pem"), "mine.pem", PKI_CLIENT, NOW, &c, &e), 0);
    assert_string_equal(c.issuer_key, pki_ca_key_id(mine));
    assert_string_equal(c.serial, made.serial);
    refuse(fx, "op.pem", "foe.pem", PKI_CLIENT, NOW, ERR_MISMATCH, "unable to get local issuer");
    refuse(fx, "op.pem", "mine.pem", PKI_SERVER, NOW, ERR_INVALID, "exactly serverAuth");
    refuse(fx, "op.pem", "mine.pem", PKI_CLIENT, NOW - 1, ERR_MISMATCH, "not yet valid");
    refuse(fx, "op.pem", "mine.pem", PKI_CLIENT, NOW + 31 * DAY, ERR_MISMATCH, "expired");
    refuse(fx, "mine.pem", "mine.pem", PKI_CLIENT, NOW, ERR_INVALID, "clientAuth");
    refuse(fx, "op.key", "mine.pem", PKI_CLIENT, NOW, ERR_INVALID, "no certificate");
    refuse(fx, "op.pem", "op.key", PKI_CLIENT, NOW, ERR_INVALID, "no certificate");
}

/* Both usages at once would make one stolen key good for both. */
static void two_purposes_are_none(void **state)
{
    struct fixture *fx = *state;
    auto_ca struct pki_ca *ca = fx_root(fx, "two", "mldsa44", 3000);
    assert_int_equal(
        fx_run(fx, "openssl req -new -newkey ML-DSA-44 -nodes -keyout t.key -out t.csr -subj /CN=t && "
                   "printf 'extendedKeyUsage=clientAuth,serverAuth\\n' > t.ext && "
                   "openssl x509 -req -in t.csr -CA two.pem -CAkey two.key -not_before 20261101000000Z "
                   "-not_after 20270101000000Z -extfile t.ext -out t.pem"),
        0);
    refuse(fx, "t.pem", "two.pem", PKI_CLIENT, NOW, ERR_INVALID, "exactly clientAuth");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_its_own_root_will_do),
        cmocka_unit_test(a_name_is_not_a_key),
        cmocka_unit_test(a_verified_certificate_knows_its_issuer),
        cmocka_unit_test(two_purposes_are_none),
    };
    return cmocka_run_group_tests(tests, fx_setup, fx_teardown);
}
