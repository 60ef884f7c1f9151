#include "pqload/load.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "shared/cpu.h"

#define SECOND 1000000000ULL

bool load_counts(const struct load *l, uint64_t due)
{
    if (l->step == 0)
        return l->phase == LOAD_MEASURE;
    return l->begin != 0 && due >= l->begin && due < l->end;
}

void failure_note(struct failures *f, enum error_kind kind, const char *text)
{
    f->kinds[kind]++;
    if (f->count < LOAD_SAMPLES)
        snprintf(f->samples[f->count], ERR_TEXT_MAX, "%s: %s", error_names[kind], text);
    f->count++;
}

void load_error(struct load *l, enum error_kind kind, const char *text)
{
    struct failures *f = &l->counts.errors;
    failure_note(f, kind, text);
    if (f->count == LOAD_ERRORS_MAX && l->phase != LOAD_OVER) {
        l->rc =
            err_set(&l->error, ERR_IO, "%d operations failed; the first: %s", LOAD_ERRORS_MAX, f->samples[0]);
        load_stop(l);
    }
}

static bool all_done(const struct load *l)
{
    return (l->phase == LOAD_DRAIN && l->busy == 0 && l->next_due >= l->end) ||
           (l->phase == LOAD_MEASURE && l->ended > 0 && l->ended == l->options->operations);
}

void load_slot_done(struct slot *s)
{
    struct load *l = s->load;
    if (l->phase == LOAD_OVER)
        return;
    list_add_tail(s->failed ? &l->resting : &l->waiting, &s->link);
    if (s->busy) {
        s->busy = false;
        l->busy--;
        l->ended++;
    }
    if (s->in_round) {
        s->in_round = false;
        l->round_busy--;
    }
    if (all_done(l))
        load_stop(l);
}

static void read_cpu(struct load *l, uint64_t *own, uint64_t *others)
{
    *own = cpu_own();
    if (cpu_of(l->options->pids, l->options->pid_count, others, &l->error) != 0 && l->phase != LOAD_OVER) {
        l->rc = l->error.code;
        load_stop(l);
    }
}

static void begin_measuring(struct load *l)
{
    for (size_t i = 0; i < l->options->connections && mode_stays(l->options->mode); i++)
        slot_account(&l->slots[i], false);
    read_cpu(l, &l->own_cpu_before, &l->other_cpu_before);
    l->phase = l->phase == LOAD_OVER ? LOAD_OVER : LOAD_MEASURE;
    l->begun = l->ended = 0;
    l->begin = l->step == 0 ? uv_hrtime() : l->next_due;
    if (l->step != 0)
        l->end = l->begin + (uint64_t)(l->options->seconds * 1e9);
}

static void end_measuring(struct load *l)
{
    uint64_t own, others;
    l->counts.elapsed_ns = uv_hrtime() - l->begin;
    read_cpu(l, &own, &others);
    l->counts.own_cpu_us = own - l->own_cpu_before;
    l->counts.other_cpu_us = others - l->other_cpu_before;
    for (size_t i = 0; i < l->options->connections && mode_stays(l->options->mode); i++)
        slot_account(&l->slots[i], true);
}

/* Everything closes, so that the event loop ends. */
void load_stop(struct load *l)
{
    if (l->phase == LOAD_MEASURE || l->phase == LOAD_DRAIN)
        end_measuring(l);
    l->phase = LOAD_OVER;
    for (size_t i = 0; i < l->options->connections; i++)
        slot_close(&l->slots[i]);
    uv_handle_t *handles[] = {(uv_handle_t *)&l->dispatch, (uv_handle_t *)&l->stage, (uv_handle_t *)&l->tick,
                              (uv_handle_t *)&l->alarm, (uv_handle_t *)&l->input};
    for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++) {
        if (uv_handle_get_type(handles[i]) != UV_UNKNOWN_HANDLE && !uv_is_closing(handles[i]))
            uv_close(handles[i], NULL);
    }
}

