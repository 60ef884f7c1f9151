#include "shared/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct histogram h;

static int empty(void **state)
{
    (void)state;
    memset(&h, 0, sizeof h);
    return 0;
}

/* What is told is never less than what was, and at most 1/128 more. */
static void assert_near(uint64_t told, uint64_t was)
{
    assert_true(told >= was);
    assert_true(told - was <= was / HISTOGRAM_STEPS);
}

static void nothing_recorded(void **state)
{
    (void)state;
    assert_int_equal(histogram_at(&h, 0.99), 0);
    assert_int_equal(histogram_mean(&h), 0);
}

static void one_value_is_all_percentiles(void **state)
{
    (void)state;
    const uint64_t values[] = {0, 1, 127, 128, 129, 255, 256, 999, 1000000, 123456789, 10000000000ULL};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        memset(&h, 0, sizeof h);
        histogram_add(&h, values[i]);
        assert_int_equal(histogram_at(&h, 0.5), values[i]);
        assert_int_equal(histogram_at(&h, 1.0), values[i]);
        assert_int_equal(histogram_mean(&h), values[i]);
    }
}

static void percentiles_of_a_row(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 100000; i++)
        histogram_add(&h, i * 1000);
    assert_int_equal(h.count, 100000);
    assert_near(histogram_at(&h, 0.5), 50000000);
    assert_near(histogram_at(&h, 0.9), 90000000);
    assert_near(histogram_at(&h, 0.99), 99000000);
    assert_near(histogram_at(&h, 0.999), 99900000);
    assert_int_equal(histogram_at(&h, 1.0), 100000000);
    assert_int_equal(h.max, 100000000);
    assert_int_equal(histogram_mean(&h), 50000500);
}

/* One slow operation of a hundred is beyond the 99th percentile, two are not. */
static void the_rank_is_exact(void **state)
{
    (void)state;
    for (int i = 0; i < 99; i++)
        histogram_add(&h, 10);
    histogram_add(&h, 1000000);
    assert_int_equal(histogram_at(&h, 0.99), 10);
    assert_int_equal(histogram_at(&h, 0.999), 1000000);
    for (int i = 0; i < 99; i++)
        histogram_add(&h, 10);
    histogram_add(&h, 1000000);
    histogram_add(&h, 1000000);
    assert_int_equal(histogram_at(&h, 0.99), 1000000);
}

static void every_size_is_near(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252ULL; /* xorshift: the same values each time */
    for (int i = 0; i < 20000; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        uint64_t value = (x >> (x & 31)) >> 22;
        if (value >= 1ULL << (HISTOGRAM_BITS + HISTOGRAM_POWERS - 1))
            continue;
        memset(&h, 0, sizeof h);
        histogram_add(&h, value);
        histogram_add(&h, UINT64_MAX / 4); /* else the maximum would be told */
        assert_near(histogram_at(&h, 0.5), value);
    }
}

static void too_long_counts_as_the_longest(void **state)
{
    (void)state;
    histogram_add(&h, 5);
    histogram_add(&h, UINT64_MAX / 4);
    assert_int_equal(h.count, 2);
    assert_int_equal(histogram_at(&h, 0.5), 5);
    assert_int_equal(histogram_at(&h, 0.99), UINT64_MAX / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_recorded, empty),
        cmocka_unit_test_setup(one_value_is_all_percentiles, empty),
        cmocka_unit_test_setup(percentiles_of_a_row, empty),
        cmocka_unit_test_setup(the_rank_is_exact, empty),
        cmocka_unit_test_setup(every_size_is_near, empty),
        cmocka_unit_test_setup(too_long_counts_as_the_longest, empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
