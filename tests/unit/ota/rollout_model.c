/*
 * Rollouts under random steps, from fixed seeds: devices that ask, report, fall back, come by another
 * protocol and vanish; people who deploy, steer and delete; background jobs in slices; a clock that also goes
 * back. After each step everything that must always hold is asked of the database.
 * PQOTA_SEED=N: each seed plus N.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ota/consent.h"
#include "ota/feedback.h"
#include "ota/finish.h"
#include "ota/retention.h"
#include "ota/why.h"
#include "rollout_rules.h"
#include "rollout_world.h"
#include "store/devices.h"

#define STEPS 2500 /* of each seed */

static int64_t unix_ms(void *ctx)
{
    return ((struct world *)ctx)->now;
}

static int64_t mono_ms(void *ctx) /* each look is the last of its slice */
{
    return ((struct world *)ctx)->mono += OTA_SLICE_MS;
}

/* --- devices ------------------------------------------------------------------------------------------- */

static int step_poll(struct world *w, struct err *e)
{
    int i = (int)pick(w, DEVICES);
    const char *id = id_of(w, i);
    bool ddi = i >= DDI_FROM && !once_in(w, 12);
    struct poll_question q = {.device = id, .ddi = ddi};
    struct poll_answer a, again;
    struct why y;
    int64_t expected = 0;
    if (w->devices[i].gone)
        return 0;
    if (!ddi || once_in(w, 2))
        q.version = str_of(w->devices[i].runs);
    tell(w, "%s polls%s, runs %s", id, ddi ? " by DDI" : "", w->devices[i].runs);
    int64_t opens = number(w,
                           "SELECT count(*) FROM action a JOIN device d ON d.pk = a.device"
                           " WHERE d.id = '%s' AND a.closed_at IS NULL",
                           id);
    int rc = ota_poll(&w->ota, w->db, true, &w->arena, &q, &a, e);
    if (rc != 0)
        return rc;
    w->devices[i].action = a.update || a.withheld ? a.action.pk : w->devices[i].action;
    int64_t now = number(w,
                         "SELECT count(*) FROM action a JOIN device d ON d.pk = a.device"
                         " WHERE d.id = '%s' AND a.closed_at IS NULL",
                         id);
    if (!ddi && now > 1 && now > opens)
        wrong(w, "%s has %lld open actions, and had %lld", id, (long long)now, (long long)opens);
    if (!ddi && a.update && a.action.state == ACTION_OFFERED && !a.action.retrieved &&
        number(w, "SELECT state = 'paused' FROM deployment WHERE pk = %lld", (long long)a.action.deployment))
        wrong(w, "%s begins with a deployment that is paused", id);
    rc = ota_poll(&w->ota, w->db, false, &w->arena, &q, &again, e);
    if (rc == POLL_UPGRADE) {
        wrong(w, "%s: a poll that changes nothing wants to write", id);
        return 0;
    }
    if (rc == 0 && (again.update != a.update || (a.update && again.action.pk != a.action.pk)))
        wrong(w, "%s: the same question has another answer", id);
    if (rc == 0)
        rc = ota_why(&w->ota, w->db, &w->arena, id, 0, &y, e);
    if (rc == 0 && (y.reason != again.decision.reason || y.deployment != again.decision.deployment))
        wrong(w, "%s: why says %s of %lld, the poll %s of %lld", id, reason_word(y.reason),
              (long long)y.deployment, reason_word(again.decision.reason),
              (long long)again.decision.deployment);
    if (rc == 0)
        rc = ota_poll_expect(w->db, &w->arena, &y.device, w->now, &expected, e);
    if (rc == 0 && expected != (again.update ? again.decision.deployment : 0))
        wrong(w, "%s expects deployment %lld", id, (long long)expected);
    return rc;
}

static void now_runs(struct world *w, int i, int64_t action)
{
    int64_t r =
        number(w, "SELECT coalesce((SELECT release FROM action WHERE pk = %lld), 0)", (long long)action);
    for (int k = 0; k < RELEASES; k++)
        if (w->releases[k] == r)
            snprintf(w->devices[i].runs, sizeof w->devices[i].runs, "%lld",
                     (long long)number(w, "SELECT version FROM release WHERE pk = %lld", (long long)r));
}

