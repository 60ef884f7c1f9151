#include "tls/suite.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "tls/errtext.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

CLEANUP_DEFINE(mac, EVP_MAC, EVP_MAC_free);
CLEANUP_DEFINE(mac_ctx, EVP_MAC_CTX, EVP_MAC_CTX_free);

static const struct row {
    unsigned id;
    const char *name, *cipher, *digest;
    size_t secret_n, key_n;
    bool bounded;
} rows[] = {
    {0x1301, "TLS_AES_128_GCM_SHA256", "AES-128-GCM", "SHA2-256", 32, 16, true},
    {0x1302, "TLS_AES_256_GCM_SHA384", "AES-256-GCM", "SHA2-384", 48, 32, true},
    {0x1303, "TLS_CHACHA20_POLY1305_SHA256", "ChaCha20-Poly1305", "SHA2-256", 32, 32, false},
};

struct tls_suites {
    struct tls_suite row[COUNT(rows)];
};

void tls_suites_free(struct tls_suites *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < COUNT(rows); i++) {
        EVP_CIPHER_free(s->row[i].cipher);
        EVP_MD_free(s->row[i].digest);
        EVP_MAC_CTX_free(s->row[i].mac);
    }
    free(s);
}
CLEANUP_DEFINE(suites, struct tls_suites, tls_suites_free);

static EVP_MAC_CTX *make_mac(EVP_MAC *hmac, const char *digest)
{
    /* OpenSSL's parameters are not const; it only reads this one. */
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t)digest, 0),
        OSSL_PARAM_construct_end(),
    };
    CLEANUP(mac_ctx_cleanup) EVP_MAC_CTX *ctx = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;
    return ctx != NULL && EVP_MAC_CTX_set_params(ctx, params) == 1 ? take_ptr(ctx) : NULL;
}

int tls_suites_new(struct tls_suites **out, struct err *e)
{
    CLEANUP(suites_cleanup) struct tls_suites *s = calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a TLS context");
    char reason[TLS_REASON_MAX];
    CLEANUP(mac_cleanup) EVP_MAC *hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *r = &rows[i];
        struct tls_suite *suite = &s->row[i];
        *suite = (struct tls_suite){.id = r->id,
                                    .name = r->name,
                                    .cipher = EVP_CIPHER_fetch(NULL, r->cipher, NULL),
                                    .digest = EVP_MD_fetch(NULL, r->digest, NULL),
                                    .mac = make_mac(hmac, r->digest),
                                    .secret_n = r->secret_n,
                                    .key_n = r->key_n,
                                    .bounded = r->bounded};
        if (suite->cipher == NULL || suite->digest == NULL || suite->mac == NULL ||
            EVP_Digest("", 0, suite->of_nothing, NULL, suite->digest, NULL) != 1)
            return err_set(e, ERR_CRYPTO, "OpenSSL has not what %s needs: %s", r->name, tls_reason(reason));
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

const struct tls_suite *tls_suite_named(const struct tls_suites *s, struct str name)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (str_is(name, s->row[i].name))
            return &s->row[i];
    return NULL;
}
