/* Handshakes and what a connection carries. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls/tls_impl.h"
#include "tls_test.h"

static void mutual_handshake_tells_who_is_there(void **state)
{
    (void)state;
    struct tls_config sc = server_config(), cc = client_config();
    struct tls_ctx *server = make_ctx(&sc), *client = make_ctx(&cc);
    struct pair p;
    pair_open(&p, server, client, "localhost");
    assert_shaken(&p);
    pair_talk(&p);
    assert_shaken(&p);
    const struct tls_info *si = tls_conn_info(p.server), *ci = tls_conn_info(p.client);
    assert_string_equal(si->group, "X25519MLKEM768");
    assert_string_equal(ci->group, "X25519MLKEM768");
    assert_string_equal(si->signature, "mldsa65");
    assert_string_equal(ci->signature, "mldsa65");
    assert_string_equal(si->peer_signature, "mldsa65");
    assert_string_equal(ci->peer_signature, "mldsa65");
    assert_string_equal(si->cipher, "TLS_AES_256_GCM_SHA384");
    assert_false(si->resumed);
    assert_true(si->peer.present);
    assert_false(si->peer.expired);
    assert_string_equal(si->peer.common_name, "dev-1");
    assert_string_equal(si->peer.san, "dev-1.example");
    assert_string_equal(si->peer.serial, "beef");
    assert_int_equal(strlen(si->peer.fingerprint), 64);
    assert_int_equal(strlen(si->peer.issuer), 64);
    assert_string_equal(ci->peer.common_name, "server");
    assert_string_not_equal(ci->peer.issuer, si->peer.issuer);
    pair_close(&p);
    tls_ctx_free(server);
    tls_ctx_free(client);
}

static void every_key_exchange_with_every_signature(void **state)
{
    (void)state;
    static const char *const kems[][2] = {
        {"mlkem512", "MLKEM512"},
        {"mlkem768", "MLKEM768"},
        {"mlkem1024", "MLKEM1024"},
        {"x25519mlkem768", "X25519MLKEM768"},
        {"secp256r1mlkem768", "SecP256r1MLKEM768"},
        {"secp384r1mlkem1024", "SecP384r1MLKEM1024"},
    };
    static const struct {
        const char *alg, *name, *old, *tls;
    } sigs[] = {
        {"ML-DSA-44", "m44", "dilithium2", "mldsa44"},
        {"ML-DSA-65", "m65", "dilithium3", "mldsa65"},
        {"ML-DSA-87", "m87", "dilithium5", "mldsa87"},
    };
    for (size_t s = 0; s < 3; s++) {
        char name[16];
        snprintf(name, sizeof name, "ca-%s", sigs[s].name);
        struct ident *ca =
            fixture_make(name, NULL, &(struct cert_spec){.alg = sigs[s].alg, .cn = name, .ca = true});
        struct ident *id = fixture_make(
            sigs[s].name, ca,
            &(struct cert_spec){
                .alg = sigs[s].alg, .cn = "x", .san = "DNS:localhost", .eku = "serverAuth,clientAuth"});
        struct tls_config sc = {.role = TLS_SERVER,
                                .cert_file = id->cert_file,
                                .key_file = id->key_file,
                                .ca_file = ca->cert_file,
                                .sig = sigs[s].tls};
        struct tls_config cc = sc;
        cc.role = TLS_CLIENT;
        cc.sig = sigs[s].old;
        for (size_t k = 0; k < sizeof kems / sizeof kems[0]; k++) {
            struct pair p;
            sc.kem = cc.kem = kems[k][0];
            pair_between(&p, &sc, &cc, "localhost");
            assert_shaken(&p);
            pair_talk(&p);
            assert_shaken(&p);
            assert_string_equal(tls_conn_info(p.server)->group, kems[k][1]);
            assert_string_equal(tls_conn_info(p.client)->group, kems[k][1]);
            assert_string_equal(tls_conn_info(p.server)->signature, sigs[s].tls);
            assert_string_equal(tls_conn_info(p.client)->signature, sigs[s].tls);
            pair_close(&p);
        }
        sc.kem = cc.kem = NULL;
        sc.sig = cc.sig = NULL;
        sc.policy = cc.policy = s == 0 ? "constrained" : s == 1 ? "balanced" : "cnsa2";
        struct pair p;
        pair_between(&p, &sc, &cc, "localhost");
        assert_shaken(&p);
        assert_string_equal(tls_conn_info(p.server)->group, s == 0   ? "MLKEM512"
                                                            : s == 1 ? "X25519MLKEM768"
                                                                     : "MLKEM1024");
        if (s == 2)
            assert_string_equal(tls_conn_info(p.server)->cipher, "TLS_AES_256_GCM_SHA384");
        pair_close(&p);
    }
}

/* The key share a client sent first is taken, whatever the server likes better: no second round trip. */
static void a_clients_first_key_share_is_taken(void **state)
{
    (void)state;
    struct tls_config sc = server_config(), cc = client_config();
    cc.kem = "mlkem512,x25519mlkem768";
    struct pair p;
    pair_between(&p, &sc, &cc, "localhost");
    assert_shaken(&p);
    assert_string_equal(tls_conn_info(p.server)->group, "MLKEM512");
    pair_close(&p);
    sc.kem = "x25519mlkem768"; /* here it has to ask again, and it still works */
    pair_between(&p, &sc, &cc, "localhost");
    assert_shaken(&p);
    assert_string_equal(tls_conn_info(p.server)->group, "X25519MLKEM768");
    pair_close(&p);
}

