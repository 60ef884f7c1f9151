#include "repo.h"
#include "trust/internal.h"

static void test_numbers(void **state)
{
    (void)state;
    assert_string_equal(trust_number(0).z, "0");
    assert_string_equal(trust_number(-7).z, "-7");
    assert_string_equal(trust_number(1795354009).z, "1795354009");
    assert_string_equal(trust_number(INT64_MAX).z, "9223372036854775807");
    assert_string_equal(trust_number(INT64_MIN).z, "-9223372036854775808");
}

static void test_names(void **state)
{
    (void)state;
    char *name = text_of("%076d", 0), *longer = text_of("%077d", 0), *cut = text_of("%076d...", 0);
    assert_string_equal(trust_show(STR("model-gw.json")).z, "model-gw.json");
    assert_string_equal(trust_show((struct str){.p = NULL, .n = 0}).z, "");
    assert_string_equal(trust_show(STR("a b\n\x1B[1m\x7F\xC3\xA4")).z, "a?b??[1m???");
    assert_string_equal(trust_show(str_of(name)).z, name);
    assert_string_equal(trust_show(str_of(longer)).z, cut);
    free(name);
    free(longer);
    free(cut);
}

static void test_members(void **state)
{
    (void)state;
    const char text[] = "{\"t\":\"x\",\"e\":\"\",\"n\":7,\"z\":0,\"m\":-1,\"f\":7.0,\"b\":true,"
                        "\"max\":9223372036854775807,\"more\":9223372036854775808}";
    yyjson_doc *doc = yyjson_read(text, sizeof text - 1, 0);
    yyjson_val *obj = yyjson_doc_get_root(doc);
    int64_t v = 42;
    assert_true(str_is(trust_text_at(obj, "t"), "x"));
    assert_true(trust_text_at(obj, "e").p != NULL && trust_text_at(obj, "e").n == 0);
    assert_true(trust_text_at(obj, "n").p == NULL && trust_text_at(obj, "none").p == NULL);
    assert_true(trust_text_at(NULL, "t").p == NULL);
    static const char *const none[] = {"z", "m", "f", "b", "t", "more", "none"};
    for (size_t i = 0; i < COUNT(none); i++)
        assert_false(trust_is_count(yyjson_obj_get(obj, none[i]), 1, &v));
    assert_true(v == 42);
    assert_true(trust_is_count(yyjson_obj_get(obj, "z"), 0, &v) && v == 0);
    assert_true(trust_is_count(yyjson_obj_get(obj, "n"), 7, &v) && v == 7);
    assert_false(trust_is_count(yyjson_obj_get(obj, "n"), 8, &v));
    assert_true(trust_is_count(yyjson_obj_get(obj, "max"), 1, &v) && v == INT64_MAX);
    yyjson_doc_free(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
