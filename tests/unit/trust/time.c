#include <time.h>

#include "repo.h"

static void test_round_trip(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t s;
    } known[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-22T13:26:49Z", 1795354009},
        {"1969-12-31T23:59:59Z", -1},
        {"2000-02-29T12:00:00Z", 951825600},
        {"2038-01-19T03:14:08Z", 2147483648},
        {"1900-03-01T00:00:00Z", -2203891200},
        {"9999-12-31T23:59:59Z", 253402300799},
        {"0001-01-01T00:00:00Z", -62135596800},
    };
    for (size_t i = 0; i < COUNT(known); i++) {
        int64_t s = 0;
        char out[TUF_TIME_SIZE];
        assert_int_equal(tuf_time_read(str_of(known[i].text), &s), 0);
        assert_true(s == known[i].s);
        tuf_time_write(s, out);
        assert_string_equal(out, known[i].text);
    }
}

/* Every day and a bit of four centuries, as the C library has it. */
static void test_each_day(void **state)
{
    (void)state;
    for (int64_t s = -62135596800; s <= 253402300799; s += 86400 * 29 + 12347) {
        char want[64], got[TUF_TIME_SIZE];
        time_t t = (time_t)s;
        struct tm tm;
        int64_t back = 0;
        assert_non_null(gmtime_r(&t, &tm));
        snprintf(want, sizeof want, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        tuf_time_write(s, got);
        assert_string_equal(got, want);
        assert_int_equal(tuf_time_read(str_of(got), &back), 0);
        assert_true(back == s);
    }
}

static void test_refuses(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "2026-11-22",
        "2026-11-22T13:26:49",
        "2026-11-22T13:26:49z",
        "2026-11-22 13:26:49Z",
        "2026-11-22T13:26:49Z ",
        " 2026-11-22T13:26:49",
        "2026-11-22T13:26:49.0Z",
        "2026-11-22T13:26:49+00:00",
        "2026-13-22T13:26:49Z",
        "2026-00-22T13:26:49Z",
        "2026-11-31T13:26:49Z",
        "2026-11-00T13:26:49Z",
        "2026-02-29T13:26:49Z",
        "1900-02-29T13:26:49Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T13:60:00Z",
        "2026-11-22T13:26:60Z",
        "0000-11-22T13:26:49Z",
        "-026-11-22T13:26:49Z",
        "+026-11-22T13:26:49Z",
        "20 6-11-22T13:26:49Z",
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        int64_t s = 42;
        if (tuf_time_read(str_of(wrong[i]), &s) != ERR_INVALID || s != 42)
            fail_msg("%s was taken", wrong[i]);
    }
}

static void test_clamps(void **state)
{
    (void)state;
    char out[TUF_TIME_SIZE];
    tuf_time_write(INT64_MAX, out);
    assert_string_equal(out, "9999-12-31T23:59:59Z");
    tuf_time_write(INT64_MIN, out);
    assert_string_equal(out, "0001-01-01T00:00:00Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_each_day),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_clamps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
