/* The public interface, as somebody else's program uses it: from the shared library, with foreign peers
   too. */
#include "pqc_tls.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pqc_tls_fixture.h"

/* A client in a thread of its own. */
struct client {
    pthread_t thread;
    pqc_tls_ctx_t ctx;
    int fd;
    const char *host;
    bool connected, resumed;
    int echoed; /* bytes that came back right */
    char group[64], error[512], cn[128], fingerprint[80];
};

static void *run_client(void *arg)
{
    struct client *c = arg;
    static const char text[] = "hello, server";
    char back[64];
    pqc_tls_conn_t conn = pqc_tls_connect(c->ctx, c->fd, c->host);
    c->connected = conn != NULL;
    if (conn != NULL && pqc_tls_write(conn, text, sizeof text) == sizeof text) {
        int n;
        while (c->echoed < (int)sizeof text && (n = pqc_tls_read(conn, back, (int)sizeof back)) > 0 &&
               memcmp(back, text + c->echoed, (size_t)n) == 0)
            c->echoed += n;
    }
    if (conn != NULL) {
        snprintf(c->group, sizeof c->group, "%s", pqc_tls_group(conn));
        snprintf(c->cn, sizeof c->cn, "%s", pqc_tls_peer_common_name(conn));
        snprintf(c->fingerprint, sizeof c->fingerprint, "%s", pqc_tls_peer_fingerprint(conn));
        c->resumed = pqc_tls_resumed(conn);
    }
    snprintf(c->error, sizeof c->error, "%s", pqc_tls_error());
    pqc_tls_close(conn);
    shutdown(c->fd, SHUT_WR);
    return NULL;
}

static void start_client(struct client *c, pqc_tls_ctx_t ctx, int fd, const char *host)
{
    *c = (struct client){.ctx = ctx, .fd = fd, .host = host};
    assert_int_equal(pthread_create(&c->thread, NULL, run_client, c), 0);
}

static void echo(pqc_tls_conn_t conn)
{
    char buf[64];
    int n = pqc_tls_read(conn, buf, sizeof buf);
    must(n > 0);
    must(pqc_tls_write(conn, buf, n) == n);
    assert_int_equal(pqc_tls_read(conn, buf, sizeof buf), 0); /* the client said goodbye */
}

static void the_documents_calls_work(void **state)
{
    (void)state;
    for (int blocking = 0; blocking < 2; blocking++) {
        pqc_tls_ctx_t server = server_ctx("mlkem768", "dilithium3"),
                      ctx = client_ctx("MLKEM768", "Dilithium3");
        for (int round = 0; round < 2; round++) {
            int fd[2];
            assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | (blocking ? 0 : SOCK_NONBLOCK), 0, fd), 0);
            struct client c;
            start_client(&c, ctx, fd[1], "localhost");
            pqc_tls_conn_t conn = pqc_tls_accept(server, fd[0]);
            must(conn != NULL);
            echo(conn);
            assert_string_equal(pqc_tls_group(conn), "MLKEM768");
            assert_string_equal(pqc_tls_signature(conn), "mldsa65");
            assert_string_equal(pqc_tls_cipher(conn), "TLS_AES_256_GCM_SHA384");
            assert_string_equal(pqc_tls_peer_common_name(conn), "dev-1");
            assert_string_equal(pqc_tls_peer_san(conn), "dev-1.example");
            assert_int_equal(strlen(pqc_tls_peer_fingerprint(conn)), 64);
            assert_int_equal(pqc_tls_resumed(conn), round == 1);
            pqc_tls_close(conn);
            pthread_join(c.thread, NULL);
            assert_true(c.connected);
            assert_int_equal(c.echoed, 14);
            assert_string_equal(c.group, "MLKEM768");
            assert_string_equal(c.cn, "server");
            assert_int_equal(c.resumed, round == 1);
            assert_int_equal((fcntl(fd[0], F_GETFL) & O_NONBLOCK) != 0,
                             !blocking); /* still open, flags as they were */
            close(fd[0]);
            close(fd[1]);
        }
        pqc_tls_free_ctx(server);
        pqc_tls_free_ctx(ctx);
    }
}

