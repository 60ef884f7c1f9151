/* Kernel TLS, read by our own record layer. Where this kernel has none, only that nothing is different
   then: the soak tests run this program on one that has (tests/soak/test_kernel_tls.py). */
#include "tls/kernel.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls_test.h"

#define FILE_SIZE 300000
#define WORN (1U << 24)

static const unsigned ids[] = {0x1301, 0x1302, 0x1303};

struct talk {
    struct tls_suites *suites;
    struct tls_io io;
    int peer;
    struct tls_records ours, theirs;
    bool given;
    int file;
    unsigned char content[FILE_SIZE];
    unsigned char got[2 * FILE_SIZE];
};

static void connect_tcp(int fd[2])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    fd[1] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(connect(fd[1], (struct sockaddr *)&at, sizeof at), 0);
    fd[0] = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
    assert_true(fd[0] >= 0);
    close(listening);
}

static struct talk *talk_open(unsigned id)
{
    struct err e;
    int fd[2];
    struct talk *t = calloc(1, sizeof *t);
    assert_non_null(t);
    assert_int_equal(tls_suites_new(&t->suites, &e), 0);
    connect_tcp(fd);
    tls_io_init(&t->io, fd[0], false);
    t->peer = fd[1];
    struct timeval patience = {.tv_sec = 20};
    setsockopt(t->peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    memset(t->ours.out.secret, 's', sizeof t->ours.out.secret);
    memset(t->theirs.in.secret, 's', sizeof t->theirs.in.secret);
    assert_int_equal(tls_records_begin(&t->ours, tls_suite_of(t->suites, id), 0, 7), 0);
    assert_int_equal(tls_records_begin(&t->theirs, tls_suite_of(t->suites, id), 7, 0), 0);
    t->file = memfd_create("content", 0);
    assert_int_equal(RAND_bytes(t->content, FILE_SIZE), 1);
    assert_int_equal(write(t->file, t->content, FILE_SIZE), FILE_SIZE);
    t->given = tls_kernel_begin(&t->io, &t->ours);
    return t;
}

static void talk_close(struct talk *t)
{
    tls_suites_free(t->suites);
    close(t->io.fd);
    close(t->peer);
    close(t->file);
    tls_io_fini(&t->io);
    free(t);
}

static void receive(struct talk *t, unsigned char *p, size_t n)
{
    assert_int_equal(recv(t->peer, p, n, MSG_WAITALL), (ssize_t)n);
}

/* The next record's type; its content is in found. */
static enum tls_content hear(struct talk *t, struct tls_content_found *found, unsigned char *record)
{
    receive(t, record, TLS_HEADER_SIZE);
    size_t length = tls_record_length(record, TLS_HEADER_SIZE);
    assert_in_range(length, TLS_HEADER_SIZE + 1, TLS_RECORD_MAX);
    receive(t, record + TLS_HEADER_SIZE, length - TLS_HEADER_SIZE);
    assert_int_equal(tls_records_open(&t->theirs, record, length, found), 0);
    return found->type;
}

static void hear_data(struct talk *t, const unsigned char *expected, size_t n)
{
    unsigned char record[TLS_RECORD_MAX];
    struct tls_content_found found;
    for (size_t at = 0; at < n; at += found.n) {
        assert_int_equal(hear(t, &found, record), TLS_DATA);
        assert_true(found.n <= n - at);
        assert_memory_equal(found.p, expected + at, found.n);
    }
}

static void say_data(struct talk *t, const void *p, size_t n)
{
    assert_int_equal(tls_kernel_send(&t->io, &t->ours, p, n), (ssize_t)n);
}

static bool there_is_none(struct talk *t)
{
    if (t->given)
        return false;
    print_message("kernel TLS: there is none here\n");
    return true;
}

static void a_file_a_word_and_the_end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        struct talk *t = talk_open(ids[i]);
        static const unsigned char zeros[TLS_KEY_MAX], goodbye[] = {ALERT_WARNING, ALERT_CLOSE_NOTIFY};
        unsigned char record[TLS_RECORD_MAX];
        struct tls_content_found found;
        if (there_is_none(t)) {
            talk_close(t);
            continue;
        }
        assert_memory_equal(t->ours.out.key, zeros, TLS_KEY_MAX);
        assert_memory_equal(t->ours.out.iv, zeros, TLS_IV_SIZE);
        say_data(t, "a head", 6);
        hear_data(t, (const unsigned char *)"a head", 6);
        bool none = true;
        size_t at = 4097;
        while (at < FILE_SIZE) { /* not from a page's beginning, and in pieces */
            size_t n = FILE_SIZE - at < 50001 ? FILE_SIZE - at : 50001;
            ssize_t sent = tls_kernel_send_file(&t->io, &t->ours, t->file, at, n, &none);
            assert_true(sent > 0 && !none);
            hear_data(t, t->content + at, (size_t)sent);
            at += (size_t)sent;
        }
        assert_int_equal(tls_kernel_send_file(&t->io, &t->ours, t->file, FILE_SIZE, 10, &none), 0);
        assert_true(none);
        assert_true(tls_kernel_has_room(&t->io));
        assert_int_equal(tls_kernel_say(&t->io, &t->ours, TLS_ALERT, goodbye, sizeof goodbye), 2);
        assert_int_equal(hear(t, &found, record), TLS_ALERT);
        assert_int_equal(found.n, 2);
        assert_memory_equal(found.p, goodbye, 2);
        assert_true(t->ours.out.seq >= t->theirs.in.seq); /* never fewer than there were */
        talk_close(t);
    }
}

