/* The net as a whole: listeners, limits, deadlines, draining, stopping. */
#include "app.h"
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ECHO "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"
#define SLOW "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"

static int64_t now(void)
{
    return clock_mono_ms(&clock_system);
}

/* --- deadlines ---------------------------------------------------------------------------------------- */

static void each_wait_has_its_deadline(void **state)
{
    (void)state;
    static const struct {
        const char *sent;
        int status;
        enum close_reason reason;
    } waits[] = {
        {"", 0, CLOSE_IDLE},
        {ECHO, 200, CLOSE_IDLE},
        {"GET /echo HT", 408, CLOSE_HEADER_SLOW},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nabc", 408, CLOSE_BODY_SLOW},
        {"PUT /spool HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nabc", 408, CLOSE_BODY_SLOW},
    };
    struct net_limits limits = ample_limits;
    limits.idle_ms = limits.header_ms = limits.body_ms = 300;
    struct fixture *f = app_start(&limits, 1);
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        struct net_stats before, after;
        net_stats(f->net, &before);
        int fd = client(f);
        int64_t began = now();
        send_text(fd, waits[i].sent);
        if (waits[i].status != 0)
            expect_status(fd, waits[i].status);
        expect_end(fd);
        assert_true(now() - began >= 250);
        close(fd);
        app_wait_quiet(f);
        net_stats(f->net, &after);
        assert_int_equal(after.closed[waits[i].reason], before.closed[waits[i].reason] + 1);
    }
    app_stop(f);
}

static void a_body_that_flows_may_take_long(void **state)
{
    (void)state;
    struct net_limits limits = ample_limits;
    limits.body_ms = 300;
    limits.bytes_per_second = 1000;
    struct fixture *f = app_start(&limits, 1);
    int fd = client(f);
    send_text(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n");
    char piece[500] = {0};
    const struct timespec t = {.tv_nsec = 100000000};
    for (int i = 0; i < 20; i++) { /* 5000 bytes a second for two seconds */
        send_all(fd, piece, sizeof piece);
        nanosleep(&t, NULL);
    }
    expect_status(fd, 200);
    close(fd);
    app_stop(f);
}

static void who_does_not_read_is_cut_off(void **state)
{
    (void)state;
    struct net_limits limits = ample_limits;
    limits.write_ms = 300;
    limits.bytes_per_second = 100000;
    struct fixture *f = app_start(&limits, 1);
    for (int cold = 0; cold < 2; cold++) {
        cold_every = cold;
        int fd = client(f);
        for (int i = 0; i < 20; i++) /* more than the sockets' buffers hold */
            send_text(fd, "GET /file HTTP/1.1\r\nHost: a\r\n\r\n");
        char byte;
        assert_int_equal(receive(fd, &byte, 1, MSG_PEEK), 1);
        app_wait_quiet(f);
        struct net_stats stats;
        net_stats(f->net, &stats);
        assert_int_equal(stats.closed[CLOSE_WRITE_SLOW], cold + 1);
        close(fd);
    }
    cold_every = 0;
    app_stop(f);
}

/* --- ends ---------------------------------------------------------------------------------------------- */

static void the_last_reply_arrives_before_the_end(void **state)
{
    (void)state;
    struct net_limits limits = ample_limits;
    limits.requests_per_connection = 3;
    struct fixture *f = app_start(&limits, 1);
    int fd = client(f);
    char *all = calloc(20000, sizeof ECHO);
    size_t n = 0;
    for (int i = 0; i < 20000; i++, n += sizeof ECHO - 1)
        memcpy(all + n, ECHO, sizeof ECHO);
    send_all(fd, all, n);
    free(all);
    for (int i = 0; i < 3; i++) {
        struct reply r = read_reply(fd, false);
        assert_int_equal(r.status, 200);
        assert_int_equal(r.close, i == 2);
        reply_free(&r);
    }
    expect_end(fd);
    close(fd);
    app_wait_quiet(f);
    app_stop(f);
}

static void draining_finishes_what_is_under_way(void **state)
{
    (void)state;
    struct fixture *f = app_start(&ample_limits, 2);
    app_gate(f, false);
    int idle = client(f), fresh = client(f), busy = client(f), half = client(f);
    send_text(idle, ECHO);
    expect_status(idle, 200);
    send_text(half, "GET /echo HTTP");
    send_text(busy, SLOW);
    app_wait_queued(f, 1);
    app_wait_read(f, strlen(ECHO) + strlen("GET /echo HTTP") + strlen(SLOW)); /* by two loops */
    net_drain(f->net);
    expect_end(idle);
    expect_end(fresh);
    send_text(half, "/1.1\r\nHost: a\r\n\r\n");
    struct reply r = read_reply(half, false);
    assert_true(r.status == 200 && r.close);
    reply_free(&r);
    app_gate(f, true);
    r = read_reply(busy, false);
    assert_true(r.status == 200 && r.close);
    reply_free(&r);
    expect_end(busy);
    app_wait_quiet(f);
    /* A loop that had nobody may not have heard of it yet. */
    for (int taken = 0; taken == 0;) {
        int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(late >= 0);
        taken = connect(late, (const struct sockaddr *)&f->to, sizeof f->to);
        close(late);
    }
    close(idle), close(fresh), close(busy), close(half);
    app_stop(f);
}

static void *stop(void *arg)
{
    net_stop(arg);
    return NULL;
}

/* What the application has comes back first, and is nobody's then. */
static void stopping_waits_for_what_is_out(void **state)
{
    (void)state;
    struct fixture *f = app_start(&ample_limits, 2);
    cold_every = 1;
    app_gate(f, false);
    static const char *const requests[] = {SLOW, "GET /call HTTP/1.1\r\nHost: a\r\n\r\n",
                                           "GET /file HTTP/1.1\r\nHost: a\r\n\r\n",
                                           "PUT /spool HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n",
                                           "PUT /late HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n"};
    enum { KINDS = sizeof requests / sizeof requests[0] };
    char *body = calloc(1, 300000);
    int fds[KINDS * 3];
    for (int i = 0; i < KINDS * 3; i++) {
        fds[i] = client(f);
        send_text(fds[i], requests[i % KINDS]);
        if (i % KINDS >= 3)
            send_all(fds[i], body, 300000);
    }
    free(body);
    app_wait_queued(f, KINDS * 3);
    pthread_t stopper;
    pthread_create(&stopper, NULL, stop, f->net);
    struct net_stats stats;
    do
        net_stats(f->net, &stats);
    while (stats.closed[CLOSE_DRAIN] < KINDS * 3);
    app_gate(f, true);
    pthread_join(stopper, NULL);
    for (int i = 0; i < KINDS * 3; i++)
        close(fds[i]);
    cold_every = 0;
    app_stop(f);
}

/* The last message a loop waits for must not find it gone: many short lives. */
static void many_short_lives(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++) {
        struct fixture *f = app_start(&ample_limits, 2);
        int fds[4];
        for (int k = 0; k < 4; k++) {
            fds[k] = client(f);
            send_text(fds[k], k % 2 == 0 ? SLOW : "GET /call HTTP/1.1\r\nHost: a\r\n\r\n");
        }
        app_stop(f);
        for (int k = 0; k < 4; k++)
            close(fds[k]);
    }
}

