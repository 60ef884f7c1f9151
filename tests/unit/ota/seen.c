#include "identity_fixture.h"

#include <stdio.h>

#include "store/devices.h"

#define DEVICES 1203

static int add_all(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)arg;
    for (int i = 0; i < DEVICES; i++) {
        char id[16];
        int64_t pk;
        snprintf(id, sizeof id, "d-%d", i);
        int rc = store_device_add(db, id, "gw1", f->now_ms, &pk, e);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int flush(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    int rc = seen_flush(f->ota.seen, db, 1, e);
    *(int *)arg = rc;
    return rc < 0 ? rc : 0;
}

/* When the device was seen, as far as the memory knows. */
static int64_t noted(struct fixture *f, const char *id)
{
    struct device d = {.id = id};
    seen_show(f->ota.seen, &d, 0);
    return d.last_seen_at;
}

static void is_flushed_in_slices(void **state)
{
    struct fixture *f = *state;
    int left = 1, slices = 0;
    assert_ok(fixture_write(f, add_all, NULL), f->e);
    for (int i = 0; i < DEVICES; i++) {
        char id[16];
        snprintf(id, sizeof id, "d-%d", i);
        seen_touch(f->ota.seen, id, 1000 + i);
        seen_touch(f->ota.seen, id, 500); /* an earlier time changes nothing */
    }
    seen_touch(f->ota.seen, "gone", 7); /* no such device */
    assert_int_equal(noted(f, "d-5"), 1005);
    while (left > 0) {
        assert_ok(fixture_write(f, flush, &left), f->e);
        slices++;
    }
    assert_int_equal(slices, 3);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM device WHERE last_seen_at = 1000 + substr(id, 3)"),
                     DEVICES);
    assert_int_equal(noted(f, "d-5"), 0);
    seen_touch(f->ota.seen, "d-5", 10); /* the database knows better */
    assert_ok(fixture_write(f, flush, &left), f->e);
    assert_int_equal(fixture_ask(f, "SELECT last_seen_at FROM device WHERE id = 'd-5'"), 1005);
}

static int break_flush(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    int rc = db_exec(db, "ALTER TABLE device RENAME TO elsewhere", e);
    return rc != 0 ? rc : flush(f, db, arg, e);
}

static void is_kept_when_the_flush_fails(void **state)
{
    struct fixture *f = *state;
    int left = 0;
    assert_ok(fixture_write(f, add_all, NULL), f->e);
    seen_touch(f->ota.seen, "d-1", 77);
    assert_true(fixture_write(f, break_flush, &left) < 0);
    assert_int_equal(noted(f, "d-1"), 77);
    assert_ok(fixture_write(f, flush, &left), f->e);
    assert_int_equal(fixture_ask(f, "SELECT last_seen_at FROM device WHERE id = 'd-1'"), 77);
}

/* What is shown of a device is what was noted last, stored or not. */
static void is_shown_over_what_is_stored(void **state)
{
    struct fixture *f = *state;
    struct device d = {.id = "d-1", .last_seen_at = 9, .transport = "plain", .reason = 1, .reason_at = 8};
    seen_show(f->ota.seen, &d, 20);
    assert_int_equal(d.last_seen_at, 9);
    assert_int_equal(d.reason_at, 8);
    assert_string_equal(d.transport, "plain");
    seen_touch(f->ota.seen, "d-1", 15);
    seen_reason(f->ota.seen, "d-1", 3, 1LL << 40, true);
    seen_transport(f->ota.seen, "d-1", "classical", false); /* as is stored, and nothing was noted */
    seen_show(f->ota.seen, &d, 20);
    assert_string_equal(d.transport, "plain");
    seen_transport(f->ota.seen, "d-1", "pq", true);
    seen_show(f->ota.seen, &d, 20);
    assert_int_equal(d.last_seen_at, 15);
    assert_int_equal(d.reason, 3);
    assert_int_equal(d.reason_deployment, 1LL << 40);
    assert_int_equal(d.reason_at, 20);
    assert_string_equal(d.transport, "pq");
    seen_transport(f->ota.seen, "d-1", "plain", false); /* the last word counts, stored or not */
    seen_show(f->ota.seen, &d, 20);
    assert_string_equal(d.transport, "plain");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(is_flushed_in_slices),
        TEST(is_kept_when_the_flush_fails),
        TEST(is_shown_over_what_is_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
