/* Deployments in phases: who is in which, what opens the next one, what stops it, and who may do what. */
#include "rollout_fixture.h"

#include <stdio.h>

/* --- who is where -------------------------------------------------------------------------------------- */

static void shares_are_exact(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 101);
    for (int i = 0; i < 5; i++) {
        char id[16];
        snprintf(id, sizeof id, "d%d", 20 * i + 7);
        add_tag(f, id, "lab");
    }
    struct release r = publish(f, "gw", "1", "m");
    struct phase phases[] = {
        {.name = "lab", .filter = "tag==lab", .success_percent = 100},
        {.name = "first", .filter = "", .devices = 6, .success_percent = 100},
        {.name = "tenth", .filter = "", .percent = 10, .success_percent = 100},
        {.name = "half", .filter = "", .percent = 50, .success_percent = 100},
        {.name = "rest", .filter = "", .success_percent = 100},
    };
    struct deploy d = to_all(r.pk);
    d.phases = phases;
    d.phase_count = 5;
    int64_t pk = made(f, &d);
    const int64_t want[] = {5, 6, 9, 45, 36}; /* of the 90 that are left: a tenth, half, the rest */
    for (int i = 0; i < 5; i++)
        assert_int_equal(in_phase(f, pk, i), want[i]);
}

/* However few there are, the first phase is not empty. */
static void a_canary_of_few(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 3);
    struct release r = publish(f, "gw", "1", "m");
    struct phase phases[2];
    struct deploy d = in_two(r.pk, (struct phase){.percent = 1, .success_percent = 100}, phases);
    int64_t pk = made(f, &d);
    assert_int_equal(in_phase(f, pk, 0), 1);
    assert_int_equal(in_phase(f, pk, 1), 2);
}

/* A canary of those that have it would prove nothing, and all others would begin at once. */
static void a_canary_of_those_that_need_it(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 12);
    struct release r = publish(f, "gw", "1", "m");
    publish(f, "gw", "2", "m");
    sql(f, "UPDATE device SET version = CASE WHEN pk <= 3 THEN '1' ELSE '2' END WHERE pk <= 4");
    struct phase phases[2];
    struct deploy d = in_two(r.pk, (struct phase){.devices = 2, .success_percent = 100}, phases);
    int64_t pk = made(f, &d);
    assert_int_equal(in_phase(f, pk, 0), 2);
    assert_int_equal(ask(f, "SELECT phase FROM deployment"), 0);
    assert_string_equal(ask_text(f, "SELECT group_concat(device) FROM member WHERE phase = 0"), "5,6");
    assert_int_equal(ask(f, "SELECT count(*) FROM member WHERE phase = 1 AND state = 'already'"), 4);
    assert_nothing(f, "d7", "0");
    assert_offered(f, "d5", "0", r.pk);
    assert_ok(steer(f, ota_deploy_cancel, "anna", pk), f->e);

    d = in_two(r.pk, (struct phase){.percent = 25, .success_percent = 100}, phases);
    d.policy.allow_downgrade = true;
    pk = made(f, &d);
    assert_int_equal(in_phase(f, pk, 0), 3); /* of nine: the fourth goes back, three have it */
    assert_int_equal(
        ask(f, "SELECT min(device) FROM member WHERE phase = 0 AND deployment = %lld", (long long)pk), 4);
}

static void what_is_refused(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 1);
    struct release r = publish(f, "gw", "1", "m");
    static const struct {
        const char *says;
        struct phase phases[2];
    } rows[] = {
        {"the last one takes the rest", {{.filter = "", .percent = 10}, {.filter = "", .percent = 90}}},
        {"say what it takes", {{.filter = ""}, {.filter = ""}}},
        {"phase 1: percent: a number from 0 to 100", {{.filter = "", .percent = 101}, {.filter = ""}}},
        {"percent stands alone", {{.filter = "tag==x", .percent = 10}, {.filter = ""}}},
        {"phase 1: filter, column 1", {{.filter = "nonsense==1"}, {.filter = ""}}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct deploy d = to_all(r.pk);
        struct phase phases[2] = {rows[i].phases[0], rows[i].phases[1]};
        phases[0].name = phases[1].name = "";
        d.phases = phases;
        d.phase_count = 2;
        assert_int_equal(refused(f, &d), ERR_INVALID);
        if (strstr(f->e.text, rows[i].says) == NULL)
            fail_msg("%s: %s", rows[i].says, f->e.text);
    }
    struct deploy d = to_all(r.pk);
    d.kind = TARGET_FILTER;
    d.target = STR("model==m;(");
    assert_int_equal(refused(f, &d), ERR_INVALID);
    assert_non_null(strstr(f->e.text, "column"));
    d = to_all(r.pk);
    d.policy.window_schedule = "0 0 25 * * ?";
    d.policy.window_zone = "Z";
    d.policy.window_seconds = 60;
    assert_int_equal(refused(f, &d), ERR_INVALID);
    d = to_all(r.pk);
    d.policy.mode = MODE_TIME_FORCED;
    assert_int_equal(refused(f, &d), ERR_INVALID);
    assert_int_equal(ask(f, "SELECT count(*) FROM deployment"), 0);
}

