#include "pqfleet/fleet.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "pqfleet/progress.h"
#include "shared/cpu.h"

#define EVENTS 512
#define SIGNAL_EVENT UINT64_MAX
#define LATER_NS 20000000ULL /* until the server has taken some of those who wait for it */
#define WAIT_MAX_MS 1000

uint64_t fleet_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* --- devices ------------------------------------------------------------------------------------------- */

/* It asks at once (conn.c sees to that), or when it is due. */
static void schedule(struct fleet *f, uint32_t who)
{
    const struct device *d = &f->units[who].device;
    uint64_t now = fleet_now();
    f->units[who].asked = now;
    if (d->step != STEP_GONE && d->wait > 0)
        due_add(&f->due, now + d->wait, who);
}

void fleet_failed(struct fleet *f, uint32_t who, enum error_kind kind, const char *text)
{
    counts_error(&f->counts, kind, text);
    device_failed(&f->sim, &f->units[who].device);
    schedule(f, who);
}

void fleet_answered(struct fleet *f, uint32_t who, enum ask_kind kind, const struct answer *a)
{
    struct unit *u = &f->units[who];
    struct err e = {0};
    uint64_t took = fleet_now() - u->asked;
    int rc = device_take(&f->sim, &u->device, a, &e);
    if (rc != 0) {
        bool busy = a->status == 429 || a->status == 503;
        fleet_failed(f, who, rc != ERR_BUSY ? ERROR_REPLY : busy ? ERROR_BUSY : ERROR_STATUS, e.text);
        return;
    }
    if (kind == ASK_POLL) {
        f->counts.polls++;
        histogram_add(&f->counts.poll, took);
    } else if (kind == ASK_REPORT) {
        histogram_add(&f->counts.report, took);
    }
    schedule(f, who);
}

void fleet_later(struct fleet *f, uint32_t who)
{
    due_add(&f->due, fleet_now() + LATER_NS + f->units[who].device.chance % LATER_NS, who);
}

static void begin_due(struct fleet *f, uint64_t now)
{
    struct due_entry first;
    while (!f->draining && due_first(&f->due, &first) && first.at <= now) {
        due_pop(&f->due);
        histogram_add(&f->counts.late, now - first.at);
        f->units[first.who].asked = now;
        conn_ask(f, first.who);
    }
}

/* --- the loop ------------------------------------------------------------------------------------------ */

static void end(struct fleet *f, const char *why)
{
    if (f->draining)
        return;
    f->draining = true;
    f->ended = why;
    f->drain_end = fleet_now() + FLEET_DRAIN_NS;
}

