/* Exchanges over a connection: in order, whole, and whoever leaves when. */
#include "app.h"
#include "client.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int setup(void **state)
{
    cold_every = 0;
    *state = app_start(&ample_limits, 2);
    return 0;
}

static int teardown(void **state)
{
    app_stop(*state);
    return 0;
}

static const char *request(const char *path)
{
    static char text[200];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    return text;
}

static void pipelines_come_in_order(void **state)
{
    int fd = client(*state);
    auto_buf struct buf all;
    buf_init(&all, 300000);
    static const char *const paths[] = {"/echo", "/slow", "/call"};
    for (int i = 0; i < 600; i++)
        assert_int_equal(
            buf_printf(&all, "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n%05d", paths[i % 3], i),
            0);
    send_all(fd, all.p, all.n);
    for (int i = 0; i < 600; i++) {
        struct reply r = read_reply(fd, false);
        assert_int_equal(r.status, 200);
        assert_int_equal(r.n, 5);
        uint64_t number = 0;
        assert_int_equal(str_to_u64(str_of(r.body), 1000, &number), 0);
        assert_int_equal(number, i);
        reply_free(&r);
    }
    close(fd);
}

static void nothing_follows_where_nothing_may(void **state)
{
    int fd = client(*state);
    send_text(fd, "HEAD /echo HTTP/1.1\r\nHost: a\r\n\r\n"
                  "GET /204 HTTP/1.1\r\nHost: a\r\n\r\n"
                  "GET /304 HTTP/1.1\r\nHost: a\r\n\r\n"
                  "HEAD /file HTTP/1.1\r\nHost: a\r\n\r\n"
                  "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    static const int statuses[] = {200, 204, 304, 200};
    for (int i = 0; i < 4; i++) {
        struct reply r = read_reply(fd, true);
        assert_int_equal(r.status, statuses[i]);
        reply_free(&r);
    }
    expect_status(fd, 200);
    close(fd);
}

static void invites_bodies_also_impatient_ones(void **state)
{
    int fd = client(*state);
    send_text(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    expect_status(fd, 100);
    send_text(fd, "hello");
    expect_status(fd, 200);
    /* The body and the next request come along with the head. */
    send_text(fd,
              "POST /spool HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
              "2\r\nab\r\n0\r\n\r\nGET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    expect_status(fd, 100);
    struct reply r = read_reply(fd, false);
    assert_string_equal(r.body, "2 195");
    reply_free(&r);
    expect_status(fd, 200);
    close(fd);
}

/* --- bodies ------------------------------------------------------------------------------------------- */

static char *big_body(size_t n)
{
    char *p = malloc(n);
    for (size_t i = 0; i < n; i++)
        p[i] = (char)app_pattern(i);
    return p;
}

static void spool_to(struct fixture *f, const char *path)
{
    enum { N = 5000001 };
    char head[200], wanted[64];
    char *body = big_body(N);
    unsigned long long sum = 0;
    for (size_t i = 0; i < N; i++)
        sum += (unsigned char)body[i];
    snprintf(wanted, sizeof wanted, "%d %llu", N, sum);
    int fd = client(f);
    snprintf(head, sizeof head, "PUT %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", path, N);
    send_text(fd, head);
    send_all(fd, body, N);
    send_text(fd, request("/echo"));
    struct reply r = read_reply(fd, false);
    assert_string_equal(r.body, wanted);
    reply_free(&r);
    expect_status(fd, 200);
    /* The same in chunks of all sizes. */
    snprintf(head, sizeof head, "PUT %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", path);
    send_text(fd, head);
    for (size_t done = 0, n = 1; done < N; done += n, n = n * 3 % 70001 + 1) {
        n = n < N - done ? n : N - done;
        snprintf(head, sizeof head, "%zx\r\n", n);
        send_text(fd, head);
        send_all(fd, body + done, n);
        send_text(fd, "\r\n");
    }
    send_text(fd, "0\r\n\r\n");
    r = read_reply(fd, false);
    assert_string_equal(r.body, wanted);
    reply_free(&r);
    free(body);
    close(fd);
}

static void spools_on_the_worker(void **state)
{
    spool_to(*state, "/spool");
}

static void spools_at_once(void **state)
{
    spool_to(*state, "/inline");
}

/* A client that writes all before it reads must still see the refusal: no reset may overtake it. */
static void refused(struct fixture *f, const char *path, const char *framing, size_t n, int status)
{
    int fd = client(f);
    char *body = big_body(n);
    char head[200];
    snprintf(head, sizeof head, "PUT %s HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n", path, framing);
    send_text(fd, head);
    send_all(fd, body, n);
    struct reply r = read_reply(fd, false);
    assert_int_equal(r.status, status);
    assert_true(r.close);
    reply_free(&r);
    expect_end(fd);
    free(body);
    close(fd);
}

static void refusals_reach_who_writes_on(void **state)
{
    refused(*state, "/refuse", "Content-Length: 9000000", 9000000, 403);
    refused(*state, "/late", "Content-Length: 9000000", 9000000, 413);
    refused(*state, "/echo", "Content-Length: 9000000", 9000000, 413);
    refused(*state, "/echo", "Transfer-Encoding: chunked", 3000000, 400); /* no chunk at all */
    refused(*state, "/spool", "Content-Length: 99999999999", 9000000, 413);
}

static void bodies_in_memory_end_at_their_limit(void **state)
{
    int fd = client(*state);
    send_text(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    char *body = big_body(65536);
    for (int i = 0; i < 40; i++) {
        send_text(fd, "10000\r\n");
        send_all(fd, body, 65536);
        send_text(fd, "\r\n");
    }
    expect_status(fd, 413);
    expect_end(fd);
    free(body);
    close(fd);
}

/* --- files -------------------------------------------------------------------------------------------- */

static void check_file(const struct reply *r)
{
    const char *p = r->body;
    assert_int_equal(r->status, 200);
    assert_int_equal(r->n, 5 + FILE_BYTES - 1 + 6 + 100000);
    assert_memory_equal(p, "begin", 5);
    for (size_t i = 0; i < FILE_BYTES - 1; i++)
        if ((unsigned char)p[5 + i] != app_pattern(1 + i))
            fail_msg("byte %zu of the file is wrong", i + 1);
    p += 5 + FILE_BYTES - 1;
    assert_memory_equal(p, "middle", 6);
    for (size_t i = 0; i < 100000; i++)
        assert_int_equal((unsigned char)p[6 + i], app_pattern(7 + i));
}

static void get_file(struct fixture *f, int every)
{
    cold_every = every;
    int fd = client(f);
    for (int i = 0; i < 3; i++) {
        send_text(fd, request("/file"));
        struct reply r = read_reply(fd, false);
        check_file(&r);
        reply_free(&r);
    }
    close(fd);
}

static void files_from_the_page_cache(void **state)
{
    struct fixture *f = *state;
    get_file(f, 0);
    assert_int_equal(f->app.cold_reads, 0);
}

static void files_from_the_disk(void **state)
{
    struct fixture *f = *state;
    get_file(f, 1);
    assert_true(f->app.cold_reads >= 3 * FILE_BYTES / 131072);
}

static void files_partly_cold(void **state)
{
    struct fixture *f = *state;
    get_file(f, 4);
    assert_true(f->app.cold_reads > 0);
}

static void a_file_that_is_too_short_cuts_the_connection(void **state)
{
    int fd = client(*state);
    send_text(fd, request("/torn"));
    char buf[65536];
    size_t sum = 0;
    ssize_t n;
    while ((n = receive(fd, buf, sizeof buf, 0)) > 0)
        sum += (size_t)n;
    assert_true(sum > FILE_BYTES && sum < 2 * FILE_BYTES);
    close(fd);
}

/* --- streams ------------------------------------------------------------------------------------------ */

/* Head and parts, up to the end of the connection. */
static size_t read_all(int fd, char **out)
{
    size_t n = 0, size = 2u << 20;
    char *p = malloc(size);
    for (ssize_t got; (got = receive(fd, p + n, size - n - 1, 0)) > 0;)
        n += (size_t)got;
    p[n] = '\0';
    *out = p;
    return n;
}

static void a_stream_goes_out_part_by_part(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);
    send_text(fd, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    char *all = NULL;
    size_t n = read_all(fd, &all);
    char *body = strstr(all, "\r\n\r\n") + 4;
    assert_null(strcasestr(all, "content-length"));
    assert_non_null(strcasestr(all, "\r\nconnection: close\r\n"));
    assert_int_equal(n - (size_t)(body - all), 10 * 100000);
    for (size_t i = 0; i < 10 * 100000; i++)
        assert_int_equal(body[i], 'a' + (int)(i / 100000));
    free(all);
    close(fd);
    app_wait_quiet(f);
}

static void who_leaves_a_stream_ends_it(void **state)
{
    struct fixture *f = *state;
    for (int reset = 0; reset < 2; reset++) {
        int fd = client(f);
        char some[3000];
        send_text(fd, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_true(receive(fd, some, sizeof some, 0) > 0);
        leave(fd, reset == 1);
        app_wait_quiet(f);
    }
}

/* --- who leaves ---------------------------------------------------------------------------------------- */

static void everybody_leaves(struct fixture *f, const char *sent, size_t body, bool reset)
{
    int fd = client(f);
    send_text(fd, sent);
    char *p = big_body(body + 1);
    send_all(fd, p, body);
    free(p);
    leave(fd, reset);
}

static void peers_vanish_at_every_stage(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *sent;
        size_t body;
    } stages[] = {
        {"", 0},
        {"GET /ec", 0},
        {"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n", 0},
        {"GET /echo HTTP/1.1\r\nHost: a\r\n\r\nGET", 0},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n", 100},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 500\r\n\r\n", 0},
        {"PUT /spool HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n", 100},
        {"PUT /spool HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n", 1000000},
        {"PUT /inline HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n", 1000000},
        {"PUT /late HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n", 1000000},
        {"PUT /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n", 1000000},
        {"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n", 0},
        {"GET /call HTTP/1.1\r\nHost: a\r\n\r\nGET /slow HTTP/1.1\r\nHost: a\r\n\r\n", 0},
        {"GET /file HTTP/1.1\r\nHost: a\r\n\r\n", 0},
        {"\x16\x03\x01\x02", 30},
    };
    for (int round = 0; round < 8; round++) {
        cold_every = round % 4 == 3 ? 1 : 0;
        /* While the worker is stuck, the exchanges it has outlive their connections. */
        app_gate(f, round % 2 == 0);
        for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++)
            everybody_leaves(f, stages[i].sent, stages[i].body, round >= 4);
        app_gate(f, true);
        app_wait_quiet(f);
    }
}

static void the_worker_hears_that_nobody_waits(void **state)
{
    struct fixture *f = *state;
    app_gate(f, false);
    int fd = client(f);
    send_text(fd, request("/slow"));
    app_wait_queued(f, 1);
    leave(fd, true);
    struct net_stats stats;
    do
        net_stats(f->net, &stats);
    while (stats.closed[CLOSE_PEER_EARLY] == 0);
    app_gate(f, true);
    app_wait_quiet(f);
    assert_int_equal(f->app.seen_gone, 1);
}

/* RFC 9112 section 9.6: who has sent all it will send may still wait for the answer. */
static void half_closed_plain_connections_get_their_answer(void **state)
{
    struct fixture *f = *state;
    app_gate(f, false);
    int fd = client(f);
    send_text(fd, request("/slow"));
    send_text(fd, request("/file"));
    shutdown(fd, SHUT_WR);
    app_wait_queued(f, 1);
    cold_every = 1;
    app_gate(f, true);
    expect_status(fd, 200);
    struct reply r = read_reply(fd, false);
    check_file(&r);
    reply_free(&r);
    expect_end(fd);
    close(fd);
}

/* While the application has a request, no more than a bounded piece of what follows is read. */
static void a_slow_application_holds_the_client_back(void **state)
{
    struct fixture *f = *state;
    app_gate(f, false);
    int fd = client(f);
    send_text(fd, request("/slow"));
    app_wait_queued(f, 1);
    auto_buf struct buf flood;
    buf_init(&flood, 1 << 20);
    while (flood.n < (1 << 20) - 100)
        assert_int_equal(buf_add_str(&flood, str_of(request("/echo"))), 0);
    size_t sent = 0;
    for (int i = 0; i < 100; i++) { /* until the socket's buffers are full */
        ssize_t put = send(fd, flood.p, flood.n, MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += put > 0 ? (size_t)put : 0;
    }
    assert_true(sent < 60u << 20);
    struct net_stats stats;
    net_stats(f->net, &stats);
    assert_true(stats.bytes_in <= 131072);
    app_gate(f, true);
    expect_status(fd, 200);
    expect_status(fd, 200);
    leave(fd, true);
    app_wait_quiet(f);
}

struct pump {
    struct fixture *f;
    atomic_bool stop;
};

static void *pump(void *arg)
{
    struct pump *p = arg;
    int fd = client(p->f);
    auto_buf struct buf text;
    buf_init(&text, 100000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(buf_add_str(&text, STR("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")), 0);
    char buf[65536];
    size_t at = 0;
    while (!atomic_load(&p->stop)) {
        ssize_t put = send(fd, text.p + at, text.n - at, MSG_DONTWAIT | MSG_NOSIGNAL);
        at = put > 0 ? (at + (size_t)put) % text.n : at;
        while (receive(fd, buf, sizeof buf, MSG_DONTWAIT) > 0) {
        }
        struct pollfd both = {.fd = fd, .events = POLLIN | POLLOUT};
        poll(&both, 1, 100);
    }
    leave(fd, true);
    return NULL;
}

static void one_that_never_rests_leaves_time_for_others(void **state)
{
    struct pump p = {.f = *state};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, pump, &p);
    int64_t worst = 0;
    for (int i = 0; i < 200; i++) {
        int64_t began = clock_mono_ms(&clock_system);
        int fd = client(p.f);
        send_text(fd, request("/echo"));
        expect_status(fd, 200);
        close(fd);
        int64_t took = clock_mono_ms(&clock_system) - began;
        worst = took > worst ? took : worst;
    }
    atomic_store(&p.stop, true);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_true(worst < 5000);
    app_wait_quiet(p.f);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(pipelines_come_in_order),
        TEST(nothing_follows_where_nothing_may),
        TEST(invites_bodies_also_impatient_ones),
        TEST(spools_on_the_worker),
        TEST(spools_at_once),
        TEST(refusals_reach_who_writes_on),
        TEST(bodies_in_memory_end_at_their_limit),
        TEST(files_from_the_page_cache),
        TEST(files_from_the_disk),
        TEST(files_partly_cold),
        TEST(a_file_that_is_too_short_cuts_the_connection),
        TEST(a_stream_goes_out_part_by_part),
        TEST(who_leaves_a_stream_ends_it),
        TEST(peers_vanish_at_every_stage),
        TEST(the_worker_hears_that_nobody_waits),
        TEST(half_closed_plain_connections_get_their_answer),
        TEST(a_slow_application_holds_the_client_back),
        TEST(one_that_never_rests_leaves_time_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
