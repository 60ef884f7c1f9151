/*
 * Resumable sessions kept small: for each its id, key, cipher, times and who the peer is, about 200 bytes in
 * all, where OpenSSL's own, with the peer's certificate in it, takes 16 KB. Bounded, the oldest goes first;
 * in shards, so that loops seldom meet at a lock.
 */
#ifndef PQOTA_TLS_SESSION_STORE_H
#define PQOTA_TLS_SESSION_STORE_H

#include <openssl/ssl.h>

#include "tls/session_data.h"

#define TLS_PSK_MAX 48 /* bytes of SHA-384 */

struct tls_session {
    unsigned char id[SSL_MAX_SSL_SESSION_ID_LENGTH]; /* random, of OpenSSL's making */
    unsigned char scope[SHA256_SIZE];                /* of the context that made it */
    unsigned char cipher[2];                         /* as on the wire */
    unsigned char psk[TLS_PSK_MAX];
    size_t psk_n;
    unsigned char data[TLS_SESSION_DATA_MAX]; /* tls_session_data_encode's */
    size_t data_n;
};

struct tls_sessions *tls_sessions_ref(struct tls_sessions *s);
int tls_sessions_lifetime(const struct tls_sessions *s); /* seconds */
/* In the place of one of the same id, or of the oldest of its shard once that is full. */
int tls_sessions_put(struct tls_sessions *s, const struct tls_session *session) MUST_CHECK;
bool tls_sessions_get(struct tls_sessions *s, const unsigned char *id, struct tls_session *out);
/* Whether the store (may be NULL) has one of that id. */
bool tls_sessions_has(struct tls_sessions *s, const unsigned char *id);
void tls_sessions_remove(struct tls_sessions *s, const unsigned char *id);

#endif
