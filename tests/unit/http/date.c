#include "http/date.h"

#include "base/clock.h"
#include "check.h"

static const struct {
    const char *text;
    int64_t want; /* -1: refused */
} rows[] = {
    {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
    {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
    {"Sun Nov  6 08:49:37 1994", 784111777},
    {"Wed Nov 16 08:49:37 1994", 784975777},
    {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
    {"Tue, 29 Feb 2028 23:59:59 GMT", 1835481599},
    {"Friday, 01-Jan-38 00:00:00 GMT", 2145916800},
    {"", -1},
    {"Sun", -1},
    {"Sun,", -1},
    {"Sunday", -1},
    {"Sun, 06 Nov 1994 08:49:37", -1},
    {"Sun, 06 Nov 1994 08:49:37 UTC", -1},
    {"Sun, 06 Nov 1994 08:49:37 GMT ", -1},
    {" Sun, 06 Nov 1994 08:49:37 GMT", -1},
    {"sun, 06 Nov 1994 08:49:37 GMT", -1},
    {"Sun, 6 Nov 1994 08:49:37 GMT", -1},
    {"Sun, 06 nov 1994 08:49:37 GMT", -1},
    {"Sun, 06 Nov 94 08:49:37 GMT", -1},
    {"Sun, 06-Nov-1994 08:49:37 GMT", -1},
    {"Sunday, 06 Nov 1994 08:49:37 GMT", -1},
    {"Sunday Nov  6 08:49:37 1994", -1},
    {"Sun, 31 Feb 1994 08:49:37 GMT", -1},
    {"Mon, 29 Feb 2027 08:49:37 GMT", -1},
    {"Sun, 00 Nov 1994 08:49:37 GMT", -1},
    {"Sun, 06 Nov 1994 24:49:37 GMT", -1},
    {"Sun, 06 Nov 1994 08:60:37 GMT", -1},
    {"Sun, 06 Nov 1994 08:49:61 GMT", -1},
    {"Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", -1},
    {"784111777", -1},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t got = -7;
        int rc = http_date_parse(str_of(rows[i].text), &got);
        if (rc != (rows[i].want < 0 ? ERR_INVALID : 0) || got != (rows[i].want < 0 ? -7 : rows[i].want))
            fail_msg("%s: %d, %lld", rows[i].text, rc, (long long)got);
    }
}

static void test_reads_what_the_clock_writes(void **state)
{
    (void)state;
    for (int64_t t = 0; t < 4102444800; t += 86400 * 17 + 12345) {
        char text[CLOCK_TEXT_MAX];
        int64_t got = -1;
        assert_int_equal(http_date_parse(str_of(clock_format_http(t * 1000, text)), &got), 0);
        assert_int_equal(got, t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_reads_what_the_clock_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
