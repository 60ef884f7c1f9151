/* What this library keeps in an SSL_SESSION's application data: who the peer is, and since when that is
   known. */
#ifndef PQOTA_TLS_SESSION_DATA_H
#define PQOTA_TLS_SESSION_DATA_H

#include <openssl/ssl.h>

#include "tls/identity.h"

#define TLS_SESSION_DATA_MAX (8 + TLS_PEER_BYTES_MAX)

/* Bytes used of out. verified_at: Unix seconds of the full handshake. */
size_t tls_session_data_encode(int64_t verified_at, const struct tls_peer *peer,
                               unsigned char out[TLS_SESSION_DATA_MAX]);
int tls_session_data_decode(const void *p, size_t n, int64_t *verified_at, struct tls_peer *peer) MUST_CHECK;
/* The same, of a session. */
int tls_session_data_of(SSL_SESSION *session, int64_t *verified_at, struct tls_peer *peer) MUST_CHECK;

#endif
