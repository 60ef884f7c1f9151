/* What channel.c and channel_kernel.c share. Not for others. */
#ifndef PQOTA_TLS_CHANNEL_IMPL_H
#define PQOTA_TLS_CHANNEL_IMPL_H

#include "tls/channel.h"
#include "tls/records.h"

struct tls_channel {
    struct tls_records records;
    unsigned char secrets;  /* which of them were told */
    unsigned char secret_n; /* bytes of each */
    unsigned char batch;    /* records at once: fewer where the peer takes little, so that little waits */
    bool peer_is_done;      /* close_notify came */
    bool said_goodbye;      /* close_notify is in the output */
    bool owes_update;       /* the peer asked for our KeyUpdate */
    bool by_kernel;         /* the kernel seals what is sent */
    size_t sealed;          /* bytes of the caller's that are on their way and not reported as taken */
    struct buf plain;       /* what was opened and did not fit the caller's buffer */
    size_t plain_at;
};

/* Fills *e with why nothing can be sent any more: the peer's reason, if it gave one. */
enum tls_step tls_channel_cannot_send(struct tls_conn *conn, struct err *e);

/* What these functions of channel.h and an alert are where the kernel seals. */
enum tls_step tls_channel_kernel_write(struct tls_conn *conn, const void *buf, size_t size, size_t *n,
                                       struct err *e) MUST_CHECK;
enum tls_step tls_channel_kernel_shutdown(struct tls_conn *conn, struct err *e) MUST_CHECK;
/* Bytes sent, 0 when the socket is full, -1 when it failed. */
ssize_t tls_channel_kernel_alert(struct tls_conn *conn, unsigned char level, int description);

#endif
