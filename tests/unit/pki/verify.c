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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_its_own_root_will_do),
        cmocka_unit_test(a_name_is_not_a_key),
    };
    return cmocka_run_group_tests(tests, fx_setup, fx_teardown);
}
