/* Requests: ours are read by openssl and openssl's by us; only the key counts; anything changed is refused.
 */
#include "fixture.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse(struct str pem, struct err *e)
{
    struct pki_csr *csr = NULL;
    int rc = pki_csr_parse(pem, &csr, e);
    assert_true((rc == 0) == (csr != NULL));
    pki_csr_free(csr);
    return rc;
}

static struct str make(struct fixture *fx, const char *algorithm)
{
    struct err e = {0};
    struct str pem;
    auto_key EVP_PKEY *key = fx_key(algorithm);
    if (pki_csr_make(key, "gw-1", &fx->arena, &pem, &e) != 0)
        fail_msg("%s", e.text);
    return pem;
}

static void ours_satisfies_openssl(void **state)
{
    static const char *const kinds[] = {"mldsa44", "mldsa65", "mldsa87"};
    for (size_t i = 0; i < 3; i++) {
        struct err e = {0};
        struct str pem = make(*state, kinds[i]);
        fx_write("ours.csr", pem);
        assert_int_equal(fx_run(*state, "openssl req -in ours.csr -noout -verify -subject"), 0);
        fx_expect(*state, "verify OK");
        fx_expect(*state, "CN=gw-1");
        assert_int_equal(parse(pem, &e), 0);
    }
}

static void openssls_gives_its_key_and_nothing_else(void **state)
{
    struct fixture *fx = *state;
    struct err e = {0};
    auto_csr struct pki_csr *csr = NULL;
    auto_ca struct pki_ca *ca = fx_root(fx, "csr-root", "mldsa65", 100);
    assert_int_equal(fx_run(fx,
                            "openssl req -new -newkey ML-DSA-65 -nodes -keyout their.key -out their.csr "
                            "-subj '/CN=admin/O=Evil' -addext basicConstraints=critical,CA:TRUE "
                            "-addext subjectAltName=DNS:evil.example -addext extendedKeyUsage=serverAuth && "
                            "openssl pkey -in their.key -pubout -outform DER | sha256sum | cut -c1-64"),
                     0);
    struct str pem = fx_read(fx, "their.csr");
    assert_int_equal(pki_csr_parse(pem, &csr, &e), 0);
    fx_expect(fx, pki_csr_key_id(csr));
    assert_int_equal(strlen(pki_csr_key_id(csr)), 64);

    struct pki_issue what = {
        .purpose = PKI_CLIENT, .common_name = "gw-1", .not_before = NOW, .not_after = NOW + DAY};
    struct pki_cert cert;
    assert_int_equal(pki_issue_cert(ca, csr, NULL, &what, &fx->arena, &pem, &cert, &e), 0);
    assert_string_equal(cert.key_id, pki_csr_key_id(csr));
    fx_write("their.pem", pem);
    assert_int_equal(fx_run(fx, "openssl x509 -in their.pem -noout -text"), 0);
    fx_expect(fx, "Subject: CN=gw-1\n");
    fx_expect(fx, "CA:FALSE");
    fx_expect(fx, "TLS Web Client Authentication\n");
    assert_null(strstr(fx->out, "vil"));
    assert_null(strstr(fx->out, "Server Authentication"));
}

/* Base64 text of changed DER, so that the damage is in the request and not in its wrapping. */
static struct str pem_of(struct fixture *fx, const unsigned char *der, int n)
{
    unsigned char *text = arena_alloc(&fx->arena, (size_t)n * 2);
    assert_non_null(text);
    EVP_EncodeBlock(text, der, n);
    struct buf b;
    buf_init(&b, 1u << 20);
    int rc = buf_printf(&b, "-----BEGIN CERTIFICATE REQUEST-----\n");
    size_t length = strlen((char *)text);
    for (size_t i = 0; rc == 0 && i < length; i += 64)
        rc = buf_printf(&b, "%.64s\n", (char *)text + i);
    if (rc == 0)
        rc = buf_printf(&b, "-----END CERTIFICATE REQUEST-----\n");
    assert_int_equal(rc, 0);
    struct str pem = {.p = arena_dup_str(&fx->arena, buf_str(&b)), .n = b.n};
    buf_fini(&b);
    return pem;
}

static void every_changed_byte_is_noticed(void **state)
{
    struct fixture *fx = *state;
    struct err e = {0};
    struct arena mark = fx->arena;
    arena_init(&fx->arena, mark.max);
    fx_write("base.csr", make(fx, "mldsa44"));
    assert_int_equal(fx_run(fx, "openssl req -in base.csr -outform DER -out base.der"), 0);
    struct str der = fx_read(fx, "base.der");
    unsigned char *copy = malloc(der.n + 1);
    assert_non_null(copy);
    memcpy(copy, der.p, der.n);
    assert_int_equal(parse(pem_of(fx, copy, (int)der.n), &e), 0);
    for (size_t i = 0; i < der.n; i += i < 64 ? 1 : 41) {
        copy[i] ^= 0x01;
        if (parse(pem_of(fx, copy, (int)der.n), &e) == 0)
            fail_msg("byte %zu of %zu can be changed", i, der.n);
        copy[i] ^= 0x01;
    }
    /* One byte more, one less. */
    copy[der.n] = 0;
    assert_int_equal(parse(pem_of(fx, copy, (int)der.n + 1), &e), ERR_INVALID);
    assert_int_equal(parse(pem_of(fx, copy, (int)der.n - 1), &e), ERR_INVALID);
    free(copy);
    arena_fini(&fx->arena);
    fx->arena = mark;
}

