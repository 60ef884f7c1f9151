#include "net/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "net/conn.h"
#include "net/listener.h"
#include "net/loop.h"

struct net {
    struct net_app app;
    struct net_limits limits;
    const struct clock *clock;
    struct address_counts *addresses;
    atomic_size_t open;
    struct loop *loops;
    size_t loop_count;
    struct unix_path {
        char *path;
        dev_t dev; /* as it was made: another server's in its place is left alone */
        ino_t ino;
    } *unix_paths; /* removed at the end */
    size_t unix_count;
};

/* What a loop is told, and what for. */
struct order {
    struct loop_msg msg;
    struct loop *loop;
    enum { ORDER_TLS, ORDER_LIMITS, ORDER_DRAIN, ORDER_STOP } what;
    const char *name;
    struct tls_ctx *tls;
    struct net_limits limits;
};

static int remember_unix_path(struct net *net, const char *path, struct err *e)
{
    struct stat st;
    struct unix_path *u = &net->unix_paths[net->unix_count];
    u->path = strdup(path);
    if (u->path == NULL)
        return err_set(e, ERR_NOMEM, "no memory for listeners");
    if (lstat(path, &st) != 0) {
        free(u->path);
        return err_errno(e, errno, "cannot find the socket %s again", path);
    }
    u->dev = st.st_dev;
    u->ino = st.st_ino;
    net->unix_count++;
    return 0;
}

static void remove_unix_paths(struct net *net)
{
    for (size_t i = 0; i < net->unix_count; i++) {
        struct unix_path *u = &net->unix_paths[i];
        struct stat st;
        if (lstat(u->path, &st) == 0 && st.st_dev == u->dev && st.st_ino == u->ino)
            unlink(u->path);
        free(u->path);
    }
    free(net->unix_paths);
}

static int bind_loop(struct loop *l, const struct net_config *config, struct loop *first, struct err *e)
{
    l->listeners = calloc(config->listen_count, sizeof *l->listeners);
    if (l->listeners == NULL)
        return err_set(e, ERR_NOMEM, "no memory for listeners");
    for (size_t i = 0; i < config->listen_count; i++) {
        const struct net_listen *from = &config->listens[i];
        struct listener *ln = &l->listeners[i];
        *ln = (struct listener){.loop = l, .kind = from->kind, .name = from->name, .fd = -1};
        l->listener_count = i + 1;
        if (from->tls != NULL)
            ln->tls = tls_ctx_ref(from->tls);
        int rc = 0;
        struct net_listen same = *from;
        char bound[64];
        if (from->kind == NET_UNIX && first != l) {
            ln->fd = fcntl(first->listeners[i].fd, F_DUPFD_CLOEXEC, 0);
            if (ln->fd < 0)
                rc = err_errno(e, errno, "cannot share the socket %s", from->address);
        } else {
            /* Port 0 means any: the other loops take the port that the first one got. */
            if (first != l && net_socket_address(first->listeners[i].fd, bound, sizeof bound) == 0)
                same.address = bound;
            rc = listener_bind(&same, first == l, &ln->fd, e);
            if (rc == 0 && from->kind == NET_UNIX)
                rc = remember_unix_path(l->net, from->address, e);
        }
        if (rc != 0)
            return err_context(e, "[%s]", from->name);
    }
    return 0;
}

int net_socket_address(int fd, char *out, size_t size)
{
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof ss;
    char text[INET6_ADDRSTRLEN];
    if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0)
        return ERR_IO;
    if (ss.ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, &ss, sizeof in);
        inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
        snprintf(out, size, "%s:%u", text, ntohs(in.sin_port));
        return 0;
    }
    if (ss.ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, &ss, sizeof in6);
        inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof text);
        snprintf(out, size, "[%s]:%u", text, ntohs(in6.sin6_port));
        return 0;
    }
    return ERR_INVALID;
}

