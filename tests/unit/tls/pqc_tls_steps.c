/* The calls of the public interface that do not wait, from the shared library. */
#include "pqc_tls.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pqc_tls_fixture.h"

/* One step of each side until both are done. */
static void shake(pqc_tls_conn_t a, pqc_tls_conn_t b)
{
    int ra = PQC_TLS_WANT_READ, rb = PQC_TLS_WANT_READ;
    for (int i = 0; i < 20 && (ra != 0 || rb != 0); i++) {
        ra = ra != 0 ? pqc_tls_handshake(a) : 0;
        must(ra != -1);
        rb = rb != 0 ? pqc_tls_handshake(b) : 0;
        must(rb != -1);
    }
    assert_int_equal(ra, 0);
    assert_int_equal(rb, 0);
}

static void steps_without_waiting(void **state)
{
    (void)state;
    pqc_tls_ctx_t server = server_ctx("mlkem768", NULL), ctx = client_ctx("mlkem768", NULL);
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    pqc_tls_conn_t client = pqc_tls_begin(ctx, fd[0], "localhost"), conn = pqc_tls_begin(server, fd[1], NULL);
    must(client != NULL && conn != NULL);
    char buf[4096];
    assert_int_equal(pqc_tls_handshake(conn), PQC_TLS_WANT_READ);
    assert_int_equal(pqc_tls_try_read(conn, buf, 10), -1); /* not before the handshake */
    shake(client, conn);
    assert_true(strlen(pqc_tls_peer_serial(conn)) > 0 && strlen(pqc_tls_peer_issuer(conn)) == 64);
    assert_true(pqc_tls_peer_not_after(conn) > time(NULL));

    assert_int_equal(pqc_tls_try_read(conn, buf, 10), PQC_TLS_WANT_READ);
    assert_int_equal(pqc_tls_try_write(client, "hello, world", 12), 12);
    assert_int_equal(pqc_tls_pending(conn), 0);
    assert_int_equal(pqc_tls_try_read(conn, buf, 5), 5);
    assert_int_equal(pqc_tls_pending(conn), 7);
    assert_int_equal(pqc_tls_try_read(conn, buf + 5, 100), 7);
    assert_memory_equal(buf, "hello, world", 12);

    memset(buf, 'x', sizeof buf);
    long sent = 0, got = 0;
    int n;
    while ((n = pqc_tls_try_write(client, buf, sizeof buf)) > 0)
        sent += n;
    assert_int_equal(n, PQC_TLS_WANT_WRITE);
    while ((n = pqc_tls_try_read(conn, buf, sizeof buf)) > 0)
        got += n;
    assert_int_equal(n, PQC_TLS_WANT_READ);
    memset(buf, 'x', sizeof buf);
    sent += pqc_tls_try_write(client, buf, sizeof buf); /* the same bytes again */
    assert_int_equal(pqc_tls_try_shutdown(client), 0);
    assert_int_equal(pqc_tls_try_shutdown(client), 0);
    assert_int_equal(pqc_tls_try_write(client, buf, 1), -1);
    assert_error_says("goodbye");
    while ((n = pqc_tls_try_read(conn, buf, sizeof buf)) > 0)
        got += n;
    assert_int_equal(n, 0);
    assert_int_equal(got, sent);
    assert_int_equal(pqc_tls_try_write(conn, "late", 4), 4); /* the other direction is open */
    assert_int_equal(pqc_tls_try_read(client, buf, 10), 4);
    pqc_tls_free_conn(conn);
    pqc_tls_close(client);
    pqc_tls_free_conn(NULL);
    close(fd[0]);
    close(fd[1]);
    pqc_tls_free_ctx(server);
    pqc_tls_free_ctx(ctx);
}

/* Connected, and filled by the client until the socket takes no more: then part of a record is out. */
struct filled {
    pqc_tls_ctx_t server_ctx, client_ctx;
    pqc_tls_conn_t server, client;
    int fd[2];
    char buf[4096];
    long sent;
};

static void filled_start(struct filled *f)
{
    f->server_ctx = server_ctx("mlkem768", NULL);
    f->client_ctx = client_ctx("mlkem768", NULL);
    must(pqc_tls_set_timeout(f->client_ctx, 5000, 5000) == 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, f->fd), 0);
    must((f->client = pqc_tls_begin(f->client_ctx, f->fd[0], "localhost")) != NULL);
    must((f->server = pqc_tls_begin(f->server_ctx, f->fd[1], NULL)) != NULL);
    shake(f->client, f->server);
    memset(f->buf, 'x', sizeof f->buf);
    f->sent = 0;
    int n;
    while ((n = pqc_tls_try_write(f->client, f->buf, sizeof f->buf)) > 0)
        f->sent += n;
    assert_int_equal(n, PQC_TLS_WANT_WRITE);
}

/* What the server reads to the end is as long as what was sent; the last answer. */
static int drain(struct filled *f)
{
    char in[4096];
    int n;
    while ((n = pqc_tls_try_read(f->server, in, sizeof in)) > 0)
        f->sent -= n;
    assert_int_equal(f->sent, 0);
    return n;
}

static void filled_stop(struct filled *f)
{
    pqc_tls_free_conn(f->server);
    close(f->fd[0]);
    close(f->fd[1]);
    pqc_tls_free_ctx(f->server_ctx);
    pqc_tls_free_ctx(f->client_ctx);
}

/* The goodbye would stand in the middle of the record, or, to OpenSSL, never have its turn. */
static void no_goodbye_after_half_a_record(void **state)
{
    (void)state;
    struct filled f;
    filled_start(&f);
    assert_int_equal(pqc_tls_try_shutdown(f.client), -1);
    assert_error_says("same bytes");
    assert_int_equal(drain(&f), PQC_TLS_WANT_READ);
    assert_int_equal(pqc_tls_try_shutdown(f.client), -1);
    f.sent = pqc_tls_try_write(f.client, f.buf, sizeof f.buf);
    assert_int_equal(f.sent, sizeof f.buf); /* it did no harm */
    assert_int_equal(pqc_tls_try_shutdown(f.client), 0);
    assert_int_equal(drain(&f), 0);
    pqc_tls_close(f.client);
    filled_stop(&f);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Closing neither waits for the deadline nor turns in circles until then. */
static void closing_after_half_a_record_is_a_cut(void **state)
{
    (void)state;
    struct filled f;
    filled_start(&f);
    assert_int_equal(drain(&f), PQC_TLS_WANT_READ); /* there is room again */
    double begin = seconds();
    pqc_tls_close(f.client);
    assert_true(seconds() - begin < 2.5);
    shutdown(f.fd[0], SHUT_RDWR);
    assert_int_equal(drain(&f), -1);
    filled_stop(&f);
}

int main(void)
{
    signal(SIGPIPE, SIG_DFL); /* the library may raise none, so it is not ignored here */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_without_waiting),
        cmocka_unit_test(no_goodbye_after_half_a_record),
        cmocka_unit_test(closing_after_half_a_record_is_a_cut),
    };
    return cmocka_run_group_tests(tests, fixture_group_start, fixture_group_stop);
}
