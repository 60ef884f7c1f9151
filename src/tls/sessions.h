/*
 * Resumable sessions of a server, kept small: for each its id, key, cipher, times and who the peer is,
 * instead of OpenSSL's whole session with the peer's certificate in it. Shared by all contexts and threads.
 */
#ifndef PQOTA_TLS_SESSIONS_H
#define PQOTA_TLS_SESSIONS_H

#include <openssl/ssl.h>

#include "tls/tls.h"

/* Makes a server context use the store (NULL: it resumes nothing and sends no ticket). */
int tls_sessions_attach(struct tls_sessions *s, SSL_CTX *ssl_ctx, struct err *e) MUST_CHECK;
/* Whether the store (may be NULL) has a session of that id, of SSL_MAX_SSL_SESSION_ID_LENGTH bytes. */
bool tls_sessions_has(struct tls_sessions *s, const unsigned char *id);
struct tls_sessions *tls_sessions_ref(struct tls_sessions *s);

#endif
