#include "net/conn.h"

#include <assert.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/log.h"

#define STEPS_PER_TURN 16 /* what one connection may do before others have their turn: 2 MiB of a file */
#define GRACE_MS 5000     /* our own limit of a write comes before the system's, for it says why */
#define PENDING_MAX (LOOP_BUFFER * 2)

#define TO(state) (1u << (state))
#define TO_END (TO(CONN_CLOSING) | TO(CONN_LINGER) | TO(CONN_DEAD))

static const struct {
    const char *name;
    unsigned next;
    enum phase phase;
} states[CONN_STATES] = {
    [CONN_HANDSHAKE] = {"handshake", TO(CONN_IDLE) | TO(CONN_DEAD), PHASE_HANDSHAKE},
    [CONN_IDLE] = {"idle", TO(CONN_HEADER) | TO_END, PHASE_IDLE},
    [CONN_HEADER] = {"header", TO(CONN_BODY) | TO(CONN_APP) | TO(CONN_REPLY) | TO_END, PHASE_HEADER},
    [CONN_BODY] = {"body", TO(CONN_CHUNK) | TO(CONN_APP) | TO(CONN_REPLY) | TO_END, PHASE_BODY},
    [CONN_CHUNK] = {"chunk", TO(CONN_BODY) | TO(CONN_APP) | TO(CONN_REPLY) | TO_END, PHASE_NONE},
    [CONN_APP] = {"app", TO(CONN_REPLY) | TO_END, PHASE_NONE},
    [CONN_REPLY] = {"reply", TO(CONN_IDLE) | TO(CONN_BODY) | TO(CONN_FILE) | TO(CONN_APP) | TO_END,
                    PHASE_WRITE},
    [CONN_FILE] = {"file", TO(CONN_REPLY) | TO_END, PHASE_NONE},
    [CONN_CLOSING] = {"closing", TO(CONN_LINGER) | TO(CONN_DEAD), PHASE_LINGER},
    [CONN_LINGER] = {"linger", TO(CONN_DEAD), PHASE_LINGER},
    [CONN_DEAD] = {"dead", 0, PHASE_NONE},
};

static void set_phase(struct conn *c, enum phase phase)
{
    list_remove(&c->phase_link);
    c->phase = phase;
    c->phase_began_ms = c->loop->now_ms;
    c->phase_bytes = 0;
    list_add_tail(&c->loop->phases[phase], &c->phase_link);
}

void conn_restart_deadline(struct conn *c)
{
    set_phase(c, c->phase);
}

void conn_set_state(struct conn *c, enum conn_state next)
{
    assert((states[c->state].next & TO(next)) != 0);
    c->state = next;
    set_phase(c, states[next].phase);
}

/* The socket knows why, if it was not the peer that left in good order. */
static void broken(struct conn *c)
{
    int why = 0;
    socklen_t len = sizeof why;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &why, &len) != 0 || why == 0)
        why = ECONNRESET;
    err_errno(&c->error, why, "the connection broke");
    conn_close(c, c->x != NULL ? CLOSE_PEER_EARLY : CLOSE_IO);
}

/* While the application has it. A TLS peer that goes says so and closes; a plain one may have closed its
   sending side only, which RFC 9112 section 9.6 allows while it waits for our reply. */
static void peer_left(struct conn *c)
{
    char byte;
    if (c->kind == NET_TLS || (recv(c->fd, &byte, 1, MSG_PEEK) < 0 && errno != EAGAIN))
        conn_close(c, CLOSE_PEER_EARLY);
}

void conn_hear(struct conn *c, uint32_t events)
{
    if (c->state == CONN_DEAD)
        return;
    bool ends = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    c->hup |= ends;
    c->readable |= ends || (events & EPOLLIN) != 0;
    if ((events & EPOLLERR) != 0)
        broken(c);
    else if (c->state == CONN_HANDSHAKE && c->kind == NET_TLS)
        shake_hear(c);
    else if (c->wait == WAIT_GONE && ends)
        peer_left(c);
    else if ((c->wait == WAIT_READ && c->readable) || (c->wait == WAIT_WRITE && (events & EPOLLOUT) != 0) ||
             ends)
        conn_drive(c);
}

void conn_wait(struct conn *c, enum wait what)
{
    c->wait = what;
    if (what == WAIT_READ)
        c->readable = false;
    else if (what == WAIT_WRITE)
        watch_writes(c);
}

void conn_make_ready(struct conn *c)
{
    if (c->has_ready)
        return;
    c->has_ready = true;
    list_add_tail(&c->loop->ready, &c->ready_link);
    loop_spin(c->loop);
}

