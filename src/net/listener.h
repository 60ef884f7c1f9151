/* Listening sockets of one loop: each loop has its own on the same address (SO_REUSEPORT). */
#ifndef PQOTA_NET_LISTENER_H
#define PQOTA_NET_LISTENER_H

#include <stdatomic.h>
#include <uv.h>

#include "net/loop.h"

struct listener {
    struct loop *loop;
    enum net_kind kind;
    const char *name;
    struct tls_ctx *tls; /* changed by the loop's own thread only */
    int fd;
    uv_poll_t poll;
    bool open;   /* poll is initialised */
    bool paused; /* out of descriptors: tried again at the next tick */
};

/* The address a socket is bound to, as text; ERR_INVALID for a Unix socket. */
int net_socket_address(int fd, char *out, size_t size) MUST_CHECK;

/* Binds one socket. first: of the loops, so that nobody else may be listening there. A Unix socket is bound
   once and shared by dup. */
int listener_bind(const struct net_listen *config, bool first, int *fd, struct err *e) MUST_CHECK;
/* On the loop's thread. */
int listeners_open(struct loop *l, struct err *e) MUST_CHECK;
void listeners_close(struct loop *l);
void listeners_retry(struct loop *l);

#endif
