#include "release_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "ota/announce.h"
#include "ota/device.h"
#include "store/db.h"
#include "store/devices.h"
#include "store/outbox.h"

static struct announcer by = {.clock = &clock_system, .base_url = "", .wakes_per_second = 100};

static int announcing(void **state)
{
    int rc = release_setup(state);
    struct fixture *f = *state;
    f->ota.announce = true;
    by = (struct announcer){.clock = &clock_system, .base_url = "", .wakes_per_second = 100};
    return rc;
}

static int run_sql(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)f;
    return db_exec(db, arg, e);
}

static void sql(struct fixture *f, char *text)
{
    assert_ok(fixture_write(f, run_sql, text), f->e);
}

/* Empties the outbox; whether there was just this in it. */
static bool noted(struct fixture *f, const char *kind, int64_t ref)
{
    int64_t all = ask(f, "SELECT count(*) FROM outbox");
    int64_t this =
        ask(f, "SELECT count(*) FROM outbox WHERE kind = '%s' AND ref = %lld", kind, (long long)ref);
    sql(f, "DELETE FROM outbox");
    return all == 1 && this == 1;
}

static yyjson_doc *parse(const struct announcement *m)
{
    struct err e = {0};
    yyjson_doc *doc = NULL;
    assert_ok(json_parse_object(m->payload, &doc, &e), e);
    return doc;
}

static int64_t number(yyjson_doc *doc, const char *key)
{
    yyjson_val *v = yyjson_obj_get(yyjson_doc_get_root(doc), key);
    assert_true(yyjson_is_int(v));
    return yyjson_get_sint(v);
}

static void assert_text(yyjson_doc *doc, const char *key, const char *want)
{
    const char *have = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), key));
    assert_non_null(have);
    assert_string_equal(have, want);
}

/* The deployment that a device is told of; 0: what was retained is taken away. */
static int64_t told(struct fixture *f, int64_t device, const char *id)
{
    struct announcement m;
    char topic[128];
    snprintf(topic, sizeof topic, "ota/devices/%s/update", id);
    assert_int_equal(ota_say_device(&by, f->reader, &f->arena, device, &m, &f->e), 1);
    assert_true(db_idle(f->reader));
    assert_string_equal(m.topic, topic);
    assert_true(m.retain);
    assert_int_equal(m.position, device);
    if (m.payload.n == 0)
        return 0;
    auto_json yyjson_doc *doc = parse(&m);
    assert_true(number(doc, "release") > 0);
    return number(doc, "deployment");
}

/* How many devices a deployment's announcement reaches, by slices. */
static size_t reaches(struct fixture *f, int64_t deployment, size_t *slices)
{
    int64_t at = 0;
    size_t sum = 0;
    bool end = false;
    for (*slices = 0; !end; ++*slices) {
        struct announcement *list;
        size_t n;
        int64_t last;
        assert_ok(ota_say_deployment(&by, f->reader, &f->arena, deployment, at, ANNOUNCE_LOOK_MAX, &list, &n,
                                     &last, &end, &f->e),
                  f->e);
        assert_true(db_idle(f->reader));
        assert_true(n <= ANNOUNCE_LOOK_MAX);
        for (size_t i = 0; i < n; i++)
            assert_true(list[i].position > at && list[i].position <= last);
        assert_true(end || last > at);
        at = last;
        sum += n;
    }
    return sum;
}

static void off_notes_nothing(void **state)
{
    struct fixture *f = *state;
    f->ota.announce = false;
    struct release r = publish(f, "gw", "1.0", NULL);
    add_device(f, "d1", "gw");
    cancel(f, deploy(f, r.pk, TARGET_ALL, ""));
    int64_t d = deploy(f, r.pk, TARGET_DEVICE, "d1");
    int64_t action = assert_offered(f, "d1", "0.9", r.pk);
    assert_true(d > 0);
    assert_ok(try_report(f, "d1", action, ACTION_FAILED, NULL), f->e);
    assert_int_equal(ask(f, "SELECT count(*) FROM outbox"), 0);
}