static void a_full_socket_takes_the_rest_later(void **state)
{
    (void)state;
    struct talk *t = talk_open(0x1302);
    if (!there_is_none(t)) {
        bool none;
        size_t sent = 0, heard = 0;
        ssize_t n;
        while ((n = tls_kernel_send_file(&t->io, &t->ours, t->file, sent % FILE_SIZE,
                                         FILE_SIZE - sent % FILE_SIZE, &none)) > 0)
            sent += (size_t)n;
        assert_int_equal(n, 0);
        assert_false(none);
        assert_false(tls_kernel_has_room(&t->io));
        assert_int_equal(tls_kernel_say(&t->io, &t->ours, TLS_ALERT, "\1", 2), 0);
        struct tls_content_found found;
        for (unsigned char record[TLS_RECORD_MAX]; heard < sent; heard += found.n) {
            assert_int_equal(hear(t, &found, record), TLS_DATA);
            for (size_t i = 0; i < found.n; i++)
                if (found.p[i] != t->content[(heard + i) % FILE_SIZE])
                    fail_msg("byte %zu of %zu is another", heard + i, sent);
        }
        assert_int_equal(heard, sent);
        assert_true(tls_kernel_has_room(&t->io));
    }
    talk_close(t);
}

static void another_key_where_the_kernel_takes_one(void **state)
{
    (void)state;
    struct talk *t = talk_open(0x1302);
    unsigned char record[TLS_RECORD_MAX];
    struct tls_content_found found;
    bool answer = false;
    if (there_is_none(t)) {
        talk_close(t);
        return;
    }
    bool can = tls_kernel_can_renew(&t->io);
    print_message("kernel TLS: another key is %s\n", can ? "taken" : "refused");
    for (int i = 0; i < 3; i++) {
        say_data(t, t->content, 20000); /* asking changed nothing */
        hear_data(t, t->content, 20000);
        if (!can)
            break;
        t->ours.out.seq = WORN;
        assert_true(tls_records_is_worn(&t->ours));
        assert_int_equal(tls_kernel_say(&t->io, &t->ours, TLS_HANDSHAKE, tls_key_update, TLS_UPDATE_SIZE),
                         TLS_UPDATE_SIZE);
        assert_int_equal(tls_kernel_renew(&t->io, &t->ours), 0);
        assert_false(tls_records_is_worn(&t->ours));
        assert_int_equal(hear(t, &found, record), TLS_HANDSHAKE);
        assert_int_equal(tls_records_message(&t->theirs, &found, &answer), 0);
        assert_false(answer);
    }
    talk_close(t);
}

static void without_it_nothing_is_different(void **state)
{
    (void)state;
    struct talk *t = talk_open(0x1302);
    if (!t->given) {
        unsigned char sealed[TLS_SEALED_MAX], record[TLS_RECORD_MAX];
        size_t n = 0;
        struct tls_content_found found;
        assert_int_equal(t->ours.out.seq, 7);
        assert_int_equal(tls_records_seal(&t->ours, TLS_DATA, t->content, 1000, sealed, &n), 0);
        assert_int_equal(tls_io_send(&t->io, sealed, n), (ssize_t)n);
        assert_int_equal(hear(t, &found, record), TLS_DATA);
        assert_int_equal(found.n, 1000);
        assert_false(tls_kernel_begin(&t->io, &t->ours));
        assert_false(tls_kernel_can_renew(&t->io));
    }
    talk_close(t);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_a_word_and_the_end),
        cmocka_unit_test(a_full_socket_takes_the_rest_later),
        cmocka_unit_test(another_key_where_the_kernel_takes_one),
        cmocka_unit_test(without_it_nothing_is_different),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