/* A large fleet is put into phases a slice at a time; nobody in a later phase gets it meanwhile. */
static int add_many(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)f;
    (void)arg;
    return db_exec(db,
                   "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)"
                   " INSERT INTO device (id, model, created_at) SELECT 'x' || i, 'm', 1 FROM n",
                   e);
}

static int run_prepare(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    return ota_prepare_slice(&f->ota, db, arg, e);
}

static void a_large_fleet_in_slices(void **state)
{
    struct fixture *f = *state;
    assert_ok(fixture_write(f, add_many, NULL), f->e);
    struct release r = publish(f, "gw", "1", "m");
    struct phase phases[2];
    struct deploy d = in_two(r.pk, (struct phase){.percent = 10, .success_percent = 100}, phases);
    int64_t pk = made(f, &d);
    int64_t at_once = ask(f, "SELECT count(*) FROM member");
    assert_true(at_once > 0);
    int slices = 0;
    for (bool more = true; more; slices++) {
        assert_ok(fixture_write(f, run_prepare, &more), f->e);
        assert_true(slices < 100);
    }
    assert_int_equal(in_phase(f, pk, 0), 3000);
    assert_int_equal(in_phase(f, pk, 1), 27000);
    assert_true(ask(f, "SELECT prepared_at FROM deployment") != 0);
    assert_int_equal(ask(f, "SELECT sum(n) FROM member_tally WHERE state = 'waiting'"), 30000);
    (void)pk;
}

/* --- from phase to phase ------------------------------------------------------------------------------- */

static void a_phase_opens_the_next(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 10);
    struct release r = publish(f, "gw", "1", "m");
    struct phase phases[2];
    struct deploy d =
        in_two(r.pk, (struct phase){.name = "canary", .devices = 4, .success_percent = 50}, phases);
    int64_t pk = made(f, &d);
    assert_nothing(f, "d5", "0");
    assert_int_equal(why(f, "d5"), REASON_PHASE);
    ends(f, 1, r.pk, ACTION_SUCCEEDED);
    assert_nothing(f, "d5", "0");
    ends(f, 2, r.pk, ACTION_SUCCEEDED);
    assert_int_equal(ask(f, "SELECT phase FROM deployment"), 1);
    ends(f, 5, r.pk, ACTION_SUCCEEDED);
    for (int i = 3; i <= 10; i++)
        if (i != 5)
            ends(f, i, r.pk, ACTION_SUCCEEDED);
    assert_string_equal(state_of(f, pk), "finished");
    assert_int_equal(ask(f, "SELECT count(*) FROM event WHERE kind = 'deployment.phase'"), 1);
    assert_int_equal(ask(f, "SELECT count(*) FROM event WHERE kind = 'deployment.finished'"), 1);
    assert_true(ask(f, "SELECT closed_at FROM deployment") != 0);
}

/* Whom nobody waits for holds nothing up: at once, not with the next report. */
static void a_phase_of_nobody_passes(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 2);
    struct release r = publish(f, "gw", "1", "m");
    struct phase phases[2];
    struct deploy d =
        in_two(r.pk, (struct phase){.name = "lab", .filter = "tag==lab", .success_percent = 100}, phases);
    int64_t pk = made(f, &d);
    assert_int_equal(ask(f, "SELECT phase FROM deployment"), 1);
    ends(f, 1, r.pk, ACTION_SUCCEEDED);
    ends(f, 2, r.pk, ACTION_SUCCEEDED);
    assert_string_equal(state_of(f, pk), "finished");
    assert_string_equal(state_of(f, made(f, &d)), "finished"); /* all run it already */
}

/* Nor does a device that is gone for good. */
static void a_revoked_device_is_not_waited_for(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 3);
    struct release r = publish(f, "gw", "1", "m");
    struct phase phases[2];
    struct deploy d = in_two(r.pk, (struct phase){.devices = 1, .success_percent = 100}, phases);
    int64_t pk = made(f, &d), second = made(f, &d);
    assert_ok(fixture_revoke(f, "d1"), f->e);
    assert_int_equal(ask(f, "SELECT sum(phase) FROM deployment"), 2); /* each stands in its last one */
    assert_ok(steer(f, ota_deploy_cancel, "anna", second), f->e);
    ends(f, 2, r.pk, ACTION_SUCCEEDED);
    assert_offered(f, "d3", "0", r.pk);
    assert_ok(fixture_revoke(f, "d3"), f->e);
    assert_string_equal(state_of(f, pk), "finished");
    assert_string_equal(ask_text(f,
                                 "SELECT group_concat(state) FROM (SELECT state FROM member"
                                 " WHERE deployment = %lld ORDER BY device)",
                                 (long long)pk),
                        "cancelled,succeeded,cancelled");
}

