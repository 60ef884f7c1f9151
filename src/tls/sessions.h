/* Resumption of a server's sessions: OpenSSL asks, the store answers (session_store.h). */
#ifndef PQOTA_TLS_SESSIONS_H
#define PQOTA_TLS_SESSIONS_H

#include <openssl/ssl.h>

#include "tls/tls.h"

/* Makes a server context use the store (NULL: it resumes nothing and sends no ticket). */
int tls_sessions_attach(struct tls_sessions *s, SSL_CTX *ssl_ctx, struct err *e) MUST_CHECK;

#endif
