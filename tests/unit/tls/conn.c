/* Handshakes between our own two sides, each refusal with its text, and what a connection carries. */
#include "tls_fixture.h"

#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tls/tls_impl.h"

static void assert_says(const struct err *e, const char *part)
{
    if (strstr(e->text, part) == NULL)
        fail_msg("the error \"%s\" does not say \"%s\"", e->text, part);
}

static void assert_done(const struct pair *p)
{
    if (p->server_step != TLS_DONE)
        fail_msg("server: %s", p->server_err.text);
    if (p->client_step != TLS_DONE)
        fail_msg("client: %s", p->client_err.text);
}

static void mutual_handshake_tells_who_is_there(void **state)
{
    (void)state;
    struct tls_config sc = server_config(), cc = client_config();
    struct tls_ctx *server = make_ctx(&sc), *client = make_ctx(&cc);
    struct pair p;
    pair_open(&p, server, client, "localhost");
    assert_done(&p);
    pair_talk(&p);
    assert_done(&p);
    const struct tls_info *si = tls_conn_info(p.server), *ci = tls_conn_info(p.client);
    assert_string_equal(si->group, "X25519MLKEM768");
    assert_string_equal(ci->group, "X25519MLKEM768");
    assert_string_equal(si->signature, "mldsa65");
    assert_string_equal(ci->signature, "mldsa65");
    assert_string_equal(si->peer_signature, "mldsa65");
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

static int start(void **state)
{
    (void)state;
    fixture_start();
    return 0;
}
static int stop(void **state)
{
    (void)state;
    fixture_stop();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutual_handshake_tells_who_is_there),
    };
    (void)assert_says;
    return cmocka_run_group_tests(tests, start, stop);
}
