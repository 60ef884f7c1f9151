/* Reports: whose, in which state, and what is never claimed. */
#include "release_fixture.h"

#include <stdio.h>

struct scene {
    struct release release;
    int64_t action;
};

static struct scene begin(struct fixture *f)
{
    struct scene s;
    add_device(f, "d1", "m");
    add_device(f, "d2", "m");
    s.release = publish(f, "gw", "2", "m");
    deploy(f, s.release.pk, TARGET_DEVICE, "d1");
    s.action = assert_offered(f, "d1", "1", s.release.pk);
    return s;
}

static void test_whole_way(void **state)
{
    struct fixture *f = *state;
    struct scene s = begin(f);
    const struct report half = {.state = ACTION_DOWNLOADING, .progress = 50, .message = STR("half")};
    assert_ok(try_report_full(f, "d1", s.action, &half), f->e);
    assert_int_equal(ask(f, "SELECT progress FROM action"), 50);
    assert_ok(try_report(f, "d1", s.action, ACTION_INSTALLING, NULL), f->e);
    assert_ok(try_report(f, "d1", s.action, ACTION_REBOOTING, NULL), f->e);
    f->now_ms += 5000;
    assert_ok(try_report(f, "d1", s.action, ACTION_SUCCEEDED, "2"), f->e);
    assert_string_equal(ask_text(f, "SELECT state FROM action"), "succeeded");
    assert_int_equal(ask(f, "SELECT closed_at FROM action"), f->now_ms);
    assert_string_equal(ask_text(f, "SELECT version FROM device WHERE id = 'd1'"), "2");
    assert_string_equal(
        ask_text(f, "SELECT group_concat(state, ' ') FROM (SELECT state FROM action_status ORDER BY pk)"),
        "offered downloading installing rebooting succeeded");
    assert_string_equal(
        ask_text(f, "SELECT who || ' ' || subject FROM event WHERE kind = 'action.succeeded'"), "d1 d1");
}

static void test_only_its_own(void **state)
{
    struct fixture *f = *state;
    struct scene s = begin(f);
    char foreign[ERR_TEXT_MAX];
    assert_int_equal(try_report(f, "d2", s.action, ACTION_FAILED, NULL), ERR_NOT_FOUND);
    snprintf(foreign, sizeof foreign, "%s", f->e.text);
    assert_int_equal(ask(f, "SELECT count(*) FROM action WHERE closed_at IS NULL"), 1);
    assert_int_equal(try_report(f, "d1", s.action + 1, ACTION_FAILED, NULL), ERR_NOT_FOUND);
    snprintf(f->e.text + strlen(f->e.text) - 1, 2, "%lld", (long long)s.action);
    assert_string_equal(f->e.text, foreign); /* but for the number, the same words */
}

static void test_no_success_unless_it_runs(void **state)
{
    struct fixture *f = *state;
    struct scene s = begin(f);
    assert_int_equal(try_report(f, "d1", s.action, ACTION_SUCCEEDED, NULL), ERR_CONFLICT);
    assert_int_equal(try_report(f, "d1", s.action, ACTION_SUCCEEDED, "1"), ERR_CONFLICT);
    assert_string_equal(ask_text(f, "SELECT state FROM action"), "offered");
    assert_int_equal(ask(f, "SELECT count(*) FROM event WHERE kind LIKE 'action.%%'"), 0);
    assert_ok(try_report(f, "d1", s.action, ACTION_SUCCEEDED, "2"), f->e);
}

static void test_lost_reply(void **state)
{
    struct fixture *f = *state;
    struct scene s = begin(f);
    assert_ok(try_report(f, "d1", s.action, ACTION_DOWNLOADING, NULL), f->e);
    assert_ok(try_report(f, "d1", s.action, ACTION_DOWNLOADING, NULL), f->e);
    assert_int_equal(ask(f, "SELECT count(*) FROM action_status"), 2); /* offered and once downloading */
    assert_ok(try_report(f, "d1", s.action, ACTION_FAILED, "1"), f->e);
    int64_t closed = ask(f, "SELECT closed_at FROM action");
    f->now_ms += 1000;
    assert_ok(try_report(f, "d1", s.action, ACTION_FAILED, "0"), f->e);
    assert_int_equal(ask(f, "SELECT closed_at FROM action"), closed);
    assert_string_equal(ask_text(f, "SELECT version FROM device WHERE id = 'd1'"), "1"); /* old news */
    assert_int_equal(ask(f, "SELECT count(*) FROM event WHERE kind = 'action.failed'"), 1);
    assert_int_equal(try_report(f, "d1", s.action, ACTION_SUCCEEDED, "2"), ERR_GONE);
    assert_int_equal(try_report(f, "d1", s.action, ACTION_DOWNLOADING, NULL), ERR_GONE);
}

static void test_bounded_history(void **state)
{
    struct fixture *f = *state;
    struct scene s = begin(f);
    for (int i = 0; i <= 100; i++) {
        const struct report r = {.state = ACTION_DOWNLOADING, .progress = i};
        assert_ok(try_report_full(f, "d1", s.action, &r), f->e);
    }
    assert_int_equal(ask(f, "SELECT progress FROM action"), 100); /* where it stands is known nevertheless */
    assert_int_equal(ask(f, "SELECT count(*) FROM action_status"), f->ota.status_max);
    const struct report last = {
        .state = ACTION_FAILED, .progress = ACTION_PROGRESS_NONE, .message = STR("no space")};
    assert_ok(try_report_full(f, "d1", s.action, &last), f->e);
    assert_string_equal(ask_text(f, "SELECT message FROM action_status WHERE state = 'failed'"), "no space");
    assert_non_null(strstr(ask_text(f, "SELECT detail FROM event WHERE kind = 'action.failed'"), "no space"));
}

static void test_begins_again_after_power_loss(void **state)
{
    struct fixture *f = *state;
    struct scene s = begin(f);
    assert_ok(try_report(f, "d1", s.action, ACTION_INSTALLING, NULL), f->e);
    assert_ok(try_report(f, "d1", s.action, ACTION_DOWNLOADING, NULL), f->e);
    assert_string_equal(ask_text(f, "SELECT state FROM action"), "downloading");
}

static void test_refused(void **state)
{
    struct fixture *f = *state;
    struct scene s = begin(f);
    static char longer[ACTION_MESSAGE_MAX + 2];
    memset(longer, 'x', sizeof longer - 1);
    const struct report rows[] = {
        {.state = ACTION_OFFERED, .progress = ACTION_PROGRESS_NONE},
        {.state = ACTION_CANCELLED, .progress = ACTION_PROGRESS_NONE},
        {.state = ACTION_DOWNLOADING, .progress = 101},
        {.state = ACTION_DOWNLOADING, .progress = -2},
        {.state = ACTION_DOWNLOADING, .message = {.p = longer, .n = sizeof longer - 1}},
        {.state = ACTION_DOWNLOADING, .message = STR("\x01")},
        {.state = ACTION_DOWNLOADING, .version = STR("a b")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(try_report_full(f, "d1", s.action, &rows[i]), ERR_INVALID);
    assert_string_equal(ask_text(f, "SELECT state FROM action"), "offered");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole_way, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_only_its_own, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_no_success_unless_it_runs, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_lost_reply, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_bounded_history, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_begins_again_after_power_loss, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_refused, release_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("ota/report", tests, NULL, NULL);
}
