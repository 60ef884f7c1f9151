/* Deployments: what they demand, how they are counted and cancelled. */
#include "release_fixture.h"

#include <stdio.h>

#include "ota/status.h"

static void test_targets(void **state)
{
    struct fixture *f = *state;
    struct deployment d;
    add_device(f, "d1", "m");
    add_device(f, "other", "n");
    struct release r = publish(f, "gw", "1", "m");
    static const struct {
        enum target_kind kind;
        const char *target;
        int want;
    } rows[] = {
        {TARGET_DEVICE, "d1", 0},
        {TARGET_DEVICE, "nobody", ERR_NOT_FOUND},
        {TARGET_DEVICE, "other", ERR_CONFLICT},
        {TARGET_DEVICE, "", ERR_INVALID},
        {TARGET_DEVICE, "a/b", ERR_INVALID},
        {TARGET_MODEL, "m", 0},
        {TARGET_MODEL, "n", ERR_CONFLICT},
        {TARGET_MODEL, "unheard-of", ERR_NOT_FOUND},
        {TARGET_TAG, "no-device-has-it-yet", 0},
        {TARGET_TAG, "", ERR_INVALID},
        {TARGET_ALL, "", 0},
        {TARGET_ALL, "m", ERR_INVALID},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int rc = try_deploy(f, r.pk, rows[i].kind, rows[i].target, false, &d);
        if (rc != rows[i].want)
            fail_msg("%s %s: %d %s", target_kind_word(rows[i].kind), rows[i].target, rc, f->e.text);
    }
    assert_int_equal(try_deploy(f, r.pk + 1, TARGET_ALL, "", false, &d), ERR_NOT_FOUND);
    assert_ok(fixture_revoke(f, "d1"), f->e);
    assert_int_equal(try_deploy(f, r.pk, TARGET_DEVICE, "d1", false, &d), ERR_CONFLICT);
    assert_int_equal(ask(f, "SELECT count(*) FROM deployment"), 4);
    assert_int_equal(ask(f, "SELECT count(*) FROM event WHERE kind = 'deployment.created'"), 4);
}

struct named_call {
    struct deploy d;
    struct deployment out;
};

static int run_named(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct named_call *c = arg;
    return ota_deploy(&f->ota, db, &f->arena, "anna", &c->d, &c->out, e);
}

static void test_release_by_name(void **state)
{
    struct fixture *f = *state;
    struct release gw = publish(f, "gw", "1", "m"), cam = publish(f, "cam", "1", "m");
    struct release only = publish(f, "gw", "2", "m");
    struct named_call c = {
        .d = {.version = STR("2"), .kind = TARGET_ALL, .policy = ota_default_policy(TARGET_ALL)}};
    assert_ok(fixture_write(f, run_named, &c), f->e);
    assert_int_equal(c.out.release, only.pk);
    c.d.version = STR("1");
    assert_int_equal(fixture_write(f, run_named, &c), ERR_CONFLICT);
    c.d.name = STR("cam");
    assert_ok(fixture_write(f, run_named, &c), f->e);
    assert_int_equal(c.out.release, cam.pk);
    assert_ok(try_unpublish(f, gw.pk), f->e);
    c.d.name = (struct str){0};
    assert_ok(fixture_write(f, run_named, &c), f->e); /* one is left */
    c.d.name = STR("gw");
    assert_int_equal(fixture_write(f, run_named, &c), ERR_NOT_FOUND);
    c.d = (struct deploy){.kind = TARGET_ALL};
    assert_int_equal(fixture_write(f, run_named, &c), ERR_INVALID);
}

