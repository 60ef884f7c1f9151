#include "trust/scheme.h"

#include "base/base64.h"
#include "base/hex.h"
#include "trust/internal.h"

static const struct trust_scheme_row rows[] = {
    {TRUST_ML_DSA_44, TRUST_POST_QUANTUM, TRUST_KEY_RAW, "ml-dsa", "ml-dsa-44/1", 1312, 2420, 2420, true,
     false},
    {TRUST_ML_DSA_65, TRUST_POST_QUANTUM, TRUST_KEY_RAW, "ml-dsa", "ml-dsa-65/1", 1952, 3309, 3309, true,
     false},
    {TRUST_ML_DSA_87, TRUST_POST_QUANTUM, TRUST_KEY_RAW, "ml-dsa", "ml-dsa-87/1", 2592, 4627, 4627, true,
     false},
    {TRUST_ED25519, TRUST_CLASSICAL, TRUST_KEY_RAW, "ed25519", "ed25519", 32, 64, 64, false, false},
    {TRUST_ECDSA_P256, TRUST_CLASSICAL, TRUST_KEY_SPKI, "ecdsa", "ecdsa-sha2-nistp256", 91, 72, 0, false,
     false},
    {TRUST_RSA_PSS, TRUST_CLASSICAL, TRUST_KEY_SPKI, "rsa", "rsassa-pss-sha256", 0, 1024, 0, false, false},
    {TRUST_RSA_PKCS1, TRUST_CLASSICAL, TRUST_KEY_SPKI, "rsa", "rsa-pkcs1v15-sha256", 0, 1024, 0, false, true},
};
#define ROWS (sizeof rows / sizeof rows[0])

/* Spellings of a keytype from before the specification's version 1.0.29, and the present one. */
static const char old_ecdsa[] = "ecdsa-sha2-nistp256";

const struct trust_scheme_row *trust_scheme_find(struct str keytype, struct str name)
{
    for (size_t i = 0; i < ROWS; i++)
        if (str_is(name, rows[i].name) &&
            (str_is(keytype, rows[i].keytype) ||
             (rows[i].scheme == TRUST_ECDSA_P256 && str_is(keytype, old_ecdsa))))
            return &rows[i];
    return NULL;
}

const struct trust_scheme_row *trust_scheme_row(enum trust_scheme scheme)
{
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].scheme == scheme)
            return &rows[i];
    return NULL;
}

int trust_tbs_hashed(struct str canon, const struct trust_crypto *crypto,
                     unsigned char out[TRUST_TBS_HASHED_SIZE])
{
    static const unsigned char prefix[] = {'t', 'u', 'f', 0x01};
    memcpy(out, prefix, sizeof prefix);
    return crypto->hash(crypto->ctx, TRUST_SHA512, canon.p, canon.n, out + sizeof prefix);
}

/* --- DER (X.690): one form for each value, so that no key can be there twice in two forms --------------- */

struct der {
    const unsigned char *p;
    size_t n;
};

#define DER_INTEGER 0x02
#define DER_BITS 0x03
#define DER_SEQUENCE 0x30

static bool der_take(struct der *d, unsigned char tag, struct der *out)
{
    size_t n, head = 2;
    if (d->n < 2 || d->p[0] != tag)
        return false;
    n = d->p[1];
    if (n >= 0x80) {
        size_t bytes = n - 0x80;
        if (bytes < 1 || bytes > 2 || d->n < 2 + bytes)
            return false;
        n = bytes == 1 ? d->p[2] : (size_t)d->p[2] << 8 | d->p[3];
        head = 2 + bytes;
        if (n < (bytes == 1 ? 0x80u : 0x100u))
            return false;
    }
    if (n > d->n - head)
        return false;
    *out = (struct der){.p = d->p + head, .n = n};
    d->p += head + n;
    d->n -= head + n;
    return true;
}

/* A positive INTEGER in its shortest form, without the zero before a set first bit. */
static bool der_number(struct der *d, struct der *out)
{
    if (!der_take(d, DER_INTEGER, out) || out->n == 0 || out->p[0] >= 0x80)
        return false;
    if (out->p[0] != 0)
        return true;
    out->p++;
    out->n--;
    return out->n > 0 && out->p[0] >= 0x80;
}

/* RFC 3279 section 2.3.1: rsaEncryption with NULL, and in the bits a sequence of modulus and exponent. */
static bool rsa_modulus(struct der spki, struct der *modulus)
{
    static const unsigned char algorithm[] = {0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7,
                                              0x0D, 0x01, 0x01, 0x01, 0x05, 0x00};
    struct der whole, alg, bits, key, exponent;
    if (!der_take(&spki, DER_SEQUENCE, &whole) || spki.n != 0 || !der_take(&whole, DER_SEQUENCE, &alg) ||
        alg.n != sizeof algorithm || memcmp(alg.p, algorithm, alg.n) != 0)
        return false;
    if (!der_take(&whole, DER_BITS, &bits) || whole.n != 0 || bits.n < 1 || bits.p[0] != 0)
        return false;
    bits.p++;
    bits.n--;
    return der_take(&bits, DER_SEQUENCE, &key) && bits.n == 0 && der_number(&key, modulus) &&
           der_number(&key, &exponent) && key.n == 0;
}

