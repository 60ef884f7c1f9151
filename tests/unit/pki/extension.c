/* Names in certificates: addresses and DNS names told apart, nothing else let in. */
#include "fixture.h"

#include <string.h>

static int issue(struct fixture *fx, struct pki_ca *ca, const char *const *names, struct str *pem,
                 struct err *e)
{
    auto_key EVP_PKEY *key = fx_key("mldsa44");
    struct pki_cert cert;
    struct pki_issue what = {.purpose = PKI_SERVER,
                             .common_name = "srv",
                             .names = names,
                             .not_before = NOW,
                             .not_after = NOW + DAY};
    return pki_issue_cert(ca, NULL, key, &what, &fx->arena, pem, &cert, e);
}

static void names_are_told_apart(void **state)
{
    static const char *const names[] = {"example.com", "*.example.com", "192.0.2.7",
                                        "2001:db8::1", "under_score",   NULL};
    struct fixture *fx = *state;
    struct err e = {0};
    struct str pem;
    auto_ca struct pki_ca *ca = fx_root(fx, "names", "mldsa44", 10);
    if (issue(fx, ca, names, &pem, &e) != 0)
        fail_msg("%s", e.text);
    fx_write("named.pem", pem);
    assert_int_equal(fx_run(fx, "openssl x509 -in named.pem -noout -ext subjectAltName"), 0);
    fx_expect(fx,
              "DNS:example.com, DNS:*.example.com, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:1, "
              "DNS:under_score");
    const char *const fits[] = {"-verify_hostname example.com", "-verify_hostname a.example.com",
                                "-verify_ip 192.0.2.7", "-verify_ip 2001:db8::1"};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(
            fx_run(fx, "openssl verify -attime " NOW_TEXT " -CAfile names.pem %s named.pem", fits[i]), 0);
    const char *const fits_not[] = {"-verify_hostname example.org", "-verify_hostname srv",
                                    "-verify_ip 192.0.2.8"};
    for (size_t i = 0; i < 3; i++)
        assert_int_not_equal(
            fx_run(fx, "openssl verify -attime " NOW_TEXT " -CAfile names.pem %s named.pem", fits_not[i]), 0);
}

static void what_is_no_name_is_refused(void **state)
{
    static const char *const bad[] = {
        "",   "a b", "a,DNS:b",         "a\nb",       "https://a", "a/b",  ".a", "-a", "a..b",
        "a*", "*",   "b.*.example.com", "1.2.3.4:80", "\xc3\xa4",  "[::1]"};
    struct fixture *fx = *state;
    struct err e = {0};
    auto_ca struct pki_ca *ca = fx_root(fx, "refusing", "mldsa44", 10);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *const names[] = {"good", bad[i], NULL};
        struct str pem = {0};
        if (issue(fx, ca, names, &pem, &e) != ERR_INVALID || pki_is_host(bad[i]))
            fail_msg("\"%s\" is taken for a name", bad[i]);
        assert_null(pem.p);
    }
    assert_true(pki_is_host("example.com"));
    assert_true(pki_is_host("::1"));
}

static void names_have_a_bound(void **state)
{
    struct fixture *fx = *state;
    struct err e = {0};
    struct str pem;
    const char *names[PKI_NAMES_MAX + 2];
    for (size_t i = 0; i <= PKI_NAMES_MAX; i++)
        names[i] = "a.example";
    names[PKI_NAMES_MAX + 1] = NULL;
    auto_ca struct pki_ca *ca = fx_root(fx, "many", "mldsa44", 10);
    assert_int_equal(issue(fx, ca, names, &pem, &e), ERR_TOO_LARGE);
    names[PKI_NAMES_MAX] = NULL;
    assert_int_equal(issue(fx, ca, names, &pem, &e), 0);
    char longest[256];
    memset(longest, 'a', sizeof longest);
    longest[254] = '\0';
    assert_false(pki_is_host(longest));
    longest[253] = '\0';
    assert_true(pki_is_host(longest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_told_apart),
        cmocka_unit_test(what_is_no_name_is_refused),
        cmocka_unit_test(names_have_a_bound),
    };
    return cmocka_run_group_tests(tests, fx_setup, fx_teardown);
}
