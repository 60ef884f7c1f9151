/* A context's own files: each fault has its own error, which names the file. */
#include <openssl/pem.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tls_test.h"

static void refuses(const struct tls_config *c, int code, const char *file, const char *text)
{
    struct tls_ctx *ctx = NULL;
    struct err e = {0};
    int rc = tls_ctx_new(c, &ctx, &e);
    assert_null(ctx);
    if (rc != code)
        fail_msg("code %d, not %d: %s", rc, code, e.text);
    if (file != NULL)
        assert_says(e.text, file);
    assert_says(e.text, text);
}

static struct tls_config with(const char *cert, const char *key)
{
    struct tls_config c = server_config();
    c.cert_file = cert;
    c.key_file = key;
    return c;
}

static void unreadable_files(void **state)
{
    (void)state;
    struct tls_config c = with("/nowhere/x.pem", server_id->key_file);
    refuses(&c, ERR_NOT_FOUND, "/nowhere/x.pem", "No such file");
    c = with(server_id->cert_file, "/nowhere/x.key");
    refuses(&c, ERR_NOT_FOUND, "/nowhere/x.key", "No such file");
    c = server_config();
    c.ca_file = "/nowhere/ca.pem";
    refuses(&c, ERR_NOT_FOUND, "/nowhere/ca.pem", "No such file");
    c = with(fixture_path("."), server_id->key_file);
    refuses(&c, ERR_INVALID, "/.", "not a regular file");
    c = with(server_id->cert_file, "pkcs11:token=none");
    refuses(&c, ERR_CRYPTO, "pkcs11:token=none", "cannot open the key");
}