static void test_counts_and_cancel(void **state)
{
    struct fixture *f = *state;
    struct release r = publish(f, "gw", "1", "m");
    const char *const ids[] = {"d1", "d2", "d3", "d4", "d5"};
    int64_t actions[5];
    int64_t d = deploy(f, r.pk, TARGET_ALL, "");
    for (int i = 0; i < 5; i++) {
        add_device(f, ids[i], "m");
        actions[i] = assert_offered(f, ids[i], "0", r.pk);
    }
    assert_ok(try_report(f, "d2", actions[1], ACTION_DOWNLOADING, NULL), f->e);
    assert_ok(try_report(f, "d3", actions[2], ACTION_INSTALLING, NULL), f->e);
    assert_ok(try_report(f, "d4", actions[3], ACTION_REBOOTING, NULL), f->e);
    assert_ok(try_report(f, "d5", actions[4], ACTION_FAILED, NULL), f->e);
    struct deployment_view v;
    assert_ok(ota_deployment_show(f->reader, &f->arena, d, &v, &f->e), f->e);
    const int64_t before[ACTION_STATES] = {[ACTION_OFFERED] = 1,
                                           [ACTION_DOWNLOADING] = 1,
                                           [ACTION_INSTALLING] = 1,
                                           [ACTION_REBOOTING] = 1,
                                           [ACTION_FAILED] = 1};
    assert_memory_equal(v.actions, before, sizeof before);

    cancel(f, d);
    cancel(f, d); /* again is fine */
    assert_ok(ota_deployment_show(f->reader, &f->arena, d, &v, &f->e), f->e);
    const int64_t after[ACTION_STATES] = {
        [ACTION_INSTALLING] = 1, [ACTION_REBOOTING] = 1, [ACTION_FAILED] = 1, [ACTION_CANCELLED] = 2};
    assert_memory_equal(v.actions, after, sizeof after);
    assert_int_equal(v.d.state, DEPLOYMENT_CANCELLED);
    assert_int_equal(v.d.closed_at, f->now_ms);
    assert_int_equal(ask(f, "SELECT count(*) FROM event WHERE kind = 'deployment.cancelled'"), 1);
    assert_int_equal(ask(f, "SELECT count(*) FROM deployment WHERE state = 'running'"), 0);
    assert_int_equal(try_report(f, "d1", actions[0], ACTION_DOWNLOADING, NULL), ERR_GONE);
    /* What had begun may finish, and is offered until it has. */
    assert_int_equal(assert_offered(f, "d3", "0", r.pk), actions[2]);
    assert_ok(try_report(f, "d3", actions[2], ACTION_SUCCEEDED, "1"), f->e);
}

/* A device's open action, put there by SQL: the slices are what is tested. */
static int add_open(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    const int64_t *v = arg; /* release, deployment, how many */
    char sql[1024];
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %lld)"
             " INSERT INTO device (id, model, created_at) SELECT 'x' || i, 'm', 1 FROM n;"
             "INSERT INTO action (deployment, device, release, state, created_at, updated_at)"
             " SELECT %lld, pk, %lld, iif(pk %% 2, 'offered', 'downloading'), 1, 1 FROM device"
             "  WHERE id LIKE 'x%%';"
             "INSERT INTO member (deployment, device, state, attempts)"
             " SELECT deployment, device, 'active', 1 FROM action",
             (long long)v[2], (long long)v[1], (long long)v[0]);
    (void)f;
    return db_exec(db, sql, e);
}

static int run_close(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    return ota_deploy_slice(&f->ota, db, arg, e);
}

/* Actions of a large deployment are closed a slice at a time, and over at once. */
static void test_cancel_in_slices(void **state)
{
    struct fixture *f = *state;
    struct release r = publish(f, "gw", "1", "m"), two = publish(f, "gw", "2", "m");
    int64_t d = deploy(f, r.pk, TARGET_ALL, "");
    int64_t v[3] = {r.pk, d, 3 * DEPLOY_SLICE + 7};
    assert_ok(fixture_write(f, add_open, v), f->e);
    cancel(f, d);
    assert_int_equal(ask(f, "SELECT count(*) FROM action WHERE closed_at IS NULL"), v[2] - DEPLOY_SLICE);
    assert_int_equal(try_unpublish(f, r.pk), ERR_CONFLICT);

    /* Nobody has closed this one yet, but it is not offered, and not to be reported on. */
    const char *id = ask_text(f, "SELECT id FROM device JOIN action ON device = device.pk"
                                 " WHERE state = 'downloading' ORDER BY action.pk DESC LIMIT 1");
    int64_t open = ask(f, "SELECT max(pk) FROM action WHERE state = 'downloading'");
    assert_int_equal(try_report(f, id, open, ACTION_INSTALLING, NULL), ERR_GONE);
    assert_int_equal(try_report(f, id, open, ACTION_SUCCEEDED, "1"), ERR_GONE);
    assert_nothing(f, id, "0");
    assert_string_equal(ask_text(f, "SELECT state FROM action WHERE pk = %lld", (long long)open),
                        "cancelled");
    deploy(f, two.pk, TARGET_DEVICE, id);
    assert_offered(f, id, "0", two.pk);

    bool more = true;
    for (int slices = 0; more; slices++) {
        assert_true(slices < 5);
        int64_t before = ask(f, "SELECT count(*) FROM action WHERE state = 'cancelled'");
        assert_ok(fixture_write(f, run_close, &more), f->e);
        assert_true(ask(f, "SELECT count(*) FROM action WHERE state = 'cancelled'") - before <= DEPLOY_SLICE);
    }
    assert_int_equal(ask(f, "SELECT count(*) FROM action WHERE closed_at IS NULL"), 1);
    assert_int_equal(ask(f, "SELECT count(*) FROM action_status WHERE state = 'cancelled'"), v[2]);
    assert_int_equal(ask(f, "SELECT count(*) FROM deployment_closing"), 0);
    assert_ok(try_unpublish(f, r.pk), f->e);
}

