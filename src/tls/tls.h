/*
 * Post-quantum TLS 1.3 over OpenSSL, non-blocking: what server, agent and MQTT use. Every step answers what
 * to wait for. The blocking calls of pqc_tls.h stand on this. The only place that makes an SSL_CTX.
 */
#ifndef PQOTA_TLS_TLS_H
#define PQOTA_TLS_TLS_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hex.h"

enum tls_step {
    TLS_DONE,
    TLS_WANT_READ,
    TLS_WANT_WRITE,
    TLS_CLOSED, /* the peer sent close_notify */
    TLS_FAILED, /* *e says why; the connection is of no more use */
};

enum tls_role { TLS_SERVER, TLS_CLIENT };
enum tls_verify {
    TLS_VERIFY_REQUIRE,     /* a peer without a valid certificate is refused (what zero gives) */
    TLS_VERIFY_OPTIONAL,    /* server: none is fine, a bad one is refused */
    TLS_INSECURE_NO_VERIFY, /* server: no client certificate is asked for */
};

/* Whose code computes ML-KEM; every other algorithm is OpenSSL's. */
enum tls_crypto {
    TLS_CRYPTO_AUTO,    /* the lattice provider's where this processor has vectors for it, else OpenSSL's */
    TLS_CRYPTO_OPENSSL, /* OpenSSL's */
    TLS_CRYPTO_LATTICE, /* the lattice provider's, or no context */
};

struct tls_sessions; /* bounded store of resumable sessions, shared by all contexts of a server */
struct tls_verified; /* the same of client certificates that were verified */

struct tls_config {
    enum tls_role role;
    /* A row of the policy table ("balanced", "cnsa2", "constrained"; "browser": the same key exchanges with
       ECDSA certificates; "insecure_classical": TLS 1.2 and 1.3 with ECDSA for the listener that old devices
       need); NULL is balanced. */
    const char *policy;
    /* NULL, or instead of the policy's: comma lists, any case ("mlkem768,x25519mlkem768"; "mldsa65",
       "dilithium3"). */
    const char *kem;
    const char *sig;
    enum tls_crypto crypto;
    const char *cert_file; /* leaf first, then intermediates, PEM; a client may have none (NULL) */
    const char *key_file;  /* a path or any URI OSSL_STORE opens (pkcs11:...) */
    /* Server, policy browser: another, of another kind of key, for clients that do not take the first's. */
    const char *second_cert_file, *second_key_file;
    const char *ca_file; /* roots that the peer's chain must end in, PEM bundle; NULL: only for a server
                              with TLS_INSECURE_NO_VERIFY */
    enum tls_verify verify;
    /* An expired client certificate still completes the handshake (the application decides what it is good
       for: renewal). Every other check stays. */
    bool accept_expired_peer;
    struct tls_sessions *sessions; /* server: NULL is no resumption */
    struct tls_verified *verified; /* server: NULL verifies a client's chain at each full handshake */
    const char *alpn;              /* "http/1.1", or NULL */
    /* Reads as much as the socket has, not record by record: for a caller that reads until TLS_WANT_READ
       before it waits for the socket. */
    bool read_ahead;
    /* Server: what ends the handshake (the session ticket) leaves with the first write, or with tls_flush, to
       which a caller sees that sets this. */
    bool hold_ticket;
    /* Client: the name every peer must have, for a library that drives TLS itself and checks none
       (libmosquitto). NULL where tls_conn_new is given the host, or the library checks it (libcurl). */
    const char *host;
    /* Client: keep the last session (one), and resume it when the same host is connected to again. */
    bool remember;
    /* Client: an own certificate that expired is still shown (renewal). Not-yet-valid stays an error. */
    bool accept_expired_own;
    /* Server: an own certificate is shown before and after its life too: clients tell their users. */
    bool own_at_any_time;
    /* For a board without a clock, Unix seconds, 0 for none: the time is the later of this and the
       system's, and while the system clock is before it, "not yet valid" is not enforced. */
    int64_t clock_floor;
};

struct tls_ctx;  /* immutable, reference-counted, may be shared by threads */
struct tls_conn; /* one connection, used by one thread at a time */

int tls_ctx_new(const struct tls_config *config, struct tls_ctx **out, struct err *e) MUST_CHECK;
struct tls_ctx *tls_ctx_ref(struct tls_ctx *ctx);
void tls_ctx_free(struct tls_ctx *ctx); /* drops one reference; NULL is fine */
/* The context for a library that drives TLS itself (libmosquitto). Borrowed. */
SSL_CTX *tls_ctx_ssl(struct tls_ctx *ctx);
/* Applies a client configuration to a context that another library made (libcurl's SSL_CTX callback). */
int tls_ssl_ctx_apply(SSL_CTX *ssl_ctx, const struct tls_config *config, struct err *e) MUST_CHECK;

/* host: for a client, what the certificate must name (DNS name or IP address) and SNI; a server gives NULL.
   The descriptor stays the caller's and must be non-blocking for the steps to return. */
int tls_conn_new(struct tls_ctx *ctx, int fd, const char *host, struct tls_conn **out,
                 struct err *e) MUST_CHECK;
