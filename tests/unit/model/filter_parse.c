/* What is no filter: which column is named and what is said; and the bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "model/filter.h"

static int parse(struct str text, struct err *e)
{
    auto_arena struct arena a;
    arena_init(&a, FILTER_MEMORY_MAX);
    static const struct filter *const unset = (const struct filter *)"unset";
    const struct filter *f = unset;
    *e = (struct err){0};
    int rc = filter_parse(text, &a, &f, e);
    if (rc != 0)
        assert_ptr_equal(f, unset);
    else
        assert_ptr_not_equal(f, unset);
    return rc;
}

static const struct {
    const char *text;
    int column;
    const char *words; /* part of what is said */
} wrong[] = {
    {"foo==1", 1, "no field \"foo\""},
    {"modle==1", 1, "did you mean \"model\"?"},
    {"  foo==1", 3, "no field"},
    {"id==1;foo==1", 7, "no field"},
    {"==1", 1, "expected a field"},
    {"id", 3, "expected one of =="},
    {"id ", 4, "expected one of =="},
    {"id=1", 3, "expected one of =="},
    {"id=like=1", 3, "expected one of =="},
    {"id~=1", 3, "expected one of =="},
    {"id==", 5, "expected a value"},
    {"id== ", 6, "expected a value"},
    {"id==;id==1", 5, "expected a value"},
    {"id==(a,b)", 5, "=in="},
    {"id==<", 5, "expected a value"},
    {"id==a b", 7, "end of the filter"},
    {"id=='a'b", 8, "end of the filter"},
    {"id==a'b'", 6, "end of the filter"},
    {"id==a!", 6, "end of the filter"},
    {"id==a and", 10, "expected a field"},
    {"id==a;", 7, "expected a field"},
    {"id==a,", 7, "expected a field"},
    {"id==a andd id==b", 7, "end of the filter"},
    {"id==a,,id==b", 7, "expected a field"},
    {"id==a)", 6, "no ("},
    {"(id==a", 7, "for the ( in column 1"},
    {"()", 2, "expected a field"},
    {"id==a;( id==b", 14, "for the ( in column 7"},
    {"id=='abc", 5, "no closing '"},
    {"id==\"abc'", 5, "no closing \""},
    {"id=='abc\\'", 5, "no closing '"},
    {"id==a\\", 6, "after the backslash"},
    {"id=='C:\\dir'", 8, "after the backslash"},
    {"id=in=()", 8, "expected a value"},
    {"id=in=(a,)", 10, "expected a value"},
    {"id=in=(a b)", 10, "expected , or )"},
    {"id=in=(a", 9, "expected , or )"},
    {"id=in=", 7, "expected a value"},
    {"version<2", 8, "have an order"},
    {"version =ge= 2", 9, "have an order"},
    {"id>a", 3, "have an order"},
    {"tag<a", 4, "have an order"},
    {"name>=a", 5, "have an order"},
    {"model<=a", 6, "have an order"},
    {"created==0", 8, "a time is compared by"},
    {"last_seen!=0", 10, "a time is compared by"},
    {"last_seen=in=(0)", 10, "a time is compared by"},
    {"last_seen>yesterday", 11, "expected a time"},
    {"last_seen>-7", 11, "expected a time"},
    {"last_seen>*", 11, "expected a time"},
    {"last_seen>(1)", 11, "expected a value"},
    {"created<'2026-02-30T00:00:00Z'", 9, "expected a time"},
    {"attribute.x<a", 13, "decimal number"},
    {"attribute.x<1*", 13, "decimal number"},
    {"attribute.x<''", 13, "decimal number"},
    {"attribute.x<1234567890123456", 13, "decimal number"},
    {"attribute==x", 1, "no field \"attribute\""},
    {"attribute.==x", 11, "key after"},
    {"attribute.''==x", 11, "not empty"},
    {"attribute.a*==x", 12, "no wildcards"},
    {"attribute.'a*'==x", 13, "no wildcards"},
    {"attribute.'a==x", 11, "no closing '"},
    {"id==a\tand id==b", 6, "control characters"},
    {"id==a\n", 6, "control characters"},
    {"id==\x7f", 5, "control characters"},
    {"id==\xc2\x80", 5, "control characters"},
    {"id==a\x01", 6, "control characters"},
    {"id==\xff", 5, "UTF-8"},
    {"id==\xc3", 5, "UTF-8"},
    {"id==\xc3\xb6\xc3\xb6\xed\xa0\x80", 7, "UTF-8"},
    /* Columns are characters. */
    {"id==K\xc3\xb6ln;n\xc3\xa4me==x", 10, "no field \"n\xc3\xa4me\""},
    {"id==\xf0\x9f\x9a\x97 x", 7, "end of the filter"},
};

static void test_columns(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct err e;
        char begin[64];
        snprintf(begin, sizeof begin, "filter, column %d: ", wrong[i].column);
        if (parse(str_of(wrong[i].text), &e) != ERR_INVALID)
            fail_msg("\"%s\" was taken", wrong[i].text);
        if (strncmp(e.text, begin, strlen(begin)) != 0 || strstr(e.text, wrong[i].words) == NULL)
            fail_msg("\"%s\": %s", wrong[i].text, e.text);
        assert_true(str_is_text(str_of(e.text)));
    }
    struct err e;
    assert_int_equal(parse((struct str){.p = "id==a\0b", .n = 7}, &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "column 6"));
}

