/* What the files of this folder share: the rules of a context, and the connection. Not for others. */
#ifndef PQOTA_TLS_TLS_IMPL_H
#define PQOTA_TLS_TLS_IMPL_H

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "tls/io.h"
#include "tls/policy.h"
#include "tls/remember.h"
#include "tls/suite.h"
#include "tls/tls.h"

struct tls_channel;
struct tls_resume;

/* What a context checks beyond OpenSSL's own settings. Hangs on the SSL_CTX and ends with it. */
struct tls_rules {
    struct tls_algs algs;
    enum tls_role role;
    bool accept_expired_peer;
    bool read_ahead, hold_ticket;
    int64_t clock_floor;
    char *ca_file;                 /* for error texts; NULL where none */
    struct tls_sessions *sessions; /* a reference; NULL is no resumption */
    struct tls_verified *verified; /* a reference, or NULL */
    /* Sessions of one context are good in another only when all that decided about the peer is the same. */
    unsigned char scope[SHA256_SIZE];
    unsigned char alpn[32]; /* as on the wire: a length, then the name */
};

struct tls_ctx {
    atomic_int refs;
    SSL_CTX *ssl;
    const char *query; /* with which OpenSSL finds its algorithms: a constant */
    BIO_METHOD *io_method;
    struct tls_suites *suites;                               /* server: NULL at a client's */
    const struct tls_rules *rules;                           /* owned by ssl */
    struct tls_remember remember;                            /* client: empty unless it is to remember */
    char signature[sizeof((struct tls_info *)0)->signature]; /* of the own certificate, "" if none */
};

enum tls_conn_state { TLS_SHAKING, TLS_FLUSHING, TLS_OPEN, TLS_BROKEN };

struct tls_conn {
    struct tls_ctx *ctx;
    SSL *ssl;                    /* NULL before OpenSSL's handshake, and once the channel took over */
    struct tls_resume *resume;   /* server: a handshake that OpenSSL does not see */
    struct tls_channel *channel; /* server: NULL until the handshake told its secrets */
    struct tls_io io;
    enum tls_conn_state state;
    char *host;          /* client: what the certificate must name; NULL if nothing */
    char *refusal;       /* why the peer's certificate was refused; NULL if it was not */
    int64_t verified_at; /* Unix seconds of the full handshake that the peer's identity stems from */
    struct tls_info info;
};

/* The rules of a context, NULL when this library did not make them. */
const struct tls_rules *tls_rules_of(const SSL_CTX *ssl_ctx);
/* The connection of an SSL, NULL for one that another library drives. */
struct tls_conn *tls_conn_of(const SSL *ssl);
/* Ties a connection to its SSL. */
int tls_conn_tie(SSL *ssl, struct tls_conn *conn) MUST_CHECK;
/* Ends OpenSSL's part of it; its session stays resumable. */
void tls_conn_drop_ssl(struct tls_conn *conn);
/* Hangs the rules on a context, which takes them over (also when it fails). */
int tls_rules_tie(SSL_CTX *ssl_ctx, struct tls_rules *rules) MUST_CHECK;
void tls_rules_free(struct tls_rules *rules);

/* host: DNS name or IP address that a certificate must be for. */
int tls_set_host(X509_VERIFY_PARAM *param, const char *host) MUST_CHECK;
bool tls_is_ip(const char *host);

/* Unix seconds: the later of the system's clock and the rules' floor. */
int64_t tls_rules_now(const struct tls_rules *rules);
bool tls_rules_clock_is_behind(const struct tls_rules *rules);

#endif
