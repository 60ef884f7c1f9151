/* A byte stream over a non-blocking socket: plain or TLS behind one table; nothing above says which. */
#ifndef PQOTA_NET_STREAM_H
#define PQOTA_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "tls/tls.h"

enum stream_step { STREAM_DONE, STREAM_WANT_READ, STREAM_WANT_WRITE, STREAM_CLOSED, STREAM_FAILED };

struct stream;

struct stream_ops {
    enum stream_step (*handshake)(struct stream *s, struct err *e);
    enum stream_step (*read)(struct stream *s, void *buf, size_t size, size_t *n, struct err *e);
    /* After a WANT_ at least the same bytes must be offered again, at whatever address. */
    enum stream_step (*write)(struct stream *s, const void *buf, size_t size, size_t *n, struct err *e);
    /* There may be something to read that the socket will not announce again. */
    bool (*has_input)(const struct stream *s);
    enum stream_step (*shutdown)(struct stream *s, struct err *e);
    void (*fini)(struct stream *s);
};

struct stream {
    const struct stream_ops *ops;
    int fd;               /* the owner's */
    bool drained;         /* plain: the last read took all that the socket had */
    struct tls_conn *tls; /* NULL: plain */
};

void stream_init_plain(struct stream *s, int fd);
int stream_init_tls(struct stream *s, int fd, struct tls_ctx *ctx, struct err *e) MUST_CHECK;
/* Of a TLS stream before its handshake: as tls_peek_hello and tls_turn_away. */
enum tls_hello stream_peek_hello(struct stream *s);
void stream_turn_away(struct stream *s);
/* What ended the handshake waits for the first write, or for stream_flush. */
bool stream_holds(const struct stream *s);
enum stream_step stream_flush(struct stream *s, struct err *e) MUST_CHECK;
/* Whether a file's bytes can be sent without passing through our memory (tls_give_to_kernel); between
   writes. */
bool stream_takes_files(struct stream *s);
/* As tls_send_file, tls_is_out and tls_is_worn. */
enum stream_step stream_send_file(struct stream *s, int file, uint64_t offset, size_t size, size_t *n,
                                  struct err *e) MUST_CHECK;
bool stream_is_out(const struct stream *s);
bool stream_is_worn(const struct stream *s);
/* What TLS negotiated, or NULL on a plain stream. */
const struct tls_info *stream_tls_info(const struct stream *s);

#endif