static void a_release(void **state)
{
    struct fixture *f = *state;
    struct announcement m;
    struct release old = publish(f, "gw", "1.0", NULL);
    assert_true(noted(f, "release", old.pk));
    for (int i = 0; i < 250; i++) {
        char id[16];
        snprintf(id, sizeof id, "d%d", i);
        add_device(f, id, i % 2 == 0 ? "gw" : "cam");
    }
    struct release r = publish(f, "fw", "1.1", "cam,gw");
    assert_true(noted(f, "release", r.pk));
    by.base_url = "https://updates.example";
    assert_int_equal(ota_say_release(&by, f->reader, &f->arena, r.pk, &m, &f->e), 1);
    assert_string_equal(m.topic, "ota/update/available");
    assert_true(m.retain);
    char url[128];
    snprintf(url, sizeof url, "https://updates.example/api/firmware/%lld/file", (long long)r.pk);
    auto_json yyjson_doc *doc = parse(&m);
    assert_text(doc, "version", "1.1");
    assert_text(doc, "name", "fw");
    assert_text(doc, "model", "cam");
    assert_text(doc, "url", url);
    assert_text(doc, "sha256", r.artifacts[0].sha256);
    assert_int_equal(number(doc, "release"), r.pk);
    assert_int_equal(number(doc, "size"), 1000);
    assert_int_equal(number(doc, "jitter_seconds"), 3); /* 250 devices, 100 a second */
    assert_int_equal(yyjson_arr_size(yyjson_obj_get(yyjson_doc_get_root(doc), "models")), 2);
}

static void a_deleted_device_is_not_told(void **state)
{
    struct fixture *f = *state;
    add_device(f, "d1", "m");
    int64_t d = deploy(f, publish(f, "gw", "1", "m").pk, TARGET_DEVICE, "d1");
    sql(f, "UPDATE deployment SET state = 'paused'; DELETE FROM member; DELETE FROM device");
    cancel(f, d); /* all the same */
}

static void a_deleted_release_makes_room(void **state)
{
    struct fixture *f = *state;
    struct announcement m;
    struct release a = publish(f, "gw", "1.0", NULL), b = publish(f, "gw", "1.1", NULL),
                   c = publish(f, "gw", "1.2", NULL);
    sql(f, "DELETE FROM outbox");
    assert_ok(try_unpublish(f, b.pk), f->e);
    assert_true(noted(f, "release", b.pk));
    /* A later one is retained. */
    assert_int_equal(ota_say_release(&by, f->reader, &f->arena, b.pk, &m, &f->e), 0);
    assert_ok(try_unpublish(f, c.pk), f->e);
    assert_int_equal(ota_say_release(&by, f->reader, &f->arena, c.pk, &m, &f->e), 1);
    auto_json yyjson_doc *doc = parse(&m);
    assert_text(doc, "version", "1.0");
    assert_ok(try_unpublish(f, a.pk), f->e);
    assert_int_equal(ota_say_release(&by, f->reader, &f->arena, a.pk, &m, &f->e), 1);
    assert_int_equal(m.payload.n, 0);
    assert_true(m.retain);
    assert_int_equal(ota_say_release(&by, f->reader, &f->arena, 99, &m, &f->e), 0);
}

static void a_device_from_offer_to_success(void **state)
{
    struct fixture *f = *state;
    struct release r = publish(f, "gw", "1.0", NULL);
    int64_t device = add_device(f, "d1", "gw");
    sql(f, "DELETE FROM outbox");
    assert_int_equal(told(f, device, "d1"), 0);
    int64_t d = deploy(f, r.pk, TARGET_DEVICE, "d1");
    assert_true(noted(f, "device", device)); /* not behind other deployments */
    assert_int_equal(told(f, device, "d1"), d);
    int64_t action = assert_offered(f, "d1", "0.9", r.pk);
    assert_true(noted(f, "device", device));
    assert_int_equal(told(f, device, "d1"), d);
    assert_offered(f, "d1", "0.9", r.pk);
    assert_int_equal(ask(f, "SELECT count(*) FROM outbox"), 0);
    assert_ok(try_report(f, "d1", action, ACTION_INSTALLING, NULL), f->e);
    assert_int_equal(ask(f, "SELECT count(*) FROM outbox"), 0);
    assert_int_equal(try_report(f, "d1", action, ACTION_SUCCEEDED, "0.9"), ERR_CONFLICT);
    assert_int_equal(told(f, device, "d1"), d);
    assert_ok(try_report(f, "d1", action, ACTION_SUCCEEDED, "1.0"), f->e);
    assert_true(noted(f, "device", device));
    assert_int_equal(told(f, device, "d1"), 0);
}

