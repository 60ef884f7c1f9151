#include "tls/sessions.h"

#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <string.h>

#include "base/cleanup.h"
#include "tls/session_store.h"
#include "tls/tls_impl.h"

CLEANUP_DEFINE(ssl_session, SSL_SESSION, SSL_SESSION_free);

static int on_new(SSL *ssl, SSL_SESSION *session)
{
    const struct tls_rules *rules = tls_rules_of(SSL_get_SSL_CTX(ssl));
    struct tls_conn *conn = tls_conn_of(ssl);
    unsigned id_n = 0;
    const unsigned char *id = SSL_SESSION_get_id(session, &id_n);
    const SSL_CIPHER *cipher = SSL_SESSION_get0_cipher(session);
    /* TLS 1.2 (classical policy only) does not resume: its handshake is cheap and its sessions hold more. */
    if (rules == NULL || conn == NULL || cipher == NULL || id_n != SSL_MAX_SSL_SESSION_ID_LENGTH ||
        SSL_SESSION_get_protocol_version(session) != TLS1_3_VERSION)
        return 0;
    /* On a resumed connection the peer is the one the session came with. */
    if (SSL_session_reused(ssl) && tls_session_data_of(session, &conn->verified_at, &conn->info.peer) != 0)
        return 0;
    if (conn->verified_at == 0)
        conn->verified_at = tls_rules_now(rules); /* a peer without a certificate */
    struct tls_session s;
    s.data_n = tls_session_data_encode(conn->verified_at, &conn->info.peer, s.data);
    size_t psk_n = SSL_SESSION_get_master_key(session, NULL, 0);
    if (psk_n == 0 || psk_n > sizeof s.psk)
        return 0;
    s.psk_n = SSL_SESSION_get_master_key(session, s.psk, sizeof s.psk);
    uint16_t code = SSL_CIPHER_get_protocol_id(cipher);
    s.cipher[0] = (unsigned char)(code >> 8);
    s.cipher[1] = (unsigned char)code;
    memcpy(s.id, id, sizeof s.id);
    memcpy(s.scope, rules->scope, sizeof s.scope);
    int rc = tls_sessions_put(rules->sessions, &s);
    (void)rc; /* without memory for it the next handshake is a full one */
    OPENSSL_cleanse(s.psk, sizeof s.psk);
    return 0; /* the SSL_SESSION itself stays OpenSSL's */
}

bool tls_sessions_find(const struct tls_rules *rules, const unsigned char *id, struct tls_known *out)
{
    out->now = tls_rules_now(rules);
    if (!tls_sessions_get(rules->sessions, id, &out->session))
        return false;
    const struct tls_session *s = &out->session;
    bool good = memcmp(s->scope, rules->scope, sizeof s->scope) == 0 &&
                tls_session_data_decode(s->data, s->data_n, &out->verified_at, &out->peer) == 0;
    /* Counted from the full handshake, so that a chain of resumptions does not outlive the proof it stands
       on. */
    out->until = good ? out->verified_at + tls_sessions_lifetime(rules->sessions) : 0;
    good = good && out->now >= out->verified_at && out->now < out->until;
    out->peer.expired = good && out->peer.present && out->now > out->peer.not_after;
    good = good && (!out->peer.expired || rules->accept_expired_peer);
    if (!good)
        tls_known_wipe(out);
    return good;
}

void tls_known_wipe(struct tls_known *known)
{
    OPENSSL_cleanse(known->session.psk, sizeof known->session.psk);
}

static SSL_SESSION *rebuild(SSL *ssl, const struct tls_known *known)
{
    const struct tls_session *s = &known->session;
    CLEANUP(ssl_session_cleanup) SSL_SESSION *out = SSL_SESSION_new();
    const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, s->cipher);
    if (out == NULL || cipher == NULL)
        return NULL;
    bool ok = SSL_SESSION_set1_id(out, s->id, sizeof s->id) &&
              SSL_SESSION_set1_master_key(out, s->psk, s->psk_n) && SSL_SESSION_set_cipher(out, cipher) &&
              SSL_SESSION_set_protocol_version(out, TLS1_3_VERSION) &&
              SSL_SESSION_set1_id_context(out, s->scope, sizeof s->scope) &&
              SSL_SESSION_set1_ticket_appdata(out, s->data, s->data_n) &&
              SSL_SESSION_set_time_ex(out, (time_t)known->now) != 0 &&
              SSL_SESSION_set_timeout(out, (long)(known->until - known->now));
    return ok ? take_ptr(out) : NULL;
}

static SSL_SESSION *on_get(SSL *ssl, const unsigned char *id, int id_n, int *copy)
{
    *copy = 0; /* the caller takes over our reference */
    const struct tls_rules *rules = tls_rules_of(SSL_get_SSL_CTX(ssl));
    struct tls_known known;
    if (rules == NULL || id_n != SSL_MAX_SSL_SESSION_ID_LENGTH || !tls_sessions_find(rules, id, &known))
        return NULL;
    SSL_SESSION *session = rebuild(ssl, &known);
    tls_known_wipe(&known);
    return session;
}

static void on_remove(SSL_CTX *ssl_ctx, SSL_SESSION *session)
{
    const struct tls_rules *rules = tls_rules_of(ssl_ctx);
    unsigned id_n = 0;
    const unsigned char *id = SSL_SESSION_get_id(session, &id_n);
    if (rules != NULL && rules->sessions != NULL && id_n == SSL_MAX_SSL_SESSION_ID_LENGTH)
        tls_sessions_remove(rules->sessions, id);
}

int tls_sessions_attach(struct tls_sessions *s, SSL_CTX *ssl_ctx, struct err *e)
{
    /* Without this option a ticket would be the session itself, sealed, with the peer's certificate in it. */
    SSL_CTX_set_options(ssl_ctx, SSL_OP_NO_TICKET);
    if (!SSL_CTX_set_num_tickets(ssl_ctx, s != NULL ? 1 : 0))
        return err_set(e, ERR_CRYPTO, "cannot set the number of session tickets");
    if (s == NULL) {
        SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_OFF);
        return 0;
    }
    SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL |
                                                SSL_SESS_CACHE_NO_AUTO_CLEAR);
    SSL_CTX_set_timeout(ssl_ctx, tls_sessions_lifetime(s));
    SSL_CTX_sess_set_new_cb(ssl_ctx, on_new);
    SSL_CTX_sess_set_get_cb(ssl_ctx, on_get);
    SSL_CTX_sess_set_remove_cb(ssl_ctx, on_remove);
    return 0;
}
