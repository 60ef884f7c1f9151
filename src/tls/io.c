#include "tls/io.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

void tls_io_init(struct tls_io *io, int fd, bool ahead)
{
    *io = (struct tls_io){.fd = fd, .ahead = ahead, .gather = true};
    buf_init(&io->in, TLS_RECORD_MAX);
    buf_init(&io->out, TLS_FLIGHT_MAX);
}

void tls_io_fini(struct tls_io *io)
{
    buf_fini(&io->in);
    buf_fini(&io->out);
}

void tls_io_take(struct tls_io *io, void *p, size_t n)
{
    assert(n <= tls_io_waiting(io));
    if (n == 0)
        return;
    memcpy(p, io->in.p + io->in_at, n);
    tls_io_drop(io, n);
}

void tls_io_drop(struct tls_io *io, size_t n)
{
    assert(n <= tls_io_waiting(io));
    io->in_at += n;
    if (io->in_at < io->in.n)
        return;
    io->in_at = 0;
    buf_clear(&io->in);
}

int tls_io_give_back(struct tls_io *io, const void *p, size_t n)
{
    assert(tls_io_waiting(io) == 0);
    return buf_add(&io->in, p, n);
}

ssize_t tls_io_recv(struct tls_io *io, void *p, size_t n)
{
    ssize_t got;
    do {
        got = recv(io->fd, p, n, MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    io->drained = got != (ssize_t)n;
    if (got > 0)
        return got;
    if (got == 0)
        io->eof = true;
    else if (errno != EAGAIN && errno != EWOULDBLOCK) {
        io->error = errno;
        return -1;
    }
    return 0;
}

bool tls_io_fetch(struct tls_io *io)
{
    static _Thread_local char piece[TLS_RECORD_MAX]; /* so that no more is kept than there is */
    if (io->in_at > 0)
        buf_consume(&io->in, io->in_at);
    io->in_at = 0;
    size_t room = TLS_RECORD_MAX - io->in.n;
    ssize_t got = room > 0 ? tls_io_recv(io, piece, room) : 0;
    return got >= 0 && !io->eof && buf_add(&io->in, piece, (size_t)got) == 0;
}

ssize_t tls_io_send(struct tls_io *io, const void *p, size_t n)
{
    for (;;) {
        ssize_t sent = send(io->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0)
            return sent;
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return 0;
        io->error = errno;
        return -1;
    }
}

enum tls_io_flush tls_io_flush(struct tls_io *io)
{
    while (io->out.n > 0) {
        ssize_t sent = tls_io_send(io, io->out.p, io->out.n);
        if (sent < 0)
            return TLS_IO_ERROR;
        if (sent == 0)
            return TLS_IO_FULL;
        buf_consume(&io->out, (size_t)sent);
    }
    return TLS_IO_EMPTY;
}

void tls_io_direct(struct tls_io *io)
{
    io->gather = false;
    if (io->out.n == 0)
        buf_release(&io->out);
}

/* 1 when nothing is left; else 0, with the retry flag set when trying again may help. */
static int flush(BIO *bio, struct tls_io *io)
{
    enum tls_io_flush r = tls_io_flush(io);
    if (r == TLS_IO_FULL)
        BIO_set_retry_write(bio);
    if (r == TLS_IO_EMPTY)
        io->begun = false;
    return r == TLS_IO_EMPTY;
}

/* Failure is -1: OpenSSL's record layer takes 0 for a write that went well. */
static int io_write(BIO *bio, const char *p, size_t n, size_t *done)
{
    struct tls_io *io = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if ((io->hold || (io->gather && io->begun)) && buf_add(&io->out, p, n) == 0) {
        *done = n;
        return 1;
    }
    if (io->hold || !flush(bio, io))
        return -1;
    ssize_t sent = tls_io_send(io, p, n);
    if (sent <= 0) {
        if (sent == 0)
            BIO_set_retry_write(bio);
        return -1;
    }
    io->begun = true;
    *done = (size_t)sent;
    return 1;
}

/* Fills `in`, which is empty; 1 when there is something in it. */
static int fill(BIO *bio, struct tls_io *io)
{
    if (buf_reserve(&io->in, TLS_RECORD_MAX) != 0)
        return 0;
    ssize_t got = tls_io_recv(io, io->in.p, TLS_RECORD_MAX);
    if (got > 0)
        io->in.n = (size_t)got;
    else if (got == 0)
        BIO_set_retry_read(bio);
    return got > 0;
}

static int io_read(BIO *bio, char *p, size_t n, size_t *done)
{
    struct tls_io *io = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (io->ahead || tls_io_waiting(io) > 0) {
        if (tls_io_waiting(io) == 0 && !fill(bio, io))
            return -1;
        *done = n < tls_io_waiting(io) ? n : tls_io_waiting(io);
        tls_io_take(io, p, *done);
        return 1;
    }
    ssize_t got = tls_io_recv(io, p, n);
    if (got > 0) {
        *done = (size_t)got;
        return 1;
    }
    /* The end is a wait to OpenSSL, too: it would take it for an attack, alert a peer that is gone, and drop
       the session that a device which lost its link wants to resume. The steps look at the flag. */
    if (got == 0)
        BIO_set_retry_read(bio);
    return -1;
}

static long io_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    (void)num, (void)ptr;
    struct tls_io *io = BIO_get_data(bio);
    switch (cmd) {
    case BIO_CTRL_FLUSH:
        BIO_clear_retry_flags(bio);
        return io->hold ? 1 : flush(bio, io);
    case BIO_CTRL_WPENDING:
        return (long)io->out.n;
    default:
        return 0;
    }
}

BIO_METHOD *tls_io_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE");
    if (m == NULL)
        return NULL;
    if (BIO_meth_set_write_ex(m, io_write) && BIO_meth_set_read_ex(m, io_read) &&
        BIO_meth_set_ctrl(m, io_ctrl))
        return m;
    BIO_meth_free(m);
    return NULL;
}

BIO *tls_io_bio(const BIO_METHOD *method, struct tls_io *io)
{
    BIO *bio = BIO_new(method);
    if (bio == NULL)
        return NULL;
    BIO_set_data(bio, io);
    BIO_set_init(bio, 1);
    return bio;
}