static void bytes_that_are_no_tls(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *text;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, "plain HTTP on a TLS port"},
        {"CONNECT x:443 HTTP/1.1\r\n\r\n", 26, "web proxy"},
        {"SSH-2.0-OpenSSH_9.9\r\n", 21, "is not TLS"},
        {"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, "is not TLS"},
        {"\x16\x03\x01\xff\xff\x01\xff\xff\xff\xff\xff\xff", 12, "the client"},
        {"\x16\x03\x01\x00\x04\x02\x00\x00\x00", 9, "does not belong here"},
        {"\x16\x03\x01\x00\x08\x01\x00\x00\x04\x03\x03\x00\x00", 13, "malformed"},
        {"", 0, "closed the connection in the middle of the handshake"},
        {"\x16\x03\x01\x02", 4, "closed the connection in the middle of the handshake"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tls_config sc = server_config();
        struct tls_ctx *server = make_ctx(&sc);
        struct tls_conn *conn;
        struct err e = {0};
        int fd[2];
        socket_pair(fd);
        assert_int_equal(tls_conn_new(server, fd[0], NULL, &conn, &e), 0);
        assert_int_equal(tls_handshake(conn, &e), TLS_WANT_READ);
        if (cases[i].n > 0)
            assert_int_equal(write(fd[1], cases[i].bytes, cases[i].n), (ssize_t)cases[i].n);
        shutdown(fd[1], SHUT_WR);
        assert_int_equal(tls_handshake(conn, &e), TLS_FAILED);
        assert_says(e.text, cases[i].text);
        tls_conn_free(conn);
        tls_ctx_free(server);
        close(fd[0]);
        close(fd[1]);
    }
}

/* What MQTT does: another library drives the TLS, and the context itself holds the name. */
static void a_context_can_hold_the_host_name(void **state)
{
    (void)state;
    struct tls_config cc = client_config();
    cc.host = "localhost";
    struct tls_ctx *good = make_ctx(&cc);
    cc.host = "elsewhere";
    struct tls_ctx *bad = make_ctx(&cc);
    struct tls_config sc = server_config();
    for (int i = 0; i < 2; i++) {
        int fd[2];
        socket_pair(fd);
        SSL *ssl = SSL_new(tls_ctx_ssl(i == 0 ? good : bad));
        SSL_set_fd(ssl, fd[1]);
        SSL_set_connect_state(ssl);
        struct err e = {0};
        assert_int_equal(serve_foreign(&sc, ssl, fd[0], &e), i == 0 ? TLS_DONE : TLS_FAILED);
        assert_int_equal(SSL_get_verify_result(ssl), i == 0 ? X509_V_OK : X509_V_ERR_HOSTNAME_MISMATCH);
        SSL_free(ssl);
        close(fd[0]);
        close(fd[1]);
    }
    tls_ctx_free(good);
    tls_ctx_free(bad);
}

