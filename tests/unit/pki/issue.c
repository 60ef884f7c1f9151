/* Roots and leaves, as openssl sees them. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

static void root_is_what_rfc_5280_asks(void **state)
{
    static const struct {
        const char *algorithm, *text;
    } kinds[] = {{"mldsa44", "Signature Algorithm: ML-DSA-44"},
                 {"mldsa65", "Signature Algorithm: ML-DSA-65"},
                 {"mldsa87", "Signature Algorithm: ML-DSA-87"},
                 {"p256", "Signature Algorithm: ecdsa-with-SHA256"}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char name[32];
        snprintf(name, sizeof name, "root-%s", kinds[i].algorithm);
        auto_ca struct pki_ca *ca = fx_root(*state, name, kinds[i].algorithm, 100);
        assert_int_equal(fx_run(*state, "openssl x509 -in %s.pem -noout -text", name), 0);
        fx_expect(*state, kinds[i].text);
        fx_expect(*state, "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0");
        fx_expect(*state, "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign\n");
        fx_expect(*state, "X509v3 Subject Key Identifier");
        fx_expect(*state, "Version: 3");
        assert_int_equal(fx_run(*state,
                                "openssl verify -x509_strict -check_ss_sig -attime " NOW_TEXT
                                " -CAfile %s.pem %s.pem",
                                name, name),
                         0);
    }
}

static void leaf_is_for_one_purpose(void **state)
{
    static const char *const kinds[] = {"mldsa44", "mldsa65", "mldsa87", "p256"};
    struct fixture *fx = *state;
    for (size_t i = 0; i < 4; i++) {
        char root[32];
        snprintf(root, sizeof root, "for-%s", kinds[i]);
        auto_ca struct pki_ca *ca = fx_root(fx, root, kinds[i], 100);
        assert_int_equal(fx_run(fx, "rm -f server.* client.*"), 0);
        fx_leaf(fx, ca, "server", kinds[i], PKI_SERVER);
        fx_leaf(fx, ca, "client", kinds[i], PKI_CLIENT);
        const char *verify =
            "openssl verify -x509_strict -attime " NOW_TEXT " -CAfile %s.pem -purpose %s %s.pem";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        assert_int_equal(fx_run(fx, verify, root, "sslserver", "server"), 0);
        assert_int_equal(fx_run(fx, verify, root, "sslclient", "client"), 0);
        assert_int_not_equal(fx_run(fx, verify, root, "sslclient", "server"), 0);
        fx_expect(fx, "unsuitable certificate purpose");
        assert_int_not_equal(fx_run(fx, verify, root, "sslserver", "client"), 0);
#pragma GCC diagnostic pop
    }
    assert_int_equal(fx_run(fx, "openssl x509 -in server.pem -noout -text"), 0);
    fx_expect(fx, "X509v3 Basic Constraints: critical\n                CA:FALSE\n");
    fx_expect(fx, "X509v3 Key Usage: critical\n                Digital Signature\n");
    fx_expect(fx, "X509v3 Extended Key Usage: \n                TLS Web Server Authentication\n");
    fx_expect(fx, "X509v3 Authority Key Identifier");
    fx_expect(fx, "Subject: CN=server\n");
    fx_expect(fx, "DNS:server"); /* a server without names has its own */
    assert_int_equal(fx_run(fx, "openssl x509 -in client.pem -noout -text"), 0);
    fx_expect(fx, "X509v3 Extended Key Usage: \n                TLS Web Client Authentication\n");
    assert_null(strstr(fx->out, "Subject Alternative Name"));
}

/* pathlen:0: a leaf that got hold of CA:TRUE elsewhere signs nothing that counts. */
static void a_leaf_signs_nothing(void **state)
{
    struct fixture *fx = *state;
    auto_ca struct pki_ca *ca = fx_root(fx, "top", "mldsa44", 100);
    struct err e = {0};
    struct pki_ca *none = NULL;
    fx_leaf(fx, ca, "middle", "mldsa44", PKI_SERVER);
    assert_int_equal(pki_ca_load("middle.pem", "middle.key", &none, &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "middle.pem"));
    assert_int_equal(
        fx_run(fx, "openssl req -new -newkey ML-DSA-44 -nodes -keyout low.key -out low.csr -subj /CN=low && "
                   "openssl x509 -req -in low.csr -CA middle.pem -CAkey middle.key -days 3000 -out low.pem"),
        0);
    assert_int_not_equal(
        fx_run(fx, "openssl verify -attime 1795100000 -CAfile top.pem -untrusted middle.pem low.pem"), 0);
}

