#include "base/err.h"

#include <errno.h>
#include <string.h>

#include "check.h"

static void test_set(void **state)
{
    (void)state;
    struct err e = {0};
    assert_int_equal(err_set(&e, ERR_DENIED, "no %d", 7), ERR_DENIED);
    assert_int_equal(e.code, ERR_DENIED);
    assert_string_equal(e.text, "no 7");
    assert_int_equal(err_set(NULL, ERR_IO, "x"), ERR_IO);
}

static void test_context(void **state)
{
    (void)state;
    struct err e;
    err_set(&e, ERR_IO, "inner");
    assert_int_equal(err_context(&e, "outer %s", "x"), ERR_IO);
    assert_string_equal(e.text, "outer x: inner");
    assert_int_equal(err_context(NULL, "x"), ERR_INTERNAL);
}

/* Texts of every length are cut, never overrun, and keep their end. */
static void test_long_texts(void **state)
{
    (void)state;
    char big[2 * ERR_TEXT_MAX];
    memset(big, 'a', sizeof big);
    big[sizeof big - 1] = '\0';
    for (size_t n = 0; n < sizeof big; n += 7) {
        struct err e;
        err_set(&e, ERR_IO, "%.*s", (int)n, big);
        assert_int_equal(strlen(e.text), n < ERR_TEXT_MAX ? n : ERR_TEXT_MAX - 1);
        err_context(&e, "%.*s", (int)n, big);
        assert_true(strlen(e.text) < ERR_TEXT_MAX);
        err_errno(&e, EIO, "%.*s", (int)n, big);
        assert_true(strlen(e.text) < ERR_TEXT_MAX);
    }
}

static void test_errno(void **state)
{
    (void)state;
    static const struct {
        int errno_value, code;
    } rows[] = {
        {ENOSPC, ERR_FULL}, {EDQUOT, ERR_FULL}, {ENOENT, ERR_NOT_FOUND}, {ENOMEM, ERR_NOMEM}, {EIO, ERR_IO},
        {EACCES, ERR_IO},   {0, ERR_IO},        {99999, ERR_IO},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err e;
        assert_int_equal(err_errno(&e, rows[i].errno_value, "cannot open %s", "x"), rows[i].code);
        assert_int_equal(e.code, rows[i].code);
        assert_memory_equal(e.text, "cannot open x: ", 15);
        assert_true(strlen(e.text) > 15);
        assert_int_equal(err_errno(NULL, rows[i].errno_value, "x"), rows[i].code);
    }
}

static void test_words(void **state)
{
    (void)state;
    assert_string_equal(err_word(0), "ok");
    assert_string_equal(err_word(ERR_INVALID), "invalid");
    assert_string_equal(err_word(ERR_TIMEOUT), "timeout");
    assert_string_equal(err_word(ERR_INTERNAL), "internal");
    assert_string_equal(err_word(ERR_INTERNAL - 1), "unknown");
    assert_string_equal(err_word(1), "unknown");
    assert_string_equal(err_word(-2147483647 - 1), "unknown");
    for (int a = 0; a >= ERR_INTERNAL; a--)
        for (int b = 0; b > a; b--)
            assert_string_not_equal(err_word(a), err_word(b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),   cmocka_unit_test(test_context), cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_errno), cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
