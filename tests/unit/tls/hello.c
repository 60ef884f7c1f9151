/* What a first message tells before anything is computed for it. */
#include "tls/hello.h"

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls/records.h"
#include "tls_test.h"

static bool resumes(const unsigned char *record, size_t n, struct tls_sessions *sessions)
{
    struct tls_offer offer;
    unsigned index;
    return tls_offer_read(record, n, &offer) && tls_offer_session(&offer, sessions, &index) != NULL;
}

struct rig {
    struct tls_sessions *sessions;
    struct tls_ctx *server, *client;
};

static void rig_make(struct rig *r)
{
    struct err e;
    assert_int_equal(tls_sessions_new(10, 60, &r->sessions, &e), 0);
    struct tls_config sc = server_config(), cc = client_config();
    sc.sessions = r->sessions;
    sc.read_ahead = true;
    cc.remember = true;
    r->server = make_ctx(&sc);
    r->client = make_ctx(&cc);
}

static void rig_free(struct rig *r)
{
    tls_ctx_free(r->server);
    tls_ctx_free(r->client);
    tls_sessions_free(r->sessions);
}

/* A whole visit, after which the client has a session to offer. */
static void visit(struct rig *r)
{
    struct pair p;
    pair_open(&p, r->server, r->client, "localhost");
    pair_talk(&p);
    assert_shaken(&p);
    pair_close(&p);
}

/* The client's first message, and both ends of the socket it went through. */
static size_t first_message(struct rig *r, int fd[2], struct tls_conn **client, unsigned char *out,
                            size_t size)
{
    struct err e;
    socket_pair(fd);
    assert_int_equal(tls_conn_new(r->client, fd[1], "localhost", client, &e), 0);
    assert_int_equal(tls_handshake(*client, &e), TLS_WANT_READ);
    ssize_t n = recv(fd[0], out, size, MSG_PEEK);
    assert_in_range(n, 500, 2000);
    return (size_t)n;
}

static void part(int fd[2], struct tls_conn *client)
{
    tls_conn_free(client);
    close(fd[0]);
    close(fd[1]);
}

static void a_known_session_is_seen(void **state)
{
    (void)state;
    struct rig r;
    unsigned char hello[2000];
    int fd[2];
    struct tls_conn *client;
    rig_make(&r);
    size_t n = first_message(&r, fd, &client, hello, sizeof hello);
    assert_false(resumes(hello, n, r.sessions)); /* it offers none */
    part(fd, client);
    visit(&r);
    n = first_message(&r, fd, &client, hello, sizeof hello);
    assert_true(resumes(hello, n, r.sessions));
    assert_false(resumes(hello, n, NULL));
    /* Cut anywhere it offers nothing; with a bit turned it never offers another session that is there. */
    for (size_t cut = 0; cut < n; cut++) {
        unsigned char *exact = malloc(cut + 1);
        assert_non_null(exact);
        memcpy(exact, hello, cut);
        (void)resumes(exact, cut, r.sessions); /* no byte beyond is read: the sanitizer sees to it */
        free(exact);
    }
    assert_false(resumes(hello, n / 2, r.sessions));
    for (size_t bit = 0; bit < 8 * n; bit++) {
        hello[bit / 8] ^= (unsigned char)(1U << bit % 8);
        (void)resumes(hello, n, r.sessions);
        hello[bit / 8] ^= (unsigned char)(1U << bit % 8);
    }
    struct tls_sessions *others;
    struct err e;
    assert_int_equal(tls_sessions_new(10, 60, &others, &e), 0);
    assert_false(resumes(hello, n, others));
    tls_sessions_free(others);
    part(fd, client);
    rig_free(&r);
}

static void what_a_connection_says_of_it(void **state)
{
    (void)state;
    struct rig r;
    unsigned char hello[2000];
    int from[2], fd[2];
    struct tls_conn *client, *server;
    struct err e;
    rig_make(&r);
    for (int again = 0; again < 2; again++) {
        size_t n = first_message(&r, from, &client, hello, sizeof hello);
        socket_pair(fd);
        assert_int_equal(tls_conn_new(r.server, fd[0], NULL, &server, &e), 0);
        assert_int_equal(tls_peek_hello(server), TLS_HELLO_WAIT);
        for (size_t i = 0; i + 1 < n; i++) {
            assert_int_equal(write(fd[1], hello + i, 1), 1);
            assert_int_equal(tls_peek_hello(server), TLS_HELLO_WAIT);
        }
        assert_int_equal(write(fd[1], hello + n - 1, 1), 1);
        assert_int_equal(tls_peek_hello(server), again ? TLS_HELLO_RESUMES : TLS_HELLO_FULL);
        /* Looking took nothing away. */
        assert_int_equal(tls_handshake(server, &e), TLS_WANT_READ);
        unsigned char first = 0;
        assert_int_equal(recv(fd[1], &first, 1, 0), 1);
        assert_int_equal(first, TLS_HANDSHAKE);
        part(fd, server);
        part(from, client);
        visit(&r);
    }
    rig_free(&r);
}

static void what_is_no_hello(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        enum tls_hello then;
    } cases[] = {
        {"GET / HTTP/1.1\r\n", 16, TLS_HELLO_FULL}, {"\x16", 1, TLS_HELLO_WAIT},
        {"\x16\3\1\xff\xff", 5, TLS_HELLO_FULL}, /* longer than a record may be */
        {"\x16\3\1\0\0", 5, TLS_HELLO_FULL},        {"\x15\3\1\0\2\2\x50", 7, TLS_HELLO_FULL},
    };
    struct rig r;
    rig_make(&r);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fd[2];
        struct tls_conn *server;
        struct err e;
        socket_pair(fd);
        assert_int_equal(tls_conn_new(r.server, fd[0], NULL, &server, &e), 0);
        assert_int_equal(write(fd[1], cases[i].bytes, cases[i].n), (ssize_t)cases[i].n);
        assert_int_equal(tls_peek_hello(server), cases[i].then);
        if (i == 0)
            assert_int_equal(tls_handshake(server, &e), TLS_FAILED); /* which says why */
        shutdown(fd[1], SHUT_WR);
        assert_int_equal(tls_peek_hello(server), TLS_HELLO_GONE);
        part(fd, server);
    }
    rig_free(&r);
}

static void who_is_turned_away_is_told(void **state)
{
    (void)state;
    struct rig r;
    unsigned char hello[2000];
    int fd[2];
    struct tls_conn *client, *server;
    struct err e;
    rig_make(&r);
    (void)first_message(&r, fd, &client, hello, sizeof hello);
    assert_int_equal(tls_conn_new(r.server, fd[0], NULL, &server, &e), 0);
    assert_int_equal(tls_peek_hello(server), TLS_HELLO_FULL);
    tls_turn_away(server);
    assert_int_equal(tls_handshake(server, &e), TLS_FAILED);
    assert_int_equal(tls_handshake(client, &e), TLS_FAILED);
    assert_says(e.text, "too busy");
    tls_conn_free(server);
    part(fd, client);
    rig_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_session_is_seen),
        cmocka_unit_test(what_a_connection_says_of_it),
        cmocka_unit_test(what_is_no_hello),
        cmocka_unit_test(who_is_turned_away_is_told),
    };
    return cmocka_run_group_tests(tests, fixture_group_start, fixture_group_stop);
}
