#include "tls_fixture.h"

#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define STEPS_MAX 2000

struct tls_ctx *make_ctx(const struct tls_config *c)
{
    struct tls_ctx *ctx = NULL;
    struct err e = {0};
    if (tls_ctx_new(c, &ctx, &e) != 0)
        fail_msg("tls_ctx_new: %s", e.text);
    return ctx;
}

struct tls_config server_config(void)
{
    return (struct tls_config){.role = TLS_SERVER,
                               .cert_file = server_id->cert_file,
                               .key_file = server_id->key_file,
                               .ca_file = device_ca->cert_file};
}

struct tls_config client_config(void)
{
    return (struct tls_config){.role = TLS_CLIENT,
                               .cert_file = device_id->cert_file,
                               .key_file = device_id->key_file,
                               .ca_file = server_ca->cert_file};
}

void socket_pair(int fd[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd), 0);
}

static bool over(enum tls_step s)
{
    return s == TLS_DONE || s == TLS_FAILED;
}

void pair_shake(struct pair *p)
{
    for (int i = 0; i < STEPS_MAX && !(over(p->server_step) && over(p->client_step)); i++) {
        if (!over(p->client_step))
            p->client_step = tls_handshake(p->client, &p->client_err);
        if (p->client_step == TLS_FAILED)
            shutdown(p->fd[1], SHUT_WR);
        if (!over(p->server_step))
            p->server_step = tls_handshake(p->server, &p->server_err);
        if (p->server_step == TLS_FAILED)
            shutdown(p->fd[0], SHUT_WR);
    }
    assert_true(over(p->server_step) && over(p->client_step));
}

void pair_open(struct pair *p, struct tls_ctx *server, struct tls_ctx *client, const char *host)
{
    *p = (struct pair){.server_step = TLS_WANT_READ, .client_step = TLS_WANT_READ};
    socket_pair(p->fd);
    assert_int_equal(tls_conn_new(server, p->fd[0], NULL, &p->server, &p->server_err), 0);
    assert_int_equal(tls_conn_new(client, p->fd[1], host, &p->client, &p->client_err), 0);
    pair_shake(p);
}

void pair_close(struct pair *p)
{
    tls_conn_free(p->server);
    tls_conn_free(p->client);
    close(p->fd[0]);
    close(p->fd[1]);
}

void pair_talk(struct pair *p)
{
    size_t n = 0;
    char got = 0;
    enum tls_step s = tls_write(p->client, "x", 1, &n, &p->client_err);
    if (s == TLS_DONE && p->server_step == TLS_DONE) {
        if (tls_read(p->server, &got, 1, &n, &p->server_err) != TLS_DONE)
            fail_msg("server: %s", p->server_err.text);
        assert_int_equal(got, 'x');
        assert_int_equal(tls_write(p->server, "y", 1, &n, &p->server_err), TLS_DONE);
    }
    if (s == TLS_DONE)
        s = tls_read(p->client, &got, 1, &n, &p->client_err);
    p->client_step = s;
}

void pair_between(struct pair *p, const struct tls_config *sc, const struct tls_config *cc, const char *host)
{
    struct tls_ctx *server = make_ctx(sc), *client = make_ctx(cc);
    pair_open(p, server, client, host);
    tls_ctx_free(server);
    tls_ctx_free(client);
}

SSL *foreign_client(const struct ident *id, const char *groups, const char *sigalgs, int fd, SSL_CTX **ctx)
{
    *ctx = SSL_CTX_new(TLS_client_method());
    assert_non_null(*ctx);
    if (groups != NULL)
        assert_int_equal(SSL_CTX_set1_groups_list(*ctx, groups), 1);
    if (sigalgs != NULL)
        assert_int_equal(SSL_CTX_set1_sigalgs_list(*ctx, sigalgs), 1);
    if (id != NULL) {
        assert_int_equal(SSL_CTX_use_certificate(*ctx, id->cert), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(*ctx, id->key), 1);
    }
    SSL *ssl = SSL_new(*ctx);
    SSL_set_fd(ssl, fd);
    SSL_set_connect_state(ssl);
    return ssl;
}

enum tls_step serve_foreign(const struct tls_config *sc, SSL *ssl, int fd, struct err *e)
{
    struct tls_ctx *server = make_ctx(sc);
    struct tls_conn *conn = NULL;
    assert_int_equal(tls_conn_new(server, fd, NULL, &conn, e), 0);
    enum tls_step step = TLS_WANT_READ;
    for (int i = 0; i < 100 && step != TLS_DONE && step != TLS_FAILED; i++) {
        (void)SSL_do_handshake(ssl);
        ERR_clear_error();
        step = tls_handshake(conn, e);
    }
    tls_conn_free(conn);
    tls_ctx_free(server);
    return step;
}

void foreign_is_refused(const struct tls_config *sc, const struct ident *id, const char *groups,
                        const char *sigalgs, int max_version, const char *text)
{
    int fd[2];
    socket_pair(fd);
    SSL_CTX *ctx;
    SSL *ssl = foreign_client(id, groups, sigalgs, fd[1], &ctx);
    if (max_version != 0)
        SSL_set_max_proto_version(ssl, max_version);
    struct err e = {0};
    assert_int_equal(serve_foreign(sc, ssl, fd[0], &e), TLS_FAILED);
    if (strstr(e.text, text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", e.text, text);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd[0]);
    close(fd[1]);
}
