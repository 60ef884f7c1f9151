/* Requests over real TLS: what is sent, what is read, and what is refused. */
#include "peer.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/link.h"

static struct bench b;
static struct peer p;
static struct clock_floor cf;
static struct link l;

static void start_at(int64_t from, int64_t to)
{
    char path[BENCH_PATH];
    bench_init(&b);
    peer_init(&p, &b, from, to);
    clock_floor_load(&cf, bench_path(&b, "floor", path), &clock_system);
    cf.path = b.files.floor;
    const struct link_settings set = {
        .server = p.url, .proxy = "", .policy = "balanced", .ca_file = p.roots, .floor = &cf};
    struct err e = {0};
    assert_int_equal(link_init(&l, &set, &e), 0);
}

static void start(void)
{
    start_at(-PEER_DAY, 100 * PEER_DAY);
}

static void stop(void)
{
    link_fini(&l);
    peer_fini(&p);
    bench_fini(&b);
}

struct taken {
    size_t n, most;
};

static int take(void *ctx, const void *data, size_t n)
{
    struct taken *t = ctx;
    const unsigned char *bytes = data;
    for (size_t i = 0; i < n; i++) {
        size_t at = t->n + i;
        if (t->most == 0 && bytes[i] != (unsigned char)(at * 31 + at / 977))
            fail_msg("byte %zu is wrong", at);
    }
    t->n += n;
    return t->most != 0 && t->n > t->most ? -1 : 0;
}

static int get(const char *path, struct pqota_response *r, struct taken *t)
{
    const struct pqota_request q = {.method = "GET", .path = path};
    *r = (struct pqota_response){.content_length = PQOTA_LENGTH_UNKNOWN};
    return link_request(&l, &q, r, take, t);
}

static void whole_file(void **s)
{
    struct pqota_response r;
    struct taken t = {0};
    (void)s;
    start();
    assert_int_equal(get("/file", &r, &t), PQOTA_OK);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.content_length, PEER_FILE_SIZE);
    assert_int_equal(t.n, PEER_FILE_SIZE);
    assert_string_equal(r.etag, "\"abc\"");
    assert_int_equal(r.poll_interval_s, 77);
    assert_int_equal(r.retry_after_s, 5);
    assert_null(strstr(p.s->request, "Range"));
    assert_non_null(strstr(p.s->request, "User-Agent: pqota-agent/"));
    assert_int_equal(get("/file", &r, &(struct taken){0}), PQOTA_OK);
    assert_int_equal(p.s->handshakes, 1); /* the connection is kept */
    stop();
}

static void ranges(void **s)
{
    struct taken t = {.n = 1000};
    const struct pqota_request q = {
        .method = "GET", .path = "/file", .ranged = true, .first = 1000, .last = 4999, .if_range = "\"abc\""};
    struct pqota_response r = {.content_length = PQOTA_LENGTH_UNKNOWN};
    (void)s;
    start();
    assert_int_equal(link_request(&l, &q, &r, take, &t), PQOTA_OK);
    assert_int_equal(r.status, 206);
    assert_int_equal(r.range_first, 1000);
    assert_int_equal(r.range_total, PEER_FILE_SIZE);
    assert_int_equal(t.n, 5000);
    assert_non_null(strstr(p.s->request, "\r\nRange: bytes=1000-4999"));
    assert_non_null(strstr(p.s->request, "\r\nIf-Range: \"abc\""));
    /* The next request has none of that. */
    assert_int_equal(get("/file", &r, &(struct taken){0}), PQOTA_OK);
    assert_null(strstr(p.s->request, "Range"));
    stop();
}

static void posts(void **s)
{
    const struct pqota_request q = {
        .method = "POST", .path = "/api/update/7/status", .body = "{\"a\":1}", .body_size = 7};
    struct pqota_response r = {.content_length = PQOTA_LENGTH_UNKNOWN};
    (void)s;
    start();
    p.s->status = 204;
    assert_int_equal(link_request(&l, &q, &r, take, &(struct taken){0}), PQOTA_OK);
    assert_int_equal(r.status, 204);
    assert_memory_equal(p.s->request, "POST /api/update/7/status HTTP/1.1", 34);
    assert_non_null(strstr(p.s->request, "Content-Type: application/json"));
    assert_null(strstr(p.s->request, "Expect"));
    assert_int_equal(get("/file", &r, &(struct taken){0}), PQOTA_OK); /* and then a GET again */
    stop();
}

static void a_cut_body_is_a_failure(void **s)
{
    struct pqota_response r;
    struct taken t = {0};
    (void)s;
    start();
    p.s->body_cut = 50000;
    assert_int_equal(get("/file", &r, &t), PQOTA_E_AGAIN);
    assert_int_equal(r.status, 200);
    assert_int_equal(t.n, 50000); /* what came is kept: the next request continues there */
    stop();
}

static void the_sink_may_stop(void **s)
{
    struct pqota_response r;
    struct taken t = {.most = 1000};
    (void)s;
    start();
    assert_int_equal(get("/file", &r, &t), PQOTA_E_AGAIN);
    assert_int_equal(r.status, 200);
    assert_true(t.n < PEER_FILE_SIZE);
    stop();
}

static void redirects_are_not_followed(void **s)
{
    struct pqota_response r;
    (void)s;
    start();
    assert_int_equal(get("/moved", &r, &(struct taken){0}), PQOTA_OK);
    assert_int_equal(r.status, 302);
    stop();
}

static bool now_stop(void *ctx)
{
    int *asked = ctx;
    return ++*asked > 3;
}

