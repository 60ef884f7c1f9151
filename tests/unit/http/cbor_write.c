/* JSON as CBOR: what cbor2 writes, and that what is written is read again. */
#include "cbor_rows.h"

#include "base/cleanup.h"

static int write_json(const char *text, struct arena *a, struct str *out, struct err *e)
{
    auto_json yyjson_doc *doc = NULL;
    assert_int_equal(json_parse(str_of(text), &doc, e), 0);
    auto_json_mut yyjson_mut_doc *mut = yyjson_doc_mut_copy(doc, NULL);
    assert_non_null(mut);
    return cbor_from_json(mut, a, out, e);
}

static void check_rows(const struct cbor_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        auto_arena struct arena a;
        arena_init(&a, 1 << 20);
        struct str out = {.p = NULL, .n = 0};
        struct err e = {0};
        if (write_json(rows[i].json, &a, &out, &e) != 0)
            fail_msg("%s: %s", rows[i].json, e.text);
        size_t n = 0;
        auto_free char *want = cbor_bytes(rows[i].hex, &n);
        if (!str_eq(out, (struct str){.p = want, .n = n}))
            fail_msg("%s is not written as %s", rows[i].json, rows[i].hex);
    }
}

static void test_rows(void **state)
{
    (void)state;
    check_rows(cbor_both, COUNT(cbor_both));
}

/* Single precision where it is exact, and where it is not, double (made with cbor2's canonical form, in which
   these have no half precision). */
static void test_floats(void **state)
{
    (void)state;
    static const struct cbor_row rows[] = {
        {"fa47c35000", "100000.0"},
        {"fa7f7fffff", "3.4028234663852886e+38"},
        {"fb3fb999999999999a", "0.1"},
        {"fb47f0000000000000", "3.402823669209385e+38"},
        {"fb7fefffffffffffff", "1.7976931348623157e308"},
        {"fa80000000", "-0.0"},
        {"fa3fc00000", "1.5"},
    };
    check_rows(rows, COUNT(rows));
    for (size_t i = 0; i < COUNT(cbor_floats); i++) {
        auto_arena struct arena a;
        arena_init(&a, 1 << 20);
        struct str out, json;
        struct err e = {0};
        assert_int_equal(write_json(cbor_floats[i].json, &a, &out, &e), 0);
        assert_int_equal(cbor_to_json(out, &a, &json, &e), 0);
        auto_json yyjson_doc *got = NULL, *want = NULL;
        assert_int_equal(json_parse(json, &got, &e), 0);
        assert_int_equal(json_parse(str_of(cbor_floats[i].json), &want, &e), 0);
        assert_true(yyjson_equals(yyjson_doc_get_root(got), yyjson_doc_get_root(want)));
    }
}

static void test_depth(void **state)
{
    (void)state;
    for (int levels = JSON_DEPTH_MAX; levels <= JSON_DEPTH_MAX + 1; levels++) {
        auto_arena struct arena a;
        arena_init(&a, 1 << 20);
        auto_json_mut yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
        yyjson_mut_val *v = yyjson_mut_arr(doc);
        for (int i = 1; i < levels; i++) {
            yyjson_mut_val *outer = yyjson_mut_arr(doc);
            yyjson_mut_arr_append(outer, v);
            v = outer;
        }
        yyjson_mut_doc_set_root(doc, v);
        struct str out = {.p = NULL, .n = 99};
        struct err e = {0};
        bool fits = levels <= JSON_DEPTH_MAX;
        assert_int_equal(cbor_from_json(doc, &a, &out, &e), fits ? 0 : ERR_TOO_LARGE);
        assert_int_equal(out.n, fits ? JSON_DEPTH_MAX : 99);
    }
}

static void test_refused(void **state)
{
    (void)state;
    auto_json_mut yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    auto_arena struct arena a;
    arena_init(&a, 4 << 20);
    struct str out = {.p = NULL, .n = 99};
    struct err e = {0};
    assert_int_equal(cbor_from_json(doc, &a, &out, &e), ERR_INTERNAL); /* no root */
    yyjson_mut_doc_set_root(doc, yyjson_mut_real(doc, __builtin_nan("")));
    assert_int_equal(cbor_from_json(doc, &a, &out, &e), ERR_INTERNAL);
    yyjson_mut_doc_set_root(doc, yyjson_mut_real(doc, __builtin_inf()));
    assert_int_equal(cbor_from_json(doc, &a, &out, &e), ERR_INTERNAL);
    yyjson_mut_doc_set_root(doc, yyjson_mut_raw(doc, "1"));
    assert_int_equal(cbor_from_json(doc, &a, &out, &e), ERR_INTERNAL);
    yyjson_mut_doc_set_root(doc, yyjson_mut_str(doc, "\xff"));
    assert_int_equal(cbor_from_json(doc, &a, &out, &e), ERR_INTERNAL);
    auto_free char *big = malloc(CBOR_OUT_MAX);
    assert_non_null(big);
    memset(big, 'x', CBOR_OUT_MAX);
    for (size_t n = CBOR_OUT_MAX - 5; n <= CBOR_OUT_MAX - 4; n++) {
        yyjson_mut_doc_set_root(doc, yyjson_mut_strn(doc, big, n));
        out.n = 99;
        assert_int_equal(cbor_from_json(doc, &a, &out, &e), n == CBOR_OUT_MAX - 5 ? 0 : ERR_TOO_LARGE);
        assert_int_equal(out.n, n == CBOR_OUT_MAX - 5 ? CBOR_OUT_MAX : 99);
    }
    auto_arena struct arena none;
    arena_init(&none, 0);
    yyjson_mut_doc_set_root(doc, yyjson_mut_null(doc));
    assert_int_equal(cbor_from_json(doc, &none, &out, &e), ERR_NOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_floats),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
