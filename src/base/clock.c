#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t system_unix_ms(void *ctx)
{
    (void)ctx;
    return read_clock(CLOCK_REALTIME);
}

static int64_t system_mono_ms(void *ctx)
{
    (void)ctx;
    return read_clock(CLOCK_MONOTONIC);
}

const struct clock clock_system = {.unix_ms = system_unix_ms, .mono_ms = system_mono_ms};

/* Every response has a date, and many a body has several: printf would be most of their cost. */
static char *put(char *p, int v, int digits)
{
    for (int i = digits - 1; i >= 0; i--, v /= 10)
        p[i] = (char)('0' + v % 10);
    return p + digits;
}

static char *put_time(char *p, const struct tm *tm)
{
    p = put(p, tm->tm_hour, 2);
    *p++ = ':';
    p = put(p, tm->tm_min, 2);
    *p++ = ':';
    return put(p, tm->tm_sec, 2);
}

char *clock_format(int64_t unix_ms, char out[CLOCK_TEXT_MAX])
{
    time_t t = (time_t)(unix_ms / 1000);
    struct tm tm;
    if (unix_ms < 0 || gmtime_r(&t, &tm) == NULL || tm.tm_year > 8099) {
        snprintf(out, CLOCK_TEXT_MAX, "invalid-time");
        return out;
    }
    char *p = put(out, tm.tm_year + 1900, 4);
    *p++ = '-';
    p = put(p, tm.tm_mon + 1, 2);
    *p++ = '-';
    p = put(p, tm.tm_mday, 2);
    *p++ = 'T';
    p = put_time(p, &tm);
    *p++ = '.';
    p = put(p, (int)(unix_ms % 1000), 3);
    memcpy(p, "Z", 2);
    return out;
}

char *clock_format_http(int64_t unix_ms, char out[CLOCK_TEXT_MAX])
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t t = (time_t)(unix_ms / 1000);
    struct tm tm;
    if (unix_ms < 0 || gmtime_r(&t, &tm) == NULL || tm.tm_year > 8099) {
        snprintf(out, CLOCK_TEXT_MAX, "Thu, 01 Jan 1970 00:00:00 GMT");
        return out;
    }
    memcpy(out, days[tm.tm_wday], 3);
    memcpy(out + 3, ", ", 2);
    char *p = put(out + 5, tm.tm_mday, 2);
    *p++ = ' ';
    memcpy(p, months[tm.tm_mon], 3);
    p[3] = ' ';
    p = put(p + 4, tm.tm_year + 1900, 4);
    *p++ = ' ';
    p = put_time(p, &tm);
    memcpy(p, " GMT", 5);
    return out;
}

/* --- reading ------------------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Takes n digits off the beginning that make a number from min to max. */
static bool take_number(struct str *s, size_t n, int min, int max, int *out)
{
    int v = 0;
    if (s->n < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!is_digit(s->p[i]))
            return false;
        v = v * 10 + (s->p[i] - '0');
    }
    *s = (struct str){.p = s->p + n, .n = s->n - n};
    *out = v;
    return v >= min && v <= max;
}

static bool take_char(struct str *s, const char *any)
{
    if (s->n == 0 || s->p[0] == '\0' || strchr(any, s->p[0]) == NULL)
        return false;
    *s = (struct str){.p = s->p + 1, .n = s->n - 1};
    return true;
}

/* ".123456": what is finer than milliseconds is cut off. */
static bool take_fraction(struct str *s, int *ms)
{
    *ms = 0;
    if (!take_char(s, "."))
        return true;
    int digit, unit = 100;
    if (!take_number(s, 1, 0, 9, &digit))
        return false;
    for (bool more = true; more; more = s->n > 0 && is_digit(s->p[0]) && take_number(s, 1, 0, 9, &digit)) {
        *ms += digit * unit;
        unit /= 10;
    }
    return true;
}

static bool take_zone(struct str *s, int *minutes_east)
{
    int hours, minutes;
    *minutes_east = 0;
    if (take_char(s, "Zz"))
        return true;
    bool west = s->n > 0 && s->p[0] == '-';
    if (!take_char(s, "+-") || !take_number(s, 2, 0, 23, &hours) || !take_char(s, ":") ||
        !take_number(s, 2, 0, 59, &minutes))
        return false;
    *minutes_east = (west ? -1 : 1) * (hours * 60 + minutes);
    return true;
}

/* Without leap seconds: Unix time has none. */
int clock_parse(struct str text, int64_t *unix_ms)
{
    struct tm tm = {0};
    struct str s = text;
    int year, month, ms, east;
    if (!take_number(&s, 4, 1970, 9999, &year) || !take_char(&s, "-") || !take_number(&s, 2, 1, 12, &month) ||
        !take_char(&s, "-") || !take_number(&s, 2, 1, 31, &tm.tm_mday) || !take_char(&s, "Tt") ||
        !take_number(&s, 2, 0, 23, &tm.tm_hour) || !take_char(&s, ":") ||
        !take_number(&s, 2, 0, 59, &tm.tm_min) || !take_char(&s, ":") ||
        !take_number(&s, 2, 0, 59, &tm.tm_sec) || !take_fraction(&s, &ms) || !take_zone(&s, &east) || s.n > 0)
        return ERR_INVALID;
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    int64_t seconds = timegm(&tm); /* makes the 1st of March of a 30th of February */
    if (tm.tm_mon != month - 1)
        return ERR_INVALID;
    *unix_ms = (seconds - (int64_t)east * 60) * 1000 + ms;
    return 0;
}
