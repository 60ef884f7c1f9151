/* One TLS connection, a step at a time. */
#include "tls/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tls/channel.h"
#include "tls/errtext.h"
#include "tls/hello.h"
#include "tls/records.h"
#include "tls/resume.h"
#include "tls/session_data.h"
#include "tls/tls_impl.h"

CLEANUP_DEFINE(conn, struct tls_conn, tls_conn_free);

static int set_host(struct tls_conn *conn, const char *host, struct err *e)
{
    if (host[0] == '\0' || strlen(host) > 253)
        return err_set(e, ERR_INVALID, "the host name is empty or longer than 253 bytes");
    conn->host = strdup(host);
    if (conn->host == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a TLS connection");
    if (tls_set_host(SSL_get0_param(conn->ssl), host) != 0)
        return err_set(e, ERR_INVALID, "\"%s\" is no host name that can be checked", host);
    /* RFC 6066 section 3: an address is never sent as server name. */
    if (!tls_is_ip(host) && SSL_set_tlsext_host_name(conn->ssl, host) != 1)
        return err_set(e, ERR_INVALID, "\"%s\" cannot be sent as server name", host);
    return 0;
}

/* OpenSSL's part of a connection. A server's is made when its handshake begins, not while it waits for
   that. */
static int begin_ssl(struct tls_conn *conn, struct err *e)
{
    conn->ssl = SSL_new(conn->ctx->ssl);
    BIO *bio = tls_io_bio(conn->ctx->io_method, &conn->io);
    if (conn->ssl == NULL || bio == NULL || tls_conn_tie(conn->ssl, conn) != 0) {
        BIO_free(bio);
        return err_set(e, ERR_NOMEM, "no memory for a TLS connection");
    }
    SSL_set_bio(conn->ssl, bio, bio);
    if (conn->ctx->rules->role == TLS_CLIENT)
        SSL_set_connect_state(conn->ssl);
    else
        SSL_set_accept_state(conn->ssl);
    return 0;
}

int tls_conn_new(struct tls_ctx *ctx, int fd, const char *host, struct tls_conn **out, struct err *e)
{
    bool client = ctx->rules->role == TLS_CLIENT;
    if (client && host == NULL)
        return err_set(e, ERR_INVALID, "a client must say which host it expects");
    ERR_clear_error();
    CLEANUP(conn_cleanup) struct tls_conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a TLS connection");
    tls_io_init(&conn->io, fd, ctx->rules->read_ahead);
    conn->ctx = tls_ctx_ref(ctx);
    if (client) {
        int rc = begin_ssl(conn, e);
        if (rc == 0)
            rc = set_host(conn, host, e);
        if (rc != 0)
            return rc;
        tls_remember_offer(&ctx->remember, conn->ssl, host);
    }
    *out = take_ptr(conn);
    return 0;
}

void tls_conn_drop_ssl(struct tls_conn *conn)
{
    /* Without these flags OpenSSL takes the end for a failure and drops the session from the store. */
    if (conn->ssl != NULL)
        SSL_set_shutdown(conn->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(conn->ssl);
    conn->ssl = NULL;
}

void tls_conn_free(struct tls_conn *conn)
{
    if (conn == NULL)
        return;
    tls_conn_drop_ssl(conn);
    tls_resume_free(conn->resume);
    tls_channel_free(conn->channel);
    tls_io_fini(&conn->io);
    tls_ctx_free(conn->ctx);
    free(conn->host);
    free(conn->refusal);
    free(conn);
}

/* What an earlier call left would be taken for this one's. Looking costs less than clearing. */
static void clear_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

static enum tls_step broken(struct err *e)
{
    err_set(e, ERR_IO, "the TLS connection failed before");
    return TLS_FAILED;
}

static void fill_info(struct tls_conn *conn)
{
    struct tls_info *info = &conn->info;
    bool client = conn->ctx->rules->role == TLS_CLIENT;
    info->resumed = SSL_session_reused(conn->ssl) == 1;
    const char *group = SSL_get0_group_name(conn->ssl);
    const char *cipher = SSL_get_cipher_name(conn->ssl);
    const char *peer_sig = NULL;
    const X509 *peer = SSL_get0_peer_certificate(conn->ssl);
    if (!info->resumed && peer != NULL && SSL_get0_peer_signature_name(conn->ssl, &peer_sig) != 1)
        peer_sig = NULL;
    snprintf(info->group, sizeof info->group, "%s", group != NULL ? group : "");
    snprintf(info->cipher, sizeof info->cipher, "%s", cipher != NULL ? cipher : "");
    snprintf(info->peer_signature, sizeof info->peer_signature, "%s", peer_sig != NULL ? peer_sig : "");
    const char *server_sig = client ? info->peer_signature : conn->ctx->signature, *used = NULL;
    if (!client && !info->resumed && SSL_get0_signature_name(conn->ssl, &used) == 1 && used != NULL)
        server_sig = used; /* a context may have two certificates */
    if (client && server_sig[0] == '\0' && peer != NULL)
        server_sig = tls_key_signature_name(X509_get0_pubkey(peer));
    snprintf(info->signature, sizeof info->signature, "%s", server_sig);
}

/* A resumed connection showed no certificate: who it is comes with the session, and may have run out. */
static int restore_peer(struct tls_conn *conn, struct err *e)
{
    struct tls_peer *peer = &conn->info.peer;
    if (tls_session_data_of(SSL_get_session(conn->ssl), &conn->verified_at, peer) != 0)
        return err_set(e, ERR_INTERNAL, "a resumed session came without its peer's identity");
    const struct tls_rules *rules = conn->ctx->rules;
    peer->expired = peer->present && tls_rules_now(rules) > peer->not_after;
    if (peer->expired && !rules->accept_expired_peer)
        return err_set(e, ERR_UNAUTHENTICATED, "the %s's certificate (CN=%s) expired since its session began",
                       rules->role == TLS_SERVER ? "client" : "server", peer->common_name);
    SSL_set_verify_result(conn->ssl, X509_V_OK);
    return 0;
}

/* The handshake is done in OpenSSL's eyes. */
static int conclude(struct tls_conn *conn, struct err *e)
{
    fill_info(conn);
    int rc = conn->info.resumed ? restore_peer(conn, e) : 0;
    return rc != 0 ? rc : tls_channel_take_over(conn, e);
}

static enum tls_step flush(struct tls_conn *conn, struct err *e)
{
    switch (tls_io_flush(&conn->io)) {
    case TLS_IO_EMPTY:
        tls_io_direct(&conn->io);
        if (tls_io_waiting(&conn->io) == 0)
            buf_release(&conn->io.in);
        conn->state = TLS_OPEN;
        return TLS_DONE;
    case TLS_IO_FULL:
        return TLS_WANT_WRITE;
    default:
        return tls_fail(conn, SSL_ERROR_SYSCALL, e);
    }
}

/* The answer to a call that returned ret and did not get on. */
static enum tls_step stopped(struct tls_conn *conn, int ret, struct err *e)
{
    int why = SSL_get_error(conn->ssl, ret);
    switch (why) {
    case SSL_ERROR_WANT_READ:
        return conn->io.eof ? tls_fail(conn, why, e) : TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return conn->state == TLS_OPEN ? TLS_CLOSED : tls_fail(conn, why, e);
    default:
        return tls_fail(conn, why, e);
    }
}

enum tls_hello tls_peek_hello(struct tls_conn *conn)
{
    struct tls_io *io = &conn->io;
    if (!tls_io_fetch(io))
        return TLS_HELLO_GONE;
    const unsigned char *p = (const unsigned char *)io->in.p;
    size_t length = tls_record_length(p, io->in.n);
    struct tls_offer offer;
    unsigned index;
    if (io->in.n > 0 && p[0] != TLS_HANDSHAKE)
        return TLS_HELLO_FULL;
    if (length == 0 || (length > io->in.n && length <= TLS_RECORD_MAX))
        return TLS_HELLO_WAIT;
    bool resumes = length <= io->in.n && tls_offer_read(p, length, &offer) &&
                   tls_offer_session(&offer, conn->ctx->rules->sessions, &index) != NULL;
    return resumes ? TLS_HELLO_RESUMES : TLS_HELLO_FULL;
}

void tls_turn_away(struct tls_conn *conn)
{
    static const unsigned char alert[] = {TLS_ALERT, 3, 3, 0, 2, ALERT_FATAL, ALERT_INTERNAL_ERROR};
    if (conn->ssl == NULL && conn->state == TLS_SHAKING)
        (void)tls_io_send(&conn->io, alert, sizeof alert); /* a courtesy: who is gone needs none */
    conn->state = TLS_BROKEN;
}

static enum tls_step shake_hands(struct tls_conn *conn, struct err *e)
{
    if (conn->ssl == NULL && conn->resume == NULL && !tls_resume_begin(conn) && begin_ssl(conn, e) != 0) {
        conn->state = TLS_BROKEN;
        return TLS_FAILED;
    }
    if (conn->resume != NULL)
        return tls_resume_step(conn, e);
    int ret = SSL_do_handshake(conn->ssl);
    if (ret != 1)
        return stopped(conn, ret, e);
    if (conclude(conn, e) == 0)
        return TLS_DONE;
    conn->state = TLS_BROKEN;
    return TLS_FAILED;
}

enum tls_step tls_handshake(struct tls_conn *conn, struct err *e)
{
    if (conn->state == TLS_BROKEN)
        return broken(e);
    if (conn->state == TLS_OPEN)
        return TLS_DONE;
    if (conn->state == TLS_FLUSHING)
        return flush(conn, e);
    clear_errors();
    enum tls_step step = shake_hands(conn, e);
    if (step != TLS_DONE)
        return step;
    if (tls_holds(conn) && conn->ctx->rules->hold_ticket) {
        conn->state = TLS_OPEN;
        return TLS_DONE;
    }
    conn->io.hold = false;
    conn->state = TLS_FLUSHING;
    return flush(conn, e);
}

enum tls_step tls_read(struct tls_conn *conn, void *buf, size_t size, size_t *n, struct err *e)
{
    if (conn->state != TLS_OPEN)
        return broken(e);
    clear_errors();
    if (conn->channel != NULL)
        return tls_channel_read(conn, buf, size, n, e);
    size_t got = 0;
    if (SSL_read_ex(conn->ssl, buf, size, &got) != 1)
        return stopped(conn, 0, e);
    *n = got;
    return TLS_DONE;
}

enum tls_step tls_write(struct tls_conn *conn, const void *buf, size_t size, size_t *n, struct err *e)
{
    if (conn->state != TLS_OPEN)
        return broken(e);
    clear_errors();
    if (conn->channel != NULL)
        return tls_channel_write(conn, buf, size, n, e);
    size_t took = 0;
    if (SSL_write_ex(conn->ssl, buf, size, &took) == 1) {
        *n = took;
        return TLS_DONE;
    }
    /* A peer that refuses us sends its reason and closes: the write fails first, and the reason waits. */
    if (conn->io.error == EPIPE || conn->io.error == ECONNRESET) {
        int lost = conn->io.error;
        char byte;
        ERR_clear_error();
        conn->io.error = 0;
        if (SSL_read_ex(conn->ssl, &byte, 1, &took) == 1 || ERR_peek_error() == 0)
            conn->io.error = lost;
        return tls_fail(conn, SSL_ERROR_SSL, e);
    }
    return stopped(conn, 0, e);
}

bool tls_holds(const struct tls_conn *conn)
{
    return conn->io.hold && conn->io.out.n > 0;
}

enum tls_step tls_flush(struct tls_conn *conn, struct err *e)
{
    if (conn->state != TLS_OPEN || conn->channel == NULL)
        return TLS_DONE;
    return tls_channel_flush(conn, e);
}

enum tls_step tls_shutdown(struct tls_conn *conn, struct err *e)
{
    if (conn->state == TLS_BROKEN)
        return broken(e);
    if (conn->state != TLS_OPEN)
        return TLS_DONE; /* there is no channel yet in which to say it */
    ERR_clear_error();
    if (conn->channel != NULL)
        return tls_channel_shutdown(conn, e);
    int ret = SSL_shutdown(conn->ssl);
    if (ret >= 0)
        return TLS_DONE;
    return stopped(conn, ret, e);
}

bool tls_has_input(const struct tls_conn *conn)
{
    if (conn->state != TLS_OPEN)
        return false;
    if (conn->channel != NULL)
        return tls_channel_has_input(conn);
    return SSL_has_pending(conn->ssl) == 1 || tls_io_waiting(&conn->io) > 0 || !conn->io.drained;
}

size_t tls_pending(const struct tls_conn *conn)
{
    if (conn->state != TLS_OPEN)
        return 0;
    return conn->channel != NULL ? tls_channel_pending(conn) : (size_t)SSL_pending(conn->ssl);
}

const struct tls_info *tls_conn_info(const struct tls_conn *conn)
{
    return &conn->info;
}