static void policies_by_name(void **state)
{
    (void)state;
    pqc_tls_free_ctx(server_ctx(NULL, NULL));
    pqc_tls_free_ctx(server_ctx("Balanced", NULL));
    assert_null(pqc_tls_create_server_ctx(server_id->cert_file, server_id->key_file, device_ca->cert_file,
                                          "cnsa2", NULL, true));
    assert_error_says("mldsa87 was asked for");
    assert_null(pqc_tls_create_server_ctx(server_id->cert_file, server_id->key_file, device_ca->cert_file,
                                          "insecure_classical", NULL, true));
    assert_error_says("\"insecure_classical\" is not a key exchange");
}

static void errors_of_contexts(void **state)
{
    (void)state;
    assert_null(pqc_tls_create_server_ctx("/nowhere.pem", server_id->key_file, NULL, NULL, NULL, false));
    assert_error_says("cannot open /nowhere.pem: No such file or directory");
    assert_null(
        pqc_tls_create_server_ctx(server_id->cert_file, device_id->key_file, NULL, NULL, NULL, false));
    assert_error_says("does not belong to the certificate");
    assert_null(pqc_tls_create_server_ctx(server_id->cert_file, server_id->key_file, NULL, "mlkem768",
                                          "mldsa65", true));
    assert_error_says("no CA file");
    assert_null(pqc_tls_create_server_ctx(server_id->cert_file, server_id->key_file, device_ca->cert_file,
                                          "rsa", "x", true));
    assert_error_says("\"rsa\" is not a key exchange");
    assert_null(pqc_tls_create_client_ctx(NULL, NULL, NULL, NULL, NULL));
    assert_error_says("no CA file");
}