struct opening {
    int64_t deployment, phase;
};

static int run_open(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    const struct opening *o = arg;
    struct deployment out;
    return ota_deploy_next(&f->ota, db, &f->arena, "anna", o->deployment, o->phase, &out, e);
}

/* phase: from 1; 0: whichever is next. */
static int opens(struct fixture *f, int64_t deployment, int64_t phase)
{
    struct opening o = {deployment, phase};
    return fixture_write(f, run_open, &o);
}

static void a_person_opens_the_next(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 4);
    struct release r = publish(f, "gw", "1", "m");
    struct phase phases[2];
    struct deploy d = in_two(r.pk, (struct phase){.devices = 2, .success_percent = 100}, phases);
    int64_t pk = made(f, &d);
    ends(f, 1, r.pk, ACTION_SUCCEEDED);
    ends(f, 2, r.pk, ACTION_FAILED);
    assert_nothing(f, "d3", "0"); /* all were to succeed, and one did not */
    static const char short_of[] =
        "phase 1 of 2 fell short: 1 of its 2 devices have succeeded, and 100 % were to";
    assert_string_equal(ask_text(f, "SELECT why FROM deployment"), short_of);
    assert_int_equal(ask(f, "SELECT count(*) FROM event WHERE kind = 'deployment.short'"), 1);
    assert_string_equal(state_of(f, pk), "running");
    assert_int_equal(opens(f, pk, 3), ERR_CONFLICT);
    assert_nothing(f, "d3", "0");
    assert_ok(opens(f, pk, 2), f->e);
    assert_offered(f, "d3", "0", r.pk);
    assert_string_equal(ask_text(f, "SELECT why FROM deployment"), "");
    assert_string_equal(ask_text(f, "SELECT who FROM event WHERE kind = 'deployment.phase'"), "anna");
    assert_int_equal(opens(f, pk, 0), ERR_CONFLICT);
    assert_ok(steer(f, ota_deploy_cancel, "anna", pk), f->e);
    assert_int_equal(opens(f, pk, 0), ERR_CONFLICT);
}

static void errors_pause_it(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 20);
    struct release r = publish(f, "gw", "1", "m");
    struct phase phases[] = {
        {.name = "", .filter = "", .devices = 10, .success_percent = 80, .error_percent = 30},
        {.name = "", .filter = "", .success_percent = 100, .error_count = 2}};
    struct deploy d = to_all(r.pk);
    d.phases = phases;
    d.phase_count = 2;
    int64_t pk = made(f, &d);
    int64_t offered = assert_offered(f, "d9", "0", r.pk), begun = assert_offered(f, "d10", "0", r.pk);
    assert_ok(try_report(f, "d10", begun, ACTION_DOWNLOADING, NULL), f->e);
    ends(f, 1, r.pk, ACTION_FAILED);
    ends(f, 2, r.pk, ACTION_FAILED);
    assert_string_equal(state_of(f, pk), "running");
    ends(f, 3, r.pk, ACTION_FAILED);
    assert_string_equal(state_of(f, pk), "paused");
    assert_string_equal(ask_text(f, "SELECT why FROM deployment"),
                        "stopped when 3 devices of phase 1 of 2 had failed (limit 30 %)");
    /* Nobody begins, and who has begun goes on. */
    assert_nothing(f, "d4", "0");
    assert_int_equal(why(f, "d4"), REASON_PAUSED);
    assert_nothing(f, "d9", "0");
    assert_int_equal(assert_offered(f, "d10", "0", r.pk), begun);
    assert_ok(try_report(f, "d10", begun, ACTION_SUCCEEDED, "1"), f->e);
    /* A person decides. */
    assert_ok(steer(f, ota_deploy_resume, "anna", pk), f->e);
    assert_string_equal(state_of(f, pk), "running");
    assert_int_equal(assert_offered(f, "d9", "0", r.pk), offered);
    ends(f, 4, r.pk, ACTION_FAILED);
    assert_string_equal(state_of(f, pk), "paused");
    assert_ok(steer(f, ota_deploy_cancel, "anna", pk), f->e);
    assert_string_equal(state_of(f, pk), "cancelled");
    assert_int_equal(ask(f, "SELECT count(*) FROM member WHERE state IN ('waiting', 'active')"), 0);
    assert_int_equal(ask(f, "SELECT count(*) FROM member WHERE state = 'failed'"), 4);
    assert_int_equal(ask(f, "SELECT count(*) FROM member WHERE state = 'succeeded'"), 1);
    assert_int_equal(steer(f, ota_deploy_resume, "anna", pk), ERR_CONFLICT);
}