static int issue(struct fixture *fx, struct pki_ca *ca, const char *cn, const char *const *names,
                 int64_t from, int64_t to, struct str *pem, struct pki_cert *cert, struct err *e)
{
    auto_key EVP_PKEY *key = fx_key("mldsa44");
    struct pki_issue what = {
        .purpose = PKI_SERVER, .common_name = cn, .names = names, .not_before = from, .not_after = to};
    return pki_issue_cert(ca, NULL, key, &what, &fx->arena, pem, cert, e);
}

static void life_is_cut_to_the_roots(void **state)
{
    struct fixture *fx = *state;
    struct err e = {0};
    struct str pem = {0};
    struct pki_cert cert = {0};
    auto_ca struct pki_ca *ca = fx_root(fx, "short", "mldsa44", 10);
    assert_int_equal(issue(fx, ca, "a", NULL, NOW, NOW + 365 * DAY, &pem, &cert, &e), 0);
    assert_int_equal(cert.not_before, NOW);
    assert_int_equal(cert.not_after, NOW + 9 * DAY);
    assert_int_equal(issue(fx, ca, "a", NULL, NOW - 365 * DAY, NOW, &pem, &cert, &e), 0);
    assert_int_equal(cert.not_before, NOW - DAY);
    struct str before = pem;
    assert_int_equal(issue(fx, ca, "a", NULL, NOW + 10 * DAY, NOW + 20 * DAY, &pem, &cert, &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "\"short\" ends 2026-11-27"));
    assert_ptr_equal(pem.p, before.p);
    assert_int_equal(issue(fx, ca, "a", NULL, NOW + DAY, NOW + DAY, &pem, &cert, &e), ERR_INVALID);
}

static void what_is_told_is_what_openssl_reads(void **state)
{
    struct fixture *fx = *state;
    auto_ca struct pki_ca *ca = fx_root(fx, "told", "mldsa44", 100);
    struct pki_cert cert = fx_leaf(fx, ca, "told-leaf", "mldsa44", PKI_CLIENT);
    assert_string_equal(cert.common_name, "told-leaf");
    assert_string_equal(cert.issuer_key, pki_ca_key_id(ca));
    assert_int_equal(cert.not_after, NOW + 30 * DAY);
    assert_int_equal(fx_run(fx, "openssl x509 -in told-leaf.pem -outform DER | sha256sum"), 0);
    fx_expect(fx, cert.fingerprint);
    assert_int_equal(
        fx_run(
            fx,
            "openssl x509 -in told-leaf.pem -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum"),
        0);
    fx_expect(fx, cert.key_id);
    assert_int_equal(
        fx_run(fx, "openssl x509 -in told.pem -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum"),
        0);
    fx_expect(fx, cert.issuer_key);
    assert_int_equal(
        fx_run(fx, "openssl x509 -in told-leaf.pem -noout -serial | tr A-F a-f | sed 's/^serial=0*//'"), 0);
    fx->out[strcspn(fx->out, "\n")] = '\0';
    assert_string_equal(fx->out, cert.serial);
}

static void serials_are_random(void **state)
{
    enum { COUNT = 64 };
    struct fixture *fx = *state;
    struct err e = {0};
    auto_ca struct pki_ca *ca = fx_root(fx, "serials", "mldsa44", 100);
    static struct pki_cert certs[COUNT];
    unsigned seen = 0;
    for (size_t i = 0; i < COUNT; i++) {
        struct str pem;
        assert_int_equal(issue(fx, ca, "a", NULL, NOW, NOW + DAY, &pem, &certs[i], &e), 0);
        size_t n = strlen(certs[i].serial);
        assert_in_range(n, 20, 32); /* 127 bits: fewer than 80 of them is as good as impossible */
        assert_true(certs[i].serial[0] != '0');
        if (n == 32) {
            assert_true(certs[i].serial[0] < '8'); /* positive */
            seen |= 1u << (certs[i].serial[0] - '0');
        }
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(certs[i].serial, certs[j].serial);
    }
    assert_true(seen != 0);
}

