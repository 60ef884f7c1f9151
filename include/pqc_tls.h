/*
 * libpqc_tls: post-quantum TLS 1.3 on a socket, in a handful of blocking calls.
 *
 * Key exchange is ML-KEM (FIPS 203), alone or together with an elliptic curve (RFC 10024); certificates are
 * ML-DSA (FIPS 204, RFC 9881). There is no fallback: a peer that offers no ML-KEM is refused. A connection
 * carries its peer's verified identity, also when it was resumed.
 *
 * Names, in any case. Key exchange: mlkem512, mlkem768, mlkem1024, x25519mlkem768, secp256r1mlkem768,
 * secp384r1mlkem1024, or a comma list of them, most wanted first. Signature: mldsa44, mldsa65, mldsa87,
 * also by their old names dilithium2, dilithium3, dilithium5. In place of key exchanges a policy: balanced,
 * cnsa2, constrained; it brings its own signature when none is given.
 *
 * Failure is NULL or -1, with the reason in pqc_tls_error(). No call raises SIGPIPE or changes a
 * descriptor's flags: it may be blocking or not, and stays the caller's to close. A context may be shared
 * by threads; a connection belongs to one thread at a time.
 */
#ifndef PQC_TLS_H
#define PQC_TLS_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pqc_tls_ctx *pqc_tls_ctx_t;
typedef struct pqc_tls_conn *pqc_tls_conn_t;

/*
 * A server's context. cert_file: PEM, the leaf first, then the CAs between it and the root. key_file: a
 * path, or any URI that OpenSSL's stores open (pkcs11:...). ca_file: PEM, the roots that clients'
 * certificates end in. kem_algorithm NULL is the policy balanced; sig_algorithm NULL is the policy's
 * (mldsa65). With require_client_cert false, a client without a certificate is let in, and one with a bad
 * certificate is not; ca_file may then be NULL, and no client is asked for a certificate. The files are
 * read here and not again. Free with pqc_tls_free_ctx.
 */
pqc_tls_ctx_t pqc_tls_create_server_ctx(const char *cert_file, const char *key_file, const char *ca_file,
                                        const char *kem_algorithm, const char *sig_algorithm,
                                        bool require_client_cert);

/* A client's context. cert_file and key_file may both be NULL, for servers that demand none. */
pqc_tls_ctx_t pqc_tls_create_client_ctx(const char *cert_file, const char *key_file, const char *ca_file,
                                        const char *kem_algorithm, const char *sig_algorithm);

/* Connections made from it stay good. NULL is fine. */
void pqc_tls_free_ctx(pqc_tls_ctx_t ctx);

/*
 * Deadlines of the connections made from now on, in milliseconds: of a whole handshake (10 000 unless set),
 * and of one read, write or close (30 000 unless set). Both at least 1. Not while another thread uses the
 * context. Returns 0 or -1.
 */
int pqc_tls_set_timeout(pqc_tls_ctx_t ctx, int handshake_ms, int io_ms);

/* The handshake as a server, on a connected stream socket. */
pqc_tls_conn_t pqc_tls_accept(pqc_tls_ctx_t ctx, int socket_fd);

/* The handshake as a client. host: the DNS name or IP address that the server's certificate must be for. A
   server that refuses this client's certificate may say so only at the first read. */
pqc_tls_conn_t pqc_tls_connect(pqc_tls_ctx_t ctx, int socket_fd, const char *host);

/* Bytes read, 1 to size; 0 when the peer closed in due form; -1 on failure. After a deadline passed,
   reading may be tried again. A connection that was cut off is a failure, not an end. */
int pqc_tls_read(pqc_tls_conn_t conn, char *buffer, int size);

/* Writes all of it: size, or -1, after which nothing more can be written. */
int pqc_tls_write(pqc_tls_conn_t conn, const char *buffer, int size);

/* Says goodbye to the peer and frees the connection; the descriptor stays open. NULL is fine. */
void pqc_tls_close(pqc_tls_conn_t conn);

/*
 * The same without waiting, for event loops and for callers with deadlines of their own. Besides what the
 * calls above answer, these answer what to wait for on the descriptor before they are called again.
 */
#define PQC_TLS_WANT_READ (-2)
#define PQC_TLS_WANT_WRITE (-3)

/* A connection before its handshake. host: as pqc_tls_connect takes it; NULL with a server's context. */
pqc_tls_conn_t pqc_tls_begin(pqc_tls_ctx_t ctx, int socket_fd, const char *host);

/* 0 when the handshake is done; only then may be read and written. */
int pqc_tls_handshake(pqc_tls_conn_t conn);

int pqc_tls_try_read(pqc_tls_conn_t conn, char *buffer, int size);

/* Bytes taken, 1 to size. After PQC_TLS_WANT_WRITE the same bytes must be offered again, at any address. */
int pqc_tls_try_write(pqc_tls_conn_t conn, const char *buffer, int size);

/* Says goodbye; nothing can be written afterwards, and reading goes on. 0 when it is said. Fails while bytes
   must be offered again. */
int pqc_tls_try_shutdown(pqc_tls_conn_t conn);

/* Bytes that can be read without the descriptor's becoming readable. */
int pqc_tls_pending(pqc_tls_conn_t conn);

/* Frees without goodbye: to a peer that was not told before, the connection was cut off. NULL is fine. */
void pqc_tls_free_conn(pqc_tls_conn_t conn);

/* What failed last in the calling thread, one sentence naming file, peer and cause; "" if nothing did. The
   text is good until the thread's next call that fails. */
const char *pqc_tls_error(void);

/*
 * What was agreed on. The texts belong to the connection; "" where there is nothing to tell, NULL for conn
 * NULL.
 */
const char *pqc_tls_group(pqc_tls_conn_t conn);            /* "X25519MLKEM768" */
const char *pqc_tls_signature(pqc_tls_conn_t conn);        /* of the server's certificate: "mldsa65" */
const char *pqc_tls_cipher(pqc_tls_conn_t conn);           /* "TLS_AES_256_GCM_SHA384" */
const char *pqc_tls_peer_common_name(pqc_tls_conn_t conn); /* subject CN of the peer's certificate */
const char *pqc_tls_peer_san(pqc_tls_conn_t conn);         /* first DNS name in it */
const char *pqc_tls_peer_fingerprint(pqc_tls_conn_t conn); /* SHA-256 of it, 64 lower-case hex digits */
const char *pqc_tls_peer_serial(pqc_tls_conn_t conn);      /* of it, lower-case hex, no leading zeros */
const char *pqc_tls_peer_issuer(pqc_tls_conn_t conn);      /* SHA-256 of its issuer's public key, hex */
long long pqc_tls_peer_not_after(pqc_tls_conn_t conn);     /* its end, Unix seconds; 0 if none was shown */
bool pqc_tls_resumed(pqc_tls_conn_t conn);                 /* continued an earlier session */

const char *pqc_tls_version(void); /* of the library: "0.1.0" */

#ifdef __cplusplus
}
#endif

#endif
