#include "app.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

const struct net_limits ample_limits = {
    .connections = 1000,
    .connections_per_address = 1000,
    .head_bytes = 16384,
    .target_bytes = 8192,
    .requests_per_connection = 1000000,
    .handshakes_waiting = 1000,
    .handshake_ms = 10000,
    .header_ms = 10000,
    .body_ms = 10000,
    .idle_ms = 10000,
    .write_ms = 10000,
    .bytes_per_second = 1000,
};

int cold_every;

/* In the C library's place: what the page cache holds is the test's to say. */
ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
    static unsigned calls;
    (void)flags;
    calls++;
    if (cold_every > 0 && calls % (unsigned)cold_every == 0) {
        errno = EAGAIN;
        return -1;
    }
    struct iovec some = iov[0];
    if (cold_every > 0 && calls % 3 == 1 && some.iov_len > 5000)
        some.iov_len = 5000; /* the rest is cold */
    (void)count;
    return pread(fd, some.iov_base, some.iov_len, offset);
}

unsigned char app_pattern(size_t i)
{
    return (unsigned char)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

/* --- the worker ---------------------------------------------------------------------------------------- */

struct task {
    struct list link;
    struct app *app;
    struct exchange *x;
    void (*run)(struct task *t);
    struct str piece;
    void *buf;
    size_t size;
    uint64_t offset;
    uint64_t bytes, sum; /* of a spooled body */
    char *part;          /* of a stream */
    int parts;
};

static void *work(void *arg)
{
    struct app *a = arg;
    pthread_mutex_lock(&a->lock);
    for (;;) {
        while (!a->ending && (list_empty(&a->queue) || !a->gate_open))
            pthread_cond_wait(&a->cond, &a->lock);
        struct list *e = list_pop(&a->queue);
        if (e == NULL)
            break;
        a->waiting--;
        struct task *t = container_of(e, struct task, link);
        if (atomic_load(&t->x->gone))
            a->seen_gone++;
        pthread_mutex_unlock(&a->lock);
        t->run(t);
        pthread_mutex_lock(&a->lock);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

static void submit(struct task *t, void (*run)(struct task *t))
{
    struct app *a = t->app;
    t->run = run;
    pthread_mutex_lock(&a->lock);
    list_add_tail(&a->queue, &t->link);
    a->waiting++;
    pthread_cond_broadcast(&a->cond);
    pthread_mutex_unlock(&a->lock);
}

static bool is(const struct exchange *x, const char *path)
{
    return str_is(x->req.path, path);
}

/* --- the answers --------------------------------------------------------------------------------------- */

static void fill(struct exchange *x)
{
    http_reply(&x->res, 200, "text/plain", x->req.body.n > 0 ? x->req.body : STR("ok"));
}

static void answer(struct task *t)
{
    fill(t->x);
    exchange_reply(t->x);
}

static void answer_here(struct exchange *x)
{
    fill(x);
    exchange_reply(x);
}

static void answer_by_call(struct task *t)
{
    exchange_call(t->x, answer_here);
}

static void answer_sum(struct task *t)
{
    char *text =
        arena_printf(&t->x->arena, "%llu %llu", (unsigned long long)t->bytes, (unsigned long long)t->sum);
    http_reply(&t->x->res, 200, "text/plain", str_of(text));
    exchange_reply(t->x);
}

static void take(struct task *t)
{
    for (size_t i = 0; i < t->piece.n; i++)
        t->sum += (unsigned char)t->piece.p[i];
    t->bytes += t->piece.n;
    exchange_chunk_done(t->x);
}

static void refuse_late(struct task *t)
{
    http_reply_problem_status(&t->x->res, &t->x->arena, 413, "too much");
    exchange_reply(t->x);
}

static void read_file(struct task *t)
{
    ssize_t n = pread(t->x->res.file, t->buf, t->size, (off_t)t->offset);
    exchange_file_done(t->x, n > 0 ? (long)n : ERR_IO);
}

static void add_part(struct exchange *x, const char *bytes, uint64_t offset, uint64_t length)
{
    struct http_part *p = &x->res.parts[x->res.part_count++];
    *p = (struct http_part){.kind = HTTP_PART_FILE, .offset = offset, .length = length};
    if (bytes != NULL)
        *p = (struct http_part){.kind = HTTP_PART_BYTES, .bytes = str_of(bytes), .length = strlen(bytes)};
}

static void reply_file(struct app *a, struct exchange *x)
{
    http_reply_empty(&x->res, 200);
    x->res.file = dup(a->file);
    add_part(x, "begin", 0, 0);
    add_part(x, NULL, 1, is(x, "/torn") ? 2 * FILE_BYTES : FILE_BYTES - 1);
    add_part(x, "middle", 0, 0);
    add_part(x, NULL, 7, 100000);
    exchange_reply(x);
}

/* --- a stream: the worker sends a part, and the next one when that is out ------------------------------- */

#define PART_BYTES 100000
#define PARTS 10

static void send_part(struct task *t)
{
    if (atomic_load(&t->x->gone) || t->parts == PARTS) {
        exchange_reply(t->x);
        return;
    }
    memset(t->part, 'a' + t->parts++, PART_BYTES);
    http_reply(&t->x->res, 200, "text/plain", (struct str){.p = t->part, .n = PART_BYTES});
    exchange_send(t->x);
}

static void on_sent(void *ctx, struct exchange *x)
{
    (void)ctx;
    submit(x->app, send_part);
}

/* --- net_app ------------------------------------------------------------------------------------------- */

static enum net_verdict on_head(void *ctx, struct exchange *x)
{
    struct app *a = ctx;
    struct task *t = arena_new(&x->arena, struct task);
    assert_non_null(t);
    *t = (struct task){.app = a, .x = x};
    x->app = t;
    pthread_mutex_lock(&a->lock);
    a->begun++;
    pthread_mutex_unlock(&a->lock);
    if (is(x, "/refuse")) {
        http_reply_problem_status(&x->res, &x->arena, 403, "no");
        return NET_REFUSE;
    }
    bool spool = is(x, "/spool") || is(x, "/inline") || is(x, "/late");
    x->body_max = spool ? 64u << 20 : 1u << 20;
    return spool ? NET_SPOOL_BODY : NET_READ_BODY;
}

static void on_chunk(void *ctx, struct exchange *x, struct str piece)
{
    (void)ctx;
    struct task *t = x->app;
    t->piece = piece;
    if (is(x, "/inline"))
        take(t);
    else
        submit(t, is(x, "/late") ? refuse_late : take);
}

static void on_request(void *ctx, struct exchange *x)
{
    struct task *t = x->app;
    if (is(x, "/slow"))
        submit(t, answer);
    else if (is(x, "/call"))
        submit(t, answer_by_call);
    else if (is(x, "/spool"))
        submit(t, answer_sum);
    else if (is(x, "/stream")) {
        t->part = arena_alloc(&x->arena, PART_BYTES);
        assert_non_null(t->part);
        submit(t, send_part);
    } else if (is(x, "/inline"))
        answer_sum(t);
    else if (is(x, "/file") || is(x, "/torn"))
        reply_file(ctx, x);
    else if (is(x, "/204") || is(x, "/304")) {
        http_reply(&x->res, is(x, "/204") ? 204 : 304, "text/plain", STR("must not be sent"));
        exchange_reply(x);
    } else
        answer_here(x);
}

static void on_file_read(void *ctx, struct exchange *x, void *buf, size_t size, uint64_t offset)
{
    struct app *a = ctx;
    struct task *t = x->app;
    pthread_mutex_lock(&a->lock);
    a->cold_reads++;
    pthread_mutex_unlock(&a->lock);
    t->buf = buf;
    t->size = size;
    t->offset = offset;
    submit(t, read_file);
}

static void on_end(void *ctx, struct exchange *x)
{
    struct app *a = ctx;
    if (x->app == NULL)
        return;
    pthread_mutex_lock(&a->lock);
    a->ended++;
    pthread_mutex_unlock(&a->lock);
}

static int on_loop_start(void *ctx, void **loop_ctx, struct err *e)
{
    (void)e;
    *loop_ctx = ctx;
    return 0;
}

static void on_loop_stop(void *ctx, void *loop_ctx)
{
    assert_ptr_equal(ctx, loop_ctx);
}

/* --- the fixture --------------------------------------------------------------------------------------- */

static int make_file(void)
{
    char path[] = "/tmp/test-net-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    unsigned char *p = malloc(FILE_BYTES);
    for (size_t i = 0; i < FILE_BYTES; i++)
        p[i] = app_pattern(i);
    assert_int_equal(pwrite(fd, p, FILE_BYTES, 0), FILE_BYTES);
    free(p);
    return fd;
}

struct fixture *app_start(const struct net_limits *limits, size_t loops)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    struct app *a = &f->app;
    a->gate_open = true;
    list_init(&a->queue);
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->cond, NULL);
    a->file = make_file();
    assert_int_equal(pthread_create(&a->worker, NULL, work, a), 0);
    const struct net_app app = {
        .ctx = a,
        .arena_max = 4u << 20,
        .head = on_head,
        .chunk = on_chunk,
        .request = on_request,
        .file_read = on_file_read,
        .sent = on_sent,
        .end = on_end,
        .loop_start = on_loop_start,
        .loop_stop = on_loop_stop,
    };
    const struct net_listen listen = {.kind = NET_PLAIN, .name = "plain", .address = "127.0.0.1:0"};
    const struct net_config config = {.loops = loops,
                                      .listens = &listen,
                                      .listen_count = 1,
                                      .limits = *limits,
                                      .app = &app,
                                      .clock = &clock_system};
    struct err e = {0};
    if (net_new(&config, &f->net, &e) != 0 || net_start(f->net, &e) != 0)
        fail_msg("%s", e.text);
    assert_int_equal(net_address(f->net, "plain", f->address, sizeof f->address), 0);
    uint64_t port = 0;
    assert_int_equal(str_to_u64(str_of(strrchr(f->address, ':') + 1), 65535, &port), 0);
    f->to = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    return f;
}

void app_gate(struct fixture *f, bool open)
{
    pthread_mutex_lock(&f->app.lock);
    f->app.gate_open = open;
    pthread_cond_broadcast(&f->app.cond);
    pthread_mutex_unlock(&f->app.lock);
}

/* The worker ends after the loops, who wait for what it has. */
void app_stop(struct fixture *f)
{
    app_gate(f, true);
    net_stop(f->net);
    pthread_mutex_lock(&f->app.lock);
    f->app.ending = true;
    pthread_cond_broadcast(&f->app.cond);
    pthread_mutex_unlock(&f->app.lock);
    pthread_join(f->app.worker, NULL);
    assert_int_equal(net_connections(f->net), 0);
    assert_int_equal(f->app.begun, f->app.ended);
    net_free(f->net);
    pthread_mutex_destroy(&f->app.lock);
    pthread_cond_destroy(&f->app.cond);
    close(f->app.file);
    free(f);
}

static void pause_briefly(void)
{
    const struct timespec t = {.tv_nsec = 2000000};
    nanosleep(&t, NULL);
}

void app_wait_queued(struct fixture *f, size_t n)
{
    for (int i = 0; i < 5000; i++) {
        pthread_mutex_lock(&f->app.lock);
        bool there = f->app.waiting >= n;
        pthread_mutex_unlock(&f->app.lock);
        if (there)
            return;
        pause_briefly();
    }
    fail_msg("the application was not given %zu tasks", n);
}

void app_wait_read(struct fixture *f, size_t bytes)
{
    struct net_stats s = {0};
    for (int i = 0; i < 5000; i++) {
        net_stats(f->net, &s);
        if (s.bytes_in >= bytes)
            return;
        pause_briefly();
    }
    fail_msg("%llu bytes were read, not %zu", (unsigned long long)s.bytes_in, bytes);
}

void app_wait_quiet(struct fixture *f)
{
    for (int i = 0; i < 5000; i++) {
        pthread_mutex_lock(&f->app.lock);
        bool quiet = f->app.begun == f->app.ended;
        pthread_mutex_unlock(&f->app.lock);
        if (quiet && net_connections(f->net) == 0)
            return;
        pause_briefly();
    }
    fail_msg("%zu connections and %zu exchanges are left", net_connections(f->net),
             f->app.begun - f->app.ended);
}