static void take_signal(struct fleet *f)
{
    struct signalfd_siginfo info;
    while (read(f->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (f->draining)
            f->drain_end = 0; /* the second time it is meant at once */
        end(f, "signal");
    }
}

static int wait_ms(const struct fleet *f, uint64_t now)
{
    struct due_entry first;
    if (f->draining)
        return 10;
    if (!due_first(&f->due, &first) || first.at > now + WAIT_MAX_MS * 1000000ULL)
        return WAIT_MAX_MS;
    return first.at <= now ? 0 : (int)((first.at - now + 999999) / 1000000);
}

static int loop(struct fleet *f, struct err *e)
{
    const struct options *o = f->options;
    struct epoll_event events[EVENTS];
    struct progress progress = {.at = f->begun};
    uint64_t last = o->seconds > 0 ? f->begun + (uint64_t)(o->seconds * 1e9) : UINT64_MAX;
    while (!f->draining || (!list_empty(&f->busy) && fleet_now() < f->drain_end)) {
        uint64_t now = fleet_now();
        begin_due(f, now);
        conn_dispatch(f);
        conn_check_timeouts(f, now);
        progress_tick(&progress, f, now);
        if (now >= last)
            end(f, "time");
        if (f->counts.settled == o->devices && !o->stay)
            end(f, "done");
        int n = epoll_wait(f->epoll_fd, events, EVENTS, wait_ms(f, now));
        if (n < 0 && errno != EINTR)
            return err_errno(e, errno, "cannot wait for connections");
        for (int i = 0; i < n; i++) {
            if (events[i].data.u64 == SIGNAL_EVENT)
                take_signal(f);
            else
                conn_event(f, events[i].data.u64, events[i].events);
        }
    }
    f->counts.elapsed_ns = fleet_now() - f->begun;
    return 0;
}

/* --- before and after ---------------------------------------------------------------------------------- */

static int resolve(struct fleet *f, struct err *e)
{
    const struct options *o = f->options;
    if (o->unix_socket) {
        struct sockaddr_un *to = (struct sockaddr_un *)&f->to;
        to->sun_family = AF_UNIX;
        snprintf(to->sun_path, sizeof to->sun_path, "%s", o->socket);
        f->to_n = sizeof *to;
        return 0;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC}, *list = NULL;
    int rc = getaddrinfo(o->host, o->port, &hints, &list);
    if (rc != 0)
        return err_set(e, ERR_NOT_FOUND, "the address of %s cannot be found: %s", o->host, gai_strerror(rc));
    memcpy(&f->to, list->ai_addr, list->ai_addrlen);
    f->to_n = list->ai_addrlen;
    freeaddrinfo(list);
    return 0;
}

static int make_units(struct fleet *f, struct err *e)
{
    const struct options *o = f->options;
    uint16_t version;
    f->units = calloc(o->devices, sizeof *f->units);
    int rc = f->units != NULL
                 ? due_init(&f->due, o->devices, e)
                 : err_set(e, ERR_NOMEM, "no memory for %llu devices", (unsigned long long)o->devices);
    if (rc == 0)
        rc = names_number(&f->sim.names, str_of(o->version), &version, e);
    for (uint32_t i = 0; i < o->devices && rc == 0; i++) {
        struct unit *u = &f->units[i];
        device_init(&u->device, &f->sim, o->first + i);
        list_init(&u->link);
        u->conn = FLEET_NOBODY;
        /* Spread over one interval, as they would be. */
        due_add(&f->due, f->begun + (uint64_t)(draw_next(&u->device.chance) * o->interval * 1e9), i);
    }
    if (rc == 0 && o->tokens_file != NULL)
        rc = request_read_tokens(f, e);
    return rc;
}

static int make_loop(struct fleet *f, struct err *e)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files); /* what is missing then is told by socket() */
    }
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    f->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = SIGNAL_EVENT};
    if (f->epoll_fd < 0 || f->signal_fd < 0 || epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, f->signal_fd, &ev) != 0)
        return err_errno(e, errno, "no event loop");
    return 0;
}

static int open_fates(struct fleet *f, struct err *e)
{
    const char *path = f->options->fate_file;
    if (path == NULL)
        return 0;
    f->sim.fates = fopen(path, "we");
    return f->sim.fates != NULL ? 0 : err_errno(e, errno, "%s cannot be written", path);
}

static int close_fates(struct fleet *f, struct err *e)
{
    if (f->sim.fates == NULL)
        return 0;
    bool bad = ferror(f->sim.fates) != 0;
    bad = fclose(f->sim.fates) != 0 || bad;
    f->sim.fates = NULL;
    return bad ? err_set(e, ERR_IO, "%s could not be written whole", f->options->fate_file) : 0;
}

static void fini(struct fleet *f)
{
    conn_fini(f);
    for (size_t i = 0; f->units != NULL && i < f->options->devices; i++)
        device_fini(&f->units[i].device);
    free(f->units);
    due_fini(&f->due);
    names_fini(&f->sim.names);
    buf_fini(&f->tokens);
    if (f->epoll_fd >= 0)
        close(f->epoll_fd);
    if (f->signal_fd >= 0)
        close(f->signal_fd);
}

int fleet_run(const struct options *o, struct counts *out, const char **ended, struct err *e)
{
    auto_free struct fleet *f = calloc(1, sizeof *f);
    if (f == NULL)
        return err_set(e, ERR_NOMEM, "no memory");
    f->options = o;
    f->sim = (struct sim){.options = o, .counts = &f->counts};
    f->epoll_fd = f->signal_fd = -1;
    f->begun = fleet_now();
    list_init(&f->idle);
    list_init(&f->busy);
    list_init(&f->closed);
    list_init(&f->waiting);
    buf_init(&f->tokens, 0);
    uint64_t cpu = cpu_own();
    int rc = resolve(f, e);
    if (rc == 0)
        rc = make_loop(f, e);
    if (rc == 0)
        rc = make_units(f, e);
    if (rc == 0)
        rc = conn_init(f, e);
    if (rc == 0)
        rc = open_fates(f, e);
    if (rc == 0)
        rc = loop(f, e);
    for (size_t i = 0; rc == 0 && i < o->devices; i++)
        device_end(&f->sim, &f->units[i].device);
    struct err late = {0};
    int closed = close_fates(f, rc == 0 ? e : &late);
    f->counts.cpu_us = cpu_own() - cpu;
    *out = f->counts;
    *ended = f->ended;
    fini(f);
    return rc != 0 ? rc : closed;
}