static void a_signal_ends_a_stall(void **s)
{
    struct pqota_response r;
    int asked = 0;
    (void)s;
    start();
    l.set.stop = now_stop;
    l.set.stop_ctx = &asked;
    int64_t begun = clock_mono_ms(&clock_system);
    assert_int_equal(get("/stall", &r, &(struct taken){0}), PQOTA_E_AGAIN);
    assert_true(clock_mono_ms(&clock_system) - begun < 20000);
    stop();
}

static int call(char text[ERR_TEXT_MAX])
{
    struct err e = {0};
    int status = 0;
    auto_buf struct buf reply;
    buf_init(&reply, LINK_REPLY_MAX);
    int rc = link_call(&l, "GET", "/api/firmware/latest", NULL, &status, &reply, &e);
    snprintf(text, ERR_TEXT_MAX, "%s", e.text);
    return rc;
}

static void refused(const char *what)
{
    char text[ERR_TEXT_MAX];
    if (call(text) == 0)
        fail_msg("accepted: %s", what);
    assert_int_equal(p.s->requests, 0); /* nothing was said to it */
    assert_true(strlen(text) > 20);
}

static void untrusted_servers_are_refused(void **s)
{
    char text[ERR_TEXT_MAX], url[64];
    struct err e = {0};
    (void)s;
    start();
    l.set.ca_file = p.other_roots;
    assert_int_equal(link_renew(&l, &e), 0);
    refused("another authority");
    l.set.ca_file = p.roots;
    snprintf(url, sizeof url, "https://127.0.0.2:%d", p.port);
    l.set.server = url; /* the same server, under a name its certificate does not have */
    assert_int_equal(link_renew(&l, &e), 0);
    refused("another name");
    l.set.server = p.url;
    assert_int_equal(link_renew(&l, &e), 0);
    assert_int_equal(call(text), 0);
    stop();
}

static void expired_server(void **s)
{
    (void)s;
    start_at(-100 * PEER_DAY, 3);
    sleep(4); /* the certificate ends while the server runs */
    refused("an expired certificate");
    stop();
}

/* A board whose clock is behind: its floor is later than its clock, so "not yet valid" says nothing. */
static void not_yet_valid_counts_only_with_a_clock(void **s)
{
    char text[ERR_TEXT_MAX];
    struct err e = {0};
    (void)s;
    start_at(10 * PEER_DAY, 100 * PEER_DAY);
    refused("a certificate of the future");
    cf.floor = (int64_t)time(NULL) + PEER_DAY; /* the clock is behind the floor */
    assert_int_equal(link_renew(&l, &e), 0);
    if (call(text) != 0)
        fail_msg("%s", text);
    cf.floor = (int64_t)time(NULL) + 200 * PEER_DAY; /* by the floor it has expired */
    assert_int_equal(link_renew(&l, &e), 0);
    assert_int_equal(call(text) == 0, 0);
    stop();
}

/* Proxies are used: the request for a tunnel arrives there. */
static void a_proxy_is_asked(void **s)
{
    char text[ERR_TEXT_MAX], proxy[64], got[256] = "", expected[128];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof at;
    struct err e = {0};
    (void)s;
    for (int by_environment = 0; by_environment < 2; by_environment++) {
        start();
        int ends[2], listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        at.sin_port = 0;
        assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
        assert_int_equal(listen(listener, 1), 0);
        assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &n), 0);
        assert_int_equal(pipe(ends), 0);
        pid_t pid = fork();
        if (pid == 0) {
            int fd = accept(listener, NULL, NULL);
            ssize_t have = read(fd, got, sizeof got - 1);
            if (have > 0 && write(ends[1], got, (size_t)have) == have &&
                write(fd, "HTTP/1.1 403 No\r\n\r\n", 19) == 19)
                _exit(0);
            _exit(1);
        }
        snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", ntohs(at.sin_port));
        if (by_environment) {
            setenv("https_proxy", proxy, 1);
        } else {
            l.set.proxy = proxy;
            assert_int_equal(link_renew(&l, &e), 0);
        }
        assert_true(call(text) != 0);
        unsetenv("https_proxy");
        assert_true(read(ends[0], got, sizeof got - 1) > 0);
        snprintf(expected, sizeof expected, "CONNECT localhost:%d HTTP/1.1", p.port);
        assert_memory_equal(got, expected, strlen(expected));
        close(ends[0]), close(ends[1]), close(listener);
        stop();
    }
}

static void problems_are_for_people(void **s)
{
    struct buf reply;
    char out[200];
    (void)s;
    buf_init(&reply, 1000);
    link_problem(502, &reply, out, sizeof out);
    assert_string_equal(out, "502 ");
    assert_int_equal(buf_printf(&reply, "{\"title\":\"Unauthorized\",\"detail\":\"the token is bad\"}"), 0);
    link_problem(401, &reply, out, sizeof out);
    assert_string_equal(out, "401 Unauthorized: the token is bad");
    buf_clear(&reply);
    assert_int_equal(buf_printf(&reply, "<html>"), 0);
    link_problem(500, &reply, out, sizeof out);
    assert_string_equal(out, "500 ");
    buf_fini(&reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_file),
        cmocka_unit_test(ranges),
        cmocka_unit_test(posts),
        cmocka_unit_test(a_cut_body_is_a_failure),
        cmocka_unit_test(the_sink_may_stop),
        cmocka_unit_test(redirects_are_not_followed),
        cmocka_unit_test(a_signal_ends_a_stall),
        cmocka_unit_test(untrusted_servers_are_refused),
        cmocka_unit_test(expired_server),
        cmocka_unit_test(not_yet_valid_counts_only_with_a_clock),
        cmocka_unit_test(a_proxy_is_asked),
        cmocka_unit_test(problems_are_for_people),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
