#include "identity_fixture.h"

#include <stdio.h>
#include <string.h>

#include "store/devices.h"

struct tag_call {
    const char *id, *tag;
};

static int run_tag(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    const struct tag_call *c = arg;
    return ota_device_tag(&f->ota, db, &f->arena, &f->admin, c->id, c->tag, e);
}

static int run_untag(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    const struct tag_call *c = arg;
    return ota_device_untag(&f->ota, db, &f->arena, &f->admin, c->id, c->tag, e);
}

static int tag(struct fixture *f, const char *id, const char *name)
{
    struct tag_call c = {id, name};
    return fixture_write(f, run_tag, &c);
}

/* d-000 .. d-099 of gw1 and e-000 .. e-019 of gw2; every tenth d has version 2. */
static int fill(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)arg;
    for (int i = 0; i < 120; i++) {
        char id[16];
        int64_t pk = 0;
        snprintf(id, sizeof id, "%c-%03d", i < 100 ? 'd' : 'e', i < 100 ? i : i - 100);
        int rc = store_device_add(db, id, i < 100 ? "gw1" : "gw2", f->now_ms, &pk, e);
        if (rc == 0)
            rc = store_device_set_version(db, pk, i < 100 && i % 10 == 0 ? "2" : "1", f->now_ms, e);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Goes through all pages; how many devices there were. Fails when their order is not that of their ids. */
static size_t walk(struct fixture *f, struct device_query q)
{
    size_t n = 0, count;
    const char *last = "";
    do {
        struct device *list = NULL;
        const char *looked = NULL;
        assert_ok(ota_device_list(&f->ota, f->reader, &f->arena, &q, &list, &count, &looked, &f->e), f->e);
        for (size_t i = 0; i < count; i++) {
            assert_true(strcmp(last, list[i].id) < 0);
            last = list[i].id;
        }
        n += count;
        q.after = last;
        assert_true(count <= q.limit);
    } while (count > 0);
    return n;
}

static void lists_in_pages_and_filters(void **state)
{
    struct fixture *f = *state;
    assert_ok(fixture_write(f, fill, NULL), f->e);
    for (int i = 0; i < 100; i += 3) {
        char id[16];
        snprintf(id, sizeof id, "d-%03d", i);
        assert_ok(tag(f, id, "lab"), f->e);
    }
    assert_ok(tag(f, "e-001", "lab"), f->e);
    assert_ok(fixture_revoke(f, "d-009"), f->e);
    struct device_query q = {.revoked = -1, .limit = 7};
    assert_int_equal(walk(f, q), 120);
    q.model = "gw1";
    assert_int_equal(walk(f, q), 100);
    q.version = "2";
    assert_int_equal(walk(f, q), 10);
    q.tag = "lab";
    assert_int_equal(walk(f, q), 4); /* 0, 30, 60, 90 */
    q = (struct device_query){.revoked = -1, .limit = 7, .tag = "lab"};
    assert_int_equal(walk(f, q), 35);
    q.prefix = "e-";
    assert_int_equal(walk(f, q), 1);
    q = (struct device_query){.revoked = -1, .limit = 7, .prefix = "d-01"};
    assert_int_equal(walk(f, q), 10);
    q.prefix = "%"; /* no pattern */
    assert_int_equal(walk(f, q), 0);
    q.prefix = "d-0";
    q.after = "a"; /* before it */
    assert_int_equal(walk(f, q), 100);
    q.after = "d-089";
    assert_int_equal(walk(f, q), 10);
    q.after = "e-001"; /* past it */
    assert_int_equal(walk(f, q), 0);
    q = (struct device_query){.revoked = 1, .limit = 7};
    assert_int_equal(walk(f, q), 1);
    q.revoked = 0;
    assert_int_equal(walk(f, q), 119);
}

static void shows_what_hangs_on_it(void **state)
{
    struct fixture *f = *state;
    struct enrolment en;
    struct device d;
    struct certificate *certificates = NULL;
    size_t count = 0;
    assert_ok(fixture_enrol(f, fixture_token(f, "gw1", NULL, 1), f->key, "gw-1", &en), f->e);
    assert_ok(tag(f, "gw-1", "lab"), f->e);
    assert_ok(tag(f, "gw-1", "berlin"), f->e);
    assert_ok(tag(f, "gw-1", "lab"), f->e);
    seen_touch(f->ota.seen, "gw-1", f->now_ms + 5);
    assert_ok(ota_device_show(&f->ota, f->reader, &f->arena, "gw-1", &d, &certificates, &count, &f->e), f->e);
    assert_int_equal(d.tag_count, 2);
    assert_string_equal(d.tags[0], "berlin");
    assert_string_equal(d.tags[1], "lab");
    assert_int_equal(d.action.id, 0);
    assert_int_equal(d.last_seen_at, f->now_ms + 5);
    assert_int_equal(count, 1);
    assert_string_equal(certificates[0].serial, en.cert.serial);
    assert_null(certificates[0].pem);
    assert_int_equal(ota_device_show(&f->ota, f->reader, &f->arena, "gw-2", &d, &certificates, &count, &f->e),
                     ERR_NOT_FOUND);
    struct tag_call c = {"gw-1", "lab"};
    assert_ok(fixture_write(f, run_untag, &c), f->e);
    assert_ok(fixture_write(f, run_untag, &c), f->e);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM device_tag"), 1);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM event WHERE kind = 'device.untagged'"), 1);
}

