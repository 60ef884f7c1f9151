/* What is said before a deployment is made, held against what becomes of one that is. */
#include "rollout_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "ota/preview.h"
#include "ota/reason.h"

#define DEVICES 40
#define ROUNDS 50

static struct preview tried(struct fixture *f, const struct deploy *d)
{
    struct preview p;
    int64_t before = ask(f, "SELECT count(*) FROM event");
    assert_ok(ota_preview(&f->ota, f->reader, &f->arena, d, &p, &f->e), f->e);
    assert_true(db_idle(f->reader));
    assert_int_equal(ask(f, "SELECT count(*) FROM event"), before);
    return p;
}

static int64_t excluded(const struct preview *p, const char *word)
{
    for (size_t i = 0; i < p->excluded_count; i++)
        if (strstr(p->excluded[i].reason, word) != NULL)
            return p->excluded[i].devices;
    return 0;
}

static bool warns(const struct preview *p, const char *word)
{
    for (size_t i = 0; i < p->warning_count; i++)
        if (strstr(p->warnings[i], word) != NULL)
            return true;
    return false;
}

static void device(struct fixture *f, const char *id, const char *model, const char *version)
{
    add_device(f, id, model);
    if (version != NULL)
        sql(f, "UPDATE device SET version = '%s' WHERE id = '%s'", version, id);
}

static void who_gets_it_and_who_does_not(void **state)
{
    struct fixture *f = *state;
    struct release one = publish(f, "gw", "1", "m"), two = publish(f, "gw", "2", "m");
    publish(f, "gw", "3", "m");
    device(f, "old-1", "m", "1");
    device(f, "old-2", "m", "1");
    device(f, "mute", "m", NULL);
    device(f, "has", "m", "2");
    device(f, "ahead", "m", "3");
    device(f, "lost", "m", "1");
    device(f, "other", "n", "1");
    sql(f, "UPDATE device SET revoked_at = 1 WHERE id = 'lost'");
    struct deploy d = to_all(two.pk);
    struct preview p = tried(f, &d);
    assert_true(p.complete);
    assert_int_equal(p.devices, 3);
    assert_int_equal(p.already, 1);
    assert_int_equal(p.excluded_count, 3);
    assert_int_equal(excluded(&p, "revoked"), 1);
    assert_int_equal(excluded(&p, "does not fit"), 1);
    assert_int_equal(excluded(&p, "not newer"), 1);
    assert_int_equal(p.change_count, 2);
    assert_string_equal(p.changes[0].version, "1");
    assert_int_equal(p.changes[0].devices, 2);
    assert_null(p.changes[1].version);
    assert_int_equal(p.sample_count, 3);
    assert_string_equal(p.sample[0].id, "old-1");
    assert_string_equal(p.sample[2].id, "mute");
    assert_int_equal(p.phase_count, 1);
    assert_int_equal(p.phases[0].devices, 3);
    assert_true(warns(&p, "Nobody has vouched"));
    assert_false(warns(&p, "at once"));
    assert_false(warns(&p, "No device"));

    d.policy.allow_downgrade = true;
    p = tried(f, &d);
    assert_int_equal(p.devices, 4);
    assert_int_equal(excluded(&p, "not newer"), 0);
    assert_true(warns(&p, "1 of the devices would go back"));

    d = to_all(one.pk);
    d.kind = TARGET_DEVICE;
    d.target = STR("has");
    p = tried(f, &d);
    assert_int_equal(p.devices, 0);
    assert_int_equal(excluded(&p, "not newer"), 1);
    assert_true(warns(&p, "No device would get it"));
    assert_int_equal(p.phases[0].devices, 0);

    made(f, &d);
    p = tried(f, &d);
    assert_true(warns(&p, "Deployment 1 is of gw 1 too"));
}

static void what_its_vendor_does_not_want(void **state)
{
    struct fixture *f = *state;
    publish(f, "gw", "1", "m");
    publish(f, "gw", "2", "m");
    struct release three = publish(f, "gw", "3", "m");
    device(f, "a", "m", "1");
    device(f, "b", "m", "2");
    device(f, "c", "m", "homemade");
    sql(f, "UPDATE release_model SET signed = 1, upgrade_from = 2 WHERE release = %lld", (long long)three.pk);
    struct deploy d = to_all(three.pk);
    struct preview p = tried(f, &d);
    assert_int_equal(p.devices, 2);
    assert_int_equal(excluded(&p, "too old"), 1);
    assert_false(warns(&p, "vouched"));
}

