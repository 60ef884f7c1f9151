/* When a schedule is due: known answers, and a search minute by minute over the C library's calendar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "model/cron.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

struct row {
    const char *text, *after;
    int offset;
    const char *want; /* UTC as `after` */
};

/* Made with Quartz 2.3.2 (CronExpression.getNextValidTimeAfter). */
static const struct row quartz[] = {
    {"0 0 2 ? * *", "2026-11-23 01:59:59", 0, "2026-11-23 02:00:00"},
    {"0 0 2 ? * *", "2026-11-23 02:00:00", 0, "2026-11-24 02:00:00"},
    {"0 0 2 ? * *", "2026-11-23 00:30:00", 60, "2026-11-23 01:00:00"},
    {"0 0 2 ? * *", "2026-11-23 01:30:00", 60, "2026-11-24 01:00:00"},
    {"0 0 2 ? * *", "2026-12-31 21:00:00", -210, "2027-01-01 05:30:00"},
    {"0 30 23 ? * *", "2026-12-31 12:00:00", 840, "2027-01-01 09:30:00"},
    {"30 15 4 23 11 ? 2026", "2026-11-23 04:00:00", 0, "2026-11-23 04:15:30"},
    {"30 15 4 23 11 ? 2026", "2026-11-23 04:15:30", 0, "never"},
    {"* * * ? * *", "2026-12-31 23:59:59", 0, "2027-01-01 00:00:00"},
    {"*/20 * * ? * *", "2026-11-23 10:00:41", 0, "2026-11-23 10:01:00"},
    {"5/20 59 23 ? * *", "2026-12-31 23:59:46", 0, "2027-01-01 23:59:05"},
    {"0 0/15 8-10 ? * MON-FRI", "2026-11-20 10:45:00", 0, "2026-11-23 08:00:00"},
    {"0 0/15 8-10 ? * MON-FRI", "2026-11-23 08:14:59", 0, "2026-11-23 08:15:00"},
    {"0 0 12 1/5 * ?", "2026-11-27 00:00:00", 0, "2026-12-01 12:00:00"},
    {"0 15,45 6 ? 3,SEP *", "2026-03-31 06:15:00", 0, "2026-03-31 06:45:00"},
    {"0 15,45 6 ? 3,SEP *", "2026-03-31 06:45:00", 0, "2026-09-01 06:15:00"},
    {"0 0 22-2 ? * FRI-MON", "2026-11-24 00:00:00", 0, "2026-11-27 00:00:00"},
    {"0 0 22-2 ? * FRI-MON", "2026-11-27 02:00:00", 0, "2026-11-27 22:00:00"},
    {"0 0 0 28-3 * ?", "2026-02-28 00:00:00", 0, "2026-03-01 00:00:00"},
    {"0 0 0 1 NOV-FEB ?", "2026-02-01 00:00:00", 0, "2026-11-01 00:00:00"},
    {"0 0 0 29 2 ?", "2026-01-01 00:00:00", 0, "2028-02-29 00:00:00"},
    {"0 0 0 29 2 ?", "2096-02-29 00:00:00", 0, "2104-02-29 00:00:00"},
    {"0 0 0 31 * ?", "2026-01-31 00:00:00", 0, "2026-03-31 00:00:00"},
    {"0 0 0 31 4,6,9,11 ?", "2026-01-31 00:00:00", 0, "never"},
    {"0 0 0 30 2 ?", "2026-01-01 00:00:00", 0, "never"},
    {"0 0 0 L * ?", "2026-01-31 00:00:00", 0, "2026-02-28 00:00:00"},
    {"0 0 0 L 2 ?", "2026-03-01 00:00:00", 0, "2027-02-28 00:00:00"},
    {"0 0 0 L 2 ?", "2027-03-01 00:00:00", 0, "2028-02-29 00:00:00"},
    {"0 0 0 L-3 * ?", "2026-11-01 00:00:00", 0, "2026-11-27 00:00:00"},
    {"0 0 0 L-30 * ?", "2026-02-01 00:00:00", 0, "2026-03-01 00:00:00"},
    {"0 0 0 LW * ?", "2026-01-01 00:00:00", 0, "2026-01-30 00:00:00"},
    {"0 0 0 LW * ?", "2026-05-01 00:00:00", 0, "2026-05-29 00:00:00"},
    {"0 0 0 LW * ?", "2026-10-31 00:00:00", 0, "2026-11-30 00:00:00"},
    {"0 0 0 L-2W 5 ?", "2026-05-01 00:00:00", 0, "2026-05-29 00:00:00"},
    {"0 0 0 15W * ?", "2026-08-01 00:00:00", 0, "2026-08-14 00:00:00"},
    {"0 0 0 15W * ?", "2026-11-01 00:00:00", 0, "2026-11-16 00:00:00"},
    {"0 0 0 15W * ?", "2026-12-01 00:00:00", 0, "2026-12-15 00:00:00"},
    {"0 0 0 1W * ?", "2026-08-01 00:00:00", 0, "2026-08-03 00:00:00"},
    {"0 0 0 1W 8 ?", "2026-08-03 00:00:00", 0, "2027-08-02 00:00:00"},
    {"0 0 0 31W 1 ?", "2026-01-01 00:00:00", 0, "2026-01-30 00:00:00"},
    {"0 0 0 31W 5 ?", "2026-05-01 00:00:00", 0, "2026-05-29 00:00:00"},
    {"0 0 0 ? * 6L", "2026-11-01 00:00:00", 0, "2026-11-27 00:00:00"},
    {"0 0 0 ? * FRIL", "2026-11-27 00:00:00", 0, "2026-12-25 00:00:00"},
    {"0 0 0 ? 2 1L", "2032-02-28 00:00:00", 0, "2032-02-29 00:00:00"},
    {"0 0 0 ? * L", "2026-11-23 00:00:00", 0, "2026-11-28 00:00:00"},
    {"0 0 0 ? * 6#3", "2026-11-01 00:00:00", 0, "2026-11-20 00:00:00"},
    {"0 0 0 ? * FRI#3", "2026-11-20 00:00:00", 0, "2026-12-18 00:00:00"},
    {"0 0 0 ? * 1#5", "2026-11-29 00:00:00", 0, "2027-01-31 00:00:00"},
    {"0 0 0 ? 2 1#5", "2026-01-01 00:00:00", 0, "2032-02-29 00:00:00"},
    {"0 0 0 ? 2 1#5", "2032-02-29 00:00:00", 0, "2060-02-29 00:00:00"},
    {"0 0 0 ? 2 SUN#5", "2060-03-01 00:00:00", 0, "2088-02-29 00:00:00"},
    {"0 0 0 ? * 2", "2026-11-23 00:00:00", 0, "2026-11-30 00:00:00"},
    {"0 0 0 ? * mon,Wed", "2026-11-23 00:00:00", 0, "2026-11-25 00:00:00"},
    {"0 0 0 ? jan *", "2026-11-23 00:00:00", 0, "2027-01-01 00:00:00"},
    {"0 0 0 ? * 1/2", "2026-11-23 00:00:00", 0, "2026-11-24 00:00:00"},
    {"0 0 0 1 1 ? 2030", "2026-11-23 00:00:00", 0, "2030-01-01 00:00:00"},
    {"0 0 0 1 1 ? 2030", "2030-01-01 00:00:00", 0, "never"},
    {"0 0 0 1 1 ? 2020-2024", "2026-11-23 00:00:00", 0, "never"},
    {"0 0 0 1 1 ? 2026/10", "2026-11-23 00:00:00", 0, "2036-01-01 00:00:00"},
    {"0 0 0 1 1 ? 2027,2050,2099", "2027-01-01 00:00:00", 0, "2050-01-01 00:00:00"},
    {"0 0 0 1 1 ? 2099", "2026-11-23 00:00:00", 0, "2099-01-01 00:00:00"},
    {"0 59 23 31 12 ? *", "2026-12-31 23:59:00", 0, "2027-12-31 23:59:00"},
    {"0 0 0 1 1 ? 2027", "2026-12-31 10:00:00", 840, "never"},
    {"0 0 0 1 1 ? 2027", "2026-12-31 23:00:00", -720, "2027-01-01 12:00:00"},
    {"0 0 0 1 3 ?", "2100-02-28 12:00:00", 0, "2100-03-01 00:00:00"},
};

