#include "base/hex.h"

#include "check.h"

static void test_round_trip(void **state)
{
    (void)state;
    unsigned char raw[256], back[256];
    char text[2 * sizeof raw + 1];
    for (size_t i = 0; i < sizeof raw; i++)
        raw[i] = (unsigned char)i;
    for (size_t n = 0; n <= sizeof raw; n++) {
        hex_encode(raw, n, text);
        assert_int_equal(strlen(text), 2 * n);
        assert_int_equal(hex_decode(str_of(text), back, n), 0);
        assert_memory_equal(raw, back, n);
    }
    assert_memory_equal(text, "000102", 6);
    assert_string_equal(text + 508, "feff");
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n;
        int rc;
    } rows[] = {
        {"aBcD", 2, 0},
        {"abc", 2, ERR_INVALID},
        {"abcde", 2, ERR_INVALID},
        {"", 0, 0},
        {"", 1, ERR_INVALID},
        {"ag", 1, ERR_INVALID},
        {"0x", 1, ERR_INVALID},
        {" 1", 1, ERR_INVALID},
        {"/9", 1, ERR_INVALID},
        {":0", 1, ERR_INVALID},
        {"@a", 1, ERR_INVALID},
        {"G0", 1, ERR_INVALID},
        {"`0", 1, ERR_INVALID},
        {"\xC3\xA4", 1, ERR_INVALID},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        unsigned char out[2] = {0x77, 0x77};
        assert_int_equal(hex_decode(str_of(rows[i].text), out, rows[i].n), rows[i].rc);
        if (rows[i].rc != 0)
            assert_memory_equal(out, "\x77\x77", 2);
    }
    unsigned char out = 0;
    assert_int_equal(hex_decode((struct str){.p = "1\0", .n = 2}, &out, 1), ERR_INVALID);
    /* A length that would wrap round when it is doubled. */
    assert_int_equal(hex_decode(STR(""), &out, SIZE_MAX / 2 + 1), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
