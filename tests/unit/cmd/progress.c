#include "cmd/progress.h"

#include "check.h"
#include "cmd/text.h"

#define MIB (1 << 20)

static struct progress of(const char *label, int64_t total, int64_t first)
{
    return (struct progress){.clock = &clock_system, .label = label, .total = total, .first = first};
}

static void lines(void **state)
{
    (void)state;
    char out[PROGRESS_WIDTH_MAX];
    struct progress p = of("fw.img", 100 * MIB, 0);
    assert_string_equal(progress_line(&p, 0, 0, 60, out),
                        "fw.img [............................]   0%  0 B of 100.0 MiB");
}

static void rate_and_time_left(void **state)
{
    (void)state;
    char out[PROGRESS_WIDTH_MAX];
    struct progress p = of("fw.img", 100 * MIB, 0);
    assert_string_equal(progress_line(&p, 50 * MIB, 10000, 80, out),
                        "fw.img [##########...........]  50%  50.0 MiB of 100.0 MiB  5.0 MiB/s  0:10 left");
    /* What was there before does not count as speed. */
    p = of("fw.img", 100 * MIB, 40 * MIB);
    assert_non_null(strstr(progress_line(&p, 50 * MIB, 10000, 100, out), "  1.0 MiB/s  0:50 left"));
}

static void every_width_fits(void **state)
{
    (void)state;
    char out[PROGRESS_WIDTH_MAX];
    struct progress p =
        of("a rather long name of a firm\xc3\xbcware image, longer than it can be shown.img", 7LL << 40, 0);
    for (size_t width = 0; width < 400; width++)
        for (int64_t done = 0; done <= p.total; done += p.total / 7)
            assert_true(text_width(progress_line(&p, done, 700, width, out)) <= width);
}

static void odd_totals(void **state)
{
    (void)state;
    char out[PROGRESS_WIDTH_MAX];
    struct progress p = of("x", 0, 0);
    assert_non_null(strstr(progress_line(&p, 0, 9999, 60, out), "100%"));
    p = of("x", 10, 0);
    assert_non_null(strstr(progress_line(&p, 99, 9999, 60, out), "100%")); /* more than announced */
}

static void silent_without_terminal(void **state)
{
    (void)state;
    struct progress p;
    progress_start(&p, &clock_system, "x", 10, 0);
    p.width = 0; /* as when standard error is a file */
    progress_update(&p, 5);
    progress_end(&p);
    assert_int_equal(p.width, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(rate_and_time_left),
        cmocka_unit_test(every_width_fits),
        cmocka_unit_test(odd_totals),
        cmocka_unit_test(silent_without_terminal),
    };
    return RUN(tests);
}
