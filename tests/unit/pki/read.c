/* What is read from certificates that others made, and whether a listener's files fit together. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

static void foreign_certificates(void **state)
{
    struct fixture *fx = *state;
    struct err e = {0};
    struct pki_cert c;
    assert_int_equal(
        fx_run(fx, "openssl req -x509 -newkey EC -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout f.key "
                   "-out f.pem -subj '/O=Org/CN=J\xc3\xb6rg' -utf8 -set_serial 0x00ab12 -days 3"),
        0);
    assert_int_equal(pki_cert_read(fx_read(fx, "f.pem"), &c, &e), 0);
    assert_string_equal(c.serial, "ab12");
    assert_string_equal(c.common_name, "J\xc3\xb6rg");
    assert_string_equal(c.issuer_key, "");
    assert_int_equal(
        fx_run(fx, "[ \"$(openssl x509 -in f.pem -outform DER | sha1sum | cut -c1-40)\" = %s ]", c.sha1), 0);
    assert_int_equal(c.not_after - c.not_before, 3 * DAY);

    const char *const no_name[] = {"/O=Org", "/CN=a/CN=b", "/CN=a\\x00b"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(fx_run(fx, "openssl req -x509 -key f.key -out g.pem -subj '%s' -days 3", no_name[i]),
                         0);
        assert_int_equal(pki_cert_read(fx_read(fx, "g.pem"), &c, &e), 0);
        assert_string_equal(c.common_name, "");
    }
    assert_int_equal(fx_run(fx, "openssl req -x509 -key f.key -out g.pem -subj /CN=x -set_serial -5 -days 3"),
                     0);
    struct pki_cert before = c;
    assert_int_equal(pki_cert_read(fx_read(fx, "g.pem"), &c, &e), ERR_UNSUPPORTED);
    assert_memory_equal(&before, &c, sizeof c);
}

static void what_is_no_certificate(void **state)
{
    struct fixture *fx = *state;
    struct err e = {0};
    struct pki_cert c;
    auto_ca struct pki_ca *ca = fx_root(fx, "cut", "mldsa44", 10);
    struct str good = fx_read(fx, "cut.pem");
    assert_int_equal(pki_cert_read(good, &c, &e), 0);
    const char *const bad[] = {"", "x", "-----BEGIN CERTIFICATE-----\n", fx_read(fx, "cut.key").p,
                               "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(pki_cert_read(str_of(bad[i]), &c, &e), ERR_INVALID);
    for (size_t n = 0; n < good.n - 20; n += 97)
        assert_int_equal(pki_cert_read((struct str){.p = good.p, .n = n}, &c, &e), ERR_INVALID);
}

static void bundles(void **state)
{
    struct fixture *fx = *state;
    struct err e = {0};
    const char **ids = NULL, **subjects = NULL;
    size_t count = 0;
    auto_ca struct pki_ca *old = fx_root(fx, "old", "mldsa44", 10), *new = fx_root(fx, "new", "mldsa65", 10);
    assert_int_equal(
        fx_run(fx, "{ echo '# old root'; cat old.pem; echo; echo '# new root'; cat new.pem; } > bundle.pem"),
        0);
    assert_int_equal(pki_bundle_roots("bundle.pem", &fx->arena, &subjects, &ids, &count, &e), 0);
    assert_int_equal(count, 2);
    assert_string_equal(subjects[0], "CN=old");
    assert_string_equal(subjects[1], "CN=new");
    assert_string_equal(ids[0], pki_ca_key_id(old));
    assert_string_equal(ids[1], pki_ca_key_id(new));
    assert_int_equal(pki_bundle_roots("missing.pem", &fx->arena, &subjects, &ids, &count, &e), ERR_NOT_FOUND);
    assert_int_equal(pki_bundle_key_ids("bundle.pem", &fx->arena, &ids, &count, &e), 0);
    assert_int_equal(count, 2);
    assert_string_equal(ids[0], pki_ca_key_id(old));
    assert_string_equal(ids[1], pki_ca_key_id(new));

    assert_int_equal(
        fx_run(fx, "cat old.pem > broken.pem; head -c 3000 new.pem >> broken.pem; "
                   "echo '-----END CERTIFICATE-----' >> broken.pem; echo nothing > none.pem; "
                   "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do cat old.pem; done > many.pem"),
        0);
    assert_int_equal(pki_bundle_key_ids("broken.pem", &fx->arena, &ids, &count, &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "certificate 2 of broken.pem"));
    assert_int_equal(pki_bundle_key_ids("none.pem", &fx->arena, &ids, &count, &e), ERR_INVALID);
    assert_int_equal(pki_bundle_key_ids("many.pem", &fx->arena, &ids, &count, &e), ERR_TOO_LARGE);
    assert_int_equal(pki_bundle_key_ids("missing.pem", &fx->arena, &ids, &count, &e), ERR_NOT_FOUND);
    assert_int_equal(count, 2);
}

static void check(const char *cert, const char *key, enum pki_purpose purpose, int64_t now, int code,
                  const char *part)
{
    struct err e = {0};
    struct pki_cert c;
    int rc = pki_files_check(cert, key, purpose, now, &c, &e);
    if (rc != code || (part != NULL && strstr(e.text, part) == NULL))
        fail_msg("%d and not %d, \"%s\"", rc, code, e.text);
}

static void files_that_do_not_fit(void **state)
{
    struct fixture *fx = *state;
    auto_ca struct pki_ca *ca = fx_root(fx, "fit", "mldsa44", 100);
    fx_leaf(fx, ca, "s", "mldsa44", PKI_SERVER);
    fx_leaf(fx, ca, "c", "mldsa44", PKI_CLIENT);
    check("s.pem", "s.key", PKI_SERVER, NOW, 0, NULL);
    check("c.pem", "c.key", PKI_CLIENT, NOW + 30 * DAY, 0, NULL);
    check("s.pem", "c.key", PKI_SERVER, NOW, ERR_MISMATCH, "c.key is not that of the certificate s.pem");
    check("c.pem", "c.key", PKI_SERVER, NOW, ERR_INVALID, "c.pem is not for a server");
    check("s.pem", "s.key", PKI_CLIENT, NOW, ERR_INVALID, "s.pem is not for a client");
    check("fit.pem", "fit.key", PKI_SERVER, NOW, ERR_INVALID, "not for a server");
    check("s.pem", "s.key", PKI_SERVER, NOW - 1, ERR_INVALID, "not valid before 2026-11-18T11:06:40");
    check("s.pem", "s.key", PKI_SERVER, NOW + 30 * DAY + 1, ERR_GONE, "expired at 2026-12-18");
    check("gone.pem", "s.key", PKI_SERVER, NOW, ERR_NOT_FOUND, "gone.pem");
    check("s.pem", "gone.key", PKI_SERVER, NOW, ERR_NOT_FOUND, "gone.key");
    check("s.key", "s.pem", PKI_SERVER, NOW, ERR_INVALID, "s.key holds no certificate");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_certificates),
        cmocka_unit_test(what_is_no_certificate),
        cmocka_unit_test(bundles),
        cmocka_unit_test(files_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, fx_setup, fx_teardown);
}