static int run_tagging(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    const char *const *words = arg; /* device, tag, or NULL to revoke it */
    if (words[1] == NULL)
        return ota_device_revoke(&f->ota, db, &f->arena, &f->admin, words[0], NULL, e);
    return words[2] != NULL ? ota_device_tag(&f->ota, db, &f->arena, &f->admin, words[0], words[1], e)
                            : ota_device_untag(&f->ota, db, &f->arena, &f->admin, words[0], words[1], e);
}

static void tags_and_revocation(void **state)
{
    struct fixture *f = *state;
    struct release r = publish(f, "gw", "1.0", NULL);
    int64_t device = add_device(f, "d1", "gw");
    int64_t d = deploy(f, r.pk, TARGET_TAG, "lab");
    assert_int_equal(
        ask(f, "SELECT count(*) FROM outbox WHERE kind = 'deployment' AND ref = %lld", (long long)d), 1);
    sql(f, "DELETE FROM outbox");
    assert_int_equal(told(f, device, "d1"), 0);
    assert_ok(fixture_write(f, run_tagging, (const char *[]){"d1", "lab", "on"}), f->e);
    assert_true(noted(f, "device", device));
    assert_int_equal(told(f, device, "d1"), d);
    assert_ok(fixture_write(f, run_tagging, (const char *[]){"d1", "lab", NULL}), f->e);
    assert_true(noted(f, "device", device));
    assert_int_equal(told(f, device, "d1"), 0);
    assert_ok(fixture_write(f, run_tagging, (const char *[]){"d1", "lab", "on"}), f->e);
    assert_offered(f, "d1", NULL, r.pk);
    sql(f, "DELETE FROM outbox");
    assert_int_equal(told(f, device, "d1"), d);
    assert_ok(fixture_write(f, run_tagging, (const char *[]){"d1", NULL, NULL}), f->e);
    assert_true(noted(f, "device", device));
    assert_int_equal(told(f, device, "d1"), 0);
}

static char many[] = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
                     " INSERT INTO device (id, model, created_at) SELECT 'm' || i,"
                     " CASE WHEN i % 4 = 0 THEN 'cam' ELSE 'gw' END, 1 FROM n";

static void a_deployment_in_slices(void **state)
{
    struct fixture *f = *state;
    size_t slices;
    sql(f, many);
    sql(f, "UPDATE device SET revoked_at = 5 WHERE id IN ('m1', 'm2')");
    sql(f, "UPDATE device SET version = '1.0' WHERE id IN ('m5', 'm6', 'm7')");
    struct release r = publish(f, "gw", "1.0", NULL);
    int64_t d = deploy(f, r.pk, TARGET_ALL, "");
    assert_int_equal(ask(f, "SELECT count(*) FROM outbox"), 2);
    assert_int_equal(reaches(f, d, &slices), 750 - 2 - 3);
    assert_int_equal(slices, 3);

    /* One is done, one is at it, one tried in vain. */
    int64_t done = assert_offered(f, "m9", "0.9", r.pk);
    assert_offered(f, "m10", "0.9", r.pk);
    int64_t vain = assert_offered(f, "m11", "0.9", r.pk);
    assert_ok(try_report(f, "m9", done, ACTION_SUCCEEDED, "1.0"), f->e);
    assert_ok(try_report(f, "m11", vain, ACTION_FAILED, NULL), f->e);
    assert_int_equal(reaches(f, d, &slices), 745 - 2);

    /* Of a later one those are told whom it brings something. */
    struct release next = publish(f, "gw", "1.1", NULL);
    int64_t later = deploy(f, next.pk, TARGET_MODEL, "gw");
    assert_int_equal(reaches(f, later, &slices), 748);
    assert_int_equal(reaches(f, d, &slices), 0);

    /* Called off: everybody is told what is left for it to do. */
    cancel(f, later);
    assert_int_equal(reaches(f, later, &slices), 748);
    assert_int_equal(told(f, ask(f, "SELECT pk FROM device WHERE id = 'm10'"), "m10"), d);
    cancel(f, d);
    assert_int_equal(told(f, ask(f, "SELECT pk FROM device WHERE id = 'm10'"), "m10"), 0);
    assert_int_equal(reaches(f, 4711, &slices), 0);
}

