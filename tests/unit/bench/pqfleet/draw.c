#include "pqfleet/draw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct rates even = {
    .fail = 0.25, .vanish = 0.25, .hang = 0.25, .fall_back = 0.125, .deny = 0.1};

/* Computed by a program of its own from the description of splitmix64: a recorded run stays what it was. */
static void as_it_was(void **state)
{
    (void)state;
    static const enum fate devices[] = {FATE_FAIL,    FATE_FALL_BACK, FATE_FALL_BACK, FATE_VANISH,
                                        FATE_SUCCEED, FATE_FALL_BACK, FATE_HANG,      FATE_HANG};
    static const enum fate attempts[] = {FATE_FAIL,   FATE_FAIL,    FATE_VANISH, FATE_FALL_BACK,
                                         FATE_VANISH, FATE_SUCCEED, FATE_FAIL,   FATE_FALL_BACK};
    static const enum fate other_seed[] = {FATE_HANG,    FATE_FALL_BACK, FATE_VANISH, FATE_HANG,
                                           FATE_SUCCEED, FATE_VANISH,    FATE_VANISH, FATE_FALL_BACK};
    static const uint64_t denials[] = {15, 18, 30, 34, 46, 48};
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(draw_fate(&even, 1, i + 1, 1), devices[i]);
        assert_int_equal(draw_fate(&even, 1, 1, i + 1), attempts[i]);
        assert_int_equal(draw_fate(&even, 2, i + 1, 1), other_seed[i]);
    }
    size_t found = 0;
    for (uint64_t n = 1; n <= 48; n++)
        if (draw_denial(&even, 1, n, 1))
            assert_int_equal(n, denials[found++]);
    assert_int_equal(found, 6);
}

static void as_often_as_said(void **state)
{
    (void)state;
    const struct rates usual = {.fail = 0.05, .vanish = 0.01, .hang = 0.01, .fall_back = 0.01, .deny = 0.2};
    int counts[FATES] = {0}, denials = 0;
    for (uint64_t n = 1; n <= 100000; n++) {
        counts[draw_fate(&usual, 7, n, 1)]++;
        denials += draw_denial(&usual, 7, n, 1);
    }
    assert_in_range(counts[FATE_FAIL], 4700, 5300);
    assert_in_range(counts[FATE_VANISH], 850, 1150);
    assert_in_range(counts[FATE_HANG], 850, 1150);
    assert_in_range(counts[FATE_FALL_BACK], 850, 1150);
    assert_in_range(denials, 19400, 20600);
}

static void all_or_nobody(void **state)
{
    (void)state;
    const struct rates none = {0}, all[] = {{.fail = 1}, {.vanish = 1}, {.hang = 1}, {.fall_back = 1}};
    static const enum fate fates[] = {FATE_FAIL, FATE_VANISH, FATE_HANG, FATE_FALL_BACK};
    for (uint64_t n = 0; n < 1000; n++) {
        assert_int_equal(draw_fate(&none, 3, n, 1), FATE_SUCCEED);
        assert_false(draw_denial(&none, 3, n, 1));
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(draw_fate(&all[i], 3, n, 1), fates[i]);
    }
}

static void times(void **state)
{
    (void)state;
    uint64_t a = draw_start(1, 5), b = draw_start(1, 5), c = draw_start(1, 6);
    double sum = 0;
    assert_true(a == b && a != c);
    for (int i = 0; i < 10000; i++) {
        double v = draw_next(&a);
        assert_true(v >= 0 && v < 1);
        assert_true(v <= draw_next(&b) && a == b);
        sum += v;
    }
    assert_true(sum > 4800 && sum < 5200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_it_was),
        cmocka_unit_test(as_often_as_said),
        cmocka_unit_test(all_or_nobody),
        cmocka_unit_test(times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
