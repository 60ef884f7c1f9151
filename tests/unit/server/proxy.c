#include "server/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SHA1 "0123456789abcdef0123456789ABCDEF01234567"

static struct proxy_says says;
static struct err e;

static struct http_request request_of(const char *const *fields)
{
    struct http_request r = {.method = HTTP_GET};
    for (; fields[0] != NULL; fields += 2)
        r.headers[r.header_count++] =
            (struct http_header){.name = str_of(fields[0]), .value = str_of(fields[1])};
    return r;
}

static int read_by(enum net_kind kind, const char *address, bool unix_proxy, const char *list,
                   const char *const *fields)
{
    const struct server_config c = {.unix_proxy = unix_proxy, .insecure_proxies = list};
    const struct http_request r = request_of(fields);
    struct net_peer peer = {.kind = kind};
    snprintf(peer.address, sizeof peer.address, "%s", address);
    e = (struct err){0};
    return proxy_read(&c, &peer, &r, true, &says, &e);
}

static int from_nginx(const char *const *fields)
{
    return read_by(NET_UNIX, "unix", true, "", fields);
}

#define FROM_NGINX(...) from_nginx((const char *const[]){__VA_ARGS__, NULL})

static void a_client_as_nginx_writes_it(void **state)
{
    (void)state;
    struct proxy_client c;
    assert_int_equal(proxy_client_parse(
                         STR("verify=SUCCESS; serial=00AB12; sha1=" SHA1 "; issuer=CN=a; b=c, O=x"), &c, &e),
                     0);
    assert_true(c.certificate);
    assert_string_equal(c.serial, "ab12");
    assert_string_equal(c.sha1, "0123456789abcdef0123456789abcdef01234567");
    assert_true(str_is(c.issuer, "CN=a; b=c, O=x"));
    assert_int_equal(proxy_client_parse(STR("verify=NONE; serial=; sha1=; issuer="), &c, &e), 0);
    assert_false(c.certificate);
    assert_int_equal(
        proxy_client_parse(
            STR("verify=FAILED:certificate has expired; serial=AB; sha1=" SHA1 "; issuer=CN=a"), &c, &e),
        ERR_UNAUTHENTICATED);
    assert_non_null(strstr(e.text, "certificate has expired"));
}

static void what_nginx_never_writes(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "verify=SUCCESS",
        "verify=SUCCESS; serial=; sha1=; issuer=",
        "verify=SUCCESS; serial=0; sha1=" SHA1 "; issuer=CN=a",
        "verify=SUCCESS; serial=-AB; sha1=" SHA1 "; issuer=CN=a",
        "verify=SUCCESS; serial=AG; sha1=" SHA1 "; issuer=CN=a",
        "verify=SUCCESS; serial=AB; sha1=" SHA1 "; issuer=",
        "verify=SUCCESS; serial=AB; sha1=" SHA1 "0; issuer=CN=a",
        "verify=SUCCESS; serial=AB; sha1=; issuer=CN=a",
        "verify=SUCCESS; serial=AB; sha1=xx" SHA1 "; issuer=CN=a",
        "verify=SUCCESS; sha1=" SHA1 "; serial=AB; issuer=CN=a",
        "verify=SUCCESS;serial=AB;sha1=" SHA1 ";issuer=CN=a",
        " verify=SUCCESS; serial=AB; sha1=" SHA1 "; issuer=CN=a",
        "verify=success; serial=AB; sha1=" SHA1 "; issuer=CN=a",
        "verify=NONE; serial=AB; sha1=; issuer=",
        "verify=NONE; serial=; sha1=; issuer=CN=a",
        "verify=; serial=; sha1=; issuer=",
        "verify=FAILED; serial=; sha1=; issuer=",
        "verify=NONE; serial=; sha1=; issuer",
        "verify=NONE; serial=;",
        "verify=NONE;",
    };
    struct proxy_client c, before;
    memset(&c, 7, sizeof c);
    before = c;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (proxy_client_parse(str_of(bad[i]), &c, &e) != ERR_INVALID)
            fail_msg("taken: %s", bad[i]);
    char longer[2048] = "verify=SUCCESS; serial=AB; sha1=" SHA1 "; issuer=";
    memset(longer + strlen(longer), 'x', 1100);
    assert_int_equal(proxy_client_parse(str_of(longer), &c, &e), ERR_INVALID);
    char serial[256];
    snprintf(serial, sizeof serial, "verify=SUCCESS; serial=%065d; sha1=" SHA1 "; issuer=x", 1);
    assert_int_equal(proxy_client_parse(str_of(serial), &before, &e), 0); /* zeros before it do not count */
    assert_string_equal(before.serial, "1");
    memset(serial + 23, 'A', 65);
    assert_int_equal(proxy_client_parse(str_of(serial), &c, &e), ERR_INVALID);
}

