/* Deployments and the clock; what a device runs decides; who goes first, joins late or leaves. */
#include "rollout_fixture.h"

#include <stdio.h>

/* --- the clock ----------------------------------------------------------------------------------------- */

static int run_start(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    return ota_start_slice(&f->ota, db, arg, e);
}

static void it_starts_when_it_is_time(void **state)
{
    struct fixture *f = *state;
    bool more;
    add_fleet(f, 1);
    struct release r = publish(f, "gw", "1", "m");
    struct deploy d = to_all(r.pk);
    d.policy.start_at = f->now_ms + 3600000;
    int64_t pk = made(f, &d);
    assert_string_equal(state_of(f, pk), "scheduled");
    assert_int_equal(why(f, "d1"), REASON_SCHEDULED);
    assert_ok(fixture_write(f, run_start, &more), f->e);
    assert_false(more);
    f->now_ms += 3600000;
    assert_ok(fixture_write(f, run_start, &more), f->e);
    assert_true(more);
    assert_offered(f, "d1", "0", r.pk);
}

static void so_many_a_minute(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 5);
    struct release r = publish(f, "gw", "1", "m");
    struct deploy d = to_all(r.pk);
    d.policy.per_minute = 2;
    made(f, &d);
    f->now_ms -= f->now_ms % 60000;
    assert_offered(f, "d1", "0", r.pk);
    assert_offered(f, "d2", "0", r.pk);
    assert_offered(f, "d2", "0", r.pk); /* again is not one more */
    assert_nothing(f, "d3", "0");
    assert_int_equal(why(f, "d3"), REASON_RATE);
    f->now_ms += 60000;
    assert_offered(f, "d3", "0", r.pk);
    assert_offered(f, "d4", "0", r.pk);
    assert_nothing(f, "d5", "0");
}

static void a_failure_is_tried_again(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 1);
    struct release r = publish(f, "gw", "1", "m");
    struct deploy d = to_all(r.pk);
    d.policy.retries = 2;
    d.policy.retry_seconds = 100;
    int64_t pk = made(f, &d);
    ends(f, 1, r.pk, ACTION_FAILED);
    assert_nothing(f, "d1", "0");
    assert_int_equal(why(f, "d1"), REASON_RETRY);
    f->now_ms += 99999;
    assert_nothing(f, "d1", "0");
    f->now_ms += 1;
    ends(f, 1, r.pk, ACTION_FAILED);
    f->now_ms += 199999; /* twice as long */
    assert_nothing(f, "d1", "0");
    f->now_ms += 1;
    assert_string_equal(state_of(f, pk), "running");
    ends(f, 1, r.pk, ACTION_FAILED);
    assert_string_equal(state_of(f, pk), "finished");
    f->now_ms += DAY_MS;
    assert_nothing(f, "d1", "0");
    assert_int_equal(ask(f, "SELECT attempts FROM member WHERE state = 'failed'"), 3);
    assert_int_equal(ask(f, "SELECT max(attempt) FROM action"), 3);
}

/* What was called off is over: who was installing, and failed, does not wait for a next time. */
static void what_is_over_is_not_tried_again(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 2);
    struct release r = publish(f, "gw", "1", "m");
    struct deploy d = to_all(r.pk);
    d.policy.retries = 2;
    int64_t pk = made(f, &d), action = assert_offered(f, "d1", "0", r.pk);
    assert_ok(try_report(f, "d1", action, ACTION_INSTALLING, NULL), f->e);
    ends(f, 2, r.pk, ACTION_FAILED);
    cancel(f, pk);
    assert_int_equal(ask(f, "SELECT retry_at IS NULL FROM member WHERE state = 'cancelled'"), 1);
    assert_ok(try_report(f, "d1", action, ACTION_FAILED, NULL), f->e);
    assert_int_equal(ask(f, "SELECT count(*) FROM member WHERE state = 'waiting'"), 0);
    assert_int_equal(ask(f, "SELECT count(*) FROM member WHERE state = 'failed'"), 1);
}

