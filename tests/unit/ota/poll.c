/* Polls against a real store: what is offered, and that a poll which changes nothing writes nothing. */
#include "release_fixture.h"

#include <stdio.h>

#include <sqlite3.h>

#include "store/db_open.h"
#include "store/actions.h"
#include "store/asking.h"
#include "store/candidates.h"
#include "store/deployments.h"

static void test_nothing(void **state)
{
    struct fixture *f = *state;
    bool wrote;
    add_device(f, "d1", "m");
    publish(f, "gw", "1", "m");
    assert_false(poll_device(f, "d1", NULL, &wrote).update);
    assert_false(wrote);
    assert_false(poll_device(f, "d1", "1", &wrote).update); /* the version is new to us */
    assert_true(wrote);
    assert_string_equal(ask_text(f, "SELECT version FROM device"), "1");
    assert_false(poll_device(f, "d1", "1", &wrote).update);
    assert_false(wrote);
    struct poll_answer a;
    struct poll_question q = {.device = "d2", .version = STR("1")};
    assert_int_equal(ota_poll(&f->ota, f->reader, false, &f->arena, &q, &a, &f->e), ERR_NOT_FOUND);
    q = (struct poll_question){.device = "d1", .version = STR("a b")};
    assert_int_equal(ota_poll(&f->ota, f->reader, false, &f->arena, &q, &a, &f->e), ERR_INVALID);
}

static void test_offered_until_closed(void **state)
{
    struct fixture *f = *state;
    bool wrote;
    add_device(f, "d1", "m");
    publish(f, "gw", "1", "m");
    struct release two = publish(f, "gw", "2", "m");
    assert_nothing(f, "d1", "1");
    deploy(f, two.pk, TARGET_MODEL, "m");
    struct poll_answer a = poll_device(f, "d1", "1", &wrote);
    assert_true(wrote);
    assert_true(a.update);
    assert_int_equal(a.action.state, ACTION_OFFERED);
    assert_string_equal(a.release.version, "2");
    struct poll_answer again = poll_device(f, "d1", "1", &wrote);
    assert_false(wrote);
    assert_int_equal(again.action.pk, a.action.pk);
    assert_ok(try_report(f, "d1", a.action.pk, ACTION_DOWNLOADING, NULL), f->e);
    again = poll_device(f, "d1", "1", &wrote);
    assert_false(wrote);
    assert_int_equal(again.action.state, ACTION_DOWNLOADING);
    assert_ok(try_report(f, "d1", a.action.pk, ACTION_SUCCEEDED, "2"), f->e);
    assert_false(poll_device(f, "d1", "2", &wrote).update);
    assert_false(wrote);
    assert_string_equal(ask_text(f, "SELECT version_before FROM action"), "1");
}

static void test_every_target(void **state)
{
    struct fixture *f = *state;
    add_device(f, "d1", "m");
    add_device(f, "d2", "m");
    add_device(f, "d3", "n");
    add_tag(f, "d2", "beta");
    add_tag(f, "d3", "beta");
    struct release one = publish(f, "gw", "1", "m"), two = publish(f, "gw", "2", "m");
    deploy(f, one.pk, TARGET_DEVICE, "d1");
    deploy(f, two.pk, TARGET_TAG, "beta");
    assert_offered(f, "d1", NULL, one.pk);
    assert_offered(f, "d2", NULL, two.pk);
    assert_nothing(f, "d3", NULL); /* tagged, but the release does not fit it */
    struct release three = publish(f, "cam", "3", "n");
    deploy(f, three.pk, TARGET_ALL, "");
    assert_offered(f, "d3", NULL, three.pk);
    assert_offered(f, "d1", NULL, one.pk);
}