static void files_with_something_else_in_them(void **state)
{
    (void)state;
    static const char broken[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const char *empty = fixture_file("empty", "", 0);
    const char *text = fixture_file("text", "hello\n", 6);
    const char *bad = fixture_file("bad.pem", broken, sizeof broken - 1);
    struct tls_config c = with(empty, server_id->key_file);
    refuses(&c, ERR_INVALID, empty, "holds no certificate");
    c = with(server_id->key_file, server_id->key_file);
    refuses(&c, ERR_INVALID, server_id->key_file, "holds no certificate");
    c = with(bad, server_id->key_file);
    refuses(&c, ERR_INVALID, bad, "certificate 1 in");
    c = with(server_id->cert_file, text);
    refuses(&c, ERR_INVALID, text, "holds no private key");
    c = with(server_id->cert_file, empty);
    refuses(&c, ERR_INVALID, empty, "holds no private key");
    c = with(server_id->cert_file, server_id->cert_file);
    refuses(&c, ERR_INVALID, server_id->cert_file, "holds no private key");
    c = server_config();
    c.ca_file = text;
    refuses(&c, ERR_INVALID, text, "holds no certificate");
}

static void encrypted_key_is_not_asked_for_at_the_terminal(void **state)
{
    (void)state;
    const char *path = fixture_path("sealed.key");
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    char pass[] = "secret";
    assert_int_equal(PEM_write_PKCS8PrivateKey(f, server_id->key, EVP_aes_256_cbc(), pass, 6, NULL, NULL), 1);
    fclose(f);
    struct tls_config c = with(server_id->cert_file, path);
    refuses(&c, ERR_UNSUPPORTED, path, "is encrypted");
}

static void key_of_another_certificate(void **state)
{
    (void)state;
    struct tls_config c = with(server_id->cert_file, device_id->key_file);
    refuses(&c, ERR_MISMATCH, device_id->key_file, "does not belong to the certificate");
}

static void key_of_another_algorithm_than_asked(void **state)
{
    (void)state;
    struct tls_config c = server_config();
    c.sig = "mldsa87";
    refuses(&c, ERR_UNSUPPORTED, server_id->cert_file, "algorithm mldsa65, but mldsa87 was asked for");
    c = server_config();
    c.policy = "constrained";
    refuses(&c, ERR_UNSUPPORTED, server_id->cert_file, "algorithm mldsa65, but mldsa44 was asked for");
    struct ident *ec =
        fixture_make("ec", NULL, &(struct cert_spec){.alg = "P-256", .cn = "x", .eku = "serverAuth"});
    c = with(ec->cert_file, ec->key_file);
    refuses(&c, ERR_UNSUPPORTED, ec->cert_file,
            "algorithm ecdsa_secp256r1_sha256, but mldsa65 was asked for");
    struct ident *m44 = fixture_make("m44", NULL, &(struct cert_spec){.alg = "ML-DSA-44", .cn = "x"});
    c = with(server_id->cert_file, m44->key_file);
    refuses(&c, ERR_UNSUPPORTED, m44->key_file, "algorithm mldsa44, but mldsa65 was asked for");
}

static void expired_and_not_yet_valid(void **state)
{
    (void)state;
    struct cert_spec spec = {.cn = "old", .eku = "serverAuth,clientAuth", .from = -10 * DAY, .to = -DAY};
    struct ident *old = fixture_make("old", server_ca, &spec);
    spec.from = DAY, spec.to = 10 * DAY, spec.cn = "early";
    struct ident *early = fixture_make("early", server_ca, &spec);
    struct tls_config c = with(old->cert_file, old->key_file);
    refuses(&c, ERR_GONE, old->cert_file, "expired on 20");
    c.accept_expired_own = true; /* for clients alone */
    refuses(&c, ERR_GONE, old->cert_file, "expired on 20");
    c.own_at_any_time = true;
    tls_ctx_free(make_ctx(&c));
    c = with(early->cert_file, early->key_file);
    refuses(&c, ERR_INVALID, early->cert_file, "not valid before 20");
    c.own_at_any_time = true;
    tls_ctx_free(make_ctx(&c));

    struct tls_config cc = client_config();
    cc.cert_file = old->cert_file, cc.key_file = old->key_file;
    cc.own_at_any_time = true; /* for servers alone */
    refuses(&cc, ERR_GONE, old->cert_file, "expired");
    cc.accept_expired_own = true;
    tls_ctx_free(make_ctx(&cc));
    /* A board whose clock is behind: "not yet" is not believed, but the floor still ages certificates. */
    cc.cert_file = early->cert_file, cc.key_file = early->key_file;
    cc.clock_floor = (int64_t)time(NULL) + 2 * DAY;
    tls_ctx_free(make_ctx(&cc));
    cc.accept_expired_own = false;
    cc.clock_floor = (int64_t)time(NULL) + 20 * DAY;
    refuses(&cc, ERR_GONE, early->cert_file, "expired");
}

static void chain_in_the_wrong_order_or_without_usage(void **state)
{
    (void)state;
    const char *odd = fixture_concat("odd.pem", server_id->cert_file, device_ca->cert_file);
    struct tls_config c = with(odd, server_id->key_file);
    refuses(&c, ERR_INVALID, odd, "certificate 2");
    c = with(fixture_concat("full.pem", server_id->cert_file, server_ca->cert_file), server_id->key_file);
    tls_ctx_free(make_ctx(&c));
    c = with(device_id->cert_file, device_id->key_file);
    refuses(&c, ERR_INVALID, device_id->cert_file, "lacks the extended key usage serverAuth");
    struct ident *none = fixture_make("none", server_ca, &(struct cert_spec){.cn = "none"});
    c = with(none->cert_file, none->key_file);
    refuses(&c, ERR_INVALID, none->cert_file, "lacks the extended key usage serverAuth");
}

static void contradictory_configurations(void **state)
{
    (void)state;
    struct tls_config c = server_config();
    c.ca_file = NULL;
    refuses(&c, ERR_INVALID, NULL, "no CA file");
    c.verify = TLS_VERIFY_OPTIONAL;
    refuses(&c, ERR_INVALID, NULL, "no CA file");
    c.verify = TLS_INSECURE_NO_VERIFY;
    tls_ctx_free(make_ctx(&c));
    c.key_file = NULL;
    refuses(&c, ERR_INVALID, NULL, "a key file");
    c = client_config();
    c.verify = TLS_INSECURE_NO_VERIFY;
    refuses(&c, ERR_INVALID, NULL, "always verifies");
    c = client_config();
    c.key_file = NULL;
    refuses(&c, ERR_INVALID, NULL, "together");
    c = client_config();
    c.kem = "kyber";
    refuses(&c, ERR_INVALID, NULL, "\"kyber\" is not a key exchange");
    c = client_config();
    c.alpn = "a-protocol-with-a-name-far-too-long";
    refuses(&c, ERR_INVALID, NULL, "too long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unreadable_files),
        cmocka_unit_test(files_with_something_else_in_them),
        cmocka_unit_test(encrypted_key_is_not_asked_for_at_the_terminal),
        cmocka_unit_test(key_of_another_certificate),
        cmocka_unit_test(key_of_another_algorithm_than_asked),
        cmocka_unit_test(expired_and_not_yet_valid),
        cmocka_unit_test(chain_in_the_wrong_order_or_without_usage),
        cmocka_unit_test(contradictory_configurations),
    };
    return cmocka_run_group_tests(tests, fixture_group_start, fixture_group_stop);
}
