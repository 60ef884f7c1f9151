/* Revocation lists, judged by openssl. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

static struct str make(struct fixture *fx, struct pki_ca *ca, const struct pki_revoked *list, size_t count,
                       int64_t number)
{
    struct err e = {0};
    struct str pem;
    if (pki_crl_make(ca, list, count, number, NOW, NOW + DAY, &fx->arena, &pem, &e) != 0)
        fail_msg("%s", e.text);
    return pem;
}

static void the_revoked_and_nobody_else(void **state)
{
    static const char *const kinds[] = {"mldsa44", "mldsa65", "mldsa87", "p256"};
    struct fixture *fx = *state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(fx_run(fx, "rm -f *.pem *.key"), 0);
        auto_ca struct pki_ca *ca = fx_root(fx, "root", kinds[i], 100);
        struct pki_cert bad = fx_leaf(fx, ca, "bad", kinds[i], PKI_CLIENT);
        fx_leaf(fx, ca, "good", kinds[i], PKI_CLIENT);
        struct pki_revoked list[] = {{bad.serial, NOW - 60}, {"ff", NOW - 120}, {"1", NOW}};
        fx_write("list.pem", make(fx, ca, list, 3, 7));
        assert_int_equal(fx_run(fx, "openssl verify -x509_strict -attime " NOW_TEXT
                                    " -crl_check -CRLfile list.pem -CAfile root.pem good.pem"),
                         0);
        assert_int_not_equal(fx_run(fx, "openssl verify -attime " NOW_TEXT
                                        " -crl_check -CRLfile list.pem -CAfile root.pem bad.pem"),
                             0);
        fx_expect(fx, "certificate revoked");
        assert_int_equal(fx_run(fx, "openssl crl -in list.pem -noout -text -CAfile root.pem"), 0);
        fx_expect(fx, "verify OK");
        fx_expect(fx, "Version 2");
        fx_expect(fx, "X509v3 CRL Number: \n                7");
        fx_expect(fx, "X509v3 Authority Key Identifier");
        fx_expect(fx, "Last Update: Nov 18 11:06:40 2026 GMT");
        fx_expect(fx, "Next Update: Nov 19 11:06:40 2026 GMT");
        fx_expect(fx, "Serial Number: FF\n");
        fx_expect(fx, "Revocation Date: Nov 18 11:05:40 2026 GMT");
    }
}

static void an_empty_list_and_a_foreign_one(void **state)
{
    struct fixture *fx = *state;
    assert_int_equal(fx_run(fx, "rm -f *.pem *.key"), 0);
    auto_ca struct pki_ca *ca = fx_root(fx, "mine", "mldsa44", 100),
                          *other = fx_root(fx, "other", "mldsa44", 100);
    struct pki_cert leaf = fx_leaf(fx, ca, "leaf", "mldsa44", PKI_CLIENT);
    struct pki_revoked list[] = {{leaf.serial, NOW}};
    fx_write("empty.pem", make(fx, ca, NULL, 0, 0));
    assert_int_equal(fx_run(fx, "openssl verify -attime " NOW_TEXT
                                " -crl_check -CRLfile empty.pem -CAfile mine.pem leaf.pem"),
                     0);
    assert_int_equal(fx_run(fx, "openssl crl -in empty.pem -noout -text"), 0);
    fx_expect(fx, "No Revoked Certificates");
    /* Another authority's list says nothing about ours. */
    fx_write("foreign.pem", make(fx, other, list, 1, 1));
    assert_int_not_equal(fx_run(fx, "openssl verify -attime " NOW_TEXT
                                    " -crl_check -CRLfile foreign.pem -CAfile mine.pem leaf.pem"),
                         0);
    fx_expect(fx, "unable to get certificate CRL");
    assert_int_not_equal(
        fx_run(fx,
               "openssl verify -attime 1795200000 -crl_check -CRLfile empty.pem -CAfile mine.pem leaf.pem"),
        0);
    fx_expect(fx, "CRL has expired");
}

static void a_large_list(void **state)
{
    enum { COUNT = 5000 };
    struct fixture *fx = *state;
    static struct pki_revoked list[COUNT];
    static char serials[COUNT][33];
    for (int i = 0; i < COUNT; i++) {
        snprintf(serials[i], sizeof serials[i], "7%031x", (unsigned)(i * 7919) + 1);
        list[i] = (struct pki_revoked){.serial = serials[i], .revoked_at = NOW - i};
    }
    auto_ca struct pki_ca *ca = fx_root(fx, "large", "mldsa44", 100);
    fx_write("large-list.pem", make(fx, ca, list, COUNT, INT64_MAX));
    assert_int_equal(
        fx_run(fx, "openssl crl -in large-list.pem -noout -text -CAfile large.pem | grep -c 'Serial Number'"),
        0);
    fx_expect(fx, "verify OK\n5000\n");
}

static void what_makes_no_list(void **state)
{
    static const char *const bad[] = {"",   "0",    "000", "xyz",
                                      "-1", "0x12", "12 ", "12345678901234567890123456789012345678901"};
    struct fixture *fx = *state;
    struct err e = {0};
    struct str pem = {0};
    auto_ca struct pki_ca *ca = fx_root(fx, "strict", "mldsa44", 100);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pki_revoked one = {bad[i], NOW};
        if (pki_crl_make(ca, &one, 1, 1, NOW, NOW + 1, &fx->arena, &pem, &e) != ERR_INVALID)
            fail_msg("\"%s\" is taken for a serial number", bad[i]);
    }
    assert_int_equal(pki_crl_make(ca, NULL, 0, -1, NOW, NOW + 1, &fx->arena, &pem, &e), ERR_INVALID);
    assert_int_equal(pki_crl_make(ca, NULL, 0, 1, NOW, NOW, &fx->arena, &pem, &e), ERR_INVALID);
    assert_int_equal(pki_crl_make(ca, NULL, PKI_REVOKED_MAX + 1, 1, NOW, NOW + 1, &fx->arena, &pem, &e),
                     ERR_TOO_LARGE);
    assert_null(pem.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_revoked_and_nobody_else),
        cmocka_unit_test(an_empty_list_and_a_foreign_one),
        cmocka_unit_test(a_large_list),
        cmocka_unit_test(what_makes_no_list),
    };
    return cmocka_run_group_tests(tests, fx_setup, fx_teardown);
}
