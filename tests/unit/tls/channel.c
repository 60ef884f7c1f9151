/* A server's connection after the handshake, against a client that can say anything: OpenSSL shakes hands,
   and the test seals what it likes with the secrets that OpenSSL tells. */
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hex.h"
#include "tls/records.h"
#include "tls_test.h"

struct peer {
    struct pair p; /* its client is not used */
    struct tls_ctx *ctx;
    SSL_CTX *foreign;
    SSL *ssl;
    struct tls_suites *suites;
    struct tls_records records; /* the client's side */
};

static struct peer *telling; /* whose secrets OpenSSL tells */

static void on_secret(const SSL *ssl, const char *line)
{
    (void)ssl;
    struct str rest = str_of(line), label, random, secret;
    assert_true(str_split(&rest, ' ', &label) && str_split(&rest, ' ', &random) &&
                str_split(&rest, ' ', &secret));
    struct tls_records *r = &telling->records;
    if (str_is(label, "CLIENT_TRAFFIC_SECRET_0"))
        assert_int_equal(hex_decode(secret, r->out.secret, secret.n / 2), 0);
    if (str_is(label, "SERVER_TRAFFIC_SECRET_0"))
        assert_int_equal(hex_decode(secret, r->in.secret, secret.n / 2), 0);
}

static void peer_open(struct peer *x, struct tls_config sc)
{
    *x = (struct peer){0};
    telling = x;
    socket_pair(x->p.fd);
    x->ctx = make_ctx(&sc);
    assert_int_equal(tls_conn_new(x->ctx, x->p.fd[0], NULL, &x->p.server, &x->p.server_err), 0);
    x->ssl = foreign_client(device_id, "X25519MLKEM768", NULL, x->p.fd[1], &x->foreign);
    SSL_CTX_set_keylog_callback(x->foreign, on_secret);
    x->p.server_step = TLS_WANT_READ;
    int done = 0;
    for (int i = 0; i < 100 && (done != 1 || x->p.server_step != TLS_DONE); i++) {
        done = SSL_do_handshake(x->ssl);
        if (x->p.server_step != TLS_DONE)
            x->p.server_step = tls_handshake(x->p.server, &x->p.server_err);
        if (x->p.server_step == TLS_FAILED)
            fail_msg("server: %s", x->p.server_err.text);
    }
    assert_int_equal(done, 1);
    assert_int_equal(x->p.server_step, TLS_DONE);
    assert_int_equal(tls_suites_new(&x->suites, &x->p.client_err), 0);
    const struct tls_suite *suite =
        tls_suite_of(x->suites, SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(x->ssl)));
    assert_int_equal(tls_records_begin(&x->records, suite, 0, 0), 0);
}