/* --- limits ------------------------------------------------------------------------------------------- */

static void connections_are_limited(void **state)
{
    (void)state;
    struct net_limits limits = ample_limits;
    limits.connections = 3;
    struct fixture *f = app_start(&limits, 2);
    int held[3];
    for (int i = 0; i < 3; i++) {
        held[i] = client(f);
        send_text(held[i], ECHO);
        expect_status(held[i], 200);
    }
    int fd = client(f);
    expect_end(fd);
    close(fd);
    struct net_stats stats;
    net_stats(f->net, &stats);
    assert_int_equal(stats.refused_limit, 1);
    assert_int_equal(stats.open, 3);
    limits.connections = 4;
    net_set_limits(f->net, &limits);
    for (int status = 0; status == 0;) { /* the loops are told in their own time */
        fd = client(f);
        char byte;
        send(fd, ECHO, sizeof ECHO - 1, MSG_NOSIGNAL);
        if (receive(fd, &byte, 1, MSG_PEEK) == 1) {
            struct reply r = read_reply(fd, false);
            status = r.status;
            assert_int_equal(status, 200);
            reply_free(&r);
        }
        close(fd);
    }
    for (int i = 0; i < 3; i++)
        close(held[i]);
    app_wait_quiet(f);
    app_stop(f);
}

