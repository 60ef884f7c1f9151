#include "cmd/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define DAY_S 86400

struct range {
    uint32_t first, last;
};

/* Shown as \u....: C1 controls, zero-width characters, line separators, and what turns the writing
   direction (Unicode Standard Annex 9); a device's name must not be able to look like another's. */
static const struct range invisible[] = {
    {0x80, 0x9f},     {0xad, 0xad},       {0x61c, 0x61c},      {0x180e, 0x180e}, {0x200b, 0x200f},
    {0x2028, 0x202e}, {0x2060, 0x206f},   {0xfe00, 0xfe0f},    {0xfeff, 0xfeff}, {0xfff0, 0xfffb},
    {0xe000, 0xf8ff}, {0xe0000, 0xe0fff}, {0xf0000, 0x10ffff},
};

static const struct range combining[] = {
    {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x610, 0x61a},   {0x64b, 0x65f},
    {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe20, 0xfe2f},
};

/* East Asian Wide and Fullwidth (Unicode Standard Annex 11), and emoji. */
static const struct range wide[] = {
    {0x1100, 0x115f}, {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},   {0x4e00, 0x9fff},
    {0xa000, 0xa4cf}, {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe4f},   {0xff00, 0xff60},
    {0xffe0, 0xffe6}, {0x1f300, 0x1f64f}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
};

static bool in_ranges(uint32_t c, const struct range *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (c >= r[i].first && c <= r[i].last)
            return true;
    return false;
}
#define IN(c, ranges) in_ranges((c), (ranges), sizeof(ranges) / sizeof((ranges)[0]))

/* Bytes of the UTF-8 character (RFC 3629) that s begins with, 0 when it is none; s.n > 0. */
static size_t decode(struct str s, uint32_t *c)
{
    const unsigned char *p = (const unsigned char *)s.p;
    if (p[0] < 0x80) {
        *c = p[0];
        return 1;
    }
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || s.n < n)
        return 0;
    uint32_t v = p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        v = v << 6 | (p[i] & 0x3fu);
    }
    bool overlong = (n == 3 && v < 0x800) || (n == 4 && v < 0x10000);
    if (overlong || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        return 0;
    *c = v;
    return n;
}

#define ESCAPED_MAX 12

/* Writes one character (n bytes at p, 0: one bad byte) as it is shown; answers the bytes written. */
static size_t escape_one(const char *p, size_t n, uint32_t c, char out[ESCAPED_MAX])
{
    if (n == 0)
        return (size_t)snprintf(out, ESCAPED_MAX, "\\x%02x", (unsigned char)*p);
    if (c == '\n' || c == '\t' || c == '\r')
        return (size_t)snprintf(out, ESCAPED_MAX, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
    if (c < 0x20 || c == 0x7f)
        return (size_t)snprintf(out, ESCAPED_MAX, "\\x%02x", c);
    if (IN(c, invisible))
        return (size_t)snprintf(out, ESCAPED_MAX, "\\u%04x", c);
    memcpy(out, p, n);
    return n;
}

char *text_escape(struct str s, struct arena *a)
{
    char one[ESCAPED_MAX];
    char *out = NULL;
    for (int pass = 0; pass < 2; pass++) { /* measure, then write */
        size_t total = 0;
        for (size_t i = 0; i < s.n;) {
            uint32_t c = 0;
            size_t n = decode((struct str){.p = s.p + i, .n = s.n - i}, &c);
            size_t w = escape_one(s.p + i, n, c, one);
            if (out != NULL)
                memcpy(out + total, one, w);
            total += w;
            i += n > 0 ? n : 1;
        }
        if (out == NULL)
            out = arena_alloc(a, total + 1);
        if (out == NULL)
            return NULL;
    }
    return out;
}

static size_t columns_of(uint32_t c)
{
    if (IN(c, combining))
        return 0;
    return IN(c, wide) ? 2 : 1;
}

/* Walks s while it fits; the columns taken so far go to *used. */
static size_t walk(const char *s, size_t columns, size_t *used)
{
    struct str rest = str_of(s);
    size_t at = 0, taken = 0;
    while (at < rest.n) {
        uint32_t c = 0;
        size_t n = decode((struct str){.p = s + at, .n = rest.n - at}, &c);
        size_t w = n > 0 ? columns_of(c) : 1;
        if (taken + w > columns)
            break;
        taken += w;
        at += n > 0 ? n : 1;
    }
    *used = taken;
    return at;
}

size_t text_width(const char *s)
{
    size_t used = 0;
    (void)walk(s, SIZE_MAX - 2, &used);
    return used;
}

size_t text_fit(const char *s, size_t columns)
{
    size_t used = 0;
    return walk(s, columns, &used);
}

char *text_size(int64_t bytes, char out[TEXT_SHORT_MAX])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB"};
    if (bytes < 1024) {
        snprintf(out, TEXT_SHORT_MAX, "%lld B", (long long)bytes);
        return out;
    }
    double v = (double)bytes / 1024;
    size_t u = 0;
    while (v >= 1023.95 && u + 1 < sizeof units / sizeof units[0]) {
        v /= 1024;
        u++;
    }
    snprintf(out, TEXT_SHORT_MAX, "%.1f %s", v, units[u]);
    return out;
}

