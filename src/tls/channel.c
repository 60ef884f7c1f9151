#include "tls/channel.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hex.h"
#include "tls/channel_impl.h"
#include "tls/errtext.h"

#define BATCH_MAX 8 /* records sealed before they are sent: 128 KiB */
#define HELD_MAX 1024

enum { SECRET_CLIENT = 1, SECRET_SERVER = 2, SECRETS = 3 };

/* What a thread works in: no connection keeps it. */
static _Thread_local unsigned char work[HELD_MAX + (BATCH_MAX + 1) * TLS_SEALED_MAX];

/* ---- from OpenSSL's handshake ---- */

static struct tls_channel *channel_of(struct tls_conn *conn)
{
    if (conn->channel == NULL) {
        conn->channel = calloc(1, sizeof *conn->channel);
        if (conn->channel != NULL)
            buf_init(&conn->channel->plain, TLS_CONTENT_MAX);
    }
    return conn->channel;
}

/* A line as of NSS's key log: a label, the client's random, a secret. */
static void on_secret(const SSL *ssl, const char *line)
{
    struct tls_conn *conn = tls_conn_of(ssl);
    struct str rest = str_of(line), label, random, secret;
    if (conn == NULL || !str_split(&rest, ' ', &label) || !str_split(&rest, ' ', &random) ||
        !str_split(&rest, ' ', &secret))
        return;
    bool clients = str_is(label, "CLIENT_TRAFFIC_SECRET_0");
    if (!clients && !str_is(label, "SERVER_TRAFFIC_SECRET_0"))
        return;
    struct tls_channel *ch = channel_of(conn);
    size_t n = secret.n / 2;
    if (ch == NULL)
        return;
    struct tls_direction *d = clients ? &ch->records.in : &ch->records.out;
    if (n > sizeof d->secret || hex_decode(secret, d->secret, n) != 0)
        return;
    ch->secret_n = (unsigned char)n;
    ch->secrets |= clients ? SECRET_CLIENT : SECRET_SERVER;
    /* The client's comes with its Finished: all that is written from here on is under the new keys. */
    conn->io.hold |= clients;
}

void tls_channel_attach(SSL_CTX *ssl_ctx)
{
    SSL_CTX_set_keylog_callback(ssl_ctx, on_secret);
}

/* How many records wait in the output: those that OpenSSL sealed under the new keys. */
static int count_held(const struct tls_io *io, uint64_t *out)
{
    const unsigned char *p = (const unsigned char *)io->out.p;
    uint64_t count = 0;
    for (size_t at = 0; at < io->out.n; count++) {
        size_t length = tls_record_length(p + at, io->out.n - at);
        if (length == 0 || length > io->out.n - at || p[at] != TLS_DATA)
            return ERR_INTERNAL;
        at += length;
    }
    *out = count;
    return 0;
}

int tls_channel_take_over(struct tls_conn *conn, struct err *e)
{
    struct tls_channel *ch = conn->channel;
    if (ch == NULL || ch->secrets != SECRETS) {
        tls_channel_free(take_ptr(conn->channel));
        conn->io.hold = false;
        return 0;
    }
    const struct tls_suite *suite =
        tls_suite_of(conn->ctx->suites, SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(conn->ssl)));
    uint64_t sent = 0;
    if (suite == NULL || suite->secret_n != ch->secret_n || SSL_has_pending(conn->ssl) ||
        count_held(&conn->io, &sent) != 0 || conn->io.out.n > HELD_MAX)
        return err_set(e, ERR_INTERNAL, "the handshake left the connection in a state that was not expected");
    if (tls_records_begin(&ch->records, suite, 0, sent) != 0)
        return err_set(e, ERR_CRYPTO, "cannot derive the connection's keys");
    ch->batch = BATCH_MAX;
    tls_conn_drop_ssl(conn);
    return 0;
}

int tls_channel_begin(struct tls_conn *conn, const struct tls_records *records)
{
    struct tls_channel *ch = channel_of(conn);
    if (ch == NULL)
        return ERR_NOMEM;
    ch->records = *records;
    ch->batch = BATCH_MAX;
    return 0;
}

struct tls_records *tls_channel_records(struct tls_conn *conn)
{
    return &conn->channel->records;
}

void tls_channel_free(struct tls_channel *ch)
{
    if (ch == NULL)
        return;
    tls_records_wipe(&ch->records);
    buf_fini(&ch->plain);
    free(ch);
}

