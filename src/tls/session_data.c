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

#include "tls/wire.h"

#define ENCODING 2

static void put_hash(struct wire_out *out, const char hex[SHA256_HEX_SIZE])
{
    unsigned char hash[SHA256_SIZE];
    if (hex_decode(str_of(hex), hash, SHA256_SIZE) != 0)
        memset(hash, 0, SHA256_SIZE); /* a peer has none that is no hash */
    wire_put(out, hash, SHA256_SIZE);
}

static void put_digits(struct wire_out *out, const char *digits)
{
    char even[TLS_SERIAL_MAX + 1];
    unsigned char bytes[TLS_SERIAL_MAX / 2];
    size_t n = strlen(digits), size = (n + 1) / 2;
    snprintf(even, sizeof even, "%s%s", n % 2 == 1 ? "0" : "", digits);
    if (hex_decode(str_of(even), bytes, size) != 0)
        n = size = 0;
    wire_put_number(out, n, 1);
    wire_put(out, bytes, size);
}

static void put_text(struct wire_out *out, const char *s)
{
    size_t n = strlen(s);
    wire_put_number(out, n, 1);
    wire_put(out, s, n);
}

size_t tls_session_data_encode(int64_t verified_at, const struct tls_peer *peer,
                               unsigned char out[TLS_SESSION_DATA_MAX])
{
    _Static_assert(TLS_SESSION_DATA_MAX >= TLS_SESSION_PRESENT_MIN + TLS_SERIAL_MAX + 2 * TLS_NAME_MAX,
                   "an encoded peer fits");
    _Static_assert(TLS_NAME_MAX <= 256 && TLS_SERIAL_MAX <= 256, "a length fits one byte");
    struct wire_out w = {.p = out, .size = TLS_SESSION_DATA_MAX};
    wire_put_number(&w, ENCODING, 1);
    wire_put_number(&w, peer->present, 1);
    wire_put_number(&w, (uint64_t)verified_at, 8);
    wire_put_number(&w, (uint64_t)peer->not_after, 8);
    if (!peer->present)
        return w.n;
    put_hash(&w, peer->issuer);
    put_hash(&w, peer->fingerprint);
    put_digits(&w, peer->serial);
    put_text(&w, peer->common_name);
    put_text(&w, peer->san);
    return w.n;
}

static void get_hash(struct wire *r, char out[SHA256_HEX_SIZE])
{
    struct wire hash = wire_take(r, SHA256_SIZE);
    if (!hash.bad)
        hex_encode(hash.p, SHA256_SIZE, out);
}

static void get_digits(struct wire *r, char out[TLS_SERIAL_MAX])
{
    char even[TLS_SERIAL_MAX + 2];
    size_t n = (size_t)wire_number(r, 1);
    struct wire bytes = wire_take(r, (n + 1) / 2);
    r->bad = r->bad || n >= TLS_SERIAL_MAX || (n % 2 == 1 && bytes.p[0] > 0xf);
    if (r->bad)
        return;
    hex_encode(bytes.p, bytes.n, even);
    snprintf(out, TLS_SERIAL_MAX, "%s", even + n % 2);
}

static void get_text(struct wire *r, char *out, size_t size)
{
    struct wire text = wire_vector(r, 1);
    r->bad = r->bad || text.n >= size || memchr(text.p, '\0', text.n) != NULL;
    if (r->bad)
        return;
    memcpy(out, text.p, text.n);
    out[text.n] = '\0';
}

int tls_session_data_decode(const void *p, size_t n, int64_t *verified_at, struct tls_peer *peer)
{
    struct tls_peer found = {0};
    struct wire r = {.p = p, .n = p != NULL ? n : 0};
    uint64_t encoding = wire_number(&r, 1), present = wire_number(&r, 1);
    int64_t at = (int64_t)wire_number(&r, 8);
    found.not_after = (int64_t)wire_number(&r, 8);
    found.present = present == 1;
    if (found.present) {
        get_hash(&r, found.issuer);
        get_hash(&r, found.fingerprint);
        get_digits(&r, found.serial);
        get_text(&r, found.common_name, sizeof found.common_name);
        get_text(&r, found.san, sizeof found.san);
    }
    if (encoding != ENCODING || present > 1 || r.bad || r.n > 0)
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
