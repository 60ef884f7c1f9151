#include "base/buf.h"

#include "check.h"

static void test_grows_and_ends_in_nul(void **state)
{
    (void)state;
    auto_buf struct buf b;
    buf_init(&b, 100000);
    for (size_t i = 0; i < 50000; i++) {
        char c = (char)('a' + i % 26);
        assert_int_equal(buf_add(&b, &c, 1), 0);
        assert_int_equal(b.p[b.n], '\0');
    }
    assert_int_equal(b.n, 50000);
    for (size_t i = 0; i < b.n; i++)
        assert_int_equal(b.p[i], 'a' + (char)(i % 26));
}

static void test_bound(void **state)
{
    (void)state;
    auto_buf struct buf b;
    buf_init(&b, 5);
    assert_int_equal(buf_add(&b, "12345", 5), 0);
    assert_int_equal(buf_add(&b, "6", 1), ERR_TOO_LARGE);
    assert_int_equal(buf_printf(&b, "%s", "6"), ERR_TOO_LARGE);
    assert_int_equal(buf_reserve(&b, 1), ERR_TOO_LARGE);
    assert_int_equal(buf_reserve(&b, SIZE_MAX), ERR_TOO_LARGE);
    assert_string_equal(b.p, "12345");
    assert_int_equal(buf_add(&b, NULL, 0), 0);
    assert_int_equal(buf_printf(&b, "%s", ""), 0);
}

static void test_no_bound_at_all(void **state)
{
    (void)state;
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX);
    assert_int_equal(buf_add(&b, "abc", 3), 0);
    int rc = buf_reserve(&b, SIZE_MAX - 3);
    assert_true(rc == ERR_NOMEM || rc == ERR_TOO_LARGE);
    assert_string_equal(b.p, "abc");
}

static void test_printf(void **state)
{
    (void)state;
    auto_buf struct buf b;
    buf_init(&b, 10000);
    assert_int_equal(buf_printf(&b, "%d", 12), 0);
    assert_int_equal(buf_printf(&b, "-%s", "x"), 0);
    assert_string_equal(b.p, "12-x");
    assert_int_equal(buf_printf(&b, "%05000d", 0), 0);
    assert_int_equal(b.n, 5004);
    assert_int_equal(b.p[b.n], '\0');
}

static void test_consume(void **state)
{
    (void)state;
    auto_buf struct buf b;
    buf_init(&b, 100);
    buf_consume(&b, 3); /* of nothing */
    assert_int_equal(buf_add_str(&b, STR("hello")), 0);
    buf_consume(&b, 0);
    assert_string_equal(b.p, "hello");
    buf_consume(&b, 2);
    assert_string_equal(b.p, "llo");
    buf_consume(&b, 3);
    assert_int_equal(b.n, 0);
    assert_string_equal(b.p, "");
    assert_int_equal(buf_add_str(&b, STR("x")), 0);
    buf_consume(&b, 99);
    assert_string_equal(b.p, "");
}

static void test_clear_and_release(void **state)
{
    (void)state;
    auto_buf struct buf b;
    buf_init(&b, 100);
    assert_int_equal(buf_add_str(&b, STR("hello")), 0);
    buf_clear(&b);
    assert_int_equal(b.n, 0);
    assert_string_equal(b.p, "");
    assert_true(b.cap > 0);
    assert_int_equal(buf_add_str(&b, STR("x")), 0);
    buf_release(&b);
    assert_null(b.p);
    assert_int_equal(b.cap, 0);
    assert_int_equal(b.max, 100);
    assert_int_equal(buf_add_str(&b, STR("y")), 0);
    assert_true(str_is(buf_str(&b), "y"));
}

static void numbers(void **state)
{
    (void)state;
    auto_buf struct buf b;
    buf_init(&b, 64);
    assert_int_equal(buf_add_u64(&b, 0), 0);
    assert_int_equal(buf_add(&b, " ", 1), 0);
    assert_int_equal(buf_add_u64(&b, 10), 0);
    assert_int_equal(buf_add(&b, " ", 1), 0);
    assert_int_equal(buf_add_u64(&b, UINT64_MAX), 0);
    assert_string_equal(b.p, "0 10 18446744073709551615");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(test_grows_and_ends_in_nul),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_no_bound_at_all),
        cmocka_unit_test(test_printf),
        cmocka_unit_test(test_consume),
        cmocka_unit_test(test_clear_and_release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
