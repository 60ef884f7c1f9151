/* Random devices and random filters over them, with what is awkward in SQL, in GLOB and in the language. */
#ifndef PQOTA_TESTS_STORE_FILTER_GROW_H
#define PQOTA_TESTS_STORE_FILTER_GROW_H

#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "model/filter.h"

#define GROW_NOW 1800000000000
#define GROW_DEVICES 40
#define GROW_TEXT 64
#define GROW_MORE 5 /* tags and attributes of a device at most */
#define GROW_STAR '\x01'

struct grown_device {
    char id[GROW_TEXT], model[GROW_TEXT], version[GROW_TEXT], name[GROW_TEXT];
    int64_t created_at, last_seen_at;
    char tags[GROW_MORE][GROW_TEXT], keys[GROW_MORE][GROW_TEXT], values[GROW_MORE][GROW_TEXT];
    size_t tag_count, attribute_count;
};

struct grower {
    uint64_t seed;
    uint64_t x; /* of the random numbers; never 0 */
    struct grown_device devices[GROW_DEVICES];
};

static inline size_t grow_random(struct grower *g, size_t below) /* xorshift64 */
{
    g->x ^= g->x << 13;
    g->x ^= g->x >> 7;
    g->x ^= g->x << 17;
    return (size_t)((g->x >> 16) % below);
}
#define grow_pick(g, array) ((array)[grow_random((g), sizeof(array) / sizeof(array)[0])])

static inline bool grow_chance(struct grower *g, size_t one_in)
{
    return grow_random(g, one_in) == 0;
}

static inline void grow_put(char out[GROW_TEXT], const char *text)
{
    snprintf(out, GROW_TEXT, "%s", text);
}

/* Few characters, so that texts meet. */
static const char *const grow_words[] = {
    "",
    "*",
    "**",
    "a",
    "A",
    "a*",
    "\\",
    "\\*",
    "'",
    "\"",
    "?",
    "[",
    "]",
    "[a]",
    "[*]",
    "[^a]",
    "[!a]",
    "[]",
    "%",
    "_",
    "a%",
    "x' OR 1=1 --",
    "\");",
    "1.10.0",
    "1.9.0",
    "and",
    "or",
    "gw",
    "site:ber/1",
    "\xc3\xb6",
    "o\xcc\x88",
    "\xe6\xbc\xa2",
    "\xf0\x9f\x9a\x97",
    "\xef\xbf\xbd",
    "\xef\xbf\xbf",
    "NULL",
    "\xff",
    "a\xff\xff",
    "\x01",
    "\xed\xa0\x80",
    "\xf4\x8f\xbf\xbf",
    "\xef\xbf\xbe",
    "0",
};
static const char *const grow_pieces[] = {
    "a",
    "b",
    "A",
    "'",
    "\"",
    "\\",
    "*",
    "?",
    "%",
    "_",
    "[",
    "]",
    "^",
    "-",
    "!",
    " ",
    "=",
    ";",
    ",",
    "(",
    ")",
    "<",
    "~",
    ".",
    "1",
    "\xc3\xb6",
    "\xe6\xbc\xa2",
    "\xf0\x9f\x9a\x97",
};

static inline void grow_text(struct grower *g, char out[GROW_TEXT])
{
    grow_put(out, grow_pick(g, grow_words));
    if (grow_chance(g, 2))
        return;
    out[0] = '\0';
    for (size_t n = grow_random(g, 6); n > 0; n--)
        snprintf(out + strlen(out), GROW_TEXT - strlen(out), "%s", grow_pick(g, grow_pieces));
}

/* What is a number, and what is nearly one. */
static inline void grow_number(struct grower *g, char out[GROW_TEXT])
{
    static const char *const numbers[] = {
        "0",
        "-0",
        "0.0",
        "1",
        "1.0",
        "1.00",
        "-1",
        "-1.5",
        "-1.49",
        "007",
        "10",
        "9.99",
        "9",
        "100",
        "2.5",
        "999999999999999",
        "-999999999999999",
        "999999999999.999",
        "0.00000000000001",
        "0.1",
        "0.10000000000001",
    };
    static const char *const others[] = {
        "1.", ".5", "+1", "1e3", " 1", "1 ", "0x1", "--1", "1.2.3", "-", "9999999999999999", "inf", "1,5"};
    if (grow_chance(g, 4))
        grow_put(out, grow_pick(g, others));
    else if (grow_chance(g, 4))
        snprintf(out, GROW_TEXT, "%d.%d", (int)grow_random(g, 7) - 3, (int)grow_random(g, 20));
    else
        grow_put(out, grow_pick(g, numbers));
}

