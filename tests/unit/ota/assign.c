/* Modules, sets of them, assigning them, and taking all of that away again. */
#include "ota/assign.h"

#include "ota/modules.h"
#include "ota/retention.h"
#include "ota/settings.h"
#include "ota/targets.h"
#include "release_fixture.h"

static const struct ddi_settings file = {.enabled = true, .poll_seconds = 300, .model = "generic"};

static int setup(void **state)
{
    assert_int_equal(release_setup(state), 0);
    struct fixture *f = *state;
    settings_set_file(f->ota.settings, &file);
    return 0;
}

/* --- what is called in the writer -------------------------------------------------------------------- */

struct work {
    enum {
        MODULE,
        FILE_ADD,
        ROOM,
        SET,
        SET_DELETE,
        MODULE_DELETE,
        ASSIGN,
        CANCEL,
        REMOVE,
        RETENTION,
        DDI
    } what;
    int64_t id;
    const char *name;
    const int64_t *modules;
    size_t count;
    struct assignment list[4];
    bool flag, locked, full;
    struct assigned done;
};

static int run_work(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    struct work *w = arg;
    struct module m;
    struct set s;
    int rc = 0;
    switch (w->what) {
    case MODULE:
        rc = ota_module_create(
            &f->ota, db, &f->arena, "anna",
            &(struct module_new){.name = str_of(w->name), .version = STR("1"), .type = STR("os")}, &m, e);
        w->id = rc == 0 ? m.pk : 0;
        return rc;
    case FILE_ADD:
        return ota_module_add_file(
            &f->ota, db, &f->arena, "anna",
            &(struct module_artifact){.module = w->id, .filename = w->name, .sha256 = HASH_A, .size = 10}, e);
    case ROOM:
        return ota_module_room(db, &f->arena, w->id, &w->locked, &w->full, e);
    case SET:
        rc = ota_set_create(&f->ota, db, &f->arena, "anna",
                            &(struct set_new){.name = str_of(w->name),
                                              .version = STR("1"),
                                              .type = STR("os"),
                                              .modules = w->modules,
                                              .module_count = w->count},
                            &s, e);
        w->id = rc == 0 ? s.release.pk : 0;
        return rc;
    case SET_DELETE:
        return ota_set_delete(&f->ota, db, &f->arena, "anna", w->id, e);
    case MODULE_DELETE:
        return ota_module_delete(&f->ota, db, &f->arena, "anna", w->id, e);
    case ASSIGN:
        return ota_assign(&f->ota, db, &f->arena, "anna", w->id, w->list, w->count, &w->done, e);
    case CANCEL:
        return ota_action_cancel(&f->ota, db, &f->arena, "anna", w->name, w->id, w->flag, e);
    case REMOVE:
        return ota_target_remove(&f->ota, db, &f->arena, &f->admin, w->name, e);
    case RETENTION:
        return ota_retention_slice(&f->ota, db, f->now_ms, &w->flag, e);
    case DDI:
        return db_exec(db, "UPDATE device SET interface = 'ddi'", e);
    }
    return ERR_INTERNAL;
}

static int64_t make_module(struct fixture *f, const char *name)
{
    struct work w = {.what = MODULE, .name = name};
    assert_ok(fixture_write(f, run_work, &w), f->e);
    struct work add = {.what = FILE_ADD, .id = w.id, .name = "f.bin"};
    assert_ok(fixture_write(f, run_work, &add), f->e);
    return w.id;
}

static int64_t make_set(struct fixture *f, const char *name, int64_t module)
{
    struct work w = {.what = SET, .name = name, .modules = &module, .count = 1};
    assert_ok(fixture_write(f, run_work, &w), f->e);
    return w.id;
}

static int try_assign(struct fixture *f, int64_t set, const char *device, struct work *w)
{
    *w = (struct work){.what = ASSIGN, .id = set, .count = 1, .list = {{device, ota_assign_policy()}}};
    return fixture_write(f, run_work, w);
}

static int64_t assign(struct fixture *f, int64_t set, const char *device)
{
    struct work w;
    assert_ok(try_assign(f, set, device, &w), f->e);
    assert_int_equal(w.done.count, 1);
    return w.done.actions[0];
}

static int simple(struct fixture *f, int what, int64_t id, const char *name, bool flag)
{
    struct work w = {.what = (unsigned)what, .id = id, .name = name, .flag = flag};
    return fixture_write(f, run_work, &w);
}

/* --- tests ------------------------------------------------------------------------------------------- */

