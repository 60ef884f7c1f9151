/* Two connections that talk over a socket pair. */
#ifndef PQOTA_TESTS_TLS_FIXTURE_H
#define PQOTA_TESTS_TLS_FIXTURE_H

#include <openssl/ssl.h>

#include "cert_fixture.h"
#include "tls/tls.h"

struct tls_ctx *make_ctx(const struct tls_config *c); /* or the test fails with the error's text */
struct tls_config server_config(void);                /* requires a client certificate of device_ca */
struct tls_config client_config(void);

struct pair {
    int fd[2]; /* server's, client's */
    struct tls_conn *server, *client;
    enum tls_step server_step, client_step;
    struct err server_err, client_err;
};

/* Both handshakes until each is done or failed. */
void pair_open(struct pair *p, struct tls_ctx *server, struct tls_ctx *client, const char *host);
void pair_shake(struct pair *p);
void pair_close(struct pair *p);
/* One byte each way: TLS 1.3 tells a client of its refusal only after its handshake. */
void pair_talk(struct pair *p);
void socket_pair(int fd[2]);
/* As pair_open, with contexts of their own that end with the connections. */
void pair_between(struct pair *p, const struct tls_config *sc, const struct tls_config *cc, const char *host);

/* A client that does not keep to our rules, driven by bare OpenSSL. id, groups and sigalgs may be NULL. */
SSL *foreign_client(const struct ident *id, const char *groups, const char *sigalgs, int fd, SSL_CTX **ctx);
/* Serves it until the server's side is done or has failed; returns which. */
enum tls_step serve_foreign(const struct tls_config *sc, SSL *ssl, int fd, struct err *e);
/* The server refuses such a client, saying text. max_version 0 is any. */
void foreign_is_refused(const struct tls_config *sc, const struct ident *id, const char *groups,
                        const char *sigalgs, int max_version, const char *text);

#endif
