/* The director's decisions: one signature each, never an older one, never for what nobody vouches for. */
#include "director_fixture.h"

#include <sqlite3.h>

#include "store/db_open.h"

/* --- decisions ------------------------------------------------------------------------------------------ */

static void one_signature_a_decision(void **state)
{
    struct fixture *f = *state;
    struct director_named first = director_fetch(f);
    assert_named(first, "", true);
    assert_int_equal(first.version, f->now_ms / 1000);
    assert_int_equal(first.expires_s, f->now_ms / 1000 + LIFE_S);
    struct director_named again = director_fetch(f);
    assert_named(again, "", false);
    assert_true(str_eq(first.text, again.text));

    struct release one = director_publish(f, "1");
    assert_named(director_fetch(f), "", false); /* published is not decided */
    deploy(f, one.pk, TARGET_ALL, "");
    int64_t action = assert_offered(f, "d1", "0", one.pk);
    struct director_named offered = director_fetch(f);
    assert_named(offered, "m/gw/1/image.bin", true);
    assert_int_equal(offered.length, 1000);
    assert_int_equal(offered.version, first.version + 1); /* within the same second */
    for (int i = 0; i < 5; i++) {
        f->now_ms += 60000;
        assert_offered(f, "d1", "0", one.pk);
        assert_named(director_fetch(f), "m/gw/1/image.bin", false);
    }
    assert_ok(try_report(f, "d1", action, ACTION_DOWNLOADING, NULL), f->e);
    assert_named(director_fetch(f), "m/gw/1/image.bin", false);
    assert_ok(try_report(f, "d1", action, ACTION_SUCCEEDED, "1"), f->e);
    again = director_fetch(f); /* still the same release */
    assert_named(again, "m/gw/1/image.bin", false);
    assert_int_equal(again.version, offered.version);
    assert_int_equal(director_count(f, DIRECTOR_TARGETS), 4);
    assert_int_equal(director_count(f, DIRECTOR_MANIFEST), 0); /* nobody asked */
    assert_int_equal(ask(f, "SELECT count(*) FROM director"), 1);
    assert_int_equal(ask(f, "SELECT release FROM director"), one.pk);
}

static void after_a_failure_what_ran(void **state)
{
    struct fixture *f = *state;
    struct release one = director_publish(f, "1"), two = director_publish(f, "2"),
                   three = director_publish(f, "3");
    director_install(f, &one, "0");
    assert_named(director_fetch(f), "m/gw/1/image.bin", true);
    deploy(f, two.pk, TARGET_ALL, "");
    int64_t action = assert_offered(f, "d1", "1", two.pk);
    struct director_named tried = director_fetch(f);
    assert_named(tried, "m/gw/2/image.bin", true);
    assert_ok(try_report(f, "d1", action, ACTION_FAILED, "1"), f->e);
    struct director_named back = director_fetch(f);
    assert_named(back, "m/gw/1/image.bin", true);
    assert_true(back.version > tried.version);

    int64_t called_off = deploy(f, three.pk, TARGET_ALL, "");
    assert_offered(f, "d1", "1", three.pk);
    assert_named(director_fetch(f), "m/gw/3/image.bin", true);
    cancel(f, called_off);
    assert_named(director_fetch(f), "m/gw/1/image.bin", true);

    /* Called off, and not closed yet: over, unless the device is at it. */
    static char close_later[] = "UPDATE deployment SET state = 'cancelled'";
    struct release four = director_publish(f, "4"), five = director_publish(f, "5");
    deploy(f, four.pk, TARGET_ALL, "");
    assert_offered(f, "d1", "1", four.pk);
    assert_named(director_fetch(f), "m/gw/4/image.bin", true);
    director_sql(f, close_later);
    assert_named(director_fetch(f), "m/gw/1/image.bin", true);
    deploy(f, five.pk, TARGET_ALL, "");
    action = assert_offered(f, "d1", "1", five.pk);
    assert_ok(try_report(f, "d1", action, ACTION_INSTALLING, NULL), f->e);
    assert_named(director_fetch(f), "m/gw/5/image.bin", true);
    director_sql(f, close_later);
    assert_named(director_fetch(f), "m/gw/5/image.bin", false);
}

