/* Connections: opened when they are needed, kept, given up when the server does. */
#include "pqfleet/fleet.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BODY_KEPT 16384 /* bytes of memory that a connection keeps for answers */

int conn_init(struct fleet *f, struct err *e)
{
    size_t n = f->options->connections < f->options->devices ? f->options->connections : f->options->devices;
    f->conns = calloc(n, sizeof *f->conns);
    if (f->conns == NULL)
        return err_set(e, ERR_NOMEM, "no memory for %zu connections", n);
    for (size_t i = 0; i < n; i++) {
        struct conn *c = &f->conns[i];
        c->fd = -1;
        c->user = FLEET_NOBODY;
        buf_init(&c->out, FLEET_REQUEST_MAX);
        buf_init(&c->body, FLEET_REPLY_MAX);
        list_init(&c->link);
        list_add_tail(&f->closed, &c->link);
    }
    return 0;
}

void conn_fini(struct fleet *f)
{
    size_t n = f->options->connections < f->options->devices ? f->options->connections : f->options->devices;
    for (size_t i = 0; f->conns != NULL && i < n; i++) {
        struct conn *c = &f->conns[i];
        if (c->fd >= 0)
            close(c->fd);
        buf_fini(&c->out);
        buf_fini(&c->body);
        EVP_MD_CTX_free(c->hash);
    }
    free(f->conns);
    f->conns = NULL;
}

static void move(struct conn *c, enum conn_state state, struct list *to)
{
    c->state = state;
    list_remove(&c->link);
    list_add_tail(to, &c->link);
}

static void give_up(struct fleet *f, struct conn *c)
{
    close(c->fd);
    c->fd = -1;
    c->generation++;
    c->user = FLEET_NOBODY;
    f->counts.open--;
    move(c, CONN_CLOSED, &f->closed);
}

static void fail(struct fleet *f, struct conn *c, enum error_kind kind, const char *text)
{
    uint32_t who = c->user;
    give_up(f, c);
    fleet_failed(f, who, kind, text);
}

/* The server closed the connection: just then, if it had been kept and nothing was answered. */
static void ended(struct fleet *f, struct conn *c, enum error_kind kind, const char *text)
{
    uint32_t who = c->user;
    if (!c->reused || c->reply.status != 0) {
        fail(f, c, kind, text);
        return;
    }
    f->counts.stale++;
    give_up(f, c);
    conn_ask(f, who);
}

/* --- opening ------------------------------------------------------------------------------------------- */

static bool begin_connect(struct fleet *f, struct conn *c)
{
    int one = 1;
    c->fd = socket(f->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return false;
    if (!f->options->unix_socket && setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0)
        return false;
    if (connect(c->fd, (const struct sockaddr *)&f->to, f->to_n) != 0 && errno != EINPROGRESS)
        return false;
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                             .data.u64 = (uint64_t)c->generation << 32 | (uint64_t)(c - f->conns)};
    return epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) == 0;
}

/* NULL: the device was told so. */
static struct conn *open_conn(struct fleet *f, uint32_t who)
{
    struct conn *c = container_of(f->closed.next, struct conn, link);
    if (begin_connect(f, c)) {
        c->reused = false;
        f->counts.opened++;
        if (++f->counts.open > f->counts.open_max)
            f->counts.open_max = f->counts.open;
        return c;
    }
    int why = errno;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    if (why == EAGAIN && f->options->unix_socket) { /* more at once than the server lets wait */
        f->counts.refused++;
        fleet_later(f, who);
    } else {
        fleet_failed(f, who, ERROR_CONNECT, strerror(why));
    }
    return NULL;
}

static struct conn *find_conn(struct fleet *f, uint32_t who)
{
    struct unit *u = &f->units[who];
    if (u->conn != FLEET_NOBODY && f->conns[u->conn].state == CONN_IDLE)
        return &f->conns[u->conn];
    if (!list_empty(&f->closed))
        return open_conn(f, who);
    if (!list_empty(&f->idle))
        return container_of(f->idle.next, struct conn, link);
    list_add_tail(&f->waiting, &u->link);
    return NULL;
}

/* --- sending ------------------------------------------------------------------------------------------- */

/* False: the connection is gone. */
static bool send_rest(struct fleet *f, struct conn *c)
{
    while (c->sent < c->out.n) {
        ssize_t n = send(c->fd, c->out.p + c->sent, c->out.n - c->sent, MSG_NOSIGNAL);
        if (n >= 0) {
            c->sent += (size_t)n;
        } else if (errno == EAGAIN || (errno == ENOTCONN && c->state == CONN_CONNECTING)) {
            return true; /* epoll says when */
        } else if (errno != EINTR) {
            ended(f, c, c->state == CONN_CONNECTING ? ERROR_CONNECT : ERROR_IO, strerror(errno));
            return false;
        }
    }
    c->state = CONN_BUSY;
    return true;
}

static bool take_body(struct reply *r, const char *p, size_t n)
{
    struct conn *c = r->ctx;
    if (c->kind != ASK_FETCH || r->status != 200)
        return buf_add(&c->body, p, n) == 0;
    return !c->full || EVP_DigestUpdate(c->hash, p, n) == 1;
}

