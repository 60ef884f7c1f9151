/* From responses to bytes. */
#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "base/log.h"
#include "net/cached.h"
#include "net/conn.h"

#define FILE_BY_KERNEL (256U << 10) /* bytes from which it pays to give the connection to the kernel */
#define BESIDE_HEAD 32768 /* bytes of body that are copied behind the head, to go out in one write */

static bool body_is_sent(const struct exchange *x)
{
    return x->req.method != HTTP_HEAD && x->res.status != 204 && x->res.status != 304;
}

static void skip_parts(struct conn *c)
{
    c->next_part = c->x->res.part_count;
}

void conn_begin_reply(struct conn *c)
{
    struct exchange *x = c->x;
    struct loop *l = c->loop;
    c->requests++;
    if (l->draining || c->requests >= l->limits.requests_per_connection)
        x->res.close = true;
    buf_clear(&c->head);
    c->head_sent = 0;
    c->next_part = 0;
    c->part_sent = 0;
    c->asked_kernel = c->by_kernel = c->counted_kernel = false;
    if (http_write_head(&x->req, &x->res, clock_unix_ms(l->clock), &c->head) != 0) {
        conn_close(c, CLOSE_NO_MEMORY);
        return;
    }
    if (!body_is_sent(x))
        skip_parts(c);
    while (c->next_part < x->res.part_count && x->res.parts[c->next_part].kind == HTTP_PART_BYTES &&
           x->res.parts[c->next_part].bytes.n <=
               BESIDE_HEAD - (c->head.n < BESIDE_HEAD ? c->head.n : BESIDE_HEAD)) {
        if (buf_add_str(&c->head, x->res.parts[c->next_part].bytes) != 0) {
            conn_close(c, CLOSE_NO_MEMORY);
            return;
        }
        c->next_part++;
    }
    conn_set_state(c, CONN_REPLY);
}

static void count_request(struct conn *c)
{
    struct net_stats *stats = &c->loop->stats;
    struct exchange *x = c->x;
    stat_add(&stats->requests[x->res.status / 100 % 6], 1);
    if (x->streaming)
        return; /* how long it lasted was the client's choice */
    int64_t us = (int64_t)(uv_hrtime() / 1000 - x->began_us);
    size_t bucket = 0;
    while (bucket < NET_LATENCY_BUCKETS - 1 && us > net_latency_bounds[bucket])
        bucket++;
    stat_add(&stats->latency[bucket], 1);
    stat_add(&stats->latency_sum_us, (uint64_t)us);
}

void conn_end_reply(struct conn *c)
{
    bool close = c->x->res.close || c->x->streaming || !c->x->req.keep_alive || stream_is_worn(&c->stream);
    count_request(c);
    conn_end_exchange(c);
    buf_release(&c->head);
    free(c->cold);
    c->cold = NULL;
    c->cold_n = 0;
    if (!close && !c->loop->draining) {
        conn_set_state(c, CONN_IDLE);
        return;
    }
    if (c->reason == CLOSE_PEER)
        c->reason = c->loop->draining ? CLOSE_DRAIN : CLOSE_DONE;
    conn_set_state(c, CONN_CLOSING);
}

void conn_sent(struct conn *c)
{
    struct exchange *x = c->x;
    if (!x->sending)
        return;
    x->sending = false;
    c->loop->app->sent(c->loop->app->ctx, x);
}

void conn_send(struct conn *c)
{
    struct exchange *x = c->x;
    x->sending = true;
    if (c->state == CONN_DEAD) {
        conn_sent(c);
        return;
    }
    if (!x->streaming) {
        x->streaming = x->res.stream = true;
        conn_begin_reply(c);
        return;
    }
    buf_clear(&c->head);
    c->head_sent = 0;
    c->next_part = 0;
    c->part_sent = 0;
    if (!body_is_sent(x))
        skip_parts(c);
    conn_set_state(c, CONN_REPLY);
}

static void end_output(struct conn *c)
{
    if (!c->continuing && c->x->streaming) {
        conn_set_state(c, CONN_APP);
        conn_sent(c);
        return;
    }
    if (!c->continuing) {
        conn_end_reply(c);
        return;
    }
    c->continuing = false;
    buf_clear(&c->head);
    conn_set_state(c, CONN_BODY);
}

/* After a reply there is mostly nothing to read yet: the socket says when there is, and is not asked. */
static bool may_go_on(struct conn *c)
{
    if (c->state != CONN_IDLE || c->pending.n > 0 || c->readable)
        return true;
    conn_wait(c, WAIT_READ);
    return false;
}

/* What the stream answered to n bytes: how many it took, 0 when it must wait, -1 when the connection is
   closed. */
static long taken_of(struct conn *c, enum stream_step step, size_t taken)
{
    switch (step) {
    case STREAM_DONE:
        c->phase_bytes += taken;
        stat_add(&c->loop->stats.bytes_out, taken);
        return (long)taken;
    case STREAM_WANT_READ:
    case STREAM_WANT_WRITE:
        conn_wait(c, step == STREAM_WANT_READ ? WAIT_READ : WAIT_WRITE);
        return 0;
    case STREAM_CLOSED:
    case STREAM_FAILED:
        break;
    }
    conn_close(c, CLOSE_PEER_EARLY);
    return -1;
}

/* Offers bytes to the stream; what it answers is as of taken_of. */
static long offer(struct conn *c, const char *p, size_t n)
{
    size_t taken = 0;
    enum stream_step step = c->stream.ops->write(&c->stream, p, n, &taken, &c->error);
    c->offered = step == STREAM_WANT_READ || step == STREAM_WANT_WRITE ? n : 0;
    return taken_of(c, step, taken);
}

