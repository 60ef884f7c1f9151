/* What happened, and from where. */
#include "fixture.h"

#include "store/events.h"

static int add(struct db *db, void *arg, struct err *e)
{
    const char *address = arg;
    db_set_origin(db, str_of(address));
    int rc = store_event_add(db, 1000, "device.tagged", "anna", "d1", NULL, e);
    db_set_origin(db, STR(""));
    return rc;
}

static int add_by_itself(struct db *db, void *arg, struct err *e)
{
    (void)arg;
    return store_event_add(db, 2000, "deployment.started", "server", "deployment/1", "it was time", e);
}

static void it_says_from_where(void **state)
{
    struct fixture *f = *state;
    static char ipv4[] = "192.0.2.1", ipv6[] = "2001:db8::1", longest[100];
    memset(longest, 'x', sizeof longest - 1);
    fixture_open(f);
    assert_ok(store_write_now(f->store, add, ipv4, &f->e), f->e);
    assert_ok(store_write_now(f->store, add, ipv6, &f->e), f->e);
    assert_ok(store_write_now(f->store, add_by_itself, NULL, &f->e), f->e);
    assert_ok(store_write_now(f->store, add, longest, &f->e), f->e);
    struct db *db = NULL;
    struct event *list = NULL;
    size_t count = 0;
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    assert_ok(store_reader_new(f->store, &db, &f->e), f->e);
    assert_ok(store_event_list(db, &a, NULL, NULL, 0, 10, &list, &count, &f->e), f->e);
    assert_int_equal(count, 4);
    assert_int_equal(strlen(list[0].address), DB_ORIGIN_MAX - 1);
    assert_string_equal(list[1].address, ""); /* what the one before came from is not carried over */
    assert_string_equal(list[1].detail, "it was time");
    assert_string_equal(list[2].address, "2001:db8::1");
    assert_string_equal(list[3].address, "192.0.2.1");
    static const char *const subject[] = {NULL, "d1"}, *const kind[] = {NULL, "device.tagged"};
    for (int i = 1; i < 4; i++) {
        assert_ok(store_event_list(db, &a, subject[i & 1], kind[i >> 1], 3, 10, &list, &count, &f->e), f->e);
        assert_int_equal(count, 2);
        assert_string_equal(list[1].address, "192.0.2.1");
    }
    assert_ok(store_event_after(db, &a, 1, 1, &list, &count, &f->e), f->e);
    assert_int_equal(count, 1);
    assert_string_equal(list[0].address, "2001:db8::1");
    store_reader_free(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_says_from_where, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("store/events", tests, NULL, NULL);
}
