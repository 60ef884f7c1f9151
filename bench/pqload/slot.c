/* One connection after another, and one operation after another on it. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/rand.h"
#include "pqload/load.h"
#include "pqload/wire.h"

const char *const error_names[ERROR_KINDS] = {"connect", "handshake", "io",     "closed",
                                              "http",    "status",    "timeout"};

/* As a device has it. With the megabytes that Linux would give, what is measured on one machine is whether
   what is under way still is in the processor's cache. */
#define RECEIVE_BYTES 131072
#define BUSY_STATUS 503

static void drive(struct slot *s);

static bool stays(const struct slot *s)
{
    return mode_stays(s->load->options->mode);
}

/* Whether the operation was turned away and tries again: then that is noted, with the time. */
static bool turned_away(struct slot *s, enum error_kind kind, const char *text)
{
    double retry = s->load->options->retry;
    if (retry <= 0 || !s->busy || s->load->phase == LOAD_OVER || kind == ERROR_HTTP ||
        (kind == ERROR_STATUS && s->reply.status != BUSY_STATUS))
        return false;
    failure_note(&s->load->counts.retries, kind, text);
    double share = 0.5 + (double)rand_spread() / UINT32_MAX; /* of it: from a half to one and a half */
    s->again_at = uv_hrtime() + (uint64_t)(share * retry * 1e9);
    return true;
}

static void fail(struct slot *s, enum error_kind kind, const char *text)
{
    if (!turned_away(s, kind, text)) {
        load_error(s->load, kind, text);
        s->failed = true;
    }
    slot_close(s);
}

static void on_closed(uv_handle_t *handle)
{
    struct slot *s = handle->data;
    s->state = SLOT_CLOSED;
    if (s->again_at == 0)
        load_slot_done(s);
}

void slot_close(struct slot *s)
{
    if (s->state == SLOT_CLOSED || s->state == SLOT_CLOSING)
        return;
    if (stays(s))
        slot_account(s, s->load->phase == LOAD_MEASURE || s->load->phase == LOAD_DRAIN);
    s->state = SLOT_CLOSING;
    list_remove(&s->link); /* an open one may stand in a list */
    uv_close((uv_handle_t *)&s->poll, on_closed);
    tls_conn_free(s->conn);
    s->conn = NULL;
    close(s->fd);
    s->fd = -1;
}

void slot_account(struct slot *s, bool count)
{
    uint64_t in, out;
    if (s->fd < 0 || !wire_bytes(s->fd, &in, &out))
        return;
    if (count) {
        s->load->counts.bytes_in += in - s->seen_in;
        s->load->counts.bytes_out += out - s->seen_out;
    }
    s->seen_in = in;
    s->seen_out = out;
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    (void)events;
    struct slot *s = poll->data;
    if (status < 0)
        fail(s, ERROR_IO, uv_strerror(status));
    else
        drive(s);
}

static void wait_for(struct slot *s, int events)
{
    if (s->polled == events || s->state == SLOT_CLOSING)
        return;
    s->polled = events;
    int rc = uv_poll_start(&s->poll, events, on_event);
    if (rc != 0)
        fail(s, ERROR_IO, uv_strerror(rc));
}

/* Without a connection nothing has to be closed, so the slot is done at once. */
static void cannot_open(struct slot *s, const char *text)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    if (turned_away(s, ERROR_CONNECT, text))
        return;
    load_error(s->load, ERROR_CONNECT, text);
    s->failed = true;
    load_slot_done(s);
}

static bool open_connection(struct slot *s)
{
    struct load *l = s->load;
    struct err e = {0};
    int one = 1, room = RECEIVE_BYTES;
    s->fd = socket(l->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0 || setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 ||
        setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room) != 0 ||
        (connect(s->fd, (const struct sockaddr *)&l->to, l->to_n) != 0 && errno != EINPROGRESS)) {
        cannot_open(s, strerror(errno));
        return false;
    }
    if (tls_conn_new(s->tls, s->fd, l->options->host, &s->conn, &e) != 0) {
        cannot_open(s, e.text);
        return false;
    }
    int rc = uv_poll_init(&l->uv, &s->poll, s->fd);
    if (rc != 0) {
        tls_conn_free(s->conn);
        s->conn = NULL;
        cannot_open(s, uv_strerror(rc));
        return false;
    }
    s->poll.data = s;
    s->polled = 0;
    s->seen_in = s->seen_out = 0;
    s->state = SLOT_HANDSHAKE;
    return true;
}

static void begin_request(struct slot *s)
{
    const struct request *r = &s->who->request;
    reply_begin(&s->reply);
    s->reply.head = strcmp(s->load->options->method, "HEAD") == 0;
    if (r->number_n > 0)
        request_number(r, s->request, ++s->load->numbered);
    s->written = 0;
    s->state = SLOT_WRITE;
}

void slot_begin(struct slot *s, uint64_t due)
{
    s->due = due;
    s->began = uv_hrtime();
    s->busy = true;
    s->load->busy++;
    s->failed = false;
    if (s->state == SLOT_OPEN) {
        s->sent = due;
        begin_request(s);
    } else if (!open_connection(s)) {
        return;
    }
    drive(s);
}

static void stay_open(struct slot *s)
{
    s->state = SLOT_OPEN;
    load_slot_done(s);
    wait_for(s, UV_READABLE);
}