/* By hand: where Quartz's answer is another, or none. */
static const struct row by_hand[] = {
    /* Quartz looks at the first of several W only, and refuses L and # in lists. */
    {"0 0 0 1W,15W * ?", "2026-11-02 00:00:00", 0, "2026-11-16 00:00:00"},
    {"0 0 0 L,15 * ?", "2026-11-15 00:00:00", 0, "2026-11-30 00:00:00"},
    {"0 0 0 10,L-10,2W * ?", "2026-11-02 00:00:00", 0, "2026-11-10 00:00:00"},
    {"0 0 0 10,L-10,2W * ?", "2026-11-10 00:00:00", 0, "2026-11-20 00:00:00"},
    {"0 0 0 ? * 6L,3", "2026-11-24 00:00:00", 0, "2026-11-27 00:00:00"},
    {"0 0 0 ? * 2#1,2#3", "2026-11-02 00:00:00", 0, "2026-11-16 00:00:00"},
    /* Quartz takes 31W of a month with 30 days as the first of the next. */
    {"0 0 0 31W * ?", "2026-11-01 00:00:00", 0, "2026-12-31 00:00:00"},
    {"0 0 0 31W 6 ?", "2026-01-01 00:00:00", 0, "never"},
    {"0 0 0 29W 2 ?", "2027-01-01 00:00:00", 0, "2028-02-29 00:00:00"},
    /* Quartz forgets the step behind a range of names. */
    {"0 0 0 ? * MON-FRI/2", "2026-11-23 00:00:00", 0, "2026-11-25 00:00:00"},
    /* Two rules on one day. */
    {"0 0 0 ? * 6#3,FRI", "2026-11-20 00:00:00", 0, "2026-11-27 00:00:00"},
    /* The ends of time. */
    {"* * * ? * *", "1969-12-31 23:00:00", 0, "1970-01-01 00:00:01"},
    {"0 0 0 ? * *", "1970-01-01 00:00:00", 1080, "1970-01-01 06:00:00"},
    {"0 0 0 ? * *", "1970-01-01 00:00:00", -1080, "1970-01-01 18:00:00"},
    {"0 0 12 ? * *", "1970-01-01 00:00:00", -720, "1970-01-02 00:00:00"},
    {"59 59 23 31 12 ? 2099", "2099-12-31 23:59:58", 0, "2099-12-31 23:59:59"},
    {"59 59 23 31 12 ? 2099", "2099-12-31 23:59:59", 0, "never"},
    {"0 0 0 ? * * *", "2199-12-31 12:00:00", 0, "2200-01-01 00:00:00"},
    {"0 0 0 29 2 ?", "2196-02-29 00:00:00", 0, "2204-02-29 00:00:00"},
    /* 29 February on a Sunday, around 2100: 40 years. */
    {"0 0 0 ? 2 1#5", "2088-02-29 00:00:00", 0, "2128-02-29 00:00:00"},
};

