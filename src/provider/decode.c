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
#include "provider/sig_keymgmt.h"

#define OBJECT_ID_SIZE 9
#define PUBLIC_MAX MLDSA_PUBLIC_MAX /* the largest of all */

struct decoder {
    struct provider *provider;
    enum decode_kind kind;
};

/* ---- the kinds ---- */

/* What is the same with keys of both sorts, which this file knows no more of. A key of theirs is a
 * reference. */
struct row {
    uint8_t object_id[OBJECT_ID_SIZE];
    const char *name;
    size_t seed_size, private_size, public_size;
    /* NULL after an error. */
    void *(*read_private)(const struct decoder *d, struct key_bytes seed, struct key_bytes private_key);
    void *(*read_public)(const struct decoder *d, struct key_bytes public_key);
    void (*free_key)(void *key);
    OSSL_FUNC_keymgmt_export_fn *export;
};

static void free_kem_key(void *key)
{
    kem_key_free(key);
}

static void *read_private_kem(const struct decoder *d, struct key_bytes seed, struct key_bytes private_key)
{
    struct kem_key *key = kem_key_new(d->provider, (enum kem_kind_id)(d->kind - DECODE_KEM));
    if (key != NULL && kem_key_read_private(key, seed, private_key, (struct key_bytes){0}))
        return key;
    kem_key_free(key);
    return NULL;
}

static void *read_public_kem(const struct decoder *d, struct key_bytes public_key)
{
    struct kem_key *key = kem_key_new(d->provider, (enum kem_kind_id)(d->kind - DECODE_KEM));
    if (key != NULL && kem_key_read_public(key, public_key))
        return key;
    kem_key_free(key);
    return NULL;
}

static void free_sig_key(void *key)
{
    sig_key_free(key);
}

static void *read_private_sig(const struct decoder *d, struct key_bytes seed, struct key_bytes private_key)
{
    struct sig_key *key = sig_key_new(d->provider, (enum sig_kind)(d->kind - DECODE_SIG));
    if (key != NULL && sig_key_read_private(key, seed, private_key, (struct key_bytes){0}))
        return key;
    sig_key_free(key);
    return NULL;
}

static void *read_public_sig(const struct decoder *d, struct key_bytes public_key)
{
    struct sig_key *key = sig_key_new(d->provider, (enum sig_kind)(d->kind - DECODE_SIG));
    if (key != NULL && sig_key_read_public(key, public_key))
        return key;
    sig_key_free(key);
    return NULL;
}

/* NIST's arc: .4.n for ML-KEM, .3.n for ML-DSA. */
#define OBJECT_ID(arc, n) {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, (arc), (n)}
#define KEM_ROW(n, name_, private_size_, public_size_)                                                       \
    {                                                                                                        \
        .object_id = OBJECT_ID(4, n),                                                                        \
        .name = (name_),                                                                                     \
        .seed_size = MLKEM_SEED_SIZE,                                                                        \
        .private_size = (private_size_),                                                                     \
        .public_size = (public_size_),                                                                       \
        .read_private = read_private_kem,                                                                    \
        .read_public = read_public_kem,                                                                      \
        .free_key = free_kem_key,                                                                            \
        .export = kem_keymgmt_export,                                                                        \
    }
#define SIG_ROW(n, name_, private_size_, public_size_)                                                       \
    {                                                                                                        \
        .object_id = OBJECT_ID(3, n),                                                                        \
        .name = (name_),                                                                                     \
        .seed_size = MLDSA_SEED_SIZE,                                                                        \
        .private_size = (private_size_),                                                                     \
        .public_size = (public_size_),                                                                       \
        .read_private = read_private_sig,                                                                    \
        .read_public = read_public_sig,                                                                      \
        .free_key = free_sig_key,                                                                            \
        .export = sig_keymgmt_export,                                                                        \
    }

/* In the order of enum decode_kind. */
static const struct row rows[DECODE_KINDS] = {
    KEM_ROW(1, "ML-KEM-512", 1632, 800),   KEM_ROW(2, "ML-KEM-768", 2400, 1184),
    KEM_ROW(3, "ML-KEM-1024", 3168, 1568), SIG_ROW(17, "ML-DSA-44", 2560, 1312),
    SIG_ROW(18, "ML-DSA-65", 4032, 1952),  SIG_ROW(19, "ML-DSA-87", 4896, 2592),
};

/* ---- decoders ---- */

static void *new_decoder(void *provider, enum decode_kind kind)
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
static int give(const struct row *row, void *key, OSSL_CALLBACK *callback, void *arg)
{
    int type = OSSL_OBJECT_PKEY;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
        /* OpenSSL's parameters are not const; it only reads this one. */
        OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE, (char *)(uintptr_t)row->name, 0),
        OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_REFERENCE, &key, sizeof key),
        OSSL_PARAM_construct_end(),
    };
    int taken = callback(params, arg);
    row->free_key(key);
    return taken;
}