static void describe_peer(struct conn *c, const struct listener *ln, const struct sockaddr_storage *from)
{
    char text[INET6_ADDRSTRLEN] = "?";
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)from;
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        snprintf(c->peer.address, sizeof c->peer.address, "%s:%u", text, ntohs(in->sin_port));
    } else if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)from;
        inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
        snprintf(c->peer.address, sizeof c->peer.address, "[%s]:%u", text, ntohs(in6->sin6_port));
    } else {
        snprintf(c->peer.address, sizeof c->peer.address, "unix");
    }
    c->peer.kind = ln->kind;
    c->peer.listener = ln->name;
}

/* A peer that vanished acknowledges nothing: without a limit the system tries for a quarter of an hour, also
   where what we wrote fits its buffers and no write of ours waits. */
static void limit_silence(const struct loop *l, int fd)
{
    unsigned ms = (unsigned)(l->limits.write_ms + GRACE_MS);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
}

int conn_open(struct listener *ln, int fd, const struct sockaddr_storage *from, struct err *e)
{
    struct loop *l = ln->loop;
    struct conn *c = calloc(1, sizeof *c);
    if (c == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a connection");
    c->loop = l;
    c->kind = ln->kind;
    c->fd = fd;
    c->address = address_key_of(from);
    list_init(&c->phase_link);
    list_init(&c->ready_link);
    list_init(&c->shake_link);
    buf_init(&c->pending, PENDING_MAX);
    buf_init(&c->head, l->app->arena_max + LOOP_BUFFER);
    describe_peer(c, ln, from);
    int rc = 0;
    if (ln->kind == NET_TLS)
        rc = stream_init_tls(&c->stream, fd, ln->tls, e);
    else
        stream_init_plain(&c->stream, fd);
    if (rc == 0 && (rc = watch_add(c, e)) != 0)
        c->stream.ops->fini(&c->stream);
    if (rc != 0) {
        free(c);
        return rc;
    }
    if (ln->kind != NET_UNIX)
        limit_silence(l, fd);
    l->connections++;
    stat_add(&l->stats.open, 1);
    c->state = CONN_HANDSHAKE;
    set_phase(c, PHASE_HANDSHAKE);
    if (ln->kind == NET_TLS)
        shake_hear(c);
    else
        conn_drive(c);
    return 0;
}

static void log_close(const struct conn *c)
{
    bool bad = c->reason == CLOSE_HANDSHAKE || c->reason == CLOSE_PROTOCOL || c->reason == CLOSE_NO_MEMORY;
    log_at(bad ? LOG_INFO : LOG_DEBUG, "net", "connection closed", LOG_STR("peer", c->peer.address),
           LOG_STR("listener", c->peer.listener), LOG_STR("reason", close_reason_text[c->reason]),
           LOG_I64("requests", (int64_t)c->requests),
           LOG_STR(c->error.code != 0 ? "error" : NULL, c->error.text)); /* NULL ends the list */
}

static void conn_free(struct conn *c)
{
    buf_fini(&c->pending);
    buf_fini(&c->head);
    free(c->cold);
    free(c);
}

void conn_free_buried(struct loop *l)
{
    for (struct list *it; (it = list_pop(&l->buried)) != NULL;)
        conn_free(container_of(it, struct conn, ready_link));
}

/* The connection goes when neither the application nor a caller up the stack uses it. */
static void bury(struct conn *c)
{
    struct loop *l = c->loop;
    if (c->app_has_it || c->driving || c->is_buried)
        return;
    c->is_buried = true;
    if (c->x != NULL)
        conn_end_exchange(c);
    list_remove(&c->phase_link);
    list_remove(&c->ready_link);
    c->stream.ops->fini(&c->stream);
    watch_remove(c);
    close(c->fd);
    if (c->kind != NET_UNIX)
        address_counts_drop(l->addresses, &c->address);
    atomic_fetch_sub(l->open, 1);
    l->connections--;
    stat_add(&l->stats.open, (uint64_t)-1);
    list_add_tail(&l->buried, &c->ready_link);
    loop_end_if_empty(l);
}

void conn_close(struct conn *c, enum close_reason reason)
{
    if (c->state == CONN_DEAD)
        return;
    c->reason = reason;
    stat_add(&c->loop->stats.closed[reason], 1);
    if (c->x != NULL)
        atomic_store_explicit(&c->x->gone, true, memory_order_relaxed);
    log_close(c);
    shake_forget(c);
    conn_wait(c, WAIT_NOTHING);
    conn_set_state(c, CONN_DEAD);
    if (c->x != NULL)
        conn_sent(c);
    bury(c);
}

static void handshake_done(struct conn *c)
{
    struct net_stats *stats = &c->loop->stats;
    const struct tls_info *info = stream_tls_info(&c->stream);
    c->peer.tls = info;
    if (info == NULL)
        return;
    /* Every post-quantum group of TLS has ML-KEM in it, and in its name. */
    bool classical = strcasestr(info->group, "MLKEM") == NULL;
    stat_add(info->resumed ? &stats->handshakes_resumed : &stats->handshakes_full, 1);
    stat_add(&stats->handshakes_classical, classical ? 1 : 0);
    log_debug("net", "connection secured", LOG_STR("peer", c->peer.address),
              LOG_STR("listener", c->peer.listener), LOG_STR("group", info->group),
              LOG_STR("signature", info->signature), LOG_STR("cipher", info->cipher),
              LOG_STR("resumed", info->resumed ? "yes" : "no"),
              LOG_STR(info->peer.present ? "certificate" : NULL, info->peer.common_name));
}

/* A client's certificate is more than one write, and the last piece waits for our acknowledgement where
   the client keeps to Nagle's algorithm: the system would put it off for 40 ms. Holds for what comes next
   only. */
static void acknowledge_at_once(const struct conn *c)
{
    int on = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

static bool step_handshake(struct conn *c)
{
    enum stream_step step = c->stream.ops->handshake(&c->stream, &c->error);
    if (step == STREAM_WANT_READ || step == STREAM_WANT_WRITE) {
        if (step == STREAM_WANT_READ && c->shakes_fully)
            acknowledge_at_once(c);
        conn_wait(c, step == STREAM_WANT_READ ? WAIT_READ : WAIT_WRITE);
        return false;
    }
    if (step != STREAM_DONE) {
        stat_add(&c->loop->stats.handshakes_failed, 1);
        conn_close(c, CLOSE_HANDSHAKE);
        return false;
    }
    handshake_done(c);
    conn_set_state(c, CONN_IDLE);
    return true;
}

/* RFC 9112 section 9.6: closing with unread input resets the connection and may destroy our reply. */
static bool input_is_unread(const struct conn *c)
{
    char byte;
    if (c->reason == CLOSE_PEER)
        return false; /* it has said that it is done */
    return c->refused || c->pending.n > 0 || recv(c->fd, &byte, 1, MSG_PEEK) > 0;
}

static bool step_closing(struct conn *c)
{
    enum stream_step step = c->stream.ops->shutdown(&c->stream, &c->error);
    if (step == STREAM_WANT_WRITE || step == STREAM_WANT_READ) {
        conn_wait(c, step == STREAM_WANT_WRITE ? WAIT_WRITE : WAIT_READ);
        return false;
    }
    if (step == STREAM_FAILED || !input_is_unread(c)) {
        conn_close(c, c->reason);
        return false;
    }
    buf_release(&c->pending);
    shutdown(c->fd, SHUT_WR);
    conn_set_state(c, CONN_LINGER);
    return true;
}

/* However much comes: a client that writes all before it reads is bounded by the time alone. */
static bool step_linger(struct conn *c)
{
    ssize_t n = recv(c->fd, c->loop->buffer, LOOP_BUFFER, 0);
    if (n > 0 || (n < 0 && errno == EINTR))
        return true;
    if (n < 0 && errno == EAGAIN)
        conn_wait(c, WAIT_READ);
    else
        conn_close(c, c->reason);
    return false;
}

static bool step(struct conn *c)
{
    switch (c->state) {
    case CONN_HANDSHAKE:
        return step_handshake(c);
    case CONN_IDLE:
    case CONN_HEADER:
    case CONN_BODY:
        return conn_read(c);
    case CONN_REPLY:
        return conn_write(c);
    case CONN_CLOSING:
        return step_closing(c);
    case CONN_LINGER:
        return step_linger(c);
    case CONN_CHUNK:
    case CONN_APP:
    case CONN_FILE:
        conn_wait(c, WAIT_GONE);
        if (c->hup)
            peer_left(c);
        return false;
    case CONN_DEAD:
    case CONN_STATES:
        break;
    }
    return false;
}

void conn_drive(struct conn *c)
{
    if (c->driving)
        return;
    c->driving = true;
    int steps = 0;
    while (step(c))
        if (++steps >= STEPS_PER_TURN) {
            conn_make_ready(c);
            break;
        }
    c->driving = false;
    if (c->state == CONN_DEAD)
        bury(c);
}

void conn_run_ready(struct loop *l)
{
    struct list now;
    list_init(&now);
    for (struct list *e; (e = list_pop(&l->ready)) != NULL;)
        list_add_tail(&now, e);
    for (struct list *e; (e = list_pop(&now)) != NULL;) {
        struct conn *c = container_of(e, struct conn, ready_link);
        c->has_ready = false;
        conn_drive(c);
    }
}
