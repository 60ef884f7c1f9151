/* What is told of a device's deployments, and that it is what a poll then does. */
#include "rollout_fixture.h"

#include <stdio.h>

#include "ota/why.h"

/* To all devices that there are and that come. */
static struct deploy to_each(int64_t release)
{
    struct deploy d = to_all(release);
    d.policy.dynamic = true;
    return d;
}

static struct why told(struct fixture *f, const char *id)
{
    struct why w;
    assert_ok(ota_why(&f->ota, f->reader, &f->arena, id, 0, &w, &f->e), f->e);
    return w;
}

static const struct why_line *line(const struct why *w, int64_t deployment)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->lines[i].deployment.pk == deployment)
            return &w->lines[i];
    fail_msg("nothing is told of deployment %lld", (long long)deployment);
    return NULL;
}

static void assert_says(struct fixture *f, const char *id, int64_t deployment, enum reason r,
                        const char *text)
{
    struct why w = told(f, id);
    const struct why_line *l = line(&w, deployment);
    if (l->reason != r || strstr(l->text, text) == NULL)
        fail_msg("%s of deployment %lld: %s: %s; not %s: %s", id, (long long)deployment,
                 reason_word(l->reason), l->text, reason_word(r), text);
}

/* What is told before a poll is what the poll decides. */
static struct poll_answer assert_as_told(struct fixture *f, const char *id)
{
    bool wrote;
    struct why w = told(f, id);
    struct poll_answer a = poll_device(f, id, NULL, &wrote);
    if (a.decision.reason != w.reason)
        fail_msg("%s was told %s, and then %s", id, reason_word(w.reason), reason_word(a.decision.reason));
    assert_int_equal(a.decision.deployment, w.deployment);
    return a;
}

static void fleet(struct fixture *f, int n)
{
    char id[16];
    bool wrote;
    for (int i = 1; i <= n; i++) {
        snprintf(id, sizeof id, "d%d", i);
        add_device(f, id, "m");
        poll_device(f, id, "0", &wrote);
    }
}

static void phases_in_numbers(void **state)
{
    struct fixture *f = *state;
    fleet(f, 12);
    struct release r = publish(f, "gw", "1", "m");
    const struct phase phases[] = {{.name = "canary", .filter = "", .devices = 10, .success_percent = 90},
                                   {.name = "rest", .filter = "", .success_percent = 100}};
    struct deploy d = to_each(r.pk);
    d.phases = phases;
    d.phase_count = 2;
    int64_t pk = made(f, &d);
    for (int i = 1; i <= 4; i++) {
        char id[16];
        snprintf(id, sizeof id, "d%d", i);
        struct poll_answer a = assert_as_told(f, id);
        assert_true(a.update);
        assert_says(f, id, pk, REASON_UNDER_WAY, "under way: offered, since ");
        assert_ok(try_report(f, id, a.action.pk, ACTION_SUCCEEDED, "1"), f->e);
        assert_says(f, id, pk, REASON_DONE, "it has succeeded, at ");
    }
    assert_says(
        f, "d12", pk, REASON_PHASE,
        "it is in phase 2 of 2; phase 2 opens when 90 % of phase 1 have succeeded: 40 % so far (4 of 10 "
        "devices)");
    struct why w = told(f, "d12");
    const struct why_line *l = line(&w, pk);
    assert_int_equal(l->phase, 2);
    assert_int_equal(l->waits_for, 1);
    assert_int_equal(l->need_percent, 90);
    assert_int_equal(l->have, 4);
    assert_int_equal(l->of, 10);
    assert_false(l->gets);
    assert_false(assert_as_told(f, "d12").update);
    assert_says(f, "d5", pk, REASON_NEWER, "the device gets 1 when it asks next");
    assert_ok(steer(f, ota_deploy_pause, "anna", pk), f->e);
    assert_says(f, "d5", pk, REASON_PAUSED, "the deployment is paused");
    assert_as_told(f, "d5");
    assert_ok(steer(f, ota_deploy_resume, "anna", pk), f->e);
    for (int i = 5; i <= 10; i++) {
        char id[16];
        snprintf(id, sizeof id, "d%d", i);
        struct poll_answer a = assert_as_told(f, id);
        assert_ok(
            try_report(f, id, a.action.pk, i == 5 ? ACTION_SUCCEEDED : ACTION_FAILED, i == 5 ? "1" : "0"),
            f->e);
    }
    assert_says(f, "d12", pk, REASON_PHASE,
                "it is in phase 2 of 2, and phase 1 of 2 fell short: 5 of its 10");
    assert_as_told(f, "d12");
}