static void on_stage(uv_timer_t *timer)
{
    struct load *l = timer->data;
    if (l->phase == LOAD_WARMUP) {
        begin_measuring(l);
        if (l->phase == LOAD_MEASURE)
            uv_timer_start(timer, on_stage, (uint64_t)(l->options->seconds * 1e3 + 0.5), 0);
        return;
    }
    if (l->options->operations > 0) {
        char text[96];
        snprintf(text, sizeof text, "%llu of %llu operations were not done after %g s",
                 (unsigned long long)(l->options->operations - l->ended),
                 (unsigned long long)l->options->operations, l->options->seconds);
        load_error(l, ERROR_TIMEOUT, text);
        if (l->phase != LOAD_OVER)
            load_stop(l);
        return;
    }
    if (l->phase == LOAD_DRAIN) {
        load_error(l, ERROR_TIMEOUT, "operations were due and not done: the server is slower than --rate");
        if (l->phase != LOAD_OVER)
            load_stop(l);
        return;
    }
    if (l->step == 0 || (l->busy == 0 && l->next_due >= l->end)) {
        load_stop(l);
        return;
    }
    l->phase = LOAD_DRAIN;
    uv_timer_start(timer, on_stage, (uint64_t)(l->options->timeout * 1e3 + 0.5), 0);
}

static void on_tick(uv_timer_t *timer)
{
    struct load *l = timer->data;
    uint64_t now = uv_hrtime();
    for (size_t i = 0; i < l->options->connections && l->phase != LOAD_OVER; i++)
        slot_tick(&l->slots[i], now);
    for (struct list *it; l->phase != LOAD_OVER && (it = list_pop(&l->resting)) != NULL;)
        list_add_tail(&l->waiting, it);
}

static void on_alarm(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    uint64_t expirations;
    struct load *l = poll->data;
    if (read(l->alarm_fd, &expirations, sizeof expirations) < 0)
        return; /* it was set anew since: it will ring again */
}