static int export_object(void *vd, const void *reference, size_t n, OSSL_CALLBACK *callback, void *arg)
{
    const struct decoder *d = vd;
    void *key;
    if (n != sizeof key)
        return 0;
    memcpy(&key, reference, sizeof key);
    return rows[d->kind].export(key, OSSL_KEYMGMT_SELECT_KEYPAIR, callback, arg);
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
static bool take(struct key_bytes *rest, uint8_t tag, size_t n, struct key_bytes *out)
{
    uint8_t head[4];
    size_t head_n = der_head(head, tag, n);
    if (rest->n < head_n + n || memcmp(rest->p, head, head_n) != 0)
        return false;
    *out = (struct key_bytes){rest->p + head_n, n};
    *rest = (struct key_bytes){rest->p + head_n + n, rest->n - head_n - n};
    return true;
}

enum { DER_BITS = 0x03, DER_BYTES = 0x04, DER_OBJECT = 0x06, DER_SEQUENCE = 0x30, DER_SEED = 0x80 };

/* The CHOICE of RFC 9935 section 6 and of RFC 9881 section 6. */
static bool choose_private(const struct row *row, struct key_bytes rest, struct key_bytes *seed,
                           struct key_bytes *private_key)
{
    const size_t seed_size = row->seed_size, private_size = row->private_size;
    struct key_bytes both;
    if (take(&rest, DER_SEED, seed_size, seed) || take(&rest, DER_BYTES, private_size, private_key))
        return rest.n == 0;
    size_t both_size = 2 + seed_size + 4 + private_size;
    return take(&rest, DER_SEQUENCE, both_size, &both) && rest.n == 0 &&
           take(&both, DER_BYTES, seed_size, seed) && take(&both, DER_BYTES, private_size, private_key);
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
    return parameters == V_ASN1_UNDEF && OBJ_length(object) == OBJECT_ID_SIZE &&
           memcmp(OBJ_get0_data(object), rows[d->kind].object_id, OBJECT_ID_SIZE) == 0;
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
    const struct row *row = &rows[d->kind];
    void *key = NULL;
    struct key_bytes seed = {0}, private_key = {0};
    const ASN1_OBJECT *object;
    const X509_ALGOR *algorithm;
    const unsigned char *p;
    int n;
    bool bad = false;
    (void)selection;
    (void)ask;
    (void)ask_arg;
    PKCS8_PRIV_KEY_INFO *info = read_info(d, in);
    if (info == NULL)
        return 1; /* empty-handed: provider-decoder(7) */
    if (PKCS8_pkey_get0(&object, &p, &n, &algorithm, info) == 1 && is_ours(d, object, algorithm) &&
        choose_private(row, (struct key_bytes){p, (size_t)n}, &seed, &private_key)) {
        key = row->read_private(d, seed, private_key);
        bad = key == NULL;
    }
    PKCS8_PRIV_KEY_INFO_free(info);
    return key != NULL ? give(row, key, callback, arg) : !bad;
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
static size_t public_head(const struct row *row, uint8_t out[32])
{
    size_t bits = 1 + row->public_size; /* the first says that no bits are unused */
    size_t algorithm = 2 + OBJECT_ID_SIZE, at;
    at = der_head(out, DER_SEQUENCE, 2 + algorithm + 4 + bits);
    at += der_head(out + at, DER_SEQUENCE, algorithm);
    at += der_head(out + at, DER_OBJECT, OBJECT_ID_SIZE);
    memcpy(out + at, row->object_id, OBJECT_ID_SIZE);
    at += OBJECT_ID_SIZE;
    at += der_head(out + at, DER_BITS, bits);
    out[at++] = 0;
    return at;
}

static int decode_public_info(void *vd, OSSL_CORE_BIO *in, int selection, OSSL_CALLBACK *callback, void *arg,
                              OSSL_PASSPHRASE_CALLBACK *ask, void *ask_arg)
{
    struct decoder *d = vd;
    const struct row *row = &rows[d->kind];
    uint8_t head[32], all[sizeof head + PUBLIC_MAX];
    size_t head_n = public_head(row, head), public_size = row->public_size, n = 0;
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
    void *key = row->read_public(d, (struct key_bytes){all + head_n, public_size});
    return key != NULL ? give(row, key, callback, arg) : 0;
}

/* ---- the tables ---- */

/* OpenSSL tells a new decoder the provider, but not the kind. */
#define KIND(id, kind)                                                                                       \
    static void *new_##id(void *provider)                                                                    \
    {                                                                                                        \
        return new_decoder(provider, kind);                                                                  \
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

KIND(mlkem512, (enum decode_kind)(DECODE_KEM + KEM_MLKEM512));
KIND(mlkem768, (enum decode_kind)(DECODE_KEM + KEM_MLKEM768));
KIND(mlkem1024, (enum decode_kind)(DECODE_KEM + KEM_MLKEM1024));
KIND(mldsa44, (enum decode_kind)(DECODE_SIG + SIG_MLDSA44));
KIND(mldsa65, (enum decode_kind)(DECODE_SIG + SIG_MLDSA65));
KIND(mldsa87, (enum decode_kind)(DECODE_SIG + SIG_MLDSA87));

/* In the order of enum decode_kind. */
const OSSL_DISPATCH *const decode_private[DECODE_KINDS] = {
    private_mlkem512, private_mlkem768, private_mlkem1024, private_mldsa44, private_mldsa65, private_mldsa87,
};
const OSSL_DISPATCH *const decode_public[DECODE_KINDS] = {
    public_mlkem512, public_mlkem768, public_mlkem1024, public_mldsa44, public_mldsa65, public_mldsa87,
};
