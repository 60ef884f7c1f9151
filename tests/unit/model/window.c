/* Maintenance windows: open or not, and how zones and durations are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "model/window.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static int64_t seconds_of(const char *text)
{
    struct tm tm = {0};
    if (text[0] == '\0')
        return 0;
    const char *end = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);
    assert_true(end != NULL && *end == '\0');
    return timegm(&tm);
}

/* All times in UTC. */
static const struct {
    const char *schedule, *zone, *duration, *now;
    bool open;
    const char *begins; /* "": there is none */
} rows[] = {
    {"0 0 2 ? * *", "Z", "01:00:00", "2026-11-23 01:59:59", false, "2026-11-23 02:00:00"},
    {"0 0 2 ? * *", "Z", "01:00:00", "2026-11-23 02:00:00", true, "2026-11-23 02:00:00"},
    {"0 0 2 ? * *", "Z", "01:00:00", "2026-11-23 02:59:59", true, "2026-11-23 02:00:00"},
    {"0 0 2 ? * *", "Z", "01:00:00", "2026-11-23 03:00:00", false, "2026-11-24 02:00:00"},
    /* over midnight, and over the year's end */
    {"0 30 23 ? * *", "Z", "02:00:00", "2026-11-23 23:29:59", false, "2026-11-23 23:30:00"},
    {"0 30 23 ? * *", "Z", "02:00:00", "2026-11-24 00:00:00", true, "2026-11-23 23:30:00"},
    {"0 30 23 ? * *", "Z", "02:00:00", "2026-11-24 01:29:59", true, "2026-11-23 23:30:00"},
    {"0 30 23 ? * *", "Z", "02:00:00", "2026-11-24 01:30:00", false, "2026-11-24 23:30:00"},
    {"0 0 20 31 12 ?", "Z", "12:00:00", "2027-01-01 07:59:59", true, "2026-12-31 20:00:00"},
    {"0 0 20 31 12 ?", "Z", "12:00:00", "2027-01-01 08:00:00", false, "2027-12-31 20:00:00"},
    /* offsets: two in the night there */
    {"0 0 2 ? * *", "+02:00", "01:00:00", "2026-11-23 00:30:00", true, "2026-11-23 00:00:00"},
    {"0 0 2 ? * *", "+02:00", "01:00:00", "2026-11-23 02:30:00", false, "2026-11-24 00:00:00"},
    {"0 0 2 ? * *", "-03:30", "01:00:00", "2026-11-23 05:29:59", false, "2026-11-23 05:30:00"},
    {"0 0 2 ? * *", "-03:30", "01:00:00", "2026-11-23 06:29:59", true, "2026-11-23 05:30:00"},
    /* Monday begins on Sunday's noon in the far east, and ends on Tuesday's in the far west */
    {"0 0 0 ? * MON", "+12:00", "24:00:00", "2026-11-22 12:00:00", true, "2026-11-22 12:00:00"},
    {"0 0 0 ? * MON", "+12:00", "24:00:00", "2026-11-23 12:00:00", false, "2026-11-29 12:00:00"},
    {"0 0 0 ? * MON", "-12:00", "24:00:00", "2026-11-24 11:59:59", true, "2026-11-23 12:00:00"},
    /* the month's last Friday, a week long */
    {"0 0 22 ? * 6L", "Z", "168:00:00", "2026-12-01 00:00:00", true, "2026-11-27 22:00:00"},
    {"0 0 22 ? * 6L", "Z", "168:00:00", "2026-12-04 22:00:00", false, "2026-12-25 22:00:00"},
    /* overlapping: the one that began first */
    {"0 0 * ? * *", "Z", "02:30:00", "2026-11-23 10:15:00", true, "2026-11-23 08:00:00"},
    {"0 0 * ? * *", "Z", "02:30:00", "2026-11-23 10:30:00", true, "2026-11-23 09:00:00"},
    {"* * * ? * *", "Z", "00:00:01", "2026-11-23 10:30:07", true, "2026-11-23 10:30:07"},
    /* once, before, during and after */
    {"0 0 0 23 11 ? 2026", "Z", "00:01:00", "2026-11-01 00:00:00", false, "2026-11-23 00:00:00"},
    {"0 0 0 23 11 ? 2026", "Z", "00:01:00", "2026-11-23 00:00:59", true, "2026-11-23 00:00:00"},
    {"0 0 0 23 11 ? 2026", "Z", "00:01:00", "2026-11-23 00:01:00", false, ""},
    {"0 0 0 30 2 ?", "Z", "00:01:00", "2026-11-23 00:01:00", false, ""},
    {"0 0 0 29 2 ?", "Z", "24:00:00", "2028-02-29 23:59:59", true, "2028-02-29 00:00:00"},
};

