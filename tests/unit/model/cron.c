/* What a schedule may say, and how it is refused. What it means is tested in cron_next.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/cleanup.h"
#include "model/cron.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* NULL: taken; else what the refusal says. */
static const struct {
    const char *text, *why;
} rows[] = {
    {"0 0 2 ? * *", NULL},
    {"0 0 2 * * ?", NULL},
    {"  0\t0 2  ? * * ", NULL},
    {"0 0 2 ? * * *", NULL},
    {"* * * ? * * 1970-2099", NULL},
    {"0/59 0/59 0/23 1/31 1/12 ? 1970/129", NULL},
    {"59,0 59-0 23-22 31-30 DEC-NOV ?", NULL},
    {"/5 */5 0-23/5 ? JAN-DEC/3 sun-SAT/7", NULL},
    {"0 0 0 l,lw,l-30,L-30w,31w,1 * ?", NULL},
    {"0 0 0 ? * l,6l,FRIL,6#5,fri#1,1,*", NULL},
    {"0 0 0 030 * ?", NULL},
    /* how many fields */
    {"", "schedule has 0 fields"},
    {" ", "schedule has 0 fields"},
    {"0 2 ? * *", "schedule has 5 fields"},
    {"0 0 2 ? * * * *", "schedule has 8 fields"},
    {"0 0 2 ? * \xC3\xA4", "not ASCII, at byte 11"},
    {"0 0 2 ? *\n*", "not ASCII, at byte 10"},
    {"0 0 2 ? * \x7F", "not ASCII"},
    /* the two fields of days */
    {"0 0 2 * * *", "day of month and day of week: exactly one"},
    {"0 0 2 ? * ?", "day of month and day of week: exactly one"},
    {"0 0 2 1 * MON", "day of month and day of week: exactly one"},
    {"? 0 2 ? * *", "schedule, seconds: \"?\": \"?\" stands alone"},
    {"0 0 2 ? ? *", "schedule, month"},
    {"0 0 2 ? * * ?", "schedule, year"},
    {"0 0 2 1,? * ?", "schedule, day of month: \"?\""},
    {"0 0 2 ? * 1,?", "schedule, day of week: \"?\""},
    {"0 0 2 ?, * *", "exactly one"},
    {"0 0 2 ? * ?/2", "schedule, day of week"},
    /* values */
    {"60 0 2 ? * *", "schedule, seconds: \"60\": this field goes from 0 to 59"},
    {"0 60 2 ? * *", "schedule, minutes"},
    {"0 0 24 ? * *", "schedule, hours: \"24\": this field goes from 0 to 23"},
    {"0 0 2 0 * ?", "schedule, day of month"},
    {"0 0 2 32 * ?", "schedule, day of month"},
    {"0 0 2 ? 0 *", "schedule, month"},
    {"0 0 2 ? 13 *", "from 1 to 12, or JAN to DEC"},
    {"0 0 2 ? JANUARY *", "schedule, month"},
    {"0 0 2 ? MAI *", "schedule, month"},
    {"0 0 2 ? JA *", "schedule, month"},
    {"0 0 2 ? * 0", "from 1 to 7, or SUN to SAT"},
    {"0 0 2 ? * 8", "schedule, day of week"},
    {"0 0 2 ? * SUN-", "schedule, day of week"},
    {"0 0 2 ? * MONDAY", "schedule, day of week"},
    {"0 0 2 ? * * 1969", "schedule, year"},
    {"0 0 2 ? * * 2100", "schedule, year: \"2100\": this field goes from 1970 to 2099"},
    {"0 0 2 ? * * 2030-2029", "ends no earlier than it begins"},
    {"99999999999999999999999 0 2 ? * *", "schedule, seconds"},
    {"4294967296 0 2 ? * *", "schedule, seconds"},
    {"-1 0 2 ? * *", "schedule, seconds"},
    {"+1 0 2 ? * *", "schedule, seconds"},
    {"1.5 0 2 ? * *", "schedule, seconds: \"1.5\": nothing else"},
    {"MON 0 2 ? * *", "schedule, seconds"},
    {"0 0 2 JAN * ?", "schedule, day of month"},
    /* lists, ranges, steps */
    {"0, 0 2 ? * *", "schedule, seconds: \"0,\": a list has a value"},
    {",0 0 2 ? * *", "a list has a value"},
    {"0,,1 0 2 ? * *", "a list has a value"},
    {"1- 0 2 ? * *", "schedule, seconds"},
    {"1-2-3 0 2 ? * *", "schedule, seconds"},
    {"*-2 0 2 ? * *", "schedule, seconds"},
    {"** 0 2 ? * *", "schedule, seconds"},
    {"*5 0 2 ? * *", "schedule, seconds"},
    {"/ 0 2 ? * *", "behind \"/\" stands a step"},
    {"0/ 0 2 ? * *", "behind \"/\" stands a step"},
    {"0/0 0 2 ? * *", "behind \"/\" stands a step"},
    {"0/60 0 2 ? * *", "behind \"/\" stands a step"},
    {"0 0 0/24 ? * *", "schedule, hours"},
    {"0 0 0 1/32 * ?", "schedule, day of month"},
    {"0 0 0 ? 1/13 *", "schedule, month"},
    {"0 0 0 ? * 1/8", "schedule, day of week"},
    {"0 0 0 ? * * 2000/130", "schedule, year"},
    {"0/5/5 0 2 ? * *", "schedule, seconds"},
    /* L, W, # */
    {"L 0 2 ? * *", "schedule, seconds"},
    {"0 0 2 5L * ?", "schedule, day of month: \"5L\""},
    {"0 0 2 LL * ?", "schedule, day of month"},
    {"0 0 2 L- * ?", "schedule, day of month: \"L-\": behind \"L-\""},
    {"0 0 2 L-31 * ?", "behind \"L-\""},
    {"0 0 2 L-3WW * ?", "schedule, day of month"},
    {"0 0 2 WL * ?", "schedule, day of month"},
    {"0 0 2 W * ?", "schedule, day of month"},
    {"0 0 2 0W * ?", "schedule, day of month"},
    {"0 0 2 32W * ?", "schedule, day of month"},
    {"0 0 2 1-5W * ?", "schedule, day of month"},
    {"0 0 2 5W-7 * ?", "schedule, day of month"},
    {"0 0 2 5#3 * ?", "schedule, day of month"},
    {"0 0 2 ? * L-3", "schedule, day of week"},
    {"0 0 2 ? * LW", "schedule, day of week"},
    {"0 0 2 ? * 5W", "schedule, day of week"},
    {"0 0 2 ? * 8L", "schedule, day of week"},
    {"0 0 2 ? * 6LL", "schedule, day of week"},
    {"0 0 2 ? * 6#", "behind \"#\" stands which one"},
    {"0 0 2 ? * 6#0", "behind \"#\""},
    {"0 0 2 ? * 6#6", "behind \"#\""},
    {"0 0 2 ? * #3", "schedule, day of week"},
    {"0 0 2 ? * 6#3#1", "schedule, day of week"},
    {"0 0 2 ? * 6#3L", "schedule, day of week"},
    {"0 0 2 ? * MON-FRI#2", "schedule, day of week"},
    {"0 0 2 ? 6#3 *", "schedule, month"},
};

