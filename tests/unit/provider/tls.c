/* TLS 1.3 handshakes in memory with each group: our provider on one side, on the other, on both. */
#include "fixture.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

static X509 *certificate;
static EVP_PKEY *certificate_key;

static int make_certificate(void **state)
{
    start(state);
    certificate_key = EVP_PKEY_Q_keygen(libctx, NULL, "EC", "P-256");
    certificate = X509_new_ex(libctx, NULL);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, certificate_key);
    return X509_sign(certificate, certificate_key, EVP_sha256()) > 0 ? 0 : 1;
}

static int forget_certificate(void **state)
{
    X509_free(certificate);
    EVP_PKEY_free(certificate_key);
    return stop(state);
}

/* Two ends, and what either wrote that the other has not read. */
struct pair {
    SSL_CTX *server_ctx, *client_ctx;
    SSL *server, *client;
    BIO *to_server, *to_client;
};

static void pair_start(struct pair *p, const char *server_propq, const char *client_propq, const char *groups)
{
    p->server_ctx = SSL_CTX_new_ex(libctx, server_propq, TLS_server_method());
    p->client_ctx = SSL_CTX_new_ex(libctx, client_propq, TLS_client_method());
    assert_non_null(p->server_ctx);
    assert_non_null(p->client_ctx);
    assert_int_equal(SSL_CTX_use_certificate(p->server_ctx, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(p->server_ctx, certificate_key), 1);
    assert_int_equal(SSL_CTX_set1_groups_list(p->server_ctx, groups), 1);
    assert_int_equal(SSL_CTX_set1_groups_list(p->client_ctx, groups), 1);
    p->server = SSL_new(p->server_ctx);
    p->client = SSL_new(p->client_ctx);
    p->to_server = BIO_new(BIO_s_mem());
    p->to_client = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(p->to_server, -1);
    BIO_set_mem_eof_return(p->to_client, -1);
    BIO_up_ref(p->to_server);
    BIO_up_ref(p->to_client);
    SSL_set_bio(p->server, p->to_server, p->to_client);
    SSL_set_bio(p->client, p->to_client, p->to_server);
    SSL_set_accept_state(p->server);
    SSL_set_connect_state(p->client);
    /* set_bio takes one reference of each on each side. */
    BIO_up_ref(p->to_server);
    BIO_up_ref(p->to_client);
}

static void pair_stop(struct pair *p)
{
    SSL_free(p->server);
    SSL_free(p->client);
    BIO_free(p->to_server);
    BIO_free(p->to_client);
    SSL_CTX_free(p->server_ctx);
    SSL_CTX_free(p->client_ctx);
}

static bool shake(struct pair *p)
{
    int server = 0, client = 0;
    for (int i = 0; i < 20 && (server != 1 || client != 1); i++) {
        client = SSL_do_handshake(p->client);
        if (client != 1 && SSL_get_error(p->client, client) != SSL_ERROR_WANT_READ)
            return false;
        server = SSL_do_handshake(p->server);
        if (server != 1 && SSL_get_error(p->server, server) != SSL_ERROR_WANT_READ)
            return false;
    }
    return server == 1 && client == 1;
}

static void talk(struct pair *p)
{
    char got[6] = "";
    assert_int_equal(SSL_write(p->client, "hello", 5), 5);
    assert_int_equal(SSL_read(p->server, got, 5), 5);
    assert_string_equal(got, "hello");
}

static void a_handshake_with_each_group(void **state)
{
    static const struct {
        const char *server, *client;
    } rows[] = {{OURS, THEIRS}, {THEIRS, OURS}, {OURS, OURS}};
    (void)state;
    for (size_t k = 0; k < KINDS; k++)
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            struct pair p;
            int encapsulated = counts.encapsulated, decapsulated = counts.decapsulated;
            bool server_ours = strcmp(rows[i].server, OURS) == 0,
                 client_ours = strcmp(rows[i].client, OURS) == 0;
            pair_start(&p, rows[i].server, rows[i].client, kinds[k].group);
            if (!shake(&p)) {
                ERR_print_errors_fp(stderr);
                fail_msg("%s, server %s, client %s", kinds[k].group, rows[i].server, rows[i].client);
            }
            talk(&p);
            assert_string_equal(SSL_get0_group_name(p.server), kinds[k].group);
            assert_string_equal(SSL_get0_group_name(p.client), kinds[k].group);
            /* OpenSSL falls back to its own without a word: who was asked, and whose the kept share is. */
            assert_int_equal(counts.encapsulated - encapsulated, server_ours);
            assert_int_equal(counts.decapsulated - decapsulated, client_ours);
            EVP_PKEY *peer = NULL;
            assert_int_equal(SSL_get_peer_tmp_key(p.server, &peer), 1);
            if (server_ours)
                assert_ours(peer);
            else
                assert_theirs(peer);
            EVP_PKEY_free(peer);
            pair_stop(&p);
        }
}