static void test_open(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        auto_arena struct arena a;
        arena_init(&a, 4096);
        struct window w = {0};
        struct err e = {0};
        assert_int_equal(cron_parse(str_of(rows[i].schedule), &a, &w.schedule, &e), 0);
        assert_int_equal(window_parse_zone(str_of(rows[i].zone), &w.offset_minutes, &e), 0);
        assert_int_equal(window_parse_duration(str_of(rows[i].duration), &w.seconds, &e), 0);
        struct window_state s = {.begins_s = -1, .ends_s = -1};
        window_at(&w, seconds_of(rows[i].now), &s);
        int64_t begins = seconds_of(rows[i].begins), ends = begins == 0 ? 0 : begins + w.seconds;
        if (s.open != rows[i].open || s.begins_s != begins || s.ends_s != ends)
            fail_msg("\"%s\" %s %s at %s: %s %lld to %lld", rows[i].schedule, rows[i].zone, rows[i].duration,
                     rows[i].now, s.open ? "open" : "closed", (long long)s.begins_s, (long long)s.ends_s);
    }
}

static void test_zone(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int minutes;
    } right[] = {{"Z", 0},        {"+00:00", 0},    {"-00:00", 0},     {"+02:00", 120}, {"-03:30", -210},
                 {"+05:45", 345}, {"+18:00", 1080}, {"-18:00", -1080}, {"+00:01", 1}};
    struct err e;
    for (size_t i = 0; i < COUNT(right); i++) {
        int minutes = 9999;
        assert_int_equal(window_parse_zone(str_of(right[i].text), &minutes, &e), 0);
        assert_int_equal(minutes, right[i].minutes);
    }
    static const char *const wrong[] = {"",        "z",       "UTC",      "02:00",  "+2:00",   "+02:0",
                                        "+0200",   "+02",     "+02:60",   "+18:01", "-18:01",  "+19:00",
                                        "+02:00 ", " +02:00", "+-2:00",   "+02:-1", "+02:00Z", "*02:00",
                                        "+02.00",  "+0a:00",  "+02:00:00"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        int minutes = 9999;
        if (window_parse_zone(str_of(wrong[i]), &minutes, &e) != ERR_INVALID || minutes != 9999)
            fail_msg("\"%s\" was taken", wrong[i]);
    }
}

static void test_duration(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
    } right[] = {{"00:00:01", 1},       {"00:01:00", 60},      {"02:30:15", 9015},
                 {"23:59:59", 86399},   {"24:00:00", 86400},   {"99:59:59", 359999},
                 {"100:00:00", 360000}, {"168:00:00", 604800}, {"001:00:00", 3600}};
    struct err e;
    for (size_t i = 0; i < COUNT(right); i++) {
        int64_t seconds = -1;
        assert_int_equal(window_parse_duration(str_of(right[i].text), &seconds, &e), 0);
        assert_int_equal(seconds, right[i].seconds);
    }
    static const char *const wrong[] = {"",          "00:00:00",   "000:00:00", "168:00:01", "169:00:00",
                                        "999:00:00", "1:00:00",    "01:00",     "01:60:00",  "01:00:60",
                                        "01:00:00 ", " 01:00:00",  "-1:00:00",  "+1:00:00",  "01-00-00",
                                        "01:0:000",  "0001:00:00", "PT1H",      "3600",      "01:00:0x",
                                        "::::::::",  "01:00:00.5", "1000:00:0", "01::00:00"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        int64_t seconds = -1;
        if (window_parse_duration(str_of(wrong[i]), &seconds, &e) != ERR_INVALID || seconds != -1)
            fail_msg("\"%s\" was taken", wrong[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_zone),
        cmocka_unit_test(test_duration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
