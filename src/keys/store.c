/* Signing keys: made, loaded, saved. */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include "base/file.h"
#include "keys/internal.h"
#include "pki/pki.h"
#include "trust/make.h"

/* scrypt (RFC 7914): 128 * N * r = 16 MiB, which is within what OpenSSL's programs allow themselves (32 MiB)
   and so what can read the file again; p makes it five times as long: about a tenth of a second. */
#define SCRYPT_N 16384
#define SCRYPT_R 8
#define SCRYPT_P 5
#define RSA_BITS 3072

CLEANUP_DEFINE(keys_p8, PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free);
CLEANUP_DEFINE(keys_x509_sig, X509_SIG, X509_SIG_free);
#define auto_p8 CLEANUP(keys_p8_cleanup)
#define auto_x509_sig CLEANUP(keys_x509_sig_cleanup)

void keys_fini(struct sign_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        EVP_PKEY_free(keys->key[i].pkey); /* wipes what is private */
    keys->count = 0;
}

/* --- the public part -------------------------------------------------------------------------------- */

/* The scheme that a key is used with: RSA keys sign with PSS. NULL: none. */
static const struct keys_kind *kind_of_key(EVP_PKEY *key)
{
    static const enum trust_scheme tried[] = {TRUST_ML_DSA_44, TRUST_ML_DSA_65,  TRUST_ML_DSA_87,
                                              TRUST_ED25519,   TRUST_ECDSA_P256, TRUST_RSA_PSS};
    for (size_t i = 0; i < sizeof tried / sizeof tried[0]; i++)
        if (keys_kind_fits(keys_kind_of(tried[i]), key))
            return keys_kind_of(tried[i]);
    return NULL;
}

static const char *raw_hex(EVP_PKEY *key, struct arena *a)
{
    unsigned char raw[TRUST_KEY_MAX];
    size_t n = sizeof raw;
    char *text = arena_alloc(a, 2 * sizeof raw + 1);
    if (text == NULL || EVP_PKEY_get_raw_public_key(key, raw, &n) != 1)
        return NULL;
    hex_encode(raw, n, text);
    return text;
}

static const char *pem(EVP_PKEY *key, struct arena *a)
{
    auto_bio BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL || PEM_write_bio_PUBKEY(bio, key) != 1)
        return NULL;
    char *text = NULL;
    long n = BIO_get_mem_data(bio, &text);
    return n > 0 ? arena_dup(a, text, (size_t)n) : NULL;
}

/* Fills *out, which owns the key afterwards. */
static int describe(EVP_PKEY *key, const char *where, struct arena *a, struct sign_key *out, struct err *e)
{
    const struct keys_kind *kind = kind_of_key(key);
    if (kind == NULL) {
        ERR_clear_error();
        return err_set(e, ERR_UNSUPPORTED,
                       "%s holds a key that cannot sign metadata: use ML-DSA-44, -65 or -87, Ed25519, P-256, "
                       "or RSA of %d to %d bits",
                       where, KEYS_RSA_BITS_MIN, KEYS_RSA_BITS_MAX);
    }
    struct sign_key k = {.pkey = key, .scheme = trust_scheme_row(kind->scheme)};
    k.public_text = kind->scheme == TRUST_ED25519 ? raw_hex(key, a) : pem(key, a);
    if (k.public_text == NULL)
        return pki_err(e, ERR_CRYPTO, "cannot tell the public key of %s", where);
    int rc = make_keyid(k.scheme, k.public_text, &keys_crypto, k.keyid, e);
    if (rc == 0)
        *out = k;
    return rc;
}

/* --- made ------------------------------------------------------------------------------------------- */

static EVP_PKEY *generate(const struct keys_kind *kind)
{
    if (kind->group != NULL)
        return EVP_PKEY_Q_keygen(NULL, NULL, kind->type, kind->group);
    if (kind->rsa_padding != 0)
        return EVP_PKEY_Q_keygen(NULL, NULL, kind->type, (size_t)RSA_BITS);
    return EVP_PKEY_Q_keygen(NULL, NULL, kind->type);
}

