/* TLS 1.3 handshakes in memory with certificates of ML-DSA on both sides: who signed, who verified. */
#include "fixture.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

/* Signed by issuer, or by itself where that is NULL; by the provider of propq. */
static struct identity issue(const struct set *set, const char *name, const struct identity *issuer,
                             const char *propq)
{
    struct identity id = {.certificate = X509_new_ex(libctx, propq)};
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(libctx, set->name, propq);
    assert_int_equal(EVP_PKEY_keygen_init(c), 1);
    assert_int_equal(EVP_PKEY_generate(c, &id.key), 1);
    EVP_PKEY_CTX_free(c);
    X509 *x = id.certificate;
    X509_set_version(x, X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
                               -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(issuer != NULL ? issuer->certificate : x));
    X509_set_pubkey(x, id.key);
    if (issuer == NULL) {
        X509_EXTENSION *is_ca = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
        assert_int_equal(X509_add_ext(x, is_ca, -1), 1);
        X509_EXTENSION_free(is_ca);
    }
    EVP_MD_CTX *signer = EVP_MD_CTX_new();
    assert_int_equal(
        EVP_DigestSignInit_ex(signer, NULL, NULL, libctx, propq, issuer != NULL ? issuer->key : id.key, NULL),
        1);
    assert_true(X509_sign_ctx(x, signer) > 0);
    EVP_MD_CTX_free(signer);
    return id;
}

static void forget(struct identity *id)
{
    X509_free(id->certificate);
    EVP_PKEY_free(id->key);
}

/* The certificate as someone else's program reads it. */
static X509 *read_again(const X509 *certificate, const char *propq)
{
    unsigned char *der = NULL;
    int n = i2d_X509(certificate, &der);
    const unsigned char *p = der;
    X509 *x = X509_new_ex(libctx, propq);
    assert_non_null(d2i_X509(&x, &p, n));
    OPENSSL_free(der);
    return x;
}

static SSL_CTX *side(const char *propq, const SSL_METHOD *method, const struct identity *id, const X509 *ca,
                     const struct set *set)
{
    SSL_CTX *c = SSL_CTX_new_ex(libctx, propq, method);
    X509 *own = read_again(id->certificate, propq), *root = read_again(ca, propq);
    assert_non_null(c);
    assert_int_equal(SSL_CTX_use_certificate(c, own), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(c, id->key), 1);
    assert_int_equal(SSL_CTX_set1_sigalgs_list(c, set->scheme), 1);
    assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(c), root), 1);
    SSL_CTX_set_mode(c, SSL_MODE_NO_AUTO_CHAIN); /* or a side verifies its own certificate too */
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    X509_free(own);
    X509_free(root);
    return c;
}

static bool shake(SSL *server, SSL *client)
{
    int from_server = 0, from_client = 0;
    for (int i = 0; i < 20 && (from_server != 1 || from_client != 1); i++) {
        from_client = SSL_do_handshake(client);
        if (from_client != 1 && SSL_get_error(client, from_client) != SSL_ERROR_WANT_READ)
            return false;
        from_server = SSL_do_handshake(server);
        if (from_server != 1 && SSL_get_error(server, from_server) != SSL_ERROR_WANT_READ)
            return false;
    }
    return from_server == 1 && from_client == 1;
}

static void connect_both(SSL *server, SSL *client)
{
    BIO *a = BIO_new(BIO_s_mem()), *b = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(a, -1);
    BIO_set_mem_eof_return(b, -1);
    BIO_up_ref(a);
    BIO_up_ref(b);
    SSL_set_bio(server, a, b);
    SSL_set_bio(client, b, a);
    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
}

/* The keys are in whose provider's hands: only where both are ours is nothing imported. */
static void handshakes(const struct set *set, const char *keys, const char *server_propq,
                       const char *client_propq)
{
    struct identity ca = issue(set, "ca", NULL, keys), server_id = issue(set, "server", &ca, keys),
                    client_id = issue(set, "client", &ca, keys);
    SSL_CTX *s = side(server_propq, TLS_server_method(), &server_id, ca.certificate, set);
    SSL_CTX *c = side(client_propq, TLS_client_method(), &client_id, ca.certificate, set);
    int ours = (strcmp(server_propq, OURS) == 0) + (strcmp(client_propq, OURS) == 0);
    for (int i = 0; i < 3; i++) { /* later ones find what the first kept */
        SSL *server = SSL_new(s), *client = SSL_new(c);
        const char *scheme;
        int made = counts.made, verified = counts.verified;
        connect_both(server, client);
        if (!shake(server, client)) {
            ERR_print_errors_fp(stderr);
            fail_msg("%s, keys %s, server %s, client %s", set->name, keys, server_propq, client_propq);
        }
        assert_int_equal(SSL_get0_signature_name(server, &scheme), 1);
        assert_string_equal(scheme, set->scheme);
        assert_int_equal(SSL_get0_peer_signature_name(server, &scheme), 1);
        assert_string_equal(scheme, set->scheme);
        /* OpenSSL falls back to its own without a word. Each end signs once, and verifies two signatures: its
         * peer's and that of the peer's certificate. */
        assert_int_equal(counts.made - made, ours);
        assert_int_equal(counts.verified - verified, 2 * ours);
        SSL_free(server);
        SSL_free(client);
    }
    SSL_CTX_free(s);
    SSL_CTX_free(c);
    forget(&ca);
    forget(&server_id);
    forget(&client_id);
}

static void both_sides_sign_and_verify(void **state)
{
    static const char *const who[] = {OURS, THEIRS};
    (void)state;
    for (size_t i = 0; i < SETS; i++)
        for (int keys = 0; keys < 2; keys++)
            for (int server = 0; server < 2; server++)
                for (int client = 0; client < 2; client++)
                    handshakes(&sets[i], who[keys], who[server], who[client]);
}

static void another_issuer_is_refused(void **state)
{
    (void)state;
    const struct set *set = &sets[1];
    struct identity ca = issue(set, "ca", NULL, OURS), same_name = issue(set, "ca", NULL, OURS),
                    server_id = issue(set, "server", &same_name, OURS);
    SSL_CTX *s = side(OURS, TLS_server_method(), &server_id, same_name.certificate, set);
    SSL_CTX *c = side(OURS, TLS_client_method(), &server_id, ca.certificate, set);
    SSL *server = SSL_new(s), *client = SSL_new(c);
    connect_both(server, client);
    assert_false(shake(server, client));
    assert_int_equal(SSL_get_verify_result(client), X509_V_ERR_CERT_SIGNATURE_FAILURE);
    ERR_clear_error();
    SSL_free(server);
    SSL_free(client);
    SSL_CTX_free(s);
    SSL_CTX_free(c);
    forget(&ca);
    forget(&same_name);
    forget(&server_id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_sign_and_verify),
        cmocka_unit_test(another_issuer_is_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