static void test_not_again_after_failure(void **state)
{
    struct fixture *f = *state;
    add_device(f, "d1", "m");
    struct release one = publish(f, "gw", "1", "m"), two = publish(f, "gw", "2", "m");
    deploy(f, one.pk, TARGET_MODEL, "m");
    deploy(f, two.pk, TARGET_MODEL, "m");
    int64_t action = assert_offered(f, "d1", "0", two.pk);
    assert_ok(try_report(f, "d1", action, ACTION_FAILED, "0"), f->e);
    action = assert_offered(f, "d1", "0", one.pk); /* the older one is left */
    assert_ok(try_report(f, "d1", action, ACTION_FAILED, "0"), f->e);
    assert_nothing(f, "d1", "0");
    deploy(f, two.pk, TARGET_DEVICE, "d1"); /* a new deployment is a new chance */
    assert_offered(f, "d1", "0", two.pk);
}

static void test_superseded(void **state)
{
    struct fixture *f = *state;
    bool wrote;
    add_device(f, "d1", "m");
    struct release one = publish(f, "gw", "1", "m"), two = publish(f, "gw", "2", "m");
    deploy(f, one.pk, TARGET_ALL, "");
    int64_t first = assert_offered(f, "d1", "0", one.pk);
    int64_t d = deploy(f, two.pk, TARGET_ALL, "");
    int64_t second = assert_offered(f, "d1", "0", two.pk);
    assert_int_not_equal(first, second);
    char text[64];
    snprintf(text, sizeof text, "superseded by deployment %lld", (long long)d);
    assert_string_equal(ask_text(f, "SELECT message FROM action WHERE state = 'cancelled'"), text);
    assert_int_equal(ask(f, "SELECT count(*) FROM action WHERE closed_at IS NULL"), 1);
    assert_int_equal(try_report(f, "d1", first, ACTION_DOWNLOADING, NULL), ERR_GONE);
    poll_device(f, "d1", "0", &wrote);
    assert_false(wrote);
    /* What is installing goes on. */
    assert_ok(try_report(f, "d1", second, ACTION_INSTALLING, NULL), f->e);
    struct release three = publish(f, "gw", "3", "m");
    deploy(f, three.pk, TARGET_ALL, "");
    assert_int_equal(assert_offered(f, "d1", "0", two.pk), second);
    assert_ok(try_report(f, "d1", second, ACTION_SUCCEEDED, "2"), f->e);
    assert_offered(f, "d1", "2", three.pk);
}

static void test_downgrade(void **state)
{
    struct fixture *f = *state;
    struct deployment d;
    add_device(f, "d1", "m");
    add_device(f, "late", "m");
    struct release one = publish(f, "gw", "1", "m"), two = publish(f, "gw", "2", "m");
    deploy(f, one.pk, TARGET_ALL, "");
    assert_nothing(f, "d1", "2");
    assert_ok(try_deploy(f, one.pk, TARGET_ALL, "", true, &d), f->e);
    int64_t action = assert_offered(f, "d1", "2", one.pk);
    assert_ok(try_report(f, "d1", action, ACTION_SUCCEEDED, "1"), f->e);
    deploy(f, two.pk, TARGET_ALL, "");
    /* One that was away follows the newest order, and the old one does not take it down again. */
    action = assert_offered(f, "late", "1", two.pk);
    assert_ok(try_report(f, "late", action, ACTION_SUCCEEDED, "2"), f->e);
    assert_nothing(f, "late", "2");
}

static void test_cancelled(void **state)
{
    struct fixture *f = *state;
    bool wrote;
    add_device(f, "d1", "m");
    struct release one = publish(f, "gw", "1", "m");
    int64_t d = deploy(f, one.pk, TARGET_ALL, "");
    assert_offered(f, "d1", "0", one.pk);
    cancel(f, d);
    assert_false(poll_device(f, "d1", "0", &wrote).update);
    assert_false(wrote);
}

/* Deployments of other models, however many, do not hide the device's own. */
static void test_others_do_not_hide(void **state)
{
    struct fixture *f = *state;
    add_device(f, "d1", "m");
    struct release mine = publish(f, "gw", "1", "m"), other = publish(f, "cam", "1", "n");
    deploy(f, mine.pk, TARGET_ALL, "");
    for (int i = 0; i < CANDIDATES_MAX + 2; i++)
        deploy(f, other.pk, TARGET_ALL, "");
    assert_offered(f, "d1", "0", mine.pk);
}