int keys_generate(const enum trust_scheme *schemes, size_t count, struct arena *a, struct sign_keys *out,
                  struct err *e)
{
    if (count > KEYS_PER_FILE_MAX)
        return err_set(e, ERR_TOO_LARGE, "at most %d keys stand in one file", KEYS_PER_FILE_MAX);
    auto_keys struct sign_keys made = {.count = 0};
    for (size_t i = 0; i < count; i++) {
        auto_pkey EVP_PKEY *key = generate(keys_kind_of(schemes[i]));
        if (key == NULL)
            return pki_err(e, ERR_CRYPTO, "cannot make a key for %s", trust_scheme_row(schemes[i])->name);
        int rc = describe(key, "a new key", a, &made.key[made.count], e);
        if (rc != 0)
            return rc;
        made.count++;
        key = NULL;
    }
    *out = made;
    made.count = 0;
    return 0;
}

/* --- loaded ----------------------------------------------------------------------------------------- */

int keys_load(const char *uri, const struct pki_passphrase *passphrase, struct arena *a,
              struct sign_keys *out, struct err *e)
{
    EVP_PKEY *raw[KEYS_PER_FILE_MAX + 1];
    size_t count = 0;
    int rc = pki_keys_load(uri, passphrase, raw, KEYS_PER_FILE_MAX + 1, &count, e);
    if (rc != 0)
        return rc;
    struct sign_keys found = {.count = 0};
    if (count > KEYS_PER_FILE_MAX)
        rc = err_set(e, ERR_TOO_LARGE, "%s holds more than %d keys", uri, KEYS_PER_FILE_MAX);
    for (size_t i = 0; i < count; i++) {
        if (rc == 0)
            rc = describe(raw[i], uri, a, &found.key[found.count], e);
        if (rc == 0)
            found.count++;
        else
            EVP_PKEY_free(raw[i]);
    }
    if (rc == 0)
        *out = found;
    else
        keys_fini(&found);
    return rc;
}

/* --- saved ------------------------------------------------------------------------------------------ */

/* PBES2 (RFC 8018) with scrypt and AES-256 in CBC; salt and vector are random. */
static X509_SIG *encrypt(PKCS8_PRIV_KEY_INFO *p8, const char *passphrase)
{
    X509_ALGOR *how = PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), NULL, 0, NULL, SCRYPT_N, SCRYPT_R, SCRYPT_P);
    if (how == NULL)
        return NULL;
    X509_SIG *sealed = PKCS8_set0_pbe(passphrase, (int)strlen(passphrase), p8, how);
    if (sealed == NULL)
        X509_ALGOR_free(how);
    return sealed;
}

static bool add_key(BIO *bio, EVP_PKEY *key, const char *passphrase)
{
    if (passphrase == NULL)
        return PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1;
    auto_p8 PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(key);
    auto_x509_sig X509_SIG *sealed = p8 != NULL ? encrypt(p8, passphrase) : NULL;
    return sealed != NULL && PEM_write_bio_PKCS8(bio, sealed) == 1;
}

int keys_save(const struct sign_keys *keys, const char *path, const char *passphrase, struct err *e)
{
    auto_bio BIO *bio = BIO_new(BIO_s_mem()); /* clears its memory when freed */
    bool ok = bio != NULL;
    for (size_t i = 0; ok && i < keys->count; i++)
        ok = add_key(bio, keys->key[i].pkey, passphrase);
    if (!ok)
        return pki_err(e, ERR_CRYPTO, "cannot encode the private keys for %s", path);
    char *text = NULL;
    long n = BIO_get_mem_data(bio, &text);
    return file_create_atomic(path, text, (size_t)n, 0600, e);
}
