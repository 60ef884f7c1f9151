/* Shell patterns (glob(7)): "*", "?" and "[...]" within one part of a path, as python-tuf matches them. */
#include "trust/internal.h"

/* Cuts the first character off (UTF-8, RFC 3629); a byte that begins none stands for itself. */
static uint32_t next_char(struct str *s)
{
    unsigned char c = (unsigned char)s->p[0];
    size_t more = c >= 0xF0 && c < 0xF8 ? 3 : c >= 0xE0 && c < 0xF0 ? 2 : c >= 0xC0 && c < 0xE0 ? 1 : 0;
    uint32_t v = c;
    if (more >= s->n)
        more = 0;
    for (size_t i = 1; i <= more; i++)
        v = v << 8 | (unsigned char)s->p[i]; /* which one it is and its order: no need for its number */
    s->p += more + 1;
    s->n -= more + 1;
    return v;
}

/* Where the set that begins after "[" ends: the index of its "]", or s.n when it is none. A "]" that comes
   first is a member. */
static size_t set_end(struct str s)
{
    size_t i = s.n > 0 && s.p[0] == '!' ? 1 : 0;
    if (i < s.n && s.p[i] == ']')
        i++;
    while (i < s.n && s.p[i] != ']')
        i++;
    return i;
}

static bool set_has(struct str set, uint32_t c)
{
    bool not = set.n > 0 && set.p[0] == '!', has = false;
    if (not) {
        set.p++;
        set.n--;
    }
    while (set.n > 0) {
        uint32_t from = next_char(&set), to = from;
        if (set.n > 1 && set.p[0] == '-') {
            set.p++;
            set.n--;
            to = next_char(&set);
        }
        has = has || (c >= from && c <= to);
    }
    return has != not;
}

/* Takes one character of the pattern that is no "*", and whether c is one that it stands for. */
static bool one_fits(struct str *pattern, uint32_t c)
{
    uint32_t p = next_char(pattern);
    if (p == '?')
        return true;
    if (p != '[')
        return p == c;
    size_t end = set_end(*pattern);
    if (end == pattern->n)
        return c == '[';
    struct str set = {.p = pattern->p, .n = end};
    pattern->p += end + 1;
    pattern->n -= end + 1;
    return set_has(set, c);
}

/* Only the last "*" is ever gone back to: what an earlier one could take more of, the later one can too. So
   the work is at most the product of both lengths. */
static bool part_fits(struct str pattern, struct str text)
{
    struct str star = {.p = NULL, .n = 0}, from = text;
    while (text.n > 0) {
        if (pattern.n > 0 && pattern.p[0] == '*') {
            pattern.p++;
            pattern.n--;
            star = pattern;
            from = text;
            continue;
        }
        uint32_t c = next_char(&text);
        if (pattern.n > 0 && one_fits(&pattern, c))
            continue;
        if (star.p == NULL)
            return false;
        next_char(&from);
        text = from;
        pattern = star;
    }
    while (pattern.n > 0 && pattern.p[0] == '*') {
        pattern.p++;
        pattern.n--;
    }
    return pattern.n == 0;
}

bool trust_glob(struct str pattern, struct str path)
{
    struct str a, b;
    for (;;) {
        bool more = str_split(&pattern, '/', &a);
        if (str_split(&path, '/', &b) != more)
            return false;
        if (!more)
            return true;
        if (!part_fits(a, b))
            return false;
    }
}
