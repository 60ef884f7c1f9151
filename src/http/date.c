#include "http/date.h"

#include <time.h>

/* Reads along a text; anything unexpected turns ok off for good. */
struct reader {
    struct str s;
    bool ok;
};

static void expect(struct reader *r, const char *z)
{
    size_t n = strlen(z);
    r->ok = r->ok && r->s.n >= n && memcmp(r->s.p, z, n) == 0;
    if (r->ok) {
        r->s.p += n;
        r->s.n -= n;
    }
}

static int number(struct reader *r, size_t digits)
{
    int v = 0;
    r->ok = r->ok && r->s.n >= digits;
    for (size_t i = 0; i < digits && r->ok; i++) {
        r->ok = r->s.p[i] >= '0' && r->s.p[i] <= '9';
        v = v * 10 + (r->s.p[i] - '0');
    }
    if (r->ok) {
        r->s.p += digits;
        r->s.n -= digits;
    }
    return v;
}

/* Which of the names comes next (-1: none; not an error by itself). */
static int one_of(struct reader *r, const char *const *names, int count)
{
    for (int i = 0; i < count; i++) {
        size_t n = strlen(names[i]);
        if (r->ok && r->s.n >= n && memcmp(r->s.p, names[i], n) == 0) {
            r->s.p += n;
            r->s.n -= n;
            return i;
        }
    }
    return -1;
}

static void month(struct reader *r, struct tm *tm)
{
    static const char *const names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    tm->tm_mon = one_of(r, names, 12);
    r->ok = r->ok && tm->tm_mon >= 0;
}

static void time_of_day(struct reader *r, struct tm *tm)
{
    tm->tm_hour = number(r, 2);
    expect(r, ":");
    tm->tm_min = number(r, 2);
    expect(r, ":");
    tm->tm_sec = number(r, 2);
}

static void asctime_rest(struct reader *r, struct tm *tm)
{
    month(r, tm);
    expect(r, " ");
    if (r->ok && r->s.n > 0 && r->s.p[0] == ' ') {
        expect(r, " ");
        tm->tm_mday = number(r, 1);
    } else {
        tm->tm_mday = number(r, 2);
    }
    expect(r, " ");
    time_of_day(r, tm);
    expect(r, " ");
    tm->tm_year = number(r, 4) - 1900;
}

static void dated_rest(struct reader *r, struct tm *tm, bool rfc850)
{
    const char *sep = rfc850 ? "-" : " ";
    tm->tm_mday = number(r, 2);
    expect(r, sep);
    month(r, tm);
    expect(r, sep);
    if (rfc850) {
        int yy = number(r, 2);
        tm->tm_year = yy < 70 ? yy + 100 : yy;
    } else {
        tm->tm_year = number(r, 4) - 1900;
    }
    expect(r, " ");
    time_of_day(r, tm);
    expect(r, " GMT");
}

int http_date_parse(struct str s, int64_t *unix_s)
{
    static const char *const full[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};
    static const char *const brief[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    struct reader r = {.s = s, .ok = true};
    struct tm tm = {0};
    bool rfc850 = one_of(&r, full, 7) >= 0;
    if (!rfc850 && one_of(&r, brief, 7) < 0)
        return ERR_INVALID;
    if (r.s.n > 0 && r.s.p[0] == ',') {
        expect(&r, ", ");
        dated_rest(&r, &tm, rfc850);
    } else {
        r.ok = !rfc850;
        expect(&r, " ");
        asctime_rest(&r, &tm);
    }
    if (!r.ok || r.s.n != 0 || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60 || tm.tm_mday < 1)
        return ERR_INVALID;
    struct tm norm = tm;
    time_t t = timegm(&norm);
    /* timegm turns the 31st of a short month into the next month's 1st; a leap second may carry over. */
    if (tm.tm_sec < 60 && (norm.tm_mday != tm.tm_mday || norm.tm_mon != tm.tm_mon))
        return ERR_INVALID;
    *unix_s = (int64_t)t;
    return 0;
}