static void test_all_tags(void **state)
{
    struct fixture *f = *state;
    char tag[16];
    add_device(f, "d1", "m");
    struct release one = publish(f, "gw", "1", "m");
    for (int i = 0; i < DEVICE_TAGS_MAX; i++) {
        snprintf(tag, sizeof tag, "t%02d", i);
        add_tag(f, "d1", tag);
        for (int k = 0; k < 2; k++)
            deploy(f, one.pk, TARGET_TAG, tag);
    }
    int64_t newest = ask(f, "SELECT max(pk) FROM deployment");
    assert_offered(f, "d1", "0", one.pk);
    assert_int_equal(ask(f, "SELECT deployment FROM action"), newest);
}

/* However many deployments there are, a poll looks at so many and no more; more that devices may join are
   refused. */
static void test_bound(void **state)
{
    struct fixture *f = *state;
    int64_t device = add_device(f, "d1", "m");
    struct release one = publish(f, "gw", "1", "m");
    for (int k = 0; k < CANDIDATES_MAX + 3; k++)
        deploy(f, one.pk, TARGET_DEVICE, "d1");
    struct candidate *found = NULL;
    size_t count = 0;
    assert_ok(store_candidates(f->reader, &f->arena, device, "m", &found, &count, &f->e), f->e);
    assert_int_equal(count, CANDIDATES_MAX);
    assert_int_equal(found[0].deployment, ask(f, "SELECT max(pk) FROM deployment"));
    for (int k = 0; k < RUNNING_MAX; k++)
        deploy(f, one.pk, TARGET_TAG, "t");
    struct deployment d;
    assert_int_equal(try_deploy(f, one.pk, TARGET_ALL, "", false, &d), ERR_CONFLICT);
    assert_non_null(strstr(f->e.text, "256 deployments"));
    assert_ok(try_deploy(f, one.pk, TARGET_DEVICE, "d1", false, &d), f->e);
}

/* Orders older than the one that took a device back do not take it up again, tried or not. */
static void test_moved_back(void **state)
{
    struct fixture *f = *state;
    struct deployment d;
    add_device(f, "d1", "m");
    struct release one = publish(f, "gw", "1", "m"), two = publish(f, "gw", "2", "m"),
                   three = publish(f, "gw", "3", "m"), four = publish(f, "gw", "4", "m");
    deploy(f, two.pk, TARGET_ALL, ""); /* never tried: the next one is newer */
    deploy(f, three.pk, TARGET_ALL, "");
    int64_t action = assert_offered(f, "d1", "0", three.pk);
    assert_ok(try_report(f, "d1", action, ACTION_SUCCEEDED, "3"), f->e);
    assert_ok(try_deploy(f, one.pk, TARGET_ALL, "", true, &d), f->e);
    action = assert_offered(f, "d1", "3", one.pk);
    assert_ok(try_report(f, "d1", action, ACTION_SUCCEEDED, "1"), f->e);
    assert_nothing(f, "d1", "1");
    int64_t up = deploy(f, four.pk, TARGET_ALL, "");
    action = assert_offered(f, "d1", "1", four.pk);
    assert_ok(try_report(f, "d1", action, ACTION_FAILED, "1"), f->e);
    assert_nothing(f, "d1", "1");
    cancel(f, up);
    deploy(f, two.pk, TARGET_ALL, ""); /* anew: that counts */
    assert_offered(f, "d1", "1", two.pk);
}

/* What the statements of the reader did since they were last asked. */
static int64_t spent(struct fixture *f, int what)
{
    int64_t sum = 0;
    for (sqlite3_stmt *s = sqlite3_next_stmt(db_raw(f->reader), NULL); s != NULL;
         s = sqlite3_next_stmt(db_raw(f->reader), s))
        sum += sqlite3_stmt_status(s, what, 1);
    return sum;
}

static int64_t cost_of_poll(struct fixture *f)
{
    bool wrote;
    poll_device(f, "d1", "1", &wrote); /* what runs is remembered from here on */
    spent(f, SQLITE_STMTSTATUS_VM_STEP);
    poll_device(f, "d1", "1", &wrote);
    assert_false(wrote);
    assert_int_equal(spent(f, SQLITE_STMTSTATUS_FULLSCAN_STEP), 0);
    assert_int_equal(spent(f, SQLITE_STMTSTATUS_SORT), 0);
    assert_int_equal(spent(f, SQLITE_STMTSTATUS_AUTOINDEX), 0);
    return spent(f, SQLITE_STMTSTATUS_VM_STEP);
}