void tls_conn_free(struct tls_conn *conn);

/* Server with read_ahead, before the first tls_handshake: what the client wants, by its first message. Costs
   next to nothing, so that a caller may choose whose handshake is computed first. */
enum tls_hello {
    TLS_HELLO_WAIT,    /* it is not all here yet */
    TLS_HELLO_RESUMES, /* a session that the store has */
    TLS_HELLO_FULL,    /* anything else, also what is no TLS: tls_handshake says so */
    TLS_HELLO_GONE,    /* the client left, or the connection broke */
};
enum tls_hello tls_peek_hello(struct tls_conn *conn);
/* Instead of a handshake: tells the client that it cannot be served now (the alert internal_error, RFC 8446
   section 6.2), if the socket takes it. */
void tls_turn_away(struct tls_conn *conn);

enum tls_step tls_handshake(struct tls_conn *conn, struct err *e) MUST_CHECK;
/* DONE: *n bytes (> 0) were read into buf. */
enum tls_step tls_read(struct tls_conn *conn, void *buf, size_t size, size_t *n, struct err *e) MUST_CHECK;
/* DONE: *n bytes (1..size) were taken. After a WANT_ the same bytes must be offered again. */
enum tls_step tls_write(struct tls_conn *conn, const void *buf, size_t size, size_t *n,
                        struct err *e) MUST_CHECK;
/* Whether something waits for the first write; tls_flush sends it (WANT_WRITE: the socket is full). */
bool tls_holds(const struct tls_conn *conn);
enum tls_step tls_flush(struct tls_conn *conn, struct err *e) MUST_CHECK;
/* Server, between writes (after a WANT_ the write comes first): from here on the kernel encrypts what is
   sent, where it can, and tls_send_file may be used. False, where it cannot: nothing is different. */
bool tls_give_to_kernel(struct tls_conn *conn);
/* As tls_write, with bytes of a file; waits for what is not in the page cache, and raises
   SIGPIPE unless that is ignored. DONE with *n 0: the file ends there or
   cannot be read so, which reading it would tell. */
enum tls_step tls_send_file(struct tls_conn *conn, int file, uint64_t offset, size_t size, size_t *n,
                            struct err *e) MUST_CHECK;
/* What was taken will be delivered even if the descriptor is closed. If not, wait until the socket takes
   more. */
bool tls_is_out(const struct tls_conn *conn);
/* The key has encrypted enough: nothing new should begin on this connection. */
bool tls_is_worn(const struct tls_conn *conn);
/* Sends close_notify; DONE once sent (the peer's is not waited for). */
enum tls_step tls_shutdown(struct tls_conn *conn, struct err *e) MUST_CHECK;
/* There may be something to read that poll will not announce, or not again where it tells each arrival
   once. */
bool tls_has_input(const struct tls_conn *conn);
/* Bytes decrypted and not read yet: poll will not announce them. */
size_t tls_pending(const struct tls_conn *conn);

#define TLS_NAME_MAX 128
#define TLS_SERIAL_MAX 64 /* lower-case hex, no leading zeros, with the NUL */

/* Who the peer is. Travels in the session's application data, so a resumed connection has it too. */
struct tls_peer {
    bool present;                   /* it showed a certificate that verified */
    bool expired;                   /* only with accept_expired_peer */
    char common_name[TLS_NAME_MAX]; /* subject CN, "" if none or if it does not fit */
    char san[TLS_NAME_MAX];         /* first DNS name of the SAN, or "" */
    char issuer[SHA256_HEX_SIZE];   /* SHA-256 of the issuer's SubjectPublicKeyInfo, from the verified
                                         chain: a name can be forged under another root, a key cannot */
    char serial[TLS_SERIAL_MAX];
    char fingerprint[SHA256_HEX_SIZE]; /* SHA-256 of the certificate's DER */
    int64_t not_after;                 /* Unix seconds */
};

struct tls_info {
    char group[32];          /* "X25519MLKEM768" */
    char signature[32];      /* of the server's certificate: "mldsa65" */
    char peer_signature[32]; /* of the peer's, "" if none was shown or the session was resumed */
    char cipher[40];         /* "TLS_AES_256_GCM_SHA384" */
    bool resumed;
    struct tls_peer peer;
};

/* Valid after the handshake is DONE; owned by the connection. */
const struct tls_info *tls_conn_info(const struct tls_conn *conn);

/* capacity: sessions kept at most; the oldest goes first. lifetime_s: seconds a session may be resumed. */
int tls_sessions_new(size_t capacity, int lifetime_s, struct tls_sessions **out, struct err *e) MUST_CHECK;
void tls_sessions_free(struct tls_sessions *s);
size_t tls_sessions_count(struct tls_sessions *s);

/* capacity: certificates kept at most; the oldest goes first. */
int tls_verified_new(size_t capacity, struct tls_verified **out, struct err *e) MUST_CHECK;
void tls_verified_free(struct tls_verified *v);
size_t tls_verified_count(struct tls_verified *v);

#endif
