/*
 * Kernel TLS (Linux, Documentation/networking/tls.rst): a socket that seals what is written to it, so
 * that a file goes from the page cache to the network without passing through our memory. Sending only.
 */
#ifndef PQOTA_TLS_KERNEL_H
#define PQOTA_TLS_KERNEL_H

#include "tls/io.h"
#include "tls/records.h"

/* Gives r->out's key to the socket and forgets it here; all that was sealed with it must be out. False: the
   kernel does not take it, and nothing is different. Where it has no TLS at all it is asked once. */
bool tls_kernel_begin(const struct tls_io *io, struct tls_records *r) MUST_CHECK;

/* As tls_io_send, and counts the records that the key seals for it. */
ssize_t tls_kernel_send(struct tls_io *io, struct tls_records *r, const void *p, size_t n);
/* A record of another type than data: n, 0 when the socket is full, -1 on an error that stays. */
ssize_t tls_kernel_say(struct tls_io *io, struct tls_records *r, enum tls_content type, const void *p,
                       size_t n);
/* n bytes (> 0) of a file: as tls_io_send, but *none is set when they cannot be had from the file so.
   Waits for what is not in the page cache. */
ssize_t tls_kernel_send_file(struct tls_io *io, struct tls_records *r, int file, uint64_t offset, size_t n,
                             bool *none);

/* Whether the kernel takes another key (Linux 6.14 is the first that does). */
bool tls_kernel_can_renew(const struct tls_io *io);
/* After the KeyUpdate was said: our next key. */
int tls_kernel_renew(const struct tls_io *io, struct tls_records *r) MUST_CHECK;

/* The socket would take more. What the kernel sealed and TCP did not take yet is lost when the socket is
   closed or shut down meanwhile; with room it goes out first. */
bool tls_kernel_has_room(const struct tls_io *io);

#endif
