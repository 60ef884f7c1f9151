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
