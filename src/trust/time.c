#include "trust/document.h"

#define YEAR_MIN 1
#define YEAR_MAX 9999
#define SECOND_MIN (-62135596800) /* 0001-01-01T00:00:00Z */
#define SECOND_MAX 253402300799   /* 9999-12-31T23:59:59Z */

/* Days from 1970-01-01 in the proleptic Gregorian calendar; years are counted from March, so that the leap
   day is the last of one. */
static int64_t days_of(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;
    return 365 * (int64_t)y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool take(struct str text, size_t at, size_t n, int min, int max, int *out)
{
    int v = 0;
    for (size_t i = at; i < at + n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        v = v * 10 + (text.p[i] - '0');
    }
    *out = v;
    return v >= min && v <= max;
}

int tuf_time_read(struct str text, int64_t *out)
{
    static const char form[] = "____-__-__T__:__:__Z";
    int year, month, day, hour, minute, second;
    if (text.n != sizeof form - 1)
        return ERR_INVALID;
    for (size_t i = 0; i < text.n; i++)
        if (form[i] != '_' && text.p[i] != form[i])
            return ERR_INVALID;
    if (!take(text, 0, 4, YEAR_MIN, YEAR_MAX, &year) || !take(text, 5, 2, 1, 12, &month) ||
        !take(text, 8, 2, 1, days_in(year, month), &day) || !take(text, 11, 2, 0, 23, &hour) ||
        !take(text, 14, 2, 0, 59, &minute) || !take(text, 17, 2, 0, 59, &second))
        return ERR_INVALID;
    *out = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    return 0;
}

static void give(int v, size_t n, char *out)
{
    for (size_t i = n; i-- > 0; v /= 10)
        out[i] = (char)('0' + v % 10);
}

void tuf_time_write(int64_t unix_s, char out[TUF_TIME_SIZE])
{
    if (unix_s < SECOND_MIN)
        unix_s = SECOND_MIN;
    if (unix_s > SECOND_MAX)
        unix_s = SECOND_MAX;
    int64_t day = unix_s / 86400;
    int second = (int)(unix_s % 86400);
    if (second < 0) {
        second += 86400;
        day--;
    }
    /* No year is shorter than 365 days, so this is never too early; months go by their length. */
    int year = YEAR_MIN + (int)((day - days_of(YEAR_MIN, 1, 1)) / 366), month = 1;
    while (year < YEAR_MAX && days_of(year + 1, 1, 1) <= day)
        year++;
    while (month < 12 && days_of(year, month + 1, 1) <= day)
        month++;
    memcpy(out, "0000-00-00T00:00:00Z", TUF_TIME_SIZE);
    give(year, 4, out);
    give(month, 2, out + 5);
    give((int)(day - days_of(year, month, 1)) + 1, 2, out + 8);
    give(second / 3600, 2, out + 11);
    give(second / 60 % 60, 2, out + 14);
    give(second % 60, 2, out + 17);
}