char *text_ago(int64_t then_ms, int64_t now_ms, char out[TEXT_SHORT_MAX])
{
    bool future = then_ms > now_ms;
    int64_t s = (future ? then_ms - now_ms : now_ms - then_ms) / 1000;
    const char *unit;
    int64_t n;
    if (s < 2) {
        snprintf(out, TEXT_SHORT_MAX, "now");
        return out;
    }
    if (s < 60) {
        n = s;
        unit = "s";
    } else if (s < 90 * 60) {
        n = s / 60;
        unit = "min";
    } else if (s < 2 * DAY_S) {
        n = s / 3600;
        unit = "h";
    } else if (s < 60 * DAY_S) {
        n = s / DAY_S;
        unit = "days";
    } else {
        char full[CLOCK_TEXT_MAX];
        snprintf(out, TEXT_SHORT_MAX, "%.10s", clock_format(then_ms, full));
        return out;
    }
    snprintf(out, TEXT_SHORT_MAX, future ? "in %lld %s" : "%lld %s ago", (long long)n, unit);
    return out;
}

char *text_clock(int64_t seconds, char out[TEXT_SHORT_MAX])
{
    long long s = seconds < 0 ? 0 : seconds;
    if (s >= 3600)
        snprintf(out, TEXT_SHORT_MAX, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, TEXT_SHORT_MAX, "%lld:%02lld", s / 60, s % 60);
    return out;
}

/* Exactly n digits from *s, which moves on. */
static int digits(struct str *s, size_t n, int *out)
{
    uint64_t v;
    if (s->n < n || str_to_u64((struct str){.p = s->p, .n = n}, 9999, &v) != 0)
        return ERR_INVALID;
    s->p += n;
    s->n -= n;
    *out = (int)v;
    return 0;
}

static int mark(struct str *s, const char *any_of)
{
    if (s->n == 0 || strchr(any_of, *s->p) == NULL)
        return ERR_INVALID;
    s->p++;
    s->n--;
    return 0;
}

/* "Z" or "+01:00", into seconds east of Greenwich. */
static int parse_offset(struct str *s, int *seconds)
{
    if (s->n == 0)
        return ERR_INVALID;
    char sign = *s->p;
    int h = 0, m = 0;
    if (mark(s, "Zz+-") != 0)
        return ERR_INVALID;
    if (sign == '+' || sign == '-')
        if (digits(s, 2, &h) != 0 || mark(s, ":") != 0 || digits(s, 2, &m) != 0 || h > 23 || m > 59)
            return ERR_INVALID;
    *seconds = (sign == '-' ? -1 : 1) * (h * 3600 + m * 60);
    return 0;
}

int text_parse_time(struct str s, int64_t *unix_ms)
{
    struct tm tm = {0};
    int year, month, ms = 0, offset;
    if (digits(&s, 4, &year) != 0 || mark(&s, "-") != 0 || digits(&s, 2, &month) != 0 || mark(&s, "-") != 0 ||
        digits(&s, 2, &tm.tm_mday) != 0 || mark(&s, "Tt ") != 0 || digits(&s, 2, &tm.tm_hour) != 0 ||
        mark(&s, ":") != 0 || digits(&s, 2, &tm.tm_min) != 0 || mark(&s, ":") != 0 ||
        digits(&s, 2, &tm.tm_sec) != 0)
        return ERR_INVALID;
    if (month < 1 || month > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 ||
        tm.tm_sec > 60)
        return ERR_INVALID;
    if (s.n > 0 && *s.p == '.') {
        (void)mark(&s, ".");
        size_t n = 0;
        for (; s.n > 0 && *s.p >= '0' && *s.p <= '9'; s.p++, s.n--, n++)
            if (n < 3)
                ms = ms * 10 + (*s.p - '0');
        if (n == 0)
            return ERR_INVALID;
        for (; n < 3; n++)
            ms *= 10;
    }
    if (parse_offset(&s, &offset) != 0 || s.n != 0)
        return ERR_INVALID;
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    *unix_ms = ((int64_t)timegm(&tm) - offset) * 1000 + ms;
    return 0;
}

int text_parse_duration(const char *s, int64_t max_s, int64_t *seconds)
{
    static const struct {
        const char *unit;
        int64_t s;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"min", 60}, {"h", 3600}, {"d", DAY_S}, {"w", 7 * DAY_S}};
    size_t n = strspn(s, "0123456789");
    uint64_t v;
    if (str_to_u64((struct str){.p = s, .n = n}, (uint64_t)max_s, &v) != 0 || v == 0)
        return ERR_INVALID;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(s + n, units[i].unit) != 0)
            continue;
        if ((int64_t)v > max_s / units[i].s)
            return ERR_INVALID;
        *seconds = (int64_t)v * units[i].s;
        return 0;
    }
    return ERR_INVALID;
}
