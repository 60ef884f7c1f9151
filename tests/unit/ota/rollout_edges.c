/* Rollouts: time that does not run, devices that are deleted, long pasts, and what was rolled back. */
#include "rollout_fixture.h"

#include "ota/attributes.h"
#include "ota/feedback.h"
#include "ota/targets.h"
#include "store/actions.h"

/* --- deadlines ----------------------------------------------------------------------------------------- */

static int64_t failed(struct fixture *f)
{
    while (overdue_slice(f)) {
    }
    return ask(f, "SELECT count(*) FROM action WHERE state = 'failed'");
}

/* From three to five, and an hour for each device. */
static struct deploy nightly(int64_t release)
{
    struct deploy d = to_all(release);
    d.policy.deadline_seconds = 3600;
    d.policy.window_schedule = "0 0 3 * * ?";
    d.policy.window_zone = "Z";
    d.policy.window_seconds = 7200;
    return d;
}

/* Over hawkBit's protocol an update is given before its window opens. */
static void it_runs_from_the_window(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 1);
    struct release r = publish(f, "gw", "1", "m");
    struct deploy d = nightly(r.pk);
    made(f, &d);
    f->now_ms += DAY_MS - f->now_ms % DAY_MS + 6 * 3600000; /* six in the morning */
    poll_ddi(f, "d1");
    assert_int_equal(ask(f, "SELECT count(*) FROM action WHERE state = 'offered'"), 1);
    f->now_ms += 22 * 3600000 - 1; /* four, next morning */
    assert_int_equal(failed(f), 0);
    f->now_ms += 1;
    assert_int_equal(failed(f), 1);
}

static void it_does_not_run_in_a_pause(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 2);
    struct release r = publish(f, "gw", "1", "m");
    struct deploy d = to_all(r.pk);
    d.policy.deadline_seconds = 3600;
    int64_t pk = made(f, &d);
    assert_offered(f, "d1", "0", r.pk);
    int64_t begun = assert_offered(f, "d2", "0", r.pk);
    assert_ok(try_report(f, "d2", begun, ACTION_INSTALLING, NULL), f->e);
    assert_ok(steer(f, ota_deploy_pause, "anna", pk), f->e);
    f->now_ms += DAY_MS;
    assert_int_equal(failed(f), 1); /* who has begun may go on */
    assert_ok(steer(f, ota_deploy_resume, "anna", pk), f->e);
    f->now_ms += 3599999;
    assert_int_equal(failed(f), 1);
    f->now_ms += 1;
    assert_int_equal(failed(f), 2);
}

/* Paused and resumed, it is still not before the window that it may begin. */
static void it_waits_for_the_window_after_a_pause(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 1);
    struct release r = publish(f, "gw", "1", "m");
    struct deploy d = nightly(r.pk);
    int64_t pk = made(f, &d);
    f->now_ms += DAY_MS - f->now_ms % DAY_MS;
    poll_ddi(f, "d1");
    assert_ok(steer(f, ota_deploy_pause, "anna", pk), f->e);
    f->now_ms += DAY_MS / 2;
    assert_int_equal(failed(f), 0);
    assert_ok(steer(f, ota_deploy_resume, "anna", pk), f->e);
    f->now_ms += DAY_MS / 2 + 4 * 3600000 - 1; /* four, next morning */
    assert_int_equal(failed(f), 0);
    f->now_ms += 1;
    assert_int_equal(failed(f), 1);
}

/* --- doubt --------------------------------------------------------------------------------------------- */

struct feedback_call {
    int64_t action;
    struct feedback said;
};

static int run_feedback(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    const struct feedback_call *c = arg;
    return ota_feedback(&f->ota, db, &f->arena, "d1", c->action, &c->said, e);
}

static int run_tell(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    const struct attribute version = {.key = STR("version"), .value = str_of(arg)};
    return ota_attributes_told(&f->ota, db, &f->arena, "d1", ATTRIBUTES_MERGE, &version, 1, e);
}

/* Who still runs the old version is asked for another for a day. */
static void doubt_ends(void **state)
{
    struct fixture *f = *state;
    char old[] = "0";
    add_fleet(f, 1);
    struct release r = publish(f, "gw", "1", "m");
    poll_ddi(f, "d1");
    assert_ok(fixture_write(f, run_tell, old), f->e);
    deploy(f, r.pk, TARGET_ALL, "");
    poll_ddi(f, "d1");
    const struct feedback closed = {.execution = FEEDBACK_CLOSED, .message = "", .said = ""};
    struct feedback_call c = {.action = ask(f, "SELECT pk FROM action"), .said = closed};
    assert_ok(fixture_write(f, run_feedback, &c), f->e);
    assert_ok(fixture_write(f, run_tell, old), f->e);
    assert_string_equal(ask_text(f, "SELECT state FROM action"), "failed");
    assert_int_equal(ask(f, "SELECT attributes_wanted FROM device"), ATTRIBUTES_DOUBTED);
    f->now_ms += DAY_MS;
    assert_ok(fixture_write(f, run_tell, old), f->e);
    assert_int_equal(ask(f, "SELECT attributes_wanted FROM device"), ATTRIBUTES_DOUBTED);
    f->now_ms += 1;
    assert_ok(fixture_write(f, run_tell, old), f->e);
    assert_int_equal(ask(f, "SELECT attributes_wanted FROM device"), ATTRIBUTES_TOLD);
}