int net_new(const struct net_config *config, struct net **out, struct err *e)
{
    struct net *net = calloc(1, sizeof *net);
    if (net == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the network side");
    net->app = *config->app;
    net->limits = config->limits;
    net->clock = config->clock;
    net->addresses = address_counts_new();
    net->loops = calloc(config->loops, sizeof *net->loops);
    net->unix_paths = calloc(config->listen_count + 1, sizeof *net->unix_paths);
    int rc = 0;
    if (net->addresses == NULL || net->loops == NULL || net->unix_paths == NULL)
        rc = err_set(e, ERR_NOMEM, "no memory for loops");
    for (size_t i = 0; i < config->loops && rc == 0; i++) {
        struct loop *l = &net->loops[i];
        l->net = net;
        l->index = i;
        l->app = &net->app;
        l->clock = net->clock;
        l->limits = net->limits;
        l->addresses = net->addresses;
        l->open = &net->open;
        net->loop_count = i + 1;
        rc = loop_init(l, e);
        if (rc == 0)
            rc = bind_loop(l, config, &net->loops[0], e);
    }
    if (rc != 0) {
        net_free(net);
        return rc;
    }
    *out = net;
    return 0;
}

int net_start(struct net *net, struct err *e)
{
    for (size_t i = 0; i < net->loop_count; i++) {
        int rc = loop_start(&net->loops[i], e);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static void replace_tls(struct loop *l, const char *name, struct tls_ctx *tls)
{
    for (size_t i = 0; i < l->listener_count; i++) {
        struct listener *ln = &l->listeners[i];
        if (ln->tls == NULL || strcmp(ln->name, name) != 0)
            continue;
        struct tls_ctx *old = ln->tls;
        ln->tls = tls_ctx_ref(tls);
        tls_ctx_free(old);
    }
}

static void stop_loop(struct loop *l)
{
    l->stopping = true;
    listeners_close(l);
    conn_close_all(l, true);
    uv_close((uv_handle_t *)&l->tick, NULL);
    uv_close((uv_handle_t *)&l->spin, NULL);
    uv_close((uv_handle_t *)&l->turn, NULL);
    watch_stop(l);
    loop_end_if_empty(l);
}

static void obey(struct loop_msg *msg)
{
    struct order *o = container_of(msg, struct order, msg);
    struct loop *l = o->loop;
    switch (o->what) {
    case ORDER_TLS:
        replace_tls(l, o->name, o->tls);
        tls_ctx_free(o->tls);
        break;
    case ORDER_LIMITS:
        l->limits = o->limits;
        break;
    case ORDER_DRAIN:
        l->draining = true;
        listeners_close(l);
        conn_close_all(l, false);
        break;
    case ORDER_STOP:
        stop_loop(l);
        break;
    }
    free(o);
}

/* An order that cannot be allocated at a stop or drain would hang the process: that ends it here. */
static void give_order(struct net *net, struct order like)
{
    for (size_t i = 0; i < net->loop_count; i++) {
        struct loop *l = &net->loops[i];
        if (!l->thread_started || l->start_rc != 0)
            continue;
        struct order *o = malloc(sizeof *o);
        if (o == NULL)
            abort();
        *o = like;
        o->loop = l;
        o->msg.run = obey;
        if (o->tls != NULL)
            o->tls = tls_ctx_ref(o->tls);
        loop_post(l, &o->msg);
    }
}

void net_set_tls(struct net *net, const char *name, struct tls_ctx *tls)
{
    give_order(net, (struct order){.what = ORDER_TLS, .name = name, .tls = tls});
}

void net_set_limits(struct net *net, const struct net_limits *limits)
{
    net->limits = *limits;
    give_order(net, (struct order){.what = ORDER_LIMITS, .limits = *limits});
}

void net_drain(struct net *net)
{
    give_order(net, (struct order){.what = ORDER_DRAIN});
}

size_t net_connections(struct net *net)
{
    return atomic_load(&net->open);
}

void net_stop(struct net *net)
{
    give_order(net, (struct order){.what = ORDER_STOP});
    for (size_t i = 0; i < net->loop_count; i++)
        loop_join(&net->loops[i]);
}

void net_free(struct net *net)
{
    if (net == NULL)
        return;
    for (size_t i = 0; i < net->loop_count; i++) {
        struct loop *l = &net->loops[i];
        for (size_t k = 0; k < l->listener_count; k++) {
            if (l->listeners[k].fd >= 0)
                close(l->listeners[k].fd);
            tls_ctx_free(l->listeners[k].tls);
        }
        loop_fini(l);
        free(l->listeners);
    }
    remove_unix_paths(net);
    free(net->loops);
    address_counts_free(net->addresses);
    free(net);
}

void net_stats(struct net *net, struct net_stats *out)
{
    *out = (struct net_stats){0};
    for (size_t i = 0; i < net->loop_count; i++)
        loop_stats_add(&net->loops[i], out);
}

int net_address(struct net *net, const char *name, char *out, size_t size)
{
    struct loop *l = &net->loops[0];
    for (size_t i = 0; i < l->listener_count; i++)
        if (strcmp(l->listeners[i].name, name) == 0)
            return net_socket_address(l->listeners[i].fd, out, size);
    return ERR_NOT_FOUND;
}

size_t net_bound(const struct net *net, struct net_bound *out, size_t max)
{
    const struct loop *l = &net->loops[0];
    size_t n = 0, paths = 0;
    for (size_t i = 0; i < l->listener_count && n < max; i++) {
        const struct listener *ln = &l->listeners[i];
        struct net_bound *b = &out[n++];
        b->name = ln->name;
        b->address[0] = '\0';
        if (ln->kind == NET_UNIX && paths < net->unix_count)
            snprintf(b->address, sizeof b->address, "%s", net->unix_paths[paths++].path);
        else if (ln->kind == NET_UNIX || net_socket_address(ln->fd, b->address, sizeof b->address) != 0)
            b->address[0] = '\0';
    }
    return n;
}
