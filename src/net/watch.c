#include "net/watch.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "net/conn.h"

#define EVENTS_PER_TURN 256

static void on_events(uv_poll_t *handle, int status, int uv_events)
{
    (void)status, (void)uv_events;
    struct loop *l = handle->data;
    struct epoll_event events[EVENTS_PER_TURN];
    int n = epoll_wait(l->watch.fd, events, EVENTS_PER_TURN, 0);
    l->now_ms = clock_mono_ms(l->clock);
    for (int i = 0; i < n; i++)
        conn_hear(events[i].data.ptr, events[i].events);
    loop_end_turn(l);
}

int watch_init(struct loop *l, struct err *e)
{
    l->watch.fd = epoll_create1(EPOLL_CLOEXEC);
    if (l->watch.fd < 0)
        return err_errno(e, errno, "cannot make the set of a loop's connections");
    int rc = uv_poll_init(&l->uv, &l->watch.poll, l->watch.fd);
    if (rc != 0)
        return err_set(e, ERR_INTERNAL, "cannot watch a loop's connections: %s", uv_strerror(rc));
    l->watch.poll.data = l;
    return 0;
}

void watch_start(struct loop *l)
{
    uv_poll_start(&l->watch.poll, UV_READABLE, on_events);
}

void watch_stop(struct loop *l)
{
    if (!uv_is_closing((uv_handle_t *)&l->watch.poll))
        uv_close((uv_handle_t *)&l->watch.poll, NULL);
}

void watch_fini(struct loop *l)
{
    if (l->watch.fd >= 0)
        close(l->watch.fd);
    l->watch.fd = -1;
}

static int control(struct conn *c, int op, uint32_t more)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET | more, .data.ptr = c};
    return epoll_ctl(c->loop->watch.fd, op, c->fd, &event);
}

int watch_add(struct conn *c, struct err *e)
{
    return control(c, EPOLL_CTL_ADD, 0) == 0 ? 0 : err_errno(e, errno, "cannot watch a connection");
}

void watch_writes(struct conn *c)
{
    if (!c->watches_writes)
        (void)control(c, EPOLL_CTL_MOD, EPOLLOUT); /* it is in the set: nothing can fail but a bug */
    c->watches_writes = true;
}

void watch_remove(struct conn *c)
{
    /* Closing alone would leave it in the set for as long as a child process holds the descriptor. */
    (void)control(c, EPOLL_CTL_DEL, 0);
}
