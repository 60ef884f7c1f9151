/* Certificates remembered as verified. What is planted into the store shows whether it is believed. */
#include "tls/verified.h"

#include <time.h>

#include "tls/tls_impl.h"
#include "tls_test.h"

#define PLANTED "planted"

struct rig {
    struct tls_verified *store;
    struct tls_ctx *server, *client;
    unsigned char fingerprint[SHA256_SIZE];
    struct tls_proof proof; /* as the first handshake left it */
};

static void visit(struct rig *r, struct tls_peer *peer)
{
    struct pair p;
    pair_open(&p, r->server, r->client, "localhost");
    assert_shaken(&p);
    *peer = tls_conn_info(p.server)->peer;
    pair_close(&p);
}

static void rig_make(struct rig *r, bool accept_expired)
{
    struct err e;
    struct tls_peer peer;
    assert_int_equal(tls_verified_new(10, &r->store, &e), 0);
    struct tls_config sc = server_config(), cc = client_config();
    sc.verified = r->store;
    sc.accept_expired_peer = accept_expired;
    r->server = make_ctx(&sc);
    r->client = make_ctx(&cc);
    visit(r, &peer);
    assert_string_equal(peer.common_name, "dev-1");
    assert_int_equal(tls_verified_count(r->store), 1);
    assert_int_equal(hex_decode(str_of(peer.fingerprint), r->fingerprint, sizeof r->fingerprint), 0);
    assert_true(tls_verified_find(r->store, r->server->rules->scope, r->fingerprint, &r->proof));
}

static void rig_free(struct rig *r)
{
    tls_ctx_free(r->server);
    tls_ctx_free(r->client);
    tls_verified_free(r->store);
}

/* Whether the next handshake believes what the store says. */
static bool believes(struct rig *r, struct tls_proof p, const unsigned char *scope)
{
    struct tls_peer peer;
    snprintf(p.peer.common_name, sizeof p.peer.common_name, PLANTED);
    tls_verified_keep(r->store, scope != NULL ? scope : r->server->rules->scope, &p);
    visit(r, &peer);
    return strcmp(peer.common_name, PLANTED) == 0;
}

static void what_was_verified_is_remembered(void **state)
{
    (void)state;
    struct rig r;
    struct tls_proof found;
    int64_t now = (int64_t)time(NULL);
    rig_make(&r, false);
    assert_in_range(r.proof.verified_at, now - 60, now + 1);
    assert_true(r.proof.not_before < now);
    assert_true(r.proof.issuers_until > now);
    assert_string_equal(r.proof.peer.serial, "beef");
    assert_true(believes(&r, r.proof, NULL));
    /* Nobody else's. */
    r.fingerprint[0] ^= 1;
    assert_false(tls_verified_find(r.store, r.server->rules->scope, r.fingerprint, &found));
    rig_free(&r);
}

static void times_are_looked_at_each_time(void **state)
{
    (void)state;
    int64_t now = (int64_t)time(NULL);
    struct rig r;
    rig_make(&r, false);
    struct tls_proof p = r.proof;
    p.peer.not_after = now - 10;
    assert_false(believes(&r, p, NULL));
    p = r.proof;
    p.issuers_until = now - 10;
    assert_false(believes(&r, p, NULL));
    p = r.proof;
    p.not_before = now + 1000;
    assert_false(believes(&r, p, NULL));
    p = r.proof;
    p.verified_at = now + 1000; /* the clock went back */
    assert_false(believes(&r, p, NULL));
    /* What was verified anew is remembered as it is. */
    assert_true(tls_verified_find(r.store, r.server->rules->scope, r.fingerprint, &p));
    assert_string_equal(p.peer.common_name, "dev-1");
    rig_free(&r);
}

static void an_expired_one_stays_marked(void **state)
{
    (void)state;
    struct rig r;
    struct tls_peer peer;
    rig_make(&r, true);
    struct tls_proof p = r.proof;
    p.peer.not_after = (int64_t)time(NULL) - 10;
    assert_true(believes(&r, p, NULL));
    visit(&r, &peer);
    assert_true(peer.expired);
    rig_free(&r);
}

static void other_roots_or_rules_do_not_believe_it(void **state)
{
    (void)state;
    static const unsigned char other[SHA256_SIZE] = {1};
    struct rig r;
    rig_make(&r, false);
    assert_false(believes(&r, r.proof, other));
    struct tls_config sc = server_config();
    sc.verified = r.store;
    sc.sig = "mldsa65,mldsa44";
    struct tls_ctx *before = r.server;
    r.server = make_ctx(&sc);
    assert_false(believes(&r, r.proof, before->rules->scope));
    tls_ctx_free(before);
    rig_free(&r);
}

static void the_store_is_bounded(void **state)
{
    (void)state;
    struct tls_verified *v = NULL;
    struct err e;
    assert_int_equal(tls_verified_new(0, &v, &e), ERR_INVALID);
    assert_int_equal(tls_verified_new(100000000, &v, &e), ERR_INVALID);
    assert_int_equal(tls_verified_new(8, &v, &e), 0);
    static const unsigned char scope[SHA256_SIZE];
    for (unsigned i = 0; i < 100; i++) {
        struct tls_proof p = {.peer = {.present = true}};
        for (unsigned k = 0; k < SHA256_SIZE; k++)
            snprintf(p.peer.fingerprint + (size_t)2 * k, 3, "%02x", (i * 37 + k) & 0xff);
        snprintf(p.peer.issuer, sizeof p.peer.issuer, "%s", p.peer.fingerprint);
        tls_verified_keep(v, scope, &p);
    }
    assert_int_equal(tls_verified_count(v), 8);
    tls_verified_free(v);
    tls_verified_free(NULL);
    struct tls_config cc = client_config();
    assert_int_equal(tls_verified_new(8, &v, &e), 0);
    cc.verified = v;
    struct tls_ctx *ctx = NULL;
    assert_int_equal(tls_ctx_new(&cc, &ctx, &e), ERR_INVALID);
    assert_says(e.text, "for servers");
    tls_verified_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_verified_is_remembered),
        cmocka_unit_test(times_are_looked_at_each_time),
        cmocka_unit_test(an_expired_one_stays_marked),
        cmocka_unit_test(other_roots_or_rules_do_not_believe_it),
        cmocka_unit_test(the_store_is_bounded),
    };
    return cmocka_run_group_tests(tests, fixture_group_start, fixture_group_stop);
}
