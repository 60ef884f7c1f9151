/* A resumed handshake that OpenSSL's server does not see, against OpenSSL's client, and against one that says
   what it likes with the keys OpenSSL tells. */
#include "tls/resume.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hex.h"
#include "tls/channel.h"
#include "tls/derive.h"
#include "tls_test.h"

/* A server's context, and OpenSSL's client with a session of it. */
struct rig {
    struct tls_sessions *store;
    struct tls_ctx *server;
    SSL_CTX *theirs;
    SSL_SESSION *session;
};

/* One connection of it. The server's handshake is stepped, the client's side is OpenSSL's. */
struct visit {
    int fd[2];
    struct tls_conn *conn;
    SSL *ssl;
    struct err e;
    bool ours; /* OpenSSL did not see it */
};

static struct tls_config config_of(struct rig *r)
{
    struct tls_config sc = server_config();
    sc.sessions = r->store;
    sc.read_ahead = sc.hold_ticket = true;
    sc.alpn = "http/1.1";
    return sc;
}

static void rig_make(struct rig *r, const char *policy, const char *kem, bool with_certificate)
{
    struct err e = {0};
    *r = (struct rig){0};
    assert_int_equal(tls_sessions_new(100, 3600, &r->store, &e), 0);
    struct tls_config sc = config_of(r), cc = client_config();
    sc.policy = cc.policy = policy;
    sc.kem = cc.kem = kem;
    sc.sig = cc.sig = "mldsa65";
    if (!with_certificate) {
        sc.verify = TLS_VERIFY_OPTIONAL;
        cc.cert_file = cc.key_file = NULL;
    }
    r->server = make_ctx(&sc);
    r->theirs = SSL_CTX_new(TLS_client_method());
    assert_int_equal(tls_ssl_ctx_apply(r->theirs, &cc, &e), 0);
}

static void rig_free(struct rig *r)
{
    SSL_SESSION_free(r->session);
    SSL_CTX_free(r->theirs);
    tls_ctx_free(r->server);
    tls_sessions_free(r->store);
}

static void visit_begin(struct rig *r, struct visit *v)
{
    *v = (struct visit){0};
    socket_pair(v->fd);
    assert_int_equal(tls_conn_new(r->server, v->fd[0], NULL, &v->conn, &v->e), 0);
    v->ssl = SSL_new(r->theirs);
    assert_non_null(v->ssl);
    SSL_set_fd(v->ssl, v->fd[1]);
    SSL_set_connect_state(v->ssl);
    if (r->session != NULL)
        assert_int_equal(SSL_set_session(v->ssl, r->session), 1);
}

/* A caller that reads ahead looks at the first message before it has the handshake computed. */
static enum tls_step server_step(struct visit *v)
{
    struct tls_conn *c = v->conn;
    bool begins = c->ssl == NULL && c->resume == NULL && c->state == TLS_SHAKING;
    if (begins && c->ctx->rules->read_ahead && tls_peek_hello(c) == TLS_HELLO_WAIT)
        return TLS_WANT_READ;
    enum tls_step step = tls_handshake(c, &v->e);
    v->ours |= c->resume != NULL;
    return step;
}

static enum tls_step shake(struct visit *v)
{
    enum tls_step step = TLS_WANT_READ;
    for (int i = 0; i < 50 && step != TLS_DONE && step != TLS_FAILED; i++) {
        (void)SSL_do_handshake(v->ssl);
        step = server_step(v);
    }
    return step;
}

/* A request and its answer; the client keeps the ticket that came before. */
static void talk(struct rig *r, struct visit *v)
{
    char got[20];
    size_t n = 0;
    assert_int_equal(SSL_write(v->ssl, "ask", 3), 3);
    assert_int_equal(tls_read(v->conn, got, sizeof got, &n, &v->e), TLS_DONE);
    assert_int_equal(n, 3);
    assert_int_equal(tls_write(v->conn, "answer", 6, &n, &v->e), TLS_DONE);
    assert_int_equal(SSL_read(v->ssl, got, sizeof got), 6);
    assert_memory_equal(got, "answer", 6);
    SSL_SESSION_free(r->session);
    r->session = SSL_get1_session(v->ssl);
}

