/* Numbers and times in filters. */
#include <time.h>

#include "model/filter_internal.h"

/* ---- numbers ---- */

/* A decimal number, exactly: no floating point, so that C and SQL cannot differ. Both parts have its sign. */
struct number {
    int64_t whole;
    int64_t fraction; /* in units of 10^-FILTER_DIGITS_MAX */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* -?digits[.digits] */
static bool number_read(struct str text, struct number *out)
{
    struct number v = {0};
    size_t at = 0, digits = 0, decimals = 0;
    bool minus = text.n > 0 && text.p[0] == '-';
    if (text.n > FILTER_DIGITS_MAX + 2) /* a sign and a point */
        return false;
    for (at = minus; at < text.n && is_digit(text.p[at]); at++, digits++)
        v.whole = v.whole * 10 + (text.p[at] - '0');
    if (digits == 0)
        return false;
    if (at < text.n && text.p[at] == '.') {
        for (at++; at < text.n && is_digit(text.p[at]); at++, decimals++)
            v.fraction = v.fraction * 10 + (text.p[at] - '0');
        if (decimals == 0)
            return false;
    }
    if (at != text.n || digits + decimals > FILTER_DIGITS_MAX)
        return false;
    for (size_t i = decimals; i < FILTER_DIGITS_MAX; i++)
        v.fraction *= 10;
    *out = minus ? (struct number){.whole = -v.whole, .fraction = -v.fraction} : v;
    return true;
}

bool filter_is_number(struct str text)
{
    struct number v;
    return number_read(text, &v);
}

bool filter_number_order(struct str value, struct str number, int *order)
{
    struct number a, b;
    if (!number_read(value, &a) || !number_read(number, &b))
        return false;
    *order = a.whole != b.whole ? (a.whole > b.whole) - (a.whole < b.whole)
                                : (a.fraction > b.fraction) - (a.fraction < b.fraction);
    return true;
}

/* ---- times ---- */

#define MS_DIGITS_MAX 15 /* Unix milliseconds: to the year 33658 */
#define AGO_DIGITS_MAX 9

static int ago_parse(struct str text, struct filter_time *out)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}, {'w', 604800000}};
    uint64_t n = 0;
    if (text.n < 3 || text.p[0] != '-' || text.n - 2 > AGO_DIGITS_MAX ||
        str_to_u64((struct str){.p = text.p + 1, .n = text.n - 2}, UINT32_MAX, &n) != 0)
        return ERR_INVALID;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (units[i].unit == text.p[text.n - 1]) {
            *out = (struct filter_time){.ms = (int64_t)n * units[i].ms, .ago = true};
            return 0;
        }
    return ERR_INVALID;
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

/* RFC 3339 section 5.6, without leap seconds: Unix time has none. */
static int date_parse(struct str s, struct filter_time *out)
{
    struct tm tm = {0};
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
    *out = (struct filter_time){.ms = (seconds - (int64_t)east * 60) * 1000 + ms};
    return 0;
}

int filter_time_parse(struct str text, struct filter_time *out)
{
    uint64_t ms = 0;
    if (text.n <= MS_DIGITS_MAX && str_to_u64(text, INT64_MAX, &ms) == 0) {
        *out = (struct filter_time){.ms = (int64_t)ms};
        return 0;
    }
    return text.n > 0 && text.p[0] == '-' ? ago_parse(text, out) : date_parse(text, out);
}

int64_t filter_time_at(struct filter_time t, int64_t now_ms)
{
    int64_t at;
    if (!t.ago)
        return t.ms;
    return __builtin_sub_overflow(now_ms, t.ms, &at) ? INT64_MIN : at;
}
