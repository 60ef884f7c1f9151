/* Resumption: who may, for how long, and that the identity comes along. */
#include "tls/sessions.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls/tls_impl.h"
#include "tls_test.h"

static struct tls_sessions *make_store(size_t capacity, int lifetime_s)
{
    struct tls_sessions *s = NULL;
    struct err e = {0};
    if (tls_sessions_new(capacity, lifetime_s, &s, &e) != 0)
        fail_msg("%s", e.text);
    return s;
}

/* A client that remembers, so that its second connection resumes. */
static struct tls_ctx *make_client(void)
{
    struct tls_config cc = client_config();
    cc.remember = true;
    return make_ctx(&cc);
}

static struct tls_ctx *make_server(struct tls_sessions *store)
{
    struct tls_config sc = server_config();
    sc.sessions = store;
    return make_ctx(&sc);
}

/* One connection that takes in its ticket; whether it was resumed. */
static bool connect_once(struct tls_ctx *server, struct tls_ctx *client, struct tls_info *server_info,
                         struct tls_info *client_info)
{
    struct pair p;
    pair_open(&p, server, client, "localhost");
    assert_shaken(&p);
    pair_talk(&p);
    assert_shaken(&p);
    bool resumed = tls_conn_info(p.server)->resumed;
    assert_int_equal(resumed, tls_conn_info(p.client)->resumed);
    if (server_info != NULL)
        *server_info = *tls_conn_info(p.server);
    if (client_info != NULL)
        *client_info = *tls_conn_info(p.client);
    pair_close(&p);
    return resumed;
}

static void same_peer(const struct tls_peer *a, const struct tls_peer *b)
{
    assert_int_equal(a->present, b->present);
    assert_string_equal(a->common_name, b->common_name);
    assert_string_equal(a->san, b->san);
    assert_string_equal(a->issuer, b->issuer);
    assert_string_equal(a->serial, b->serial);
    assert_string_equal(a->fingerprint, b->fingerprint);
    assert_int_equal(a->not_after, b->not_after);
}

static void identity_travels_with_a_session(void **state)
{
    (void)state;
    struct tls_sessions *store = make_store(100, 3600);
    struct tls_ctx *server = make_server(store), *client = make_client();
    struct tls_info s[3], c[3];
    assert_false(connect_once(server, client, &s[0], &c[0]));
    assert_int_equal(tls_sessions_count(store), 1);
    for (int i = 1; i < 3; i++) { /* the third stands on the second's ticket */
        assert_true(connect_once(server, client, &s[i], &c[i]));
        same_peer(&s[i].peer, &s[0].peer);
        same_peer(&c[i].peer, &c[0].peer);
        assert_string_equal(s[i].peer.common_name, "dev-1");
        assert_string_equal(s[i].signature, "mldsa65");
        assert_string_equal(c[i].signature, "mldsa65");
        assert_string_equal(s[i].peer_signature, "");
        assert_string_equal(s[i].group, "X25519MLKEM768");
        assert_string_equal(s[i].cipher, s[0].cipher);
    }
    tls_ctx_free(server);
    tls_ctx_free(client);
    tls_sessions_free(store);
}

static void a_ticket_is_small_and_holds_no_certificate(void **state)
{
    (void)state;
    struct tls_sessions *store = make_store(100, 3600);
    struct tls_ctx *server = make_server(store), *client = make_client();
    struct tls_conn *s, *c;
    struct err e = {0};
    int fd[2], bytes = 0;
    for (int round = 0; round < 2; round++) {
        socket_pair(fd);
        assert_int_equal(tls_conn_new(server, fd[0], NULL, &s, &e), 0);
        assert_int_equal(tls_conn_new(client, fd[1], "localhost", &c, &e), 0);
        assert_int_equal(tls_handshake(c, &e), TLS_WANT_READ);
        assert_int_equal(ioctl(fd[0], FIONREAD, &bytes), 0);
        assert_in_range(bytes, 1200, round == 0 ? 1450 : 1600);
        assert_int_equal(tls_handshake(s, &e), TLS_WANT_READ);
        assert_int_equal(ioctl(fd[1], FIONREAD, &bytes), 0);
        if (round == 1)
            assert_in_range(bytes, 1000, 1600); /* no certificate on a resumed connection */
        assert_int_equal(tls_handshake(c, &e), TLS_DONE);
        assert_int_equal(tls_handshake(s, &e), TLS_DONE);
        assert_int_equal(ioctl(fd[1], FIONREAD, &bytes), 0);
        assert_in_range(bytes, 40, 150); /* one ticket */
        size_t n;
        char byte;
        assert_int_equal(tls_read(c, &byte, 1, &n, &e), TLS_WANT_READ);
        tls_conn_free(s);
        tls_conn_free(c);
        close(fd[0]);
        close(fd[1]);
    }
    tls_ctx_free(server);
    tls_ctx_free(client);
    tls_sessions_free(store);
}

