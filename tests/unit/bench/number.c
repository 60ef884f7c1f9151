#include "shared/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void numbers(void **state)
{
    (void)state;
    struct err e = {0};
    double v = 7;
    assert_int_equal(number_parse("rate", "0.25", 0, 1, &v, &e), 0);
    assert_true(v > 0.2499 && v < 0.2501);
    static const char *const bad[] = {"", "x", "1x", "1.01", "-0.1", "nan", "inf", "1e999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(number_parse("rate", bad[i], 0, 1, &v, &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "--rate is \"1e999\""));
    assert_true(v < 0.2501); /* untouched */
}

static void counts(void **state)
{
    (void)state;
    struct err e = {0};
    uint64_t v = 7;
    assert_int_equal(number_parse_count("devices", "12", 1, 12, &v, &e), 0);
    assert_int_equal(v, 12);
    static const char *const bad[] = {"", "0", "13", "-1", "+1", " 1", "1.0", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(number_parse_count("devices", bad[i], 1, 12, &v, &e), ERR_INVALID);
    assert_int_equal(v, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers), cmocka_unit_test(counts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