/* Its action is over with it, however far it came. */
static void test_revoked_device(void **state)
{
    struct fixture *f = *state;
    struct release r = publish(f, "gw", "1", "m");
    add_device(f, "d1", "m");
    int64_t d = deploy(f, r.pk, TARGET_ALL, ""), action = assert_offered(f, "d1", "0", r.pk);
    assert_ok(try_report(f, "d1", action, ACTION_INSTALLING, NULL), f->e);
    cancel(f, d);
    assert_int_equal(try_unpublish(f, r.pk), ERR_CONFLICT);
    assert_ok(fixture_revoke(f, "d1"), f->e);
    assert_string_equal(ask_text(f, "SELECT state FROM action"), "cancelled");
    assert_ok(try_unpublish(f, r.pk), f->e);
    assert_nothing(f, "d1", "0"); /* let in again, it is not offered what has no files any more */
}

static void test_lists(void **state)
{
    struct fixture *f = *state;
    struct release r = publish(f, "gw", "1", "m");
    int64_t d[3];
    for (int i = 0; i < 3; i++)
        d[i] = deploy(f, r.pk, TARGET_ALL, "");
    cancel(f, d[1]);
    struct deployment_view *list;
    size_t count;
    bool more;
    enum deployment_state running = DEPLOYMENT_RUNNING;
    assert_ok(ota_deployment_list(f->reader, &f->arena, NULL, 0, 2, &list, &count, &more, &f->e), f->e);
    assert_int_equal(count, 2);
    assert_true(more);
    assert_int_equal(list[0].d.pk, d[2]);
    assert_ok(ota_deployment_list(f->reader, &f->arena, NULL, list[1].d.pk, 2, &list, &count, &more, &f->e),
              f->e);
    assert_int_equal(count, 1);
    assert_false(more);
    assert_ok(ota_deployment_list(f->reader, &f->arena, &running, 0, 10, &list, &count, &more, &f->e), f->e);
    assert_int_equal(count, 2);

    const char *const ids[] = {"d1", "d2", "d3"};
    for (int i = 0; i < 3; i++) {
        add_device(f, ids[i], "m");
        assert_offered(f, ids[i], "0", r.pk);
    }
    struct action *actions;
    assert_ok(ota_deployment_actions(f->reader, &f->arena, d[2], 0, 2, &actions, &count, &more, &f->e), f->e);
    assert_int_equal(count, 2);
    assert_true(more);
    assert_string_equal(actions[0].device_id, "d1");
    assert_ok(
        ota_deployment_actions(f->reader, &f->arena, d[2], actions[1].pk, 2, &actions, &count, &more, &f->e),
        f->e);
    assert_int_equal(count, 1);
    assert_string_equal(actions[0].device_id, "d3");
    assert_int_equal(ota_deployment_actions(f->reader, &f->arena, 99, 0, 2, &actions, &count, &more, &f->e),
                     ERR_NOT_FOUND);
}

static void test_status(void **state)
{
    struct fixture *f = *state;
    struct release r = publish(f, "gw", "1", "m");
    deploy(f, r.pk, TARGET_ALL, "");
    add_device(f, "d1", "m");
    add_device(f, "d2", "m");
    add_device(f, "d3", "m");
    assert_ok(fixture_revoke(f, "d3"), f->e);
    int64_t action = assert_offered(f, "d1", "0", r.pk);
    assert_offered(f, "d2", "0", r.pk);
    assert_ok(try_report(f, "d1", action, ACTION_SUCCEEDED, "1"), f->e);
    struct ota_status s;
    assert_ok(ota_status(&f->ota, f->reader, &f->arena, &s, &f->e), f->e);
    assert_int_equal(s.fleet.devices, 3);
    assert_int_equal(s.fleet.revoked, 1);
    assert_int_equal(s.fleet.seen, 0);
    assert_int_equal(s.fleet.deployments_running, 1);
    assert_int_equal(s.fleet.deployments_paused, 0);
    assert_int_equal(s.fleet.deployments_approval, 0);
    assert_int_equal(s.fleet.open[ACTION_OFFERED], 1);
    assert_int_equal(s.fleet.closed[ACTION_SUCCEEDED], 1);
    assert_int_equal(s.fleet.version_count, 2);
    f->now_ms += 2 * DAY_MS;
    assert_ok(ota_status(&f->ota, f->reader, &f->arena, &s, &f->e), f->e);
    assert_int_equal(s.fleet.closed[ACTION_SUCCEEDED], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_targets, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_release_by_name, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_counts_and_cancel, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_cancel_in_slices, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_revoked_device, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_lists, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_status, release_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("ota/deploy", tests, NULL, NULL);
}
