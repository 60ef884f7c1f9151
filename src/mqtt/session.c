/* One connection to the broker through libmosquitto, on the client's thread alone. */
#include <arpa/inet.h>
#include <errno.h>
#include <mqtt_protocol.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "mqtt/client.h"

#define UNREAD_MAX (3 * MQTT_PACKET_MAX) /* bytes, with TLS around them */
#define TURN_MAX MQTT_PACKET_MAX         /* bytes read before the loop looks at everything else again */
#define MQTT_SESSION_PRESENT 1           /* in CONNACK's flags (MQTT 5 section 3.2.2.1) */
#define LOOK_MS 5000                     /* at most between two looks at the keep-alive */

static int64_t now_ms(void)
{
    return clock_mono_ms(&clock_system);
}

/* --- what libmosquitto calls, with the client as its user data --- */

static void end_with(struct mqtt_client *c, int code, const char *what, int reason,
                     const mosquitto_property *props)
{
    char *text = NULL;
    mosquitto_property_read_string(props, MQTT_PROP_REASON_STRING, &text, false);
    err_set(&c->s.why, code, "the broker %s %s: %s%s%s", c->broker, what, mosquitto_reason_string(reason),
            text != NULL ? ": " : "", text != NULL ? text : "");
    free(text);
}

static void is_up(struct mqtt_client *c)
{
    c->s.up = true;
    c->s.up_at = now_ms();
    pthread_mutex_lock(&c->lock);
    c->up = true;
    pthread_mutex_unlock(&c->lock);
    if (c->set.handlers.up != NULL)
        c->set.handlers.up(c->set.handlers.ctx);
}

static void on_connect(struct mosquitto *m, void *arg, int reason, int flags, const mosquitto_property *props)
{
    struct mqtt_client *c = arg;
    if (reason != 0) {
        end_with(c, ERR_DENIED, "refused the connection", reason, props);
        return;
    }
    c->s.connected = true;
    pthread_mutex_lock(&c->lock);
    c->kept = (flags & MQTT_SESSION_PRESENT) != 0;
    pthread_mutex_unlock(&c->lock);
    if (c->set.subscription_count == 0) {
        is_up(c);
        return;
    }
    int rc = mosquitto_subscribe_multiple(m, NULL, (int)c->set.subscription_count, c->filters, 1,
                                          c->set.fresh_only ? MQTT_SUB_OPT_SEND_RETAIN_NEVER : 0, NULL);
    if (rc != MOSQ_ERR_SUCCESS)
        err_set(&c->s.why, ERR_IO, "cannot subscribe at the broker %s: %s", c->broker,
                mosquitto_strerror(rc));
}

static void on_subscribe(struct mosquitto *m, void *arg, int mid, int n, const int *granted,
                         const mosquitto_property *props)
{
    struct mqtt_client *c = arg;
    (void)m, (void)mid;
    for (int i = 0; i < n; i++)
        if (granted[i] >= 128) {
            char what[MQTT_TOPIC_MAX + 64];
            snprintf(what, sizeof what, "refused the subscription to %s",
                     (size_t)i < c->set.subscription_count ? c->filters[i] : "a topic");
            end_with(c, ERR_DENIED, what, granted[i], props);
            return;
        }
    if (!c->s.up)
        is_up(c);
}