/* Every cut of a good one is either refused or has no certificate of another. */
static void cut_anywhere(void **state)
{
    (void)state;
    static const char good[] = "verify=SUCCESS; serial=AB12; sha1=" SHA1 "; issuer=CN=a";
    for (size_t n = 0; n < sizeof good - 1; n++) {
        char *exact = malloc(n + 1); /* so that a read past the end is seen */
        struct proxy_client c;
        assert_non_null(exact);
        memcpy(exact, good, n);
        int rc = proxy_client_parse((struct str){.p = exact, .n = n}, &c, &e);
        assert_true(rc == ERR_INVALID || n > strlen(good) - 4);
        free(exact);
    }
}

#define CLIENT "X_Pqota_Client", "verify=SUCCESS; serial=AB; sha1=" SHA1 "; issuer=CN=a"

static void who_is_believed(void **state)
{
    (void)state;
    static const char *const fields[] = {CLIENT,      "X-Real-IP",         "192.0.2.9", "X-Forwarded-Host",
                                         "evil.test", "X-Forwarded-Proto", "https",     NULL};
    static const struct {
        enum net_kind kind;
        const char *address, *list;
        bool unix_proxy, believed;
    } cases[] = {
        {NET_UNIX, "unix", "", true, true},
        {NET_UNIX, "unix", "", false, false},
        {NET_UNIX, "unix", "0.0.0.0/0", false, false},
        {NET_TLS, "127.0.0.1:4000", "0.0.0.0/0, ::/0", true, false},
        {NET_PLAIN, "127.0.0.1:4000", "", true, false},
        {NET_PLAIN, "127.0.0.1:4000", "127.0.0.1", false, true},
        {NET_PLAIN, "127.0.0.2:4000", "127.0.0.1", false, false},
        {NET_PLAIN, "10.1.2.3:4000", "192.0.2.1, 10.0.0.0/8", false, true},
        {NET_PLAIN, "11.1.2.3:4000", "192.0.2.1, 10.0.0.0/8", false, false},
        {NET_PLAIN, "10.1.2.127:4000", "10.1.2.0/25", false, true},
        {NET_PLAIN, "10.1.2.128:4000", "10.1.2.0/25", false, false},
        {NET_PLAIN, "[2001:db8::7]:4000", "2001:db8::/32", false, true},
        {NET_PLAIN, "[2001:db9::7]:4000", "2001:db8::/32", false, false},
        {NET_PLAIN, "[2001:db8::7]:4000", "0.0.0.0/0", false, false},
        {NET_PLAIN, "[::1]:4000", "::1", false, true},
        {NET_PLAIN, "1.2.3.4:4000", "0.0.0.0/0", false, true},
        {NET_PLAIN, "?", "0.0.0.0/0", false, false},
        {NET_PLAIN, "[", "::/0", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(read_by(cases[i].kind, cases[i].address, cases[i].unix_proxy, cases[i].list, fields),
                         0);
        if (says.believed != cases[i].believed)
            fail_msg("case %zu: %s %s", i, cases[i].address, cases[i].list);
        assert_int_equal(says.named, cases[i].believed);
        assert_string_equal(says.address, cases[i].believed ? "192.0.2.9" : "");
        assert_int_equal(says.host.n > 0, cases[i].believed);
    }
}

static void what_a_proxy_must_not_send(void **state)
{
    (void)state;
    assert_int_equal(FROM_NGINX(CLIENT, CLIENT), ERR_INVALID);
    assert_int_equal(FROM_NGINX(CLIENT, "x_pqota_client", "verify=NONE; serial=; sha1=; issuer="),
                     ERR_INVALID);
    assert_int_equal(FROM_NGINX("X_Pqota_Client", "admin"), ERR_INVALID);
    /* a proxy that passes everything on and does not say for whom would make everybody local */
    assert_int_equal(FROM_NGINX("X-Forwarded-For", "192.0.2.1"), ERR_INVALID);
    assert_int_equal(FROM_NGINX("X-Pqota-Client", "x", "X-Real-IP", "192.0.2.1"), ERR_INVALID);
    assert_int_equal(FROM_NGINX("Host", "localhost"), 0);
    assert_true(says.believed && !says.named);
}

static void addresses(void **state)
{
    (void)state;
    static const char *const good[] = {"192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"};
    static const char *const bad[] = {"",
                                      "192.0.2",
                                      "192.0.2.1:80",
                                      "localhost",
                                      "1.2.3.4, 5.6.7.8",
                                      "[::1]",
                                      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(FROM_NGINX(CLIENT, "X-Real-IP", good[i]), 0);
        assert_string_equal(says.address, good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(FROM_NGINX(CLIENT, "X-Real-IP", bad[i]), 0);
        assert_string_equal(says.address, "");
    }
    assert_int_equal(FROM_NGINX(CLIENT, "X-Real-IP", "192.0.2.1", "X-Real-IP", "192.0.2.2"), 0);
    assert_string_equal(says.address, "");
}

static const char *link_of(enum net_kind kind, const char *const *fields)
{
    static struct arena a;
    static struct exchange x;
    arena_fini(&a);
    arena_init(&a, 4096);
    struct net_peer peer = {.kind = kind};
    const struct server_config c = {.unix_proxy = true, .insecure_proxies = ""};
    x = (struct exchange){.peer = &peer, .req = request_of(fields)};
    assert_int_equal(proxy_read(&c, &peer, &x.req, true, &says, &e), 0);
    const char *url = proxy_base_url(&says, &x, &a);
    x.peer = NULL;
    return url;
}

#define LINK(kind, ...) link_of(kind, (const char *const[]){__VA_ARGS__, NULL})

static void links(void **state)
{
    (void)state;
    assert_string_equal(LINK(NET_TLS, "Host", "a.test:8443"), "https://a.test:8443");
    assert_string_equal(LINK(NET_PLAIN, "Host", "a.test"), "http://a.test");
    assert_string_equal(LINK(NET_TLS, "Host", "a'b"), "");
    assert_string_equal(LINK(NET_TLS, "X-Forwarded-Host", "evil.test", "Host", "a.test"), "https://a.test");
#define FORWARDED CLIENT, "Host", "b.test", "X-Forwarded-Proto", "https"
    assert_string_equal(LINK(NET_UNIX, FORWARDED), "https://b.test");
    assert_string_equal(LINK(NET_UNIX, FORWARDED, "X-Forwarded-Host", "a.test:8443"), "https://a.test:8443");
    assert_string_equal(LINK(NET_UNIX, FORWARDED, "X-Forwarded-Port", "8443"), "https://b.test:8443");
    assert_string_equal(LINK(NET_UNIX, FORWARDED, "X-Forwarded-Port", "443"), "https://b.test");
    assert_string_equal(LINK(NET_UNIX, FORWARDED, "X-Forwarded-Host", "a.test:1", "X-Forwarded-Port", "2"),
                        "https://a.test:1");
    assert_string_equal(LINK(NET_UNIX, FORWARDED, "X-Forwarded-Host", "[::1]", "X-Forwarded-Port", "8443"),
                        "https://[::1]:8443");
    assert_string_equal(LINK(NET_UNIX, FORWARDED, "X-Forwarded-Host", "[::1]:9", "X-Forwarded-Port", "8443"),
                        "https://[::1]:9");
    assert_string_equal(LINK(NET_UNIX, FORWARDED, "X-Forwarded-Port", "70000"), "https://b.test");
    assert_string_equal(LINK(NET_UNIX, FORWARDED, "X-Forwarded-Host", "a.test/x"), "");
    assert_string_equal(LINK(NET_UNIX, FORWARDED, "X-Forwarded-Host", "a", "X-Forwarded-Host", "b"), "");
    assert_string_equal(LINK(NET_UNIX, CLIENT, "Host", "b.test", "X-Forwarded-Proto", "gopher"),
                        "http://b.test");
    (void)LINK(NET_UNIX, CLIENT, "Host", "");
}

static int end(void **state)
{
    (void)state;
    (void)LINK(NET_TLS, "Host", "'"); /* gives the arena back */
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_as_nginx_writes_it),
        cmocka_unit_test(what_nginx_never_writes),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(who_is_believed),
        cmocka_unit_test(what_a_proxy_must_not_send),
        cmocka_unit_test(addresses),
        cmocka_unit_test(links),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