static bool write_head(struct conn *c)
{
    long n = offer(c, c->head.p + c->head_sent, c->head.n - c->head_sent);
    if (n > 0)
        c->head_sent += (size_t)n;
    return n > 0;
}

static void advance(struct conn *c, uint64_t n, uint64_t length)
{
    c->part_sent += n;
    if (c->part_sent == length) {
        c->part_sent = 0;
        c->warm_end = 0;
        c->next_part++;
    }
}

static bool write_bytes(struct conn *c, const struct http_part *part)
{
    long n = offer(c, part->bytes.p + c->part_sent, part->bytes.n - c->part_sent);
    if (n > 0)
        advance(c, (uint64_t)n, part->bytes.n);
    return n > 0;
}

/* The loop does not wait for a disk: what is not in the page cache is read by the application's workers. */
static void read_cold(struct conn *c, uint64_t offset, size_t want)
{
    if (c->cold == NULL)
        c->cold = malloc(LOOP_WINDOW);
    if (c->cold == NULL) {
        conn_close(c, CLOSE_NO_MEMORY);
        return;
    }
    c->cold_offset = offset;
    c->cold_n = 0;
    conn_set_state(c, CONN_FILE);
    c->app_has_it = true;
    c->loop->app->file_read(c->loop->app->ctx, c->x, c->cold, want, offset);
}

void conn_file_arrived(struct conn *c, long n)
{
    if (n <= 0 || (size_t)n < c->offered) {
        err_set(&c->error, ERR_IO, "what is sent could not be read as far as its length says");
        log_error("net", "a reply was cut off", LOG_STR("peer", c->peer.address), LOG_ERR(&c->error));
        conn_close(c, CLOSE_IO);
        return;
    }
    c->cold_n = (size_t)n;
    conn_set_state(c, CONN_REPLY);
}

/* What is at hand of the file from there on: in *p, at most `want` bytes; 0 when a worker has to read it. */
static size_t at_hand(struct conn *c, uint64_t offset, size_t want, const char **p)
{
    if (c->cold_n > 0 && offset >= c->cold_offset && offset < c->cold_offset + c->cold_n) {
        size_t have = (size_t)(c->cold_offset + c->cold_n - offset);
        *p = c->cold + (offset - c->cold_offset);
        return have < want ? have : want;
    }
    struct iovec iov = {.iov_base = c->loop->window, .iov_len = want};
    ssize_t got = preadv2(c->x->res.file, &iov, 1, (off_t)offset, RWF_NOWAIT);
    *p = c->loop->window;
    return got > 0 ? (size_t)got : 0;
}

/* How much of the file the kernel may be told to send: it would wait for what is not in the page cache,
   so that comes by way of read_cold. */
static size_t warm_ahead(struct conn *c, uint64_t offset, uint64_t left)
{
    if (!c->asked_kernel && left >= FILE_BY_KERNEL && c->offered == 0) {
        c->asked_kernel = true;
        c->by_kernel = stream_takes_files(&c->stream);
        c->warm_end = 0;
    }
    if (!c->by_kernel || c->offered > 0)
        return 0;
    if (c->warm_end <= offset)
        c->warm_end =
            offset + cached_ahead(c->x->res.file, offset, left < CACHED_MAX ? (size_t)left : CACHED_MAX);
    uint64_t warm = c->warm_end - offset;
    return warm < LOOP_WINDOW ? (size_t)warm : LOOP_WINDOW;
}

static bool send_warm(struct conn *c, const struct http_part *part, uint64_t offset, size_t size)
{
    size_t sent = 0;
    enum stream_step step = stream_send_file(&c->stream, c->x->res.file, offset, size, &sent, &c->error);
    if (step == STREAM_DONE && sent == 0) { /* reading it says why */
        c->by_kernel = false;
        return true;
    }
    long n = taken_of(c, step, sent);
    if (n <= 0) {
        c->warm_end = 0; /* who knows for how long this waits */
        return false;
    }
    if (!c->counted_kernel)
        stat_add(&c->loop->stats.by_kernel, 1);
    c->counted_kernel = true;
    advance(c, (uint64_t)n, part->length);
    return true;
}

static bool write_file(struct conn *c, const struct http_part *part)
{
    uint64_t offset = part->offset + c->part_sent;
    uint64_t left = part->length - c->part_sent;
    size_t warm = warm_ahead(c, offset, left);
    if (warm > 0)
        return send_warm(c, part, offset, warm);
    size_t want = c->offered > 0 ? c->offered : left < LOOP_WINDOW ? (size_t)left : LOOP_WINDOW;
    const char *p = NULL;
    size_t have = at_hand(c, offset, want, &p);
    if (have == 0 || have < c->offered) {
        read_cold(c, offset, want);
        return c->state != CONN_DEAD;
    }
    /* TLS takes a record at a time: what was read is offered until the stream is full. */
    long n = 0;
    for (size_t at = 0; at < have; at += (size_t)n) {
        n = offer(c, p + at, have - at);
        if (n <= 0)
            return false;
        advance(c, (uint64_t)n, part->length);
    }
    return true;
}

bool conn_write(struct conn *c)
{
    if (c->head_sent < c->head.n)
        return write_head(c);
    if (c->continuing || c->next_part >= c->x->res.part_count) {
        if (!stream_is_out(&c->stream)) {
            conn_wait(c, WAIT_WRITE);
            return false;
        }
        end_output(c);
        return may_go_on(c);
    }
    const struct http_part *part = &c->x->res.parts[c->next_part];
    if ((part->kind == HTTP_PART_BYTES ? part->bytes.n : part->length) == 0) {
        c->next_part++;
        return true;
    }
    return part->kind == HTTP_PART_BYTES ? write_bytes(c, part) : write_file(c, part);
}
