/*
 * What is left of a server's TLS 1.3 connection when its handshake is over: OpenSSL, if it was the one that
 * shook hands, has told the secrets and is gone, with the 40 KB that it keeps for a connection.
 */
#ifndef PQOTA_TLS_CHANNEL_H
#define PQOTA_TLS_CHANNEL_H

#include "tls/records.h"
#include "tls/tls_impl.h"

/* Makes a server context tell its connections' secrets. */
void tls_channel_attach(SSL_CTX *ssl_ctx);
/* After the handshake: goes on without OpenSSL's connection where that can be done (TLS 1.3, a server's). */
int tls_channel_take_over(struct tls_conn *conn, struct err *e) MUST_CHECK;
/* For a handshake of ours: its records, under the keys that are next. */
int tls_channel_begin(struct tls_conn *conn, const struct tls_records *records) MUST_CHECK;
struct tls_records *tls_channel_records(struct tls_conn *conn);
/* The peer broke the protocol: it is told so if the socket takes it, and the connection is of no more use. */
enum tls_step tls_channel_refuse(struct tls_conn *conn, int alert, struct err *e);
/* An alert that came: DONE where the connection goes on, or ends as it should. */
enum tls_step tls_channel_hear(struct tls_conn *conn, const struct tls_content_found *found,
                               struct err *e) MUST_CHECK;
void tls_channel_free(struct tls_channel *ch);

/* As those of tls.h. */
enum tls_step tls_channel_read(struct tls_conn *conn, void *buf, size_t size, size_t *n,
                               struct err *e) MUST_CHECK;
enum tls_step tls_channel_write(struct tls_conn *conn, const void *buf, size_t size, size_t *n,
                                struct err *e) MUST_CHECK;
/* Sends what is held back, or was not taken by the socket. */
enum tls_step tls_channel_flush(struct tls_conn *conn, struct err *e) MUST_CHECK;
enum tls_step tls_channel_shutdown(struct tls_conn *conn, struct err *e) MUST_CHECK;
bool tls_channel_has_input(const struct tls_conn *conn);
size_t tls_channel_pending(const struct tls_conn *conn);

#endif