/* A poll costs the same however many devices, releases and deployments there are. */
static void test_cost_does_not_grow(void **state)
{
    struct fixture *f = *state;
    char text[32];
    bool wrote;
    add_device(f, "d1", "m");
    add_tag(f, "d1", "beta");
    struct release one = publish(f, "gw", "1", "m");
    for (int i = 0; i < 4; i++) {
        deploy(f, one.pk, TARGET_ALL, "");
        deploy(f, one.pk, TARGET_TAG, "beta");
    }
    poll_device(f, "d1", "1", &wrote);
    int64_t few = cost_of_poll(f);
    for (int i = 0; i < 40; i++) {
        snprintf(text, sizeof text, "e%d", i);
        add_device(f, text, "m");
        add_tag(f, text, "beta");
        snprintf(text, sizeof text, "x%d", i);
        publish(f, text, "1", "n");
        deploy(f, one.pk, TARGET_ALL, "");
        deploy(f, one.pk, TARGET_MODEL, "m");
        deploy(f, one.pk, TARGET_TAG, "beta");
    }
    int64_t many = cost_of_poll(f);
    if (many > few + few / 2) /* the model's deployments are new, all else is as it was */
        fail_msg("a poll took %lld steps, and with more of everything %lld", (long long)few, (long long)many);
}

/* --- what was read before ---------------------------------------------------------------------------- */

static int run_sql(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)f;
    return db_exec(db, arg, e);
}

static void change(struct fixture *f, const char *sql)
{
    assert_ok(fixture_write(f, run_sql, (void *)(uintptr_t)sql), f->e);
}

static struct asking read_before(struct fixture *f)
{
    struct asking k;
    assert_ok(store_asking(f->reader, &f->arena, "d1", ASKING_DDI, &k, &f->e), f->e);
    return k;
}

/* What one statement says is what each question says. */
static void test_flags(void **state)
{
    struct fixture *f = *state;
    add_device(f, "d1", "m");
    struct release one = publish(f, "gw", "1", "m");
    deploy(f, one.pk, TARGET_ALL, "");
    int64_t installed, action = assert_offered(f, "d1", "0", one.pk);
    struct asking k = read_before(f);
    assert_true(k.has_action && k.has_member);
    assert_int_equal(k.installed, 0);
    assert_ok(try_report(f, "d1", action, ACTION_SUCCEEDED, "1"), f->e);
    k = read_before(f);
    assert_false(k.has_action || k.has_member);
    assert_string_equal(k.device.version, "1");
    assert_int_equal(k.installed, action);
    change(f, "UPDATE device SET version = 'other'");
    assert_int_equal(read_before(f).installed, 0);
    change(f, "UPDATE device SET version = NULL");
    assert_int_equal(read_before(f).installed, action);
    assert_ok(store_action_installed(f->reader, k.device.pk, NULL, &installed, &f->e), f->e);
    assert_int_equal(installed, action);
}

/* When it was seen last is asked for when a filter asks for it: the device is kept without it. */
static void test_seen(void **state)
{
    struct fixture *f = *state;
    add_device(f, "d1", "m");
    struct release one = publish(f, "gw", "1", "m");
    change(f, "UPDATE device SET last_seen_at = 2000000000000");
    deploy(f, one.pk, TARGET_FILTER, "last_seen<2001-01-01T00:00:00Z");
    assert_nothing(f, "d1", NULL);
    assert_nothing(f, "d1", NULL);
    change(f, "UPDATE device SET last_seen_at = 1000");
    assert_offered(f, "d1", NULL, one.pk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_offered_until_closed, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_every_target, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_not_again_after_failure, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_superseded, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_downgrade, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_cancelled, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_others_do_not_hide, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_all_tags, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_bound, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_moved_back, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_cost_does_not_grow, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_flags, release_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_seen, release_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("ota/poll", tests, NULL, NULL);
}
