/*
 * A client's last session, so that its next connection to the same host is resumed. One session is kept for a
 * context, and used once (RFC 8446 appendix C.4), so that two connections cannot be told to be one client's.
 */
#ifndef PQOTA_TLS_REMEMBER_H
#define PQOTA_TLS_REMEMBER_H

#include <openssl/ssl.h>
#include <pthread.h>

#include "tls/tls.h"

struct tls_remember {
    pthread_mutex_t lock;
    SSL_SESSION *session; /* NULL is none */
    char *host;
};

int tls_remember_init(struct tls_remember *r) MUST_CHECK;
void tls_remember_fini(struct tls_remember *r);
/* Makes a client context remember. */
void tls_remember_attach(SSL_CTX *ssl_ctx);
/* Offers the remembered session, if it is this host's, on a new connection. */
void tls_remember_offer(struct tls_remember *r, SSL *ssl, const char *host);

#endif