static int step_report(struct world *w, struct err *e)
{
    static const enum action_state states[] = {ACTION_DOWNLOADING, ACTION_DOWNLOADED, ACTION_INSTALLING,
                                               ACTION_REBOOTING,   ACTION_FAILED,     ACTION_SUCCEEDED};
    int i = (int)pick(w, DDI_FROM);
    struct report r = {.state = states[pick(w, 6)], .progress = ACTION_PROGRESS_NONE};
    if (w->devices[i].gone || w->devices[i].action == 0)
        return 0;
    if (r.state == ACTION_SUCCEEDED || once_in(w, 20)) /* or it crashed before it could say so */
        now_runs(w, i, w->devices[i].action);
    if (r.state == ACTION_SUCCEEDED || once_in(w, 4))
        r.version = str_of(w->devices[i].runs);
    tell(w, "%s reports %s of action %lld, runs %s", id_of(w, i), action_state_word(r.state),
         (long long)w->devices[i].action, w->devices[i].runs);
    return refusal(ota_report(&w->ota, w->db, &w->arena, id_of(w, i), w->devices[i].action, &r, e));
}

static int step_feedback(struct world *w, struct err *e)
{
    int i = DDI_FROM + (int)pick(w, DEVICES - DDI_FROM);
    struct feedback f = {.execution = once_in(w, 2) ? FEEDBACK_CLOSED : (enum feedback_execution)pick(w, 8),
                         .failure = once_in(w, 3),
                         .progress = ACTION_PROGRESS_NONE,
                         .message = "",
                         .said = ""};
    bool on_cancel = once_in(w, 3);
    int64_t action = w->devices[i].action;
    if (w->devices[i].gone || action == 0)
        return 0;
    tell(w, "%s says %d%s of %saction %lld", id_of(w, i), (int)f.execution, f.failure ? " (failed)" : "",
         on_cancel ? "giving up " : "", (long long)action);
    if (on_cancel)
        return refusal(ota_cancel_feedback(&w->ota, w->db, &w->arena, id_of(w, i), action, &f, e));
    if (f.execution == FEEDBACK_CLOSED && !f.failure && !once_in(w, 4))
        now_runs(w, i, action);
    return refusal(ota_feedback(&w->ota, w->db, &w->arena, id_of(w, i), action, &f, e));
}

static int step_consent(struct world *w, struct err *e)
{
    int i = (int)pick(w, DEVICES);
    int64_t action = w->devices[i].action;
    bool yes = !once_in(w, 3);
    if (w->devices[i].gone || action == 0)
        return 0;
    tell(w, "%s consents to action %lld: %d", id_of(w, i), (long long)action, yes);
    if (once_in(w, 8))
        return refusal(ota_consent_always(&w->ota, w->db, &w->arena, id_of(w, i), STR(""), STR(""), e));
    if (once_in(w, 4))
        return ota_consent_ask(&w->ota, w->db, &w->arena, id_of(w, i), e);
    return refusal(ota_consent(&w->ota, w->db, &w->arena, id_of(w, i), action, yes, "", e));
}

static int step_version(struct world *w, struct err *e)
{
    (void)e;
    int i = (int)pick(w, DEVICES);
    snprintf(w->devices[i].runs, sizeof w->devices[i].runs, "%u", once_in(w, 4) ? pick(w, RELEASES + 1) : 0);
    tell(w, "%s now runs %s", id_of(w, i), w->devices[i].runs);
    return 0;
}

static int step_tag(struct world *w, struct err *e)
{
    int i = (int)pick(w, DEVICES);
    struct device d;
    bool changed;
    tell(w, "%s has another tag", id_of(w, i));
    int rc = store_device_by_id(w->db, &w->arena, id_of(w, i), &d, e);
    if (rc == 0 && once_in(w, 2))
        return store_device_tag(w->db, &d, "lab", &changed, e);
    return rc != 0 ? rc
                   : db_exec(w->db,
                             once_in(w, 2) ? "DELETE FROM device_tag WHERE device % 2 = 0"
                                           : "DELETE FROM device_tag WHERE device % 3 = 0",
                             e);
}

/* --- time ---------------------------------------------------------------------------------------------- */

static int step_clock(struct world *w, struct err *e)
{
    (void)e;
    w->now += once_in(w, 15) ? -600000 : once_in(w, 2) ? 20000 : 60000 * (int64_t)pick(w, 120);
    tell(w, "the clock says %lld", (long long)w->now);
    return 0;
}

static int step_slice(struct world *w, struct err *e)
{
    bool more;
    tell(w, "a slice");
    switch (pick(w, 8)) {
    case 0:
    case 1:
    case 2:
        return ota_prepare_slice(&w->ota, w->db, &more, e);
    case 3:
        return ota_deploy_slice(&w->ota, w->db, &more, e);
    case 4:
        return ota_start_slice(&w->ota, w->db, &more, e);
    case 5:
        return ota_retention_slice(&w->ota, w->db, w->now, &more, e);
    default:
        return ota_overdue_slice(&w->ota, w->db, &more, e);
    }
}

