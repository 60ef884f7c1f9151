/* Targets and states of a deployment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/deployment.h"

static void test_words(void **state)
{
    (void)state;
    enum target_kind k;
    enum deployment_state s;
    for (int i = TARGET_DEVICE; i <= TARGET_ALL; i++) {
        assert_int_equal(target_kind_parse(str_of(target_kind_word((enum target_kind)i)), &k), 0);
        assert_int_equal(k, i);
    }
    for (int i = DEPLOYMENT_RUNNING; i <= DEPLOYMENT_CANCELLED; i++) {
        assert_int_equal(deployment_state_parse(str_of(deployment_state_word((enum deployment_state)i)), &s),
                         0);
        assert_int_equal(s, i);
    }
    assert_int_equal(target_kind_parse(STR("fleet"), &k), ERR_INVALID);
    assert_int_equal(deployment_state_parse((struct str){0}, &s), ERR_INVALID);
}

static void test_targets(void **state)
{
    (void)state;
    static const struct {
        enum target_kind kind;
        const char *target;
        int want;
    } rows[] = {
        {TARGET_DEVICE, "d:1", 0},
        {TARGET_DEVICE, "", ERR_INVALID},
        {TARGET_DEVICE, "a+b", ERR_INVALID},
        {TARGET_TAG, "a+b", 0},
        {TARGET_TAG, "", ERR_INVALID},
        {TARGET_TAG, "d:1", ERR_INVALID},
        {TARGET_MODEL, "m", 0},
        {TARGET_MODEL, "", ERR_INVALID},
        {TARGET_ALL, "", 0},
        {TARGET_ALL, "anything", ERR_INVALID},
    };
    struct err e;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (deployment_check_target(rows[i].kind, str_of(rows[i].target), &e) != rows[i].want)
            fail_msg("%s \"%s\"", target_kind_word(rows[i].kind), rows[i].target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_targets),
    };
    return cmocka_run_group_tests_name("model/deployment", tests, NULL, NULL);
}
