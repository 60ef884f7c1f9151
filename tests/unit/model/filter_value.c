/* Numbers and times in filters, at their limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/filter_internal.h"

static void test_what_is_a_number(void **state)
{
    (void)state;
    static const char *const good[] = {"0",
                                       "-0",
                                       "007",
                                       "1.5",
                                       "-1.5",
                                       "123456789012345",
                                       "-123456789012345",
                                       "0.12345678901234",
                                       "12345678.1234567",
                                       "-0.00000000000001"};
    static const char *const bad[] = {"",
                                      "-",
                                      ".",
                                      "1.",
                                      ".5",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1e3",
                                      "0x10",
                                      "1,5",
                                      "1.2.3",
                                      "--1",
                                      "-.5",
                                      "1-",
                                      "inf",
                                      "nan",
                                      "1234567890123456",
                                      "0.123456789012345",
                                      "-1234567890123456",
                                      "000000000000000000000000000001",
                                      "1\xd9\xa2"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!filter_is_number(str_of(good[i])))
            fail_msg("%s is a number", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (filter_is_number(str_of(bad[i])))
            fail_msg("%s is no number", bad[i]);
    assert_false(filter_is_number((struct str){.p = "1\0", .n = 2}));
    assert_false(filter_is_number((struct str){0}));
}

static void test_order_of_numbers(void **state)
{
    (void)state;
    /* Rising, each larger than all before it. */
    static const char *const rising[] = {
        "-999999999999999",
        "-10",
        "-9.5",
        "-9.4",
        "-9.39999999999999",
        "-1",
        "-0.50",
        "-0.5",
        "-0.1",
        "0",
        "-0.000",
        "0.01",
        "0.09",
        "0.1",
        "0.99999999999999",
        "1",
        "1.0",
        "2",
        "10",
        "99.9",
        "100",
        "999999999999998",
        "999999999999999",
    };
    static const int same_as_last[] = {7, 10, 16};
    size_t n = sizeof rising / sizeof rising[0], rank[sizeof rising / sizeof rising[0]] = {0};
    for (size_t i = 1; i < n; i++) {
        bool same = false;
        for (size_t k = 0; k < 3; k++)
            same = same || same_as_last[k] == (int)i;
        rank[i] = rank[i - 1] + !same;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            int order = 99, want = (rank[i] > rank[k]) - (rank[i] < rank[k]);
            assert_true(filter_number_order(str_of(rising[i]), str_of(rising[k]), &order));
            if ((order > 0) - (order < 0) != want)
                fail_msg("%s and %s: %d", rising[i], rising[k], order);
        }
    int order = 99;
    assert_false(filter_number_order(STR("x"), STR("1"), &order));
    assert_false(filter_number_order(STR("1"), STR("x"), &order));
    assert_int_equal(order, 99);
}

static const struct {
    const char *text;
    int64_t ms;
    bool ago;
} times[] = {
    {"0", 0, false},
    {"1799996400000", 1799996400000, false},
    {"999999999999999", 999999999999999, false},
    {"-0s", 0, true},
    {"-90s", 90000, true},
    {"-5m", 300000, true},
    {"-2h", 7200000, true},
    {"-7d", 604800000, true},
    {"-999999999w", 999999999 * INT64_C(604800000), true},
    {"1970-01-01T00:00:00Z", 0, false},
    {"1970-01-01T00:00:00.001Z", 1, false},
    {"2000-02-29T12:34:56Z", 951827696000, false},
    {"2024-02-29t12:34:56.5z", 1709210096500, false},
    {"2024-02-29T12:34:56.123999Z", 1709210096123, false},
    {"2024-02-29T12:34:56.1234567890123456789Z", 1709210096123, false},
    {"2024-02-29T12:34:56+05:30", 1709190296000, false},
    {"2024-02-29T12:34:56-03:30", 1709222696000, false},
    {"2024-02-29T12:34:56-00:00", 1709210096000, false},
    {"9999-12-31T23:59:59.999Z", 253402300799999, false},
};
static const char *const no_times[] = {
    "",
    "-",
    "-5",
    "-d",
    "-5x",
    "5d",
    "-5D",
    "-1.5d",
    "--5d",
    "-5dd",
    "-1000000000s",
    "1000000000000000",
    "1e3",
    "now",
    "2024-02-29",
    "2024-02-29T12:34Z",
    "2024-02-29T12:34:56",
    "2024-02-29 12:34:56Z",
    "2023-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2100-02-29T00:00:00Z",
    "2024-04-31T00:00:00Z",
    "2024-00-01T00:00:00Z",
    "2024-13-01T00:00:00Z",
    "2024-01-00T00:00:00Z",
    "2024-01-32T00:00:00Z",
    "2024-01-01T24:00:00Z",
    "2024-01-01T00:60:00Z",
    "2024-01-01T00:00:60Z",
    "2024-01-01T00:00:00.Z",
    "2024-01-01T00:00:00+24:00",
    "2024-01-01T00:00:00+01:60",
    "2024-01-01T00:00:00+0100",
    "2024-01-01T00:00:00Z ",
    "2024-01-01T00:00:00ZZ",
    "1969-12-31T23:59:59Z",
    "10000-01-01T00:00:00Z",
    "24-01-01T00:00:00Z",
    "2024-1-1T00:00:00Z",
    "2024-01-01T00:00:00",
    "2024-01-01T00:00:00+",
};

static void test_times(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        struct filter_time t = {0};
        if (filter_time_parse(str_of(times[i].text), &t) != 0)
            fail_msg("%s is a time", times[i].text);
        if (t.ms != times[i].ms || t.ago != times[i].ago)
            fail_msg("%s: %lld %d", times[i].text, (long long)t.ms, t.ago);
    }
    for (size_t i = 0; i < sizeof no_times / sizeof no_times[0]; i++) {
        struct filter_time t = {.ms = 77};
        if (filter_time_parse(str_of(no_times[i]), &t) == 0)
            fail_msg("%s is no time", no_times[i]);
        assert_int_equal(t.ms, 77);
    }
}

static void test_time_at(void **state)
{
    (void)state;
    assert_int_equal(filter_time_at((struct filter_time){.ms = 5}, 100), 5);
    assert_int_equal(filter_time_at((struct filter_time){.ms = 5, .ago = true}, 100), 95);
    assert_int_equal(filter_time_at((struct filter_time){.ms = 5, .ago = true}, 0), -5);
    assert_true(filter_time_at((struct filter_time){.ms = 5, .ago = true}, INT64_MIN + 1) == INT64_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_a_number),
        cmocka_unit_test(test_order_of_numbers),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_time_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
