/*
 * A resumed handshake of TLS 1.3 on the server's side (RFC 8446 sections 2.2 and 4.2.11) in one round trip: a
 * session of the store, always with a fresh key exchange (psk_dhe_ke). It costs half of what OpenSSL's state
 * machine takes beside the key exchange. A first message that is not plainly of this kind is OpenSSL's, as is
 * every full handshake. A session outlives a connection that failed, which section 6.2 would rather not: who
 * can cut a line could else force full handshakes.
 */
#ifndef PQOTA_TLS_RESUME_H
#define PQOTA_TLS_RESUME_H

#include "tls/tls_impl.h"

/* Looks at the client's first record, which waits in conn->io. True: conn->resume and conn->channel are
   there, our answer is in conn->io. False: nothing happened. */
bool tls_resume_begin(struct tls_conn *conn);
/* Until the client proved that it has the key. DONE: conn->info is filled, a ticket may be in conn->io. */
enum tls_step tls_resume_step(struct tls_conn *conn, struct err *e) MUST_CHECK;
void tls_resume_free(struct tls_resume *r); /* NULL is fine */

#endif
