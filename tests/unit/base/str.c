#include "base/str.h"

#include "check.h"

#define S(text) {(text), sizeof(text) - 1}

static void test_equality(void **state)
{
    (void)state;
    assert_true(str_eq(STR("a"), STR("a")));
    assert_false(str_eq(STR("a"), STR("A")));
    assert_false(str_eq(STR("a"), STR("ab")));
    assert_true(str_eq(str_of(NULL), STR("")));
    assert_true(str_is(STR("x\0y"), "x") == false);
    assert_true(str_eq_nocase(STR("Host-Name1"), STR("hOST-nAME1")));
    assert_false(str_eq_nocase(STR("["), STR("{"))); /* 0x20 apart and no letters */
    assert_false(str_eq_nocase(STR("@"), STR("`")));
    assert_false(str_eq_nocase(STR("\xC3\x84"), STR("\xC3\xA4")));
    assert_true(str_eq_nocase(str_of(NULL), STR("")));
}

static void test_trim(void **state)
{
    (void)state;
    assert_true(str_is(str_trim(STR(" \t a b \t")), "a b"));
    assert_true(str_is(str_trim(STR(" \t ")), ""));
    assert_true(str_is(str_trim(STR("")), ""));
    assert_true(str_is(str_trim(STR("\na\n")), "\na\n"));
    assert_int_equal(str_trim(str_of(NULL)).n, 0);
}

static void test_split(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"a,b,c", "[a][b][c]"}, {"a", "[a]"},       {"", "[]"}, {",", "[][]"},
        {"a,", "[a][]"},        {",,a", "[][][a]"}, {NULL, ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str rest = str_of(rows[i].text), part;
        char got[64] = "";
        while (str_split(&rest, ',', &part)) {
            strcat(got, "[");
            strncat(got, part.p, part.n);
            strcat(got, "]");
        }
        assert_string_equal(got, rows[i].want);
        assert_false(str_split(&rest, ',', &part));
    }
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t max, want;
        int rc;
    } rows[] = {
        {"0", UINT64_MAX, 0, 0},
        {"007", 7, 7, 0},
        {"18446744073709551615", UINT64_MAX, UINT64_MAX, 0},
        {"18446744073709551616", UINT64_MAX, 0, ERR_INVALID},
        {"18446744073709551620", UINT64_MAX, 0, ERR_INVALID},
        {"99999999999999999999", UINT64_MAX, 0, ERR_INVALID},
        {"184467440737095516150", UINT64_MAX, 0, ERR_INVALID},
        {"500", 500, 500, 0},
        {"501", 500, 0, ERR_INVALID},
        {"", 9, 0, ERR_INVALID},
        {"+1", 9, 0, ERR_INVALID},
        {"-1", 9, 0, ERR_INVALID},
        {" 1", 9, 0, ERR_INVALID},
        {"1 ", 9, 0, ERR_INVALID},
        {"1a", 99, 0, ERR_INVALID},
        {"0x1", 99, 0, ERR_INVALID},
        {"/", 99, 0, ERR_INVALID},
        {":", 99, 0, ERR_INVALID},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t got = 77;
        int rc = str_to_u64(str_of(rows[i].text), rows[i].max, &got);
        if (rc != rows[i].rc || got != (rc == 0 ? rows[i].want : 77))
            fail_msg("%s: %d %llu", rows[i].text, rc, (unsigned long long)got);
    }
}

static void test_constant_time_compare(void **state)
{
    (void)state;
    assert_true(mem_eq_consttime("abc", "abc", 3));
    assert_false(mem_eq_consttime("abc", "abd", 3));
    assert_false(mem_eq_consttime("\x80", "\x00", 1));
    assert_false(mem_eq_consttime("xbc", "abc", 3));
    assert_true(mem_eq_consttime("x", "y", 0));
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        struct str s;
        bool id, name;
    } rows[] = {
        {S("a"), true, true},
        {S("gw1-00:ff_x.y"), true, false},
        {S("1.0+b~1-2_3"), false, true},
        {S("A-Z.0_9"), true, true},
        {S(""), false, false},
        {S("."), false, false},
        {S(".."), false, false},
        {S("-a"), false, false},
        {S("_a"), false, false},
        {S("a/b"), false, false},
        {S("a b"), false, false},
        {S("a\0"), false, false},
        {S("a\n"), false, false},
        {S("a\xC3\xA4"), false, false},
        {S("a%2f"), false, false},
        {S("a\\b"), false, false},
        {S(":a"), false, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(str_is_device_id(rows[i].s), rows[i].id);
        assert_int_equal(str_is_name(rows[i].s), rows[i].name);
    }
    char long_name[130];
    memset(long_name, 'a', sizeof long_name);
    assert_true(str_is_device_id((struct str){long_name, 64}));
    assert_false(str_is_device_id((struct str){long_name, 65}));
    assert_true(str_is_name((struct str){long_name, 128}));
    assert_false(str_is_name((struct str){long_name, 129}));
}