/* ---- what goes out ---- */

/* A peer that leaves may have said why: the write fails first, and the reason waits. */
enum tls_step tls_channel_cannot_send(struct tls_conn *conn, struct err *e)
{
    int lost = conn->io.error;
    char byte;
    size_t n;
    conn->io.error = 0;
    if ((lost == EPIPE || lost == ECONNRESET) && tls_channel_read(conn, &byte, 1, &n, e) == TLS_FAILED)
        return TLS_FAILED;
    conn->io.error = lost;
    return tls_fail(conn, SSL_ERROR_SYSCALL, e);
}

enum tls_step tls_channel_flush(struct tls_conn *conn, struct err *e)
{
    conn->io.hold = false;
    switch (tls_io_flush(&conn->io)) {
    case TLS_IO_EMPTY:
        buf_release(&conn->io.out);
        return TLS_DONE;
    case TLS_IO_FULL:
        return TLS_WANT_WRITE;
    case TLS_IO_ERROR:
        break;
    }
    return tls_channel_cannot_send(conn, e);
}

static int add_alert(struct tls_conn *conn, unsigned char level, int description)
{
    const unsigned char alert[] = {level, (unsigned char)description};
    unsigned char sealed[TLS_HEADER_SIZE + sizeof alert + 1 + TLS_TAG_SIZE];
    size_t n = 0;
    int rc = tls_records_seal(&conn->channel->records, TLS_ALERT, alert, sizeof alert, sealed, &n);
    return rc != 0 ? rc : buf_add(&conn->io.out, sealed, n);
}

enum tls_step tls_channel_refuse(struct tls_conn *conn, int alert, struct err *e)
{
    static const struct {
        int alert, reason;
    } reasons[] = {{ALERT_UNEXPECTED_MESSAGE, SSL_R_UNEXPECTED_MESSAGE},
                   {ALERT_BAD_RECORD_MAC, SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC},
                   {ALERT_RECORD_OVERFLOW, SSL_R_PACKET_LENGTH_TOO_LONG},
                   {ALERT_ILLEGAL_PARAMETER, SSL_R_LENGTH_MISMATCH},
                   {ALERT_DECODE_ERROR, SSL_R_LENGTH_MISMATCH},
                   {ALERT_DECRYPT_ERROR, SSL_R_DIGEST_CHECK_FAILED}};
    const struct tls_channel *ch = conn->channel;
    if (ch->by_kernel && !ch->said_goodbye)
        (void)tls_channel_kernel_alert(conn, ALERT_FATAL, alert);
    else if (!ch->said_goodbye && add_alert(conn, ALERT_FATAL, alert) == 0)
        (void)tls_io_flush(&conn->io); /* it fails anyway, for a better reason */
    conn->io.error = 0;
    ERR_clear_error();
    int reason = ERR_R_INTERNAL_ERROR;
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].alert == alert)
            reason = reasons[i].reason;
    ERR_raise(ERR_LIB_SSL, reason);
    return tls_fail(conn, SSL_ERROR_SSL, e);
}

/* Before the next record: our next key, where the peer asked for it or this one sealed enough. */
static int seal_update(struct tls_channel *ch, unsigned char *out, size_t *n)
{
    *n = 0;
    if (!ch->owes_update && !tls_records_is_worn(&ch->records))
        return 0;
    ch->owes_update = false;
    return tls_records_renew(&ch->records, out, n);
}

static int seal_batch(struct tls_channel *ch, const unsigned char *p, size_t size, unsigned char *out,
                      size_t *out_n, size_t *took)
{
    size_t n = 0;
    int rc = seal_update(ch, out, out_n);
    *took = 0;
    for (unsigned i = 0; rc == 0 && i < ch->batch && *took < size; i++) {
        size_t part = size - *took < TLS_CONTENT_MAX ? size - *took : TLS_CONTENT_MAX;
        rc = tls_records_seal(&ch->records, TLS_DATA, p + *took, part, out + *out_n, &n);
        *out_n += n;
        *took += part;
    }
    return rc;
}