static int64_t seconds_of(const char *text)
{
    struct tm tm = {0};
    if (strcmp(text, "never") == 0)
        return 0;
    const char *end = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);
    assert_true(end != NULL && *end == '\0');
    return timegm(&tm);
}

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        auto_arena struct arena a;
        arena_init(&a, 4096);
        const struct cron *c = NULL;
        struct err e = {0};
        if (cron_parse(str_of(rows[i].text), &a, &c, &e) != 0)
            fail_msg("%s: %s", rows[i].text, e.text);
        int64_t got = cron_next(c, seconds_of(rows[i].after), rows[i].offset);
        char shown[32] = "never";
        time_t t = (time_t)got;
        struct tm tm;
        if (got != 0)
            strftime(shown, sizeof shown, "%Y-%m-%d %H:%M:%S", gmtime_r(&t, &tm));
        if (got != seconds_of(rows[i].want))
            fail_msg("\"%s\" after %s at %d: %s, not %s", rows[i].text, rows[i].after, rows[i].offset, shown,
                     rows[i].want);
    }
}

static void test_quartz(void **state)
{
    (void)state;
    check_rows(quartz, COUNT(quartz));
}

static void test_by_hand(void **state)
{
    (void)state;
    check_rows(by_hand, COUNT(by_hand));
}

