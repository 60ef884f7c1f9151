#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "net/conn.h"

#define BACKLOG 4096
#define ACCEPTS_PER_TURN 16 /* who is here already has a turn between */
#define DEFER_S 1           /* a connection is taken when its first bytes are here, or after this */

static int split_address(const char *address, char host[64], char port[8], struct err *e)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || strlen(colon + 1) == 0 || strlen(colon + 1) > 5)
        return err_set(e, ERR_INVALID, "the address \"%s\" must be like 0.0.0.0:8443 or [::]:8443", address);
    const char *from = address, *to = colon;
    if (*from == '[' && to > from && to[-1] == ']')
        from++, to--;
    if (to == from || (size_t)(to - from) >= 64)
        return err_set(e, ERR_INVALID, "the address \"%s\" must be like 0.0.0.0:8443 or [::]:8443", address);
    snprintf(host, 64, "%.*s", (int)(to - from), from);
    snprintf(port, 8, "%s", colon + 1);
    return 0;
}

static int bind_address(const struct addrinfo *to, const char *address, bool shared, int *out, struct err *e)
{
    auto_close int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0)
        return err_errno(e, errno, "cannot make a socket for %s", address);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) ||
        (to->ai_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0))
        return err_errno(e, errno, "cannot prepare the socket for %s", address);
    if (bind(fd, to->ai_addr, to->ai_addrlen) != 0)
        return err_errno(e, errno, "cannot listen on %s (is another server using it?)", address);
    *out = take_fd(&fd);
    return 0;
}

static int bind_inet(const char *address, bool first, int *out, struct err *e)
{
    char host[64], port[8];
    int rc = split_address(address, host, port, e);
    if (rc != 0)
        return rc;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    rc = getaddrinfo(host, port, &hints, &found);
    if (rc != 0)
        return err_set(e, ERR_INVALID, "\"%s\" is no numeric address and port: %s", address,
                       gai_strerror(rc));
    /* SO_REUSEPORT would share the port with any other server of the same user: a socket without it tells. */
    auto_close int probe = -1;
    rc = first ? bind_address(found, address, false, &probe, e) : 0;
    if (probe >= 0)
        close(take_fd(&probe));
    if (rc == 0)
        rc = bind_address(found, address, true, out, e);
    freeaddrinfo(found);
    return rc;
}

static int bind_unix(const struct net_listen *config, int *out, struct err *e)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    if (strlen(config->address) >= sizeof sun.sun_path)
        return err_set(e, ERR_INVALID, "the socket path %s is longer than %zu bytes", config->address,
                       sizeof sun.sun_path - 1);
    memcpy(sun.sun_path, config->address, strlen(config->address) + 1);
    auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(e, errno, "cannot make a socket for %s", config->address);
    struct stat st;
    if (stat(config->address, &st) == 0 && S_ISSOCK(st.st_mode)) {
        /* A socket file that nobody answers on was left by a server that was killed. */
        if (connect(fd, (struct sockaddr *)&sun, sizeof sun) == 0 || errno != ECONNREFUSED)
            return err_set(e, ERR_CONFLICT, "another server is listening on %s", config->address);
        unlink(config->address);
        close(fd);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
            return err_errno(e, errno, "cannot make a socket for %s", config->address);
    }
    if (bind(fd, (struct sockaddr *)&sun, sizeof sun) != 0)
        return err_errno(e, errno, "cannot listen on %s", config->address);
    if (chmod(config->address, config->mode) != 0)
        return err_errno(e, errno, "cannot set the mode of %s", config->address);
    *out = take_fd(&fd);
    return 0;
}

/* What every connection that is accepted here inherits. */
static void prepare_tcp(int fd, enum net_kind kind)
{
    int on = 1, seconds = DEFER_S;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (kind == NET_TLS)
        setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds);
}

int listener_bind(const struct net_listen *config, bool first, int *out, struct err *e)
{
    auto_close int fd = -1;
    int rc = config->kind == NET_UNIX ? bind_unix(config, &fd, e) : bind_inet(config->address, first, &fd, e);
    if (rc != 0)
        return rc;
    if (config->kind != NET_UNIX)
        prepare_tcp(fd, config->kind);
    if (listen(fd, BACKLOG) != 0)
        return err_errno(e, errno, "cannot listen on %s (is another server using it?)", config->address);
    *out = take_fd(&fd);
    return 0;
}