static void only_what_is_vouched_for(void **state)
{
    struct fixture *f = *state;
    static char unmark[] = "UPDATE release_model SET signed = 0",
                another[] = "INSERT INTO module_artifact (module, filename, sha256) SELECT module, "
                            "'more.bin', sha256 FROM module_artifact",
                one_again[] = "DELETE FROM module_artifact WHERE filename = 'more.bin'",
                drop[] = "UPDATE release SET deleted_at = 1",
                restore[] = "UPDATE release SET deleted_at = NULL",
                mark[] = "UPDATE release_model SET signed = 1", move[] = "UPDATE device SET model = 'other'";
    struct release one = director_publish(f, "1");
    director_install(f, &one, "0");
    assert_named(director_fetch(f), "m/gw/1/image.bin", true);
    director_sql(f, unmark);
    assert_named(director_fetch(f), "", true);
    director_sql(f, mark);
    director_sql(f, another); /* all files of a release */
    assert_named(director_fetch(f), "m/gw/1/image.bin m/gw/1/more.bin", true);
    director_sql(f, one_again);
    assert_named(director_fetch(f), "m/gw/1/image.bin", true);
    director_sql(f, drop);
    assert_named(director_fetch(f), "", true);
    director_sql(f, restore);
    assert_named(director_fetch(f), "m/gw/1/image.bin", true);
    director_sql(f, move); /* the release is not for that model */
    assert_named(director_fetch(f), "", true);
}

/* --- time and keys -------------------------------------------------------------------------------------- */

static void anew_when_a_third_is_left(void **state)
{
    struct fixture *f = *state;
    struct director_named first = director_fetch(f);
    f->now_ms = first.expires_s * 1000 - THIRD_MS - 1000;
    assert_named(director_fetch(f), "", false);
    f->now_ms += 1000;
    struct director_named second = director_fetch(f);
    assert_named(second, "", true);
    assert_int_equal(second.version, f->now_ms / 1000);
    assert_int_equal(second.expires_s, f->now_ms / 1000 + LIFE_S);
    f->now_ms -= 600000; /* a clock that is set right a little */
    assert_named(director_fetch(f), "", false);
    f->now_ms -= 7200000; /* a file from the future would live too long */
    struct director_named third = director_fetch(f);
    assert_named(third, "", true);
    assert_int_equal(third.version, second.version + 1);
}

static void anew_by_new_keys(void **state)
{
    struct fixture *f = *state;
    char other[128];
    struct director_named first = director_fetch(f);
    director_make_keys(f, "other", director_pair, 2, other);
    director_use_keys(f, other, NULL);
    struct director_named second = director_fetch(f);
    assert_named(second, "", true);
    assert_true(second.version > first.version);
    director_use_keys(f, NULL, NULL); /* lost: what there is is handed out to its end */
    f->now_ms = second.expires_s * 1000 - 1;
    assert_named(director_fetch(f), "", false);
    f->now_ms += 1;
    struct director_work w;
    assert_int_equal(director_try_fetch(f, DIRECTOR_TARGETS, "d1", &w), ERR_NOT_FOUND);
    assert_non_null(strstr(f->e.text, "[trust] director_key"));
}

static int run_restored(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)arg;
    return store_set_restored_at(db, f->now_ms / 1000, e);
}

static void anew_after_a_restore(void **state)
{
    struct fixture *f = *state;
    director_fetch(f);
    f->now_ms += 5000;
    assert_ok(fixture_write(f, run_restored, NULL), f->e);
    struct director_named n = director_fetch(f);
    assert_named(n, "", true);
    assert_int_equal(n.version, f->now_ms / 1000 + DIRECTOR_AHEAD_S + 1);
    assert_named(director_fetch(f), "", false);
    f->now_ms += 5000; /* once more, before the clock caught up */
    assert_ok(fixture_write(f, run_restored, NULL), f->e);
    assert_int_equal(director_fetch(f).version, n.version + 5);
}

/* --- several at once ------------------------------------------------------------------------------------ */

static void whoever_comes_second_takes_the_first(void **state)
{
    struct fixture *f = *state;
    struct director_work a = {.kind = DIRECTOR_TARGETS, .device = "d1"}, b = a, c = a;
    assert_int_equal(ota_director_look(&f->ota, f->reader, false, &f->arena, &c, &f->e), DIRECTOR_UPGRADE);
    assert_ok(director_try_look(f, &a), f->e);
    assert_ok(director_try_look(f, &b), f->e);
    assert_ok(ota_director_sign(&f->ota, &f->arena, &a, &f->e), f->e);
    f->now_ms += 3000;
    assert_ok(ota_director_sign(&f->ota, &f->arena, &b, &f->e), f->e);
    assert_ok(fixture_write(f, director_run_store, &b), f->e);
    assert_ok(fixture_write(f, director_run_store, &a), f->e);
    assert_true(str_eq(a.text, b.text));
    /* Who waited for the writer only finds it there. */
    assert_ok(fixture_write(f, director_run_look, &c), f->e);
    assert_true(str_eq(c.text, b.text));
    assert_int_equal(director_count(f, DIRECTOR_TARGETS), 4);
}

