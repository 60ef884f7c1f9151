/* Texts for the server: clean, bounded, escaped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

static void clean(void **s)
{
    static const struct {
        const char *in, *out;
        size_t size;
    } rows[] = {
        {"plain", "plain", 64},
        {"", "", 64},
        {"a\tb\r\nc\x7f", "a b  c ", 64},
        {"caf\xc3\xa9", "caf\xc3\xa9", 64},
        {"\xff\xc3", "??", 64},
        {"\xed\xa0\x80", "???", 64},      /* a surrogate is no character */
        {"\xc0\xaf", "??", 64},           /* nor is an overlong one */
        {"\xf4\x90\x80\x80", "????", 64}, /* nor what is past U+10FFFF */
        {"\xf0\x9f\x92\xa5", "\xf0\x9f\x92\xa5", 64},
        {"abcdef", "abc", 4},
        {"ab\xc3\xa9", "ab", 4}, /* never half a character */
        {"ab\xc3\xa9", "ab\xc3\xa9", 5},
    };
    (void)s;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[64];
        client_text(out, rows[i].size, rows[i].in);
        assert_string_equal(out, rows[i].out);
    }
}

static void escape(void **s)
{
    char out[32];
    size_t at = 0;
    (void)s;
    assert_true(client_json_escape(out, sizeof out, &at, "a\"b\\c\n"));
    assert_string_equal(out, "a\\\"b\\\\c ");
    assert_int_equal(at, strlen(out));
    at = 0;
    assert_false(client_json_escape(out, 4, &at, "abcdef"));
    at = 0;
    assert_true(client_percent_encode(out, sizeof out, &at, "1.0+b~c_d-e/ "));
    assert_string_equal(out, "1.0%2Bb~c_d-e%2F%20");
    at = 0;
    assert_false(client_percent_encode(out, 6, &at, "abcdef"));
}

static void numbers(void **s)
{
    (void)s;
    assert_string_equal(client_number(0).text, "0");
    assert_string_equal(client_number(10).text, "10");
    assert_string_equal(client_number(4294967296).text, "4294967296");
    assert_string_equal(client_number(UINT64_MAX).text, "18446744073709551615");
}

static void hashes(void **s)
{
    (void)s;
    assert_true(client_is_sha256(STR("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")));
    assert_false(client_is_sha256(STR("E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")));
    assert_false(client_is_sha256(STR("e3b0")));
    assert_false(client_is_sha256(STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean),
        cmocka_unit_test(escape),
        cmocka_unit_test(numbers),
        cmocka_unit_test(hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
