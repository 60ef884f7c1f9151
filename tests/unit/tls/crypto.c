#include "tls/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>

#include "lattice/lattice.h"

static const char *const keys[] = {"ML-KEM-512",     "ML-KEM-768",        "ML-KEM-1024",
                                   "X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024"};

/* Every key exchange that a context with this query makes is this provider's, and the rest is OpenSSL's. */
static void all_of(enum tls_crypto crypto, const char *provider)
{
    struct err e = {0};
    const char *query = NULL;
    assert_int_equal(tls_crypto_query(crypto, &query, &e), 0);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        EVP_KEYMGMT *found = EVP_KEYMGMT_fetch(NULL, keys[i], query);
        assert_non_null(found);
        assert_string_equal(OSSL_PROVIDER_get0_name(EVP_KEYMGMT_get0_provider(found)), provider);
        EVP_KEYMGMT_free(found);
    }
    EVP_MD *md = EVP_MD_fetch(NULL, "SHA2-256", query);
    assert_non_null(md);
    assert_string_equal(OSSL_PROVIDER_get0_name(EVP_MD_get0_provider(md)), "default");
    EVP_MD_free(md);
    SSL_CTX *ssl = SSL_CTX_new_ex(NULL, query, TLS_server_method());
    assert_non_null(ssl);
    assert_int_equal(SSL_CTX_set1_groups_list(ssl, "X25519MLKEM768:MLKEM512:MLKEM768:MLKEM1024:"
                                                   "SecP256r1MLKEM768:SecP384r1MLKEM1024"),
                     1);
    SSL_CTX_free(ssl);
}

static void what_is_asked_for_is_what_is_found(void **state)
{
    (void)state;
    const char *best = lattice_code(0)->name;
    bool pays = strcmp(best, "portable") != 0;
    assert_null(tls_crypto_trouble());
    all_of(TLS_CRYPTO_OPENSSL, "default");
    all_of(TLS_CRYPTO_LATTICE, "pqlattice");
    all_of(TLS_CRYPTO_AUTO, pays ? "pqlattice" : "default");
    all_of(TLS_CRYPTO_OPENSSL, "default"); /* also once the other is loaded */
    assert_string_equal(tls_crypto_name(TLS_CRYPTO_OPENSSL), "openssl");
    assert_string_equal(tls_crypto_name(TLS_CRYPTO_LATTICE), best);
    assert_string_equal(tls_crypto_name(TLS_CRYPTO_AUTO), pays ? best : "openssl");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_asked_for_is_what_is_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
