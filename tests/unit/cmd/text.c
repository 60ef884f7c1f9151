#include "cmd/text.h"

#include "check.h"

static struct arena arena;

static int make_arena(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int drop_arena(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static void harmless(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"", ""},
        {"gw1 plain", "gw1 plain"},
        {"\x1b[2J", "\\x1b[2J"},
        {"a\nb\tc\rd", "a\\nb\\tc\\rd"},
        {"\x7f\x07", "\\x7f\\x07"},
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
        {"\xe2\x80\xae"
         "abc",
         "\\u202eabc"},                               /* right-to-left override */
        {"\xe2\x80\x8b", "\\u200b"},                  /* zero width space */
        {"\xc2\x9b", "\\u009b"},                      /* C1: CSI in one byte */
        {"\xff\xfe", "\\xff\\xfe"},                   /* no UTF-8 */
        {"\xc0\xaf", "\\xc0\\xaf"},                   /* overlong */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* surrogate */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* beyond U+10FFFF */
        {"\xe2\x82", "\\xe2\\x82"},                   /* cut off */
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"\xf3\xa0\x81\x81", "\\ue0041"}, /* tag characters */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(text_escape(str_of(rows[i].in), &arena), rows[i].out);
    assert_string_equal(text_escape((struct str){.p = "a\0b", .n = 3}, &arena), "a\\x00b");
}

static void escaping_is_bounded(void **state)
{
    (void)state;
    struct arena small;
    arena_init(&small, 64);
    char long_text[200];
    memset(long_text, 1, sizeof long_text);
    assert_null(text_escape((struct str){.p = long_text, .n = sizeof long_text}, &small));
    arena_fini(&small);
}

static void widths(void **state)
{
    (void)state;
    assert_int_equal(text_width("abc"), 3);
    assert_int_equal(text_width("gr\xc3\xbc"), 3);
    assert_int_equal(text_width("\xe6\x97\xa5\xe6\x9c\xac"), 4); /* two wide characters */
    assert_int_equal(text_width("e\xcc\x81"), 1);                /* a combining accent */
    assert_int_equal(text_fit("abcdef", 4), 4);
    assert_int_equal(text_fit("\xe6\x97\xa5\xe6\x9c\xac", 3), 3); /* half a wide character does not fit */
    assert_int_equal(text_fit("abc", 0), 0);
}

static void sizes(void **state)
{
    (void)state;
    char out[TEXT_SHORT_MAX];
    assert_string_equal(text_size(0, out), "0 B");
    assert_string_equal(text_size(1023, out), "1023 B");
    assert_string_equal(text_size(1024, out), "1.0 KiB");
    assert_string_equal(text_size(1048575, out), "1.0 MiB"); /* never "1024.0 KiB" */
    assert_string_equal(text_size(3LL << 30, out), "3.0 GiB");
    assert_string_equal(text_size(INT64_MAX, out), "8192.0 PiB");
}

static void agos(void **state)
{
    (void)state;
    static const struct {
        int64_t s;
        const char *want;
    } rows[] = {
        {0, "now"},
        {1, "now"},
        {59, "59 s ago"},
        {60, "1 min ago"},
        {89 * 60, "89 min ago"},
        {90 * 60, "1 h ago"},
        {47 * 3600, "47 h ago"},
        {48 * 3600, "2 days ago"},
        {59 * 86400, "59 days ago"},
        {60 * 86400, "2026-01-01"},
        {-180, "in 3 min"},
        {-7 * 86400, "in 7 days"},
    };
    const int64_t now = 1772409600000; /* 2026-03-02 */
    char out[TEXT_SHORT_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(text_ago(now - rows[i].s * 1000, now, out), rows[i].want);
}

static void times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t want; /* -1: refused */
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-22T13:26:49.000Z", 1795354009000},
        {"2026-11-22T14:26:49.5+01:00", 1795354009500},
        {"2026-11-22t11:26:49.123456-02:00", 1795354009123},
        {"2026-11-22 13:26:49Z", 1795354009000},
        {"2026-11-22T13:26:49", -1},
        {"2026-11-22T13:26:49Z ", -1},
        {"2026-13-22T13:26:49Z", -1},
        {"2026-11-22T24:26:49Z", -1},
        {"2026-11-22T13:26:49.Z", -1},
        {"2026-11-22T13:26:49+25:00", -1},
        {"2026-11-22", -1},
        {"", -1},
        {"now", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ms = -7;
        int rc = text_parse_time(str_of(rows[i].text), &ms);
        assert_int_equal(rc == 0, rows[i].want != -1);
        assert_int_equal(ms, rows[i].want != -1 ? rows[i].want : -7);
    }
}

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t want;
    } rows[] = {
        {"90", 90},     {"90s", 90},    {"30min", 1800}, {"30m", 1800},
        {"12h", 43200}, {"7d", 604800}, {"2w", 1209600}, {"365d", 31536000},
        {"366d", -1},   {"0", -1},      {"-1d", -1},     {"d", -1},
        {"1 d", -1},    {"1y", -1},     {"", -1},        {"99999999999999999999d", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t s = -1;
        int rc = text_parse_duration(rows[i].text, 365 * 86400, &s);
        assert_int_equal(rc == 0, rows[i].want != -1);
        assert_int_equal(s, rows[i].want);
    }
}

static void clocks(void **state)
{
    (void)state;
    char out[TEXT_SHORT_MAX];
    assert_string_equal(text_clock(7, out), "0:07");
    assert_string_equal(text_clock(750, out), "12:30");
    assert_string_equal(text_clock(10800, out), "3:00:00");
    assert_string_equal(text_clock(-1, out), "0:00");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(harmless, make_arena, drop_arena),
        cmocka_unit_test(escaping_is_bounded),
        cmocka_unit_test(widths),
        cmocka_unit_test(sizes),
        cmocka_unit_test(agos),
        cmocka_unit_test(times),
        cmocka_unit_test(durations),
        cmocka_unit_test(clocks),
    };
    return RUN(tests);
}
