#include "provider/decode.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "provider/kem_key.h"
#include "provider/kem_keymgmt.h"

struct decoder {
    struct provider *provider;
    enum kem_kind_id kind;
};

static void *new_decoder(void *provider, enum kem_kind_id kind)
{
    struct decoder *d = calloc(1, sizeof *d);
    if (d == NULL) {
        provider_raise(provider, REASON_MEMORY, "for reading a key");
        return NULL;
    }
    *d = (struct decoder){.provider = provider, .kind = kind};
    return d;
}

static void free_decoder(void *d)
{
    free(d);
}

/* Hands a key over, which the taker makes a reference of, and lets go of it. */
static int give(struct kem_key *key, OSSL_CALLBACK *callback, void *arg)
{
    int type = OSSL_OBJECT_PKEY;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
        /* OpenSSL's parameters are not const; it only reads this one. */
        OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE, (char *)(uintptr_t)key->kind->name, 0),
        OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_REFERENCE, &key, sizeof key),
        OSSL_PARAM_construct_end(),
    };
    int taken = callback(params, arg);
    kem_key_free(key);
    return taken;
}

static int export_object(void *d, const void *reference, size_t n, OSSL_CALLBACK *callback, void *arg)
{
    struct kem_key *key;
    (void)d;
    if (n != sizeof key)
        return 0;
    memcpy(&key, reference, sizeof key);
    return kem_keymgmt_export(key, OSSL_KEYMGMT_SELECT_KEYPAIR, callback, arg);
}

/* ---- DER ---- */

/* The tag and the length of an element of n bytes: X.690 sections 8.1 and 10.1. Returns how many bytes. */
static size_t der_head(uint8_t out[4], uint8_t tag, size_t n)
{
    out[0] = tag;
    if (n < 0x80) {
        out[1] = (uint8_t)n;
        return 2;
    }
    out[1] = 0x82; /* no element here is between 128 and 255 bytes long, or longer than 65535 */
    out[2] = (uint8_t)(n >> 8);
    out[3] = (uint8_t)n;
    return 4;
}

/* The element of this tag and n bytes that rest begins with, taken from it; false: rest begins with
 * another. */
static bool take(struct kem_bytes *rest, uint8_t tag, size_t n, struct kem_bytes *out)
{
    uint8_t head[4];
    size_t head_n = der_head(head, tag, n);
    if (rest->n < head_n + n || memcmp(rest->p, head, head_n) != 0)
        return false;
    *out = (struct kem_bytes){rest->p + head_n, n};
    *rest = (struct kem_bytes){rest->p + head_n + n, rest->n - head_n - n};
    return true;
}

enum { DER_BITS = 0x03, DER_BYTES = 0x04, DER_OBJECT = 0x06, DER_SEQUENCE = 0x30, DER_SEED = 0x80 };

/* The CHOICE of RFC 9935 section 6. */
static bool choose_private(struct kem_bytes rest, size_t private_size, struct kem_bytes *seed,
                           struct kem_bytes *private_key)
{
    struct kem_bytes both;
    if (take(&rest, DER_SEED, MLKEM_SEED_SIZE, seed) || take(&rest, DER_BYTES, private_size, private_key))
        return rest.n == 0;
    size_t both_size = 2 + MLKEM_SEED_SIZE + 4 + private_size;
    return take(&rest, DER_SEQUENCE, both_size, &both) && rest.n == 0 &&
           take(&both, DER_BYTES, MLKEM_SEED_SIZE, seed) && take(&both, DER_BYTES, private_size, private_key);
}

static const uint8_t object_id[] = {0x60, 0x86, 0x48, 0x01,
                                    0x65, 0x03, 0x04, 0x04}; /* and the set's number */

static int number_of(const struct decoder *d)
{
    return (int)d->kind - KEM_MLKEM512 + 1;
}

/* ---- private keys ---- */