static void an_old_decision_is_not_stored(void **state)
{
    struct fixture *f = *state;
    struct director_work slow = {.kind = DIRECTOR_TARGETS, .device = "d1"};
    assert_ok(director_try_look(f, &slow), f->e);
    assert_ok(ota_director_sign(&f->ota, &f->arena, &slow, &f->e), f->e);
    struct release one = director_publish(f, "1");
    director_install(f, &one, "0");
    assert_int_equal(fixture_write(f, director_run_store, &slow), ERR_BUSY);
    assert_int_equal(ask(f, "SELECT count(*) FROM director"), 0);
    struct director_named n = director_fetch(f);
    assert_named(n, "m/gw/1/image.bin", true);
    assert_int_equal(fixture_write(f, director_run_store, &slow), 0); /* and now there is a file to take */
    assert_true(str_eq(slow.text, n.text));
}

static void nor_one_below_what_was_stored(void **state)
{
    struct fixture *f = *state;
    struct director_work slow = {.kind = DIRECTOR_TARGETS, .device = "d1"};
    struct release one = director_publish(f, "1");
    assert_ok(director_try_look(f, &slow), f->e);
    assert_ok(ota_director_sign(&f->ota, &f->arena, &slow, &f->e), f->e);
    int64_t deployment = deploy(f, one.pk, TARGET_ALL, "");
    assert_offered(f, "d1", "0", one.pk);
    struct director_named between = director_fetch(f);
    assert_named(between, "m/gw/1/image.bin", true);
    cancel(f, deployment); /* nothing to run again, as the slow one says */
    assert_int_equal(fixture_write(f, director_run_store, &slow), ERR_BUSY);
    struct director_named n = director_fetch(f);
    assert_named(n, "", true);
    assert_true(n.version > between.version);
}

/* --- who and what --------------------------------------------------------------------------------------- */

static void no_such_device(void **state)
{
    struct fixture *f = *state;
    struct director_work w;
    static char revoke[] = "UPDATE device SET revoked_at = 1";
    assert_int_equal(director_try_fetch(f, DIRECTOR_TARGETS, "d2", &w), ERR_NOT_FOUND);
    assert_string_equal(f->e.text, "there is no device \"d2\"");
    director_sql(f, revoke);
    assert_int_equal(director_try_fetch(f, DIRECTOR_TARGETS, "d1", &w), ERR_GONE);
    assert_int_equal(director_count(f, DIRECTOR_TARGETS), 0);
}

/* What a reader was asked finds its rows by indices, a few each. */
static void by_index(void **state)
{
    struct fixture *f = *state;
    struct release one = director_publish(f, "1"), two = director_publish(f, "2");
    struct director_work w;
    director_install(f, &one, "0");
    struct db *db = NULL;
    assert_ok(store_reader_new(f->store, &db, &f->e), f->e);
    for (int i = 0; i < 2; i++) {
        for (int kind = 0; kind < DIRECTOR_KINDS; kind++) {
            w = (struct director_work){.kind = (enum director_kind)kind, .device = "d1"};
            int rc = ota_director_look(&f->ota, db, false, &f->arena, &w, &f->e);
            assert_int_equal(rc, kind == DIRECTOR_TARGETS ? DIRECTOR_UPGRADE : ERR_NOT_FOUND);
        }
        deploy(f, two.pk, TARGET_ALL, "");
        assert_offered(f, "d1", "1", two.pk);
    }
    for (sqlite3_stmt *it = NULL; (it = sqlite3_next_stmt(db_raw(db), it)) != NULL;) {
        char text[4096];
        if (sqlite3_stmt_isexplain(it) != 0 || strncmp(sqlite3_sql(it), "SELECT", 6) != 0)
            continue;
        snprintf(text, sizeof text, "EXPLAIN QUERY PLAN %s", sqlite3_sql(it));
        struct stmt plan;
        assert_ok(db_prepare_once(db, &plan, text, &f->e), f->e);
        while (stmt_step(&plan, &f->e) == STMT_ROW)
            if (strstr((const char *)sqlite3_column_text(plan.raw, 3), "SCAN ") != NULL)
                fail_msg("%s\n%s", sqlite3_sql(it), sqlite3_column_text(plan.raw, 3));
        stmt_done(&plan);
    }
    store_reader_free(db);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, director_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(one_signature_a_decision),
        TEST(after_a_failure_what_ran),
        TEST(only_what_is_vouched_for),
        TEST(anew_when_a_third_is_left),
        TEST(anew_by_new_keys),
        TEST(anew_after_a_restore),
        TEST(whoever_comes_second_takes_the_first),
        TEST(an_old_decision_is_not_stored),
        TEST(nor_one_below_what_was_stored),
        TEST(no_such_device),
        TEST(by_index),
    };
    return cmocka_run_group_tests_name("ota/director", tests, NULL, NULL);
}
