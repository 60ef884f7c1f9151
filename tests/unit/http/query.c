#include "http/query.h"

#include "check.h"

static const struct {
    const char *query; /* NULL: none */
    const char *want;  /* of "a"; NULL: absent; "!" refused */
} rows[] = {
    {NULL, NULL},
    {"", NULL},
    {"b=1", NULL},
    {"a=1", "1"},
    {"a", ""},
    {"a=", ""},
    {"x=1&a=2&y=3", "2"},
    {"&&a=2&&", "2"},
    {"a=b=c", "b=c"},
    {"a=b+c%20d", "b c d"},
    {"%61=1", "1"},
    {"A=1", NULL},
    {"aa=1", NULL},
    {"=1", NULL},
    {"a%20=1", NULL},
    {"a=%C3%A4", "\xC3\xA4"},
    {"a=%2f%2B%26", "/+&"},
    {"a=1&a=2", "!"},
    {"a=1&%61=1", "!"},
    {"a&a", "!"},
    {"a=%", "!"},
    {"a=%4", "!"},
    {"a=%4g", "!"},
    {"a=%zz", "!"},
    {"a=%00", "!"},
    {"a=%0a", "!"},
    {"a=%09", "!"},
    {"a=%7f", "!"},
    {"a=%ff", "!"},
    {"a=%c3", "!"},
    {"b=%zz&a=1", "1"},
    {"%zz=1&a=1", "1"},
    {"%=1", NULL},
    {"a=%ed%a0%80", "!"},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        auto_arena struct arena a;
        arena_init(&a, 65536);
        struct http_request r = {.query = str_of(rows[i].query)};
        struct str got = STR("untouched");
        struct err e = {0};
        int rc = http_query_get(&r, "a", &a, &got, &e);
        const char *want = rows[i].want;
        bool ok;
        if (want == NULL)
            ok = rc == 0 && got.p == NULL && got.n == 0;
        else if (strcmp(want, "!") == 0)
            ok = rc == ERR_INVALID && str_is(got, "untouched") && e.text[0] != '\0';
        else
            ok = rc == 0 && got.p != NULL && str_is(got, want) && got.p[got.n] == '\0';
        if (!ok)
            fail_msg("%s: %d, \"%.*s\"", rows[i].query, rc, STR_ARG(got));
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a, 100);
    struct http_request r = {.query = STR("a=1")};
    struct str got = STR("untouched");
    struct err e;
    assert_int_equal(http_query_get(&r, "a", &a, &got, &e), ERR_NOMEM);
    assert_true(str_is(got, "untouched"));
}

static void test_plus_is_itself_in_a_path(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a, 65536);
    struct str got;
    assert_int_equal(http_unescape(STR("a+b%20c"), false, &a, &got), 0);
    assert_true(str_is(got, "a+b c"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_plus_is_itself_in_a_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