static void on_message(struct mosquitto *m, void *arg, const struct mosquitto_message *message,
                       const mosquitto_property *props)
{
    struct mqtt_client *c = arg;
    uint16_t alias = 0;
    (void)m;
    if (mosquitto_property_read_int16(props, MQTT_PROP_TOPIC_ALIAS, &alias, false) != NULL &&
        c->s.why.code == 0) /* we allow none (MQTT 5 section 3.1.2.11.5), and libmosquitto keeps them all */
        err_set(&c->s.why, ERR_INVALID, "the broker %s uses topic aliases, which were not allowed",
                c->broker);
    if (c->set.handlers.message == NULL || c->s.why.code != 0)
        return;
    size_t n = message->payloadlen > 0 ? (size_t)message->payloadlen : 0;
    char *copy = n <= MQTT_PAYLOAD_MAX ? malloc(n + 1) : NULL;
    if (copy == NULL || strlen(message->topic) >= MQTT_TOPIC_MAX) {
        log_warn("mqtt", "a message was dropped: it is too large", LOG_STR("broker", c->broker),
                 LOG_I64("bytes", (int64_t)n));
        free(copy);
        return;
    }
    if (n > 0)
        memcpy(copy, message->payload, n);
    copy[n] = '\0';
    c->set.handlers.message(c->set.handlers.ctx, message->topic, copy, n, message->retain);
    free(copy);
}

static void one_less(struct mqtt_client *c)
{
    pthread_mutex_lock(&c->lock);
    c->under_way--;
    pthread_mutex_unlock(&c->lock);
}

static void on_publish(struct mosquitto *m, void *arg, int mid, int reason, const mosquitto_property *props)
{
    struct mqtt_client *c = arg;
    struct session *s = &c->s;
    (void)m;
    int i = 0;
    while (i < s->sent_n && s->sent[i].mid != mid)
        i++;
    if (i == s->sent_n)
        return; /* an acknowledgement of nothing we sent */
    uint64_t ticket = s->sent[i].ticket;
    s->sent[i] = s->sent[--s->sent_n];
    one_less(c);
    struct err refused = {0};
    if (reason >= 128) {
        char *text = NULL;
        mosquitto_property_read_string(props, MQTT_PROP_REASON_STRING, &text, false);
        err_set(&refused, ERR_DENIED, "the broker %s refused the message: %s%s%s", c->broker,
                mosquitto_reason_string(reason), text != NULL ? ": " : "", text != NULL ? text : "");
        free(text);
    }
    if (c->set.handlers.published != NULL)
        c->set.handlers.published(c->set.handlers.ctx, ticket, reason >= 128 ? &refused : NULL);
}

static void on_disconnect(struct mosquitto *m, void *arg, int reason, const mosquitto_property *props)
{
    struct mqtt_client *c = arg;
    (void)m;
    /* Reasons from 128 on came in the broker's DISCONNECT; smaller ones are libmosquitto's own errors. */
    if (c->s.why.code == 0 && reason >= 128)
        end_with(c, ERR_DENIED, "ended the connection", reason, props);
}

/* libmosquitto logs each whole packet that came, and OpenSSL's error queue as "OpenSSL Error[0]: ...". */
static void on_log(struct mosquitto *m, void *arg, int level, const char *text)
{
    struct mqtt_client *c = arg;
    (void)m;
    if (c->s.ssl != NULL && strstr(text, " received ") != NULL)
        c->s.seen = BIO_number_read(SSL_get_rbio(c->s.ssl));
    if ((level & MOSQ_LOG_ERR) != 0)
        snprintf(c->s.said, sizeof c->s.said, "%s", text);
}

/* --- opening and closing --- */

/* mosquitto_connect_bind_async connects without blocking, but takes no properties; the blocking call keeps
   those it was given for later connections, and fails at once when it is given no host. */
static int keep_properties(struct mqtt_client *c)
{
    mosquitto_property *props = NULL;
    int rc = mosquitto_property_add_int32(&props, MQTT_PROP_MAXIMUM_PACKET_SIZE, MQTT_PACKET_MAX);
    if (rc == MOSQ_ERR_SUCCESS && c->set.session_seconds > 0)
        rc = mosquitto_property_add_int32(&props, MQTT_PROP_SESSION_EXPIRY_INTERVAL, c->set.session_seconds);
    if (rc == MOSQ_ERR_SUCCESS) {
        rc = mosquitto_connect_bind_v5(c->s.m, NULL, c->port, c->set.keepalive_s, NULL, props);
        rc = rc == MOSQ_ERR_INVAL ? MOSQ_ERR_SUCCESS : rc == MOSQ_ERR_SUCCESS ? MOSQ_ERR_INVAL : rc;
    }
    mosquitto_property_free_all(&props);
    return rc;
}

