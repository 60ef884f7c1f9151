#include "model/cron.h"

#define DAY_S INT64_C(86400)
/* The last moment of the year 9999: what lies behind is taken as never. */
#define LAST_S INT64_C(253402300799)

struct date {
    int64_t year;
    int month, day; /* from 1 */
};

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar, counted in years that begin in March, so that
   the leap day is a year's last: month m of them begins (153 m + 2) / 5 days in. Years from 1969 on. */
static int64_t days_of(struct date d)
{
    int64_t y = d.month > 2 ? d.year : d.year - 1;
    int64_t m = d.month > 2 ? d.month - 3 : d.month + 9;
    return y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + d.day - 1 - 719468;
}

static struct date date_of(int64_t days)
{
    /* The mean year has 365.2425 days: the first guess of the year is right or one short. */
    int64_t year = 1970 + days * 400 / 146097;
    while (days_of((struct date){year + 1, 1, 1}) <= days)
        year++;
    while (days_of((struct date){year, 1, 1}) > days)
        year--;
    int left = (int)(days - days_of((struct date){year, 1, 1})), month = 1;
    while (left >= month_days(year, month))
        left -= month_days(year, month++);
    return (struct date){year, month, left + 1};
}

/* The weekday nearest to `day` that is in its month. */
static int nearest_weekday(int day, int last, int weekday)
{
    if (weekday == 7)
        return day > 1 ? day - 1 : day + 2;
    if (weekday == 1)
        return day < last ? day + 1 : day - 2;
    return day;
}

/* The month's days as bits 1 to 31. */
static uint32_t days_in(const struct cron *c, int64_t year, int month)
{
    int last = month_days(year, month);
    /* 1970-01-01 was a Thursday; here Sunday is 1. West of UTC 1970 begins in 1969: 53 weeks more. */
    int first_weekday = (int)((days_of((struct date){year, month, 1}) + 53 * 7 + 4) % 7) + 1;
    uint32_t found = 0;
    for (int day = 1; day <= last; day++) {
        int weekday = (first_weekday - 1 + day - 1) % 7 + 1;
        uint32_t bit = 1U << day, before_last = 1U << (last - day);
        if (c->by_weekday) {
            int of = c->weekdays | c->nth[(day - 1) / 7] | (day + 7 > last ? c->last_weekdays : 0);
            if ((of >> weekday & 1) != 0)
                found |= bit;
            continue;
        }
        if ((c->days & bit) != 0 || (c->before_last & before_last) != 0)
            found |= bit;
        if ((c->near & bit) != 0 || (c->near_last & before_last) != 0)
            found |= 1U << nearest_weekday(day, last, weekday);
    }
    return found;
}

/* The lowest member from `from` on, or -1. */
static int lowest(uint64_t set, int from)
{
    uint64_t rest = from > 63 ? 0 : set & (UINT64_MAX << from);
    return rest == 0 ? -1 : __builtin_ctzll(rest);
}

/* Seconds into the day, from `from` on, or -1. */
static int time_from(const struct cron *c, int from)
{
    int hour = from / 3600, minute = from / 60 % 60, second = from % 60;
    int h = lowest(c->hours, hour);
    if (h == hour) {
        int m = lowest(c->minutes, minute);
        int s = m == minute ? lowest(c->seconds, second) : -1;
        if (s >= 0)
            return h * 3600 + m * 60 + s;
        if (m == minute)
            m = lowest(c->minutes, minute + 1);
        if (m >= 0)
            return h * 3600 + m * 60 + lowest(c->seconds, 0);
        h = lowest(c->hours, hour + 1);
    }
    return h < 0 ? -1 : h * 3600 + lowest(c->minutes, 0) * 60 + lowest(c->seconds, 0);
}

static bool has_year(const struct cron *c, int64_t year)
{
    if (c->any_year)
        return true;
    if (year < CRON_YEAR_MIN || year > CRON_YEAR_MAX)
        return false;
    unsigned bit = (unsigned)(year - CRON_YEAR_MIN);
    return (c->years[bit / 64] >> (bit % 64) & 1) != 0;
}

/* The first time on or after `from`, of which `second` is the second of its day, by the local clock. */
static bool search(const struct cron *c, struct date from, int second, int64_t *found)
{
    int64_t last_year = c->any_year ? from.year + CRON_YEARS_AHEAD : CRON_YEAR_MAX;
    for (int64_t year = from.year; year <= last_year; year++) {
        bool now = year == from.year;
        if (!has_year(c, year))
            continue;
        for (int month = lowest(c->months, now ? from.month : 1); month > 0;
             month = lowest(c->months, month + 1)) {
            uint32_t days = days_in(c, year, month);
            int time = -1, day = 1;
            if (now && month == from.month) {
                day = from.day;
                if ((days >> day & 1) != 0)
                    time = time_from(c, second);
                day += time < 0 ? 1 : 0;
            }
            day = lowest(days, day);
            if (day < 0)
                continue;
            *found = days_of((struct date){year, month, day}) * DAY_S + (time < 0 ? time_from(c, 0) : time);
            return true;
        }
    }
    return false;
}

int64_t cron_next(const struct cron *c, int64_t after_s, int offset_minutes)
{
    if (after_s >= LAST_S)
        return 0;
    int64_t offset = (int64_t)offset_minutes * 60;
    int64_t local = (after_s < 0 ? 0 : after_s) + 1 + offset;
    int64_t days = local / DAY_S - (local % DAY_S < 0 ? 1 : 0);
    int64_t found = 0;
    return search(c, date_of(days), (int)(local - days * DAY_S), &found) ? found - offset : 0;
}