/* count times `piece`, between `before` and `after`. */
static int parse_many(const char *before, const char *piece, size_t count, const char *after, struct err *e)
{
    auto_buf struct buf b;
    buf_init(&b, 1 << 16);
    assert_int_equal(buf_add_str(&b, str_of(before)), 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(buf_add_str(&b, str_of(piece)), 0);
    assert_int_equal(buf_add_str(&b, str_of(after)), 0);
    return parse(buf_str(&b), e);
}

static void test_bounds(void **state)
{
    (void)state;
    struct err e;
    assert_int_equal(parse_many("id==a", ";id==a", FILTER_COMPARISONS_MAX - 1, "", &e), 0);
    assert_int_equal(parse_many("id==a", ";id==a", FILTER_COMPARISONS_MAX, "", &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "column 385: more than 64 comparisons"));

    assert_int_equal(parse_many("id=in=(a", ",a", FILTER_LIST_MAX - 1, ")", &e), 0);
    assert_int_equal(parse_many("id=in=(a", ",a", FILTER_LIST_MAX, ")", &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "column 208: more than 100 values"));

    assert_int_equal(parse_many("((((((((((((((((id==a", ")", FILTER_NESTING_MAX, "", &e), 0);
    assert_int_equal(parse_many("(((((((((((((((((id==a", ")", FILTER_NESTING_MAX + 1, "", &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "column 17: parentheses"));
    assert_int_equal(parse_many("", "(", FILTER_TEXT_MAX, "", &e), ERR_INVALID);
    /* Side by side is not deep. */
    assert_int_equal(parse_many("(id==a)", ",(id==a)", 20, "", &e), 0);

    assert_int_equal(parse_many("id==", "a", FILTER_TEXT_MAX - 4, "", &e), 0);
    assert_int_equal(parse_many("id==", "a", FILTER_TEXT_MAX - 3, "", &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "column 4097: longer than 4096"));

    /* A name of any length stays within the message, and whole characters of it. */
    assert_int_equal(parse_many("a", "\xc3\xb6", 2000, "==1", &e), ERR_INVALID);
    assert_true(str_is_text(str_of(e.text)));
    assert_non_null(strstr(e.text, "there are id, model"));
}

/* The most values there can be fit into the memory that the header names. */
static void test_memory(void **state)
{
    (void)state;
    struct err e;
    auto_buf struct buf b;
    buf_init(&b, FILTER_TEXT_MAX);
    while (b.n + 2 * FILTER_LIST_MAX + 8 < FILTER_TEXT_MAX) {
        assert_int_equal(buf_printf(&b, "%sid=in=(*", b.n > 0 ? "," : ""), 0);
        for (int i = 1; i < FILTER_LIST_MAX; i++)
            assert_int_equal(buf_add_str(&b, STR(",*")), 0);
        assert_int_equal(buf_add_str(&b, STR(")")), 0);
    }
    assert_int_equal(parse(buf_str(&b), &e), 0);

    struct str text = STR("(id==a;tag=in=(a,b)),attribute.x<1,last_seen<-1d");
    const struct filter *f = NULL;
    auto_arena struct arena small;
    arena_init(&small, 100);
    assert_int_equal(filter_parse(text, &small, &f, &e), ERR_NOMEM);
    assert_null(f);
}

static uint32_t next_random(uint32_t *x) /* xorshift32 */
{
    *x ^= *x << 13;
    *x ^= *x >> 17;
    *x ^= *x << 5;
    return *x;
}

/* Any pieces in any order: taken or refused, with a column that is in the text or just after it. */
static void test_random_text(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "id",          "model",   "version",   "name",
        "tag",         "created", "last_seen", "attribute.",
        "attribute.x", "==",      "!=",        "=in=",
        "=out=",       "<",       "<=",        ">",
        "=ge=",        ";",       ",",         " and ",
        " or ",        "(",       ")",         "'",
        "\"",          "\\",      "*",         "\\*",
        "a",           "1",       "-7d",       "2026-01-01T00:00:00Z",
        " ",           "=",       "!",         "~",
        "\xc3\xb6",    "\xff",    "\x01",      "",
        "(a,b)",       "''",
    };
    uint32_t x = 20261123;
    size_t taken = 0;
    for (int i = 0; i < 40000; i++) {
        char text[256];
        size_t n = 0;
        for (uint32_t k = 1 + next_random(&x) % 12; k > 0; k--) {
            const char *piece = pieces[next_random(&x) % (sizeof pieces / sizeof pieces[0])];
            n += (size_t)snprintf(text + n, sizeof text - n, "%s", piece);
        }
        char *exact = malloc(n > 0 ? n : 1); /* so that what reads past it is noticed */
        assert_non_null(exact);
        memcpy(exact, text, n);
        struct err e;
        int rc = parse((struct str){.p = exact, .n = n}, &e);
        free(exact);
        taken += rc == 0;
        unsigned column = 0;
        if (rc != 0 && (rc != ERR_INVALID || sscanf(e.text, "filter, column %u: ", &column) != 1 ||
                        column < 1 || column > n + 1 || !str_is_text(str_of(e.text))))
            fail_msg("\"%s\": %d %s", text, rc, e.text);
    }
    assert_true(taken > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_random_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