/* What curl's callback does. */
static void another_librarys_context_gets_our_rules(void **state)
{
    (void)state;
    struct tls_config cc = client_config(), sc = server_config();
    struct err e = {0};
    for (int i = 0; i < 2; i++) {
        SSL_CTX *theirs = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_verify(theirs, SSL_VERIFY_NONE, NULL);
        cc.ca_file = i == 0 ? server_ca->cert_file : device_ca->cert_file;
        assert_int_equal(tls_ssl_ctx_apply(theirs, &cc, &e), 0);
        assert_int_equal(tls_ssl_ctx_apply(theirs, &cc, &e), 0); /* again is fine */
        int fd[2];
        socket_pair(fd);
        SSL *ssl = SSL_new(theirs);
        SSL_CTX_free(theirs);
        SSL_set_fd(ssl, fd[1]);
        SSL_set_connect_state(ssl);
        assert_int_equal(serve_foreign(&sc, ssl, fd[0], &e), i == 0 ? TLS_DONE : TLS_FAILED);
        if (i == 0)
            assert_string_equal(SSL_get0_group_name(ssl), "X25519MLKEM768");
        else
            assert_says(e.text, "does not trust the CA");
        SSL_free(ssl);
        close(fd[0]);
        close(fd[1]);
    }
    cc.role = TLS_SERVER;
    assert_int_equal(tls_ssl_ctx_apply(NULL, &cc, &e), ERR_INVALID);
}

/* The leaf alone, no root; the hello leaves before the signature is made, the rest is one send instead of one
   for every 4096 bytes. */
static void the_servers_flight_is_lean_and_two_writes(void **state)
{
    (void)state;
    struct tls_config sc = server_config(), cc = client_config();
    /* With its own root at hand OpenSSL would add that to what it sends. */
    sc.ca_file = fixture_concat("both.pem", device_ca->cert_file, server_ca->cert_file);
    struct tls_ctx *server = make_ctx(&sc), *client = make_ctx(&cc);
    struct tls_conn *s, *c;
    struct err e = {0};
    static char bytes[65536];
    int stream[2], packets[2]; /* the second keeps what was sent apart */
    socket_pair(stream);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, packets), 0);
    assert_int_equal(tls_conn_new(client, stream[1], "localhost", &c, &e), 0);
    assert_int_equal(tls_handshake(c, &e), TLS_WANT_READ);
    ssize_t hello = recv(stream[0], bytes, sizeof bytes, 0);
    assert_in_range(hello, 1200, 1500);
    /* A record's head and body are read apart. */
    assert_int_equal(send(packets[1], bytes, 5, 0), 5);
    assert_int_equal(send(packets[1], bytes + 5, (size_t)hello - 5, 0), hello - 5);
    assert_int_equal(tls_conn_new(server, packets[0], NULL, &s, &e), 0);
    assert_int_equal(tls_handshake(s, &e), TLS_WANT_READ);
    assert_int_equal(recv(packets[1], bytes, sizeof bytes, 0), 4096);
    assert_int_equal(bytes[5], 2); /* server_hello */
    assert_in_range(recv(packets[1], bytes, sizeof bytes, 0), 5000, 7000);
    assert_int_equal(recv(packets[1], bytes, sizeof bytes, 0), -1);
    tls_conn_free(s);
    tls_conn_free(c);
    tls_ctx_free(server);
    tls_ctx_free(client);
    for (int i = 0; i < 2; i++) {
        close(stream[i]);
        close(packets[i]);
    }
}