/* Sends what is in `work`; what the socket does not take waits. */
static enum tls_step send_work(struct tls_conn *conn, size_t n, size_t took, struct err *e)
{
    struct tls_channel *ch = conn->channel;
    size_t at = 0;
    while (at < n) {
        ssize_t sent = tls_io_send(&conn->io, work + at, n - at);
        if (sent < 0)
            return tls_channel_cannot_send(conn, e);
        if (sent == 0)
            break;
        at += (size_t)sent;
    }
    if (at == n) {
        ch->batch = ch->batch < BATCH_MAX / 2 ? (unsigned char)(ch->batch * 2) : BATCH_MAX;
        return TLS_DONE;
    }
    ch->sealed = took;
    ch->batch = ch->batch > 1 ? ch->batch / 2 : 1;
    if (buf_add(&conn->io.out, work + at, n - at) == 0)
        return TLS_WANT_WRITE;
    conn->state = TLS_BROKEN;
    err_set(e, ERR_NOMEM, "no memory for what the connection's socket did not take");
    return TLS_FAILED;
}

enum tls_step tls_channel_write(struct tls_conn *conn, const void *buf, size_t size, size_t *n, struct err *e)
{
    struct tls_channel *ch = conn->channel;
    struct tls_io *io = &conn->io;
    size_t held = 0, out_n = 0, took = 0;
    if (ch->by_kernel && !ch->said_goodbye)
        return tls_channel_kernel_write(conn, buf, size, n, e);
    if (io->hold) { /* what ended the handshake goes with it */
        held = io->out.n;
        memcpy(work, io->out.p != NULL ? io->out.p : "", held);
        io->hold = false;
        buf_release(&io->out);
    } else if (io->out.n > 0) {
        enum tls_step step = tls_channel_flush(conn, e);
        if (step != TLS_DONE)
            return step;
    }
    if (ch->sealed > 0) {
        *n = ch->sealed;
        ch->sealed = 0;
        return TLS_DONE;
    }
    if (ch->said_goodbye || seal_batch(ch, buf, size, work + held, &out_n, &took) != 0) {
        conn->state = TLS_BROKEN;
        err_set(e, ERR_CRYPTO, "what was to be sent could not be encrypted");
        return TLS_FAILED;
    }
    enum tls_step step = send_work(conn, held + out_n, took, e);
    if (step == TLS_DONE)
        *n = took;
    return step;
}

enum tls_step tls_channel_shutdown(struct tls_conn *conn, struct err *e)
{
    struct tls_channel *ch = conn->channel;
    if (ch->by_kernel)
        return tls_channel_kernel_shutdown(conn, e);
    if (!ch->said_goodbye && add_alert(conn, ALERT_WARNING, ALERT_CLOSE_NOTIFY) != 0) {
        conn->state = TLS_BROKEN;
        err_set(e, ERR_CRYPTO, "the end of the connection could not be said");
        return TLS_FAILED;
    }
    ch->said_goodbye = true;
    return tls_channel_flush(conn, e);
}

/* ---- what comes in ---- */

/* Ciphertext and what was opened of it, in one piece of memory: content begins at 0 and ends at `got`, what
   is still to be opened begins at `at` and ends at `end`. */
struct opening {
    unsigned char *p;
    size_t room, got, at, end;
};

/* RFC 8446 section 6: an alert's level says nothing any more. */
enum tls_step tls_channel_hear(struct tls_conn *conn, const struct tls_content_found *found, struct err *e)
{
    if (found->n != 2)
        return tls_channel_refuse(conn, ALERT_DECODE_ERROR, e);
    if (found->p[1] == ALERT_USER_CANCELED)
        return TLS_DONE;
    if (found->p[1] == ALERT_CLOSE_NOTIFY) {
        conn->channel->peer_is_done = true;
        return TLS_DONE;
    }
    ERR_raise(ERR_LIB_SSL, SSL_AD_REASON_OFFSET + found->p[1]);
    return tls_fail(conn, SSL_ERROR_SSL, e);
}

static enum tls_step open_one(struct tls_conn *conn, struct opening *o, size_t length, struct err *e)
{
    struct tls_channel *ch = conn->channel;
    struct tls_content_found found;
    int alert = tls_records_open(&ch->records, o->p + o->at, length, &found);
    o->at += length;
    if (alert == 0 && found.type == TLS_ALERT)
        return tls_channel_hear(conn, &found, e);
    if (alert == 0 && found.type == TLS_HANDSHAKE)
        alert = tls_records_message(&ch->records, &found, &ch->owes_update);
    else if (alert == 0) {
        memmove(o->p + o->got, found.p, found.n);
        o->got += found.n;
    }
    return alert != 0 ? tls_channel_refuse(conn, alert, e) : TLS_DONE;
}

