#include "fixture.h"

#include "store/events.h"
#include "store/migrations.h"
#include "store/outbox.h"

struct call {
    int what;
    enum outbox_kind kind;
    int64_t a, b;
};
enum { PUT, ADVANCE, DONE, CURSOR, EVENT };

static int run_call(struct db *db, void *arg, struct err *e)
{
    const struct call *c = arg;
    switch (c->what) {
    case PUT:
        return store_outbox_put(db, c->kind, c->a, c->b, e);
    case ADVANCE:
        return store_outbox_advance(db, c->a, c->b, e);
    case DONE:
        return store_outbox_done(db, c->a, e);
    case CURSOR:
        return store_outbox_event_cursor_set(db, c->a, e);
    default:
        return store_event_add(db, c->a, "x.y", "anna", "thing", "detail", e);
    }
}

static void call(struct fixture *f, int what, enum outbox_kind kind, int64_t a, int64_t b)
{
    struct call c = {what, kind, a, b};
    assert_ok(store_write_now(f->store, run_call, &c, &f->e), f->e);
}

static size_t next(struct fixture *f, int64_t after, struct outbox_row out[16])
{
    struct db *db = NULL;
    size_t n = 0;
    assert_ok(store_reader_new(f->store, &db, &f->e), f->e);
    assert_ok(store_outbox_next(db, after, 16, out, &n, &f->e), f->e);
    assert_true(db_idle(db));
    store_reader_free(db);
    return n;
}

static struct outbox_row deployment(struct fixture *f)
{
    struct db *db = NULL;
    struct outbox_row row;
    assert_ok(store_reader_new(f->store, &db, &f->e), f->e);
    assert_ok(store_outbox_deployment(db, &row, &f->e), f->e);
    assert_true(db_idle(db));
    store_reader_free(db);
    return row;
}

static void one_row_a_thing(void **state)
{
    struct fixture *f = *state;
    struct outbox_row rows[16];
    fixture_open(f);
    assert_int_equal(next(f, 0, rows), 0);
    call(f, PUT, OUTBOX_DEVICE, 7, 1000);
    call(f, PUT, OUTBOX_RELEASE, 7, 1001);
    call(f, PUT, OUTBOX_DEPLOYMENT, 7, 1002);
    assert_int_equal(next(f, 0, rows), 2);
    int64_t first = rows[0].pk;
    assert_int_equal(rows[0].kind, OUTBOX_DEVICE);
    assert_int_equal(rows[1].kind, OUTBOX_RELEASE);
    assert_int_equal(rows[1].ref, 7);

    call(f, PUT, OUTBOX_DEVICE, 7, 1003); /* it changed again while it was being sent */
    assert_int_equal(next(f, 0, rows), 2);
    assert_int_equal(rows[0].kind, OUTBOX_RELEASE);
    assert_int_equal(rows[1].kind, OUTBOX_DEVICE);
    assert_true(rows[1].pk > first);
    call(f, DONE, OUTBOX_DEVICE, first, 0); /* the old receipt */
    assert_int_equal(next(f, 0, rows), 2);
    assert_int_equal(next(f, rows[0].pk, rows), 1);
    call(f, DONE, OUTBOX_DEVICE, rows[0].pk, 0);
    assert_int_equal(next(f, 0, rows), 1);
    assert_int_equal(rows[0].kind, OUTBOX_RELEASE);
}

static void a_number_is_not_given_twice(void **state)
{
    struct fixture *f = *state;
    struct outbox_row rows[16];
    fixture_open(f);
    call(f, PUT, OUTBOX_DEVICE, 1, 1000);
    assert_int_equal(next(f, 0, rows), 1);
    int64_t first = rows[0].pk;
    call(f, DONE, OUTBOX_DEVICE, first, 0);
    call(f, PUT, OUTBOX_DEVICE, 1, 1000);
    assert_int_equal(next(f, 0, rows), 1);
    assert_true(rows[0].pk > first);
}

static void deployments_in_their_order(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    assert_int_equal(deployment(f).pk, 0);
    call(f, PUT, OUTBOX_DEPLOYMENT, 5, 1000);
    call(f, PUT, OUTBOX_DEPLOYMENT, 4, 1000);
    struct outbox_row row = deployment(f);
    assert_int_equal(row.ref, 5);
    assert_int_equal(row.position, 0);
    call(f, ADVANCE, OUTBOX_DEPLOYMENT, row.pk, 300);
    call(f, ADVANCE, OUTBOX_DEPLOYMENT, row.pk, 200); /* never back */
    assert_int_equal(deployment(f).position, 300);
    call(f, PUT, OUTBOX_DEPLOYMENT, 5, 1000); /* cancelled: from the start, after the other one */
    call(f, ADVANCE, OUTBOX_DEPLOYMENT, row.pk, 400);
    assert_int_equal(deployment(f).ref, 4);
    call(f, DONE, OUTBOX_DEPLOYMENT, deployment(f).pk, 0);
    assert_int_equal(deployment(f).ref, 5);
    assert_int_equal(deployment(f).position, 0);
}

