/*
 * The bytes under TLS: a BIO over a socket that never blocks, never raises SIGPIPE, remembers why it failed,
 * and during the handshake sends a flight in two pieces (OpenSSL would cut it every 4096 bytes): what there
 * is when its own buffer is full for the first time, so that the peer has the key share while we still
 * sign, and the rest.
 */
#ifndef PQOTA_TLS_IO_H
#define PQOTA_TLS_IO_H

#include <openssl/bio.h>

#include "base/buf.h"

#define TLS_FLIGHT_MAX (256U << 10) /* bytes gathered at most; more is sent at once */

struct tls_io {
    int fd;
    int error;   /* errno of the last call that failed for good, or 0 */
    bool eof;    /* the peer closed its direction */
    bool gather; /* writes wait for a flush, but for a flight's first */
    bool begun;  /* this flight's first piece is out */
    struct buf out;
};

void tls_io_init(struct tls_io *io, int fd);
void tls_io_fini(struct tls_io *io);
/* What every context makes once; free with BIO_meth_free. NULL without memory. */
BIO_METHOD *tls_io_method(void);
/* A BIO on *io, which must outlive it. */
BIO *tls_io_bio(const BIO_METHOD *method, struct tls_io *io);

enum tls_io_flush { TLS_IO_EMPTY, TLS_IO_FULL, TLS_IO_ERROR };
/* Sends what was gathered; FULL: the socket takes no more now. */
enum tls_io_flush tls_io_flush(struct tls_io *io);
/* Ends gathering: from now on every write goes to the socket. */
void tls_io_direct(struct tls_io *io);

#endif