static void end_handshake(struct slot *s)
{
    struct load *l = s->load;
    uint64_t now = uv_hrtime();
    bool resumed = tls_conn_info(s->conn)->resumed;
    if (load_counts(l, s->due)) {
        histogram_add(&l->counts.handshake, now - s->due);
        l->counts.full += !resumed;
        l->counts.resumed += resumed;
    }
    if (l->phase == LOAD_OPENING) {
        stay_open(s);
        return;
    }
    s->sent = now;
    begin_request(s);
}

static void end_operation(struct slot *s)
{
    struct load *l = s->load;
    char text[80];
    if ((uint64_t)s->reply.status != l->options->expect) {
        snprintf(text, sizeof text, "the response's status is %d, not %llu", s->reply.status,
                 (unsigned long long)l->options->expect);
        fail(s, ERROR_STATUS, text);
        return;
    }
    uint64_t now = uv_hrtime();
    bool count = load_counts(l, s->due);
    if (count) {
        histogram_add(&l->counts.request, now - s->sent);
        histogram_add(&l->counts.operation, now - s->due);
        if (l->options->mode == MODE_IDLE && l->step != 0)
            histogram_add(&l->stretch.operation, now - s->due);
    }
    if (stays(s) && s->reply.keep_alive) {
        stay_open(s);
        return;
    }
    struct err e = {0};
    if (tls_shutdown(s->conn, &e) == TLS_FAILED) {
        fail(s, ERROR_IO, e.text);
        return;
    }
    if (!stays(s))
        slot_account(s, count);
    else if (count)
        l->counts.reconnects++;
    slot_close(s);
}

static void take_bytes(struct slot *s, size_t n)
{
    struct err e = {0};
    uint64_t before = s->reply.body;
    if (reply_feed(&s->reply, s->load->buffer, n, &e) != 0) {
        fail(s, ERROR_HTTP, e.text);
        return;
    }
    if (s->load->phase == LOAD_MEASURE)
        s->load->counts.body += s->reply.body - before;
    if (s->reply.complete)
        end_operation(s);
}

static void take_end(struct slot *s)
{
    struct err e = {0};
    if (s->state == SLOT_OPEN)
        fail(s, ERROR_CLOSED, "the server closed a connection that was idle");
    else if (s->state == SLOT_READ && reply_end(&s->reply, &e) == 0)
        end_operation(s);
    else
        fail(s, ERROR_CLOSED, e.code != 0 ? e.text : "the server closed before the request was sent");
}

static enum tls_step step_write(struct slot *s, struct err *e)
{
    size_t n = 0, all = s->who->request.text.n;
    enum tls_step step = tls_write(s->conn, s->request + s->written, all - s->written, &n, e);
    if (step != TLS_DONE)
        return step;
    s->written += n;
    if (s->written == all)
        s->state = SLOT_READ;
    return TLS_DONE;
}

static enum tls_step step_read(struct slot *s, struct err *e)
{
    size_t n = 0;
    enum tls_step step = tls_read(s->conn, s->load->buffer, sizeof s->load->buffer, &n, e);
    if (step != TLS_DONE)
        return step;
    if (s->state == SLOT_OPEN)
        fail(s, ERROR_HTTP, "bytes came that nobody asked for");
    else
        take_bytes(s, n);
    return TLS_DONE;
}

static enum tls_step take_step(struct slot *s, struct err *e)
{
    if (s->state == SLOT_WRITE)
        return step_write(s, e);
    if (s->state != SLOT_HANDSHAKE)
        return step_read(s, e);
    enum tls_step step = tls_handshake(s->conn, e);
    if (step == TLS_DONE)
        end_handshake(s);
    return step;
}

/* Goes on until it has to wait. */
static void drive(struct slot *s)
{
    do {
        struct err e = {0};
        bool shaking = s->state == SLOT_HANDSHAKE;
        switch (take_step(s, &e)) {
        case TLS_DONE:
            break;
        case TLS_WANT_READ:
            wait_for(s, UV_READABLE);
            return;
        case TLS_WANT_WRITE:
            wait_for(s, UV_READABLE | UV_WRITABLE);
            return;
        case TLS_CLOSED:
            take_end(s);
            return;
        case TLS_FAILED:
            fail(s, shaking ? ERROR_HANDSHAKE : ERROR_IO, e.text);
            return;
        }
    } while (s->state == SLOT_HANDSHAKE || s->state == SLOT_WRITE || s->state == SLOT_READ);
}

static void check_timeout(struct slot *s, uint64_t now)
{
    if (s->state != SLOT_HANDSHAKE && s->state != SLOT_WRITE && s->state != SLOT_READ)
        return;
    static const char *const what[] = {[SLOT_HANDSHAKE] = "the handshake",
                                       [SLOT_WRITE] = "sending the request",
                                       [SLOT_READ] = "the response"};
    if (now <= s->began || (double)(now - s->began) < s->load->options->timeout * 1e9)
        return;
    char text[80];
    snprintf(text, sizeof text, "%s took longer than %g s", what[s->state], s->load->options->timeout);
    fail(s, ERROR_TIMEOUT, text);
}

void slot_tick(struct slot *s, uint64_t now)
{
    if (s->again_at == 0) {
        check_timeout(s, now);
    } else if (s->state == SLOT_CLOSED && now >= s->again_at) {
        s->again_at = 0;
        s->began = now;
        if (open_connection(s))
            drive(s);
    }
}
