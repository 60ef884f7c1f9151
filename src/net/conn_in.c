/* From bytes to requests. */
#include "base/log.h"
#include "net/conn.h"

#define CHUNK_BYTES (192u * 1024) /* a spooled body goes to the application in pieces of about this */
#define CHUNK_MAX (CHUNK_BYTES + LOOP_BUFFER)

static bool begin_exchange(struct conn *c)
{
    struct exchange *x = exchange_begin(c);
    if (x == NULL)
        return false;
    c->x = x;
    c->refused = false;
    conn_set_state(c, CONN_HEADER);
    return true;
}

void conn_end_exchange(struct conn *c)
{
    struct exchange *x = c->x;
    c->x = NULL;
    c->loop->app->end(c->loop->app->ctx, x);
    exchange_end(c->loop, x);
}

void conn_refuse(struct conn *c, int status, const char *detail)
{
    http_reply_problem_status(&c->x->res, &c->x->arena, status, detail);
    c->x->res.close = true;
    c->refused = true;
    conn_begin_reply(c);
}

static bool has_body(const struct http_request *r)
{
    return r->chunked || r->content_length > 0;
}

static void send_continue(struct conn *c)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (buf_add(&c->head, line, sizeof line - 1) != 0) {
        conn_close(c, CLOSE_NO_MEMORY);
        return;
    }
    c->head_sent = 0;
    c->continuing = true;
    conn_set_state(c, CONN_REPLY);
}

static void on_head(struct conn *c)
{
    struct exchange *x = c->x;
    enum net_verdict verdict = c->loop->app->head(c->loop->app->ctx, x);
    x->refused = verdict == NET_REFUSE;
    if (!has_body(&x->req))
        return; /* the end follows, and with it the answer */
    if (x->refused) {
        x->res.close = true;
        c->refused = true;
        conn_begin_reply(c);
        return;
    }
    if (x->req.has_length && x->req.content_length > x->body_max) {
        conn_refuse(c, 413, "the request's body is larger than this resource takes");
        return;
    }
    x->spooling = verdict == NET_SPOOL_BODY;
    x->body.max = x->spooling ? CHUNK_MAX : (size_t)x->body_max;
    conn_set_state(c, CONN_BODY);
    if (x->req.expect_continue)
        send_continue(c);
}

static void on_body(struct conn *c, struct str piece)
{
    struct exchange *x = c->x;
    x->body_seen += piece.n;
    if (x->body_seen > x->body_max) {
        conn_refuse(c, 413, "the request's body is larger than this resource takes");
        return;
    }
    int rc = buf_add_str(&x->body, piece);
    if (rc != 0)
        conn_refuse(c, 503, "the server is short of memory; try again later");
}

static void give_request(struct conn *c)
{
    struct exchange *x = c->x;
    if (!x->spooling)
        x->req.body = buf_str(&x->body);
    conn_set_state(c, CONN_APP);
    c->app_has_it = true;
    c->loop->app->request(c->loop->app->ctx, x);
}

static void give_chunk(struct conn *c)
{
    conn_set_state(c, CONN_CHUNK);
    c->app_has_it = true;
    c->loop->app->chunk(c->loop->app->ctx, c->x, buf_str(&c->x->body));
}

static void on_end(struct conn *c)
{
    struct exchange *x = c->x;
    x->complete = true;
    if (x->refused)
        conn_begin_reply(c);
    else if (x->spooling && x->body.n > 0)
        give_chunk(c);
    else
        give_request(c);
}

static bool reading(const struct conn *c)
{
    return c->state == CONN_IDLE || c->state == CONN_HEADER || c->state == CONN_BODY;
}

/* Parses until the bytes are used or somebody else has to act first. Answers how many were used. */
static size_t feed(struct conn *c, const char *data, size_t n)
{
    size_t used = 0;
    enum http_event event = HTTP_HEAD_DONE;
    while (reading(c) && (used < n || event == HTTP_HEAD_DONE || event == HTTP_BODY)) {
        if (c->state == CONN_IDLE) {
            if (used == n)
                break;
            if (!begin_exchange(c)) {
                conn_close(c, CLOSE_NO_MEMORY);
                break;
            }
        }
        struct str piece = {0};
        struct err e = {0};
        int status = 400;
        size_t step = 0;
        event = http_parse(c->x->parser, data + used, n - used, &step, &piece, &status, &e);
        used += step;
        switch (event) {
        case HTTP_MORE:
            break;
        case HTTP_HEAD_DONE:
            on_head(c);
            break;
        case HTTP_BODY:
            on_body(c, piece);
            break;
        case HTTP_END:
            on_end(c);
            break;
        case HTTP_BAD:
            c->error = e;
            c->reason = CLOSE_PROTOCOL;
            conn_refuse(c, status, e.text);
            break;
        }
    }
    return used;
}

static bool chunk_is_full(const struct conn *c)
{
    return c->state == CONN_BODY && c->x->spooling && c->x->body.n >= CHUNK_BYTES;
}