/* A client's first flight, with the key share changed, to a server of ours: what alert comes back, or -1. */
static int alert_for(const struct kind *kind, size_t at, unsigned char value)
{
    struct pair p;
    char *flight;
    pair_start(&p, OURS, THEIRS, kind->group);
    assert_int_not_equal(SSL_do_handshake(p.client), 1);
    long n = BIO_get_mem_data(p.to_server, &flight);
    const unsigned char head[] = {(unsigned char)(kind->code_point >> 8), (unsigned char)kind->code_point,
                                  (unsigned char)(kind->public_size >> 8), (unsigned char)kind->public_size};
    const unsigned char *share = memmem(flight, (size_t)n, head, sizeof head);
    assert_non_null(share);
    /* The two bytes of a coefficient that is not reduced, or a byte of the point. */
    size_t offset = (size_t)(share - (unsigned char *)flight) + sizeof head + at;
    flight[offset] = (char)value;
    if (value == 0xff)
        flight[offset + 1] = (char)value;
    ERR_clear_error();
    int result = SSL_do_handshake(p.server), alert = -1;
    if (result != 1 && SSL_get_error(p.server, result) == SSL_ERROR_SSL) {
        n = BIO_get_mem_data(p.to_client, &flight);
        /* A record of type 21, of two bytes. */
        if (n >= 7 && flight[n - 7] == 21)
            alert = flight[n - 1];
    }
    ERR_clear_error();
    pair_stop(&p);
    return alert;
}

#define ILLEGAL_PARAMETER 47

static void a_bad_share_is_an_illegal_parameter(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        assert_int_equal(alert_for(&kinds[k], kinds[k].mlkem_at, 0xff), ILLEGAL_PARAMETER);
        if (kinds[k].curve) {
            assert_int_equal(alert_for(&kinds[k], 0, 0x02), ILLEGAL_PARAMETER);
            assert_int_equal(alert_for(&kinds[k], 0, 0x06), ILLEGAL_PARAMETER);
            assert_int_equal(alert_for(&kinds[k], 0, 0x00), ILLEGAL_PARAMETER);
        }
    }
}

/* ---- the capability ---- */

struct group {
    char name[40], algorithm[40];
    unsigned id, security_bits, is_kem;
    int min_tls, max_tls, min_dtls, max_dtls;
};

struct groups {
    struct group row[64];
    size_t n;
};

