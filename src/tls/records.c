#include "tls/records.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "tls/derive.h"
#include "tls/thread_cipher.h"

#define VERSION_HIGH 3 /* every record says TLS 1.2 (RFC 8446 section 5.1) */
#define VERSION_LOW 3
#define LENGTH_MAX (TLS_CONTENT_MAX + 256) /* of what is protected */
#define KEY_UPDATE 24                      /* a handshake message (section 4.6.3) */
#define WORN (1U << 24)                    /* records; section 5.5 allows AES-GCM 2^24.5 full ones */
#define SPENT (WORN + WORN / 4)
#define IDLE_MAX 32 /* records in a row that bring no data: more is an attack */

static void set_keys(struct tls_derive *from, struct tls_direction *d)
{
    tls_derive_from(from, d->secret);
    tls_expand(from, "key", NULL, 0, d->key, from->suite->key_n);
    tls_expand(from, "iv", NULL, 0, d->iv, sizeof d->iv);
}

int tls_records_begin(struct tls_records *r, const struct tls_suite *suite, uint64_t in_seq, uint64_t out_seq)
{
    struct tls_derive derive;
    r->suite = suite;
    r->in.seq = in_seq;
    r->out.seq = out_seq;
    tls_derive_begin(&derive, suite);
    set_keys(&derive, &r->in);
    set_keys(&derive, &r->out);
    return tls_derive_end(&derive);
}

int tls_records_turn(struct tls_records *r, struct tls_direction *d, const unsigned char *secret)
{
    struct tls_derive derive;
    memcpy(d->secret, secret, r->suite->secret_n);
    d->seq = 0;
    tls_derive_begin(&derive, r->suite);
    set_keys(&derive, d);
    return tls_derive_end(&derive);
}

void tls_records_wipe(struct tls_records *r)
{
    OPENSSL_cleanse(r, sizeof *r);
    tls_thread_cipher_forget();
}

/* RFC 8446 section 7.2. */
static int next_keys(const struct tls_suite *suite, struct tls_direction *d)
{
    struct tls_derive derive;
    tls_derive_begin(&derive, suite);
    tls_derive_from(&derive, d->secret);
    tls_expand(&derive, "traffic upd", NULL, 0, d->secret, suite->secret_n);
    set_keys(&derive, d);
    d->seq = 0;
    return tls_derive_end(&derive);
}

/* Section 5.3: the number of the record, over the end of the static value. */
static void make_nonce(const struct tls_direction *d, unsigned char nonce[TLS_IV_SIZE])
{
    memcpy(nonce, d->iv, TLS_IV_SIZE);
    for (unsigned i = 0; i < 8; i++)
        nonce[TLS_IV_SIZE - 1 - i] ^= (unsigned char)(d->seq >> (8 * i));
}

static EVP_CIPHER_CTX *begin_record(const struct tls_suite *suite, const struct tls_direction *d,
                                    const unsigned char header[TLS_HEADER_SIZE], bool encrypt)
{
    unsigned char nonce[TLS_IV_SIZE];
    int n;
    make_nonce(d, nonce);
    EVP_CIPHER_CTX *ctx = tls_thread_cipher(suite, d->key, nonce, encrypt);
    return ctx != NULL && EVP_CipherUpdate(ctx, NULL, &n, header, TLS_HEADER_SIZE) == 1 ? ctx : NULL;
}

size_t tls_record_length(const unsigned char *p, size_t n)
{
    return n < TLS_HEADER_SIZE ? 0 : TLS_HEADER_SIZE + ((size_t)p[3] << 8 | p[4]);
}

static bool open_sealed(const struct tls_records *r, const unsigned char *header, unsigned char *p, size_t n)
{
    int done = 0, rest = 0;
    EVP_CIPHER_CTX *ctx = begin_record(r->suite, &r->in, header, false);
    return ctx != NULL && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TLS_TAG_SIZE, p + n) == 1 &&
           EVP_CipherUpdate(ctx, p, &done, p, (int)n) == 1 && EVP_CipherFinal_ex(ctx, p + done, &rest) == 1 &&
           (size_t)done == n;
}

