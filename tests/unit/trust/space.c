#include "trust/space.h"

#include "repo.h"

static void test_takes_and_gives_back(void **state)
{
    (void)state;
    static unsigned char memory[1024];
    struct trust_space s;
    space_init(&s, memory + 1, 1000); /* from a crooked beginning */
    assert_int_equal((uintptr_t)s.p % 16, 0);
    assert_true(s.p + s.size <= memory + 1001);
    size_t mark = space_mark(&s);
    unsigned char *a = space_take(&s, 17), *b = space_take(&s, 0), *c = space_take(&s, 100);
    assert_true((uintptr_t)a % 16 == 0 && b == a + 32 && c == b);
    assert_int_equal(s.used, 32 + 112);
    space_shrink(&s, c, 20);
    assert_int_equal(s.used, 32 + 32);
    assert_int_equal(s.peak, 32 + 112);
    space_release(&s, mark);
    assert_ptr_equal(space_take(&s, 1), a);
}

static void test_ends(void **state)
{
    (void)state;
    static _Alignas(16) unsigned char memory[64];
    struct trust_space s;
    space_init(&s, memory, 40);
    assert_null(space_take(&s, 41));
    assert_null(space_take(&s, SIZE_MAX));
    assert_null(space_take(&s, SIZE_MAX - 15));
    assert_null(space_take(&s, 33)); /* 48 with what aligns it */
    assert_non_null(space_take(&s, 32));
    assert_null(space_take(&s, 8));
    assert_int_equal(s.used, 32);
    for (size_t size = 0; size < 16; size++) {
        space_init(&s, memory + 1, size);
        assert_null(space_take(&s, 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_and_gives_back),
        cmocka_unit_test(test_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
