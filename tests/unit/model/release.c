/* Names, models and notes of a release. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/release.h"

static void test_models(void **state)
{
    (void)state;
    auto_arena struct arena a;
    arena_init(&a, 1 << 16);
    struct err e;
    const char **models;
    size_t n;
    assert_int_equal(release_parse_models(STR("b, a,c"), &a, &models, &n, &e), 0);
    assert_int_equal(n, 3);
    assert_string_equal(models[0], "a");
    assert_string_equal(models[1], "b");
    assert_string_equal(models[2], "c");
    static const char *const wrong[] = {"", ",", "a,", ",a", "a,,b", "a,a", "a b", "-a", "a/b", "a,b,a"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        n = 99;
        if (release_parse_models(str_of(wrong[i]), &a, &models, &n, &e) != ERR_INVALID)
            fail_msg("\"%s\" was taken", wrong[i]);
        assert_int_equal(n, 99);
    }
    assert_int_equal(release_parse_models(STR("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p"), &a, &models, &n, &e), 0);
    assert_int_equal(n, RELEASE_MODELS_MAX);
    assert_int_equal(release_parse_models(STR("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"), &a, &models, &n, &e),
                     ERR_INVALID);
}

static void test_no_memory(void **state)
{
    (void)state;
    struct err e;
    const char **models;
    size_t n;
    for (size_t max = 0; max < 256; max += 16) {
        auto_arena struct arena a;
        arena_init(&a, max);
        int rc = release_parse_models(STR("a,b"), &a, &models, &n, &e);
        assert_true(rc == 0 || rc == ERR_NOMEM);
    }
}

static void test_names(void **state)
{
    (void)state;
    static char longest[RELEASE_NOTES_MAX + 1];
    for (size_t i = 0; i < sizeof longest; i++)
        longest[i] = 'n';
    struct str notes = {.p = longest, .n = RELEASE_NOTES_MAX}, longer = {.p = longest, .n = sizeof longest};
    struct str good = STR("1.0-rc1+b~2"), none = {0};
    struct err e;
    assert_int_equal(release_check_names(good, good, good, good, notes, &e), 0);
    assert_int_equal(release_check_names(good, good, good, good, none, &e), 0);
    assert_int_equal(release_check_names(good, good, good, good, STR("\xc3\xa4\n"), &e), 0);
    assert_int_equal(release_check_names(good, good, good, good, longer, &e), ERR_INVALID);
    assert_int_equal(release_check_names(good, good, good, good, STR("\xff"), &e), ERR_INVALID);
    assert_int_equal(release_check_names(STR(".x"), good, good, good, none, &e), ERR_INVALID);
    assert_int_equal(release_check_names(good, none, good, good, none, &e), ERR_INVALID);
    assert_int_equal(release_check_names(good, good, STR("a/b"), good, none, &e), ERR_INVALID);
    assert_int_equal(release_check_names(good, good, good, STR("a b"), none, &e), ERR_INVALID);
}

static void test_states_and_fit(void **state)
{
    (void)state;
    enum release_state s;
    for (int i = RELEASE_DRAFT; i <= RELEASE_PUBLISHED; i++) {
        assert_int_equal(release_state_parse(str_of(release_state_word((enum release_state)i)), &s), 0);
        assert_int_equal(s, i);
    }
    assert_int_equal(release_state_parse(STR("x"), &s), ERR_INVALID);
    const char *models[] = {"a", "b"};
    const struct release r = {.models = models, .model_count = 2};
    assert_true(release_fits(&r, "b"));
    assert_false(release_fits(&r, "c"));
    assert_false(release_fits(&(struct release){0}, "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_states_and_fit),
    };
    return cmocka_run_group_tests_name("model/release", tests, NULL, NULL);
}
