/* What the console's listener says to browsers, and from which pages it takes changes. */
#include "server/console.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/message.h"

static bool own(const char *host, const char *origin)
{
    struct http_request req;
    http_request_init(&req);
    struct http_header rows[2];
    size_t n = 0;
    if (host != NULL)
        rows[n++] = (struct http_header){.name = STR("Host"), .value = str_of(host)};
    if (origin != NULL)
        rows[n++] = (struct http_header){.name = STR("Origin"), .value = str_of(origin)};
    memcpy(req.headers, rows, n * sizeof rows[0]);
    req.header_count = n;
    return console_is_own_page(&req);
}

static void only_pages_of_this_very_place(void **state)
{
    (void)state;
    assert_true(own("ota.example:8444", "https://ota.example:8444"));
    assert_true(own("OTA.example:8444", "https://ota.EXAMPLE:8444"));
    assert_true(own("[::1]:8444", "https://[::1]:8444"));
    static const char *const others[] = {"http://ota.example:8444",
                                         "https://ota.example",
                                         "https://ota.example:84440",
                                         "https://ota.example:8444.evil.io",
                                         "https://evil.io",
                                         "https://sub.ota.example:8444",
                                         "https://ota.example:8444/",
                                         "https://ota.example:8444 ",
                                         "null",
                                         "",
                                         "https://",
                                         "ota.example:8444"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (own("ota.example:8444", others[i]))
            fail_msg("\"%s\" is taken for the console", others[i]);
    assert_false(own("ota.example:8444", NULL));
    assert_false(own(NULL, NULL));
    assert_false(own(NULL, "https://ota.example:8444"));
}

static void a_host_that_is_too_long_is_none(void **state)
{
    (void)state;
    char host[1024], origin[1100] = "https://";
    memset(host, 'a', sizeof host - 1);
    host[sizeof host - 1] = '\0';
    strcat(origin, host);
    assert_false(own(host, origin));
    host[400] = '\0';
    origin[8 + 400] = '\0';
    assert_true(own(host, origin));
}

static void the_cookie(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a, 4096);
    assert_string_equal(console_cookie(&a, "abc", 3600),
                        "__Host-pqota=abc; Path=/; Max-Age=3600; Secure; HttpOnly; SameSite=Strict");
    assert_string_equal(console_cookie(&a, NULL, 3600),
                        "__Host-pqota=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict");
}

static bool has_path(const char *path, unsigned who, enum http_method method, enum face face)
{
    const struct route row = {.method = method, .path = path, .who = (enum who)who};
    const struct route_table table = {.rows = &row, .count = 1, .face = face};
    return console_has(&table, &row);
}

static bool has(unsigned who, enum http_method method, enum face face)
{
    return has_path("/x", who, method, face);
}

static void what_devices_alone_use_is_not_there(void **state)
{
    (void)state;
    assert_true(has(WHO_READERS, HTTP_GET, FACE_NATIVE));
    assert_true(has(WHO_ADMIN, HTTP_POST, FACE_NATIVE));
    assert_true(has(WHO_DEVICE | WHO_READERS, HTTP_GET, FACE_NATIVE));
    assert_true(has(WHO_ANYONE, HTTP_POST, FACE_CONSOLE));
    assert_false(has(WHO_DEVICE, HTTP_GET, FACE_NATIVE));
    assert_false(has(WHO_DEVICE | WHO_EXPIRED, HTTP_POST, FACE_NATIVE));
    assert_false(has(WHO_ANYONE, HTTP_POST, FACE_NATIVE)); /* enrolment */
    assert_false(has(WHO_ANYONE | WHO_READERS, HTTP_POST, FACE_NATIVE));
    assert_false(has(WHO_ANYONE | WHO_DEVICE | WHO_READERS, HTTP_GET, FACE_NATIVE));
    assert_false(has_path("/tuf/image/targets/{}/{}/{}/{}", WHO_DEVICE | WHO_READERS, HTTP_GET, FACE_NATIVE));
    assert_false(has_path("/pki/x", WHO_READERS, HTTP_GET, FACE_NATIVE));
    assert_true(has_path("/pki/x", WHO_READERS, HTTP_GET, FACE_CONSOLE));
    assert_true(has_path("/openapi.json", WHO_ANYONE | WHO_READERS, HTTP_GET, FACE_NATIVE));
    assert_false(has(WHO_ANYONE | WHO_LOCAL, HTTP_GET, FACE_NATIVE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_pages_of_this_very_place),
        cmocka_unit_test(a_host_that_is_too_long_is_none),
        cmocka_unit_test(the_cookie),
        cmocka_unit_test(what_devices_alone_use_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