static void without_a_store_no_ticket_is_sent(void **state)
{
    (void)state;
    struct tls_ctx *server = make_server(NULL), *client = make_client();
    struct pair p;
    pair_open(&p, server, client, "localhost");
    assert_shaken(&p);
    int bytes = -1;
    assert_int_equal(ioctl(p.fd[1], FIONREAD, &bytes), 0);
    assert_int_equal(bytes, 0);
    pair_close(&p);
    assert_false(connect_once(server, client, NULL, NULL));
    assert_false(connect_once(server, client, NULL, NULL));
    tls_ctx_free(server);
    tls_ctx_free(client);
}

static void a_session_survives_a_reload(void **state)
{
    (void)state;
    struct tls_sessions *store = make_store(100, 3600);
    struct tls_ctx *server = make_server(store), *client = make_client();
    assert_false(connect_once(server, client, NULL, NULL));
    tls_ctx_free(server);
    server = make_server(store);
    struct tls_info info;
    assert_true(connect_once(server, client, &info, NULL));
    assert_string_equal(info.peer.common_name, "dev-1");
    tls_ctx_free(server);
    tls_ctx_free(client);
    tls_sessions_free(store);
}

/* A context that would judge the peer in another way does not take over its earlier judgement. */
static void other_rules_mean_a_full_handshake(void **state)
{
    (void)state;
    struct tls_sessions *store = make_store(100, 3600);
    struct ident *more = fixture_make("more-ca", NULL, &(struct cert_spec){.cn = "More CA", .ca = true});
    struct tls_config other[4];
    for (int i = 0; i < 4; i++) {
        other[i] = server_config();
        other[i].sessions = store;
    }
    other[0].ca_file = fixture_concat("two.pem", device_ca->cert_file, more->cert_file);
    other[1].verify = TLS_VERIFY_OPTIONAL;
    other[2].accept_expired_peer = true;
    other[3].kem = "x25519mlkem768";
    for (int i = 0; i < 4; i++) {
        struct tls_ctx *server = make_server(store), *changed = make_ctx(&other[i]), *client = make_client();
        assert_false(connect_once(server, client, NULL, NULL));
        assert_false(connect_once(changed, client, NULL, NULL));
        assert_true(connect_once(changed, client, NULL, NULL));
        tls_ctx_free(server);
        tls_ctx_free(changed);
        tls_ctx_free(client);
    }
    /* The listener without client certificates must not lend a session to the one that demands them. */
    struct tls_config open_config = server_config();
    open_config.sessions = store;
    open_config.verify = TLS_INSECURE_NO_VERIFY;
    struct tls_ctx *open_server = make_ctx(&open_config), *server = make_server(store),
                   *client = make_client();
    assert_false(connect_once(open_server, client, NULL, NULL));
    struct tls_info info;
    assert_false(connect_once(server, client, &info, NULL));
    assert_true(info.peer.present);
    tls_ctx_free(open_server);
    tls_ctx_free(server);
    tls_ctx_free(client);
    tls_sessions_free(store);
}

static void sessions_without_a_certificate_resume_without_one(void **state)
{
    (void)state;
    struct tls_sessions *store = make_store(100, 3600);
    struct tls_config sc = server_config(), cc = client_config();
    sc.sessions = store;
    sc.verify = TLS_VERIFY_OPTIONAL;
    cc.cert_file = cc.key_file = NULL;
    cc.remember = true;
    struct tls_ctx *server = make_ctx(&sc), *client = make_ctx(&cc);
    struct tls_info info;
    assert_false(connect_once(server, client, NULL, NULL));
    assert_true(connect_once(server, client, &info, NULL));
    assert_false(info.peer.present);
    assert_string_equal(info.peer.fingerprint, "");
    tls_ctx_free(server);
    tls_ctx_free(client);
    tls_sessions_free(store);
}

static void a_peer_that_expired_since_is_checked_again(void **state)
{
    (void)state;
    struct tls_sessions *store = make_store(100, 3600);
    struct ident *soon = fixture_make(
        "soon", device_ca, &(struct cert_spec){.cn = "soon", .eku = "clientAuth", .from = -DAY, .to = 2});
    struct tls_config sc = server_config(), cc = client_config();
    sc.sessions = store;
    cc.cert_file = soon->cert_file, cc.key_file = soon->key_file;
    cc.remember = true;
    struct tls_config lenient_config = sc;
    lenient_config.accept_expired_peer = true;
    struct tls_ctx *strict = make_ctx(&sc), *lenient = make_ctx(&lenient_config);
    struct tls_ctx *a = make_ctx(&cc), *b = make_ctx(&cc);
    struct tls_info info;
    assert_false(connect_once(strict, a, NULL, NULL));
    assert_false(connect_once(lenient, b, &info, NULL));
    assert_false(info.peer.expired);
    while ((int64_t)time(NULL) <= info.peer.not_after)
        usleep(50000); /* the condition is time itself */
    struct pair p;
    pair_open(&p, strict, a, "localhost");
    assert_int_equal(p.server_step, TLS_FAILED);
    assert_says(p.server_err.text, "the client's certificate (CN=soon) expired on 20");
    pair_close(&p);
    assert_true(connect_once(lenient, b, &info, NULL));
    assert_true(info.peer.expired);
    assert_string_equal(info.peer.common_name, "soon");
    tls_ctx_free(strict);
    tls_ctx_free(lenient);
    tls_ctx_free(a);
    tls_ctx_free(b);
    tls_sessions_free(store);
}