static void peer_close(struct peer *x)
{
    SSL_set_shutdown(x->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(x->ssl);
    SSL_CTX_free(x->foreign);
    tls_suites_free(x->suites);
    pair_close(&x->p);
    tls_ctx_free(x->ctx);
}

static size_t seal(struct peer *x, int type, const void *p, size_t n, unsigned char *out)
{
    size_t sealed = 0;
    assert_int_equal(tls_records_seal(&x->records, (enum tls_content)type, p, n, out, &sealed), 0);
    return sealed;
}

static void push(struct peer *x, const unsigned char *p, size_t n)
{
    assert_int_equal(write(x->p.fd[1], p, n), (ssize_t)n);
}

static void say(struct peer *x, int type, const void *p, size_t n)
{
    unsigned char record[TLS_SEALED_MAX];
    push(x, record, seal(x, type, p, n, record));
}

static enum tls_step hear(struct peer *x, char *out, size_t size, size_t *n)
{
    return tls_read(x->p.server, out, size, n, &x->p.server_err);
}

/* What the server sent next: opened at the client's side. */
static struct tls_content_found answer(struct peer *x, unsigned char record[TLS_SEALED_MAX])
{
    struct tls_content_found found;
    assert_int_equal(recv(x->p.fd[1], record, TLS_HEADER_SIZE, MSG_WAITALL), TLS_HEADER_SIZE);
    size_t length = tls_record_length(record, TLS_HEADER_SIZE);
    assert_in_range(length, TLS_HEADER_SIZE + 1, TLS_SEALED_MAX);
    size_t rest = length - TLS_HEADER_SIZE;
    assert_int_equal(recv(x->p.fd[1], record + TLS_HEADER_SIZE, rest, MSG_WAITALL), (ssize_t)rest);
    assert_int_equal(tls_records_open(&x->records, record, length, &found), 0);
    return found;
}

static void openssl_is_gone_and_the_connection_works(void **state)
{
    (void)state;
    struct peer x;
    char got[10];
    size_t n = 0;
    unsigned char record[TLS_SEALED_MAX];
    peer_open(&x, server_config());
    assert_string_equal(tls_conn_info(x.p.server)->group, "X25519MLKEM768");
    say(&x, TLS_DATA, "hello", 5);
    assert_int_equal(hear(&x, got, sizeof got, &n), TLS_DONE);
    assert_int_equal(n, 5);
    assert_memory_equal(got, "hello", 5);
    assert_int_equal(hear(&x, got, sizeof got, &n), TLS_WANT_READ);
    assert_int_equal(tls_write(x.p.server, "world", 5, &n, &x.p.server_err), TLS_DONE);
    struct tls_content_found found = answer(&x, record);
    assert_int_equal(found.n, 5);
    assert_memory_equal(found.p, "world", 5);
    peer_close(&x);
}

/* Byte by byte, with and without reading ahead, into buffers of every kind. */
static void bytes_that_trickle_in(void **state)
{
    (void)state;
    static char got[70000];
    static unsigned char stream[3 * TLS_SEALED_MAX], content[3000];
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (unsigned char)(i * 7);
    for (int ahead = 0; ahead < 2; ahead++) {
        for (int large = 0; large < 2; large++) {
            struct peer x;
            struct tls_config sc = server_config();
            sc.read_ahead = ahead;
            peer_open(&x, sc);
            size_t end = seal(&x, TLS_DATA, content, sizeof content, stream), n = 0, heard = 0;
            end += seal(&x, 0, "\x17", 1, stream + end); /* empty */
            end += seal(&x, TLS_DATA, "z", 1, stream + end);
            for (size_t i = 0; i < end; i++) {
                push(&x, stream + i, 1);
                enum tls_step step;
                while ((step = hear(&x, got + heard, large ? sizeof got - heard : 100, &n)) == TLS_DONE) {
                    assert_in_range(n, 1, large ? sizeof got : 100);
                    heard += n;
                }
                assert_int_equal(step, TLS_WANT_READ);
                assert_int_equal(tls_pending(x.p.server), 0);
            }
            assert_int_equal(heard, sizeof content + 1);
            assert_memory_equal(got, content, sizeof content);
            assert_int_equal(got[sizeof content], 'z');
            peer_close(&x);
        }
    }
}

/* Several records and a part of one at once; what does not fit waits, and is announced. */
static void many_records_at_once(void **state)
{
    (void)state;
    static char got[70000];
    static unsigned char stream[4 * TLS_SEALED_MAX], content[TLS_CONTENT_MAX];
    memset(content, 'm', sizeof content);
    struct peer x;
    struct tls_config sc = server_config();
    sc.read_ahead = true;
    peer_open(&x, sc);
    size_t end = seal(&x, TLS_DATA, "one", 3, stream), n = 0;
    end += seal(&x, TLS_DATA, "two", 3, stream + end);
    end += seal(&x, TLS_DATA, content, sizeof content, stream + end);
    push(&x, stream, end - 1);
    assert_int_equal(hear(&x, got, sizeof got, &n), TLS_DONE);
    assert_int_equal(n, 6);
    assert_memory_equal(got, "onetwo", 6);
    assert_false(tls_has_input(x.p.server));
    assert_int_equal(hear(&x, got, sizeof got, &n), TLS_WANT_READ);
    push(&x, stream + end - 1, 1);
    assert_int_equal(hear(&x, got, 10, &n), TLS_DONE);
    assert_int_equal(n, 10);
    assert_int_equal(tls_pending(x.p.server), TLS_CONTENT_MAX - 10);
    assert_true(tls_has_input(x.p.server));
    assert_int_equal(hear(&x, got, sizeof got, &n), TLS_DONE);
    assert_int_equal(n, TLS_CONTENT_MAX - 10);
    assert_int_equal(tls_pending(x.p.server), 0);
    peer_close(&x);
}

static void an_end_behind_a_request(void **state)
{
    (void)state;
    static char got[70000];
    unsigned char stream[200];
    size_t n = 0;
    struct peer x;
    struct tls_config sc = server_config();
    sc.read_ahead = true;
    peer_open(&x, sc);
    size_t end = seal(&x, TLS_DATA, "GET", 3, stream);
    end += seal(&x, TLS_ALERT, "\1\x5a", 2, stream + end); /* user_canceled says nothing by itself */
    end += seal(&x, TLS_ALERT, "\1\0", 2, stream + end);
    push(&x, stream, end);
    assert_int_equal(hear(&x, got, sizeof got, &n), TLS_DONE);
    assert_int_equal(n, 3);
    assert_true(tls_has_input(x.p.server));
    assert_int_equal(hear(&x, got, sizeof got, &n), TLS_CLOSED);
    assert_int_equal(hear(&x, got, sizeof got, &n), TLS_CLOSED);
    assert_int_equal(tls_write(x.p.server, "late", 4, &n, &x.p.server_err), TLS_DONE);
    assert_int_equal(tls_shutdown(x.p.server, &x.p.server_err), TLS_DONE);
    assert_int_equal(tls_shutdown(x.p.server, &x.p.server_err), TLS_DONE);
    unsigned char record[TLS_SEALED_MAX];
    struct tls_content_found found = answer(&x, record);
    assert_memory_equal(found.p, "late", 4);
    found = answer(&x, record);
    assert_int_equal(found.type, TLS_ALERT);
    assert_memory_equal(found.p, "\1\0", 2);
    assert_int_equal(recv(x.p.fd[1], record, 1, MSG_DONTWAIT), -1); /* said once */
    assert_int_equal(tls_write(x.p.server, "x", 1, &n, &x.p.server_err), TLS_FAILED);
    peer_close(&x);
}

static void an_end_without_goodbye(void **state)
{
    (void)state;
    struct peer x;
    char got[10];
    size_t n = 0;
    peer_open(&x, server_config());
    unsigned char record[TLS_SEALED_MAX];
    size_t length = seal(&x, TLS_DATA, "hello", 5, record);
    push(&x, record, length - 1);
    shutdown(x.p.fd[1], SHUT_WR);
    assert_int_equal(hear(&x, got, sizeof got, &n), TLS_FAILED);
    assert_says(x.p.server_err.text, "without saying goodbye");
    assert_int_equal(hear(&x, got, sizeof got, &n), TLS_FAILED);
    peer_close(&x);
}

static void what_breaks_the_protocol_is_answered_by_an_alert(void **state)
{
    (void)state;
    static const unsigned char plain_alert[] = {21, 3, 3, 0, 2, 2, 0};
    static const unsigned char too_long[] = {23, 3, 3, 0x41, 1};
    static const struct {
        int type;
        const char *content;
        size_t n;
        const unsigned char *raw; /* instead */
        size_t raw_n;
        int alert; /* that the server sends; -1: none, it was the peer's */
        const char *says;
    } cases[] = {
        {22, "\4\0\0\1\0", 5, NULL, 0, ALERT_UNEXPECTED_MESSAGE, "does not belong here"},
        {22, "\x18\0\0\1\2", 5, NULL, 0, ALERT_ILLEGAL_PARAMETER, "malformed"},
        {21, "\1", 1, NULL, 0, ALERT_DECODE_ERROR, "malformed"},
        {20, "\1", 1, NULL, 0, ALERT_UNEXPECTED_MESSAGE, "does not belong here"},
        {0, NULL, 0, plain_alert, sizeof plain_alert, ALERT_UNEXPECTED_MESSAGE, "does not belong here"},
        {0, NULL, 0, too_long, sizeof too_long, ALERT_RECORD_OVERFLOW, "over the limit"},
        {21, "\2\x30", 2, NULL, 0, -1, "refuses our certificate: it does not trust the CA"},
        {21, "\1\x50", 2, NULL, 0, -1, "met an error of its own"}, /* whatever its level says */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer x;
        char got[10];
        size_t n = 0;
        unsigned char record[TLS_SEALED_MAX];
        struct tls_config sc = server_config();
        sc.read_ahead = i % 2 == 0;
        peer_open(&x, sc);
        if (cases[i].raw != NULL)
            push(&x, cases[i].raw, cases[i].raw_n);
        else
            say(&x, cases[i].type, cases[i].content, cases[i].n);
        assert_int_equal(hear(&x, got, sizeof got, &n), TLS_FAILED);
        assert_says(x.p.server_err.text, cases[i].says);
        if (cases[i].alert >= 0) {
            struct tls_content_found found = answer(&x, record);
            assert_int_equal(found.type, TLS_ALERT);
            assert_int_equal(found.p[0], 2);
            assert_int_equal(found.p[1], cases[i].alert);
        }
        assert_int_equal(tls_write(x.p.server, "x", 1, &n, &x.p.server_err), TLS_FAILED);
        peer_close(&x);
    }
}

static void a_key_update_is_answered_before_the_next_data(void **state)
{
    (void)state;
    struct peer x;
    char got[10];
    size_t n = 0;
    bool asked = false;
    unsigned char record[TLS_SEALED_MAX];
    peer_open(&x, server_config());
    say(&x, TLS_HANDSHAKE, "\x18\0\0\1\1", 5);
    assert_int_equal(hear(&x, got, sizeof got, &n), TLS_WANT_READ);
    assert_int_equal(tls_write(x.p.server, "new", 3, &n, &x.p.server_err), TLS_DONE);
    struct tls_content_found found = answer(&x, record);
    assert_int_equal(found.type, TLS_HANDSHAKE);
    assert_int_equal(tls_records_message(&x.records, &found, &asked), 0);
    assert_false(asked);
    found = answer(&x, record);
    assert_memory_equal(found.p, "new", 3);
    /* Once: the next write has no other. */
    assert_int_equal(tls_write(x.p.server, "more", 4, &n, &x.p.server_err), TLS_DONE);
    assert_memory_equal(answer(&x, record).p, "more", 4);
    peer_close(&x);
}

/* The ticket leaves with the first response, or when it is asked for: sessions are on, so there is one. */
static void the_ticket_waits_for_the_first_response(void **state)
{
    (void)state;
    for (int flushed = 0; flushed < 2; flushed++) {
        struct peer x;
        struct err e;
        struct tls_sessions *sessions;
        unsigned char record[TLS_SEALED_MAX], stream[1000];
        size_t n = 0;
        assert_int_equal(tls_sessions_new(10, 60, &sessions, &e), 0);
        struct tls_config sc = server_config();
        sc.sessions = sessions;
        sc.hold_ticket = true;
        peer_open(&x, sc);
        assert_int_equal(recv(x.p.fd[1], record, 1, MSG_PEEK | MSG_DONTWAIT), -1);
        assert_true(tls_holds(x.p.server));
        if (flushed)
            assert_int_equal(tls_flush(x.p.server, &x.p.server_err), TLS_DONE);
        else
            assert_int_equal(tls_write(x.p.server, "response", 8, &n, &x.p.server_err), TLS_DONE);
        assert_false(tls_holds(x.p.server));
        /* In one send: what is there now is all. */
        ssize_t there = recv(x.p.fd[1], stream, sizeof stream, MSG_PEEK | MSG_DONTWAIT);
        size_t ticket = tls_record_length(stream, (size_t)there);
        assert_int_equal((size_t)there, flushed ? ticket : ticket + TLS_HEADER_SIZE + 8 + 1 + TLS_TAG_SIZE);
        struct tls_content_found found = answer(&x, record);
        assert_int_equal(found.type, TLS_HANDSHAKE);
        assert_int_equal(found.p[0], 4); /* NewSessionTicket */
        if (!flushed)
            assert_memory_equal(answer(&x, record).p, "response", 8);
        peer_close(&x);
        tls_sessions_free(sessions);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openssl_is_gone_and_the_connection_works),
        cmocka_unit_test(bytes_that_trickle_in),
        cmocka_unit_test(many_records_at_once),
        cmocka_unit_test(an_end_behind_a_request),
        cmocka_unit_test(an_end_without_goodbye),
        cmocka_unit_test(what_breaks_the_protocol_is_answered_by_an_alert),
        cmocka_unit_test(a_key_update_is_answered_before_the_next_data),
        cmocka_unit_test(the_ticket_waits_for_the_first_response),
    };
    return cmocka_run_group_tests(tests, fixture_group_start, fixture_group_stop);
}
