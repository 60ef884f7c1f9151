/*
 * The bytes under TLS: a BIO over a socket that never blocks, never raises SIGPIPE, remembers why it failed.
 *
 * Reading, it may take all that the socket has at once and keep what was not asked for yet. Writing, during
 * the handshake, it sends a flight in two pieces (OpenSSL would cut it every 4096 bytes): what there is when
 * its own buffer is full for the first time, so that the peer has the key share while we still sign, and the
 * rest. What ends the handshake may be held back, to leave with the first response.
 */
#ifndef PQOTA_TLS_IO_H
#define PQOTA_TLS_IO_H

#include <openssl/bio.h>
#include <sys/types.h>

#include "base/buf.h"

#define TLS_FLIGHT_MAX (256U << 10) /* bytes gathered at most; more is sent at once */
#define TLS_RECORD_MAX 16645        /* bytes of a record with its header (RFC 8446 section 5.2) */

struct tls_io {
    int fd;
    int error;    /* errno of the last call that failed for good, or 0 */
    bool eof;     /* the peer closed its direction */
    bool ahead;   /* reads what the socket has, not what is asked for */
    bool drained; /* the last read took all that the socket had */
    bool gather;  /* writes wait for a flush, but for a flight's first */
    bool begun;   /* this flight's first piece is out */
    bool hold;    /* a flush sends nothing */
    struct buf in;
    size_t in_at; /* what of `in` was read already */
    struct buf out;
};

void tls_io_init(struct tls_io *io, int fd, bool ahead);
void tls_io_fini(struct tls_io *io);
/* What every context makes once; free with BIO_meth_free. NULL without memory. */
BIO_METHOD *tls_io_method(void);
/* A BIO on *io, which must outlive it. */
BIO *tls_io_bio(const BIO_METHOD *method, struct tls_io *io);

/* Bytes that were read from the socket and not taken yet. */
static inline size_t tls_io_waiting(const struct tls_io *io)
{
    return io->in.n - io->in_at;
}
/* Reads what the socket has behind them, at most a record in all; false when nothing more will ever come. */
bool tls_io_fetch(struct tls_io *io);
/* Takes n of them, n <= tls_io_waiting. */
void tls_io_take(struct tls_io *io, void *p, size_t n);
void tls_io_drop(struct tls_io *io, size_t n); /* the same, for nobody */
/* Puts n bytes before nothing: only when none are waiting. */
int tls_io_give_back(struct tls_io *io, const void *p, size_t n) MUST_CHECK;

/* Bytes received; 0: none now, or never again (eof); -1: failed (error). */
ssize_t tls_io_recv(struct tls_io *io, void *p, size_t n);
/* Bytes sent, 0 when the socket is full, -1 on an error that stays. */
ssize_t tls_io_send(struct tls_io *io, const void *p, size_t n);

enum tls_io_flush { TLS_IO_EMPTY, TLS_IO_FULL, TLS_IO_ERROR };
/* Sends what was gathered; FULL: the socket takes no more now. */
enum tls_io_flush tls_io_flush(struct tls_io *io);
/* Ends gathering: from now on every write goes to the socket. */
void tls_io_direct(struct tls_io *io);

#endif