/* --- devices that are deleted -------------------------------------------------------------------------- */

static int run_remove(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    return ota_target_remove(&f->ota, db, &f->arena, &f->admin, arg, e);
}

static void a_deleted_failure_holds_nothing_up(void **state)
{
    struct fixture *f = *state;
    char id[] = "d1";
    add_fleet(f, 3);
    struct release r = publish(f, "gw", "1", "m");
    struct phase phases[2];
    struct deploy d = in_two(r.pk, (struct phase){.devices = 2, .success_percent = 100}, phases);
    made(f, &d);
    ends(f, 1, r.pk, ACTION_FAILED);
    ends(f, 2, r.pk, ACTION_SUCCEEDED);
    assert_nothing(f, "d3", "0");
    assert_ok(fixture_write(f, run_remove, id), f->e);
    assert_offered(f, "d3", "0", r.pk);
}

/* --- the past ------------------------------------------------------------------------------------------ */

/* That a device was taken back is not forgotten, however often it tries something else. */
static void tries_do_not_hide_it(void **state)
{
    struct fixture *f = *state;
    struct deployment d;
    add_fleet(f, 1);
    struct release one = publish(f, "gw", "1", "m"), two = publish(f, "gw", "2", "m"),
                   three = publish(f, "gw", "3", "m");
    deploy(f, two.pk, TARGET_TAG, "lab");
    assert_nothing(f, "d1", "2");
    int64_t action;
    assert_ok(try_deploy(f, one.pk, TARGET_ALL, "", true, &d), f->e);
    action = assert_offered(f, "d1", "2", one.pk);
    assert_ok(try_report(f, "d1", action, ACTION_SUCCEEDED, "1"), f->e);
    struct deploy up = to_all(three.pk);
    up.policy.retries = 20;
    up.policy.retry_seconds = 1;
    int64_t pk = made(f, &up);
    for (int i = 0; i < ACTION_PAST_MAX + 2; i++) {
        action = assert_offered(f, "d1", "1", three.pk);
        assert_ok(try_report(f, "d1", action, ACTION_FAILED, "1"), f->e);
        f->now_ms += DAY_MS;
    }
    cancel(f, pk);
    add_tag(f, "d1", "lab");
    assert_nothing(f, "d1", "1"); /* not 2: that order is older than the one that took it back */
}

/* --- what was rolled back ------------------------------------------------------------------------------ */

/* A deployment is made, its device asks, and then all of it is undone. */
static int run_undone(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct deployment d;
    struct poll_answer a;
    const struct poll_question q = {.device = "d1"};
    const struct deploy all = {.release = *(int64_t *)arg,
                               .kind = TARGET_ALL,
                               .target = STR(""),
                               .policy = ota_default_policy(TARGET_ALL)};
    int rc = ota_deploy(&f->ota, db, &f->arena, "anna", &all, &d, e);
    if (rc == 0)
        rc = ota_poll(&f->ota, db, true, &f->arena, &q, &a, e);
    return rc != 0 ? rc : err_set(e, ERR_CONFLICT, "undone");
}

static void it_is_not_remembered(void **state)
{
    struct fixture *f = *state;
    struct release r = publish(f, "gw", "1", "m"), k = publish(f, "kw", "1", "k");
    add_fleet(f, 1);
    deploy(f, r.pk, TARGET_TAG, "none");
    assert_int_equal(fixture_write(f, run_undone, &r.pk), ERR_CONFLICT);
    deploy(f, k.pk, TARGET_ALL, "");
    add_device(f, "k1", "k"); /* comes later, so that it joins by what the writer knows of what runs */
    assert_offered(f, "k1", "0", k.pk);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, release_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(it_runs_from_the_window),
        ROW(it_does_not_run_in_a_pause),
        ROW(it_waits_for_the_window_after_a_pause),
        ROW(doubt_ends),
        ROW(a_deleted_failure_holds_nothing_up),
        ROW(tries_do_not_hide_it),
        ROW(it_is_not_remembered),
    };
    return cmocka_run_group_tests_name("ota/rollout_edges", tests, NULL, NULL);
}