static void installing_goes_on_after_a_cancel(void **state)
{
    struct fixture *f = *state;
    struct release r = publish(f, "gw", "1.0", NULL);
    int64_t one = add_device(f, "d1", "gw"), two = add_device(f, "d2", "gw");
    add_tag(f, "d1", "lab");
    add_tag(f, "d2", "lab");
    int64_t d = deploy(f, r.pk, TARGET_TAG, "lab");
    assert_ok(try_report(f, "d1", assert_offered(f, "d1", "0.9", r.pk), ACTION_INSTALLING, NULL), f->e);
    assert_offered(f, "d2", "0.9", r.pk);
    sql(f, "DELETE FROM device_tag");
    cancel(f, d);
    size_t slices;
    assert_int_equal(reaches(f, d, &slices), 2); /* though the tag is gone */
    assert_int_equal(told(f, one, "d1"), d);
    assert_int_equal(told(f, two, "d2"), 0);
}

static void jitter_stays(void **state)
{
    struct fixture *f = *state;
    struct announcement m;
    sql(f, many);
    struct release r = publish(f, "gw", "1.0", NULL);
    deploy(f, r.pk, TARGET_MODEL, "gw");
    int64_t first = ask(f, "SELECT pk FROM device WHERE id = 'm1'");
    assert_int_equal(ota_say_device(&by, f->reader, &f->arena, first, &m, &f->e), 1);
    auto_json yyjson_doc *doc = parse(&m);
    assert_int_equal(number(doc, "jitter_seconds"), 8); /* 750 / 100 */
    sql(f, "UPDATE member SET state = 'succeeded' WHERE device <> (SELECT pk FROM device WHERE id = 'm1')");
    struct announcement again;
    assert_int_equal(ota_say_device(&by, f->reader, &f->arena, first, &again, &f->e), 1);
    assert_true(str_eq(m.payload, again.payload));
    by.known[0].deployment = 0; /* forgotten */
    assert_int_equal(ota_say_device(&by, f->reader, &f->arena, first, &again, &f->e), 1);
    auto_json yyjson_doc *other = parse(&again);
    assert_int_equal(number(other, "jitter_seconds"), 0);
}

/* What a device is told to expect is what it gets when it asks, whatever happened before. */
static void expected_is_what_a_poll_gives(void **state)
{
    struct fixture *f = *state;
    int64_t releases[3], deployments[32];
    size_t n = 0;
    char version[8], id[8];
    unsigned seed = 7;
    for (int i = 0; i < 3; i++) {
        snprintf(version, sizeof version, "%d.0", i + 1);
        releases[i] = publish(f, "gw", version, NULL).pk;
    }
    for (int i = 0; i < 4; i++) {
        snprintf(id, sizeof id, "d%d", i);
        add_device(f, id, "gw");
        if (i > 1)
            add_tag(f, id, "lab");
    }
    for (int step = 0; step < 400; step++) {
        unsigned dice = (unsigned)rand_r(&seed) % 100;
        snprintf(id, sizeof id, "d%d", rand_r(&seed) % 4);
        if (dice < 6 && n < 32) {
            struct deployment d;
            enum target_kind kind = (enum target_kind)(rand_r(&seed) % 4);
            const char *target[] = {id, "lab", "gw", ""};
            if (try_deploy(f, releases[rand_r(&seed) % 3], kind, target[kind], rand_r(&seed) % 3 == 0, &d) ==
                0)
                deployments[n++] = d.pk;
            continue;
        }
        if (dice < 9 && n > 0) {
            int64_t one = deployments[(size_t)rand_r(&seed) % n];
            if (ask(f, "SELECT state <> 'finished' FROM deployment WHERE pk = %lld", (long long)one))
                cancel(f, one);
            continue;
        }
        struct device d;
        int64_t expected;
        assert_ok(store_device_by_id(f->reader, &f->arena, id, &d, &f->e), f->e);
        assert_ok(ota_poll_expect(f->reader, &f->arena, &d, f->now_ms, &expected, &f->e), f->e);
        bool wrote;
        struct poll_answer a = poll_device(f, id, NULL, &wrote);
        assert_int_equal(expected, a.update ? a.action.deployment : 0);
        if (a.update && dice < 50) {
            snprintf(version, sizeof version, "%s", a.release.version);
            enum action_state to = dice < 25   ? ACTION_SUCCEEDED
                                   : dice < 35 ? ACTION_FAILED
                                               : ACTION_INSTALLING;
            int rc = try_report(f, id, a.action.pk, to, to == ACTION_SUCCEEDED ? version : NULL);
            assert_true(rc == 0 || rc == ERR_CONFLICT);
        }
    }
    assert_true(n > 8);
}