static void what_hangs_fails(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 2);
    struct release r = publish(f, "gw", "1", "m");
    struct deploy d = to_all(r.pk);
    d.policy.deadline_seconds = 3600;
    int64_t pk = made(f, &d);
    int64_t hangs = assert_offered(f, "d1", "0", r.pk), late = assert_offered(f, "d2", "0", r.pk);
    assert_ok(try_report(f, "d1", hangs, ACTION_INSTALLING, NULL), f->e);
    f->now_ms += 3599999;
    assert_false(overdue_slice(f));
    f->now_ms += 1;
    while (overdue_slice(f)) {
    }
    assert_int_equal(ask(f, "SELECT count(*) FROM action WHERE state = 'failed'"), 2);
    assert_non_null(strstr(ask_text(f, "SELECT message FROM action WHERE pk = %lld", (long long)hangs),
                           "installing last"));
    assert_int_equal(try_report(f, "d2", late, ACTION_SUCCEEDED, "1"), ERR_GONE);
    /* What it runs decides. */
    assert_nothing(f, "d2", "1");
    assert_string_equal(ask_text(f, "SELECT state FROM action WHERE pk = %lld", (long long)late),
                        "succeeded");
    assert_int_equal(ask(f, "SELECT count(*) FROM member WHERE state = 'failed'"), 1);
    assert_int_equal(ask(f, "SELECT count(*) FROM member WHERE state = 'succeeded'"), 1);
    assert_string_equal(state_of(f, pk), "finished");
}

/* --- what runs decides --------------------------------------------------------------------------------- */

static void falling_back_is_failing(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 3);
    struct release r = publish(f, "gw", "1", "m");
    struct phase phases[2];
    struct deploy d =
        in_two(r.pk, (struct phase){.devices = 2, .success_percent = 100, .error_count = 1}, phases);
    int64_t pk = made(f, &d);
    ends(f, 1, r.pk, ACTION_SUCCEEDED);
    assert_nothing(f, "d1", "0"); /* it runs the old one again */
    assert_string_equal(ask_text(f, "SELECT state FROM member WHERE device = 1"), "failed");
    assert_string_equal(ask_text(f, "SELECT message FROM action"),
                        "it fell back: it said that 1 was installed, and runs 0 again");
    assert_string_equal(state_of(f, pk), "paused");
    assert_int_equal(ask(f, "SELECT count(*) FROM event WHERE kind = 'action.failed'"), 1);
    assert_nothing(f, "d1", "0");
}

static void who_is_there_already(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 3);
    struct release r = publish(f, "gw", "1", "m"), next = publish(f, "gw", "2", "m");
    assert_nothing(f, "d1", "1");
    struct deploy d = to_all(r.pk);
    int64_t pk = made(f, &d);
    assert_string_equal(ask_text(f, "SELECT state FROM member WHERE device = 1"), "already");
    assert_nothing(f, "d2", "1"); /* somebody installed it by hand */
    assert_string_equal(ask_text(f, "SELECT state FROM member WHERE device = 2"), "already");
    assert_nothing(f, "d3", "2"); /* or something newer */
    assert_string_equal(state_of(f, pk), "finished");
    assert_int_equal(ask(f, "SELECT count(*) FROM action"), 0);
    (void)next;
}

static void who_was_there_is_asked_again(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 2);
    struct release r = publish(f, "gw", "1", "m");
    assert_nothing(f, "d1", "1");
    struct deploy d = to_all(r.pk);
    made(f, &d);
    assert_offered(f, "d1", "0", r.pk); /* it went back by itself */
}

/* --- priority, joining, leaving ------------------------------------------------------------------------ */

static void priority_goes_first(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 1);
    struct release one = publish(f, "gw", "1", "m"), two = publish(f, "gw", "2", "m");
    struct deploy d = to_all(two.pk);
    d.policy.priority = 900;
    made(f, &d);
    d = to_all(one.pk);
    made(f, &d);
    assert_offered(f, "d1", "0", two.pk);
}