static void refuse(struct listener *ln, int fd, uint64_t *counter, const char *why)
{
    stat_add(counter, 1); /* first: who is refused may look at the figures at once */
    close(fd);
    if (loop_may_complain(ln->loop))
        log_warn("net", "connection refused", LOG_STR("listener", ln->name), LOG_STR("reason", why));
}

static void take_connection(struct listener *ln, int fd, const struct sockaddr_storage *from)
{
    struct loop *l = ln->loop;
    if (atomic_fetch_add(l->open, 1) >= l->limits.connections) {
        atomic_fetch_sub(l->open, 1);
        refuse(ln, fd, &l->stats.refused_limit, "limits.connections reached");
        return;
    }
    struct address_key key = address_key_of(from);
    if (ln->kind != NET_UNIX && !address_counts_take(l->addresses, &key, l->limits.connections_per_address)) {
        atomic_fetch_sub(l->open, 1);
        refuse(ln, fd, &l->stats.refused_address, "limits.connections_per_address reached");
        return;
    }
    stat_add(&l->stats.accepted, 1);
    struct err e = {0};
    if (conn_open(ln, fd, from, &e) != 0) {
        close(fd);
        if (ln->kind != NET_UNIX)
            address_counts_drop(l->addresses, &key);
        atomic_fetch_sub(l->open, 1);
        stat_add(&l->stats.accept_failed, 1);
        if (loop_may_complain(l))
            log_error("net", "cannot take a connection", LOG_STR("listener", ln->name), LOG_ERR(&e));
    }
}

/* accept(2): what went wrong with one connection before it was taken says nothing about the next. */
static bool one_is_lost(int errno_value)
{
    switch (errno_value) {
    case EINTR:
    case ECONNABORTED:
    case EPERM: /* a firewall's */
    case EPROTO:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
        return true;
    default:
        return false;
    }
}

static void on_connection(uv_poll_t *handle, int status, int events)
{
    (void)status;
    (void)events;
    struct listener *ln = handle->data;
    struct loop *l = ln->loop;
    l->now_ms = clock_mono_ms(l->clock);
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage from = {0};
        socklen_t len = sizeof from;
        int fd = accept4(ln->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            take_connection(ln, fd, &from);
            loop_end_turn(l); /* a plain one may have been served at once */
            continue;
        }
        if (one_is_lost(errno))
            continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK) {
            /* Out of descriptors or memory: polling on would spin until somebody leaves. */
            struct err e;
            err_errno(&e, errno, "cannot accept on %s", ln->name);
            stat_add(&l->stats.accept_failed, 1);
            if (loop_may_complain(l))
                log_error("net", "accepting pauses", LOG_ERR(&e));
            uv_poll_stop(&ln->poll);
            ln->paused = true;
        }
        return;
    }
}

int listeners_open(struct loop *l, struct err *e)
{
    for (size_t i = 0; i < l->listener_count; i++) {
        struct listener *ln = &l->listeners[i];
        int rc = uv_poll_init(&l->uv, &ln->poll, ln->fd);
        if (rc != 0)
            return err_set(e, ERR_INTERNAL, "cannot watch the listener %s: %s", ln->name, uv_strerror(rc));
        ln->poll.data = ln;
        ln->open = true;
        uv_poll_start(&ln->poll, UV_READABLE, on_connection);
    }
    return 0;
}

void listeners_retry(struct loop *l)
{
    for (size_t i = 0; i < l->listener_count; i++) {
        struct listener *ln = &l->listeners[i];
        if (ln->paused && ln->open) {
            ln->paused = false;
            uv_poll_start(&ln->poll, UV_READABLE, on_connection);
        }
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct listener *ln = handle->data;
    close(ln->fd);
    ln->fd = -1;
}

void listeners_close(struct loop *l)
{
    for (size_t i = 0; i < l->listener_count; i++) {
        struct listener *ln = &l->listeners[i];
        if (ln->open)
            uv_close((uv_handle_t *)&ln->poll, on_closed);
        ln->open = false;
    }
}