static void waiting_is_counted(void **state)
{
    struct fixture *f = *state;
    struct db *db = NULL;
    int64_t n = -1, oldest = -1, events = -1, cursor = 0;
    fixture_open(f);
    assert_ok(store_reader_new(f->store, &db, &f->e), f->e);
    assert_ok(store_outbox_waiting(db, &n, &oldest, &f->e), f->e);
    assert_int_equal(n, 0);
    assert_int_equal(oldest, 0);
    call(f, PUT, OUTBOX_DEVICE, 1, 1000);
    call(f, PUT, OUTBOX_DEVICE, 2, 2000);
    assert_ok(store_outbox_waiting(db, &n, &oldest, &f->e), f->e);
    assert_int_equal(n, 2);
    assert_int_equal(oldest, 1000);

    assert_ok(store_outbox_event_cursor(db, &cursor, &f->e), f->e);
    assert_int_equal(cursor, -1);
    call(f, EVENT, OUTBOX_DEVICE, 1, 0);
    call(f, EVENT, OUTBOX_DEVICE, 2, 0);
    assert_ok(store_outbox_events_waiting(db, &events, &f->e), f->e);
    assert_int_equal(events, 0);
    call(f, CURSOR, OUTBOX_DEVICE, 0, 0);
    assert_ok(store_outbox_events_waiting(db, &events, &f->e), f->e);
    assert_int_equal(events, 2);
    call(f, CURSOR, OUTBOX_DEVICE, 1, 0);
    assert_ok(store_outbox_events_waiting(db, &events, &f->e), f->e);
    assert_int_equal(events, 1);
    call(f, CURSOR, OUTBOX_DEVICE, -1, 0);
    assert_ok(store_outbox_event_cursor(db, &cursor, &f->e), f->e);
    assert_int_equal(cursor, -1);
    store_reader_free(db);
}

static void count_news(void *ctx)
{
    ++*(_Atomic int *)ctx;
}

static void news_come_after_the_commit(void **state)
{
    struct fixture *f = *state;
    _Atomic int news = 0;
    fixture_open(f);
    store_on_news(f->store, count_news, &news);
    assert_ok(store_write_now(f->store, fixture_put, "a", &f->e), f->e);
    call(f, CURSOR, OUTBOX_DEVICE, 0, 0);
    assert_int_equal(news, 0);
    call(f, PUT, OUTBOX_DEVICE, 1, 1000);
    call(f, CURSOR, OUTBOX_DEVICE, 1, 0); /* what was before is told by now */
    assert_int_equal(news, 1);
    call(f, EVENT, OUTBOX_DEVICE, 1, 0);
    call(f, CURSOR, OUTBOX_DEVICE, 2, 0);
    assert_int_equal(news, 2);
    store_on_news(f->store, NULL, NULL);
    call(f, PUT, OUTBOX_DEVICE, 1, 1000);
    assert_int_equal(news, 2);
}

static int fill_old(struct db *db, void *arg, struct err *e)
{
    (void)arg;
    return db_exec(
        db,
        "INSERT INTO device (id, model, created_at) VALUES ('d1', 'gw', 1), ('d2', 'gw', 2);"
        "INSERT INTO certificate (issuer, serial, fingerprint, key_id, device, not_before, not_after,"
        " issued_at) VALUES ('i', '1', 'f', 'k', 1, 1, 2, 3);"
        "INSERT INTO event (at, kind, who, subject) VALUES (1, 'a.b', 'anna', 's');",
        e);
}

static void made_by_the_migration(void **state)
{
    struct fixture *f = *state;
    struct outbox_row rows[16];
    assert_ok(store_open_with(&f->options, migrations, 2, &f->store, &f->e), f->e);
    assert_ok(store_write_now(f->store, fill_old, NULL, &f->e), f->e);
    fixture_reopen(f);
    assert_int_equal(fixture_ask(f, "PRAGMA user_version"), migrations[migration_count - 1].number);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM device"), 2);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM event"), 1);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM certificate WHERE sha1 IS NULL"), 1);
    assert_int_equal(next(f, 0, rows), 0); /* what was before is not announced */
    call(f, PUT, OUTBOX_DEVICE, 2, 1000);
    fixture_reopen(f);
    assert_int_equal(next(f, 0, rows), 1);
    assert_int_equal(rows[0].ref, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_row_a_thing, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_number_is_not_given_twice, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(deployments_in_their_order, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(waiting_is_counted, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(news_come_after_the_commit, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(made_by_the_migration, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("store/outbox", tests, NULL, NULL);
}
