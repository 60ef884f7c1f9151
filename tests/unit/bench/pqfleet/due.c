#include "pqfleet/due.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MANY 1000

/* Whatever the order in which they come, the earliest goes first, also while others are added. */
static void earliest_first(void **state)
{
    (void)state;
    struct due d;
    struct due_entry first;
    struct err e = {0};
    uint64_t chance = 1, last = 0;
    size_t added = 0, taken = 0;
    assert_int_equal(due_init(&d, MANY, &e), 0);
    assert_false(due_first(&d, &first));
    while (taken < MANY) {
        for (size_t i = 0; i < 7 && added < MANY; i++, added++) {
            chance = chance * 6364136223846793005ULL + 1442695040888963407ULL;
            due_add(&d, last + (chance >> 56), (uint32_t)added);
        }
        for (size_t i = 0; i < 3 && due_first(&d, &first); i++, taken++) {
            for (size_t k = 0; k < d.count; k++)
                assert_true(first.at <= d.entries[k].at);
            assert_true(first.at >= last);
            last = first.at;
            due_pop(&d);
        }
    }
    assert_false(due_first(&d, &first));
    due_fini(&d);
}

/* Nobody is lost, nobody comes twice. */
static void each_once(void **state)
{
    (void)state;
    struct due d;
    struct due_entry first;
    struct err e = {0};
    unsigned char seen[MANY] = {0};
    assert_int_equal(due_init(&d, MANY, &e), 0);
    for (uint32_t i = 0; i < MANY; i++)
        due_add(&d, i * 7919 % 97, i);
    for (size_t i = 0; i < MANY; i++) {
        assert_true(due_first(&d, &first));
        assert_int_equal(seen[first.who]++, 0);
        due_pop(&d);
    }
    assert_false(due_first(&d, &first));
    due_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(earliest_first), cmocka_unit_test(each_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