int tls_records_open(struct tls_records *r, unsigned char *record, size_t length,
                     struct tls_content_found *out)
{
    unsigned char *p = record + TLS_HEADER_SIZE;
    size_t n = length - TLS_HEADER_SIZE;
    if (record[0] != TLS_DATA) /* what is not protected came too late */
        return ALERT_UNEXPECTED_MESSAGE;
    if (n > LENGTH_MAX)
        return ALERT_RECORD_OVERFLOW;
    if (n < TLS_TAG_SIZE + 1 || r->in.seq == UINT64_MAX)
        return ALERT_BAD_RECORD_MAC;
    n -= TLS_TAG_SIZE;
    if (!open_sealed(r, record, p, n))
        return ALERT_BAD_RECORD_MAC;
    r->in.seq++;
    while (n > 0 && p[n - 1] == 0) /* padding */
        n--;
    if (n == 0)
        return ALERT_UNEXPECTED_MESSAGE;
    unsigned char type = p[--n];
    if (n > TLS_CONTENT_MAX)
        return ALERT_RECORD_OVERFLOW;
    bool known = type == TLS_DATA || type == TLS_ALERT || type == TLS_HANDSHAKE;
    if (!known || (n == 0 && type != TLS_DATA) || (type != TLS_HANDSHAKE && r->message_n > 0))
        return ALERT_UNEXPECTED_MESSAGE;
    r->idle = type == TLS_DATA && n > 0 ? 0 : r->idle + 1;
    if (r->idle > IDLE_MAX)
        return ALERT_UNEXPECTED_MESSAGE;
    *out = (struct tls_content_found){(enum tls_content)type, p, n};
    return 0;
}

int tls_records_message(struct tls_records *r, const struct tls_content_found *found, bool *answer)
{
    if (found->n > (size_t)(TLS_UPDATE_SIZE - r->message_n))
        return ALERT_UNEXPECTED_MESSAGE; /* another one, or more behind it under the old key */
    memcpy(r->message + r->message_n, found->p, found->n);
    r->message_n = (unsigned char)(r->message_n + found->n);
    static const unsigned char begin[] = {KEY_UPDATE, 0, 0, 1};
    size_t known = r->message_n < sizeof begin ? r->message_n : sizeof begin;
    if (memcmp(r->message, begin, known) != 0)
        return r->message[0] == KEY_UPDATE ? ALERT_DECODE_ERROR : ALERT_UNEXPECTED_MESSAGE;
    if (r->message_n < TLS_UPDATE_SIZE)
        return 0;
    unsigned char wants = r->message[4];
    if (wants > 1)
        return ALERT_ILLEGAL_PARAMETER;
    r->message_n = 0;
    if (next_keys(r->suite, &r->in) != 0)
        return ALERT_INTERNAL_ERROR;
    *answer = wants == 1;
    return 0;
}

int tls_records_seal(struct tls_records *r, enum tls_content type, const unsigned char *p, size_t n,
                     unsigned char *out, size_t *out_n)
{
    assert(n > 0 && n <= TLS_CONTENT_MAX);
    size_t length = n + 1 + TLS_TAG_SIZE;
    const unsigned char header[] = {TLS_DATA, VERSION_HIGH, VERSION_LOW, (unsigned char)(length >> 8),
                                    (unsigned char)length};
    const unsigned char kind = (unsigned char)type;
    unsigned char *at = out + TLS_HEADER_SIZE;
    int done = 0, one = 0, rest = 0;
    if (r->out.seq == UINT64_MAX)
        return ERR_CRYPTO;
    EVP_CIPHER_CTX *ctx = begin_record(r->suite, &r->out, header, true);
    if (ctx == NULL || EVP_CipherUpdate(ctx, at, &done, p, (int)n) != 1 ||
        EVP_CipherUpdate(ctx, at + done, &one, &kind, 1) != 1 ||
        EVP_CipherFinal_ex(ctx, at + done + one, &rest) != 1 || (size_t)(done + one + rest) != n + 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TLS_TAG_SIZE, at + n + 1) != 1)
        return ERR_CRYPTO;
    memcpy(out, header, sizeof header);
    r->out.seq++;
    *out_n = TLS_HEADER_SIZE + length;
    return 0;
}

bool tls_records_is_worn(const struct tls_records *r)
{
    return r->suite->bounded && r->out.seq >= WORN;
}

bool tls_records_is_spent(const struct tls_records *r)
{
    return r->suite->bounded && r->out.seq >= SPENT;
}

const unsigned char tls_key_update[TLS_UPDATE_SIZE] = {KEY_UPDATE, 0, 0, 1, 0};

int tls_records_go_on(struct tls_records *r)
{
    return next_keys(r->suite, &r->out);
}

int tls_records_renew(struct tls_records *r, unsigned char *out, size_t *out_n)
{
    int rc = tls_records_seal(r, TLS_HANDSHAKE, tls_key_update, sizeof tls_key_update, out, out_n);
    return rc != 0 ? rc : tls_records_go_on(r);
}
