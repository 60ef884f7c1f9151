/*
 * The network side of a server: loop threads, each with its own listening sockets (SO_REUSEPORT), that carry
 * HTTP exchanges between connections and a net_app.
 */
#ifndef PQOTA_NET_NET_H
#define PQOTA_NET_NET_H

#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/err.h"
#include "net/exchange.h"
#include "net/stats.h"

struct net;

struct net_listen {
    enum net_kind kind;
    const char *name;    /* "tls", "plain", ...: a constant */
    const char *address; /* "[::]:8443" (IPv6 alone), "0.0.0.0:8443", or a path for NET_UNIX */
    mode_t mode;         /* NET_UNIX */
    struct tls_ctx *tls; /* NET_TLS; a reference is taken */
};

/* Seconds and counts; reaching one is counted and logged. */
struct net_limits {
    size_t connections, connections_per_address;
    size_t head_bytes, target_bytes;
    uint64_t requests_per_connection;
    int64_t handshake_ms, header_ms, body_ms, idle_ms, write_ms;
    size_t handshakes_waiting; /* full ones that wait for their turn, a loop */
    uint64_t bytes_per_second; /* a body or a reader slower than this over its deadline is cut off */
};

struct net_config {
    size_t loops;
    const struct net_listen *listens;
    size_t listen_count;
    struct net_limits limits;
    const struct net_app *app;
    const struct clock *clock;
};

/* Binds everything, so that a port in use is known before anything starts. */
int net_new(const struct net_config *config, struct net **out, struct err *e) MUST_CHECK;
int net_start(struct net *net, struct err *e) MUST_CHECK;
/* New connections of the listeners of that name use this context from now on. */
void net_set_tls(struct net *net, const char *name, struct tls_ctx *tls);
/* Limits may change while it runs. */
void net_set_limits(struct net *net, const struct net_limits *limits);
/* Stops accepting; idle connections close at once, others after their reply. */
void net_drain(struct net *net);
size_t net_connections(struct net *net);
/* Ends the loops (connections still open are cut) and joins their threads. */
void net_stop(struct net *net);
void net_free(struct net *net);
void net_stats(struct net *net, struct net_stats *out);
/* The address that a listener got (port 0 gives a free one): "127.0.0.1:40123". */
int net_address(struct net *net, const char *name, char *out, size_t size) MUST_CHECK;

struct net_bound {
    const char *name;  /* as in net_listen */
    char address[128]; /* as bound: "127.0.0.1:40123", "[::]:8443", or a path */
};
/* Every listener, in the order given to net_new; how many were written, at most `max`. Any thread. */
size_t net_bound(const struct net *net, struct net_bound *out, size_t max);

#endif
