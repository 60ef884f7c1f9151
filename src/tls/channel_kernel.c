/* A channel whose sending is the kernel's: kernel TLS, for files. What comes in stays with channel.c. */
#include "tls/channel_impl.h"
#include "tls/kernel.h"

bool tls_give_to_kernel(struct tls_conn *conn)
{
    struct tls_channel *ch = conn->channel;
    if (ch == NULL || conn->state != TLS_OPEN)
        return false;
    bool idle = !conn->io.hold && conn->io.out.n == 0 && ch->sealed == 0 && !ch->said_goodbye;
    if (!ch->by_kernel && idle && !tls_records_is_worn(&ch->records))
        ch->by_kernel = tls_kernel_begin(&conn->io, &ch->records);
    return ch->by_kernel;
}

ssize_t tls_channel_kernel_alert(struct tls_conn *conn, unsigned char level, int description)
{
    const unsigned char alert[] = {level, (unsigned char)description};
    return tls_kernel_say(&conn->io, &conn->channel->records, TLS_ALERT, alert, sizeof alert);
}

static enum tls_step give_up(struct tls_conn *conn, unsigned char level, int alert, const char *why,
                             struct err *e)
{
    (void)tls_channel_kernel_alert(conn, level, alert); /* it ends anyway */
    conn->state = TLS_BROKEN;
    err_set(e, ERR_CRYPTO, "%s", why);
    return TLS_FAILED;
}

/* A key that wears out is used until the response ends (tls_is_worn). But an update that the peer asked
   for comes before any more data (RFC 8446 section 4.6.3): close_notify is no data, and the peer comes
   again. */
static enum tls_step without_renewal(struct tls_conn *conn, struct err *e)
{
    if (conn->channel->owes_update)
        return give_up(conn, ALERT_WARNING, ALERT_CLOSE_NOTIFY,
                       "the client asked for a new key, which this kernel does not take", e);
    if (tls_records_is_spent(&conn->channel->records))
        return give_up(conn, ALERT_FATAL, ALERT_INTERNAL_ERROR,
                       "the key has encrypted as much as it may, and this kernel takes no other", e);
    return TLS_DONE;
}

static enum tls_step renew_if_due(struct tls_conn *conn, struct err *e)
{
    struct tls_channel *ch = conn->channel;
    if (!ch->owes_update && !tls_records_is_worn(&ch->records))
        return TLS_DONE;
    if (!tls_kernel_can_renew(&conn->io))
        return without_renewal(conn, e);
    ssize_t said = tls_kernel_say(&conn->io, &ch->records, TLS_HANDSHAKE, tls_key_update, TLS_UPDATE_SIZE);
    if (said <= 0)
        return said == 0 ? TLS_WANT_WRITE : tls_channel_cannot_send(conn, e);
    ch->owes_update = false;
    if (tls_kernel_renew(&conn->io, &ch->records) == 0)
        return TLS_DONE;
    conn->state = TLS_BROKEN; /* the peer goes on with a key that nobody has here */
    err_set(e, ERR_CRYPTO, "the kernel did not take the connection's next key");
    return TLS_FAILED;
}

static enum tls_step judge(struct tls_conn *conn, ssize_t sent, size_t *n, struct err *e)
{
    if (sent < 0)
        return tls_channel_cannot_send(conn, e);
    *n = (size_t)sent;
    return sent > 0 ? TLS_DONE : TLS_WANT_WRITE;
}

enum tls_step tls_channel_kernel_write(struct tls_conn *conn, const void *buf, size_t size, size_t *n,
                                       struct err *e)
{
    enum tls_step step = renew_if_due(conn, e);
    if (step != TLS_DONE)
        return step;
    return judge(conn, tls_kernel_send(&conn->io, &conn->channel->records, buf, size), n, e);
}

enum tls_step tls_send_file(struct tls_conn *conn, int file, uint64_t offset, size_t size, size_t *n,
                            struct err *e)
{
    *n = 0;
    if (conn->state != TLS_OPEN || conn->channel == NULL || !conn->channel->by_kernel ||
        conn->channel->said_goodbye) {
        err_set(e, ERR_INTERNAL, "a file cannot be sent on this connection");
        return TLS_FAILED;
    }
    enum tls_step step = renew_if_due(conn, e);
    if (step != TLS_DONE)
        return step;
    bool none = false;
    ssize_t sent = tls_kernel_send_file(&conn->io, &conn->channel->records, file, offset, size, &none);
    return none ? TLS_DONE : judge(conn, sent, n, e);
}

bool tls_is_out(const struct tls_conn *conn)
{
    return conn->channel == NULL || !conn->channel->by_kernel || tls_kernel_has_room(&conn->io);
}

bool tls_is_worn(const struct tls_conn *conn)
{
    return conn->channel != NULL && conn->channel->by_kernel && tls_records_is_worn(&conn->channel->records);
}

/* With room before, the kernel sends what it had sealed together with this. */
enum tls_step tls_channel_kernel_shutdown(struct tls_conn *conn, struct err *e)
{
    struct tls_channel *ch = conn->channel;
    if (!ch->said_goodbye) {
        if (!tls_kernel_has_room(&conn->io))
            return TLS_WANT_WRITE;
        ssize_t said = tls_channel_kernel_alert(conn, ALERT_WARNING, ALERT_CLOSE_NOTIFY);
        if (said <= 0)
            return said == 0 ? TLS_WANT_WRITE : tls_channel_cannot_send(conn, e);
        ch->said_goodbye = true;
    }
    return tls_kernel_has_room(&conn->io) ? TLS_DONE : TLS_WANT_WRITE;
}