static int set_options(struct session *s)
{
    int rc = mosquitto_int_option(s->m, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_int_option(s->m, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_void_option(s->m, MOSQ_OPT_SSL_CTX, tls_ctx_ssl(s->tls));
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_int_option(s->m, MOSQ_OPT_TCP_NODELAY, 1);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_int_option(s->m, MOSQ_OPT_SEND_MAXIMUM, MQTT_IN_FLIGHT_MAX);
    return rc;
}

/* libmosquitto announces the host it was given, which is an address: the name is set as the handshake begins.
   A name that is an address is not announced (RFC 6066 section 3). */
static void on_tls_state(const SSL *ssl, int where, int ret)
{
    (void)ret;
    if (where != SSL_CB_HANDSHAKE_START)
        return;
    struct mqtt_client *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    unsigned char ip[16];
    bool name = inet_pton(AF_INET, c->host, ip) != 1 && inet_pton(AF_INET6, c->host, ip) != 1;
    (void)SSL_set_tlsext_host_name((SSL *)(uintptr_t)ssl, name ? c->host : NULL);
}

/* Called before each read from the socket: libmosquitto itself would take a message of 256 MiB, and not come
   back from reading while the broker is faster. */
static long on_bio(BIO *bio, int oper, const char *data, size_t n, int argi, long argl, int ret, size_t *done)
{
    struct mqtt_client *c = (struct mqtt_client *)(void *)BIO_get_callback_arg(bio);
    (void)data, (void)n, (void)argi, (void)argl, (void)done;
    uint64_t came = BIO_number_read(bio);
    if (oper != BIO_CB_READ || (came - c->s.seen <= UNREAD_MAX && came - c->s.turn <= TURN_MAX))
        return ret;
    if (came - c->s.seen <= UNREAD_MAX) {
        BIO_set_retry_read(bio); /* the rest is for the next turn */
        return -1;
    }
    if (c->s.why.code == 0)
        err_set(&c->s.why, ERR_TOO_LARGE, "the broker %s sends a message over the limit of %d bytes",
                c->broker, MQTT_PAYLOAD_MAX);
    return -1;
}

static int session_open(struct mqtt_client *c, const char *address, struct err *e)
{
    struct session *s = &c->s;
    int rc = c->set.tls(c->set.handlers.ctx, c->host, &s->tls, e);
    if (rc != 0)
        return err_context(e, "cannot prepare TLS for the broker %s", c->broker);
    SSL_CTX_set_app_data(tls_ctx_ssl(s->tls), c);
    SSL_CTX_set_info_callback(tls_ctx_ssl(s->tls), on_tls_state);
    s->m = mosquitto_new(c->client_id, c->set.session_seconds == 0, c);
    if (s->m == NULL)
        return err_set(e, ERR_NOMEM, "no memory for an MQTT connection");
    mosquitto_connect_v5_callback_set(s->m, on_connect);
    mosquitto_subscribe_v5_callback_set(s->m, on_subscribe);
    mosquitto_message_v5_callback_set(s->m, on_message);
    mosquitto_publish_v5_callback_set(s->m, on_publish);
    mosquitto_disconnect_v5_callback_set(s->m, on_disconnect);
    mosquitto_log_callback_set(s->m, on_log);
    rc = set_options(s);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = keep_properties(c);
    errno = 0;
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_connect_bind_async(s->m, address, c->port, c->set.keepalive_s, NULL);
    int errno_value = errno;
    if (rc != MOSQ_ERR_SUCCESS)
        return session_trouble(c, rc, errno_value, e);
    s->ssl = mosquitto_ssl_get(s->m);
    if (s->ssl == NULL || SSL_up_ref(s->ssl) != 1) {
        s->ssl = NULL;
        return err_set(e, ERR_INTERNAL, "libmosquitto made no TLS connection");
    }
    BIO_set_callback_arg(SSL_get_rbio(s->ssl), (char *)c);
    BIO_set_callback_ex(SSL_get_rbio(s->ssl), on_bio);
    return 0;
}

static void session_close(struct mqtt_client *c)
{
    struct session *s = &c->s;
    SSL *ssl = s->ssl;
    s->ssl = NULL; /* libmosquitto's last words are not looked at */
    mosquitto_destroy(s->m);
    SSL_free(ssl);
    tls_ctx_free(s->tls);
    s->m = NULL;
    s->tls = NULL;
}

/* --- the loop --- */

static struct mqtt_out *take_queue(struct mqtt_client *c)
{
    pthread_mutex_lock(&c->lock);
    struct mqtt_out *first = c->queue;
    c->queue = NULL;
    c->queue_end = &c->queue;
    pthread_mutex_unlock(&c->lock);
    return first;
}

/* A message that the broker does not take by what it said at the connection is refused; the rest is for
   the connection. */
static int send_one(struct mqtt_client *c, const struct mqtt_out *out)
{
    struct session *s = &c->s;
    int mid = 0;
    int rc = mosquitto_publish_v5(s->m, &mid, out->topic, (int)out->n, out->payload, 1, out->retain, NULL);
    if (rc == MOSQ_ERR_OVERSIZE_PACKET || rc == MOSQ_ERR_QOS_NOT_SUPPORTED ||
        rc == MOSQ_ERR_RETAIN_NOT_SUPPORTED) {
        struct err refused = {0};
        err_set(&refused, ERR_DENIED, "the broker %s does not take the message: %s", c->broker,
                mosquitto_strerror(rc));
        one_less(c);
        if (c->set.handlers.published != NULL)
            c->set.handlers.published(c->set.handlers.ctx, out->ticket, &refused);
        return MOSQ_ERR_SUCCESS;
    }
    if (rc == MOSQ_ERR_SUCCESS) { /* under_way bounds the count */
        s->sent[s->sent_n].mid = mid;
        s->sent[s->sent_n++].ticket = out->ticket;
    }
    return rc;
}

static int send_queue(struct mqtt_client *c)
{
    int rc = MOSQ_ERR_SUCCESS;
    struct mqtt_out *next;
    for (struct mqtt_out *out = take_queue(c); out != NULL; out = next) {
        next = out->next;
        if (rc == MOSQ_ERR_SUCCESS)
            rc = send_one(c, out);
        free(out);
    }
    return rc;
}

/* Inside the handshake OpenSSL says what it waits for; libmosquitto would ask for room to write all along. */
static short events(const struct session *s)
{
    if (SSL_in_init(s->ssl))
        return SSL_want_read(s->ssl) ? POLLIN : POLLOUT;
    /* A broker that does not take our receipts is not listened to: they would pile up. */
    return mosquitto_want_write(s->m) ? POLLOUT : POLLIN;
}

static int socket_error(int fd)
{
    int value = 0;
    socklen_t n = sizeof value;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &n) == 0 ? value : 0;
}

/* Reads before it writes: what the broker said last tells more than a broken pipe. */
static int step(struct mqtt_client *c, short ready)
{
    struct session *s = &c->s;
    int rc = MOSQ_ERR_SUCCESS;
    if ((ready & (POLLIN | POLLOUT)) != 0 && (ready & (POLLERR | POLLHUP)) == 0)
        s->reached = true;
    if ((ready & POLLERR) != 0 && (ready & POLLIN) == 0 &&
        (errno = socket_error(mosquitto_socket(s->m))) != 0)
        return MOSQ_ERR_ERRNO;
    s->turn = BIO_number_read(SSL_get_rbio(s->ssl));
    errno = 0; /* libmosquitto stops at an EAGAIN, also at one from before */
    if ((ready & (POLLIN | POLLHUP)) != 0)
        rc = mosquitto_loop_read(s->m, 1);
    if (rc == MOSQ_ERR_SUCCESS && (ready & (POLLOUT | POLLERR)) != 0)
        rc = mosquitto_loop_write(s->m, 1);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_loop_misc(s->m);
    return s->why.code != 0 && rc == MOSQ_ERR_SUCCESS ? MOSQ_ERR_UNKNOWN : rc;
}

/* Whether the connection is to end on purpose, and nothing is to be waited for any more. */
static bool is_over(struct mqtt_client *c)
{
    struct session *s = &c->s;
    pthread_mutex_lock(&c->lock);
    bool end = c->stop || c->again;
    int under_way = c->under_way;
    pthread_mutex_unlock(&c->lock);
    if (!end)
        return false;
    if (!s->up || under_way == 0)
        return true;
    if (s->give_up == 0)
        s->give_up = now_ms() + MQTT_GOODBYE_MS;
    return now_ms() >= s->give_up;
}

static int wait_and_step(struct mqtt_client *c)
{
    struct session *s = &c->s;
    struct pollfd fds[2] = {{.fd = c->wake, .events = POLLIN},
                            {.fd = mosquitto_socket(s->m), .events = events(s)}};
    bool decrypted = SSL_pending(s->ssl) > 0 && (fds[1].events & POLLIN) != 0; /* poll does not see it */
    int64_t left = decrypted ? 0 : s->give_up != 0 ? s->give_up - now_ms() : LOOK_MS;
    int n = poll(fds, 2, left < 0 ? 0 : left < LOOK_MS ? (int)left : LOOK_MS);
    if (n < 0 && errno != EINTR)
        return MOSQ_ERR_ERRNO;
    uint64_t woken;
    if (n > 0 && fds[0].revents != 0 && read(c->wake, &woken, sizeof woken) < 0 && errno != EAGAIN)
        return MOSQ_ERR_ERRNO;
    errno = 0;
    int rc = s->up ? send_queue(c) : MOSQ_ERR_SUCCESS;
    short ready = n > 0 ? fds[1].revents : 0;
    return rc == MOSQ_ERR_SUCCESS ? step(c, decrypted ? (short)(ready | POLLIN) : ready) : rc;
}

static int session_loop(struct mqtt_client *c, int64_t reach_by, struct err *e)
{
    struct session *s = &c->s;
    s->give_up = reach_by;
    while (!is_over(c)) {
        bool was_up = s->up, was_reached = s->reached;
        int rc = wait_and_step(c), errno_value = errno;
        if (rc != MOSQ_ERR_SUCCESS || s->why.code != 0)
            return session_trouble(c, rc, errno_value, e);
        if (s->reached && !was_reached)
            s->give_up = now_ms() + MQTT_CONNECT_MS;
        if (s->up && !was_up)
            s->give_up = 0;
        if (!s->up && now_ms() >= s->give_up)
            return err_set(e, ERR_TIMEOUT, "the broker %s %s in time", c->broker,
                           s->reached ? "did not complete the connection" : "did not answer");
    }
    if (s->up && mosquitto_disconnect_v5(s->m, 0, NULL) == MOSQ_ERR_SUCCESS)
        (void)mosquitto_loop_write(s->m, 1);
    return 0;
}

/* One address after the other until one answers; they share the time. */
int session_run(struct mqtt_client *c, struct err *e)
{
    struct mqtt_addresses at;
    int64_t until = now_ms() + MQTT_REACH_MS;
    memset(&c->s, 0, sizeof c->s);
    int rc = mqtt_resolve(c, until, &at, e);
    for (int i = 0; rc == 0 && i < at.n; i++) {
        memset(&c->s, 0, sizeof c->s);
        rc = session_open(c, at.text[i], e);
        if (rc == 0)
            rc = session_loop(c, now_ms() + (until - now_ms()) / (at.n - i), e);
        session_close(c);
        if (rc == 0 || c->s.reached)
            break;
        if (i + 1 < at.n)
            rc = 0;
    }
    return mqtt_is_wanted(c) ? 0 : rc;
}