static void test_a_second_person(void **state)
{
    struct fixture *f = *state;
    struct work w;
    add_device(f, "d1", "generic");
    int64_t set = make_set(f, "s", make_module(f, "m"));
    f->ota.approval = true;
    assert_ok(try_assign(f, set, "d1", &w), f->e);
    assert_int_equal(w.done.approval, 1);
    assert_int_equal(w.done.count, 0);
    assert_int_equal(ask(f, "SELECT count(*) FROM action"), 0);
    assert_int_equal(ask(f, "SELECT count(*) FROM deployment WHERE state = 'approval'"), 1);
}

static void test_downwards_and_the_same_version(void **state)
{
    struct fixture *f = *state;
    add_device(f, "d1", "generic");
    int64_t first = make_set(f, "first", make_module(f, "m1"));
    int64_t second = make_set(f, "second", make_module(f, "m2")); /* both of the version "1" */
    int64_t action = assign(f, second, "d1");
    assert_int_equal(assert_offered(f, "d1", "0", second), action);
    assert_ok(try_report(f, "d1", action, ACTION_SUCCEEDED, "1"), f->e);
    action = assign(f, first, "d1");
    assert_int_equal(assert_offered(f, "d1", "1", first), action);
    assert_int_equal(ask(f, "SELECT count(*) FROM deployment WHERE state = 'finished'"), 1);
}

/* One that confirms a cancel has both open; one that does not has the first closed. */
static void test_what_is_under_way(void **state)
{
    struct fixture *f = *state;
    add_device(f, "d1", "generic");
    int64_t one = make_set(f, "one", make_module(f, "m1")), two = make_set(f, "two", make_module(f, "m2"));
    int64_t first = assign(f, one, "d1");
    int64_t second = assign(f, two, "d1");
    assert_string_equal(ask_text(f, "SELECT state FROM action WHERE pk = %lld", (long long)first),
                        "cancelled");
    assert_ok(simple(f, DDI, 0, NULL, false), f->e);
    int64_t third = assign(f, one, "d1");
    assert_string_equal(ask_text(f, "SELECT state FROM action WHERE pk = %lld", (long long)second),
                        "cancelling");
    assert_int_equal(simple(f, CANCEL, second, "d1", false), ERR_GONE);
    assert_int_equal(simple(f, CANCEL, third, "d1", true), ERR_GONE);
    assert_ok(simple(f, CANCEL, second, "d1", true), f->e);
    assert_int_equal(simple(f, CANCEL, second, "d1", true), ERR_GONE);
    assert_int_equal(simple(f, CANCEL, third, "d2", false), ERR_NOT_FOUND);
    assert_int_equal(ask(f, "SELECT count(*) FROM action WHERE closed_at IS NULL"), 1);
}

/* What devices need stays until they have it. */
static void test_files_go_when_nobody_needs_them(void **state)
{
    struct fixture *f = *state;
    add_device(f, "d1", "generic");
    int64_t module = make_module(f, "m"), set = make_set(f, "s", module);
    int64_t action = assign(f, set, "d1");
    assert_ok(simple(f, SET_DELETE, set, NULL, false), f->e);
    assert_ok(simple(f, MODULE_DELETE, module, NULL, false), f->e);
    assert_ok(simple(f, RETENTION, 0, NULL, false), f->e);
    assert_int_equal(ask(f, "SELECT count(*) FROM module_artifact"), 1);
    assert_int_equal(assert_offered(f, "d1", "0", set), action);
    assert_ok(try_report(f, "d1", action, ACTION_SUCCEEDED, "1"), f->e);
    assert_ok(simple(f, RETENTION, 0, NULL, false), f->e);
    assert_int_equal(ask(f, "SELECT count(*) FROM module_artifact"), 0);
    assert_int_equal(ask(f, "SELECT count(*) FROM artifact"), 0);
    assert_int_equal(ask(f, "SELECT count(*) FROM module"), 1); /* its name stays taken */
}

static void test_a_module_in_two_sets(void **state)
{
    struct fixture *f = *state;
    int64_t module = make_module(f, "m"), one = make_set(f, "one", module), two = make_set(f, "two", module);
    assert_ok(simple(f, MODULE_DELETE, module, NULL, false), f->e);
    assert_ok(simple(f, SET_DELETE, one, NULL, false), f->e);
    assert_int_equal(ask(f, "SELECT count(*) FROM module_artifact"), 1);
    assert_ok(simple(f, SET_DELETE, two, NULL, false), f->e);
    assert_int_equal(ask(f, "SELECT count(*) FROM module_artifact"), 0);
}