/* Counted from the full handshake, however often it is resumed in between. */
static void a_session_ends_with_its_lifetime(void **state)
{
    (void)state;
    struct tls_sessions *store = make_store(100, 2);
    struct tls_ctx *server = make_server(store), *client = make_client();
    time_t before = time(NULL);
    assert_false(connect_once(server, client, NULL, NULL));
    time_t after = time(NULL);
    bool resumed = false;
    int times = 0;
    while (time(NULL) < before + 2) {
        resumed = connect_once(server, client, NULL, NULL);
        if (time(NULL) < before + 2) /* it was still inside */
            assert_true(resumed);
        times += resumed;
        usleep(200000);
    }
    while (time(NULL) < after + 2)
        usleep(50000);
    assert_true(times > 0);
    assert_false(connect_once(server, client, NULL, NULL));
    tls_ctx_free(server);
    tls_ctx_free(client);
    tls_sessions_free(store);
}

static void the_oldest_goes_first_and_the_bound_holds(void **state)
{
    (void)state;
    enum { CAPACITY = 4 };
    struct tls_sessions *store = make_store(CAPACITY, 3600);
    struct tls_ctx *server = make_server(store);
    struct tls_ctx *clients[CAPACITY + 1];
    for (int i = 0; i <= CAPACITY; i++) {
        clients[i] = make_client();
        assert_false(connect_once(server, clients[i], NULL, NULL));
        assert_int_equal(tls_sessions_count(store), i < CAPACITY ? i + 1 : CAPACITY);
    }
    assert_true(connect_once(server, clients[CAPACITY], NULL, NULL)); /* evicts clients[1]'s */
    assert_false(connect_once(server, clients[0], NULL, NULL)); /* was evicted by the fifth; evicts [2]'s */
    assert_true(connect_once(server, clients[3], NULL, NULL));
    for (int i = 0; i <= CAPACITY; i++)
        tls_ctx_free(clients[i]);
    assert_int_equal(tls_sessions_count(store), CAPACITY);
    tls_ctx_free(server);
    tls_sessions_free(store);
}

static void a_cut_connection_keeps_its_session(void **state)
{
    (void)state;
    struct tls_sessions *store = make_store(100, 3600);
    struct tls_ctx *server = make_server(store), *client = make_client();
    struct pair p;
    pair_open(&p, server, client, "localhost");
    assert_shaken(&p);
    pair_talk(&p);
    shutdown(p.fd[1], SHUT_RDWR);
    char byte;
    size_t n;
    assert_int_equal(tls_read(p.server, &byte, 1, &n, &p.server_err), TLS_FAILED);
    pair_close(&p);
    assert_int_equal(tls_sessions_count(store), 1);
    assert_true(connect_once(server, client, NULL, NULL));
    tls_ctx_free(server);
    tls_ctx_free(client);
    tls_sessions_free(store);
}

static void a_client_resumes_only_with_the_same_host(void **state)
{
    (void)state;
    struct tls_sessions *store = make_store(100, 3600);
    struct tls_ctx *server = make_server(store), *client = make_client();
    assert_false(connect_once(server, client, NULL, NULL));
    struct pair p;
    pair_open(&p, server, client, "127.0.0.1");
    assert_shaken(&p);
    assert_false(tls_conn_info(p.server)->resumed);
    pair_close(&p);
    assert_true(connect_once(server, client, NULL, NULL));
    tls_ctx_free(server);
    tls_ctx_free(client);
    tls_sessions_free(store);
}

/* A ticket that nobody issued, and one for a session that is gone, lead to a full handshake. */
static void unknown_sessions_are_no_failure(void **state)
{
    (void)state;
    struct tls_sessions *store = make_store(100, 3600), *empty = make_store(100, 3600);
    struct tls_ctx *server = make_server(store), *other = make_server(empty), *client = make_client();
    assert_false(connect_once(server, client, NULL, NULL));
    assert_false(connect_once(other, client, NULL, NULL));
    tls_ctx_free(server);
    tls_ctx_free(other);
    tls_ctx_free(client);
    tls_sessions_free(store);
    tls_sessions_free(empty);
}

