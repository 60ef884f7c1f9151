/* Resumption of a server's sessions: OpenSSL asks, the store answers (session_store.h). */
#ifndef PQOTA_TLS_SESSIONS_H
#define PQOTA_TLS_SESSIONS_H

#include <openssl/ssl.h>

#include "tls/session_store.h"
#include "tls/tls_impl.h"

/* Makes a server context use the store (NULL: it resumes nothing and sends no ticket). */
int tls_sessions_attach(struct tls_sessions *s, SSL_CTX *ssl_ctx, struct err *e) MUST_CHECK;

/* A session that may be resumed, and what is known of its peer. Times are Unix seconds. */
struct tls_known {
    struct tls_session session;
    struct tls_peer peer;
    int64_t verified_at, until, now;
};
/* False: the store has none of that id, or it is not good (any more) under these rules. */
bool tls_sessions_find(const struct tls_rules *rules, const unsigned char *id, struct tls_known *out);
void tls_known_wipe(struct tls_known *known); /* its key */

#endif
