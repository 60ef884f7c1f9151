#include "base/json.h"

#include <stdlib.h>

#include "check.h"

#define S(text) {(text), sizeof(text) - 1}

static const struct {
    struct str text;
    bool ok;
} rows[] = {
    {S("{}"), true},
    {S(" {\"a\": [1, -2, 3.5e1, true, null, \"x\"]} \n"), true},
    {S("7"), true},
    {S("\"\\u00e4\\n\""), true},
    {S("{\"a\":1,\"b\":{\"a\":1}}"), true},
    {S("[{\"a\":1},{\"a\":1}]"), true},
    {S("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\""), true},
    {S("[\"\\\"[\",\"\\\\\"]"), true},
    {S(""), false},
    {S(" "), false},
    {S("{"), false},
    {S("{}{}"), false},
    {S("{} x"), false},
    {S("{\"a\":1,}"), false},
    {S("{'a':1}"), false},
    {S("{a:1}"), false},
    {S("[01]"), false},
    {S("[NaN]"), false},
    {S("[Infinity]"), false},
    {S("// c\n{}"), false},
    {S("/* c */{}"), false},
    {S("\"\xFF\""), false},
    {S("\"\xC0\x80\""), false},
    {S("\"\xED\xA0\x80\""), false},
    {S("\"\\ud800\""), false},
    {S("\"a\nb\""), false},
    {S("\"a\0b\""), false},
    {S("{}\0"), false},
    {S("\xEF\xBB\xBF{}"), false},
    {S("{\"a\":1,\"a\":2}"), false},
    {S("{\"a\":1,\"b\":2,\"\\u0061\":3}"), false},
    {S("[[{\"x\":{\"a\":1,\"b\":2,\"a\":1}}]]"), false},
    {S("{\"\":1,\"\":2}"), false},
    {S("]]]]"), false},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        auto_json yyjson_doc *doc = NULL;
        struct err e = {0};
        /* Of exactly its size, so that ASan sees a read past it. */
        char *text = malloc(rows[i].text.n > 0 ? rows[i].text.n : 1);
        assert_non_null(text);
        memcpy(text, rows[i].text.p, rows[i].text.n);
        int rc = json_parse((struct str){.p = text, .n = rows[i].text.n}, &doc, &e);
        free(text);
        if (rc != (rows[i].ok ? 0 : ERR_INVALID) || (doc != NULL) != rows[i].ok ||
            (rc != 0 && e.text[0] == '\0'))
            fail_msg("%.*s: %d %s", STR_ARG(rows[i].text), rc, e.text);
    }
}

static void nested(size_t depth, char open, char close, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < depth; i++) {
        out[n++] = open;
        if (open == '{' && i + 1 < depth)
            n += (size_t)snprintf(out + n, 5, "\"a\":");
    }
    for (size_t i = 0; i < depth; i++)
        out[n++] = close;
    out[n] = '\0';
}

static void test_depth(void **state)
{
    (void)state;
    for (int objects = 0; objects < 2; objects++)
        for (size_t depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 2; depth++) {
            char text[2048];
            nested(depth, objects ? '{' : '[', objects ? '}' : ']', text);
            auto_json yyjson_doc *doc = NULL;
            assert_int_equal(json_parse(str_of(text), &doc, NULL), depth <= JSON_DEPTH_MAX ? 0 : ERR_INVALID);
        }
    /* Closings at the front do not buy more openings. */
    auto_json yyjson_doc *doc = NULL;
    char text[2048] = "]]]]]]]]";
    nested(JSON_DEPTH_MAX + 8, '[', ']', text + 8);
    assert_int_equal(json_parse(str_of(text), &doc, NULL), ERR_INVALID);
}

static void test_object_wanted(void **state)
{
    (void)state;
    auto_json yyjson_doc *doc = NULL;
    struct err e;
    assert_int_equal(json_parse_object(STR("[]"), &doc, &e), ERR_INVALID);
    assert_null(doc);
    assert_int_equal(json_parse_object(STR("{}"), &doc, &e), 0);
    assert_non_null(doc);
}

static void test_many_names(void **state)
{
    (void)state;
    size_t size = 200000, n = 0;
    char *text = malloc(size);
    assert_non_null(text);
    text[n++] = '{';
    for (int i = 0; i < 10000; i++)
        n += (size_t)snprintf(text + n, size - n, "%s\"k%d\":1", i > 0 ? "," : "", i);
    auto_json yyjson_doc *doc = NULL;
    size_t without = n + (size_t)snprintf(text + n, size - n, "}");
    assert_int_equal(json_parse((struct str){text, without}, &doc, NULL), 0);
    struct err e;
    auto_json yyjson_doc *twice = NULL;
    n += (size_t)snprintf(text + n, size - n, ",\"k5000\":1}");
    assert_int_equal(json_parse((struct str){text, n}, &twice, &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "k5000"));
    free(text);
}

