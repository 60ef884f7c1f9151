/* What browsers are served: two certificates on one listener. */
#include "tls_test.h"

#include <string.h>
#include <unistd.h>

#include "tls_fixture.h"

static struct tls_config browser_config(const struct ident **ec_out)
{
    struct ident *ca =
        fixture_make("b-ca", NULL, &(struct cert_spec){.alg = "P-256", .cn = "EC CA", .ca = true});
    struct ident *id = fixture_make(
        "b-id", ca,
        &(struct cert_spec){.alg = "P-256", .cn = "console", .san = "DNS:localhost", .eku = "serverAuth"});
    *ec_out = id;
    return (struct tls_config){.role = TLS_SERVER,
                               .policy = "browser",
                               .cert_file = id->cert_file,
                               .key_file = id->key_file,
                               .second_cert_file = server_id->cert_file,
                               .second_key_file = server_id->key_file,
                               .verify = TLS_INSECURE_NO_VERIFY};
}

/* A browser gets what it knows, and who knows ML-DSA alone gets that; without ML-KEM nobody gets in. */
static void browsers_get_a_certificate_that_they_know(void **state)
{
    (void)state;
    const struct ident *ec;
    const struct tls_config sc = browser_config(&ec);
    static const char *const rows[][2] = {
        {"mldsa44:mldsa65:mldsa87:ecdsa_secp256r1_sha256", "ecdsa_secp256r1_sha256"},
        {"ecdsa_secp256r1_sha256", "ecdsa_secp256r1_sha256"},
        {"mldsa65", "mldsa65"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int fd[2];
        socket_pair(fd);
        SSL_CTX *ctx;
        SSL *ssl = foreign_client(NULL, "X25519MLKEM768", rows[i][0], fd[1], &ctx);
        struct err e = {0};
        if (serve_foreign(&sc, ssl, fd[0], &e) != TLS_DONE)
            fail_msg("%s", e.text);
        const char *name = NULL;
        assert_int_equal(SSL_do_handshake(ssl), 1);
        assert_int_equal(SSL_get0_peer_signature_name(ssl, &name), 1);
        assert_string_equal(name, rows[i][1]);
        SSL_free(ssl);
        SSL_CTX_free(ctx);
        close(fd[0]);
        close(fd[1]);
    }
    foreign_is_refused(&sc, NULL, "X25519:secp256r1", NULL, 0, "no post-quantum key exchange");
    foreign_is_refused(&sc, NULL, NULL, NULL, TLS1_2_VERSION, "the client");
}

static void two_certificates_are_of_two_kinds(void **state)
{
    (void)state;
    const struct ident *ec;
    struct tls_config sc = browser_config(&ec);
    struct tls_ctx *ctx = NULL;
    struct err e = {0};
    sc.second_cert_file = ec->cert_file;
    sc.second_key_file = ec->key_file;
    assert_int_equal(tls_ctx_new(&sc, &ctx, &e), ERR_INVALID);
    assert_says(e.text, "are of one kind");
    sc.second_key_file = NULL;
    assert_int_equal(tls_ctx_new(&sc, &ctx, &e), ERR_INVALID);
    assert_says(e.text, "together or not at all");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(browsers_get_a_certificate_that_they_know),
        cmocka_unit_test(two_certificates_are_of_two_kinds),
    };
    return cmocka_run_group_tests(tests, fixture_group_start, fixture_group_stop);
}
