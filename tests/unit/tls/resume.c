/* A resumed handshake that OpenSSL's server does not see, against OpenSSL's client. */
#include "tls/resume.h"

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hex.h"
#include "resume_fixture.h"
#include "tls/records.h"
#include "tls/session_store.h"
#include "tls_test.h"

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
        assert_false(rig_visit(&r));
        for (int again = 0; again < 3; again++) /* each with the ticket of the one before */
            assert_true(rig_visit(&r));
        rig_free(&r);
    }
}

/* Of several key shares the one that this side wants most, as in the full handshake before. */
static void of_several_shares(void **state)
{
    (void)state;
    static const struct {
        const char *kem, *theirs, *group;
    } cases[] = {
        {NULL, "*MLKEM512:*X25519MLKEM768", "X25519MLKEM768"},
        {NULL, "*X25519MLKEM768:*MLKEM512", "X25519MLKEM768"},
        {NULL, "*MLKEM1024:*MLKEM768", "MLKEM768"},
        {"mlkem1024,mlkem768", "*MLKEM768:*MLKEM1024", "MLKEM1024"},
        {NULL, "*X25519:*X25519MLKEM768", "X25519MLKEM768"},
        {NULL, "*X448:*X25519:*MLKEM768", "MLKEM768"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig r;
        rig_make(&r, NULL, cases[i].kem, true);
        assert_int_equal(SSL_CTX_set1_groups_list(r.theirs, cases[i].theirs), 1);
        for (int ours = 0; ours < 2; ours++) {
            struct visit v;
            visit_begin(&r, &v);
            assert_int_equal(visit_shake(&v), TLS_DONE);
            assert_int_equal(v.ours, ours);
            assert_string_equal(tls_conn_info(v.conn)->group, cases[i].group);
            visit_end(&v);
            if (!ours)
                (void)rig_visit(&r);
        }
        rig_free(&r);
    }
}

static void the_peer_is_known_again(void **state)
{
    (void)state;
    struct rig r;
    struct visit v;
    rig_make(&r, NULL, NULL, true);
    (void)rig_visit(&r);
    (void)rig_visit(&r);
    visit_begin(&r, &v);
    assert_int_equal(visit_shake(&v), TLS_DONE);
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
    (void)rig_visit(&r);
    for (int flushed = 0; flushed < 2; flushed++) {
        struct visit v;
        unsigned char bytes[4000];
        visit_begin(&r, &v);
        (void)SSL_do_handshake(v.ssl);
        assert_int_equal(visit_step(&v), TLS_WANT_READ);
        assert_int_equal(SSL_do_handshake(v.ssl), 1);
        assert_int_equal(SSL_write(v.ssl, "ask", 3), 3);
        assert_int_equal(visit_step(&v), TLS_DONE);
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

/* A ticket lives as long as the full handshake lets it, however many lie in between. */
static void a_chain_of_resumptions_ends(void **state)
{
    (void)state;
    struct rig r;
    struct visit v;
    struct tls_session s;
    struct tls_peer peer;
    int64_t at;
    const unsigned char *id;
    size_t n;
    rig_make(&r, NULL, NULL, true);
    (void)rig_visit(&r);
    SSL_SESSION_get0_ticket(r.session, &id, &n);
    assert_true(tls_sessions_get(r.store, id, &s));
    assert_int_equal(tls_session_data_decode(s.data, s.data_n, &at, &peer), 0);
    s.data_n = tls_session_data_encode(at - 3000, &peer, s.data); /* of 3600 seconds */
    assert_int_equal(tls_sessions_put(r.store, &s), 0);
    for (int i = 0; i < 3; i++) {
        assert_true(rig_visit(&r));
        assert_in_range(SSL_SESSION_get_ticket_lifetime_hint(r.session), 540, 600);
    }
    visit_begin(&r, &v);
    assert_int_equal(visit_shake(&v), TLS_DONE);
    assert_int_equal(v.conn->verified_at, at - 3000);
    visit_end(&v);
    rig_free(&r);
}

/* Its socket is full before we answer: the answer waits for it, and is whole when it comes. */
static void a_client_that_reads_late(void **state)
{
    (void)state;
    static char junk[1 << 16];
    struct rig r;
    struct visit v;
    size_t sent = 0, drained = 0;
    ssize_t n;
    rig_make(&r, NULL, NULL, true);
    (void)rig_visit(&r);
    visit_begin(&r, &v);
    (void)SSL_do_handshake(v.ssl);
    for (size_t size = sizeof junk; size > 0; size /= 2)
        while ((n = send(v.fd[0], junk, size, MSG_DONTWAIT)) > 0)
            sent += (size_t)n;
    for (int i = 0; i < 3; i++)
        assert_int_equal(visit_step(&v), TLS_WANT_WRITE);
    assert_true(v.ours);
    while (drained < sent) {
        n = recv(v.fd[1], junk, sent - drained < sizeof junk ? sent - drained : sizeof junk, 0);
        assert_true(n > 0);
        drained += (size_t)n;
    }
    assert_int_equal(visit_step(&v), TLS_WANT_READ);
    assert_int_equal(SSL_do_handshake(v.ssl), 1);
    assert_int_equal(visit_step(&v), TLS_DONE);
    visit_end(&v);
    rig_free(&r);
}

static void the_answer_is_small(void **state)
{
    (void)state;
    struct rig r;
    struct visit v;
    unsigned char bytes[4000];
    rig_make(&r, NULL, "x25519mlkem768", true);
    (void)rig_visit(&r);
    visit_begin(&r, &v);
    (void)SSL_do_handshake(v.ssl);
    assert_int_equal(visit_step(&v), TLS_WANT_READ);
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
    sc = rig_config(r);
    r->server = make_ctx(&sc);
}

static void with_other_rules(struct rig *r)
{
    struct tls_config sc = rig_config(r);
    sc.accept_expired_peer = true;
    tls_ctx_free(r->server);
    r->server = make_ctx(&sc);
}

static void without_read_ahead(struct rig *r)
{
    struct tls_config sc = rig_config(r);
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
        (void)rig_visit(&r);
        cases[i].change(&r);
        visit_begin(&r, &v);
        enum tls_step step = visit_shake(&v);
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
    (void)rig_visit(&r);
    const unsigned char *name;
    unsigned n;
    visit_begin(&r, &v);
    assert_int_equal(SSL_set_alpn_protos(v.ssl, both, sizeof both - 1), 0);
    assert_int_equal(visit_shake(&v), TLS_DONE);
    assert_true(v.ours);
    SSL_get0_alpn_selected(v.ssl, &name, &n);
    assert_int_equal(n, 8);
    assert_memory_equal(name, "http/1.1", 8);
    visit_end(&v);
    visit_begin(&r, &v);
    assert_int_equal(SSL_set_alpn_protos(v.ssl, foreign, sizeof foreign - 1), 0);
    assert_int_equal(visit_shake(&v), TLS_FAILED);
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
    (void)rig_visit(&r);
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
    (void)rig_visit(&r);
    visit_begin(&r, &v);
    int through[2];
    socket_pair(through);
    SSL_set_fd(v.ssl, through[0]);
    for (int flight = 0; flight < 2; flight++) {
        (void)SSL_do_handshake(v.ssl);
        ssize_t n = recv(through[1], bytes, sizeof bytes, 0);
        assert_true(n > 0);
        for (ssize_t i = 0; i < n; i++) {
            enum tls_step step = visit_step(&v);
            assert_int_equal(step, TLS_WANT_READ);
            assert_int_equal(write(v.fd[1], bytes + i, 1), 1);
        }
        assert_int_equal(visit_step(&v), flight == 0 ? TLS_WANT_READ : TLS_DONE);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_exchange_and_suite),
        cmocka_unit_test(of_several_shares),
        cmocka_unit_test(the_peer_is_known_again),
        cmocka_unit_test(the_ticket_waits_for_the_answer),
        cmocka_unit_test(a_chain_of_resumptions_ends),
        cmocka_unit_test(a_client_that_reads_late),
        cmocka_unit_test(the_answer_is_small),
        cmocka_unit_test(what_is_not_plainly_ours_is_openssls),
        cmocka_unit_test(protocols),
        cmocka_unit_test(the_binder_covers_all),
        cmocka_unit_test(any_part_of_the_hello_may_come_alone),
    };
    return cmocka_run_group_tests(tests, fixture_group_start, fixture_group_stop);
}
