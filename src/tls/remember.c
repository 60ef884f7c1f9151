#include "tls/remember.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "tls/session_data.h"
#include "tls/tls_impl.h"

CLEANUP_DEFINE(ssl_session, SSL_SESSION, SSL_SESSION_free);

int tls_remember_init(struct tls_remember *r)
{
    *r = (struct tls_remember){0};
    return pthread_mutex_init(&r->lock, NULL) == 0 ? 0 : ERR_NOMEM;
}

void tls_remember_fini(struct tls_remember *r)
{
    SSL_SESSION_free(r->session);
    free(r->host);
    pthread_mutex_destroy(&r->lock);
}

/* A ticket came. Returning 1 keeps the reference to the session. */
static int on_new(SSL *ssl, SSL_SESSION *session)
{
    struct tls_conn *conn = tls_conn_of(ssl);
    unsigned char data[TLS_SESSION_DATA_MAX];
    if (conn == NULL || conn->host == NULL || SSL_SESSION_get_protocol_version(session) != TLS1_3_VERSION)
        return 0;
    size_t n = tls_session_data_encode(conn->verified_at, &conn->info.peer, data);
    auto_free char *host = strdup(conn->host);
    if (host == NULL || !SSL_SESSION_set1_ticket_appdata(session, data, n))
        return 0;
    struct tls_remember *r = &conn->ctx->remember;
    pthread_mutex_lock(&r->lock);
    SSL_SESSION *old_session = r->session;
    char *old_host = r->host;
    r->session = session;
    r->host = take_ptr(host);
    pthread_mutex_unlock(&r->lock);
    SSL_SESSION_free(old_session);
    free(old_host);
    return 1;
}

void tls_remember_attach(SSL_CTX *ssl_ctx)
{
    SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ssl_ctx, on_new);
}

void tls_remember_offer(struct tls_remember *r, SSL *ssl, const char *host)
{
    CLEANUP(ssl_session_cleanup) SSL_SESSION *session = NULL;
    pthread_mutex_lock(&r->lock);
    if (r->session != NULL && strcasecmp(r->host, host) == 0)
        session = take_ptr(r->session);
    pthread_mutex_unlock(&r->lock);
    const struct tls_rules *rules = tls_rules_of(SSL_get_SSL_CTX(ssl));
    struct tls_peer peer;
    int64_t verified_at;
    /* A server whose certificate has run out since must show its new one. */
    if (session == NULL || rules == NULL || tls_session_data_of(session, &verified_at, &peer) != 0 ||
        peer.not_after < tls_rules_now(rules))
        return;
    (void)SSL_set_session(ssl, session); /* a session that cannot be offered only costs a full handshake */
}