static int take_group(const OSSL_PARAM *params, void *arg)
{
    struct groups *all = arg;
    struct group g;
    memset(&g, 0, sizeof g); /* they are compared as they lie */
    char *name = g.name, *algorithm = g.algorithm, internal[40] = "", *internal_at = internal;
    const struct {
        const char *name;
        char **value;
    } texts[] = {{OSSL_CAPABILITY_TLS_GROUP_NAME, &name},
                 {OSSL_CAPABILITY_TLS_GROUP_ALG, &algorithm},
                 {OSSL_CAPABILITY_TLS_GROUP_NAME_INTERNAL, &internal_at}};
    const struct {
        const char *name;
        unsigned *value;
    } numbers[] = {{OSSL_CAPABILITY_TLS_GROUP_ID, &g.id},
                   {OSSL_CAPABILITY_TLS_GROUP_SECURITY_BITS, &g.security_bits},
                   {OSSL_CAPABILITY_TLS_GROUP_IS_KEM, &g.is_kem}};
    const struct {
        const char *name;
        int *value;
    } versions[] = {{OSSL_CAPABILITY_TLS_GROUP_MIN_TLS, &g.min_tls},
                    {OSSL_CAPABILITY_TLS_GROUP_MAX_TLS, &g.max_tls},
                    {OSSL_CAPABILITY_TLS_GROUP_MIN_DTLS, &g.min_dtls},
                    {OSSL_CAPABILITY_TLS_GROUP_MAX_DTLS, &g.max_dtls}};
    for (size_t i = 0; i < 3; i++) {
        const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, texts[i].name);
        assert_int_equal(OSSL_PARAM_get_utf8_string(p, texts[i].value, sizeof g.name), 1);
        p = OSSL_PARAM_locate_const(params, numbers[i].name);
        assert_int_equal(OSSL_PARAM_get_uint(p, numbers[i].value), 1);
    }
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(
            OSSL_PARAM_get_int(OSSL_PARAM_locate_const(params, versions[i].name), versions[i].value), 1);
    assert_true(all->n < sizeof all->row / sizeof all->row[0]);
    all->row[all->n++] = g;
    return 1;
}

/* libssl goes by what the first provider says of a group, whoever's keys it then fetches. */
static void groups_are_openssls(void **state)
{
    struct groups ours = {.n = 0}, theirs = {.n = 0};
    (void)state;
    struct world w;
    world_start(&w);
    assert_int_equal(OSSL_PROVIDER_get_capabilities(w.ours, "TLS-GROUP", take_group, &ours), 1);
    assert_int_equal(OSSL_PROVIDER_get_capabilities(w.theirs, "TLS-GROUP", take_group, &theirs), 1);
    assert_int_equal(ours.n, KINDS);
    for (size_t k = 0; k < KINDS; k++) {
        const struct group *mine = NULL, *other = NULL;
        for (size_t i = 0; i < ours.n; i++)
            if (strcmp(ours.row[i].name, kinds[k].group) == 0)
                mine = &ours.row[i];
        for (size_t i = 0; i < theirs.n; i++)
            if (strcmp(theirs.row[i].name, kinds[k].group) == 0)
                other = &theirs.row[i];
        assert_non_null(mine);
        assert_non_null(other);
        assert_int_equal(mine->id, kinds[k].code_point);
        assert_memory_equal(mine, other, sizeof *mine);
    }
    world_stop(&w);
}

/* What is only in one provider cannot be demanded of all: OpenSSL says so, and nothing is used instead. */
static void a_demand_instead_of_a_preference_fails(void **state)
{
    (void)state;
    ERR_clear_error();
    assert_null(SSL_CTX_new_ex(libctx, "provider=pqlattice", TLS_method()));
    assert_true(ERR_peek_error() != 0);
    ERR_clear_error();
}

static void a_demand_without_the_provider_fails(void **state)
{
    (void)state;
    OSSL_LIB_CTX *without = OSSL_LIB_CTX_new();
    for (size_t k = 0; k < KINDS; k++) {
        EVP_PKEY *key = EVP_PKEY_Q_keygen(without, "provider=pqlattice", kinds[k].name);
        assert_refused(key, "unsupported");
        /* Where it is only preferred, OpenSSL's own is used: whoever wants to know has to ask. */
        key = EVP_PKEY_Q_keygen(without, OURS, kinds[k].name);
        assert_non_null(key);
        assert_theirs(key);
        EVP_PKEY_free(key);
    }
    OSSL_LIB_CTX_free(without);
    ERR_clear_error();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_with_each_group),
        cmocka_unit_test(a_bad_share_is_an_illegal_parameter),
        cmocka_unit_test(groups_are_openssls),
        cmocka_unit_test(a_demand_instead_of_a_preference_fails),
        cmocka_unit_test(a_demand_without_the_provider_fails),
    };
    return cmocka_run_group_tests(tests, make_certificate, forget_certificate);
}