static void set_alarm(struct load *l)
{
    struct itimerspec at = {
        .it_value = {.tv_sec = (time_t)(l->next_due / SECOND), .tv_nsec = (long)(l->next_due % SECOND)}};
    timerfd_settime(l->alarm_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

/* Whoever is free begins what is due, at most one operation a slot. */
static void dispatch_due(struct load *l)
{
    uint64_t now = uv_hrtime();
    size_t most = l->options->connections;
    while (l->phase != LOAD_OVER && !list_empty(&l->waiting) && most-- > 0) {
        uint64_t due = now;
        if (l->step != 0) {
            if (l->next_due > now || (l->end != 0 && l->next_due >= l->end))
                break;
            due = l->next_due;
            l->next_due += l->step;
        }
        if (l->options->operations > 0 && l->begun++ >= l->options->operations)
            break;
        struct slot *s = container_of(list_pop(&l->waiting), struct slot, link);
        slot_begin(s, due);
    }
    if (l->phase != LOAD_OVER && l->step != 0 && !list_empty(&l->waiting))
        set_alarm(l);
}

/* Before each wait. */
static void on_dispatch(uv_prepare_t *prepare)
{
    struct load *l = prepare->data;
    bool idle = l->options->mode == MODE_IDLE;
    if (l->in_round)
        round_dispatch(l);
    if (!l->in_round && (!idle || l->step != 0))
        dispatch_due(l);
    if (idle && l->step != 0)
        stretch_check(l);
}

static int resolve(struct load *l, struct err *e)
{
    const struct options *o = l->options;
    const char *name = o->address != NULL ? o->address : o->host;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC}, *list = NULL;
    int rc = getaddrinfo(name, o->port, &hints, &list);
    if (rc != 0)
        return err_set(e, ERR_NOT_FOUND, "the address of %s cannot be found: %s", name, gai_strerror(rc));
    int last = 0;
    bool found = false;
    for (const struct addrinfo *a = list; a != NULL && !found; a = a->ai_next) {
        auto_close int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        found = fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0;
        last = errno;
        if (found) {
            memcpy(&l->to, a->ai_addr, a->ai_addrlen);
            l->to_n = a->ai_addrlen;
        }
    }
    freeaddrinfo(list);
    return found ? 0 : err_errno(e, last, "nobody answers at %s port %s", name, o->port);
}

/* A context remembers one session, so each slot that resumes has its own; the others share the identity's. */
static int make_slot(struct load *l, size_t i, struct err *e)
{
    struct slot *s = &l->slots[i];
    s->load = l;
    s->fd = -1;
    s->who = &l->identities.rows[i % l->identities.count];
    list_init(&s->link);
    list_add_tail(&l->waiting, &s->link);
    const struct request *r = &s->who->request;
    s->request = r->text.p;
    if (r->number_n > 0) {
        s->request = malloc(r->text.n);
        if (s->request == NULL)
            return err_set(e, ERR_NOMEM, "no memory for %llu requests",
                           (unsigned long long)l->options->connections);
        memcpy(s->request, r->text.p, r->text.n);
    }
    if (l->options->mode == MODE_RESUMED)
        return identity_context(l->options, s->who, &s->tls, e);
    s->tls = tls_ctx_ref(s->who->tls);
    return 0;
}

static int make_slots(struct load *l, struct err *e)
{
    size_t n = l->options->connections;
    l->slots = calloc(n, sizeof *l->slots);
    if (l->slots == NULL)
        return err_set(e, ERR_NOMEM, "no memory for %zu connections", n);
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = make_slot(l, i, e);
    return rc;
}

static void free_slots(struct load *l)
{
    for (size_t i = 0; l->slots != NULL && i < l->options->connections; i++) {
        struct slot *s = &l->slots[i];
        if (s->who != NULL && s->who->request.number_n > 0)
            free(s->request);
        tls_ctx_free(s->tls);
    }
    free(l->slots);
}

void load_opened(struct load *l)
{
    l->phase = LOAD_WARMUP;
    l->next_due = uv_hrtime();
    if (l->options->warmup > 0 && l->options->operations == 0)
        uv_timer_start(&l->stage, on_stage, (uint64_t)(l->options->warmup * 1e3 + 0.5), 0);
    else
        on_stage(&l->stage);
}

static int make_handles(struct load *l, struct err *e)
{
    l->alarm_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (l->alarm_fd < 0)
        return err_errno(e, errno, "no timer");
    l->dispatch.data = l->stage.data = l->tick.data = l->alarm.data = l->input.data = l;
    uv_prepare_init(&l->uv, &l->dispatch);
    uv_timer_init(&l->uv, &l->stage);
    uv_timer_init(&l->uv, &l->tick);
    int rc = uv_poll_init(&l->uv, &l->alarm, l->alarm_fd);
    if (rc == 0)
        rc = uv_poll_start(&l->alarm, UV_READABLE, on_alarm);
    if (rc != 0)
        return err_set(e, ERR_IO, "no event loop: %s", uv_strerror(rc));
    uv_prepare_start(&l->dispatch, on_dispatch);
    uv_timer_start(&l->tick, on_tick, LOAD_TICK_MS, LOAD_TICK_MS);
    if (l->options->mode == MODE_IDLE)
        return round_init(l, e);
    if (l->options->open_first)
        round_begin(l);
    else
        load_opened(l);
    return 0;
}

/* Until a line comes, or nobody is there to send one. */
static int await_line(struct err *e)
{
    char c = 0;
    if (printf("{\"ready\":true}\n") < 0 || fflush(stdout) != 0)
        return err_set(e, ERR_IO, "standard output cannot be written to");
    while (c != '\n' && read(STDIN_FILENO, &c, 1) == 1)
        ;
    return 0;
}

static int prepare(struct load *l, struct err *e)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files); /* what is missing then is told by socket() */
    }
    int rc = resolve(l, e);
    if (rc == 0)
        rc = identities_make(l->options, &l->identities, e);
    if (rc == 0)
        rc = make_slots(l, e);
    if (rc == 0 && l->options->await)
        rc = await_line(e);
    return rc == 0 ? make_handles(l, e) : rc;
}

int load_run(const struct options *o, struct counts *out, struct err *e)
{
    auto_free struct load *l = calloc(1, sizeof *l);
    if (l == NULL)
        return err_set(e, ERR_NOMEM, "no memory");
    l->options = o;
    l->alarm_fd = -1;
    l->step = o->rate > 0 ? (uint64_t)(1e9 / o->rate) : 0;
    list_init(&l->waiting);
    list_init(&l->resting);
    uv_loop_init(&l->uv);
    int rc = prepare(l, e);
    if (rc != 0 && l->slots != NULL)
        load_stop(l);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    if (rc == 0 && l->rc != 0) {
        rc = l->rc;
        *e = l->error;
    }
    *out = l->counts;
    free_slots(l);
    identities_fini(&l->identities);
    if (l->alarm_fd >= 0)
        close(l->alarm_fd);
    uv_loop_close(&l->uv);
    return rc;
}
