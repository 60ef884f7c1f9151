/* OpenSSL's error queue, said to a person. */
#ifndef PQOTA_TLS_ERRTEXT_H
#define PQOTA_TLS_ERRTEXT_H

#include "base/err.h"
#include "tls/tls.h"

#define TLS_REASON_MAX 200

/* The root cause in the calling thread's error queue, as OpenSSL words it; empties the queue. Returns out. */
const char *tls_reason(char out[TLS_REASON_MAX]);

/* Why a step of a connection failed for good (SSL_get_error said ssl_error); empties the queue. Fills *e,
   marks the connection broken, returns TLS_FAILED. */
enum tls_step tls_fail(struct tls_conn *conn, int ssl_error, struct err *e);

#endif
