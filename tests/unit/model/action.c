/* The table of an action's states. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/action.h"

static void test_words(void **state)
{
    (void)state;
    enum action_state s;
    for (unsigned i = 0; i < ACTION_STATES; i++) {
        const char *word = action_state_word((enum action_state)i);
        assert_non_null(word);
        assert_int_equal(action_state_parse(str_of(word), &s), 0);
        assert_int_equal(s, i);
    }
    s = ACTION_FAILED;
    assert_int_equal(action_state_parse(STR("Failed"), &s), ERR_INVALID);
    assert_int_equal(action_state_parse(STR(""), &s), ERR_INVALID);
    assert_int_equal(s, ACTION_FAILED);
}

/* Rows: from; columns: to. */
static void test_moves(void **state)
{
    (void)state;
    static const char *const want[ACTION_STATES] = {
        /*                    wodDirCsfc */
        [ACTION_WAITING] = "-x------xx",     [ACTION_OFFERED] = "--xxxxxxxx",
        [ACTION_DOWNLOADING] = "--xxxxxxxx", [ACTION_DOWNLOADED] = "--xxxxxxxx",
        [ACTION_INSTALLING] = "--xxxxxxx-",  [ACTION_REBOOTING] = "--xxxxxxx-",
        [ACTION_CANCELLING] = "--xxxx-xxx",  [ACTION_SUCCEEDED] = "----------",
        [ACTION_FAILED] = "----------",      [ACTION_CANCELLED] = "----------",
    };
    for (unsigned from = 0; from < ACTION_STATES; from++)
        for (unsigned to = 0; to < ACTION_STATES; to++)
            if (action_may_move((enum action_state)from, (enum action_state)to) != (want[from][to] == 'x'))
                fail_msg("%s to %s", action_state_word((enum action_state)from),
                         action_state_word((enum action_state)to));
}

static void test_kinds(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ACTION_STATES; i++) {
        enum action_state s = (enum action_state)i;
        assert_int_equal(action_is_final(s), s >= ACTION_SUCCEEDED);
        assert_int_equal(action_is_reported(s), s != ACTION_WAITING && s != ACTION_OFFERED &&
                                                    s != ACTION_CANCELLING && s != ACTION_CANCELLED);
        assert_int_equal(action_may_cancel(s), s <= ACTION_DOWNLOADED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_moves),
        cmocka_unit_test(test_kinds),
    };
    return cmocka_run_group_tests_name("model/action", tests, NULL, NULL);
}
