#include "resume_fixture.h"

#include <sys/socket.h>
#include <unistd.h>

#include "tls_test.h"

struct tls_config rig_config(const struct rig *r)
{
    struct tls_config sc = server_config();
    sc.sessions = r->store;
    sc.read_ahead = sc.hold_ticket = true;
    sc.alpn = "http/1.1";
    return sc;
}

void rig_make(struct rig *r, const char *policy, const char *kem, bool with_certificate)
{
    struct err e = {0};
    *r = (struct rig){0};
    assert_int_equal(tls_sessions_new(100, 3600, &r->store, &e), 0);
    struct tls_config sc = rig_config(r), cc = client_config();
    sc.policy = cc.policy = policy;
    sc.kem = cc.kem = kem;
    sc.sig = cc.sig = "mldsa65";
    if (!with_certificate) {
        sc.verify = TLS_VERIFY_OPTIONAL;
        cc.cert_file = cc.key_file = NULL;
    }
    r->server = make_ctx(&sc);
    r->theirs = SSL_CTX_new(TLS_client_method());
    assert_int_equal(tls_ssl_ctx_apply(r->theirs, &cc, &e), 0);
}

void rig_free(struct rig *r)
{
    SSL_SESSION_free(r->session);
    SSL_CTX_free(r->theirs);
    tls_ctx_free(r->server);
    tls_sessions_free(r->store);
}

void visit_begin(struct rig *r, struct visit *v)
{
    *v = (struct visit){0};
    socket_pair(v->fd);
    assert_int_equal(tls_conn_new(r->server, v->fd[0], NULL, &v->conn, &v->e), 0);
    v->ssl = SSL_new(r->theirs);
    assert_non_null(v->ssl);
    SSL_set_fd(v->ssl, v->fd[1]);
    SSL_set_connect_state(v->ssl);
    if (r->session != NULL)
        assert_int_equal(SSL_set_session(v->ssl, r->session), 1);
}

/* A caller that reads ahead looks at the first message before it has the handshake computed. */
enum tls_step visit_step(struct visit *v)
{
    struct tls_conn *c = v->conn;
    bool begins = c->ssl == NULL && c->resume == NULL && c->state == TLS_SHAKING;
    if (begins && c->ctx->rules->read_ahead && tls_peek_hello(c) == TLS_HELLO_WAIT)
        return TLS_WANT_READ;
    enum tls_step step = tls_handshake(c, &v->e);
    v->ours |= c->resume != NULL;
    return step;
}

enum tls_step visit_shake(struct visit *v)
{
    enum tls_step step = TLS_WANT_READ;
    for (int i = 0; i < 50 && step != TLS_DONE && step != TLS_FAILED; i++) {
        (void)SSL_do_handshake(v->ssl);
        step = visit_step(v);
    }
    return step;
}

static void talk(struct rig *r, struct visit *v)
{
    char got[20];
    size_t n = 0;
    assert_int_equal(SSL_write(v->ssl, "ask", 3), 3);
    assert_int_equal(tls_read(v->conn, got, sizeof got, &n, &v->e), TLS_DONE);
    assert_int_equal(n, 3);
    assert_int_equal(tls_write(v->conn, "answer", 6, &n, &v->e), TLS_DONE);
    assert_int_equal(SSL_read(v->ssl, got, sizeof got), 6);
    assert_memory_equal(got, "answer", 6);
    SSL_SESSION_free(r->session);
    r->session = SSL_get1_session(v->ssl);
}

void visit_end(struct visit *v)
{
    SSL_set_shutdown(v->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(v->ssl);
    tls_conn_free(v->conn);
    close(v->fd[0]);
    close(v->fd[1]);
}

bool rig_visit(struct rig *r)
{
    struct visit v;
    visit_begin(r, &v);
    if (visit_shake(&v) != TLS_DONE)
        fail_msg("server: %s", v.e.text);
    const struct tls_info *info = tls_conn_info(v.conn);
    assert_int_equal(info->resumed, SSL_session_reused(v.ssl));
    assert_true(info->resumed || !v.ours);
    assert_string_equal(info->group, SSL_get0_group_name(v.ssl));
    assert_string_equal(info->cipher, SSL_get_cipher_name(v.ssl));
    assert_string_equal(info->signature, "mldsa65");
    assert_null(v.conn->ssl);
    assert_null(v.conn->resume);
    talk(r, &v);
    visit_end(&v);
    return v.ours;
}