static void test_get_str(void **state)
{
    (void)state;
    auto_json yyjson_doc *doc = NULL;
    struct str s = STR("old");
    struct err e;
    assert_int_equal(
        json_parse(STR("{\"s\":\"abc\",\"e\":\"\",\"z\":null,\"i\":1,\"c\":\"a\\u0001\",\"n\":\"a\\u0000b\","
                       "\"k\":\"a\\u001b\"}"),
                   &doc, NULL),
        0);
    yyjson_val *o = yyjson_doc_get_root(doc);
    assert_int_equal(json_get_str(o, "s", 3, &s, &e), 0);
    assert_true(str_is(s, "abc"));
    assert_int_equal(json_get_str(o, "s", 2, &s, &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "\"s\""));
    assert_int_equal(json_get_str(o, "i", 9, &s, &e), ERR_INVALID);
    assert_int_equal(json_get_str(o, "c", 9, &s, &e), ERR_INVALID);
    assert_int_equal(json_get_str(o, "n", 9, &s, &e), ERR_INVALID);
    assert_int_equal(json_get_str(o, "k", 9, &s, &e), ERR_INVALID);
    assert_true(str_is(s, "abc")); /* untouched */
    assert_int_equal(json_get_str(o, "e", 9, &s, &e), 0);
    assert_true(s.p != NULL && s.n == 0);
    assert_int_equal(json_get_str(o, "z", 9, &s, &e), 0);
    assert_null(s.p);
    assert_int_equal(json_get_str(o, "absent", 9, &s, &e), 0);
    assert_null(s.p);
}

static void test_get_pem(void **state)
{
    (void)state;
    auto_json yyjson_doc *doc = NULL;
    struct str s = STR("old");
    struct err e;
    assert_int_equal(
        json_parse(STR("{\"w\":\"a\\r\\nb\\r\\n\",\"u\":\"a\\nb\",\"r\":\"\\r\",\"c\":\"a\\r\\u0001\","
                       "\"n\":\"a\\r\\u0000b\"}"),
                   &doc, NULL),
        0);
    yyjson_val *o = yyjson_doc_get_root(doc);
    assert_int_equal(json_get_str(o, "w", 9, &s, &e), ERR_INVALID);
    assert_int_equal(json_get_pem(o, "w", 6, &s, &e), 0);
    assert_true(str_is(s, "a\r\nb\r\n"));
    assert_int_equal(json_get_pem(o, "w", 5, &s, &e), ERR_INVALID);
    assert_int_equal(json_get_pem(o, "u", 9, &s, &e), 0);
    assert_int_equal(json_get_pem(o, "r", 9, &s, &e), 0);
    assert_true(str_is(s, "\r"));
    assert_int_equal(json_get_pem(o, "c", 9, &s, &e), ERR_INVALID);
    assert_int_equal(json_get_pem(o, "n", 9, &s, &e), ERR_INVALID);
    assert_int_equal(json_get_pem(o, "absent", 9, &s, &e), 0);
    assert_null(s.p);
}

static void test_get_i64(void **state)
{
    (void)state;
    auto_json yyjson_doc *doc = NULL;
    assert_int_equal(json_parse(STR("{\"a\":5,\"b\":-5,\"c\":9223372036854775807,\"d\":9223372036854775808,"
                                    "\"e\":18446744073709551615,\"f\":1.0,\"g\":\"5\",\"h\":null,\"i\":true,"
                                    "\"j\":-9223372036854775808,\"k\":1e3}"),
                                &doc, NULL),
                     0);
    yyjson_val *o = yyjson_doc_get_root(doc);
    static const struct {
        const char *key;
        int64_t min, max, want;
        int rc;
    } cases[] = {
        {"a", 0, 5, 5, 0},
        {"a", 0, 4, 0, ERR_INVALID},
        {"a", 6, 9, 0, ERR_INVALID},
        {"b", -5, 0, -5, 0},
        {"b", 0, 5, 0, ERR_INVALID},
        {"c", 0, INT64_MAX, INT64_MAX, 0},
        {"d", INT64_MIN, INT64_MAX, 0, ERR_INVALID},
        {"e", INT64_MIN, INT64_MAX, 0, ERR_INVALID},
        {"f", INT64_MIN, INT64_MAX, 0, ERR_INVALID},
        {"g", INT64_MIN, INT64_MAX, 0, ERR_INVALID},
        {"h", 0, 1, -7, 0},
        {"i", INT64_MIN, INT64_MAX, 0, ERR_INVALID},
        {"j", INT64_MIN, INT64_MAX, INT64_MIN, 0},
        {"k", INT64_MIN, INT64_MAX, 0, ERR_INVALID},
        {"absent", 0, 1, -7, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t got = 77;
        struct err e = {0};
        int rc = json_get_i64(o, cases[i].key, cases[i].min, cases[i].max, -7, &got, &e);
        if (rc != cases[i].rc || got != (rc == 0 ? cases[i].want : 77))
            fail_msg("%s: %d %lld", cases[i].key, rc, (long long)got);
    }
}

static void test_write(void **state)
{
    (void)state;
    auto_json_mut yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_obj_add_str(doc, root, "a", "x\"\n");
    auto_arena struct arena a;
    arena_init(&a, 8192);
    assert_true(str_is(json_write(doc, &a), "{\"a\":\"x\\\"\\n\"}"));
    auto_arena struct arena none;
    arena_init(&none, 0);
    struct str s = json_write(doc, &none);
    assert_true(s.p == NULL && s.n == 0);
    /* Text that is no UTF-8 is not written as if it were. */
    yyjson_mut_obj_add_str(doc, root, "b", "\xFF");
    assert_null(json_write(doc, &a).p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),         cmocka_unit_test(test_depth),
        cmocka_unit_test(test_object_wanted), cmocka_unit_test(test_many_names),
        cmocka_unit_test(test_get_str),       cmocka_unit_test(test_get_pem),
        cmocka_unit_test(test_get_i64),       cmocka_unit_test(test_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