static int does_private(void *provider, int selection)
{
    (void)provider;
    return selection == 0 || (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;
}

static bool is_ours(const struct decoder *d, const ASN1_OBJECT *object, const X509_ALGOR *algorithm)
{
    int parameters;
    X509_ALGOR_get0(NULL, &parameters, NULL, algorithm);
    return parameters == V_ASN1_UNDEF && OBJ_length(object) == sizeof object_id + 1 &&
           memcmp(OBJ_get0_data(object), object_id, sizeof object_id) == 0 &&
           OBJ_get0_data(object)[sizeof object_id] == number_of(d);
}

/* NULL where it is nothing of ours. */
static PKCS8_PRIV_KEY_INFO *read_info(const struct decoder *d, OSSL_CORE_BIO *in)
{
    BIO *bio = BIO_new_from_core_bio(d->provider->libctx, in);
    if (bio == NULL)
        return NULL;
    /* What is no PrivateKeyInfo is none of ours, and no error. */
    ERR_set_mark();
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO_bio(bio, NULL);
    ERR_pop_to_mark();
    BIO_free(bio);
    return info;
}

static int decode_private_info(void *vd, OSSL_CORE_BIO *in, int selection, OSSL_CALLBACK *callback, void *arg,
                               OSSL_PASSPHRASE_CALLBACK *ask, void *ask_arg)
{
    struct decoder *d = vd;
    struct kem_key *key = NULL;
    struct kem_bytes seed = {0}, private_key = {0}, none = {0};
    const ASN1_OBJECT *object;
    const X509_ALGOR *algorithm;
    const unsigned char *p;
    int n, bad = 0;
    (void)selection;
    (void)ask;
    (void)ask_arg;
    PKCS8_PRIV_KEY_INFO *info = read_info(d, in);
    if (info == NULL)
        return 1; /* empty-handed: provider-decoder(7) */
    if (PKCS8_pkey_get0(&object, &p, &n, &algorithm, info) == 1 && is_ours(d, object, algorithm) &&
        choose_private((struct kem_bytes){p, (size_t)n}, kem_kinds[d->kind].mlkem->private_size, &seed,
                       &private_key)) {
        key = kem_key_new(d->provider, d->kind);
        bad = key == NULL || !kem_key_read_private(key, seed, private_key, none);
    }
    PKCS8_PRIV_KEY_INFO_free(info);
    if (key != NULL && !bad)
        return give(key, callback, arg);
    kem_key_free(key);
    return !bad;
}

/* ---- public keys ---- */

static int does_public(void *provider, int selection)
{
    (void)provider;
    return selection == 0 || ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 &&
                              (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0);
}

/* All that stands before the key in its SubjectPublicKeyInfo, which DER leaves no choice of: returns how
 * much. */
static size_t public_head(const struct decoder *d, uint8_t out[32])
{
    size_t bits = 1 + kem_kinds[d->kind].mlkem->public_size; /* the first says that no bits are unused */
    size_t algorithm = 2 + sizeof object_id + 1, at;
    at = der_head(out, DER_SEQUENCE, 2 + algorithm + 4 + bits);
    at += der_head(out + at, DER_SEQUENCE, algorithm);
    at += der_head(out + at, DER_OBJECT, sizeof object_id + 1);
    memcpy(out + at, object_id, sizeof object_id);
    at += sizeof object_id;
    out[at++] = (uint8_t)number_of(d);
    at += der_head(out + at, DER_BITS, bits);
    out[at++] = 0;
    return at;
}

static int decode_public_info(void *vd, OSSL_CORE_BIO *in, int selection, OSSL_CALLBACK *callback, void *arg,
                              OSSL_PASSPHRASE_CALLBACK *ask, void *ask_arg)
{
    struct decoder *d = vd;
    uint8_t head[32], all[sizeof head + MLKEM_PUBLIC_MAX];
    size_t head_n = public_head(d, head), public_size = kem_kinds[d->kind].mlkem->public_size, n = 0;
    (void)selection;
    (void)ask;
    (void)ask_arg;
    BIO *bio = BIO_new_from_core_bio(d->provider->libctx, in);
    if (bio == NULL)
        return 1;
    while (n < head_n + public_size) {
        int got = BIO_read(bio, all + n, (int)(head_n + public_size - n));
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    BIO_free(bio);
    if (n != head_n + public_size || memcmp(all, head, head_n) != 0)
        return 1; /* empty-handed */
    struct kem_key *key = kem_key_new(d->provider, d->kind);
    if (key != NULL && kem_key_read_public(key, (struct kem_bytes){all + head_n, public_size}))
        return give(key, callback, arg);
    kem_key_free(key);
    return 0;
}

/* ---- the tables ---- */

/* OpenSSL tells a new decoder the provider, but not the kind. */
#define KIND(id)                                                                                             \
    static void *new_##id(void *provider)                                                                    \
    {                                                                                                        \
        return new_decoder(provider, id);                                                                    \
    }                                                                                                        \
    static const OSSL_DISPATCH private_##id[] = {                                                            \
        {OSSL_FUNC_DECODER_NEWCTX, (OSSL_FUNC)new_##id},                                                     \
        {OSSL_FUNC_DECODER_FREECTX, (OSSL_FUNC)free_decoder},                                                \
        {OSSL_FUNC_DECODER_DOES_SELECTION, (OSSL_FUNC)does_private},                                         \
        {OSSL_FUNC_DECODER_DECODE, (OSSL_FUNC)decode_private_info},                                          \
        {OSSL_FUNC_DECODER_EXPORT_OBJECT, (OSSL_FUNC)export_object},                                         \
        {0, NULL},                                                                                           \
    };                                                                                                       \
    static const OSSL_DISPATCH public_##id[] = {                                                             \
        {OSSL_FUNC_DECODER_NEWCTX, (OSSL_FUNC)new_##id},                                                     \
        {OSSL_FUNC_DECODER_FREECTX, (OSSL_FUNC)free_decoder},                                                \
        {OSSL_FUNC_DECODER_DOES_SELECTION, (OSSL_FUNC)does_public},                                          \
        {OSSL_FUNC_DECODER_DECODE, (OSSL_FUNC)decode_public_info},                                           \
        {OSSL_FUNC_DECODER_EXPORT_OBJECT, (OSSL_FUNC)export_object},                                         \
        {0, NULL},                                                                                           \
    }

KIND(KEM_MLKEM512);
KIND(KEM_MLKEM768);
KIND(KEM_MLKEM1024);

const OSSL_DISPATCH *const decode_private[DECODE_KINDS] = {
    [KEM_MLKEM512] = private_KEM_MLKEM512,
    [KEM_MLKEM768] = private_KEM_MLKEM768,
    [KEM_MLKEM1024] = private_KEM_MLKEM1024,
};
const OSSL_DISPATCH *const decode_public[DECODE_KINDS] = {
    [KEM_MLKEM512] = public_KEM_MLKEM512,
    [KEM_MLKEM768] = public_KEM_MLKEM768,
    [KEM_MLKEM1024] = public_KEM_MLKEM1024,
};
