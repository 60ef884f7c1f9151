/* A resumed handshake whose client says what it likes, under the keys that OpenSSL tells. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hex.h"
#include "resume_fixture.h"
#include "tls/records.h"
#include "tls_test.h"

static unsigned char told[TLS_SECRET_MAX]; /* the client's handshake secret */

static void on_secret(const SSL *ssl, const char *line)
{
    (void)ssl;
    struct str rest = str_of(line), label, random, secret;
    assert_true(str_split(&rest, ' ', &label) && str_split(&rest, ' ', &random) &&
                str_split(&rest, ' ', &secret));
    if (str_is(label, "CLIENT_HANDSHAKE_TRAFFIC_SECRET"))
        assert_int_equal(hex_decode(secret, told, secret.n / 2), 0);
}

struct liar {
    struct rig r;
    struct visit v;
    struct tls_suites *suites;
    struct tls_records records;
    unsigned char finished[4 + TLS_SECRET_MAX]; /* as it should be */
};

/* Up to the client's last word, which OpenSSL's client says to nobody. */
static void liar_begin(struct liar *l)
{
    unsigned char flight[200];
    int nowhere[2];
    struct tls_content_found found;
    rig_make(&l->r, NULL, NULL, true);
    (void)rig_visit(&l->r);
    SSL_CTX_set_keylog_callback(l->r.theirs, on_secret);
    visit_begin(&l->r, &l->v);
    (void)SSL_do_handshake(l->v.ssl);
    assert_int_equal(visit_step(&l->v), TLS_WANT_READ);
    assert_true(l->v.ours);
    socket_pair(nowhere);
    BIO *away = BIO_new_socket(nowhere[0], BIO_NOCLOSE);
    assert_non_null(away);
    SSL_set0_wbio(l->v.ssl, away);
    assert_int_equal(SSL_do_handshake(l->v.ssl), 1);
    ssize_t n = recv(nowhere[1], flight, sizeof flight, 0);
    close(nowhere[0]);
    close(nowhere[1]);
    assert_int_equal(tls_suites_new(&l->suites, &l->v.e), 0);
    struct tls_records reader = {0};
    memcpy(l->records.out.secret, told, sizeof told);
    memcpy(reader.in.secret, told, sizeof told);
    const struct tls_suite *suite = tls_suite_of(l->suites, 0x1302);
    assert_int_equal(tls_records_begin(&l->records, suite, 0, 0), 0);
    assert_int_equal(tls_records_begin(&reader, suite, 0, 0), 0);
    size_t at = flight[0] == TLS_CHANGE_CIPHER_SPEC ? 6 : 0;
    assert_int_equal(tls_records_open(&reader, flight + at, (size_t)n - at, &found), 0);
    assert_int_equal(found.n, sizeof l->finished);
    memcpy(l->finished, found.p, found.n);
}

static void liar_end(struct liar *l)
{
    tls_suites_free(l->suites);
    visit_end(&l->v);
    rig_free(&l->r);
}

static void push(struct liar *l, const void *p, size_t n)
{
    assert_int_equal(write(l->v.fd[1], p, n), (ssize_t)n);
}

static void say(struct liar *l, enum tls_content type, const void *p, size_t n)
{
    unsigned char record[TLS_SEALED_MAX];
    size_t sealed;
    assert_int_equal(tls_records_seal(&l->records, type, p, n, record, &sealed), 0);
    push(l, record, sealed);
}

static const unsigned char ccs[] = {TLS_CHANGE_CIPHER_SPEC, 3, 3, 0, 1, 1};

static void as_it_should(struct liar *l)
{
    say(l, TLS_HANDSHAKE, l->finished, sizeof l->finished);
}

static void in_pieces(struct liar *l)
{
    push(l, ccs, sizeof ccs);
    say(l, TLS_HANDSHAKE, l->finished, 1);
    say(l, TLS_HANDSHAKE, l->finished + 1, 20);
    push(l, ccs, sizeof ccs);
    say(l, TLS_HANDSHAKE, l->finished + 21, sizeof l->finished - 21);
}

static void and_leaves(struct liar *l)
{
    as_it_should(l);
    shutdown(l->v.fd[1], SHUT_WR);
}

static void with_a_bit_turned(struct liar *l)
{
    l->finished[sizeof l->finished - 1] ^= 1;
    as_it_should(l);
}

static void as_another_message(struct liar *l)
{
    l->finished[0] = 11; /* a Certificate, which nobody asked for */
    as_it_should(l);
}

static void with_more_behind(struct liar *l)
{
    unsigned char more[sizeof l->finished + 5] = {0};
    memcpy(more, l->finished, sizeof l->finished);
    more[sizeof l->finished] = 24; /* a KeyUpdate under the old key */
    say(l, TLS_HANDSHAKE, more, sizeof more);
}

static void after_data(struct liar *l)
{
    say(l, TLS_DATA, "early", 5);
    as_it_should(l);
}

static void with_a_broken_seal(struct liar *l)
{
    unsigned char record[200];
    size_t n;
    assert_int_equal(
        tls_records_seal(&l->records, TLS_HANDSHAKE, l->finished, sizeof l->finished, record, &n), 0);
    record[n - 1] ^= 0x80;
    push(l, record, n);
}