/* An authority under a root, as one with its root offline has: the leaf comes with what joins it to the root.
 */
static void intermediates_go_with_the_leaf(void **state)
{
    struct fixture *fx = *state;
    struct err e = {0};
    struct str pem;
    struct pki_cert cert;
    assert_int_equal(
        fx_run(
            fx,
            "openssl req -x509 -newkey ML-DSA-44 -nodes -keyout far.key -out far.pem -subj /CN=far -days "
            "3000 "
            "-addext keyUsage=critical,keyCertSign,cRLSign && "
            "openssl req -new -newkey ML-DSA-44 -nodes -keyout near.key -out near.csr -subj /CN=near && "
            "printf 'basicConstraints=critical,CA:TRUE,pathlen:0\\nkeyUsage=critical,keyCertSign,cRLSign\\n' "
            "> ext && "
            "openssl x509 -req -in near.csr -CA far.pem -CAkey far.key -days 2000 -extfile ext -out near.pem "
            "&& "
            "cat near.pem far.pem > chain.pem"),
        0);
    auto_ca struct pki_ca *ca = NULL;
    if (pki_ca_load("chain.pem", "near.key", &ca, &e) != 0)
        fail_msg("%s", e.text);
    assert_int_equal(issue(fx, ca, "leaf", NULL, 0, INT32_MAX, &pem, &cert, &e), 0);
    fx_write("leaf-chain.pem", pem);
    assert_int_equal(fx_run(fx, "grep -c BEGIN leaf-chain.pem"), 0);
    assert_string_equal(fx->out, "2\n");
    assert_int_equal(
        fx_run(fx,
               "openssl verify -purpose sslserver -CAfile far.pem -untrusted leaf-chain.pem leaf-chain.pem"),
        0);
}

static void root_lives_and_names_have_bounds(void **state)
{
    struct fixture *fx = *state;
    struct err e = {0};
    struct str pem = {0};
    auto_key EVP_PKEY *key = fx_key("mldsa44");
    assert_int_equal(pki_root_make(key, "x", 0, NOW, &fx->arena, &pem, &e), ERR_INVALID);
    assert_int_equal(pki_root_make(key, "x", 36501, NOW, &fx->arena, &pem, &e), ERR_INVALID);
    assert_int_equal(pki_root_make(key, "", 10, NOW, &fx->arena, &pem, &e), ERR_INVALID);
    assert_null(pem.p);
    /* Past 2049 the encoding of a time changes: RFC 5280 section 4.1.2.5. */
    struct pki_cert cert;
    assert_int_equal(pki_root_make(key, "x", 36500, NOW, &fx->arena, &pem, &e), 0);
    assert_int_equal(pki_cert_read(pem, &cert, &e), 0);
    assert_int_equal(cert.not_after, NOW + 36500LL * DAY);
    struct arena small;
    arena_init(&small, 1024);
    struct str none = {0};
    assert_int_equal(pki_root_make(key, "x", 10, NOW, &small, &none, &e), ERR_NOMEM);
    assert_null(none.p);
    arena_fini(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_is_what_rfc_5280_asks),
        cmocka_unit_test(leaf_is_for_one_purpose),
        cmocka_unit_test(a_leaf_signs_nothing),
        cmocka_unit_test(life_is_cut_to_the_roots),
        cmocka_unit_test(what_is_told_is_what_openssl_reads),
        cmocka_unit_test(serials_are_random),
        cmocka_unit_test(intermediates_go_with_the_leaf),
        cmocka_unit_test(root_lives_and_names_have_bounds),
    };
    return cmocka_run_group_tests(tests, fx_setup, fx_teardown);
}