static void what_is_worth_a_second_thought(void **state)
{
    struct fixture *f = *state;
    struct phase phases[2];
    struct release one = publish(f, "gw", "1", "m");
    add_fleet(f, 40);
    struct deploy d = to_all(one.pk);
    struct preview p = tried(f, &d);
    assert_true(warns(&p, "All 40 devices may begin at once"));
    assert_true(warns(&p, "Nothing stops it"));
    d.policy.per_minute = 5;
    p = tried(f, &d);
    assert_false(warns(&p, "at once"));
    d = in_two(one.pk, (struct phase){.percent = 10, .error_count = 1, .name = "canary"}, phases);
    p = tried(f, &d);
    assert_false(warns(&p, "at once"));
    assert_false(warns(&p, "Nothing stops it"));
    assert_string_equal(p.phases[0].name, "canary");
    assert_int_equal(p.phases[0].devices, 4);
    assert_int_equal(p.phases[1].devices, 36);
    assert_false(warns(&p, "takes no device"));
    d = in_two(one.pk, (struct phase){.filter = "tag==nobody", .error_count = 1}, phases);
    p = tried(f, &d);
    assert_true(warns(&p, "Phase 1 takes no device: phase 2 opens"));
}

/* The very refusals. */
static void what_cannot_be_made_cannot_be_tried(void **state)
{
    struct fixture *f = *state;
    struct preview p;
    struct release one = publish(f, "gw", "1", "m");
    add_device(f, "d1", "m");
    add_device(f, "n1", "n");
    struct deploy rows[6];
    for (size_t i = 0; i < 6; i++)
        rows[i] = to_all(one.pk);
    rows[0].release = 99;
    rows[1].kind = TARGET_MODEL;
    rows[1].target = STR("nobody");
    rows[2].kind = TARGET_DEVICE;
    rows[2].target = STR("n1");
    rows[3].kind = TARGET_FILTER;
    rows[3].target = STR("model=");
    rows[4].policy.priority = 9999;
    rows[5].policy.rollback = 99;
    for (size_t i = 0; i < 6; i++) {
        int rc = refused(f, &rows[i]);
        char said[sizeof f->e.text];
        assert_true(rc < 0);
        snprintf(said, sizeof said, "%s", f->e.text);
        assert_int_equal(ota_preview(&f->ota, f->reader, &f->arena, &rows[i], &p, &f->e), rc);
        assert_string_equal(f->e.text, said);
    }
    rows[0] = to_all(one.pk);
    rows[0].kind = TARGET_LIST;
    assert_int_equal(ota_preview(&f->ota, f->reader, &f->arena, &rows[0], &p, &f->e), ERR_INVALID);
}

/* --- against the real thing ------------------------------------------------------------------------ */

static unsigned long random_state = 4711;
static unsigned any(unsigned n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % n;
}

static const char *const models[] = {"a", "b", "c"};
static const char *const versions[] = {"1", "2", "3", "odd", NULL};

/* In one transaction. */
static int run_shuffle(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    int rc = 0;
    (void)f;
    (void)arg;
    for (int i = 0; i < DEVICES && rc == 0; i++) {
        const char *v = versions[any(5)], *quote = v != NULL ? "'" : "";
        const char *tag = any(3) == 0 ? "INSERT INTO device_tag SELECT 'lab', id, pk FROM device WHERE id ="
                                      : "DELETE FROM device_tag WHERE id =";
        char text[512];
        snprintf(text, sizeof text,
                 "UPDATE device SET model = '%s', version = %s%s%s, revoked_at = %s WHERE id = 'd%d';"
                 "DELETE FROM device_tag WHERE id = 'd%d'; %s 'd%d'",
                 models[any(3)], quote, v != NULL ? v : "NULL", quote, any(8) == 0 ? "1" : "NULL", i, i, tag,
                 i);
        rc = db_exec(db, text, e);
    }
    return rc;
}

/* The same devices in several words, which are looked for in several ways. */
static void aim(struct deploy *d)
{
    static const struct {
        enum target_kind kind;
        const char *target;
    } rows[] = {
        {TARGET_ALL, ""},
        {TARGET_MODEL, "a"},
        {TARGET_TAG, "lab"},
        {TARGET_FILTER, "model==b"},
        {TARGET_FILTER, "id==*"},
        {TARGET_FILTER, "tag==lab,version==2"},
        {TARGET_FILTER, "id=in=(d1,d2,d3,d35,nobody);model!=a"},
        {TARGET_FILTER, "id!=d7"},
    };
    size_t i = any(sizeof rows / sizeof rows[0]);
    d->kind = rows[i].kind;
    d->target = str_of(rows[i].target);
    d->policy = ota_default_policy(d->kind);
    d->policy.allow_downgrade = any(2) == 0;
}

static void in_phases(struct deploy *d, struct phase phases[3])
{
    static const struct phase kinds[] = {
        {.percent = 10},
        {.percent = 33},
        {.devices = 5},
        {.filter = "tag==lab"},
        {.filter = "id==d1*", .devices = 3},
    };
    for (int i = 0; i < 3; i++) {
        phases[i] = i < 2 ? kinds[any(5)] : (struct phase){0};
        phases[i].name = "p";
        phases[i].filter = phases[i].filter != NULL ? phases[i].filter : "";
        phases[i].success_percent = 100;
    }
    d->phases = phases;
    d->phase_count = 3;
}