static void much_data_through_a_full_socket(void **state)
{
    (void)state;
    enum { TOTAL = 4 << 20 };
    struct tls_config sc = server_config(), cc = client_config();
    struct pair p;
    pair_between(&p, &sc, &cc, "localhost");
    assert_shaken(&p);
    static unsigned char block[60000], got[70000];
    size_t sent = 0, received = 0, full = 0;
    struct err e = {0};
    while (received < TOTAL) {
        while (sent < TOTAL) {
            size_t want = TOTAL - sent < sizeof block ? TOTAL - sent : sizeof block, n = 0;
            for (size_t i = 0; i < want; i++)
                block[i] = (unsigned char)((sent + i) * 2654435761U >> 13);
            enum tls_step s = tls_write(p.server, block, want, &n, &e);
            if (s == TLS_WANT_WRITE) {
                full++;
                break;
            }
            assert_int_equal(s, TLS_DONE);
            assert_in_range(n, 1, want);
            sent += n;
        }
        for (;;) {
            size_t n = 0;
            enum tls_step s = tls_read(p.client, got, sizeof got, &n, &e);
            if (s == TLS_WANT_READ)
                break;
            assert_int_equal(s, TLS_DONE);
            for (size_t i = 0; i < n; i++)
                if (got[i] != (unsigned char)((received + i) * 2654435761U >> 13))
                    fail_msg("byte %zu differs", received + i);
            received += n;
        }
    }
    assert_true(full > 0); /* else the socket was never full and this shows nothing */
    pair_close(&p);
}

