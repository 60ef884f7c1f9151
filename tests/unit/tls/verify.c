/* Which certificates are let in: each refusal with its text. */
#include <openssl/ssl.h>
#include <time.h>
#include <unistd.h>

#include "tls_test.h"

static void refused_by_server(const struct tls_config *cc, const char *server_says, const char *client_says)
{
    struct tls_config sc = server_config();
    struct pair p;
    pair_between(&p, &sc, cc, "localhost");
    assert_int_equal(p.server_step, TLS_FAILED);
    assert_says(p.server_err.text, server_says);
    if (p.client_step == TLS_DONE)
        pair_talk(&p);
    assert_int_equal(p.client_step, TLS_FAILED);
    assert_says(p.client_err.text, client_says);
    size_t n;
    struct err e = {0};
    assert_int_equal(tls_handshake(p.server, &e), TLS_FAILED);
    assert_int_equal(tls_read(p.server, &(char){0}, 1, &n, &e), TLS_FAILED);
    assert_int_equal(tls_write(p.server, "x", 1, &n, &e), TLS_FAILED);
    assert_int_equal(tls_shutdown(p.server, &e), TLS_FAILED);
    pair_close(&p);
}

static void a_client_is_refused_for_its_certificate(void **state)
{
    (void)state;
    struct tls_config cc = client_config();
    cc.cert_file = cc.key_file = NULL;
    refused_by_server(&cc, "the client showed no certificate", "the server demands a certificate");

    struct ident *other_ca =
        fixture_make("other-ca", NULL, &(struct cert_spec){.cn = "Other CA", .ca = true});
    struct ident *alien =
        fixture_make("alien", other_ca, &(struct cert_spec){.cn = "alien", .eku = "clientAuth"});
    cc.cert_file = alien->cert_file, cc.key_file = alien->key_file;
    refused_by_server(&cc, "(CN=alien) was issued by an untrusted CA (CN=Other CA)", "does not trust the CA");

    /* A root of the same name and another key. */
    struct ident *twin_ca = fixture_make("twin-ca", NULL, &(struct cert_spec){.cn = "Device CA", .ca = true});
    struct ident *twin =
        fixture_make("twin", twin_ca, &(struct cert_spec){.cn = "dev-1", .eku = "clientAuth"});
    cc.cert_file = twin->cert_file, cc.key_file = twin->key_file;
    refused_by_server(&cc, "(CN=dev-1)", "refuses our certificate");

    struct ident *self = fixture_make("self", NULL, &(struct cert_spec){.cn = "self", .eku = "clientAuth"});
    cc.cert_file = self->cert_file, cc.key_file = self->key_file;
    refused_by_server(&cc, "issued by an untrusted CA (CN=self)", "does not trust the CA");

    struct ident *old =
        fixture_make("old", device_ca,
                     &(struct cert_spec){.cn = "old", .eku = "clientAuth", .from = -9 * DAY, .to = -DAY});
    cc.cert_file = old->cert_file, cc.key_file = old->key_file;
    cc.accept_expired_own = true;
    refused_by_server(&cc, "the client's certificate (CN=old) expired on 20", "expired by its clock");
}

static void a_foreign_client_is_refused_with_the_reason(void **state)
{
    (void)state;
    struct tls_config sc = server_config();
    foreign_is_refused(
        &sc, device_id, "X25519:secp256r1", NULL, 0,
        "the client offers no post-quantum key exchange that is allowed here (offered: x25519, "
        "secp256r1; allowed: X25519MLKEM768:");
    foreign_is_refused(
        &sc, device_id, NULL, "ecdsa_secp256r1_sha256", 0,
        "accepts no signature of this side's certificate (accepted: ecdsa_secp256r1_sha256; ours: mldsa65)");
    foreign_is_refused(&sc, device_id, NULL, NULL, TLS1_2_VERSION, "the client speaks no TLS 1.3");
    struct ident *wrong =
        fixture_make("f-eku", device_ca, &(struct cert_spec){.cn = "wrong", .eku = "serverAuth"});
    foreign_is_refused(&sc, wrong, NULL, NULL, 0,
                       "(CN=wrong) is not meant for this: it lacks the extended key usage clientAuth");
    struct ident *none = fixture_make("f-none", device_ca, &(struct cert_spec){.cn = "none"});
    foreign_is_refused(&sc, none, NULL, NULL, 0,
                       "(CN=none) is not meant for this: it lacks the extended key usage clientAuth");
    struct ident *any =
        fixture_make("f-any", device_ca, &(struct cert_spec){.cn = "any", .eku = "anyExtendedKeyUsage"});
    foreign_is_refused(&sc, any, NULL, NULL, 0, "lacks the extended key usage clientAuth");
    struct ident *early =
        fixture_make("f-early", device_ca,
                     &(struct cert_spec){.cn = "early", .eku = "clientAuth", .from = DAY, .to = 9 * DAY});
    foreign_is_refused(&sc, early, NULL, NULL, 0,
                       "the client's certificate (CN=early) is not valid before 20");
    struct ident *long_serial = fixture_make(
        "f-serial", device_ca,
        &(struct cert_spec){
            .cn = "x",
            .eku = "clientAuth",
            .serial = "99999999999999999999999999999999999999999999999999999999999999999999999999999999"});
    foreign_is_refused(&sc, long_serial, NULL, NULL, 0, "serial number");
    /* A weaker CA above a leaf of the right strength. */
    struct ident *weak_ca =
        fixture_make("f-weak-ca", NULL, &(struct cert_spec){.alg = "ML-DSA-44", .cn = "weak", .ca = true});
    struct ident *weak =
        fixture_make("f-weak", weak_ca, &(struct cert_spec){.cn = "weak", .eku = "clientAuth"});
    sc.ca_file = weak_ca->cert_file;
    foreign_is_refused(&sc, weak, NULL, NULL, 0,
                       "certificate 1 of the client's chain is signed with mldsa44; here it must be mldsa65");
}