/* By hawkBit's protocol a device is asked to give one up before it gets the next. Coming by our own it has
   given it up, and the next is the one that waited behind it. */
static void another_protocol_in_between(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 1);
    struct release one = publish(f, "gw", "1", "m"), two = publish(f, "gw", "2", "m"),
                   three = publish(f, "gw", "3", "m");
    deploy(f, one.pk, TARGET_ALL, "");
    poll_ddi(f, "d1");
    deploy(f, two.pk, TARGET_DEVICE, "d1");
    poll_ddi(f, "d1");
    assert_string_equal(ask_text(f, "SELECT group_concat(state) FROM (SELECT state FROM action ORDER BY pk)"),
                        "cancelling,offered");
    struct deploy low = to_all(three.pk);
    low.policy.priority = 100;
    made(f, &low);
    int64_t second = assert_offered(f, "d1", "0", two.pk);
    assert_int_equal(assert_offered(f, "d1", "0", two.pk), second);
    assert_int_equal(ask(f, "SELECT count(*) FROM action WHERE closed_at IS NULL"), 1);
}

static void later_devices_join(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 2);
    struct release r = publish(f, "gw", "1", "m");
    struct phase phases[2];
    struct deploy d = in_two(r.pk, (struct phase){.devices = 1, .success_percent = 100}, phases);
    d.policy.dynamic = true;
    int64_t pk = made(f, &d);
    add_device(f, "new", "m");
    assert_nothing(f, "new", "0");
    assert_int_equal(why(f, "new"), REASON_PHASE);
    ends(f, 1, r.pk, ACTION_SUCCEEDED);
    assert_offered(f, "new", "0", r.pk);
    assert_int_equal(in_phase(f, pk, 1), 2);
    struct deploy still = to_all(publish(f, "gw", "2", "m").pk);
    made(f, &still);
    add_device(f, "newer", "m");
    assert_offered(f, "newer", "0", r.pk); /* not the one that is for those who were there */
}

static int untag(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)f;
    (void)arg;
    return db_exec(db, "DELETE FROM device_tag WHERE device = 1", e);
}

static void who_does_not_match_any_more_is_left_out(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 1);
    add_tag(f, "d1", "lab");
    struct release r = publish(f, "gw", "1", "m");
    deploy(f, r.pk, TARGET_TAG, "lab");
    assert_ok(fixture_write(f, untag, NULL), f->e);
    assert_nothing(f, "d1", "0");
    assert_int_equal(why(f, "d1"), REASON_LEFT);
    add_tag(f, "d1", "lab");
    assert_offered(f, "d1", "0", r.pk);
}

/* Whoever installed it by hand runs it, also when that is why it matches no more. */
static void who_runs_it_has_not_left(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 1);
    assert_nothing(f, "d1", "0");
    struct release r = publish(f, "gw", "1", "m");
    struct deploy d = to_all(r.pk);
    d.kind = TARGET_FILTER;
    d.target = STR("version==0");
    d.policy.dynamic = true;
    made(f, &d);
    assert_nothing(f, "d1", "1");
    assert_string_equal(ask_text(f, "SELECT state FROM member"), "already");
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, release_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(it_starts_when_it_is_time),
        ROW(so_many_a_minute),
        ROW(a_failure_is_tried_again),
        ROW(what_hangs_fails),
        ROW(falling_back_is_failing),
        ROW(who_is_there_already),
        ROW(who_was_there_is_asked_again),
        ROW(priority_goes_first),
        ROW(what_is_over_is_not_tried_again),
        ROW(another_protocol_in_between),
        ROW(later_devices_join),
        ROW(who_does_not_match_any_more_is_left_out),
        ROW(who_runs_it_has_not_left),
    };
    return cmocka_run_group_tests_name("ota/rollout_time", tests, NULL, NULL);
}