/* A copy in memory of exactly that size, so that ASan sees a read past it. */
static char *exactly(const char *text, size_t n)
{
    char *copy = malloc(n > 0 ? n : 1);
    assert_non_null(copy);
    memcpy(copy, text, n);
    return copy;
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        auto_arena struct arena a;
        arena_init(&a, 4096);
        const struct cron *c = NULL;
        struct err e = {0};
        size_t n = strlen(rows[i].text);
        auto_free char *text = exactly(rows[i].text, n);
        int rc = cron_parse((struct str){.p = text, .n = n}, &a, &c, &e);
        if (rows[i].why == NULL && (rc != 0 || c == NULL))
            fail_msg("%s: %s", rows[i].text, e.text);
        if (rows[i].why != NULL && (rc != ERR_INVALID || c != NULL || strstr(e.text, rows[i].why) == NULL))
            fail_msg("%s: %d, \"%s\", not \"%s\"", rows[i].text, rc, e.text, rows[i].why);
    }
}

static void test_bounds(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a, 4096);
    const struct cron *c = NULL;
    struct err e = {0};
    char text[CRON_TEXT_MAX + 2];
    memset(text, ' ', sizeof text);
    memcpy(text, "0 0 2 ? * *", 11);
    assert_int_equal(cron_parse((struct str){.p = text, .n = CRON_TEXT_MAX}, &a, &c, &e), 0);
    c = NULL;
    assert_int_equal(cron_parse((struct str){.p = text, .n = CRON_TEXT_MAX + 1}, &a, &c, &e), ERR_INVALID);
    assert_null(c);
    assert_int_equal(cron_parse((struct str){.p = NULL, .n = 0}, &a, &c, &e), ERR_INVALID);
    auto_arena struct arena none;
    arena_init(&none, 8);
    assert_int_equal(cron_parse(STR("0 0 2 ? * *"), &none, &c, &e), ERR_NOMEM);
    assert_null(c);
}

/* Every text of some bytes that could mean something: nothing is read past its end, and what is taken has a
   time in each field. */
static void test_any_text(void **state)
{
    (void)state;
    static const char letters[] = "0123456789*?,-/LW#SUNMOJAFRI  \t";
    uint32_t seed = 1;
    int taken = 0;
    for (int i = 0; i < 50000; i++) {
        auto_arena struct arena a;
        arena_init(&a, 4096);
        char scratch[64];
        /* The fields that are not tried are right, so that some texts are taken. */
        static const char *const heads[] = {"0 0 2 ? * ", "0 0 2 ? 1 2 ", ""};
        size_t n = strlen(heads[i % 3]);
        memcpy(scratch, heads[i % 3], n);
        for (int k = i % 7; k >= 0; k--) {
            seed = seed * 1103515245U + 12345U;
            scratch[n++] = letters[(seed >> 16) % (sizeof letters - 1)];
        }
        auto_free char *text = exactly(scratch, n);
        const struct cron *c = NULL;
        if (cron_parse((struct str){.p = text, .n = n}, &a, &c, NULL) != 0)
            continue;
        taken++;
        assert_true(c->seconds != 0 && c->minutes != 0 && c->hours != 0 && c->months != 0);
    }
    assert_true(taken > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_any_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
