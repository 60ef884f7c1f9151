/* Private keys: made, loaded, saved. */
#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/store.h>

#include "base/file.h"
#include "pki/internal.h"

#define OBJECTS_MAX 16 /* looked at in one file or token before giving up */

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

CLEANUP_DEFINE(store, OSSL_STORE_CTX, OSSL_STORE_close);
#define auto_store CLEANUP(store_cleanup)

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

static const char *kind_word(int type)
{
    switch (type) {
    case OSSL_STORE_INFO_CERT:
        return "a certificate";
    case OSSL_STORE_INFO_PUBKEY:
        return "a public key";
    case OSSL_STORE_INFO_CRL:
        return "a revocation list";
    case OSSL_STORE_INFO_PARAMS:
        return "key parameters";
    default:
        return "something else";
    }
}

/* The first private key of an opened store; *other is the kind of the first other thing that it holds, or 0.
 */
static EVP_PKEY *first_key(OSSL_STORE_CTX *store, int *other)
{
    EVP_PKEY *key = NULL;
    for (int i = 0; i < OBJECTS_MAX && key == NULL && OSSL_STORE_eof(store) == 0; i++) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);
        if (info == NULL)
            continue; /* an object it cannot read; a key may follow */
        int type = OSSL_STORE_INFO_get_type(info);
        if (type == OSSL_STORE_INFO_PKEY)
            key = OSSL_STORE_INFO_get1_PKEY(info);
        else if (*other == 0)
            *other = type;
        OSSL_STORE_INFO_free(info);
    }
    return key;
}

static int no_key(const char *uri, int other, bool encrypted, struct err *e)
{
    if (encrypted) {
        ERR_clear_error();
        return err_set(
            e, ERR_UNSUPPORTED,
            "the key in %s is encrypted with a passphrase: store it without one, readable only by its "
            "user, or in a token behind a pkcs11: URI",
            uri);
    }
    if (other != 0) {
        ERR_clear_error();
        return err_set(e, ERR_INVALID, "%s holds %s and no private key", uri, kind_word(other));
    }
    return pki_err(e, ERR_INVALID, "%s holds no private key that can be read (PEM or DER, PKCS#8)", uri);
}

/* A path is read here and not by OSSL_STORE, which would take a name with a colon for a URI. */
static int load_file(const char *path, EVP_PKEY **out, struct err *e)
{
    auto_buf struct buf text;
    buf_init(&text, PKI_PEM_MAX);
    int rc = file_read(path, PKI_PEM_MAX, &text, e);
    if (rc != 0)
        return rc;
    int other = 0;
    EVP_PKEY *key = NULL;
    {
        auto_bio BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
        auto_store OSSL_STORE_CTX *store =
            bio != NULL ? OSSL_STORE_attach(bio, "file", NULL, NULL, NULL, NULL, NULL, NULL, NULL) : NULL;
        if (store != NULL)
            key = first_key(store, &other);
        rc = store == NULL ? pki_err(e, ERR_CRYPTO, "cannot read %s", path) : 0;
    }
    if (rc == 0 && key == NULL)
        rc = no_key(path, other, strstr(text.p, "-----BEGIN ENCRYPTED PRIVATE KEY-----") != NULL, e);
    OPENSSL_cleanse(text.p, text.n);
    ERR_clear_error();
    if (rc == 0)
        *out = key;
    return rc;
}

/* RFC 3986 section 3.1 */
static bool has_scheme(const char *s)
{
    if (!isalpha((unsigned char)s[0]))
        return false;
    while (isalnum((unsigned char)*s) || *s == '+' || *s == '-' || *s == '.')
        s++;
    return *s == ':';
}

int pki_key_load(const char *uri, EVP_PKEY **out, struct err *e)
{
    ERR_clear_error();
    if (file_exists(uri) || !has_scheme(uri))
        return load_file(uri, out, e);
    auto_store OSSL_STORE_CTX *store = OSSL_STORE_open(uri, NULL, NULL, NULL, NULL);
    if (store == NULL)
        return pki_err(e, ERR_NOT_FOUND,
                       "cannot open the key %s: no such file, and no provider for such a URI", uri);
    int other = 0;
    EVP_PKEY *key = first_key(store, &other);
    if (key == NULL)
        return no_key(uri, other, false, e);
    ERR_clear_error();
    *out = key;
    return 0;
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