static void test_far_ends(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a, 4096);
    const struct cron *c = NULL;
    assert_int_equal(cron_parse(STR("* * * ? * *"), &a, &c, NULL), 0);
    assert_int_equal(cron_next(c, INT64_MIN, 0), 1);
    assert_int_equal(cron_next(c, INT64_MIN, -1080), 1);
    assert_int_equal(cron_next(c, INT64_MAX, 1080), 0);
    assert_int_equal(cron_next(c, INT64_C(253402300799), 0), 0);
    assert_int_equal(cron_next(c, INT64_C(253402300798), 1080), INT64_C(253402300799));
}

/* A schedule as plain tables beside its text. */
struct model {
    char text[CRON_TEXT_MAX];
    bool minute[60], hour[24], month[13], weekday[8], day[32], year[200];
    int last[32], last_w[32], near[32]; /* L-n, L-nW, nW */
    int last_weekday[8], nth[8][6];
    bool by_weekday, any_year;
};

static uint32_t random_seed;

static int pick(int from, int to)
{
    random_seed = random_seed * 1664525U + 1013904223U;
    return from + (int)((random_seed >> 8) % (uint32_t)(to - from + 1));
}

static void say(struct model *m, const char *text)
{
    size_t n = strlen(m->text);
    assert_true(n + strlen(text) < sizeof m->text);
    memcpy(m->text + n, text, strlen(text) + 1);
}

/* A list of values, ranges and steps; base is taken off each. */
static void list(struct model *m, bool *set, int min, int max, int base, bool may_wrap)
{
    char word[32];
    for (int left = pick(1, 3); left > 0; left--) {
        bool years = min > 100; /* those near to where the search is */
        int a = years ? pick(2023, 2036) : pick(min, max), b = years ? pick(2023, 2036) : pick(min, max);
        int step = 1;
        switch (pick(0, 4)) {
        case 0:
            a = min;
            b = max;
            snprintf(word, sizeof word, "*");
            break;
        case 1:
            step = pick(1, max > 100 ? 9 : max);
            b = max;
            snprintf(word, sizeof word, "%d/%d", a, step);
            break;
        case 2:
            step = pick(1, 5);
            b = b < a && !may_wrap ? a : b;
            snprintf(word, sizeof word, "%d-%d/%d", a, b, step);
            break;
        default:
            b = a;
            snprintf(word, sizeof word, "%d", a);
        }
        say(m, word);
        say(m, left > 1 ? "," : " ");
        int steps = 0;
        for (int v = a;; v = v == max ? min : v + 1) {
            if (steps++ % step == 0)
                set[v - base] = true;
            if (v == b)
                break;
        }
    }
}

static void special_day(struct model *m)
{
    char word[32];
    int n = pick(1, 31);
    switch (pick(0, 4)) {
    case 0:
        m->last[0] = 1;
        snprintf(word, sizeof word, "L ");
        break;
    case 1:
        m->last[n - 1] = 1;
        snprintf(word, sizeof word, "L-%d ", n - 1);
        break;
    case 2:
        m->last_w[0] = 1;
        snprintf(word, sizeof word, "LW ");
        break;
    case 3:
        m->last_w[n - 1] = 1;
        snprintf(word, sizeof word, "L-%dW ", n - 1);
        break;
    default:
        m->near[n] = 1;
        snprintf(word, sizeof word, "%dW ", n);
    }
    say(m, word);
}

static void special_weekday(struct model *m)
{
    static const char *const names[] = {"SUN", "mon", "Tue", "WED", "THU", "FRI", "SAT"};
    char word[32];
    int d = pick(1, 7), k = pick(1, 5);
    bool last = pick(0, 1) == 0;
    if (last)
        m->last_weekday[d] = 1;
    else
        m->nth[d][k] = 1;
    if (last)
        snprintf(word, sizeof word, "%sL ", names[d - 1]);
    else
        snprintf(word, sizeof word, "%d#%d ", d, k);
    say(m, word);
}

static void make(struct model *m)
{
    memset(m, 0, sizeof *m);
    say(m, "0 ");
    list(m, m->minute, 0, 59, 0, true);
    list(m, m->hour, 0, 23, 0, true);
    m->by_weekday = pick(0, 1) == 0;
    if (m->by_weekday)
        say(m, "? ");
    else if (pick(0, 1) == 0)
        special_day(m);
    else
        list(m, m->day, 1, 31, 0, true);
    list(m, m->month, 1, 12, 0, true);
    if (!m->by_weekday)
        say(m, "? ");
    else if (pick(0, 1) == 0)
        special_weekday(m);
    else
        list(m, m->weekday, 1, 7, 0, true);
    m->any_year = pick(0, 2) != 0;
    if (!m->any_year)
        list(m, m->year, CRON_YEAR_MIN, CRON_YEAR_MAX, 1900, false);
}

