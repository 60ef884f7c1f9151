/*
 * What this library keeps in an SSL_SESSION's application data: who the peer is, and since when that is
 * known. Few bytes, for the store holds them for every device.
 */
#ifndef PQOTA_TLS_SESSION_DATA_H
#define PQOTA_TLS_SESSION_DATA_H

#include <openssl/ssl.h>

#include "tls/identity.h"

#define TLS_SESSION_DATA_MAX 512
/* Where, of a peer that showed a certificate, its issuer is, of SHA256_SIZE bytes. */
#define TLS_SESSION_ISSUER_AT 18
/* Bytes that every peer with a certificate has at least. */
#define TLS_SESSION_PRESENT_MIN (TLS_SESSION_ISSUER_AT + 2 * SHA256_SIZE + 3)

/* Bytes used of out. verified_at: Unix seconds of the full handshake. `expired` is not kept: it depends on
   when one asks. */
size_t tls_session_data_encode(int64_t verified_at, const struct tls_peer *peer,
                               unsigned char out[TLS_SESSION_DATA_MAX]);
int tls_session_data_decode(const void *p, size_t n, int64_t *verified_at, struct tls_peer *peer) MUST_CHECK;
/* The same, of a session. */
int tls_session_data_of(SSL_SESSION *session, int64_t *verified_at, struct tls_peer *peer) MUST_CHECK;

#endif