static void visit_end(struct visit *v)
{
    SSL_set_shutdown(v->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(v->ssl);
    tls_conn_free(v->conn);
    close(v->fd[0]);
    close(v->fd[1]);
}

/* Whether the visit was resumed, and by us. */
static bool whole_visit(struct rig *r)
{
    struct visit v;
    visit_begin(r, &v);
    if (shake(&v) != TLS_DONE)
        fail_msg("server: %s", v.e.text);
    const struct tls_info *info = tls_conn_info(v.conn);
    assert_int_equal(info->resumed, SSL_session_reused(v.ssl));
    assert_true(info->resumed || !v.ours);
    assert_string_equal(info->group, SSL_get0_group_name(v.ssl));
    assert_string_equal(info->cipher, SSL_get_cipher_name(v.ssl));
    assert_string_equal(info->signature, "mldsa65");
    assert_null(v.conn->ssl);
    assert_null(v.conn->resume);
    talk(r, &v);
    visit_end(&v);
    return v.ours;
}

static void every_key_exchange_and_suite(void **state)
{
    (void)state;
    static const struct {
        const char *policy, *kem, *group, *cipher;
    } cases[] = {
        {"balanced", "x25519mlkem768", "X25519MLKEM768", "TLS_AES_256_GCM_SHA384"},
        {"balanced", "secp256r1mlkem768", "SecP256r1MLKEM768", "TLS_AES_256_GCM_SHA384"},
        {"balanced", "secp384r1mlkem1024", "SecP384r1MLKEM1024", "TLS_AES_256_GCM_SHA384"},
        {"balanced", "mlkem512", "MLKEM512", "TLS_AES_256_GCM_SHA384"},
        {"balanced", "mlkem768", "MLKEM768", "TLS_AES_256_GCM_SHA384"},
        {"balanced", "mlkem1024", "MLKEM1024", "TLS_AES_256_GCM_SHA384"},
        {"balanced", "mlkem768", "MLKEM768", "TLS_CHACHA20_POLY1305_SHA256"},
        {"constrained", "mlkem512", "MLKEM512", "TLS_AES_128_GCM_SHA256"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig r;
        rig_make(&r, cases[i].policy, cases[i].kem, i % 2 == 0);
        assert_int_equal(SSL_CTX_set_ciphersuites(r.theirs, cases[i].cipher), 1);
        assert_false(whole_visit(&r));
        for (int again = 0; again < 3; again++) /* each with the ticket of the one before */
            assert_true(whole_visit(&r));
        rig_free(&r);
    }
}

static void the_peer_is_known_again(void **state)
{
    (void)state;
    struct rig r;
    struct visit v;
    rig_make(&r, NULL, NULL, true);
    (void)whole_visit(&r);
    (void)whole_visit(&r);
    visit_begin(&r, &v);
    assert_int_equal(shake(&v), TLS_DONE);
    assert_true(v.ours);
    const struct tls_peer *peer = &tls_conn_info(v.conn)->peer;
    assert_true(peer->present);
    assert_string_equal(peer->common_name, "dev-1");
    assert_int_equal(strlen(peer->fingerprint), SHA256_HEX_SIZE - 1);
    assert_true(peer->not_after > v.conn->verified_at && v.conn->verified_at > 0);
    visit_end(&v);
    rig_free(&r);
}

/* Request and Finished in one: the ticket waits for the answer. No request: it is for the caller to send. */
static void the_ticket_waits_for_the_answer(void **state)
{
    (void)state;
    struct rig r;
    rig_make(&r, NULL, NULL, true);
    (void)whole_visit(&r);
    for (int flushed = 0; flushed < 2; flushed++) {
        struct visit v;
        unsigned char bytes[4000];
        visit_begin(&r, &v);
        (void)SSL_do_handshake(v.ssl);
        assert_int_equal(server_step(&v), TLS_WANT_READ);
        assert_int_equal(SSL_do_handshake(v.ssl), 1);
        assert_int_equal(SSL_write(v.ssl, "ask", 3), 3);
        assert_int_equal(server_step(&v), TLS_DONE);
        assert_true(v.ours && tls_holds(v.conn) && tls_has_input(v.conn));
        assert_int_equal(recv(v.fd[1], bytes, sizeof bytes, 0), -1);
        if (flushed) {
            assert_int_equal(tls_flush(v.conn, &v.e), TLS_DONE);
            assert_in_range(recv(v.fd[1], bytes, sizeof bytes, 0), 60, 120);
        } else {
            size_t n;
            assert_int_equal(tls_write(v.conn, "answer", 6, &n, &v.e), TLS_DONE);
            assert_int_equal(SSL_read(v.ssl, bytes, sizeof bytes), 6);
        }
        visit_end(&v);
    }
    rig_free(&r);
}

static void the_answer_is_small(void **state)
{
    (void)state;
    struct rig r;
    struct visit v;
    unsigned char bytes[4000];
    rig_make(&r, NULL, "x25519mlkem768", true);
    (void)whole_visit(&r);
    visit_begin(&r, &v);
    (void)SSL_do_handshake(v.ssl);
    assert_int_equal(server_step(&v), TLS_WANT_READ);
    assert_true(v.ours);
    /* The key share is 1120 of them. */
    assert_in_range(recv(v.fd[1], bytes, sizeof bytes, 0), 1250, 1350);
    visit_end(&v);
    rig_free(&r);
}

/* ---- what OpenSSL answers ---- */

static void with_other_suites(struct rig *r)
{
    assert_int_equal(SSL_CTX_set_ciphersuites(r->theirs, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384"), 1);
}

static void with_fragments(struct rig *r)
{
    assert_int_equal(SSL_CTX_set_tlsext_max_fragment_length(r->theirs, TLSEXT_max_fragment_length_4096), 1);
}

static void with_another_group_first(struct rig *r)
{
    /* A share that no policy of ours has: the client is asked for another (HelloRetryRequest). */
    assert_int_equal(SSL_CTX_set1_groups_list(r->theirs, "X448:X25519MLKEM768"), 1);
}

static void with_an_empty_store(struct rig *r)
{
    struct tls_config sc;
    struct err e;
    tls_ctx_free(r->server);
    tls_sessions_free(r->store);
    assert_int_equal(tls_sessions_new(100, 3600, &r->store, &e), 0);
    sc = config_of(r);
    r->server = make_ctx(&sc);
}

static void with_other_rules(struct rig *r)
{
    struct tls_config sc = config_of(r);
    sc.accept_expired_peer = true;
    tls_ctx_free(r->server);
    r->server = make_ctx(&sc);
}

static void without_read_ahead(struct rig *r)
{
    struct tls_config sc = config_of(r);
    sc.read_ahead = sc.hold_ticket = false;
    tls_ctx_free(r->server);
    r->server = make_ctx(&sc);
}

static void what_is_not_plainly_ours_is_openssls(void **state)
{
    (void)state;
    static const struct {
        void (*change)(struct rig *r);
        bool resumes;
    } cases[] = {
        {with_other_suites, true},    {with_fragments, true},    {with_another_group_first, true},
        {with_an_empty_store, false}, {with_other_rules, false}, {without_read_ahead, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig r;
        struct visit v;
        rig_make(&r, NULL, NULL, true);
        if (cases[i].change == with_other_suites) /* the session's is not the first of those */
            assert_int_equal(SSL_CTX_set_ciphersuites(r.theirs, "TLS_AES_128_GCM_SHA256"), 1);
        (void)whole_visit(&r);
        cases[i].change(&r);
        visit_begin(&r, &v);
        enum tls_step step = shake(&v);
        if (step != TLS_DONE)
            fail_msg("case %zu: %s", i, v.e.text);
        if (v.ours)
            fail_msg("case %zu is no matter of OpenSSL", i);
        if (cases[i].change != with_other_suites)
            assert_int_equal(tls_conn_info(v.conn)->resumed, cases[i].resumes);
        visit_end(&v);
        rig_free(&r);
    }
}

/* A protocol that is not ours is refused, and one that is ours is agreed upon. */
static void protocols(void **state)
{
    (void)state;
    static const unsigned char foreign[] = "\x02h2", both[] = "\x02h2\x08http/1.1";
    struct rig r;
    struct visit v;
    rig_make(&r, NULL, NULL, true);
    (void)whole_visit(&r);
    const unsigned char *name;
    unsigned n;
    visit_begin(&r, &v);
    assert_int_equal(SSL_set_alpn_protos(v.ssl, both, sizeof both - 1), 0);
    assert_int_equal(shake(&v), TLS_DONE);
    assert_true(v.ours);
    SSL_get0_alpn_selected(v.ssl, &name, &n);
    assert_int_equal(n, 8);
    assert_memory_equal(name, "http/1.1", 8);
    visit_end(&v);
    visit_begin(&r, &v);
    assert_int_equal(SSL_set_alpn_protos(v.ssl, foreign, sizeof foreign - 1), 0);
    assert_int_equal(shake(&v), TLS_FAILED);
    assert_false(v.ours);
    visit_end(&v);
    rig_free(&r);
}

/* No bit of the first message can be turned but those of the record's version, which nobody looks at. */
static void the_binder_covers_all(void **state)
{
    (void)state;
    struct rig r;
    struct visit v;
    unsigned char hello[4000];
    rig_make(&r, NULL, "mlkem512", true);
    (void)whole_visit(&r);
    visit_begin(&r, &v);
    (void)SSL_do_handshake(v.ssl);
    ssize_t n = recv(v.fd[0], hello, sizeof hello, 0);
    assert_in_range(n, 1000, 2000);
    for (size_t bit = 0; bit <= 8 * (size_t)n; bit++) {
        size_t at = bit / 8;
        if (at == 1 || at == 2)
            continue;
        struct tls_conn *conn;
        assert_int_equal(tls_conn_new(r.server, v.fd[0], NULL, &conn, &v.e), 0);
        hello[at] ^= (unsigned char)(1U << bit % 8); /* the last one is behind the message */
        assert_int_equal(buf_add(&conn->io.in, hello, (size_t)n), 0);
        hello[at] ^= (unsigned char)(1U << bit % 8);
        assert_int_equal(tls_resume_begin(conn), bit == 8 * (size_t)n);
        tls_conn_free(conn);
    }
    visit_end(&v);
    rig_free(&r);
}

static void any_part_of_the_hello_may_come_alone(void **state)
{
    (void)state;
    struct rig r;
    struct visit v;
    unsigned char bytes[4000];
    rig_make(&r, NULL, NULL, true);
    (void)whole_visit(&r);
    visit_begin(&r, &v);
    int through[2];
    socket_pair(through);
    SSL_set_fd(v.ssl, through[0]);
    for (int flight = 0; flight < 2; flight++) {
        (void)SSL_do_handshake(v.ssl);
        ssize_t n = recv(through[1], bytes, sizeof bytes, 0);
        assert_true(n > 0);
        for (ssize_t i = 0; i < n; i++) {
            enum tls_step step = server_step(&v);
            assert_int_equal(step, TLS_WANT_READ);
            assert_int_equal(write(v.fd[1], bytes + i, 1), 1);
        }
        assert_int_equal(server_step(&v), flight == 0 ? TLS_WANT_READ : TLS_DONE);
        if (flight == 0) {
            n = recv(v.fd[1], bytes, sizeof bytes, 0);
            assert_int_equal(write(through[1], bytes, (size_t)n), n);
        }
    }
    assert_true(v.ours);
    close(through[0]);
    close(through[1]);
    visit_end(&v);
    rig_free(&r);
}

/* ---- a client that says what it likes ---- */

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
    (void)whole_visit(&l->r);
    SSL_CTX_set_keylog_callback(l->r.theirs, on_secret);
    visit_begin(&l->r, &l->v);
    (void)SSL_do_handshake(l->v.ssl);
    assert_int_equal(server_step(&l->v), TLS_WANT_READ);
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
        {with_a_bit_turned, ALERT_DECRYPT_ERROR, "digest check failed"},
        {as_another_message, ALERT_UNEXPECTED_MESSAGE, "does not belong here"},
        {with_more_behind, ALERT_UNEXPECTED_MESSAGE, "does not belong here"},
        {after_data, ALERT_UNEXPECTED_MESSAGE, "does not belong here"},
        {with_a_broken_seal, ALERT_BAD_RECORD_MAC, "damaged or forged"},
        {in_the_clear, ALERT_UNEXPECTED_MESSAGE, "does not belong here"},
        {with_another_change_of_cipher, ALERT_UNEXPECTED_MESSAGE, "does not belong here"},
        {after_too_many_strays, ALERT_UNEXPECTED_MESSAGE, "does not belong here"},
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
            step = server_step(&l.v);
        if (cases[i].says == NULL && step != TLS_DONE)
            fail_msg("case %zu: %s", i, l.v.e.text);
        if (cases[i].says != NULL) {
            assert_int_equal(step, TLS_FAILED);
            if (strstr(l.v.e.text, cases[i].says) == NULL)
                fail_msg("case %zu: \"%s\" does not say \"%s\"", i, l.v.e.text, cases[i].says);
            assert_int_equal(server_step(&l.v), TLS_FAILED); /* for good */
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_exchange_and_suite),
        cmocka_unit_test(the_peer_is_known_again),
        cmocka_unit_test(the_ticket_waits_for_the_answer),
        cmocka_unit_test(the_answer_is_small),
        cmocka_unit_test(what_is_not_plainly_ours_is_openssls),
        cmocka_unit_test(protocols),
        cmocka_unit_test(the_binder_covers_all),
        cmocka_unit_test(any_part_of_the_hello_may_come_alone),
        cmocka_unit_test(what_the_client_may_not_say),
    };
    return cmocka_run_group_tests(tests, fixture_group_start, fixture_group_stop);
}
