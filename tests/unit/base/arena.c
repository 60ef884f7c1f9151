#include "base/arena.h"

#include "check.h"

static void test_aligned_zeroed_and_apart(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    for (int round = 0; round < 3; round++) {
        unsigned char *before = NULL;
        for (size_t n = 0; n < 300; n++) {
            unsigned char *p = arena_alloc(&a, n);
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % 16, 0);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(p[i], 0);
            memset(p, 0xAA, n);
            if (before != NULL && n > 1)
                assert_int_equal(before[n - 2], 0xAA);
            before = p;
        }
        arena_reset(&a);
        assert_int_equal(a.used, 0);
    }
}

static void test_bound(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a, 10000);
    assert_null(arena_alloc(&a, 10001));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 15));
    assert_null(arena_alloc_array(&a, SIZE_MAX / 2, 3));
    size_t got = 0;
    while (arena_alloc(&a, 1000) != NULL)
        got += 1000;
    assert_in_range(got, 6000, 10000);
    assert_true(a.used <= a.max);
    assert_non_null(a.head);
    arena_reset(&a);
    assert_non_null(arena_alloc(&a, 9000));
}

static void test_recycled_is_as_new(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a, 20000);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 12; i++)
            memset(arena_alloc(&a, 1000), 0xAA, 1000);
        arena_recycle(&a);
        assert_in_range(a.used, 0, 4096);
        unsigned char *p = arena_alloc(&a, 3000);
        for (size_t i = 0; i < 3000; i++)
            assert_int_equal(p[i], 0);
        arena_recycle(&a);
    }
    assert_non_null(arena_alloc(&a, 12000)); /* what is kept counts, and leaves room */
    arena_recycle(&a);                       /* one big block alone */
}

static void test_nothing_of_zero_bytes(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a, 0);
    assert_null(arena_alloc(&a, 1));
    assert_null(arena_dup(&a, "x", 1));
    assert_null(arena_printf(&a, "%d", 1));
}

/* A big piece must not cost what is left of the small ones' block. */
static void test_big_piece_keeps_the_block(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    for (int i = 0; i < 10; i++) {
        assert_non_null(arena_alloc(&a, 16));
        assert_non_null(arena_alloc(&a, 20000));
    }
    assert_true(a.used <= 10 * 20000 + 2 * 4096);
}

static void test_copies(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    assert_memory_equal(arena_dup(&a, "a\0b", 3), "a\0b\0", 4);
    assert_string_equal(arena_dup(&a, NULL, 0), "");
    assert_string_equal(arena_dup_str(&a, STR("hello")), "hello");
    const struct str parts[] = {STR("a"), {.p = NULL, .n = 0}, STR("bc")};
    assert_string_equal(arena_join(&a, parts, 3), "abc");
    assert_string_equal(arena_join(&a, parts, 0), "");
    assert_string_equal(arena_printf(&a, "%d-%s", 7, "x"), "7-x");
    static const int64_t numbers_shown[] = {0, 9, 10, 1234567890, -1, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof numbers_shown / sizeof numbers_shown[0]; i++)
        assert_string_equal(arena_i64(&a, numbers_shown[i]),
                            arena_printf(&a, "%lld", (long long)numbers_shown[i]));
    for (int width = 250; width < 260; width++) /* about what is printed at one go */
        assert_int_equal(strlen(arena_printf(&a, "%0*d", width, 7)), width);
    assert_null(arena_dup(&a, "", SIZE_MAX));
    char *big = arena_printf(&a, "%09000d", 1);
    assert_int_equal(strlen(big), 9000);
    int *numbers = arena_array(&a, int, 100);
    assert_non_null(numbers);
    numbers[99] = 1;
    assert_non_null(arena_new(&a, struct str));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aligned_zeroed_and_apart),  cmocka_unit_test(test_bound),
        cmocka_unit_test(test_recycled_is_as_new),        cmocka_unit_test(test_nothing_of_zero_bytes),
        cmocka_unit_test(test_big_piece_keeps_the_block), cmocka_unit_test(test_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