static inline const char *grow_key(struct grower *g)
{
    static const char *const keys[] = {"hw",   "HW",  "ram", "n",        "a b", "k*",
                                       "it's", "[x]", "\\",  "\xc3\xb6", "a.b"};
    return grow_pick(g, keys);
}

static inline int64_t grow_time(struct grower *g)
{
    static const int64_t ago[] = {0, 1, 1000, 60000, 3600000, 86400000, 7 * 86400000, 70 * INT64_C(86400000)};
    return grow_chance(g, 5) ? 0 : GROW_NOW - grow_pick(g, ago) - (int64_t)grow_random(g, 3) + 1;
}

static inline bool grow_has(char texts[][GROW_TEXT], size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(texts[i], text) == 0)
            return true;
    return false;
}

static inline void grow_device(struct grower *g, struct grown_device *d, size_t number)
{
    char text[GROW_TEXT];
    memset(d, 0, sizeof *d);
    grow_text(g, text);
    snprintf(d->id, sizeof d->id, "%.32s%zu", grow_chance(g, 2) ? "gw-" : text, number);
    grow_text(g, d->model);
    grow_text(g, d->version);
    grow_text(g, d->name);
    d->created_at = grow_time(g);
    d->last_seen_at = grow_time(g);
    for (size_t i = grow_random(g, GROW_MORE + 1); i > 0; i--) {
        grow_text(g, text);
        if (!grow_has(d->tags, d->tag_count, text))
            grow_put(d->tags[d->tag_count++], text);
    }
    for (size_t i = grow_random(g, GROW_MORE + 1); i > 0; i--) {
        const char *key = grow_key(g);
        if (grow_has(d->keys, d->attribute_count, key))
            continue;
        grow_put(d->keys[d->attribute_count], key);
        if (grow_chance(g, 2))
            grow_number(g, d->values[d->attribute_count++]);
        else
            grow_text(g, d->values[d->attribute_count++]);
    }
}

/* ---- filters ---- */

static inline void grow_add(struct buf *b, const char *text)
{
    if (buf_add_str(b, str_of(text)) != 0)
        abort();
}

static inline void grow_blank(struct grower *g, struct buf *b)
{
    if (grow_chance(g, 4))
        grow_add(b, grow_chance(g, 2) ? " " : "  ");
}

/* Writes a value so that the parser reads it: in quotes where it must be, or now and then. */
static inline void grow_write(struct grower *g, struct buf *b, const char *value)
{
    bool quoted = value[0] == '\0' || grow_chance(g, 4);
    for (const char *c = value; *c != '\0'; c++)
        quoted = quoted || strchr("();,=!<>~ ", *c) != NULL;
    const char *quote = quoted ? (grow_chance(g, 2) ? "'" : "\"") : "";
    grow_add(b, quote);
    for (const char *c = value; *c != '\0'; c++) {
        char one[3] = {*c, '\0', '\0'};
        if (*c == GROW_STAR) {
            one[0] = '*';
        } else if (*c == '*' || *c == '\\' || ((*c == '\'' || *c == '"') && (!quoted || *c == *quote))) {
            one[0] = '\\';
            one[1] = *c;
        }
        grow_add(b, one);
    }
    grow_add(b, quote);
}

/* Puts a wildcard in place of some characters. */
static inline void grow_star(struct grower *g, char value[GROW_TEXT])
{
    size_t n = strlen(value), from = grow_random(g, n + 1), to = from + grow_random(g, n - from + 1);
    while (from > 0 && ((unsigned char)value[from] & 0xC0) == 0x80)
        from--;
    while (to < n && ((unsigned char)value[to] & 0xC0) == 0x80)
        to++;
    char after[GROW_TEXT];
    grow_put(after, value + to);
    snprintf(value + from, GROW_TEXT - from, "%c%s", GROW_STAR, after);
}

