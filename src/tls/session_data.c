/*
 *   encoding, present    a byte each
 *   verified_at, until   8 bytes each, most significant first
 * and of a peer that showed a certificate
 *   issuer, fingerprint  SHA256_SIZE bytes each
 *   serial               a byte that counts its digits, two to a byte
 *   common name, SAN     a byte that counts them, then the bytes
 */
#include "tls/session_data.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#define ENCODING 2

static size_t put_number(unsigned char *out, int64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (unsigned char)((uint64_t)value >> (56 - 8 * i));
    return 8;
}

static size_t put_hash(unsigned char *out, const char hex[SHA256_HEX_SIZE])
{
    if (hex_decode(str_of(hex), out, SHA256_SIZE) != 0)
        memset(out, 0, SHA256_SIZE); /* a peer has none that is no hash */
    return SHA256_SIZE;
}

static size_t put_digits(unsigned char *out, const char *digits)
{
    char even[TLS_SERIAL_MAX + 1];
    size_t n = strlen(digits), bytes = (n + 1) / 2;
    snprintf(even, sizeof even, "%s%s", n % 2 == 1 ? "0" : "", digits);
    out[0] = (unsigned char)n;
    return hex_decode(str_of(even), out + 1, bytes) == 0 ? 1 + bytes : 0;
}

static size_t put_text(unsigned char *out, const char *s)
{
    size_t n = strlen(s);
    out[0] = (unsigned char)n;
    memcpy(out + 1, s, n);
    return n + 1;
}

size_t tls_session_data_encode(int64_t verified_at, const struct tls_peer *peer,
                               unsigned char out[TLS_SESSION_DATA_MAX])
{
    _Static_assert(TLS_SESSION_DATA_MAX >= TLS_SESSION_PRESENT_MIN + TLS_SERIAL_MAX + 2 * TLS_NAME_MAX,
                   "an encoded peer fits");
    _Static_assert(TLS_NAME_MAX <= 256 && TLS_SERIAL_MAX <= 256, "a length fits one byte");
    size_t n = 0;
    out[n++] = ENCODING;
    out[n++] = peer->present;
    n += put_number(out + n, verified_at);
    n += put_number(out + n, peer->not_after);
    if (!peer->present)
        return n;
    n += put_hash(out + n, peer->issuer);
    n += put_hash(out + n, peer->fingerprint);
    n += put_digits(out + n, peer->serial);
    n += put_text(out + n, peer->common_name);
    n += put_text(out + n, peer->san);
    return n;
}

struct rest {
    const unsigned char *p;
    size_t n;
};

static const unsigned char *take(struct rest *r, size_t n)
{
    const unsigned char *at = r->p;
    if (n > r->n)
        return NULL;
    r->p += n;
    r->n -= n;
    return at;
}

static bool get_number(struct rest *r, int64_t *out)
{
    const unsigned char *p = take(r, 8);
    uint64_t value = 0;
    for (int i = 0; p != NULL && i < 8; i++)
        value = value << 8 | p[i];
    *out = (int64_t)value;
    return p != NULL;
}

static bool get_hash(struct rest *r, char out[SHA256_HEX_SIZE])
{
    const unsigned char *p = take(r, SHA256_SIZE);
    if (p != NULL)
        hex_encode(p, SHA256_SIZE, out);
    return p != NULL;
}

static bool get_digits(struct rest *r, char out[TLS_SERIAL_MAX])
{
    char even[TLS_SERIAL_MAX + 2];
    const unsigned char *count = take(r, 1);
    if (count == NULL || *count >= TLS_SERIAL_MAX)
        return false;
    size_t bytes = (*count + 1U) / 2;
    const unsigned char *p = take(r, bytes);
    if (p == NULL || (*count % 2 == 1 && p[0] > 0xf))
        return false;
    hex_encode(p, bytes, even);
    snprintf(out, TLS_SERIAL_MAX, "%s", even + *count % 2);
    return true;
}

static bool get_text(struct rest *r, char *out, size_t size)
{
    const unsigned char *count = take(r, 1);
    const unsigned char *p = count != NULL && *count < size ? take(r, *count) : NULL;
    if (p == NULL || memchr(p, '\0', *count) != NULL)
        return false;
    memcpy(out, p, *count);
    out[*count] = '\0';
    return true;
}

int tls_session_data_decode(const void *p, size_t n, int64_t *verified_at, struct tls_peer *peer)
{
    struct tls_peer found = {0};
    struct rest r = {.p = p, .n = p != NULL ? n : 0};
    int64_t at = 0;
    const unsigned char *begin = take(&r, 2);
    if (begin == NULL || begin[0] != ENCODING || begin[1] > 1 || !get_number(&r, &at) ||
        !get_number(&r, &found.not_after))
        return ERR_CORRUPT;
    found.present = begin[1] == 1;
    if (found.present &&
        (!get_hash(&r, found.issuer) || !get_hash(&r, found.fingerprint) || !get_digits(&r, found.serial) ||
         !get_text(&r, found.common_name, sizeof found.common_name) ||
         !get_text(&r, found.san, sizeof found.san)))
        return ERR_CORRUPT;
    if (r.n > 0)
        return ERR_CORRUPT;
    *verified_at = at;
    *peer = found;
    return 0;
}

int tls_session_data_of(SSL_SESSION *session, int64_t *verified_at, struct tls_peer *peer)
{
    void *p = NULL;
    size_t n = 0;
    if (session == NULL || !SSL_SESSION_get0_ticket_appdata(session, &p, &n))
        return ERR_NOT_FOUND;
    return tls_session_data_decode(p, n, verified_at, peer);
}
