/* Deployments in phases: who is in which, what opens the next one, what stops it, and what a person may do. */
#include "release_fixture.h"

#include <stdio.h>

#include "ota/finish.h"
#include "store/deployments.h"
#include "store/members.h"

struct call {
    struct deploy d;
    const char *who;
    struct deployment out;
};

static int run_deploy(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct call *c = arg;
    return ota_deploy(&f->ota, db, &f->arena, c->who, &c->d, &c->out, e);
}

static struct deploy to_all(int64_t release)
{
    struct deploy d = {
        .release = release, .kind = TARGET_ALL, .target = STR(""), .policy = ota_default_policy(TARGET_ALL)};
    d.policy.dynamic = false;
    return d;
}

static int64_t made(struct fixture *f, const struct deploy *d)
{
    struct call c = {.d = *d, .who = "anna"};
    assert_ok(fixture_write(f, run_deploy, &c), f->e);
    return c.out.pk;
}

static int refused(struct fixture *f, const struct deploy *d)
{
    struct call c = {.d = *d, .who = "anna"};
    return fixture_write(f, run_deploy, &c);
}

typedef int steer_fn(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t deployment,
                     struct deployment *out, struct err *e);
struct steering {
    steer_fn *fn;
    const char *who;
    int64_t deployment;
};

static int run_steer(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    const struct steering *s = arg;
    struct deployment out;
    return s->fn(&f->ota, db, &f->arena, s->who, s->deployment, &out, e);
}

static int steer(struct fixture *f, steer_fn *fn, const char *who, int64_t deployment)
{
    struct steering s = {fn, who, deployment};
    return fixture_write(f, run_steer, &s);
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

static const char *state_of(struct fixture *f, int64_t d)
{
    return ask_text(f, "SELECT state FROM deployment WHERE pk = %lld", (long long)d);
}

static int64_t in_phase(struct fixture *f, int64_t d, int phase)
{
    return ask(f, "SELECT count(*) FROM member WHERE deployment = %lld AND phase = %d", (long long)d, phase);
}

static void add_fleet(struct fixture *f, int n)
{
    char id[16];
    for (int i = 1; i <= n; i++) {
        snprintf(id, sizeof id, "d%d", i);
        add_device(f, id, "m");
    }
}

static void ends(struct fixture *f, int device, int64_t release, enum action_state how)
{
    char id[16];
    snprintf(id, sizeof id, "d%d", device);
    int64_t action = assert_offered(f, id, "0", release);
    assert_ok(try_report(f, id, action, how, how == ACTION_SUCCEEDED ? "1" : NULL), f->e);
}

static enum reason why(struct fixture *f, const char *id)
{
    bool wrote;
    return poll_device(f, id, NULL, &wrote).decision.reason;
}

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
    struct phase phases[] = {{.name = "", .filter = "", .percent = 1, .success_percent = 100},
                             {.name = "", .filter = "", .success_percent = 100}};
    struct deploy d = to_all(r.pk);
    d.phases = phases;
    d.phase_count = 2;
    int64_t pk = made(f, &d);
    assert_int_equal(in_phase(f, pk, 0), 1);
    assert_int_equal(in_phase(f, pk, 1), 2);
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
    struct phase phases[] = {{.name = "", .filter = "", .percent = 10, .success_percent = 100},
                             {.name = "", .filter = "", .success_percent = 100}};
    struct deploy d = to_all(r.pk);
    d.phases = phases;
    d.phase_count = 2;
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
    struct phase phases[] = {{.name = "canary", .filter = "", .devices = 4, .success_percent = 50},
                             {.name = "", .filter = "", .success_percent = 100}};
    struct deploy d = to_all(r.pk);
    d.phases = phases;
    d.phase_count = 2;
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
                        "in phase 1 of 2, 3 of its devices failed");
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
    struct phase phases[] = {
        {.name = "", .filter = "", .devices = 4, .success_percent = 100, .error_count = 2},
        {.name = "", .filter = "", .success_percent = 100}};
    struct deploy d = to_all(r.pk);
    d.phases = phases;
    d.phase_count = 2;
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

/* --- the clock ----------------------------------------------------------------------------------------- */

static int run_start(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    return ota_start_slice(&f->ota, db, arg, e);
}

static int run_overdue(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    return ota_overdue_slice(&f->ota, db, arg, e);
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

static void what_hangs_fails(void **state)
{
    struct fixture *f = *state;
    bool more;
    add_fleet(f, 2);
    struct release r = publish(f, "gw", "1", "m");
    struct deploy d = to_all(r.pk);
    d.policy.deadline_seconds = 3600;
    int64_t pk = made(f, &d);
    int64_t hangs = assert_offered(f, "d1", "0", r.pk), late = assert_offered(f, "d2", "0", r.pk);
    assert_ok(try_report(f, "d1", hangs, ACTION_INSTALLING, NULL), f->e);
    f->now_ms += 3599999;
    assert_ok(fixture_write(f, run_overdue, &more), f->e);
    assert_false(more);
    f->now_ms += 1;
    for (more = true; more;)
        assert_ok(fixture_write(f, run_overdue, &more), f->e);
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
    struct phase phases[] = {
        {.name = "", .filter = "", .devices = 2, .success_percent = 100, .error_count = 1},
        {.name = "", .filter = "", .success_percent = 100}};
    struct deploy d = to_all(r.pk);
    d.phases = phases;
    d.phase_count = 2;
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

static void later_devices_join(void **state)
{
    struct fixture *f = *state;
    add_fleet(f, 2);
    struct release r = publish(f, "gw", "1", "m");
    struct phase phases[] = {{.name = "", .filter = "", .devices = 1, .success_percent = 100},
                             {.name = "", .filter = "", .success_percent = 100}};
    struct deploy d = to_all(r.pk);
    d.policy.dynamic = true;
    d.phases = phases;
    d.phase_count = 2;
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
    return db_exec(db, "DELETE FROM device_tag", e);
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

#define ROW(test) cmocka_unit_test_setup_teardown(test, release_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(shares_are_exact),
        ROW(a_canary_of_few),
        ROW(what_is_refused),
        ROW(a_large_fleet_in_slices),
        ROW(a_phase_opens_the_next),
        ROW(errors_pause_it),
        ROW(errors_take_it_back),
        ROW(a_second_person_approves),
        ROW(it_starts_when_it_is_time),
        ROW(so_many_a_minute),
        ROW(a_failure_is_tried_again),
        ROW(what_hangs_fails),
        ROW(falling_back_is_failing),
        ROW(who_is_there_already),
        ROW(who_was_there_is_asked_again),
        ROW(priority_goes_first),
        ROW(later_devices_join),
        ROW(who_does_not_match_any_more_is_left_out),
    };
    return cmocka_run_group_tests_name("ota/rollout", tests, NULL, NULL);
}