static void bounds_tags(void **state)
{
    struct fixture *f = *state;
    assert_ok(fixture_write(f, fill, NULL), f->e);
    for (int i = 0; i < DEVICE_TAGS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        assert_ok(tag(f, "d-000", name), f->e);
    }
    assert_int_equal(tag(f, "d-000", "more"), ERR_CONFLICT);
    assert_ok(tag(f, "d-000", "t3"), f->e);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM device_tag"), DEVICE_TAGS_MAX);
    assert_int_equal(tag(f, "d-000", "a,b"), ERR_INVALID);
    assert_int_equal(tag(f, "d-777", "a"), ERR_NOT_FOUND);
}

static void tells_its_history(void **state)
{
    struct fixture *f = *state;
    assert_ok(fixture_write(f, fill, NULL), f->e);
    for (int i = 0; i < 9; i++) { /* several within one millisecond */
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        f->now_ms += i % 3 == 0;
        assert_ok(tag(f, "d-001", name), f->e);
    }
    assert_ok(tag(f, "d-002", "other"), f->e);
    const char *after = NULL;
    int seen = 9;
    for (size_t count = 1; count > 0;) {
        struct device_history *list = NULL;
        assert_ok(ota_device_history(f->reader, &f->arena, "d-001", after, 2, &list, &count, &f->e), f->e);
        for (size_t i = 0; i < count; i++) {
            char name[16];
            snprintf(name, sizeof name, "t%d", --seen);
            assert_string_equal(list[i].text, name);
            assert_string_equal(list[i].kind, "device.tagged");
            assert_int_equal(list[i].progress, -1);
            after = list[i].cursor;
        }
    }
    assert_int_equal(seen, 0);
    struct device_history *list = NULL;
    size_t count = 0;
    const char *bad[] = {"x", "1", "1.2", "1.2.3.4", "99999999999999999999.0.0", "-1.0.0"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(ota_device_history(f->reader, &f->arena, "d-001", bad[i], 2, &list, &count, &f->e),
                         ERR_INVALID);
}

static int act(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)f;
    (void)arg;
    return db_exec(
        db,
        "INSERT INTO release (pk, name, version, state, created_at, created_by)"
        " VALUES (4, 'gw', '1.4', 'published', 1, 'x');"
        "INSERT INTO deployment (pk, release, target_kind, dynamic, state, created_at, created_by)"
        " VALUES (1, 4, 'all', 1, 'running', 1, 'x'), (2, 4, 'all', 1, 'running', 1, 'x');"
        "INSERT INTO action (pk, deployment, device, release, state, created_at, updated_at, closed_at)"
        " VALUES (7, 1, 1, 4, 'failed', 1, 1, 1), (8, 2, 1, 4, 'installing', 1, 1, NULL),"
        " (9, 1, 2, 4, 'offered', 1, 1, NULL);"
        "INSERT INTO action_status (action, at, state, progress, message) VALUES"
        " (7, 10, 'failed', NULL, 'no power'), (8, 1900000000000, 'installing', 40, 'half'),"
        " (9, 12, 'offered', NULL, 'of another device')",
        e);
}

static int fill_tag(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    char sql[512];
    (void)f;
    snprintf(
        sql, sizeof sql,
        "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
        " INSERT INTO device (id, model, version, created_at)"
        "  SELECT printf('x-%%06d', i), 'gw1', iif(i %% %d = %d, 'rare', '1'), 1 FROM n;"
        "INSERT INTO device_tag (tag, id, device) SELECT 'many', id, pk FROM device WHERE id LIKE 'x-%%'",
        *(int *)arg, DEVICE_SCAN_MAX, DEVICE_SCAN_MAX - 1);
    return db_exec(db, sql, e);
}