/* The files of a module that is left are for other sets. */
static void test_a_set_goes_without_its_modules(void **state)
{
    struct fixture *f = *state;
    int64_t module = make_module(f, "m");
    assert_ok(simple(f, SET_DELETE, make_set(f, "one", module), NULL, false), f->e);
    assert_ok(simple(f, RETENTION, 0, NULL, false), f->e);
    assert_int_equal(ask(f, "SELECT count(*) FROM module_artifact"), 1);
    int64_t set = make_set(f, "two", module);
    assert_ok(try_unpublish(f, set), f->e); /* by the native interface */
    assert_int_equal(ask(f, "SELECT count(*) FROM module_artifact"), 1);
}

/* By this interface or the native one. */
static void test_a_firmware_goes_with_its_module(void **state)
{
    struct fixture *f = *state;
    struct release one = publish(f, "one", "1", "generic"), two = publish(f, "two", "1", "generic");
    assert_int_equal(ask(f, "SELECT count(*) FROM module WHERE deleted_at IS NULL"), 2);
    assert_ok(simple(f, SET_DELETE, one.pk, NULL, false), f->e);
    assert_int_equal(ask(f, "SELECT count(*) FROM module_artifact"), 1);
    assert_ok(try_unpublish(f, two.pk), f->e);
    assert_int_equal(ask(f, "SELECT count(*) FROM module_artifact"), 0);
    assert_int_equal(ask(f, "SELECT count(*) FROM artifact"), 0);
    assert_int_equal(ask(f, "SELECT count(*) FROM module WHERE deleted_at IS NULL"), 0);
}

static void assert_room(struct fixture *f, int64_t module, bool full)
{
    struct work w = {.what = ROOM, .id = module};
    assert_ok(fixture_write(f, run_work, &w), f->e);
    assert_false(w.locked);
    assert_int_equal(w.full, full);
}

/* However many sets have the module, or had it. */
static void test_a_module_is_full(void **state)
{
    struct fixture *f = *state;
    int64_t module = make_module(f, "m"); /* with one file */
    for (int i = 1; i < RELEASE_ARTIFACTS_MAX; i++) {
        assert_room(f, module, false);
        const char *name = arena_printf(&f->arena, "f%d.bin", i);
        assert_ok(simple(f, FILE_ADD, module, name, false), f->e);
    }
    assert_room(f, module, true);
    int64_t set = make_set(f, "s", module);
    assert_room(f, module, true);
    assert_ok(simple(f, SET_DELETE, set, NULL, false), f->e);
    assert_room(f, module, true);
}

static void test_a_set_that_others_are_to_get(void **state)
{
    struct fixture *f = *state;
    int64_t set = make_set(f, "s", make_module(f, "m"));
    int64_t deployment = deploy(f, set, TARGET_MODEL, "generic");
    assert_int_equal(simple(f, SET_DELETE, set, NULL, false), ERR_CONFLICT);
    assert_non_null(strstr(f->e.text, "cancel it first"));
    cancel(f, deployment);
    assert_ok(simple(f, SET_DELETE, set, NULL, false), f->e);
}

static void test_a_device_goes_with_all_of_its_own(void **state)
{
    struct fixture *f = *state;
    int64_t pk = add_device(f, "d1", "generic");
    add_device(f, "d2", "generic");
    add_tag(f, "d1", "t");
    struct work w = {.what = ASSIGN,
                     .id = make_set(f, "s", make_module(f, "m")),
                     .count = 2,
                     .list = {{"d1", ota_assign_policy()}, {"d2", ota_assign_policy()}}};
    assert_ok(fixture_write(f, run_work, &w), f->e);
    assert_ok(simple(f, REMOVE, 0, "d1", false), f->e);
    static const char *const tables[] = {"action", "member", "device_tag"};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(ask(f, "SELECT count(*) FROM %s WHERE device = %lld", tables[i], (long long)pk), 0);
    assert_int_equal(ask(f, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    assert_int_equal(ask(f, "SELECT n FROM tally WHERE name = 'devices'"), 1);
    assert_int_equal(simple(f, REMOVE, 0, "d1", false), ERR_NOT_FOUND);
    assert_ok(try_report(f, "d2", w.done.actions[1], ACTION_SUCCEEDED, "1"), f->e);
    assert_int_equal(ask(f, "SELECT count(*) FROM deployment WHERE state = 'finished'"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_second_person, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_downwards_and_the_same_version, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_what_is_under_way, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_files_go_when_nobody_needs_them, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_module_in_two_sets, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_set_goes_without_its_modules, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_firmware_goes_with_its_module, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_module_is_full, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_set_that_others_are_to_get, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_device_goes_with_all_of_its_own, setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