static int last_day(const struct tm *tm)
{
    struct tm next = {.tm_year = tm->tm_year, .tm_mon = tm->tm_mon + 1, .tm_mday = 0};
    time_t t = timegm(&next); /* day 0 is the last of the month before */
    gmtime_r(&t, &next);
    return next.tm_mday;
}

/* Is this weekday the one nearest to day n of its month? */
static bool nearest(const struct tm *tm, int n, int last)
{
    if (n < 1 || n > last || tm->tm_wday == 0 || tm->tm_wday == 6)
        return false;
    int day = tm->tm_mday;
    if (n == day)
        return true;
    if (tm->tm_wday == 5 && n == day + 1)
        return true;
    if (tm->tm_wday == 1 && n == day - 1)
        return true;
    /* Over the week-end only where the month ends in it. */
    return (tm->tm_wday == 1 && n == 1 && day == 3) || (tm->tm_wday == 5 && n == last && day == last - 2);
}

static bool day_is_due(const struct model *m, const struct tm *tm)
{
    int day = tm->tm_mday, weekday = tm->tm_wday + 1, last = last_day(tm);
    if (!m->month[tm->tm_mon + 1] || (!m->any_year && !m->year[tm->tm_year]))
        return false;
    if (m->by_weekday)
        return m->weekday[weekday] || (m->last_weekday[weekday] != 0 && day > last - 7) ||
               m->nth[weekday][(day + 6) / 7] != 0;
    if (m->day[day] || m->last[last - day] != 0)
        return true;
    for (int n = 0; n < 32; n++)
        if ((m->near[n] != 0 && nearest(tm, n, last)) || (m->last_w[n] != 0 && nearest(tm, last - n, last)))
            return true;
    return false;
}

#define DAYS_LOOKED_AT 800

/* Minute by minute; 0 when there is none within the days looked at. */
static int64_t slow_next(const struct model *m, int64_t after, int offset)
{
    int64_t local = after + offset * 60, minute = local / 60 + 1, end = local + DAYS_LOOKED_AT * 86400;
    struct tm tm;
    bool due = false;
    for (int64_t day = -1; minute * 60 <= end; minute++) {
        if (minute / 1440 != day) {
            day = minute / 1440;
            time_t t = (time_t)(day * 86400);
            gmtime_r(&t, &tm);
            due = day_is_due(m, &tm);
        }
        if (due && m->minute[minute % 60] && m->hour[minute / 60 % 24])
            return minute * 60 - offset * 60;
    }
    return 0;
}

static void test_against_minutes(void **state)
{
    (void)state;
    static const int offsets[] = {0, 60, -210, 345, 840, -720, 1080, -1080};
    random_seed = 20261123;
    int found = 0;
    for (int i = 0; i < 3000; i++) {
        auto_arena struct arena a;
        arena_init(&a, 4096);
        struct model m;
        make(&m);
        const struct cron *c = NULL;
        struct err e = {0};
        if (cron_parse(str_of(m.text), &a, &c, &e) != 0)
            fail_msg("%s: %s", m.text, e.text);
        int offset = offsets[pick(0, (int)COUNT(offsets) - 1)];
        int64_t at = INT64_C(1700000000) + (int64_t)pick(0, 300000) * 1000 + pick(0, 999);
        for (int k = 0; k < 3; k++) {
            int64_t want = slow_next(&m, at, offset), got = cron_next(c, at, offset);
            bool far = want == 0 && (got == 0 || got > at + DAYS_LOOKED_AT * INT64_C(86400));
            if (got != want && !far)
                fail_msg("\"%s\" after %lld at %d: %lld, not %lld", m.text, (long long)at, offset,
                         (long long)got, (long long)want);
            if (want == 0)
                break;
            found++;
            at = want;
        }
    }
    assert_true(found > 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quartz),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_far_ends),
        cmocka_unit_test(test_against_minutes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