static void new_keys_in_the_middle(void **state)
{
    (void)state;
    struct tls_config sc = server_config(), cc = client_config();
    struct pair p;
    pair_between(&p, &sc, &cc, "localhost");
    assert_shaken(&p);
    pair_talk(&p);
    assert_int_equal(SSL_key_update(p.client->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    pair_talk(&p);
    assert_shaken(&p);
    assert_int_equal(SSL_key_update(p.client->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
    pair_talk(&p);
    pair_talk(&p);
    assert_shaken(&p);
    pair_close(&p);
}

static void an_end_and_a_cut_are_told_apart(void **state)
{
    (void)state;
    struct tls_config sc = server_config(), cc = client_config();
    struct err e = {0};
    size_t n = 0;
    char byte;
    struct pair p;
    pair_between(&p, &sc, &cc, "localhost");
    assert_shaken(&p);
    assert_int_equal(tls_read(p.server, &byte, 1, &n, &e), TLS_WANT_READ);
    assert_int_equal(tls_shutdown(p.client, &e), TLS_DONE);
    if (tls_read(p.server, &byte, 1, &n, &e) != TLS_CLOSED)
        fail_msg("server: %s", e.text);
    assert_int_equal(tls_read(p.server, &byte, 1, &n, &e), TLS_CLOSED);
    /* The other direction is still open. */
    assert_int_equal(tls_write(p.server, "z", 1, &n, &e), TLS_DONE);
    assert_int_equal(tls_read(p.client, &byte, 1, &n, &e), TLS_DONE);
    assert_int_equal(byte, 'z');
    pair_close(&p);

    pair_between(&p, &sc, &cc, "localhost");
    assert_shaken(&p);
    shutdown(p.fd[1], SHUT_RDWR);
    assert_int_equal(tls_read(p.server, &byte, 1, &n, &e), TLS_FAILED);
    assert_says(e.text, "the client closed the connection without saying goodbye");
    pair_close(&p);

    /* Writing to a peer that is gone is an error, not a signal. */
    pair_between(&p, &sc, &cc, "localhost");
    assert_shaken(&p);
    shutdown(p.fd[1], SHUT_RDWR);
    assert_int_equal(tls_write(p.server, "z", 1, &n, &e), TLS_FAILED);
    assert_says(e.text, "the client closed the connection without saying goodbye");
    pair_close(&p);
}

/* A refusal that waits in the socket is found although the write comes first and fails. */
static void a_refusal_is_told_when_the_write_fails_first(void **state)
{
    (void)state;
    struct tls_config sc = server_config(), cc = client_config();
    struct pair p;
    cc.cert_file = cc.key_file = NULL;
    pair_between(&p, &sc, &cc, "localhost");
    assert_int_equal(p.server_step, TLS_FAILED);
    assert_int_equal(p.client_step, TLS_DONE);
    close(p.fd[0]);
    p.fd[0] = -1;
    size_t n;
    assert_int_equal(tls_write(p.client, "x", 1, &n, &p.client_err), TLS_FAILED);
    assert_says(p.client_err.text, "demands a certificate");
    pair_close(&p);
}

static void damaged_records_are_refused(void **state)
{
    (void)state;
    struct tls_config sc = server_config(), cc = client_config();
    struct pair p;
    pair_between(&p, &sc, &cc, "localhost");
    assert_shaken(&p);
    static const char forged[] = "\x17\x03\x03\x00\x20"
                                 "0123456789abcdef0123456789abcdef";
    assert_int_equal(write(p.fd[1], forged, 37), 37);
    size_t n;
    char byte;
    assert_int_equal(tls_read(p.server, &byte, 1, &n, &p.server_err), TLS_FAILED);
    assert_says(p.server_err.text, "damaged or forged");
    pair_close(&p);
}

static void application_protocol(void **state)
{
    (void)state;
    struct tls_config sc = server_config(), cc = client_config();
    struct pair p;
    sc.alpn = cc.alpn = "http/1.1";
    pair_between(&p, &sc, &cc, "localhost");
    assert_shaken(&p);
    pair_close(&p);
    cc.alpn = "h2";
    pair_between(&p, &sc, &cc, "localhost");
    assert_int_equal(p.server_step, TLS_FAILED);
    assert_says(p.server_err.text, "no application protocol");
    assert_says(p.client_err.text, "application protocols asked for");
    pair_close(&p);
    cc.alpn = NULL;
    pair_between(&p, &sc, &cc, "localhost");
    assert_shaken(&p);
    pair_close(&p);
}

static void classical_listener_serves_old_devices(void **state)
{
    (void)state;
    struct ident *ca =
        fixture_make("c-ca", NULL, &(struct cert_spec){.alg = "P-256", .cn = "EC CA", .ca = true});
    struct ident *id = fixture_make(
        "c-id", ca,
        &(struct cert_spec){
            .alg = "P-256", .cn = "old", .san = "DNS:localhost", .eku = "serverAuth,clientAuth"});
    struct tls_config sc = {.role = TLS_SERVER,
                            .policy = "insecure_classical",
                            .cert_file = id->cert_file,
                            .key_file = id->key_file,
                            .ca_file = ca->cert_file};
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        int fd[2];
        socket_pair(fd);
        SSL_CTX *ctx;
        SSL *ssl = foreign_client(id, "secp256r1", NULL, fd[1], &ctx);
        SSL_set_max_proto_version(ssl, version);
        struct err e = {0};
        if (serve_foreign(&sc, ssl, fd[0], &e) != TLS_DONE)
            fail_msg("%s", e.text);
        SSL_free(ssl);
        SSL_CTX_free(ctx);
        close(fd[0]);
        close(fd[1]);
    }
    foreign_is_refused(&sc, id, NULL, NULL, TLS1_1_VERSION, "the client");
}

static void a_context_outlives_its_maker_through_its_connections(void **state)
{
    (void)state;
    struct tls_config sc = server_config(), cc = client_config();
    struct tls_ctx *server = make_ctx(&sc), *client = make_ctx(&cc);
    struct tls_ctx *other = tls_ctx_ref(server);
    struct pair p;
    pair_open(&p, server, client, "localhost");
    tls_ctx_free(server);
    tls_ctx_free(other);
    tls_ctx_free(client);
    pair_talk(&p);
    assert_shaken(&p);
    pair_close(&p);
    tls_ctx_free(NULL);
    tls_conn_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutual_handshake_tells_who_is_there),
        cmocka_unit_test(every_key_exchange_with_every_signature),
        cmocka_unit_test(a_clients_first_key_share_is_taken),
        cmocka_unit_test(bytes_that_are_no_tls),
        cmocka_unit_test(a_context_can_hold_the_host_name),
        cmocka_unit_test(another_librarys_context_gets_our_rules),
        cmocka_unit_test(the_servers_flight_is_lean_and_two_writes),
        cmocka_unit_test(much_data_through_a_full_socket),
        cmocka_unit_test(new_keys_in_the_middle),
        cmocka_unit_test(an_end_and_a_cut_are_told_apart),
        cmocka_unit_test(a_refusal_is_told_when_the_write_fails_first),
        cmocka_unit_test(damaged_records_are_refused),
        cmocka_unit_test(application_protocol),
        cmocka_unit_test(classical_listener_serves_old_devices),
        cmocka_unit_test(a_context_outlives_its_maker_through_its_connections),
    };
    return cmocka_run_group_tests(tests, fixture_group_start, fixture_group_stop);
}