static void times(void **state)
{
    struct fixture *f = *state;
    bool wrote;
    fleet(f, 4);
    struct release r = publish(f, "gw", "1", "m"), two = publish(f, "gw", "2", "m");
    struct deploy d = to_each(r.pk);
    d.policy.start_at = f->now_ms + 3600000;
    d.policy.retries = 2;
    d.policy.retry_seconds = 600;
    int64_t pk = made(f, &d);
    struct why w = told(f, "d1");
    assert_says(f, "d1", pk, REASON_SCHEDULED, "the deployment starts at 20");
    assert_int_equal(line(&w, pk)->at, f->now_ms + 3600000);
    assert_ok(steer(f, ota_deploy_cancel, "anna", pk), f->e);
    assert_says(f, "d1", pk, REASON_DONE, "its part was cancelled");
    d.policy.start_at = 0;
    pk = made(f, &d);
    struct poll_answer a = poll_device(f, "d1", NULL, &wrote);
    assert_ok(try_report(f, "d1", a.action.pk, ACTION_FAILED, "0"), f->e);
    assert_says(f, "d1", pk, REASON_RETRY, "tried 1 of 3 times; again at 20");
    assert_as_told(f, "d1");
    struct deploy windowed = to_each(two.pk);
    windowed.policy.window_schedule = "0 0 2 * * ?";
    windowed.policy.window_zone = "Z";
    windowed.policy.window_seconds = 1;
    int64_t second = made(f, &windowed);
    assert_says(f, "d2", second, REASON_WINDOW, "it opens at 20");
    assert_as_told(f, "d2"); /* gets the older one */
    struct deploy slow = to_each(two.pk);
    slow.policy.per_minute = 1;
    int64_t third = made(f, &slow);
    assert_true(assert_as_told(f, "d3").update);
    assert_says(f, "d4", third, REASON_RATE, "all 1 devices that may begin in this minute have begun");
    assert_as_told(f, "d4");
}

static void which_goes_first(void **state)
{
    struct fixture *f = *state;
    fleet(f, 2);
    struct release r = publish(f, "gw", "1", "m"), two = publish(f, "gw", "2", "m");
    struct deploy d = to_each(r.pk);
    int64_t first = made(f, &d);
    d.release = two.pk;
    int64_t second = made(f, &d);
    char text[80];
    snprintf(text, sizeof text, "deployment %lld goes first: it is the newer one", (long long)second);
    assert_says(f, "d1", first, REASON_PRIORITY, text);
    d.release = r.pk;
    d.policy.priority = 800;
    int64_t third = made(f, &d);
    snprintf(text, sizeof text, "deployment %lld goes first: its priority is 800, this one's 500",
             (long long)third);
    assert_says(f, "d1", second, REASON_PRIORITY, text);
    assert_true(assert_as_told(f, "d1").update);
    snprintf(text, sizeof text, "the update of deployment %lld is finished first", (long long)third);
    assert_says(f, "d1", second, REASON_BUSY, text);
    assert_as_told(f, "d1");
}

static void one_that_is_not_for_it(void **state)
{
    struct fixture *f = *state;
    struct why w;
    fleet(f, 1);
    add_device(f, "other", "n");
    add_tag(f, "other", "lab");
    struct release r = publish(f, "gw", "1", "m");
    struct deploy d = to_each(r.pk);
    d.kind = TARGET_FILTER;
    d.target = STR("tag==lab");
    int64_t pk = made(f, &d);
    assert_int_equal(told(f, "d1").count, 0);
    assert_ok(ota_why(&f->ota, f->reader, &f->arena, "d1", pk, &w, &f->e), f->e);
    assert_int_equal(w.count, 1);
    assert_int_equal(w.lines[0].reason, REASON_NO_MATCH);
    assert_non_null(strstr(w.lines[0].text, "tag==lab"));
    assert_ok(ota_why(&f->ota, f->reader, &f->arena, "other", pk, &w, &f->e), f->e);
    assert_int_equal(w.lines[0].reason, REASON_MODEL);
    assert_int_equal(ota_why(&f->ota, f->reader, &f->arena, "d1", 99, &w, &f->e), ERR_NOT_FOUND);
    assert_int_equal(ota_why(&f->ota, f->reader, &f->arena, "d9", 0, &w, &f->e), ERR_NOT_FOUND);
    d.target = STR("id==d*");
    d.policy.dynamic = false;
    pk = made(f, &d);
    add_device(f, "d2", "m");
    assert_ok(ota_why(&f->ota, f->reader, &f->arena, "d2", pk, &w, &f->e), f->e);
    assert_int_equal(w.lines[0].reason, REASON_LATE);
    assert_ok(fixture_revoke(f, "d1"), f->e);
    assert_non_null(strstr(told(f, "d1").text, "revoked"));
}

static void not_newer(void **state)
{
    struct fixture *f = *state;
    struct why w;
    bool wrote;
    add_device(f, "d1", "m");
    struct release one = publish(f, "gw", "1", "m");
    publish(f, "gw", "2", "m");
    struct deploy d = to_each(one.pk);
    int64_t pk = made(f, &d);
    sql(f, "UPDATE device SET version = '2'");
    assert_ok(ota_why(&f->ota, f->reader, &f->arena, "d1", pk, &w, &f->e), f->e);
    assert_int_equal(w.lines[0].reason, REASON_NOT_NEWER);
    assert_non_null(strstr(w.lines[0].text, "is not newer than 2, which runs"));
    assert_false(poll_device(f, "d1", NULL, &wrote).update); /* by which it is through with it */
    assert_says(f, "d1", pk, REASON_DONE, "nothing was to be done: the release is not newer than what runs");
    pk = made(f, &d); /* which knows from the begin */
    assert_says(f, "d1", pk, REASON_DONE, "nothing was to be done: the release is not newer than what runs");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, release_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {TEST(phases_in_numbers), TEST(times), TEST(which_goes_first),
                                       TEST(one_that_is_not_for_it), TEST(not_newer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
