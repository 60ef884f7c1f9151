/* By which scheme, host and port a request came: what proxies say of it, and what they cannot say. */
#include "server/links.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void came(bool tls, const char *scheme, const char *host, const char *port, const char *const *fields)
{
    struct http_request r = {.method = HTTP_GET};
    for (; fields[0] != NULL; fields += 2)
        r.headers[r.header_count++] =
            (struct http_header){.name = str_of(fields[0]), .value = str_of(fields[1])};
    struct came_by c = links_came_by(&r, tls);
    char got[1024], want[1024];
    snprintf(got, sizeof got, STR_FMT "|" STR_FMT "|" STR_FMT, STR_ARG(c.scheme), STR_ARG(c.host),
             STR_ARG(c.port));
    snprintf(want, sizeof want, "%s|%s|%s", scheme, host, port);
    assert_string_equal(got, want);
}

#define CAME(tls, scheme, host, port, ...)                                                                   \
    came(tls, scheme, host, port, (const char *const[]){__VA_ARGS__, NULL})

static void without_a_proxy(void **state)
{
    (void)state;
    CAME(false, "http", "a.example", "", "Host", "a.example");
    CAME(true, "https", "a.example", "8443", "host", "a.example:8443");
    CAME(true, "https", "a.example", "", "Host", "a.example:443");
    CAME(false, "http", "a.example", "443", "Host", "a.example:443");
    CAME(false, "http", "[::1]", "81", "Host", "[::1]:81");
    CAME(false, "http", "[::1]", "", "Host", "[::1]");
    CAME(false, "http", "", "", "X-Other", "x");
}

static void no_hosts(void **state)
{
    (void)state;
    static const char *const bad[] = {"",      ":80",    "a:",   "a:b",  "a:0",   "a:65536", "a:1:2",  "[::1",
                                      "[]",    "[::1]x", "[g]:", "a/b",  "a?b",   "a b",     "u@h",    "a\"b",
                                      "a%20b", "\xff",   "[a/]", "a\\b", "a:80 ", "[::1]:",  "a:0080x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CAME(false, "http", "", "", "Host", bad[i]);
    char longest[258];
    memset(longest, 'a', sizeof longest);
    longest[256] = '\0';
    CAME(false, "http", "", "", "Host", longest);
    longest[255] = '\0';
    CAME(false, "http", longest, "", "Host", longest);
}

static void x_forwarded(void **state)
{
    (void)state;
    CAME(false, "https", "a", "", "Host", "in:8080", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "a");
    CAME(false, "https", "a", "1", "Host", "in", "X-Forwarded-Proto", "HTTPS", "X-Forwarded-Host", "a:1");
    CAME(false, "https", "a", "2", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "a", "X-Forwarded-Port",
         "2");
    CAME(false, "https", "a", "1", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "a:1",
         "X-Forwarded-Port", "2");
    CAME(false, "https", "a", "", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "a", "X-Forwarded-Port",
         "443");
    CAME(true, "http", "a", "", "X-Forwarded-Proto", "http", "X-Forwarded-Host", "a", "X-Forwarded-Port",
         "80");
    CAME(false, "http", "a", "", "X-Forwarded-Host", " a , b:2", "X-Forwarded-Proto", " http ,https");
    CAME(false, "https", "in", "", "Host", "in:80", "X-Forwarded-Proto", "https", "X-Forwarded-Port", "443");
    /* What is none of these does not count. */
    CAME(false, "http", "in", "", "Host", "in", "X-Forwarded-Proto", "gopher", "X-Forwarded-Host", "a/b",
         "X-Forwarded-Port", "x");
    CAME(false, "http", "in", "", "Host", "in", "X-Forwarded-Port", "-1");
    CAME(false, "http", "in", "", "Host", "in", "X-Forwarded-Port", "000080");
}

static void forwarded(void **state)
{
    (void)state;
    CAME(false, "https", "a", "1", "Host", "in", "Forwarded", "for=1.2.3.4;proto=https;host=\"a:1\"");
    CAME(false, "https", "a", "", "Forwarded", " Host = x ; PROTO=https;HOST=a");
    CAME(false, "https", "a", "", "Host", "a", "Forwarded", "proto=https, proto=http;host=b");
    CAME(false, "https", "a", "", "Forwarded", "host=b;proto=http", "X-Forwarded-Host", "a",
         "X-Forwarded-Proto", "https");
    CAME(false, "http", "in", "", "Host", "in", "Forwarded", "host=\"");
    CAME(false, "http", "in", "", "Host", "in", "Forwarded", "host;proto");
    CAME(false, "http", "in", "", "Host", "in", "Forwarded", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_proxy),
        cmocka_unit_test(no_hosts),
        cmocka_unit_test(x_forwarded),
        cmocka_unit_test(forwarded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
