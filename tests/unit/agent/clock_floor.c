/* The floor under the clock: it rises, it never falls, and damage is no time. */
#include "bench.h"

#include "agent/clock_floor.h"

static struct bench b;
static int64_t system_s;

static int64_t unix_ms(void *ctx)
{
    (void)ctx;
    return system_s * 1000;
}

static const struct clock fake = {.unix_ms = unix_ms, .mono_ms = unix_ms};

static void rises_only(void **s)
{
    char path[BENCH_PATH];
    struct clock_floor f;
    (void)s;
    bench_init(&b);
    bench_path(&b, "floor", path);
    system_s = 0; /* a board that starts in 1970 */
    clock_floor_load(&f, path, &fake);
    int64_t build = clock_floor_now(&f);
    assert_true(build > 1700000000); /* the build time */
    clock_floor_verified(&f);
    assert_string_equal(bench_read(&b, "floor"), ""); /* a clock that is behind raises nothing */
    clock_floor_raise(&f, build + 1000);
    clock_floor_raise(&f, build + 500);
    assert_int_equal(clock_floor_now(&f), build + 1000);
    system_s = build + 2000; /* ahead of the floor: the clock itself */
    assert_int_equal(clock_floor_now(&f), build + 2000);
    clock_floor_verified(&f); /* not a day ahead: not worth a write */
    assert_int_equal(f.floor, build + 1000);
    system_s = build + 1000 + FLOOR_STEP_S;
    clock_floor_verified(&f);
    system_s = 5;
    clock_floor_load(&f, path, &fake);
    assert_int_equal(clock_floor_now(&f), build + 1000 + FLOOR_STEP_S);
    bench_fini(&b);
}

/* Each link of the tunnel has its own: one that knows less takes nothing from what another has stored. */
static void of_two_the_later_stays(void **s)
{
    char path[BENCH_PATH];
    struct clock_floor one, two;
    (void)s;
    bench_init(&b);
    bench_path(&b, "floor", path);
    system_s = 0;
    clock_floor_load(&one, path, &fake);
    clock_floor_load(&two, path, &fake);
    int64_t later = one.floor + 5 * FLOOR_STEP_S;
    clock_floor_raise(&one, later);
    system_s = two.floor + 2 * FLOOR_STEP_S;
    clock_floor_verified(&two);
    assert_int_equal(two.floor, later);
    clock_floor_load(&one, path, &fake);
    assert_int_equal(one.floor, later);
    bench_fini(&b);
}

static void damage_is_no_time(void **s)
{
    static const char *const texts[] = {"",     "x\n", "-5\n", "99999999999999999999\n", "999999999999999\n",
                                        "12 \n"};
    char path[BENCH_PATH];
    struct clock_floor f;
    (void)s;
    bench_init(&b);
    bench_path(&b, "floor", path);
    system_s = 0;
    clock_floor_load(&f, path, &fake);
    int64_t build = f.floor;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        bench_write(&b, "floor", texts[i]);
        clock_floor_load(&f, path, &fake);
        assert_int_equal(f.floor, build);
    }
    clock_floor_raise(&f, INT64_MAX);
    assert_int_equal(f.floor, build);
    bench_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rises_only), cmocka_unit_test(of_two_the_later_stays),
                                       cmocka_unit_test(damage_is_no_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
