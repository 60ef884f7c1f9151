/*
 * The sockets of a loop's connections, in an epoll set of their own that libuv waits for. Each is added once
 * and told of by edges, so that no request costs a system call for saying what is waited for.
 */
#ifndef PQOTA_NET_WATCH_H
#define PQOTA_NET_WATCH_H

#include <stdint.h>
#include <uv.h>

#include "base/err.h"

struct conn;
struct loop;

struct watch {
    int fd;
    uv_poll_t poll;
};

int watch_init(struct loop *l, struct err *e) MUST_CHECK;
/* On the loop's thread. */
void watch_start(struct loop *l);
void watch_stop(struct loop *l);
void watch_fini(struct loop *l);

int watch_add(struct conn *c, struct err *e) MUST_CHECK;
/* From now on also when the socket takes more. */
void watch_writes(struct conn *c);
void watch_remove(struct conn *c);

#endif
