#include "tls/suite.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tls/errtext.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

CLEANUP_DEFINE(kdf_ctx, EVP_KDF_CTX, EVP_KDF_CTX_free);

static const struct row {
    unsigned id;
    const char *cipher, *digest;
    size_t secret_n, key_n;
    bool bounded;
} rows[] = {
    {0x1301, "AES-128-GCM", "SHA2-256", 32, 16, true},
    {0x1302, "AES-256-GCM", "SHA2-384", 48, 32, true},
    {0x1303, "ChaCha20-Poly1305", "SHA2-256", 32, 32, false},
};

struct tls_suites {
    EVP_KDF *kdf;
    struct tls_suite row[COUNT(rows)];
};

void tls_suites_free(struct tls_suites *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < COUNT(rows); i++)
        EVP_CIPHER_free(s->row[i].cipher);
    EVP_KDF_free(s->kdf);
    free(s);
}
CLEANUP_DEFINE(suites, struct tls_suites, tls_suites_free);

int tls_suites_new(struct tls_suites **out, struct err *e)
{
    CLEANUP(suites_cleanup) struct tls_suites *s = calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a TLS context");
    char reason[TLS_REASON_MAX];
    s->kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_3_KDF, NULL);
    if (s->kdf == NULL)
        return err_set(e, ERR_CRYPTO, "OpenSSL derives no keys for TLS 1.3: %s", tls_reason(reason));
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *r = &rows[i];
        s->row[i] = (struct tls_suite){.id = r->id,
                                       .kdf = s->kdf,
                                       .digest = r->digest,
                                       .secret_n = r->secret_n,
                                       .key_n = r->key_n,
                                       .bounded = r->bounded,
                                       .cipher = EVP_CIPHER_fetch(NULL, r->cipher, NULL)};
        if (s->row[i].cipher == NULL)
            return err_set(e, ERR_CRYPTO, "OpenSSL has no %s: %s", r->cipher, tls_reason(reason));
    }
    *out = take_ptr(s);
    return 0;
}

const struct tls_suite *tls_suite_of(const struct tls_suites *s, unsigned id)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (s->row[i].id == id)
            return &s->row[i];
    return NULL;
}

int tls_expand(const struct tls_suite *suite, const unsigned char secret[TLS_SECRET_MAX], const char *label,
               unsigned char *out, size_t n)
{
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    /* OpenSSL's parameters are not const; it only reads these. */
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)suite->digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret, suite->secret_n),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, (void *)(uintptr_t)"tls13 ", 6),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, (void *)(uintptr_t)label, strlen(label)),
        OSSL_PARAM_construct_end(),
    };
    CLEANUP(kdf_ctx_cleanup) EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(suite->kdf);
    return ctx != NULL && EVP_KDF_derive(ctx, out, n, params) == 1 ? 0 : ERR_CRYPTO;
}