static void a_client_key_that_is_not_its_certificates(void **state)
{
    (void)state;
    struct tls_config sc = server_config();
    struct ident *ec =
        fixture_make("f-ec", device_ca, &(struct cert_spec){.alg = "P-256", .cn = "ec", .eku = "clientAuth"});
    /* Its algorithm is not asked for, so a client shows nothing. */
    foreign_is_refused(&sc, ec, NULL, NULL, 0, "the client showed no certificate");
}

static void refused_by_client(const struct tls_config *sc, const char *host, const char *text)
{
    struct tls_config cc = client_config();
    struct pair p;
    pair_between(&p, sc, &cc, host);
    assert_int_equal(p.client_step, TLS_FAILED);
    assert_says(p.client_err.text, text);
    assert_int_equal(p.server_step, TLS_FAILED);
    pair_close(&p);
}

static void a_server_is_refused_for_its_certificate(void **state)
{
    (void)state;
    struct tls_config sc = server_config();
    refused_by_client(&sc, "example.com", "is for localhost, 127.0.0.1, ::1, not for example.com");
    refused_by_client(&sc, "127.0.0.2", "not for 127.0.0.2");
    refused_by_client(&sc, "server", "not for server"); /* the common name is no host name */
    static const char *const good[] = {"localhost", "LOCALHOST", "127.0.0.1", "::1"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct tls_config cc = client_config();
        struct pair p;
        pair_between(&p, &sc, &cc, good[i]);
        assert_shaken(&p);
        pair_close(&p);
    }
    struct ident *bare =
        fixture_make("s-bare", server_ca, &(struct cert_spec){.cn = "localhost", .eku = "serverAuth"});
    sc.cert_file = bare->cert_file, sc.key_file = bare->key_file;
    refused_by_client(&sc, "localhost", "is for no host, not for localhost"); /* nor when there is no other */
    struct ident *alien = fixture_make(
        "s-alien", device_ca, &(struct cert_spec){.cn = "s", .san = "DNS:localhost", .eku = "serverAuth"});
    sc.cert_file = alien->cert_file, sc.key_file = alien->key_file;
    refused_by_client(&sc, "localhost", "issued by an untrusted CA (CN=Device CA)");
}

static void optional_and_no_client_certificates(void **state)
{
    (void)state;
    struct tls_config sc = server_config(), cc = client_config();
    sc.verify = TLS_VERIFY_OPTIONAL;
    struct pair p;
    pair_between(&p, &sc, &cc, "localhost");
    assert_shaken(&p);
    assert_true(tls_conn_info(p.server)->peer.present);
    pair_close(&p);
    cc.cert_file = cc.key_file = NULL;
    pair_between(&p, &sc, &cc, "localhost");
    assert_shaken(&p);
    assert_false(tls_conn_info(p.server)->peer.present);
    assert_string_equal(tls_conn_info(p.server)->peer_signature, "");
    pair_close(&p);
    cc = client_config();
    cc.cert_file = server_id->cert_file, cc.key_file = server_id->key_file;
    struct ident *alien =
        fixture_make("opt-alien", server_ca, &(struct cert_spec){.cn = "bad", .eku = "clientAuth"});
    cc.cert_file = alien->cert_file, cc.key_file = alien->key_file;
    pair_between(&p, &sc, &cc, "localhost");
    assert_int_equal(p.server_step, TLS_FAILED); /* a bad one is worse than none */
    assert_says(p.server_err.text, "untrusted CA");
    pair_close(&p);
    sc.verify = TLS_INSECURE_NO_VERIFY;
    sc.ca_file = NULL;
    cc = client_config();
    pair_between(&p, &sc, &cc, "localhost");
    assert_shaken(&p);
    assert_false(tls_conn_info(p.server)->peer.present);
    pair_close(&p);
}