/* --- all ----------------------------------------------------------------------------------------------- */

static const struct {
    int (*run)(struct world *w, struct err *e);
    unsigned weight;
} steps[] = {
    {step_poll, 50}, {step_report, 50},   {step_feedback, 10}, {step_consent, 4}, {step_version, 15},
    {step_tag, 4},   {step_deploy, 20},   {step_steer, 14},    {step_assign, 2},  {step_take_back, 2},
    {step_leave, 1}, {step_unpublish, 1}, {step_clock, 10},    {step_slice, 25},
};

/* As the writer does: what fails is taken back. */
static void one_step(struct world *w)
{
    unsigned sum = 0, k = 0;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        sum += steps[i].weight;
    unsigned n = pick(w, sum);
    while (n >= steps[k].weight)
        n -= steps[k++].weight;
    struct err e = {0};
    arena_reset(&w->arena);
    w->told[w->step % TOLD][0] = '\0';
    int rc = db_exec(w->db, "SAVEPOINT step", &e);
    if (rc == 0)
        rc = steps[k].run(w, &e);
    if (rc != 0 && rc != ERR_CONFLICT && rc != ERR_DENIED)
        wrong(w, "it failed: %d %.400s", rc, e.text);
    rc = db_exec(w->db, rc == 0 ? "RELEASE step" : "ROLLBACK TO step; RELEASE step", &e);
    if (rc != 0)
        wrong(w, "%.400s", e.text);
    int64_t changes = number(w, "SELECT total_changes()");
    bool slow = w->step % 100 == 0;
    if (w->wrong[0] == '\0' && (slow || changes != w->changes))
        rollout_rules_check(w->db, slow, w->wrong, sizeof w->wrong);
    w->changes = changes;
}

static int run_setup(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct world *w = arg;
    (void)f;
    w->db = db;
    int rc = db_exec(db,
                     "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 205)"
                     " INSERT INTO device (id, model, created_at) SELECT 'crowd' || i, 'm', 1 FROM n",
                     e);
    for (int i = 0; i < DEVICES && rc == 0; i++)
        rc = put_device(w, i, e);
    return rc;
}

static int run_steps(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct world *w = arg;
    (void)f;
    (void)e;
    w->db = db;
    for (; w->step < STEPS && w->wrong[0] == '\0'; w->step++)
        one_step(w);
    return 0;
}

static void run(struct fixture *f, uint64_t seed)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->f = f;
    w->random = seed * 0x9e3779b97f4a7c15u + 1;
    w->now = f->now_ms;
    w->clock = (struct clock){.unix_ms = unix_ms, .mono_ms = mono_ms, .ctx = w};
    arena_init(&w->arena, 1 << 24);
    f->ota.action_days = 2;
    f->ota.event_days = 1;
    f->ota.announce = true;
    w->ota = f->ota;
    w->ota.clock = &w->clock;
    for (int k = 0; k < RELEASES; k++)
        w->releases[k] = publish(f, "gw", (const char *[]){"1", "2", "3", "4"}[k], "m").pk;
    assert_ok(fixture_write(f, run_setup, w), f->e);
    assert_ok(fixture_write(f, run_steps, w), f->e);
    if (w->wrong[0] != '\0') {
        for (int i = w->step > TOLD ? w->step - TOLD : 0; i < w->step; i++)
            print_message("%5d %s\n", i, w->told[i % TOLD]);
        fail_msg("seed %llu, step %d: %s", (unsigned long long)seed, w->step - 1, w->wrong);
    }
    print_message("seed %llu: %lld deployments, %lld actions\n", (unsigned long long)seed,
                  (long long)ask(f, "SELECT count(*) FROM deployment"),
                  (long long)ask(f, "SELECT coalesce(max(pk), 0) FROM action"));
    arena_fini(&w->arena);
    free(w);
}

#define SEED(n)                                                                                              \
    static void seed_##n(void **state)                                                                       \
    {                                                                                                        \
        const char *other = getenv("PQOTA_SEED");                                                            \
        run(*state, other != NULL ? strtoull(other, NULL, 10) + n : n);                                      \
    }
SEED(1)
SEED(2)
SEED(3)

#define ROW(test) cmocka_unit_test_setup_teardown(test, release_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {ROW(seed_1), ROW(seed_2), ROW(seed_3)};
    return cmocka_run_group_tests_name("ota/rollout_model", tests, NULL, NULL);
}