/* The public key of one request with the signature of another. */
static void a_key_that_is_not_held(void **state)
{
    struct fixture *fx = *state;
    struct err e = {0};
    fx_write("a.csr", make(fx, "mldsa44"));
    fx_write("b.csr", make(fx, "mldsa44"));
    assert_int_equal(fx_run(fx, "openssl req -in a.csr -outform DER -out a.der && "
                                "openssl req -in b.csr -outform DER -out b.der"),
                     0);
    struct str a = fx_read(fx, "a.der"), b = fx_read(fx, "b.der");
    assert_int_equal(a.n, b.n);
    unsigned char *mixed = arena_alloc(&fx->arena, a.n);
    assert_non_null(mixed);
    memcpy(mixed, a.p, a.n);
    memcpy(mixed + a.n - 2420, b.p + b.n - 2420, 2420); /* FIPS 204 table 2: size of an ML-DSA-44 signature */
    assert_int_equal(parse(pem_of(fx, mixed, (int)a.n), &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "not signed by the key"));
}

static void other_kinds_of_keys(void **state)
{
    static const char *const kinds[] = {"RSA:2048", "EC -pkeyopt ec_paramgen_curve:P-256", "ED25519",
                                        "SLH-DSA-SHA2-128f"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct err e = {0};
        assert_int_equal(
            fx_run(*state, "openssl req -new -newkey %s -nodes -keyout other.key -out other.csr -subj /CN=x",
                   kinds[i]),
            0);
        int rc = parse(fx_read(*state, "other.csr"), &e);
        /* SLH-DSA makes a request larger than any that is allowed. */
        assert_true(rc == ERR_INVALID || rc == ERR_TOO_LARGE);
    }
}

static void wrapping(void **state)
{
    struct fixture *fx = *state;
    struct err e = {0};
    struct str good = make(fx, "mldsa44");
    struct arena *a = &fx->arena;
    auto_ca struct pki_ca *ca = fx_root(fx, "wrapping", "mldsa44", 10);
    const char *cert = fx_read(fx, "wrapping.pem").p, *key = fx_read(fx, "wrapping.key").p;

    assert_int_equal(parse(str_of(arena_printf(a, "\r\n \t%s\n\n", good.p)), &e), 0);
    const char *const bad[] = {
        "",
        "garbage",
        "-----BEGIN CERTIFICATE REQUEST-----\n",
        "-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        "-----END CERTIFICATE REQUEST-----\n-----BEGIN CERTIFICATE REQUEST-----\n",
        arena_printf(a, "%s%s", good.p, good.p),
        arena_printf(a, "%s%s", cert, good.p),
        arena_printf(a, "%s%s", good.p, key),
        arena_printf(a, "-----BEGIN CERTIFICATE REQUEST-----\n%s", good.p),
        arena_printf(a, "x%s", good.p),
        arena_printf(a, "%sx", good.p),
        cert,
        key,
        /* OpenSSL would ask the terminal for a passphrase. */
        arena_printf(a,
                     "-----BEGIN CERTIFICATE REQUEST-----\nProc-Type: 4,ENCRYPTED\n"
                     "DEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF\n\n%s",
                     strchr(good.p, '\n') + 1),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (parse(str_of(bad[i]), &e) != ERR_INVALID)
            fail_msg("bad request %zu: %s", i, e.text);
    assert_int_equal(parse((struct str){.p = NULL, .n = 0}, &e), ERR_INVALID);
    struct str nul = {.p = arena_dup(a, good.p, good.n + 1), .n = good.n + 1};
    assert_int_equal(parse(nul, &e), ERR_INVALID);
    char *huge = arena_alloc(a, PKI_CSR_MAX + 1);
    assert_non_null(huge);
    memset(huge, '\n', PKI_CSR_MAX + 1);
    assert_int_equal(parse((struct str){.p = huge, .n = PKI_CSR_MAX + 1}, &e), ERR_TOO_LARGE);
}

static void a_name_that_cannot_be(void **state)
{
    struct fixture *fx = *state;
    struct err e = {0};
    struct str pem = {0};
    auto_key EVP_PKEY *key = fx_key("mldsa44");
    char longest[66];
    memset(longest, 'x', sizeof longest - 1);
    longest[65] = '\0';
    assert_int_equal(pki_csr_make(key, "", &fx->arena, &pem, &e), ERR_INVALID);
    assert_int_equal(pki_csr_make(key, longest, &fx->arena, &pem, &e), ERR_INVALID);
    assert_int_equal(pki_csr_make(key,
                                  "a\x01"
                                  "b",
                                  &fx->arena, &pem, &e),
                     ERR_INVALID);
    assert_null(pem.p);
    longest[64] = '\0';
    assert_int_equal(pki_csr_make(key, longest, &fx->arena, &pem, &e), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ours_satisfies_openssl),
        cmocka_unit_test(openssls_gives_its_key_and_nothing_else),
        cmocka_unit_test(every_changed_byte_is_noticed),
        cmocka_unit_test(a_key_that_is_not_held),
        cmocka_unit_test(other_kinds_of_keys),
        cmocka_unit_test(wrapping),
        cmocka_unit_test(a_name_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, fx_setup, fx_teardown);
}