static void test_text(void **state)
{
    (void)state;
    static const struct {
        struct str s;
        bool ok;
    } rows[] = {
        {S(""), true},
        {S("a\tb\n"), true},
        {S("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"), true},
        {S("\xC2\x80"), false}, /* U+0080: a control character too */
        {S("\xC2\x9F"), false},
        {S("\xC2\xA0"), true},
        {S("\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF"), true},
        {S("a\rb"), false},
        {S("a\0b"), false},
        {S("\x1B[0m"), false},
        {S("\x7F"), false},
        {S("\x80"), false},
        {S("\xFF"), false},
        {S("\xC0\x80"), false},
        {S("\xC1\xBF"), false},
        {S("\xE0\x9F\xBF"), false},
        {S("\xF0\x8F\xBF\xBF"), false},
        {S("\xED\xA0\x80"), false},
        {S("\xED\xBF\xBF"), false},
        {S("\xF4\x90\x80\x80"), false},
        {S("\xF5\x80\x80\x80"), false},
        {S("\xC3"), false},
        {S("\xE2\x82"), false},
        {S("\xF0\x9F\x98"), false},
        {S("\xC3\x41"), false},
        {S("\xE2\x82\x41"), false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (str_is_text(rows[i].s) != rows[i].ok)
            fail_msg("row %zu", i);
}

static void test_utf8(void **state)
{
    (void)state;
    assert_true(str_is_utf8(STR("")));
    assert_true(str_is_utf8(STR("a\0\x1F\x7F\xC2\x80\r\n")));
    assert_true(str_is_utf8(STR("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\xF4\x8F\xBF\xBF")));
    assert_int_equal(str_characters(STR("")), 0);
    assert_int_equal(str_characters(STR("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80")), 4);
    static const struct str wrong[] = {S("\x80"),         S("\xC0\xAF"),         S("a\xC3"),
                                       S("\xE2\x82"),     S("\xED\xA0\x80"),     S("\xF0\x80\x80\x80"),
                                       S("\xE0\x9F\xBF"), S("\xF4\x90\x80\x80"), S("\xFF")};
    for (size_t i = 0; i < COUNT(wrong); i++)
        if (str_is_utf8(wrong[i]))
            fail_msg("row %zu", i);
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const names[] = {"serve", "deploy", "deployment", "device", "token"};
    assert_string_equal(str_nearest(STR("serv"), names, COUNT(names)), "serve");
    assert_string_equal(str_nearest(STR("deivce"), names, COUNT(names)), "device");
    assert_string_equal(str_nearest(STR("DEPLOY"), names, COUNT(names)), "deploy");
    assert_null(str_nearest(STR("xyzzy"), names, COUNT(names)));
    assert_null(str_nearest(STR(""), names, COUNT(names)));
    assert_null(str_nearest(STR("token"), names, 0));
    char big[200];
    memset(big, 'a', sizeof big);
    assert_null(str_nearest((struct str){big, sizeof big}, names, COUNT(names)));
}

static void test_percent(void **state)
{
    (void)state;
    char out[16];
    size_t n = 0;
    assert_int_equal(str_percent(STR("aZ09-._~"), STR_UNRESERVED, out, sizeof out, &n), 0);
    assert_string_equal(out, "aZ09-._~");
    assert_int_equal(str_percent((struct str){.p = "/\0\xC3 %", .n = 5}, "-", out, sizeof out, &n), 0);
    assert_string_equal(out, "%2F%00%C3%20%25");
    assert_int_equal(n, 15);
    assert_int_equal(str_percent(STR("a/.b"), "/", out, sizeof out, &n), 0);
    assert_string_equal(out, "a/%2Eb");
    assert_int_equal(str_percent(STR(""), "", out, 1, &n), 0);
    assert_true(out[0] == '\0' && n == 0);
    /* The NUL, too, has to fit. */
    n = 7;
    assert_int_equal(str_percent(STR("abc"), "", out, 4, &n), 0);
    n = 7;
    assert_int_equal(str_percent(STR("abc"), "", out, 3, &n), ERR_TOO_LARGE);
    assert_int_equal(str_percent(STR("a "), "", out, 4, &n), ERR_TOO_LARGE);
    assert_int_equal(str_percent(STR(""), "", out, 0, &n), ERR_TOO_LARGE);
    assert_int_equal(n, 7);
}

static void copies(void **state)
{
    (void)state;
    char out[4] = "xxx";
    str_copy(STR("abcdef"), out, sizeof out);
    assert_string_equal(out, "abc");
    str_copy(STR("ab"), out, sizeof out);
    assert_string_equal(out, "ab");
    str_copy((struct str){.p = NULL, .n = 0}, out, sizeof out);
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies),
        cmocka_unit_test(test_equality),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_constant_time_compare),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_percent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