/* More of a record that is not whole yet, whose length is 0 while that is not known either. */
static enum tls_step receive(struct tls_conn *conn, struct opening *o, size_t length, struct err *e)
{
    struct tls_io *io = &conn->io;
    if (o->at > 0)
        memmove(o->p, o->p + o->at, o->end - o->at);
    o->end -= o->at;
    o->at = 0;
    size_t want = (length > 0 ? length : TLS_HEADER_SIZE) - o->end;
    ssize_t n = tls_io_recv(io, o->p + o->end, io->ahead ? o->room - o->end : want);
    if (n > 0) {
        o->end += (size_t)n;
        return TLS_DONE;
    }
    if (n < 0)
        return tls_fail(conn, SSL_ERROR_SYSCALL, e);
    if (io->eof)
        return tls_fail(conn, SSL_ERROR_WANT_READ, e);
    return TLS_WANT_READ;
}

/* Until there is content, or nothing more to make it of. */
static enum tls_step open_some(struct tls_conn *conn, struct opening *o, struct err *e)
{
    for (;;) {
        size_t length = tls_record_length(o->p + o->at, o->end - o->at);
        if (length > TLS_RECORD_MAX)
            return tls_channel_refuse(conn, ALERT_RECORD_OVERFLOW, e);
        bool whole = length > 0 && length <= o->end - o->at;
        if (!whole && o->got > 0)
            return TLS_DONE;
        enum tls_step step = whole ? open_one(conn, o, length, e) : receive(conn, o, length, e);
        if (step != TLS_DONE)
            return step;
        if (conn->channel->peer_is_done)
            return o->got > 0 ? TLS_DONE : TLS_CLOSED; /* what follows a close_notify is ignored */
    }
}

static size_t deliver(struct tls_channel *ch, void *buf, size_t size)
{
    size_t left = ch->plain.n - ch->plain_at, n = left < size ? left : size;
    memcpy(buf, ch->plain.p + ch->plain_at, n);
    ch->plain_at += n;
    if (ch->plain_at == ch->plain.n) {
        ch->plain_at = 0;
        buf_release(&ch->plain);
    }
    return n;
}

static enum tls_step short_of_memory(struct tls_conn *conn, struct err *e)
{
    conn->state = TLS_BROKEN;
    err_set(e, ERR_NOMEM, "no memory for what the client sent");
    return TLS_FAILED;
}

/* Records are opened where the caller wants their content, if there is room for one. */
enum tls_step tls_channel_read(struct tls_conn *conn, void *buf, size_t size, size_t *n, struct err *e)
{
    struct tls_channel *ch = conn->channel;
    struct tls_io *io = &conn->io;
    if (ch->plain.n > 0) {
        *n = deliver(ch, buf, size);
        return TLS_DONE;
    }
    if (ch->peer_is_done)
        return TLS_CLOSED;
    bool direct = size >= TLS_RECORD_MAX;
    struct opening o = {.p = direct ? buf : work, .room = direct ? size : TLS_RECORD_MAX};
    o.end = tls_io_waiting(io);
    tls_io_take(io, o.p, o.end);
    enum tls_step step = open_some(conn, &o, e);
    if (step == TLS_FAILED || step == TLS_CLOSED)
        return step;
    if (o.at < o.end && tls_io_give_back(io, o.p + o.at, o.end - o.at) != 0)
        return short_of_memory(conn, e);
    if (tls_io_waiting(io) == 0)
        buf_release(&io->in);
    if (step == TLS_DONE && !direct) {
        if (buf_add(&ch->plain, o.p, o.got) != 0)
            return short_of_memory(conn, e);
        *n = deliver(ch, buf, size);
    } else if (step == TLS_DONE) {
        *n = o.got;
    }
    return step;
}

bool tls_channel_has_input(const struct tls_conn *conn)
{
    const struct tls_io *io = &conn->io;
    size_t n = tls_io_waiting(io);
    size_t length = n > 0 ? tls_record_length((const unsigned char *)io->in.p + io->in_at, n) : 0;
    return conn->channel->plain.n > 0 || conn->channel->peer_is_done || (length > 0 && length <= n) ||
           !io->drained;
}

size_t tls_channel_pending(const struct tls_conn *conn)
{
    return conn->channel->plain.n - conn->channel->plain_at;
}