/* Out of descriptors, accepting pauses, nobody is dropped, and it goes on by itself. */
static void without_descriptors_it_waits(void **state)
{
    (void)state;
    struct fixture *f = app_start(&ample_limits, 1);
    int served = client(f);
    send_text(served, ECHO);
    expect_status(served, 200);
    int waiting = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval wait = {.tv_sec = 20};
    setsockopt(waiting, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    struct rlimit old, low;
    getrlimit(RLIMIT_NOFILE, &old);
    low = old;
    low.rlim_cur = (rlim_t)waiting + 1;
    setrlimit(RLIMIT_NOFILE, &low);
    while (connect(waiting, (const struct sockaddr *)&f->to, sizeof f->to) != 0 && errno != EISCONN)
        assert_true(errno == EINTR || errno == EALREADY);
    send_text(waiting, ECHO);
    struct net_stats stats;
    do
        net_stats(f->net, &stats);
    while (stats.accept_failed == 0);
    send_text(served, ECHO);
    expect_status(served, 200);
    setrlimit(RLIMIT_NOFILE, &old);
    expect_status(waiting, 200);
    net_stats(f->net, &stats);
    assert_true(stats.accept_failed < 50); /* it did not spin */
    close(waiting);
    close(served);
    app_stop(f);
}

/* --- listeners ---------------------------------------------------------------------------------------- */

static int try(const struct net_listen *listen, struct net **out, struct err *e)
{
    static const struct net_app nobody = {.arena_max = 65536};
    const struct net_config config = {.loops = 2,
                                      .listens = listen,
                                      .listen_count = 1,
                                      .limits = ample_limits,
                                      .app = &nobody,
                                      .clock = &clock_system};
    return net_new(&config, out, e);
}

static void a_taken_port_is_an_error_also_among_ourselves(void **state)
{
    (void)state;
    struct fixture *f = app_start(&ample_limits, 2);
    struct net *second = NULL;
    struct err e = {0};
    const struct net_listen same = {.kind = NET_PLAIN, .name = "plain", .address = f->address};
    assert_true(try(&same, &second, &e) < 0);
    assert_non_null(strstr(e.text, f->address));
    assert_null(second);
    app_stop(f);
}

static void bad_addresses_are_said(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      ":",
                                      "127.0.0.1",
                                      "127.0.0.1:",
                                      "127.0.0.1:http",
                                      "localhost:80",
                                      "[::1:80",
                                      "127.0.0.1:999999",
                                      "[]:1",
                                      "300.0.0.1:80"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct net *net = NULL;
        struct err e = {0};
        const struct net_listen listen = {.kind = NET_PLAIN, .name = "plain", .address = bad[i]};
        if (try(&listen, &net, &e) == 0)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_null(net);
        assert_true(e.code < 0 && e.text[0] != '\0');
    }
}

static bool there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static void unix_sockets_come_and_go(void **state)
{
    (void)state;
    char dir[] = "/tmp/test-net-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/sock", dir);
    const struct net_listen listen = {.kind = NET_UNIX, .name = "unix", .address = path, .mode = 0600};
    struct net *net = NULL, *second = NULL;
    struct err e = {0};
    assert_int_equal(try(&listen, &net, &e), 0);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(try(&listen, &second, &e), ERR_CONFLICT);
    net_free(net);
    assert_false(there(path));
    /* One that was left behind by a server that was killed is replaced. */
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    memcpy(sun.sun_path, path, strlen(path) + 1);
    int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(dead, (struct sockaddr *)&sun, sizeof sun), 0);
    close(dead);
    assert_int_equal(try(&listen, &net, &e), 0);
    /* Another's in its place is left alone. */
    unlink(path);
    assert_int_equal(try(&listen, &second, &e), 0);
    net_free(net);
    assert_true(there(path));
    net_free(second);
    assert_false(there(path));
    /* What is no socket is not touched. */
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_true(try(&listen, &net, &e) < 0);
    assert_true(there(path));
    unlink(path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_wait_has_its_deadline),
        cmocka_unit_test(a_body_that_flows_may_take_long),
        cmocka_unit_test(who_does_not_read_is_cut_off),
        cmocka_unit_test(the_last_reply_arrives_before_the_end),
        cmocka_unit_test(draining_finishes_what_is_under_way),
        cmocka_unit_test(stopping_waits_for_what_is_out),
        cmocka_unit_test(many_short_lives),
        cmocka_unit_test(connections_are_limited),
        cmocka_unit_test(without_descriptors_it_waits),
        cmocka_unit_test(a_taken_port_is_an_error_also_among_ourselves),
        cmocka_unit_test(bad_addresses_are_said),
        cmocka_unit_test(unix_sockets_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
