#include "net/stream.h"

#include <errno.h>
#include <sys/socket.h>

static enum stream_step plain_handshake(struct stream *s, struct err *e)
{
    (void)s;
    (void)e;
    return STREAM_DONE;
}

static enum stream_step plain_read(struct stream *s, void *buf, size_t size, size_t *n, struct err *e)
{
    for (;;) {
        ssize_t got = recv(s->fd, buf, size, 0);
        s->drained = got < (ssize_t)size;
        if (got > 0) {
            *n = (size_t)got;
            return STREAM_DONE;
        }
        if (got == 0)
            return STREAM_CLOSED;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return STREAM_WANT_READ;
        if (errno != EINTR) {
            err_errno(e, errno, "cannot read from the connection");
            return STREAM_FAILED;
        }
    }
}

static enum stream_step plain_write(struct stream *s, const void *buf, size_t size, size_t *n, struct err *e)
{
    for (;;) {
        ssize_t put = send(s->fd, buf, size, MSG_NOSIGNAL);
        if (put >= 0) {
            *n = (size_t)put;
            return STREAM_DONE;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return STREAM_WANT_WRITE;
        if (errno != EINTR) {
            err_errno(e, errno, "cannot write to the connection");
            return STREAM_FAILED;
        }
    }
}

static bool plain_has_input(const struct stream *s)
{
    return !s->drained;
}

static enum stream_step plain_shutdown(struct stream *s, struct err *e)
{
    (void)s;
    (void)e;
    return STREAM_DONE;
}

static void plain_fini(struct stream *s)
{
    (void)s;
}

static const struct stream_ops plain_ops = {
    .handshake = plain_handshake,
    .read = plain_read,
    .write = plain_write,
    .has_input = plain_has_input,
    .shutdown = plain_shutdown,
    .fini = plain_fini,
};

static enum stream_step of_tls(enum tls_step step)
{
    static const enum stream_step steps[] = {
        [TLS_DONE] = STREAM_DONE,
        [TLS_WANT_READ] = STREAM_WANT_READ,
        [TLS_WANT_WRITE] = STREAM_WANT_WRITE,
        [TLS_CLOSED] = STREAM_CLOSED,
        [TLS_FAILED] = STREAM_FAILED,
    };
    return steps[step];
}

static enum stream_step secure_handshake(struct stream *s, struct err *e)
{
    return of_tls(tls_handshake(s->tls, e));
}

static enum stream_step secure_read(struct stream *s, void *buf, size_t size, size_t *n, struct err *e)
{
    return of_tls(tls_read(s->tls, buf, size, n, e));
}

static enum stream_step secure_write(struct stream *s, const void *buf, size_t size, size_t *n, struct err *e)
{
    return of_tls(tls_write(s->tls, buf, size, n, e));
}

static bool secure_has_input(const struct stream *s)
{
    return tls_has_input(s->tls);
}

static enum stream_step secure_shutdown(struct stream *s, struct err *e)
{
    return of_tls(tls_shutdown(s->tls, e));
}

static void secure_fini(struct stream *s)
{
    tls_conn_free(s->tls);
    s->tls = NULL;
}

static const struct stream_ops secure_ops = {
    .handshake = secure_handshake,
    .read = secure_read,
    .write = secure_write,
    .has_input = secure_has_input,
    .shutdown = secure_shutdown,
    .fini = secure_fini,
};

void stream_init_plain(struct stream *s, int fd)
{
    *s = (struct stream){.ops = &plain_ops, .fd = fd};
}

int stream_init_tls(struct stream *s, int fd, struct tls_ctx *ctx, struct err *e)
{
    struct tls_conn *tls = NULL;
    int rc = tls_conn_new(ctx, fd, NULL, &tls, e);
    if (rc != 0)
        return rc;
    *s = (struct stream){.ops = &secure_ops, .fd = fd, .tls = tls};
    return 0;
}

enum tls_hello stream_peek_hello(struct stream *s)
{
    return tls_peek_hello(s->tls);
}

void stream_turn_away(struct stream *s)
{
    tls_turn_away(s->tls);
}

bool stream_holds(const struct stream *s)
{
    return s->tls != NULL && tls_holds(s->tls);
}

enum stream_step stream_flush(struct stream *s, struct err *e)
{
    return of_tls(tls_flush(s->tls, e));
}

bool stream_takes_files(struct stream *s)
{
    return s->tls != NULL && tls_give_to_kernel(s->tls);
}

enum stream_step stream_send_file(struct stream *s, int file, uint64_t offset, size_t size, size_t *n,
                                  struct err *e)
{
    return of_tls(tls_send_file(s->tls, file, offset, size, n, e));
}

bool stream_is_out(const struct stream *s)
{
    return s->tls == NULL || tls_is_out(s->tls);
}

bool stream_is_worn(const struct stream *s)
{
    return s->tls != NULL && tls_is_worn(s->tls);
}

const struct tls_info *stream_tls_info(const struct stream *s)
{
    return s->tls != NULL ? tls_conn_info(s->tls) : NULL;
}
