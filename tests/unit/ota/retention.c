/* Forgetting in slices, and what must not be forgotten. */
#include "release_fixture.h"

#include <stdio.h>

#include "ota/retention.h"
#include "store/events.h"

static int run_slice(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    return ota_retention_slice(&f->ota, db, f->now_ms, arg, e);
}

/* Until there is no more to do; how many slices. */
static int retain(struct fixture *f)
{
    int slices = 0;
    bool more = true;
    while (more) {
        assert_true(slices++ < 1000);
        assert_ok(fixture_write(f, run_slice, &more), f->e);
    }
    return slices;
}

static int add_events(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    int rc = 0;
    for (int i = 0; i < *(int *)arg && rc == 0; i++)
        rc = store_event_add(db, f->now_ms, "test", "server", "x", "", e);
    return rc;
}

static void test_events(void **state)
{
    struct fixture *f = *state;
    int many = 3 * RETENTION_SLICE + 10;
    assert_ok(fixture_write(f, add_events, &many), f->e);
    f->now_ms += f->ota.event_days * DAY_MS + 1;
    int few = 5;
    assert_ok(fixture_write(f, add_events, &few), f->e);
    assert_true(retain(f) >= 4);
    assert_int_equal(ask(f, "SELECT count(*) FROM event"), few);
    f->ota.event_days = 0; /* keeps everything */
    f->now_ms += 1000 * DAY_MS;
    retain(f);
    assert_int_equal(ask(f, "SELECT count(*) FROM event"), few);
}

static void test_actions(void **state)
{
    struct fixture *f = *state;
    static const char *const versions[] = {"1", "2", "3", "4", "5", "6"};
    static const int order[] = {0, 5, 1, 2, 3, 4}; /* the second deployment brings the newest, and fails */
    struct release releases[6];
    const char *runs = "0";
    add_device(f, "d1", "m");
    for (int i = 0; i < 6; i++)
        releases[i] = publish(f, "gw", versions[i], "m");
    for (int i = 0; i < 6; i++) {
        const struct release *r = &releases[order[i]];
        deploy(f, r->pk, TARGET_ALL, "");
        int64_t action = assert_offered(f, "d1", runs, r->pk);
        const struct report p = {.state = ACTION_DOWNLOADING, .progress = 50};
        assert_ok(try_report_full(f, "d1", action, &p), f->e);
        if (i != 1)
            runs = r->version;
        assert_ok(try_report(f, "d1", action, i == 1 ? ACTION_FAILED : ACTION_SUCCEEDED, runs), f->e);
    }
    f->now_ms += (f->ota.action_days - 1) * DAY_MS;
    retain(f);
    assert_int_equal(ask(f, "SELECT count(*) FROM action"), 6); /* not old enough */
    f->now_ms += 2 * DAY_MS;
    retain(f);
    retain(f); /* from the start again: the same */
    /* The newest stays, and what failed while its deployment runs: else that would be offered again. */
    assert_int_equal(ask(f, "SELECT count(*) FROM action"), 2);
    assert_int_equal(ask(f, "SELECT count(*) FROM action_status"), 0);
    assert_nothing(f, "d1", runs);
    cancel(f, ask(f, "SELECT deployment FROM action WHERE state = 'failed'"));
    f->now_ms += DAY_MS;
    retain(f);
    assert_int_equal(ask(f, "SELECT count(*) FROM action"), 1);
    assert_string_equal(ask_text(f, "SELECT state FROM action"), "succeeded");
}

/* What was forgotten must not be offered again to a device that went back. */
static void test_going_back(void **state)
{
    struct fixture *f = *state;
    struct deployment d;
    add_device(f, "d1", "m");
    struct release one = publish(f, "gw", "1", "m"), two = publish(f, "gw", "2", "m"),
                   three = publish(f, "gw", "3", "m"), four = publish(f, "gw", "4", "m");
    const struct release *up[] = {&two, &three};
    const char *runs = "0";
    for (int i = 0; i < 2; i++) {
        deploy(f, up[i]->pk, TARGET_ALL, "");
        int64_t action = assert_offered(f, "d1", runs, up[i]->pk);
        runs = up[i]->version;
        assert_ok(try_report(f, "d1", action, ACTION_SUCCEEDED, runs), f->e);
    }
    f->now_ms += (f->ota.action_days + 2) * DAY_MS;
    retain(f);
    assert_ok(try_deploy(f, one.pk, TARGET_ALL, "", true, &d), f->e);
    int64_t action = assert_offered(f, "d1", runs, one.pk);
    assert_ok(try_report(f, "d1", action, ACTION_SUCCEEDED, "1"), f->e);
    assert_nothing(f, "d1", "1");
    f->now_ms += (f->ota.action_days + 2) * DAY_MS;
    retain(f);
    assert_nothing(f, "d1", "1");
    deploy(f, four.pk, TARGET_ALL, "");
    action = assert_offered(f, "d1", "1", four.pk);
    assert_ok(try_report(f, "d1", action, ACTION_FAILED, "1"), f->e);
    f->now_ms += (f->ota.action_days + 2) * DAY_MS;
    retain(f);
    assert_nothing(f, "d1", "1");
}

