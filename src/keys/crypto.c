/* The trust code's crypto by OpenSSL: signatures checked by raw public keys, hashes. */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "keys/internal.h"

static const struct keys_kind kinds[] = {
    {TRUST_ML_DSA_44, "ML-DSA-44", NULL, NULL, 0},
    {TRUST_ML_DSA_65, "ML-DSA-65", NULL, NULL, 0},
    {TRUST_ML_DSA_87, "ML-DSA-87", NULL, NULL, 0},
    {TRUST_ED25519, "ED25519", NULL, NULL, 0},
    {TRUST_ECDSA_P256, "EC", "prime256v1", "SHA256", 0},
    {TRUST_RSA_PSS, "RSA", NULL, "SHA256", RSA_PKCS1_PSS_PADDING},
    {TRUST_RSA_PKCS1, "RSA", NULL, "SHA256", RSA_PKCS1_PADDING},
};

const struct keys_kind *keys_kind_of(enum trust_scheme scheme)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].scheme == scheme)
            return &kinds[i];
    return NULL;
}

/* A curve by its name, not by parameters that look like it. */
static bool is_group(EVP_PKEY *key, const char *group)
{
    char name[32];
    int explicit = 0;
    if (EVP_PKEY_get_group_name(key, name, sizeof name, NULL) != 1 || strcmp(name, group) != 0)
        return false;
    return EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &explicit) != 1 ||
           explicit == 0;
}

bool keys_kind_fits(const struct keys_kind *kind, EVP_PKEY *key)
{
    if (EVP_PKEY_is_a(key, kind->type) != 1)
        return false;
    if (kind->group != NULL)
        return is_group(key, kind->group);
    int bits = EVP_PKEY_get_bits(key);
    return kind->rsa_padding == 0 || (bits >= KEYS_RSA_BITS_MIN && bits <= KEYS_RSA_BITS_MAX);
}

int keys_pad(const struct keys_kind *kind, EVP_PKEY_CTX *ctx, int salt)
{
    if (kind->rsa_padding == 0)
        return 1;
    if (EVP_PKEY_CTX_set_rsa_padding(ctx, kind->rsa_padding) != 1)
        return 0;
    if (kind->rsa_padding != RSA_PKCS1_PSS_PADDING)
        return 1;
    return EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, salt) == 1;
}

/* NULL: these bytes are no key of that kind. */
static EVP_PKEY *read_key(const struct keys_kind *kind, const void *bytes, size_t n)
{
    if (n == 0 || n > TRUST_SPKI_MAX)
        return NULL;
    if (kind->digest == NULL)
        return EVP_PKEY_new_raw_public_key_ex(NULL, kind->type, NULL, bytes, n);
    const unsigned char *p = bytes;
    auto_pkey EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)n);
    if (key == NULL || p != (const unsigned char *)bytes + n || !keys_kind_fits(kind, key))
        return NULL;
    return take_ptr(key);
}

static int check(const struct keys_kind *kind, EVP_PKEY *key, const void *msg, size_t msg_n, const void *sig,
                 size_t sig_n)
{
    auto_md_ctx EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL;
    if (ctx == NULL || EVP_DigestVerifyInit_ex(ctx, &pctx, kind->digest, NULL, NULL, key, NULL) != 1)
        return ERR_CRYPTO;
    /* Whoever signs chooses the salt's length (RFC 8017 section 9.1); it is told from the signature. */
    if (keys_pad(kind, pctx, RSA_PSS_SALTLEN_AUTO) != 1)
        return ERR_CRYPTO;
    return EVP_DigestVerify(ctx, sig, sig_n, msg, msg_n) == 1 ? 0 : ERR_MISMATCH;
}

/* ML-DSA: FIPS 204 algorithm 3, pure, with the empty context, which is OpenSSL's default. */
static int verify(void *ctx, enum trust_scheme scheme, const void *key, size_t key_n, const void *msg,
                  size_t msg_n, const void *sig, size_t sig_n)
{
    (void)ctx;
    const struct keys_kind *kind = keys_kind_of(scheme);
    if (kind == NULL)
        return ERR_UNSUPPORTED;
    auto_pkey EVP_PKEY *pkey = read_key(kind, key, key_n);
    int rc = pkey != NULL ? check(kind, pkey, msg, msg_n, sig, sig_n) : ERR_MISMATCH;
    ERR_clear_error();
    return rc;
}

static int hash(void *ctx, enum trust_hash which, const void *data, size_t n, unsigned char *out)
{
    (void)ctx;
    const EVP_MD *md = which == TRUST_SHA256 ? EVP_sha256() : EVP_sha512();
    if (EVP_Digest(data, n, out, NULL, md, NULL) == 1)
        return 0;
    ERR_clear_error();
    return ERR_CRYPTO;
}

const struct trust_crypto keys_crypto = {.ctx = NULL, .verify = verify, .hash = hash};