static void openssls_own_client_resumes(void **state)
{
    (void)state;
    struct tls_sessions *store = make_store(100, 3600);
    struct tls_ctx *server = make_server(store);
    struct tls_config cc = client_config();
    SSL_CTX *theirs = SSL_CTX_new(TLS_client_method());
    struct err e = {0};
    assert_int_equal(tls_ssl_ctx_apply(theirs, &cc, &e), 0);
    SSL_SESSION *session = NULL;
    for (int i = 0; i < 3; i++) {
        int fd[2];
        struct tls_conn *conn;
        socket_pair(fd);
        assert_int_equal(tls_conn_new(server, fd[0], NULL, &conn, &e), 0);
        SSL *ssl = SSL_new(theirs);
        SSL_set_fd(ssl, fd[1]);
        SSL_set_connect_state(ssl);
        if (session != NULL)
            assert_int_equal(SSL_set_session(ssl, session), 1);
        enum tls_step step = TLS_WANT_READ;
        for (int k = 0; k < 50 && step != TLS_DONE; k++) {
            (void)SSL_do_handshake(ssl);
            step = tls_handshake(conn, &e);
        }
        assert_int_equal(step, TLS_DONE);
        char byte;
        (void)SSL_read(ssl, &byte, 1); /* the ticket */
        assert_int_equal(SSL_session_reused(ssl), i > 0);
        assert_int_equal(tls_conn_info(conn)->resumed, i > 0);
        assert_string_equal(tls_conn_info(conn)->peer.common_name, "dev-1");
        SSL_SESSION_free(session);
        session = SSL_get1_session(ssl);
        SSL_shutdown(ssl);
        SSL_free(ssl);
        tls_conn_free(conn);
        close(fd[0]);
        close(fd[1]);
    }
    SSL_SESSION_free(session);
    SSL_CTX_free(theirs);
    tls_ctx_free(server);
    tls_sessions_free(store);
}

struct crowd {
    struct tls_ctx *server;
    int resumed;
};

static void *crowd_member(void *arg)
{
    struct crowd *crowd = arg;
    struct tls_config cc = client_config();
    cc.remember = true;
    struct tls_ctx *client = NULL;
    if (tls_ctx_new(&cc, &client, NULL) != 0)
        return NULL;
    for (int i = 0; i < 20; i++)
        crowd->resumed += connect_once(crowd->server, client, NULL, NULL);
    tls_ctx_free(client);
    return NULL;
}

static void threads_share_one_store(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    struct tls_sessions *store = make_store(2000, 3600);
    struct crowd crowds[THREADS] = {0};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        crowds[i].server = make_server(store);
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_member, &crowds[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(crowds[i].resumed, 19);
        tls_ctx_free(crowds[i].server);
    }
    assert_int_equal(tls_sessions_count(store), THREADS * 20);
    tls_sessions_free(store);
}

static void bounds_of_the_store(void **state)
{
    (void)state;
    struct tls_sessions *s = NULL;
    struct err e = {0};
    assert_int_equal(tls_sessions_new(0, 60, &s, &e), ERR_INVALID);
    assert_int_equal(tls_sessions_new(10, 0, &s, &e), ERR_INVALID);
    assert_int_equal(tls_sessions_new(10, 8 * 24 * 3600, &s, &e), ERR_INVALID);
    assert_int_equal(tls_sessions_new((size_t)1 << 40, 60, &s, &e), ERR_INVALID);
    assert_null(s);
    tls_sessions_free(NULL);
    s = make_store(1, 60);
    tls_sessions_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_travels_with_a_session),
        cmocka_unit_test(a_ticket_is_small_and_holds_no_certificate),
        cmocka_unit_test(without_a_store_no_ticket_is_sent),
        cmocka_unit_test(a_session_survives_a_reload),
        cmocka_unit_test(other_rules_mean_a_full_handshake),
        cmocka_unit_test(sessions_without_a_certificate_resume_without_one),
        cmocka_unit_test(a_peer_that_expired_since_is_checked_again),
        cmocka_unit_test(a_session_ends_with_its_lifetime),
        cmocka_unit_test(the_oldest_goes_first_and_the_bound_holds),
        cmocka_unit_test(a_cut_connection_keeps_its_session),
        cmocka_unit_test(a_client_resumes_only_with_the_same_host),
        cmocka_unit_test(unknown_sessions_are_no_failure),
        cmocka_unit_test(openssls_own_client_resumes),
        cmocka_unit_test(threads_share_one_store),
        cmocka_unit_test(bounds_of_the_store),
    };
    return cmocka_run_group_tests(tests, fixture_group_start, fixture_group_stop);
}
