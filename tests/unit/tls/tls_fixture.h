/* Certificates made for one test program, and two connections that talk over a socket pair. */
#ifndef PQOTA_TESTS_TLS_FIXTURE_H
#define PQOTA_TESTS_TLS_FIXTURE_H

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

#include "tls/tls.h"

#define DAY 86400L

struct cert_spec {
    const char *alg;      /* "ML-DSA-65", "P-256"; NULL is ML-DSA-65 */
    const char *cn;       /* NULL is none */
    const char *san;      /* "DNS:localhost,IP:127.0.0.1"; NULL is none */
    const char *eku;      /* "serverAuth"; NULL is none */
    bool ca;
    long from, to;        /* seconds from now; both 0: since yesterday, for 30 days */
    const char *serial;   /* decimal; NULL is a counted one */
};

struct ident {
    EVP_PKEY *key;
    X509 *cert;
    char cert_file[PATH_MAX];
    char key_file[PATH_MAX];
};

/* A folder of the test's own; fixture_stop removes it and what fixture_make made. */
void fixture_start(void);
void fixture_stop(void);
/* Makes a key and certificate (issuer NULL: self-signed) and writes NAME.pem and NAME.key. */
struct ident *fixture_make(const char *name, const struct ident *issuer, const struct cert_spec *spec);
/* Writes text to a file in the folder; the path is good until the program ends. */
const char *fixture_file(const char *name, const void *data, size_t n);
const char *fixture_path(const char *name);
/* The bytes of a file of the folder's idents, appended: leaf and chain, or a bundle of roots. */
const char *fixture_concat(const char *name, const char *a, const char *b);

/* The usual cast, made at fixture_start: all ML-DSA-65. */
extern struct ident *server_ca, *device_ca, *server_id, *device_id;

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

#endif