static inline void grow_value(struct grower *g, struct buf *b, const char *like)
{
    char value[GROW_TEXT];
    if (grow_chance(g, 4))
        grow_text(g, value);
    else
        grow_put(value, like);
    if (!str_is_text(str_of(value))) /* a device may have it, a filter may not */
        grow_put(value, "\xef\xbf\xbd");
    for (size_t stars = grow_random(g, 6); stars > 3 && strlen(value) < GROW_TEXT - 8; stars--)
        grow_star(g, value);
    grow_write(g, b, value);
}

static inline void grow_when(struct grower *g, struct buf *b, int64_t like)
{
    char text[GROW_TEXT];
    if (grow_chance(g, 3))
        snprintf(text, sizeof text, "-%zu%c", grow_random(g, 12) * grow_random(g, 12),
                 "smhdw"[grow_random(g, 5)]);
    else if (grow_chance(g, 2))
        snprintf(text, sizeof text, "%lld", (long long)like);
    else
        clock_format(like, text);
    grow_write(g, b, text);
}

static inline void grow_bound(struct grower *g, struct buf *b)
{
    char text[GROW_TEXT];
    static const char *const digits[] = {"0", "1", "-1", "1.5", "10", "-2", "2.50", "999999999999999", "0.1"};
    snprintf(text, sizeof text, "%s", grow_pick(g, digits));
    if (grow_chance(g, 3))
        snprintf(text, sizeof text, "%d.%d", (int)grow_random(g, 7) - 3, (int)grow_random(g, 20));
    grow_write(g, b, text);
}

static inline void grow_comparison(struct grower *g, struct buf *b)
{
    static const char *const orders[] = {"<", "<=", ">", ">=", "=lt=", "=le=", "=gt=", "=ge="};
    static const char *const names[] = {"id",      "controllerId",        "model",
                                        "version", "installedDS.version", "name"};
    const struct grown_device *d = &g->devices[grow_random(g, GROW_DEVICES)];
    const char *fields[] = {d->id, d->id, d->model, d->version, d->version, d->name}, *like = "a";
    size_t kind = grow_random(g, 16), i = grow_random(g, 6);
    if (kind < 3) { /* a time */
        bool created = grow_chance(g, 2);
        grow_add(b, created ? "created" : "last_seen");
        grow_blank(g, b);
        grow_add(b, grow_pick(g, orders));
        grow_blank(g, b);
        grow_when(g, b, created ? d->created_at : d->last_seen_at);
        return;
    }
    if (kind < 9) { /* an attribute */
        size_t at = d->attribute_count > 0 ? grow_random(g, d->attribute_count) : 0;
        like = d->values[at];
        grow_add(b, "attribute.");
        grow_write(g, b, d->attribute_count > 0 && !grow_chance(g, 4) ? d->keys[at] : grow_key(g));
        if (kind < 6) {
            grow_add(b, grow_pick(g, orders));
            grow_blank(g, b);
            grow_bound(g, b);
            return;
        }
    } else if (kind < 11) {
        grow_add(b, "tag");
        like = d->tag_count > 0 ? d->tags[grow_random(g, d->tag_count)] : "";
    } else {
        grow_add(b, names[i]);
        like = fields[i];
    }
    grow_blank(g, b);
    bool list = grow_chance(g, 3);
    grow_add(b, list ? (grow_chance(g, 2) ? "=in=(" : "=out=(") : grow_chance(g, 3) ? "!=" : "==");
    for (size_t more = list ? grow_random(g, 5) : 0; more > 0; more--) {
        grow_value(g, b, d->id);
        grow_add(b, ",");
        grow_blank(g, b);
    }
    grow_value(g, b, like);
    grow_add(b, list ? ")" : "");
}

/* Appends a filter of at most that many levels; how many comparisons it has. */
static inline size_t grow_filter(struct grower *g, struct buf *b, int levels)
{
    static const char *const joints[] = {";", ",", " and ", " or ", " ; ", ", "};
    if (levels == 0 || grow_chance(g, 3)) {
        grow_comparison(g, b);
        return 1;
    }
    size_t count = 0;
    bool inside = grow_chance(g, 2);
    grow_add(b, inside ? "(" : "");
    for (size_t n = 1 + grow_random(g, 3); n > 0; n--) {
        grow_blank(g, b);
        count += grow_filter(g, b, levels - 1);
        if (n > 1)
            grow_add(b, grow_pick(g, joints));
    }
    grow_add(b, inside ? ")" : "");
    return count;
}

#endif