/* What must stay is looked at once a day, not all the time. */
static void test_rests(void **state)
{
    struct fixture *f = *state;
    char id[16];
    struct release one = publish(f, "gw", "1", "m");
    deploy(f, one.pk, TARGET_ALL, "");
    for (int i = 0; i < 2 * RETENTION_SLICE; i++) {
        snprintf(id, sizeof id, "d%d", i);
        add_device(f, id, "m");
        assert_ok(try_report(f, id, assert_offered(f, id, "0", one.pk), ACTION_SUCCEEDED, "1"), f->e);
    }
    f->now_ms += (f->ota.action_days + 1) * DAY_MS;
    assert_true(retain(f) > 2);
    assert_int_equal(retain(f), 1);
    f->now_ms += DAY_MS / 2;
    assert_int_equal(retain(f), 1);
    f->now_ms += DAY_MS / 2;
    assert_true(retain(f) > 2);
    assert_int_equal(ask(f, "SELECT count(*) FROM action"), 2 * RETENTION_SLICE);
}

static void test_many_actions(void **state)
{
    struct fixture *f = *state;
    char id[16];
    enum { DEVICES = 150 };
    int64_t actions[DEVICES];
    struct release one = publish(f, "gw", "1", "m"), two = publish(f, "gw", "2", "m");
    deploy(f, one.pk, TARGET_ALL, "");
    for (int i = 0; i < DEVICES; i++) {
        snprintf(id, sizeof id, "d%d", i);
        add_device(f, id, "m");
        int64_t action = assert_offered(f, id, "0", one.pk);
        assert_ok(try_report(f, id, action, ACTION_SUCCEEDED, "1"), f->e);
    }
    deploy(f, two.pk, TARGET_ALL, "");
    for (int i = 0; i < DEVICES; i++) {
        snprintf(id, sizeof id, "d%d", i);
        actions[i] = assert_offered(f, id, "1", two.pk);
    }
    f->now_ms += (f->ota.action_days + 1) * DAY_MS;
    assert_true(retain(f) > 1);
    /* What succeeded last stays, else the director would say that there is nothing to run. */
    assert_int_equal(ask(f, "SELECT count(*) FROM action WHERE state = 'succeeded'"), DEVICES);
    assert_int_equal(ask(f, "SELECT count(*) FROM action"), 2 * DEVICES);
    assert_int_equal(ask(f, "SELECT count(*) FROM action_status"), DEVICES);
    for (int i = 0; i < DEVICES; i++) {
        snprintf(id, sizeof id, "d%d", i);
        assert_ok(try_report(f, id, actions[i], ACTION_SUCCEEDED, "2"), f->e);
    }
    f->now_ms += 2 * DAY_MS;
    retain(f);
    assert_int_equal(ask(f, "SELECT count(*) FROM action"), DEVICES);
    assert_int_equal(ask(f, "SELECT count(*) FROM action WHERE release = %lld", (long long)two.pk), DEVICES);
}

static void test_tokens(void **state)
{
    struct fixture *f = *state;
    fixture_token(f, "m", NULL, 1);
    f->now_ms += RETENTION_TOKEN_DAYS * DAY_MS;
    retain(f);
    assert_int_equal(ask(f, "SELECT count(*) FROM token"), 1);
    f->now_ms += 2 * DAY_MS;
    fixture_token(f, "m", NULL, 1);
    retain(f);
    assert_int_equal(ask(f, "SELECT count(*) FROM token"), 1);
}

static int add_many(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)f;
    (void)arg;
    return db_exec(db,
                   "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
                   " INSERT INTO device (id, model, created_at) SELECT 'x' || i, 'm', 1 FROM n",
                   e);
}

/* A deployment's devices go when it has been over for long, and what is told of it stays the same. */
static void test_members(void **state)
{
    struct fixture *f = *state;
    assert_ok(fixture_write(f, add_many, NULL), f->e);
    struct release r = publish(f, "gw", "1", "m");
    int64_t over = deploy(f, r.pk, TARGET_ALL, ""), runs = deploy(f, r.pk, TARGET_ALL, "");
    int64_t action = assert_offered(f, "x1", "0", r.pk);
    assert_ok(try_report(f, "x1", action, ACTION_FAILED, NULL), f->e);
    cancel(f, over);
    assert_int_equal(ask(f, "SELECT count(*) FROM member"), 1000);
    retain(f);
    assert_int_equal(ask(f, "SELECT count(*) FROM member"), 1000);
    f->now_ms += f->ota.action_days * DAY_MS + 1;
    assert_true(retain(f) >= 3);
    assert_int_equal(ask(f, "SELECT count(*) FROM member WHERE deployment = %lld", (long long)over), 0);
    assert_int_equal(ask(f, "SELECT count(*) FROM member WHERE deployment = %lld", (long long)runs), 500);
    struct deployment_view v;
    assert_ok(ota_deployment_show(f->reader, &f->arena, over, &v, &f->e), f->e);
    int64_t sum = 0;
    for (int i = 0; i < MEMBER_STATES; i++)
        sum += v.phases[0].members[i];
    assert_int_equal(sum, 500);
    assert_nothing(f, "x1", "0"); /* it failed there, and the failure is not forgotten */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_events, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_actions, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_going_back, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_rests, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_many_actions, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_tokens, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_members, release_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("ota/retention", tests, NULL, NULL);
}