static int64_t offered(struct fixture *f)
{
    int64_t n = 0;
    for (int i = 0; i < DEVICES; i++) {
        char id[16];
        bool wrote;
        snprintf(id, sizeof id, "d%d", i);
        if (ask(f, "SELECT revoked_at IS NOT NULL FROM device WHERE id = '%s'", id))
            continue;
        const char *version = ask_text(f, "SELECT coalesce(version, '') FROM device WHERE id = '%s'", id);
        n += poll_device(f, id, version[0] != '\0' ? version : NULL, &wrote).update;
    }
    return n;
}

static int run_prepare(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    return ota_prepare_slice(&f->ota, db, arg, e);
}

static int64_t waiting_in(struct fixture *f, int64_t deployment, int phase)
{
    return ask(f, "SELECT count(*) FROM member WHERE deployment = %lld AND phase = %d AND state = 'waiting'",
               (long long)deployment, phase);
}

static int64_t with_nothing_to_do(struct fixture *f, int64_t deployment, const char *why)
{
    return ask(f, "SELECT count(*) FROM member WHERE deployment = %lld AND state = 'already' AND why = '%s'",
               (long long)deployment, why);
}

static void compare(struct fixture *f, const struct deploy *d)
{
    struct preview p = tried(f, d);
    int64_t pk = made(f, d), sum = 0, left = 0;
    for (bool more = true; more;)
        assert_ok(fixture_write(f, run_prepare, &more), f->e);
    assert_true(p.complete);
    for (size_t i = 0; i < p.phase_count; i++)
        assert_int_equal(p.phases[i].devices, waiting_in(f, pk, (int)i));
    assert_int_equal(p.already, with_nothing_to_do(f, pk, "it ran the version already"));
    assert_int_equal(excluded(&p, "not newer"), with_nothing_to_do(f, pk, reason_text(REASON_NOT_NEWER)));
    for (size_t i = 0; i < p.change_count; i++)
        sum += p.changes[i].devices;
    assert_int_equal(sum, p.devices);
    for (size_t i = 0; i < p.excluded_count; i++)
        left += p.excluded[i].devices;
    if (d->kind == TARGET_ALL)
        assert_int_equal(p.devices + p.already + left, DEVICES);
    assert_int_equal(p.sample_count > 0, p.devices > 0);
    if (p.phase_count == 1)
        assert_int_equal(offered(f), p.devices);
    for (size_t i = 0; i < p.sample_count && p.phase_count == 1; i++)
        assert_int_equal(ask(f,
                             "SELECT count(*) FROM action x JOIN device d ON d.pk = x.device WHERE"
                             " x.deployment = %lld AND d.id = '%s'",
                             (long long)pk, p.sample[i].id),
                         1);
    cancel(f, pk);
    assert_int_equal(ask(f, "SELECT count(*) FROM action WHERE closed_at IS NULL"), 0);
}

static void as_it_then_is(void **state)
{
    struct fixture *f = *state;
    int64_t releases[3];
    for (int i = 0; i < 3; i++)
        releases[i] = publish(f, "gw", versions[i], "a,b").pk;
    for (int i = 0; i < DEVICES; i++) {
        char id[16];
        snprintf(id, sizeof id, "d%d", i);
        add_device(f, id, "a");
    }
    for (int round = 0; round < ROUNDS; round++) {
        struct phase phases[3];
        struct deploy d = to_all(releases[any(3)]);
        assert_ok(fixture_write(f, run_shuffle, NULL), f->e);
        aim(&d);
        if (any(2) == 0)
            in_phases(&d, phases);
        compare(f, &d);
        arena_recycle(&f->arena);
    }
}

/* --- when there is no time -------------------------------------------------------------------------- */

static int64_t hurried(void *ctx)
{
    int64_t *now = ctx;
    return *now += PREVIEW_MS / 2; /* with each look at the clock */
}

static void what_takes_too_long_is_told_as_far_as_it_came(void **state)
{
    struct fixture *f = *state;
    struct release one = publish(f, "gw", "1", "m");
    int64_t now = 0;
    struct clock clock = f->clock;
    sql(f, "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 5000)"
           " INSERT INTO device (id, model, created_at) SELECT 'd' || i, 'm', 1 FROM c");
    struct deploy d = to_all(one.pk);
    d.kind = TARGET_FILTER;
    d.target = STR("id!=d7");
    struct preview p = tried(f, &d);
    assert_true(p.complete);
    assert_int_equal(p.devices, 4999);
    clock.mono_ms = hurried;
    clock.ctx = &now;
    f->ota.clock = &clock;
    clock.unix_ms = clock_system.unix_ms;
    p = tried(f, &d);
    f->ota.clock = &f->clock;
    assert_false(p.complete);
    assert_true(p.devices > 0 && p.devices < 4999);
    assert_int_equal(p.devices, p.phases[0].devices);
}

#define T(name) cmocka_unit_test_setup_teardown(name, release_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(who_gets_it_and_who_does_not),
        T(what_its_vendor_does_not_want),
        T(what_is_worth_a_second_thought),
        T(what_cannot_be_made_cannot_be_tried),
        T(as_it_then_is),
        T(what_takes_too_long_is_told_as_far_as_it_came),
    };
    return cmocka_run_group_tests_name("ota/preview", tests, NULL, NULL);
}