static void errors_take_it_back(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 6);
    struct release old = publish(f, "gw", "0", "m"), r = publish(f, "gw", "1", "m");
    struct phase phases[2];
    struct deploy d =
        in_two(r.pk, (struct phase){.devices = 4, .success_percent = 100, .error_count = 2}, phases);
    d.policy.rollback = old.pk;
    int64_t pk = made(f, &d);
    assert_int_equal(try_unpublish(f, old.pk), ERR_CONFLICT); /* it may be needed */
    ends(f, 1, r.pk, ACTION_SUCCEEDED);
    int64_t going = assert_offered(f, "d4", "0", r.pk);
    assert_ok(try_report(f, "d4", going, ACTION_INSTALLING, NULL), f->e);
    ends(f, 2, r.pk, ACTION_FAILED);
    ends(f, 3, r.pk, ACTION_FAILED);
    assert_string_equal(state_of(f, pk), "cancelled");
    int64_t back = ask(f, "SELECT pk FROM deployment WHERE origin = %lld", (long long)pk);
    assert_string_equal(state_of(f, back), "running");
    assert_int_equal(in_phase(f, back, 0), 4); /* d1 to d4: the others never had it */
    int64_t action = assert_offered(f, "d1", "1", old.pk);
    assert_ok(try_report(f, "d1", action, ACTION_SUCCEEDED, "0"), f->e);
    assert_nothing(f, "d2", "0"); /* it is there already */
    assert_nothing(f, "d3", "0");
    assert_nothing(f, "d5", "0");
    assert_ok(try_report(f, "d4", going, ACTION_SUCCEEDED, "1"), f->e);
    action = assert_offered(f, "d4", "1", old.pk);
    assert_ok(try_report(f, "d4", action, ACTION_SUCCEEDED, "0"), f->e);
    assert_string_equal(state_of(f, back), "finished");
    assert_nothing(f, "d1", "0");
}

static int approve(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t deployment,
                   struct deployment *out, struct err *e)
{
    return ota_deploy_approve(ota, db, a, who, deployment, true, out, e);
}

static int deny(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t deployment,
                struct deployment *out, struct err *e)
{
    return ota_deploy_approve(ota, db, a, who, deployment, false, out, e);
}

/* --- people -------------------------------------------------------------------------------------------- */

static void a_second_person_approves(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 2);
    struct release r = publish(f, "gw", "1", "m");
    struct deploy d = to_all(r.pk);
    d.approval = true;
    int64_t pk = made(f, &d);
    assert_nothing(f, "d1", "0");
    assert_int_equal(why(f, "d1"), REASON_APPROVAL);
    assert_int_equal(steer(f, approve, "anna", pk), ERR_DENIED);
    assert_int_equal(steer(f, ota_deploy_resume, "berta", pk), ERR_CONFLICT);
    assert_ok(steer(f, approve, "berta", pk), f->e);
    assert_offered(f, "d1", "0", r.pk);
    assert_int_equal(steer(f, approve, "berta", pk), ERR_CONFLICT);
    assert_string_equal(ask_text(f, "SELECT approved_by FROM deployment"), "berta");

    f->ota.approval = true; /* by the settings */
    d.approval = false;
    int64_t other = made(f, &d);
    assert_ok(steer(f, deny, "anna", other), f->e); /* whoever made it may think better of it */
    assert_string_equal(state_of(f, other), "denied");
    assert_int_equal(steer(f, approve, "berta", other), ERR_CONFLICT);
    assert_int_equal(ask(f, "SELECT count(*) FROM member WHERE deployment = %lld AND state <> 'cancelled'",
                         (long long)other),
                     0);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, release_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(shares_are_exact),
        ROW(a_canary_of_few),
        ROW(a_canary_of_those_that_need_it),
        ROW(what_is_refused),
        ROW(a_large_fleet_in_slices),
        ROW(a_phase_opens_the_next),
        ROW(a_phase_of_nobody_passes),
        ROW(a_revoked_device_is_not_waited_for),
        ROW(a_person_opens_the_next),
        ROW(errors_pause_it),
        ROW(errors_take_it_back),
        ROW(a_second_person_approves),
    };
    return cmocka_run_group_tests_name("ota/rollout", tests, NULL, NULL);
}