static int run_begin(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)arg;
    return ota_announce_begin(&f->ota, db, e);
}

static void events_from_now_on(void **state)
{
    struct fixture *f = *state;
    struct announcement *list;
    size_t n;
    int64_t cursor;
    publish(f, "gw", "1.0", NULL);
    assert_ok(fixture_write(f, run_begin, NULL), f->e);
    publish(f, "gw", "1.1", NULL);
    publish(f, "gw", "1.2", NULL);
    assert_ok(fixture_write(f, run_begin, NULL), f->e); /* started again: where it was */
    assert_ok(store_outbox_event_cursor(f->reader, &cursor, &f->e), f->e);
    assert_ok(ota_say_events(f->reader, &f->arena, cursor, 10, &list, &n, &f->e), f->e);
    assert_int_equal(n, 2);
    assert_string_equal(list[0].topic, "ota/fleet/events");
    assert_false(list[0].retain);
    auto_json yyjson_doc *one = parse(&list[0]);
    assert_text(one, "kind", "release.published");
    assert_text(one, "subject", "gw/1.1");
    assert_text(one, "who", "anna");
    assert_int_equal(number(one, "id"), list[0].position);
    assert_int_equal(list[1].position, list[0].position + 1);
    assert_ok(ota_say_events(f->reader, &f->arena, cursor, 1, &list, &n, &f->e), f->e);
    assert_int_equal(n, 1);

    f->ota.announce = false;
    assert_ok(fixture_write(f, run_begin, NULL), f->e);
    assert_ok(store_outbox_event_cursor(f->reader, &cursor, &f->e), f->e);
    assert_int_equal(cursor, -1);
    f->ota.announce = true;
    assert_ok(fixture_write(f, run_begin, NULL), f->e);
    assert_ok(store_outbox_event_cursor(f->reader, &cursor, &f->e), f->e);
    assert_ok(ota_say_events(f->reader, &f->arena, cursor, 10, &list, &n, &f->e), f->e);
    assert_int_equal(n, 0);
}

static int run_again(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)arg;
    return ota_announce_again(&f->ota, db, e);
}

static void told_again(void **state)
{
    struct fixture *f = *state;
    assert_ok(fixture_write(f, run_begin, NULL), f->e);
    struct release r = publish(f, "gw", "1.0", NULL), next = publish(f, "gw", "1.1", NULL);
    int64_t device = add_device(f, "d1", "gw");
    int64_t over = deploy(f, r.pk, TARGET_ALL, ""), all = deploy(f, r.pk, TARGET_ALL, "");
    deploy(f, next.pk, TARGET_DEVICE, "d1");
    cancel(f, over);
    sql(f, "DELETE FROM outbox");
    assert_ok(fixture_write(f, run_again, NULL), f->e); /* the first time there is nothing to have lost */
    assert_int_equal(ask(f, "SELECT count(*) FROM outbox"), 0);
    assert_ok(fixture_write(f, run_again, NULL), f->e);
    assert_int_equal(ask(f, "SELECT count(*) FROM outbox"), 3);
    assert_int_equal(ask(f, "SELECT ref FROM outbox WHERE kind = 'release'"), next.pk);
    assert_int_equal(ask(f, "SELECT ref FROM outbox WHERE kind = 'deployment'"), all);
    assert_int_equal(ask(f, "SELECT ref FROM outbox WHERE kind = 'device'"), device);
}

#define T(name) cmocka_unit_test_setup_teardown(name, announcing, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(off_notes_nothing),
        T(a_release),
        T(a_deleted_release_makes_room),
        T(a_deleted_device_is_not_told),
        T(a_device_from_offer_to_success),
        T(tags_and_revocation),
        T(a_deployment_in_slices),
        T(installing_goes_on_after_a_cancel),
        T(jitter_stays),
        T(expected_is_what_a_poll_gives),
        T(events_from_now_on),
        T(told_again),
    };
    return cmocka_run_group_tests_name("ota/announce", tests, NULL, NULL);
}
