/* Numbers and times in filters. */
#include "base/clock.h"
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

int filter_time_parse(struct str text, struct filter_time *out)
{
    uint64_t ms = 0;
    if (text.n <= MS_DIGITS_MAX && str_to_u64(text, INT64_MAX, &ms) == 0) {
        *out = (struct filter_time){.ms = (int64_t)ms};
        return 0;
    }
    if (text.n > 0 && text.p[0] == '-')
        return ago_parse(text, out);
    int64_t at;
    int rc = clock_parse(text, &at);
    if (rc == 0)
        *out = (struct filter_time){.ms = at};
    return rc;
}

int64_t filter_time_at(struct filter_time t, int64_t now_ms)
{
    int64_t at;
    if (!t.ago)
        return t.ms;
    return __builtin_sub_overflow(now_ms, t.ms, &at) ? INT64_MIN : at;
}
