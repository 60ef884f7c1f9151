/* What one device should run: the decision alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ota/director_select.h"

static const struct director_release good = {.pk = 1, .vouched = true, .files = 1};
static const struct director_release other = {.pk = 2, .vouched = true, .files = 1};

static void open_before_succeeded(void **state)
{
    (void)state;
    const struct {
        const struct director_release *open, *succeeded, *chosen;
    } rows[] = {
        {NULL, NULL, NULL},
        {&good, NULL, &good},
        {NULL, &other, &other},
        {&good, &other, &good},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct director_facts f = {.open = rows[i].open, .succeeded = rows[i].succeeded};
        struct director_decision d = ota_director_select(&f);
        assert_ptr_equal(d.release, rows[i].chosen);
        assert_false(d.hindered);
        assert_non_null(d.reason);
    }
}

static void what_a_device_would_refuse(void **state)
{
    (void)state;
    const struct director_release bad[] = {
        {.pk = 1, .vouched = false, .files = 1},
        {.pk = 1, .vouched = true, .files = 0},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct director_facts open = {.open = &bad[i], .succeeded = &other};
        const struct director_facts succeeded = {.succeeded = &bad[i]};
        assert_null(ota_director_select(&open).release); /* not another one instead */
        assert_true(ota_director_select(&open).hindered);
        assert_null(ota_director_select(&succeeded).release);
        assert_true(ota_director_select(&succeeded).hindered);
    }
}

/* What is under way goes on; it is not taken up again. */
static void deleted_meanwhile(void **state)
{
    (void)state;
    const struct director_release gone = {.pk = 1, .vouched = true, .files = 1, .deleted = true};
    const struct director_facts open = {.open = &gone}, succeeded = {.succeeded = &gone};
    assert_ptr_equal(ota_director_select(&open).release, &gone);
    assert_null(ota_director_select(&succeeded).release);
    assert_true(ota_director_select(&succeeded).hindered);
}

/* A manifest has room for one file. */
static void several_files(void **state)
{
    (void)state;
    const struct director_release two = {.pk = 1, .vouched = true, .files = 2};
    struct director_facts f = {.open = &two};
    assert_ptr_equal(ota_director_select(&f).release, &two);
    f.one_file = true;
    assert_null(ota_director_select(&f).release);
    assert_true(ota_director_select(&f).hindered);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_before_succeeded),
        cmocka_unit_test(what_a_device_would_refuse),
        cmocka_unit_test(deleted_meanwhile),
        cmocka_unit_test(several_files),
    };
    return cmocka_run_group_tests_name("ota/director_select", tests, NULL, NULL);
}