static void wrong_calls_are_errors_not_crashes(void **state)
{
    (void)state;
    char byte;
    assert_null(pqc_tls_accept(NULL, 0));
    assert_null(pqc_tls_connect(NULL, 0, "x"));
    assert_int_equal(pqc_tls_read(NULL, &byte, 1), -1);
    assert_int_equal(pqc_tls_write(NULL, "x", 1), -1);
    assert_int_equal(pqc_tls_set_timeout(NULL, 1, 1), -1);
    assert_null(pqc_tls_group(NULL));
    assert_false(pqc_tls_resumed(NULL));
    pqc_tls_close(NULL);
    pqc_tls_free_ctx(NULL);
    pqc_tls_ctx_t server = server_ctx(NULL, NULL), client = client_ctx(NULL, NULL);
    assert_int_equal(pqc_tls_set_timeout(server, 0, 5), -1);
    assert_null(pqc_tls_accept(client, 0));
    assert_error_says("needs a server's context");
    assert_null(pqc_tls_connect(server, 0, "x"));
    assert_error_says("needs a client's context");
    assert_null(pqc_tls_connect(client, 0, NULL));
    assert_null(pqc_tls_accept(server, -1));
    assert_error_says("Bad file descriptor");
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    assert_null(pqc_tls_accept(server, fd[0]));
    assert_error_says("cannot carry TLS");
    close(fd[0]);
    close(fd[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd), 0);
    assert_null(pqc_tls_accept(server, fd[0]));
    assert_error_says("not a stream");
    close(fd[0]);
    close(fd[1]);
    pqc_tls_free_ctx(server);
    pqc_tls_free_ctx(client);
    assert_null(pqc_tls_begin(NULL, 0, NULL));
    assert_error_says("needs a context");
    assert_int_equal(pqc_tls_handshake(NULL), -1);
    assert_int_equal(pqc_tls_try_read(NULL, NULL, 1), -1);
    assert_int_equal(pqc_tls_try_write(NULL, NULL, 1), -1);
    assert_int_equal(pqc_tls_try_shutdown(NULL), -1);
    assert_int_equal(pqc_tls_pending(NULL), 0);
    assert_null(pqc_tls_peer_serial(NULL));
    assert_null(pqc_tls_peer_issuer(NULL));
    assert_int_equal(pqc_tls_peer_not_after(NULL), 0);
    assert_true(strlen(pqc_tls_version()) >= 5);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void a_stalled_peer_runs_into_the_deadline(void **state)
{
    (void)state;
    pqc_tls_ctx_t server = server_ctx(NULL, NULL), client = client_ctx(NULL, NULL);
    assert_int_equal(pqc_tls_set_timeout(server, 150, 150), 0);
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    int64_t before = now_ms();
    assert_null(pqc_tls_accept(server, fd[0]));
    assert_error_says("the client stalled in the handshake: it was not done in 150 ms");
    assert_in_range(now_ms() - before, 150, 5000);
    assert_int_equal(write(fd[1], "\x16\x03\x01", 3), 3); /* and in the middle of a message */
    assert_null(pqc_tls_accept(server, fd[0]));
    assert_error_says("stalled in the handshake");
    close(fd[0]);
    close(fd[1]);

    /* A read that nothing comes for, and after it the connection still works; a write that nobody takes. */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    assert_int_equal(pqc_tls_set_timeout(server, 10000, 150), 0);
    struct client c;
    start_client(&c, client, fd[1], "localhost");
    pqc_tls_conn_t conn = pqc_tls_accept(server, fd[0]);
    must(conn != NULL);
    char buf[64];
    int n = pqc_tls_read(conn, buf, sizeof buf);
    must(n > 0);
    assert_int_equal(pqc_tls_read(conn, buf, sizeof buf), -1);
    assert_error_says("the peer sent nothing for 150 ms");
    must(pqc_tls_write(conn, "hello, server", 14) == 14);
    assert_int_equal(pqc_tls_read(conn, buf, sizeof buf), 0);
    pthread_join(c.thread, NULL);
    assert_int_equal(c.echoed, 14);
    size_t much = 8 << 20;
    char *big = calloc(1, much);
    assert_int_equal(pqc_tls_write(conn, big, (int)much), -1);
    assert_error_says("took too long");
    assert_int_equal(pqc_tls_write(conn, "x", 1), -1);
    assert_error_says("an earlier write");
    free(big);
    pqc_tls_close(conn);
    close(fd[0]);
    close(fd[1]);
    pqc_tls_free_ctx(server);
    pqc_tls_free_ctx(client);
}

static void each_thread_has_its_own_error(void **state)
{
    (void)state;
    pqc_tls_ctx_t server = server_ctx(NULL, NULL), client = client_ctx(NULL, NULL);
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    struct client c;
    start_client(&c, client, fd[1], "wrong.example");
    assert_null(pqc_tls_accept(server, fd[0]));
    pthread_join(c.thread, NULL);
    assert_false(c.connected);
    assert_non_null(strstr(c.error, "is for localhost, 127.0.0.1, ::1, not for wrong.example"));
    assert_error_says("the client");
    close(fd[0]);
    close(fd[1]);
    pqc_tls_free_ctx(server);
    pqc_tls_free_ctx(client);
}

static void a_peer_that_is_gone_raises_no_signal(void **state)
{
    (void)state;
    pqc_tls_ctx_t server = server_ctx(NULL, NULL), client = client_ctx(NULL, NULL);
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    struct client c;
    start_client(&c, client, fd[1], "localhost");
    pqc_tls_conn_t conn = pqc_tls_accept(server, fd[0]);
    must(conn != NULL);
    echo(conn);
    pthread_join(c.thread, NULL);
    close(fd[1]);
    assert_int_equal(pqc_tls_write(conn, "x", 1), -1);
    pqc_tls_close(conn);
    close(fd[0]);
    pqc_tls_free_ctx(server);
    pqc_tls_free_ctx(client);
}

/* ---- Debian's openssl as the peer ---- */

static int listen_local(int *port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

/* Runs openssl with a pipe as its standard input and another as its output. */
static pid_t run_openssl(char *const argv[], int *in, int *out)
{
    int to[2], from[2];
    assert_int_equal(pipe2(to, O_CLOEXEC), 0);
    assert_int_equal(pipe2(from, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        dup2(from[1], 2);
        execvp("openssl", argv);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    *in = to[1];
    *out = from[0];
    return pid;
}

static void finish(pid_t pid, int in, int out)
{
    close(in);
    close(out);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void s_client_over(pqc_tls_ctx_t server, const char *groups, const char *refusal)
{
    int port, in, out;
    int listener = listen_local(&port);
    char to[32];
    snprintf(to, sizeof to, "127.0.0.1:%d", port);
    char *argv[] = {"openssl",
                    "s_client",
                    "-connect",
                    to,
                    "-groups",
                    (char *)(uintptr_t)groups,
                    "-quiet",
                    "-cert",
                    device_id->cert_file,
                    "-key",
                    device_id->key_file,
                    "-CAfile",
                    server_ca->cert_file,
                    "-verify_return_error",
                    "-verify_ip",
                    "127.0.0.1",
                    NULL};
    pid_t pid = run_openssl(argv, &in, &out);
    int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    pqc_tls_conn_t conn = pqc_tls_accept(server, fd);
    if (refusal != NULL) {
        assert_null(conn);
        assert_error_says(refusal);
    } else {
        must(conn != NULL);
        assert_string_equal(pqc_tls_group(conn), groups);
        assert_string_equal(pqc_tls_peer_common_name(conn), "dev-1");
        assert_int_equal(write(in, "ping\n", 5), 5);
        char buf[16] = "";
        assert_int_equal(pqc_tls_read(conn, buf, sizeof buf), 5);
        assert_memory_equal(buf, "ping\n", 5);
        assert_int_equal(pqc_tls_write(conn, "pong\n", 5), 5);
        /* -quiet still prints the chain as it verifies: the answer is somewhere behind it. */
        char text[4096] = "";
        size_t n = 0;
        while (strstr(text, "pong") == NULL && n + 1 < sizeof text) {
            ssize_t got = read(out, text + n, sizeof text - 1 - n);
            assert_true(got > 0);
            n += (size_t)got;
        }
        pqc_tls_close(conn);
    }
    finish(pid, in, out);
    close(fd);
    close(listener);
}

static void openssl_as_client(void **state)
{
    (void)state;
    pqc_tls_ctx_t server = server_ctx(NULL, NULL);
    s_client_over(server, "MLKEM768", NULL);
    s_client_over(server, "X25519MLKEM768", NULL);
    s_client_over(server, "X25519",
                  "the client offers no post-quantum key exchange that is allowed here (offered: x25519;");
    s_client_over(server, "P-256:P-384", "offers no post-quantum key exchange");
    pqc_tls_free_ctx(server);
}

static void s_server_under(pqc_tls_ctx_t client, const char *groups, const char *refusal)
{
    int port, in, out;
    close(listen_local(&port)); /* a port that was free a moment ago */
    char text[64];
    snprintf(text, sizeof text, "127.0.0.1:%d", port);
    char *argv[] = {"openssl",
                    "s_server",
                    "-accept",
                    text,
                    "-groups",
                    (char *)(uintptr_t)groups,
                    "-naccept",
                    "1",
                    "-cert",
                    server_id->cert_file,
                    "-key",
                    server_id->key_file,
                    "-CAfile",
                    device_ca->cert_file,
                    "-Verify",
                    "1",
                    "-verify_return_error",
                    NULL};
    pid_t pid = run_openssl(argv, &in, &out);
    char said[4096] = "";
    size_t n = 0;
    while (strstr(said, "ACCEPT") == NULL && n + 1 < sizeof said) {
        ssize_t got = read(out, said + n, sizeof said - 1 - n);
        assert_true(got > 0);
        n += (size_t)got;
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    pqc_tls_conn_t conn = pqc_tls_connect(client, fd, "127.0.0.1");
    if (refusal != NULL) {
        assert_null(conn);
        assert_error_says(refusal);
    } else {
        must(conn != NULL);
        assert_string_equal(pqc_tls_group(conn), groups);
        assert_int_equal(write(in, "from server\n", 12), 12);
        char buf[32];
        assert_int_equal(pqc_tls_read(conn, buf, sizeof buf), 12);
        assert_memory_equal(buf, "from server\n", 12);
        pqc_tls_close(conn);
    }
    finish(pid, in, out);
    close(fd);
}

static void openssl_as_server(void **state)
{
    (void)state;
    pqc_tls_ctx_t client = client_ctx(NULL, NULL);
    s_server_under(client, "MLKEM1024", NULL);
    s_server_under(client, "X25519", "the server refuses: it accepts none of the key exchanges");
    pqc_tls_free_ctx(client);
}

int main(void)
{
    signal(SIGPIPE, SIG_DFL); /* the library may raise none, so it is not ignored here */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_documents_calls_work),
        cmocka_unit_test(policies_by_name),
        cmocka_unit_test(errors_of_contexts),
        cmocka_unit_test(wrong_calls_are_errors_not_crashes),
        cmocka_unit_test(a_stalled_peer_runs_into_the_deadline),
        cmocka_unit_test(each_thread_has_its_own_error),
        cmocka_unit_test(a_peer_that_is_gone_raises_no_signal),
        cmocka_unit_test(openssl_as_client),
        cmocka_unit_test(openssl_as_server),
    };
    return cmocka_run_group_tests(tests, fixture_group_start, fixture_group_stop);
}
