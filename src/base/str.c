#include "base/str.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

struct str str_trim(struct str s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
        s.p++, s.n--;
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

bool str_split(struct str *rest, char sep, struct str *part)
{
    if (rest->p == NULL)
        return false;
    const char *at = rest->n > 0 ? memchr(rest->p, sep, rest->n) : NULL;
    if (at == NULL) {
        *part = *rest;
        *rest = (struct str){.p = NULL, .n = 0};
        return true;
    }
    size_t len = (size_t)(at - rest->p);
    *part = (struct str){.p = rest->p, .n = len};
    *rest = (struct str){.p = at + 1, .n = rest->n - len - 1};
    return true;
}

int str_to_u64(struct str s, uint64_t max, uint64_t *out)
{
    if (s.n == 0 || s.n > 20)
        return ERR_INVALID;
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return ERR_INVALID;
        uint64_t digit = (uint64_t)(s.p[i] - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return ERR_INVALID;
        v = v * 10 + digit;
    }
    if (v > max)
        return ERR_INVALID;
    *out = v;
    return 0;
}

int str_percent(struct str s, const char *marks, char *out, size_t size, size_t *n)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t at = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c != '\0' && strchr(marks, c) != NULL);
        if (size - at <= (plain ? 1u : 3u))
            return ERR_TOO_LARGE;
        if (plain) {
            out[at++] = (char)c;
            continue;
        }
        out[at++] = '%';
        out[at++] = digits[c >> 4];
        out[at++] = digits[c & 15];
    }
    if (at == size)
        return ERR_TOO_LARGE;
    out[at] = '\0';
    *n = at;
    return 0;
}

bool mem_eq_consttime(const void *a, const void *b, size_t n)
{
    const volatile unsigned char *x = a, *y = b;
    unsigned char diff = 0;
    for (size_t i = 0; i < n; i++)
        diff |= (unsigned char)(x[i] ^ y[i]);
    return diff == 0;
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool matches(struct str s, size_t max, const char *also)
{
    if (s.n == 0 || s.n > max || !is_alnum(s.p[0]))
        return false;
    for (size_t i = 1; i < s.n; i++)
        if (!is_alnum(s.p[i]) && (s.p[i] == '\0' || strchr(also, s.p[i]) == NULL))
            return false;
    return true;
}

bool str_is_device_id(struct str s)
{
    return matches(s, 64, "._:-");
}

bool str_is_name(struct str s)
{
    return matches(s, 128, "._+~-");
}

/* Length of the well-formed UTF-8 sequence at p (RFC 3629 section 4), or 0. */
static size_t utf8_len(const unsigned char *p, size_t n)
{
    unsigned char lead = p[0];
    if (lead < 0x80)
        return 1;
    size_t len = 0;
    if (lead >= 0xC2 && lead <= 0xDF)
        len = 2;
    else if ((lead & 0xF0) == 0xE0)
        len = 3;
    else if (lead >= 0xF0 && lead <= 0xF4)
        len = 4;
    if (len == 0 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    bool overlong = (lead == 0xE0 && p[1] < 0xA0) || (lead == 0xF0 && p[1] < 0x90);
    bool surrogate = lead == 0xED && p[1] > 0x9F;
    bool too_high = lead == 0xF4 && p[1] > 0x8F;
    return overlong || surrogate || too_high ? 0 : len;
}

bool str_is_utf8(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t len = 0;
    for (size_t i = 0; i < s.n; i += len) {
        len = utf8_len(p + i, s.n - i);
        if (len == 0)
            return false;
    }
    return true;
}

bool str_is_text(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    for (size_t i = 0; i < s.n;) {
        if ((p[i] < 0x20 && p[i] != '\t' && p[i] != '\n') || p[i] == 0x7F)
            return false;
        size_t len = utf8_len(p + i, s.n - i);
        bool c1 = len == 2 && p[i] == 0xC2 && p[i + 1] < 0xA0; /* U+0080 to U+009F control terminals too */
        if (len == 0 || c1)
            return false;
        i += len;
    }
    return true;
}

size_t str_characters(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xC0) != 0x80;
    return n;
}

#define NEAREST_MAX 64 /* longer words are compared no further */

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* Edits that make b of a: insert, delete, exchange, swap of neighbours (optimal string alignment). */
static size_t edit_distance(struct str a, struct str b)
{
    size_t rows[3][NEAREST_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= b.n; j++)
        last[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t differ = lower(a.p[i - 1]) != lower(b.p[j - 1]);
            now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + differ);
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1] &&
                before[j - 2] + 1 < now[j])
                now[j] = before[j - 2] + 1;
        }
        size_t *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[b.n];
}

const char *str_nearest(struct str given, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t least = given.n / 3 + 2; /* as many edits, and it is another word */
    for (size_t i = 0; i < count; i++) {
        struct str name = str_of(names[i]);
        if (name.n > NEAREST_MAX || given.n > NEAREST_MAX)
            continue;
        size_t d = edit_distance(given, name);
        if (d < least && d < name.n) {
            least = d;
            best = names[i];
        }
    }
    return best;
}
