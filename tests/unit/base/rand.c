#include "base/rand.h"

#include <string.h>

#include "check.h"

static void test_fills_and_differs(void **state)
{
    (void)state;
    unsigned char a[1000] = {0}, b[1000] = {0};
    struct err e;
    assert_int_equal(rand_bytes(a, sizeof a, &e), 0);
    assert_int_equal(rand_bytes(b, sizeof b, &e), 0);
    assert_int_not_equal(memcmp(a, b, sizeof a), 0);
    size_t zeros = 0;
    for (size_t i = 0; i < sizeof a; i++)
        zeros += a[i] == 0;
    assert_true(zeros < 50);
    assert_int_equal(rand_bytes(a, 0, &e), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fills_and_differs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