static void in_the_clear(struct liar *l)
{
    unsigned char record[TLS_HEADER_SIZE + sizeof l->finished] = {TLS_HANDSHAKE, 3, 3, 0, sizeof l->finished};
    memcpy(record + TLS_HEADER_SIZE, l->finished, sizeof l->finished);
    push(l, record, sizeof record);
}

static void with_another_change_of_cipher(struct liar *l)
{
    unsigned char other[sizeof ccs];
    memcpy(other, ccs, sizeof ccs);
    other[5] = 2;
    push(l, other, sizeof other);
    as_it_should(l);
}

static void after_too_many_strays(struct liar *l)
{
    for (int i = 0; i < 5; i++)
        push(l, ccs, sizeof ccs);
    as_it_should(l);
}

static const unsigned char canceled[] = {TLS_ALERT, 3, 3, 0, 2, ALERT_WARNING, ALERT_USER_CANCELED};

static void after_a_warning(struct liar *l)
{
    push(l, canceled, sizeof canceled);
    as_it_should(l);
}

/* Each of them costs us something, and none brings the handshake further. */
static void after_too_many_warnings(struct liar *l)
{
    for (int i = 0; i < 5; i++)
        push(l, canceled, sizeof canceled);
    as_it_should(l);
}

static void an_alert_in_the_clear(struct liar *l)
{
    static const unsigned char alert[] = {TLS_ALERT, 3, 3, 0, 2, ALERT_FATAL, ALERT_ILLEGAL_PARAMETER};
    push(l, alert, sizeof alert);
}

static void a_sealed_alert(struct liar *l)
{
    static const unsigned char alert[] = {ALERT_FATAL, ALERT_INTERNAL_ERROR};
    say(l, TLS_ALERT, alert, sizeof alert);
}

static void a_goodbye(struct liar *l)
{
    static const unsigned char alert[] = {ALERT_WARNING, ALERT_CLOSE_NOTIFY};
    say(l, TLS_ALERT, alert, sizeof alert);
}

static void nothing_more(struct liar *l)
{
    shutdown(l->v.fd[1], SHUT_WR);
}

static void a_record_too_long(struct liar *l)
{
    static const unsigned char header[] = {TLS_DATA, 3, 3, 0xff, 0xff};
    push(l, header, sizeof header);
}

/* The alert that the server sent last, under the keys of its application data; 0 when it sent none. */
static int alert_of(struct liar *l)
{
    char byte;
    ERR_clear_error();
    if (SSL_read(l->v.ssl, &byte, 1) > 0)
        return 0;
    unsigned long code = ERR_peek_error();
    return ERR_GET_REASON(code) > SSL_AD_REASON_OFFSET ? ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET : 0;
}

static void what_the_client_may_not_say(void **state)
{
    (void)state;
    static const struct {
        void (*lie)(struct liar *l);
        int alert;        /* that it is told */
        const char *says; /* the server's error, NULL: it is served */
    } cases[] = {
        {as_it_should, 0, NULL},
        {in_pieces, 0, NULL},
        {and_leaves, 0, NULL},
        {with_a_bit_turned, ALERT_DECRYPT_ERROR, "digest check failed"},
        {as_another_message, ALERT_UNEXPECTED_MESSAGE, "does not belong here"},
        {with_more_behind, ALERT_UNEXPECTED_MESSAGE, "does not belong here"},
        {after_data, ALERT_UNEXPECTED_MESSAGE, "does not belong here"},
        {with_a_broken_seal, ALERT_BAD_RECORD_MAC, "damaged or forged"},
        {in_the_clear, ALERT_UNEXPECTED_MESSAGE, "does not belong here"},
        {with_another_change_of_cipher, ALERT_UNEXPECTED_MESSAGE, "does not belong here"},
        {after_too_many_strays, ALERT_UNEXPECTED_MESSAGE, "does not belong here"},
        {after_a_warning, 0, NULL},
        {after_too_many_warnings, ALERT_UNEXPECTED_MESSAGE, "does not belong here"},
        {a_record_too_long, ALERT_RECORD_OVERFLOW, "over the limit"},
        {an_alert_in_the_clear, 0, "illegal parameter"},
        {a_sealed_alert, 0, "too busy"},
        {a_goodbye, 0, "closed the connection"},
        {nothing_more, 0, "closed the connection"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct liar l = {0};
        liar_begin(&l);
        size_t sessions = tls_sessions_count(l.r.store);
        cases[i].lie(&l);
        enum tls_step step = TLS_WANT_READ;
        for (int k = 0; k < 5 && step == TLS_WANT_READ; k++)
            step = visit_step(&l.v);
        if (cases[i].says == NULL && step != TLS_DONE)
            fail_msg("case %zu: %s", i, l.v.e.text);
        if (cases[i].says != NULL) {
            assert_int_equal(step, TLS_FAILED);
            if (strstr(l.v.e.text, cases[i].says) == NULL)
                fail_msg("case %zu: \"%s\" does not say \"%s\"", i, l.v.e.text, cases[i].says);
            assert_int_equal(visit_step(&l.v), TLS_FAILED); /* for good */
            if (alert_of(&l) != cases[i].alert)
                fail_msg("case %zu: the client was told %d", i, alert_of(&l));
        }
        /* Who did not prove that it has the key makes no session. */
        assert_int_equal(tls_sessions_count(l.r.store), sessions + (cases[i].says == NULL));
        liar_end(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_the_client_may_not_say)};
    return cmocka_run_group_tests(tests, fixture_group_start, fixture_group_stop);
}
