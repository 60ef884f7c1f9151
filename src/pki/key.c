/* Private keys: made, named, saved. */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include "base/file.h"
#include "pki/internal.h"

static const struct {
    const char *name;
    const char *openssl; /* key type */
    const char *group;   /* for EC */
    bool mldsa;
} algorithms[] = {
    {"mldsa44", "ML-DSA-44", NULL, true},
    {"mldsa65", "ML-DSA-65", NULL, true},
    {"mldsa87", "ML-DSA-87", NULL, true},
    {"p256", "EC", "prime256v1", false},
};

static int find_algorithm(EVP_PKEY *key)
{
    for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++) {
        char group[32];
        if (EVP_PKEY_is_a(key, algorithms[i].openssl) != 1)
            continue;
        if (algorithms[i].group == NULL)
            return (int)i;
        if (EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 &&
            strcmp(group, algorithms[i].group) == 0)
            return (int)i;
    }
    return -1;
}

const char *pki_key_algorithm(EVP_PKEY *key)
{
    int i = find_algorithm(key);
    ERR_clear_error();
    return i >= 0 ? algorithms[i].name : "";
}

bool pki_key_is_mldsa(EVP_PKEY *key)
{
    int i = find_algorithm(key);
    ERR_clear_error();
    return i >= 0 && algorithms[i].mldsa;
}

const EVP_MD *pki_key_digest(EVP_PKEY *key)
{
    return pki_key_is_mldsa(key) ? NULL : EVP_sha256();
}

int pki_key_id(EVP_PKEY *key, char out[SHA256_HEX_SIZE], struct err *e)
{
    unsigned char *der = NULL, hash[SHA256_SIZE];
    int n = i2d_PUBKEY(key, &der);
    if (n <= 0)
        return pki_err(e, ERR_CRYPTO, "cannot encode a public key");
    bool ok = EVP_Digest(der, (size_t)n, hash, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    if (!ok)
        return pki_err(e, ERR_CRYPTO, "cannot hash a public key");
    hex_encode(hash, sizeof hash, out);
    return 0;
}

int pki_key_generate(const char *algorithm, EVP_PKEY **out, struct err *e)
{
    for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++) {
        if (strcmp(algorithm, algorithms[i].name) != 0)
            continue;
        const char *type = algorithms[i].openssl, *group = algorithms[i].group;
        EVP_PKEY *key =
            group != NULL ? EVP_PKEY_Q_keygen(NULL, NULL, type, group) : EVP_PKEY_Q_keygen(NULL, NULL, type);
        if (key == NULL)
            return pki_err(e, ERR_CRYPTO, "cannot make a key of kind %s", algorithm);
        *out = key;
        return 0;
    }
    return err_set(e, ERR_UNSUPPORTED,
                   "no key can be made of kind \"%s\": use mldsa44, mldsa65, mldsa87 or p256", algorithm);
}

void pki_key_free(EVP_PKEY *key)
{
    EVP_PKEY_free(key);
}

int pki_key_save(EVP_PKEY *key, const char *path, struct err *e)
{
    auto_bio BIO *bio = BIO_new(BIO_s_mem()); /* clears its memory when freed */
    char *text = NULL;
    if (bio == NULL || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
        return pki_err(e, ERR_CRYPTO, "cannot encode the private key for %s", path);
    long n = BIO_get_mem_data(bio, &text);
    return file_create_atomic(path, text, (size_t)n, 0600, e);
}