static void an_expired_peer_may_be_let_in_and_is_marked(void **state)
{
    (void)state;
    struct ident *old =
        fixture_make("exp", device_ca,
                     &(struct cert_spec){.cn = "old", .eku = "clientAuth", .from = -9 * DAY, .to = -DAY});
    struct tls_config sc = server_config(), cc = client_config();
    sc.accept_expired_peer = true;
    cc.cert_file = old->cert_file, cc.key_file = old->key_file;
    cc.accept_expired_own = true;
    struct pair p;
    pair_between(&p, &sc, &cc, "localhost");
    assert_shaken(&p);
    assert_true(tls_conn_info(p.server)->peer.present);
    assert_true(tls_conn_info(p.server)->peer.expired);
    assert_true(tls_conn_info(p.server)->peer.not_after < (int64_t)time(NULL));
    pair_close(&p);
    cc = client_config();
    pair_between(&p, &sc, &cc, "localhost");
    assert_shaken(&p);
    assert_false(tls_conn_info(p.server)->peer.expired);
    pair_close(&p);
    /* Every other check stays: an expired one of another root, one for another use, an expired root. */
    struct ident *alien =
        fixture_make("exp-alien", server_ca,
                     &(struct cert_spec){.cn = "old", .eku = "clientAuth", .from = -9 * DAY, .to = -DAY});
    foreign_is_refused(&sc, alien, NULL, NULL, 0, "untrusted CA");
    struct ident *usage =
        fixture_make("exp-eku", device_ca,
                     &(struct cert_spec){.cn = "old", .eku = "serverAuth", .from = -9 * DAY, .to = -DAY});
    foreign_is_refused(&sc, usage, NULL, NULL, 0, "clientAuth");
    struct ident *old_ca = fixture_make(
        "exp-ca", NULL, &(struct cert_spec){.cn = "Old CA", .ca = true, .from = -9 * DAY, .to = -DAY});
    struct ident *child =
        fixture_make("exp-child", old_ca, &(struct cert_spec){.cn = "child", .eku = "clientAuth"});
    sc.ca_file = old_ca->cert_file;
    foreign_is_refused(&sc, child, NULL, NULL, 0, "CA certificate (CN=Old CA) expired");
}

static void a_clock_that_is_behind_believes_the_floor(void **state)
{
    (void)state;
    struct ident *early =
        fixture_make("floor", server_ca,
                     &(struct cert_spec){
                         .cn = "s", .san = "DNS:localhost", .eku = "serverAuth", .from = DAY, .to = 9 * DAY});
    struct tls_config sc = server_config(), cc = client_config();
    sc.cert_file = early->cert_file, sc.key_file = early->key_file;
    sc.clock_floor = cc.clock_floor = (int64_t)time(NULL) + 3600;
    struct pair p;
    pair_between(&p, &sc, &cc, "localhost");
    assert_shaken(&p);
    pair_close(&p);
    cc.clock_floor = (int64_t)time(NULL) + 20 * DAY;
    pair_between(&p, &sc, &cc, "localhost");
    assert_int_equal(p.client_step, TLS_FAILED);
    assert_says(p.client_err.text, "the server's certificate (CN=s) expired");
    pair_close(&p);
}

static void chains_and_bundles(void **state)
{
    (void)state;
    struct ident *middle = fixture_make("middle", device_ca, &(struct cert_spec){.cn = "Middle", .ca = true});
    struct ident *leaf = fixture_make("leaf", middle, &(struct cert_spec){.cn = "leaf", .eku = "clientAuth"});
    struct tls_config sc = server_config(), cc = client_config();
    cc.cert_file = fixture_concat("leaf-chain.pem", leaf->cert_file, middle->cert_file);
    cc.key_file = leaf->key_file;
    sc.ca_file = fixture_concat("roots.pem", server_ca->cert_file, device_ca->cert_file); /* root roll-over */
    struct pair p;
    pair_between(&p, &sc, &cc, "localhost");
    assert_shaken(&p);
    assert_string_equal(tls_conn_info(p.server)->peer.common_name, "leaf");
    pair_close(&p);
    cc.cert_file = leaf->cert_file; /* without the one between, the chain does not reach the root */
    pair_between(&p, &sc, &cc, "localhost");
    assert_int_equal(p.server_step, TLS_FAILED);
    assert_says(p.server_err.text, "(CN=leaf) was issued by an untrusted CA (CN=Middle)");
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_is_refused_for_its_certificate),
        cmocka_unit_test(a_foreign_client_is_refused_with_the_reason),
        cmocka_unit_test(a_client_key_that_is_not_its_certificates),
        cmocka_unit_test(a_server_is_refused_for_its_certificate),
        cmocka_unit_test(optional_and_no_client_certificates),
        cmocka_unit_test(an_expired_peer_may_be_let_in_and_is_marked),
        cmocka_unit_test(a_clock_that_is_behind_believes_the_floor),
        cmocka_unit_test(chains_and_bundles),
    };
    return cmocka_run_group_tests(tests, fixture_group_start, fixture_group_stop);
}