/* RFC 5480: prime256v1 by its name, the point not compressed. */
static bool is_p256(struct der spki)
{
    static const unsigned char head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48,
                                         0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48,
                                         0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
    return spki.n == 91 && memcmp(spki.p, head, sizeof head) == 0;
}

#define ML_DSA_HEAD 22 /* bytes before the key */

/* RFC 9881 section 4: no parameters; id-ml-dsa-44, -65, -87 are 2.16.840.1.101.3.4.3.17 to .19. */
static bool is_ml_dsa(const struct trust_scheme_row *row, struct der spki)
{
    size_t bits = row->key_size + 1, whole = row->key_size + ML_DSA_HEAD - 4;
    const unsigned char head[ML_DSA_HEAD] = {0x30,
                                             0x82,
                                             (unsigned char)(whole >> 8),
                                             (unsigned char)whole,
                                             0x30,
                                             0x0B,
                                             0x06,
                                             0x09,
                                             0x60,
                                             0x86,
                                             0x48,
                                             0x01,
                                             0x65,
                                             0x03,
                                             0x04,
                                             0x03,
                                             (unsigned char)(17 + (row->scheme - TRUST_ML_DSA_44)),
                                             0x03,
                                             0x82,
                                             (unsigned char)(bits >> 8),
                                             (unsigned char)bits,
                                             0x00};
    return spki.n == row->key_size + ML_DSA_HEAD && memcmp(spki.p, head, ML_DSA_HEAD) == 0;
}

/* --- PEM (RFC 7468) ------------------------------------------------------------------------------------- */

static bool next_line(struct str *rest, struct str *line)
{
    if (!str_split(rest, '\n', line))
        return false;
    if (line->n > 0 && line->p[line->n - 1] == '\r')
        line->n--;
    return true;
}

/* One block, nothing before it, line ends after it. */
static bool pem_decode(struct str text, unsigned char *out, size_t size, size_t *n)
{
    struct str line;
    bool padded = false;
    size_t at = 0;
    if (!next_line(&text, &line) || !str_is(line, "-----BEGIN PUBLIC KEY-----"))
        return false;
    for (;;) {
        size_t got;
        if (!next_line(&text, &line))
            return false;
        if (str_is(line, "-----END PUBLIC KEY-----"))
            break;
        if (line.n == 0 || padded || line.n / 4 * 3 > size - at || base64_decode(line, out + at, &got) != 0)
            return false;
        padded = line.p[line.n - 1] == '=';
        at += got;
    }
    while (next_line(&text, &line))
        if (line.n != 0)
            return false;
    *n = at;
    return true;
}

static int wrong(const struct trust_scheme_row *row, const char *what, struct err *e)
{
    return err_set(e, ERR_INVALID, "%s: a public key is %s", row->name, what);
}

int trust_key_decode(const struct trust_scheme_row *row, struct str text, unsigned char *out, size_t *n,
                     struct err *e)
{
    if (row->scheme == TRUST_ED25519) {
        if (text.n != 2 * row->key_size || hex_decode(text, out, row->key_size) != 0)
            return wrong(row, "64 hexadecimal digits", e);
        *n = row->key_size;
        return 0;
    }
    size_t got;
    if (text.p == NULL || !pem_decode(text, out, TRUST_SPKI_MAX, &got))
        return wrong(row, "one PEM block \"PUBLIC KEY\" of at most 4096 bytes", e);
    struct der spki = {.p = out, .n = got}, modulus;
    if (row->form == TRUST_KEY_RAW) {
        if (!is_ml_dsa(row, spki))
            return wrong(row, "a SubjectPublicKeyInfo of exactly that parameter set (RFC 9881)", e);
        memmove(out, out + ML_DSA_HEAD, row->key_size);
        got = row->key_size;
    } else if (row->scheme == TRUST_ECDSA_P256 ? !is_p256(spki) : !rsa_modulus(spki, &modulus)) {
        return wrong(row, "a SubjectPublicKeyInfo of exactly that algorithm, in DER", e);
    }
    *n = got;
    return 0;
}

struct str trust_key_core(const struct trust_scheme_row *row, const unsigned char *key, size_t n)
{
    struct der whole = {.p = key, .n = n}, modulus;
    if ((row->scheme == TRUST_RSA_PSS || row->scheme == TRUST_RSA_PKCS1) && rsa_modulus(whole, &modulus))
        whole = modulus;
    return (struct str){.p = (const char *)whole.p, .n = whole.n};
}