static int begin_reply(struct fleet *f, struct conn *c, const struct ask *a, struct err *e)
{
    c->kind = a->kind;
    c->full = a->kind == ASK_FETCH && f->options->download == DOWNLOAD_FULL;
    buf_clear(&c->body);
    reply_begin(&c->reply);
    c->reply.sink = take_body;
    c->reply.ctx = c;
    c->reply.head = a->kind == ASK_FETCH && f->options->download == DOWNLOAD_HEAD;
    if (!c->full)
        return 0;
    if (c->hash == NULL)
        c->hash = EVP_MD_CTX_new();
    if (c->hash == NULL || EVP_DigestInit_ex(c->hash, EVP_sha256(), NULL) != 1)
        return err_set(e, ERR_CRYPTO, "no SHA-256");
    return 0;
}

void conn_ask(struct fleet *f, uint32_t who)
{
    if (f->draining)
        return;
    struct conn *c = find_conn(f, who);
    if (c == NULL)
        return;
    struct unit *u = &f->units[who];
    struct ask a;
    struct err e = {0};
    u->conn = (uint32_t)(c - f->conns);
    c->user = who;
    c->sent = 0;
    c->deadline = fleet_now() + (uint64_t)(f->options->timeout * 1e9);
    move(c, c->state == CONN_IDLE ? CONN_BUSY : CONN_CONNECTING, &f->busy);
    int rc = device_ask(&f->sim, &u->device, &a, &e);
    if (rc == 0)
        rc = request_write(f, u, &a, &c->out, &e);
    if (rc == 0)
        rc = begin_reply(f, c, &a, &e);
    if (rc != 0) {
        fail(f, c, ERROR_IO, e.text);
        return;
    }
    f->counts.requests++;
    send_rest(f, c);
}

/* --- receiving ----------------------------------------------------------------------------------------- */

static void answer(struct fleet *f, struct conn *c)
{
    struct answer a = {.status = c->reply.status, .body = buf_str(&c->body)};
    uint32_t who = c->user;
    a.length = c->reply.head ? c->reply.length : c->reply.body;
    if (c->full && EVP_DigestFinal_ex(c->hash, a.sha256, NULL) != 1)
        memset(a.sha256, 0, sizeof a.sha256);
    fleet_answered(f, who, c->kind, &a);
    if (c->body.cap > BODY_KEPT)
        buf_release(&c->body);
    c->user = FLEET_NOBODY;
    c->reused = true;
    bool gone = f->units[who].device.step == STEP_GONE; /* and its connection with it */
    if (!c->reply.keep_alive || gone)
        give_up(f, c);
    else
        move(c, CONN_IDLE, &f->idle);
    if (!gone && f->units[who].device.wait == 0)
        conn_ask(f, who);
}

static void take_end(struct fleet *f, struct conn *c)
{
    struct err e = {0};
    if (c->state == CONN_IDLE) {
        give_up(f, c);
    } else if (c->reply.status != 0 && reply_end(&c->reply, &e) == 0) {
        answer(f, c);
    } else {
        ended(f, c, ERROR_CLOSED,
              e.code != 0 ? e.text : "the server closed the connection without an answer");
    }
}

/* True: there may be more to read on this connection, which is still the same. */
static bool receive(struct fleet *f, struct conn *c, bool closing)
{
    struct err e = {0};
    uint32_t generation = c->generation;
    ssize_t n = recv(c->fd, f->buffer, sizeof f->buffer, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return errno == EINTR;
    if (n < 0 && c->state == CONN_IDLE) {
        take_end(f, c);
    } else if (n < 0) {
        ended(f, c, c->state == CONN_CONNECTING ? ERROR_CONNECT : ERROR_IO, strerror(errno));
    } else if (n == 0) {
        take_end(f, c);
    } else if (c->state == CONN_IDLE) {
        counts_error(&f->counts, ERROR_HTTP, "bytes came that nobody asked for");
        give_up(f, c);
    } else if (reply_feed(&c->reply, f->buffer, (size_t)n, &e) != 0) {
        fail(f, c, ERROR_HTTP, e.text);
    } else if (c->reply.complete) {
        answer(f, c);
    }
    return c->generation == generation && (closing || (size_t)n == sizeof f->buffer);
}

void conn_event(struct fleet *f, uint64_t which, uint32_t events)
{
    struct conn *c = &f->conns[(uint32_t)which];
    if (c->state == CONN_CLOSED || c->generation != (uint32_t)(which >> 32))
        return;
    if ((events & EPOLLOUT) != 0 && c->state != CONN_IDLE && c->sent < c->out.n && !send_rest(f, c))
        return;
    bool closing = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    if ((events & EPOLLIN) == 0 && !closing)
        return;
    while (receive(f, c, closing)) {
    }
}

void conn_dispatch(struct fleet *f)
{
    while (!list_empty(&f->waiting) && (!list_empty(&f->closed) || !list_empty(&f->idle))) {
        const struct unit *u = container_of(list_pop(&f->waiting), struct unit, link);
        conn_ask(f, (uint32_t)(u - f->units));
    }
}

void conn_check_timeouts(struct fleet *f, uint64_t now)
{
    while (!list_empty(&f->busy)) {
        struct conn *c = container_of(f->busy.next, struct conn, link);
        if (c->deadline > now)
            return;
        fail(f, c, ERROR_TIMEOUT,
             c->state == CONN_CONNECTING ? "no connection in time" : "no answer in time");
    }
}
