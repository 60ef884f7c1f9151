/* The Authorization field as clients send it, and as they must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"
#include "http/basic.h"

static int read_field(struct arena *a, const char *field, struct str *name, struct str *password)
{
    struct http_request req = {.header_count = 0};
    struct err e = {0};
    if (field != NULL)
        req.headers[req.header_count++] =
            (struct http_header){.name = STR("authoriZation"), .value = str_of(field)};
    return basic_read(&req, a, name, password, &e);
}

static void reads_name_and_password(void **state)
{
    (void)state;
    static const struct {
        const char *field, *name, *password;
    } good[] = {
        /* The examples of RFC 7617, sections 2 and 2.1. */
        {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"},
        {"Basic dGVzdDoxMjPCow==", "test", "123\xc2\xa3"},
        {"bAsIc dGVzdDoxMjPCow==", "test", "123\xc2\xa3"},
        {"Basic  dGVzdDoxMjPCow== ", "test", "123\xc2\xa3"},
        {"Basic YTpiOmM6", "a", "b:c:"},
        {"Basic YTo=", "a", ""},
        {"Basic OmI=", "", "b"},
        {"Basic Og==", "", ""},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        auto_arena struct arena a;
        arena_init(&a, 65536);
        struct str name, password;
        assert_int_equal(read_field(&a, good[i].field, &name, &password), 1);
        assert_string_equal(name.p, good[i].name);
        assert_string_equal(password.p, good[i].password);
        assert_int_equal(name.n, strlen(good[i].name));
        assert_int_equal(password.n, strlen(good[i].password));
    }
}

static void other_schemes_are_none_of_ours(void **state)
{
    (void)state;
    static const char *const others[] = {
        NULL, "", "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "TargetToken", "Basically", "Basica YTpi"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        auto_arena struct arena a;
        arena_init(&a, 65536);
        struct str name, password;
        assert_int_equal(read_field(&a, others[i], &name, &password), 0);
    }
}

static void what_is_malformed_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "Basic", /* nothing */
        "Basic ",
        "Basic !!!!",
        "Basic YTpi YTpi", /* two */
        "Basic YTpiCg",    /* no padding */
        "Basic YWJj",      /* no colon */
        "Basic YTpiCg==",  /* a new line at the end */
        "Basic YQA6Yg==",  /* a zero in the name */
        "Basic YTpiAA==",  /* in the password */
        "Basic YTqABw==",  /* no UTF-8 */
        "Basic YTpiCQ==",  /* a tabulator */
        "Basic YTpifw==",  /* DEL */
        "Basic YTpi, Basic YTpi",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        auto_arena struct arena a;
        arena_init(&a, 65536);
        struct str name, password;
        int rc = read_field(&a, bad[i], &name, &password);
        if (rc != ERR_UNAUTHENTICATED && !(i == 0 && rc == 0))
            fail_msg("%s: %d", bad[i], rc);
    }
}

static void it_is_bounded_and_there_is_one(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a, 65536);
    struct str name, password;
    char text[BASIC_TEXT_MAX + 64], field[2 * BASIC_TEXT_MAX] = "Basic ";
    memset(text, 'x', sizeof text);
    text[10] = ':';
    base64_encode(text, BASIC_TEXT_MAX, field + 6);
    assert_int_equal(read_field(&a, field, &name, &password), 1);
    assert_int_equal(password.n, BASIC_TEXT_MAX - 11);
    base64_encode(text, BASIC_TEXT_MAX + 3, field + 6);
    assert_int_equal(read_field(&a, field, &name, &password), ERR_UNAUTHENTICATED);

    struct http_request req = {
        .headers = {{STR("Authorization"), STR("Bearer x")}, {STR("authorization"), STR("Basic YTpi")}},
        .header_count = 2};
    struct err e = {0};
    assert_int_equal(basic_read(&req, &a, &name, &password, &e), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_name_and_password),
        cmocka_unit_test(other_schemes_are_none_of_ours),
        cmocka_unit_test(what_is_malformed_is_refused),
        cmocka_unit_test(it_is_bounded_and_there_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