/* A page looks at so many of a tag's devices, and says where to go on. */
static void looks_at_so_many(void **state)
{
    struct fixture *f = *state;
    int many = 2 * DEVICE_SCAN_MAX + 100;
    assert_ok(fixture_write(f, fill_tag, &many), f->e);
    struct device_query q = {.revoked = -1, .limit = 500, .tag = "many", .version = "rare"};
    size_t n = 0, pages = 0;
    do {
        struct device *list = NULL;
        const char *looked = NULL;
        size_t count = 0;
        assert_ok(ota_device_list(&f->ota, f->reader, &f->arena, &q, &list, &count, &looked, &f->e), f->e);
        for (size_t i = 0; i < count; i++)
            assert_string_equal(list[i].version, "rare");
        if (looked != NULL && q.after != NULL)
            assert_true(strcmp(q.after, looked) < 0);
        n += count;
        q.after = looked;
        assert_true(pages++ < 4);
    } while (q.after != NULL);
    assert_int_equal(n, 2);
    assert_int_equal(pages, 3);
    q = (struct device_query){.revoked = 0, .limit = 500, .tag = "many", .prefix = "x-04"};
    assert_int_equal(walk(f, q), 101); /* the prefix ends what is looked at */
}

static void shows_its_last_action(void **state)
{
    struct fixture *f = *state;
    struct device_query q = {.revoked = -1, .limit = 2};
    struct device *list = NULL;
    const char *looked = NULL;
    struct device_history *entries = NULL;
    size_t count = 0;
    assert_ok(fixture_write(f, fill, NULL), f->e);
    assert_ok(tag(f, "d-000", "lab"), f->e);
    assert_ok(fixture_write(f, act, NULL), f->e);
    assert_ok(ota_device_list(&f->ota, f->reader, &f->arena, &q, &list, &count, &looked, &f->e), f->e);
    assert_int_equal(count, 2);
    assert_null(looked);
    assert_int_equal(list[0].action.id, 8);
    assert_string_equal(list[0].action.state, "installing");
    assert_int_equal(list[0].action.release, 4);
    assert_string_equal(list[0].action.release_version, "1.4");
    assert_int_equal(list[1].action.id, 9);
    assert_ok(ota_device_history(f->reader, &f->arena, "d-000", NULL, 10, &entries, &count, &f->e), f->e);
    assert_int_equal(count, 3);
    assert_string_equal(entries[0].kind, "status");
    assert_int_equal(entries[0].progress, 40);
    assert_int_equal(entries[0].action, 8);
    assert_int_equal(entries[0].deployment, 2);
    assert_int_equal(entries[0].release, 4);
    assert_string_equal(entries[0].release_name, "gw");
    assert_string_equal(entries[0].release_version, "1.4");
    assert_string_equal(entries[1].kind, "device.tagged");
    assert_int_equal(entries[1].deployment, 0);
    assert_int_equal(entries[1].release, 0);
    assert_null(entries[1].release_name);
    assert_string_equal(entries[2].text, "no power");
    assert_string_equal(entries[2].state, "failed");
}

static void revokes_all_certificates(void **state)
{
    struct fixture *f = *state;
    struct enrolment en;
    struct renewal r;
    struct identity who;
    EVP_PKEY *key = fixture_key(f);
    assert_ok(fixture_enrol(f, fixture_token(f, "gw1", NULL, 1), f->key, "gw-1", &en), f->e);
    assert_ok(fixture_call(f, &en.cert, "gw-1", &who), f->e);
    f->now_ms += 61 * DAY_MS;
    assert_ok(fixture_renew(f, &who, key, &r), f->e);
    assert_ok(fixture_revoke(f, "gw-1"), f->e);
    assert_ok(fixture_revoke(f, "gw-1"), f->e);
    assert_int_equal(fixture_call(f, &en.cert, "gw-1", &who), ERR_UNAUTHENTICATED);
    assert_int_equal(fixture_call(f, &r.cert, "gw-1", &who), ERR_UNAUTHENTICATED);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM certificate WHERE revoked_at IS NOT NULL"
                                    " AND reason = 'stolen' AND pem IS NULL"),
                     2);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM event WHERE kind = 'device.revoked'"), 1);
    assert_int_equal(fixture_revoke(f, "gw-9"), ERR_NOT_FOUND);
    pki_key_free(key);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lists_in_pages_and_filters), TEST(shows_what_hangs_on_it), TEST(bounds_tags),
        TEST(tells_its_history),          TEST(looks_at_so_many),       TEST(shows_its_last_action),
        TEST(revokes_all_certificates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