static void peer_closed(struct conn *c, enum stream_step step)
{
    bool between = c->state == CONN_IDLE;
    if (step == STREAM_CLOSED && between) {
        c->reason = CLOSE_PEER;
        conn_set_state(c, CONN_CLOSING); /* answers close_notify with our own */
        return;
    }
    conn_close(c, step == STREAM_CLOSED || between ? (between ? CLOSE_PEER : CLOSE_PEER_EARLY) : CLOSE_IO);
}

/* The request has not come with what ended the handshake: then what ends ours does not wait for a reply. A
   client that keeps to Nagle's algorithm sends its request when we have acknowledged that, which the system
   would put off for 40 ms. */
static void send_held(struct conn *c)
{
    /* What the socket does not take goes out before the reply does. */
    if (stream_holds(&c->stream) && stream_flush(&c->stream, &c->error) == STREAM_FAILED)
        conn_close(c, CLOSE_IO);
}

bool conn_read(struct conn *c)
{
    if (chunk_is_full(c)) {
        give_chunk(c);
        return true;
    }
    if (c->pending.n > 0) {
        size_t used = feed(c, c->pending.p, c->pending.n);
        if (c->state == CONN_DEAD)
            return false;
        buf_consume(&c->pending, used);
        if (c->pending.n == 0)
            buf_release(&c->pending);
        return true;
    }
    size_t n = 0;
    struct loop *l = c->loop;
    enum stream_step step = c->stream.ops->read(&c->stream, l->buffer, LOOP_BUFFER, &n, &c->error);
    if (step == STREAM_WANT_READ || step == STREAM_WANT_WRITE) {
        if (c->state == CONN_IDLE && l->draining) {
            /* Its handshake ended, or its last reply began, after the idle ones were closed. */
            c->reason = CLOSE_DRAIN;
            conn_set_state(c, CONN_CLOSING);
            return true;
        }
        conn_wait(c, step == STREAM_WANT_READ ? WAIT_READ : WAIT_WRITE);
        send_held(c);
        return false;
    }
    if (step != STREAM_DONE) {
        peer_closed(c, step);
        return c->state != CONN_DEAD;
    }
    c->readable = c->hup || c->stream.ops->has_input(&c->stream);
    c->phase_bytes += n;
    stat_add(&l->stats.bytes_in, n);
    size_t used = feed(c, l->buffer, n);
    if (c->state == CONN_DEAD)
        return false;
    if (used < n && buf_add(&c->pending, l->buffer + used, n - used) != 0) {
        conn_close(c, CLOSE_NO_MEMORY);
        return false;
    }
    return true;
}

/* --- what comes back from the application ------------------------------------------------------------ */

static void take_back(struct exchange *x)
{
    struct conn *c = x->conn;
    if (x->news == EXCHANGE_CALL) {
        x->call(x);
        return;
    }
    if (x->news == EXCHANGE_SEND) {
        conn_send(c);
        conn_drive(c);
        return;
    }
    c->app_has_it = false;
    if (c->state != CONN_DEAD) {
        switch (x->news) {
        case EXCHANGE_REPLY:
            if (x->streaming) {
                conn_end_reply(c);
                break;
            }
            /* A refusal in the middle of a body: what is left of it is not read. */
            if (!x->complete) {
                x->res.close = true;
                c->refused = true;
            }
            conn_begin_reply(c);
            break;
        case EXCHANGE_CHUNK:
            buf_clear(&x->body);
            if (x->complete) {
                buf_release(&x->body);
                give_request(c);
            } else {
                conn_set_state(c, CONN_BODY);
            }
            break;
        case EXCHANGE_FILE:
            conn_file_arrived(c, x->file_result);
            break;
        case EXCHANGE_SEND:
        case EXCHANGE_CALL:
        case EXCHANGE_NOTHING:
            break;
        }
    }
    conn_drive(c);
}

static void on_news(struct loop_msg *msg)
{
    take_back(container_of(msg, struct exchange, msg));
}

static void hand_back(struct exchange *x, enum exchange_news news)
{
    struct loop *l = x->conn->loop;
    x->news = news;
    if (pthread_equal(pthread_self(), l->self)) {
        take_back(x);
        return;
    }
    x->msg.run = on_news;
    loop_post(l, &x->msg);
}

void exchange_reply(struct exchange *x)
{
    hand_back(x, EXCHANGE_REPLY);
}

void exchange_send(struct exchange *x)
{
    hand_back(x, EXCHANGE_SEND);
}

void exchange_chunk_done(struct exchange *x)
{
    hand_back(x, EXCHANGE_CHUNK);
}

void exchange_file_done(struct exchange *x, long n)
{
    x->file_result = n;
    hand_back(x, EXCHANGE_FILE);
}

void exchange_call(struct exchange *x, void (*fn)(struct exchange *x))
{
    x->call = fn;
    hand_back(x, EXCHANGE_CALL);
}

void *exchange_loop_ctx(struct exchange *x)
{
    return x->conn->loop->app_ctx;
}
