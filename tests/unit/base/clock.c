#include "base/clock.h"

#include "check.h"

static const struct {
    int64_t ms;
    const char *rfc3339, *http;
} rows[] = {
    {0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 GMT"},
    {999, "1970-01-01T00:00:00.999Z", "Thu, 01 Jan 1970 00:00:00 GMT"},
    {784111777042, "1994-11-06T08:49:37.042Z", "Sun, 06 Nov 1994 08:49:37 GMT"},
    {951782400000, "2000-02-29T00:00:00.000Z", "Tue, 29 Feb 2000 00:00:00 GMT"},
    {2147483648000, "2038-01-19T03:14:08.000Z", "Tue, 19 Jan 2038 03:14:08 GMT"},
    {253402300799999, "9999-12-31T23:59:59.999Z", "Fri, 31 Dec 9999 23:59:59 GMT"},
    {253402300800000, "invalid-time", "Thu, 01 Jan 1970 00:00:00 GMT"},
    {-1, "invalid-time", "Thu, 01 Jan 1970 00:00:00 GMT"},
    {INT64_MAX, "invalid-time", "Thu, 01 Jan 1970 00:00:00 GMT"},
    {INT64_MIN, "invalid-time", "Thu, 01 Jan 1970 00:00:00 GMT"},
};

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char out[CLOCK_TEXT_MAX];
        assert_string_equal(clock_format(rows[i].ms, out), rows[i].rfc3339);
        assert_string_equal(clock_format_http(rows[i].ms, out), rows[i].http);
    }
}

static void test_system_clock(void **state)
{
    (void)state;
    int64_t a = clock_mono_ms(&clock_system);
    int64_t b = clock_mono_ms(&clock_system);
    assert_true(a >= 0 && b >= a);
    assert_true(clock_unix_ms(&clock_system) > 1700000000000);
}

static int64_t held(void *ctx)
{
    return *(int64_t *)ctx;
}

static void test_held_clock(void **state)
{
    (void)state;
    int64_t now = 5;
    const struct clock c = {.unix_ms = held, .mono_ms = held, .ctx = &now};
    assert_int_equal(clock_unix_ms(&c), 5);
    now = 6;
    assert_int_equal(clock_mono_ms(&c), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_system_clock),
        cmocka_unit_test(test_held_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
