/* The latest release and versions' sequences as kept with a connection: never older than the database. */
#include "fixture.h"

#include <sqlite3.h>

#include "store/db.h"
#include "store/releases.h"

static int statements;

static int count_statement(unsigned type, void *ctx, void *p, void *x)
{
    (void)ctx, (void)p, (void)x;
    statements += type == SQLITE_TRACE_STMT;
    return 0;
}

struct add {
    const char *version;
    const char *model;
};

static int add_run(struct db *db, void *arg, struct err *e)
{
    const struct add *add = arg;
    struct release r = {.name = "gw",
                        .version = add->version,
                        .notes = "",
                        .created_by = "test",
                        .state = RELEASE_PUBLISHED,
                        .created_at = 1,
                        .published_at = 1};
    int64_t sequence;
    int rc = store_release_add(db, &r, &r.pk, e);
    if (rc == 0)
        rc = store_sequence_next(db, add->model, &sequence, e);
    return rc != 0 ? rc : store_release_add_model(db, &r, add->model, sequence, e);
}

static void add(struct fixture *f, const char *version, const char *model)
{
    struct err e = {0};
    struct add a = {version, model};
    assert_ok(store_write_now(f->store, add_run, &a, &e), e);
}

/* A store, and a reader whose statements are counted. */
struct kept {
    struct fixture *f;
    struct db *db;
    struct arena a;
    struct release r;
};

static int kept_setup(void **state)
{
    struct kept *k = calloc(1, sizeof *k);
    assert_non_null(k);
    assert_int_equal(fixture_setup((void **)&k->f), 0);
    fixture_open(k->f);
    arena_init(&k->a, 8 << 20);
    assert_ok(store_reader_new(k->f->store, &k->db, &k->f->e), k->f->e);
    sqlite3_trace_v2(db_raw(k->db), SQLITE_TRACE_STMT, count_statement, NULL);
    *state = k;
    return 0;
}

static int kept_teardown(void **state)
{
    struct kept *k = *state;
    store_reader_free(k->db);
    arena_fini(&k->a);
    fixture_teardown((void **)&k->f);
    free(k);
    return 0;
}

/* As a handler asks: something else first, then the latest; answers how many statements that took. */
static int ask(struct kept *k, const char *model)
{
    struct db *db = k->db;
    struct err e = {0};
    bool known;
    assert_ok(db_read_begin(db, &e), e);
    assert_ok(store_model_known(db, model, &known, &e), e);
    statements = 0;
    assert_ok(store_release_latest_whole(db, &k->a, model, &k->r, &e), e);
    int n = statements;
    db_read_end(db);
    assert_true(db_idle(db));
    return n;
}

static void test_kept_until_something_changes(void **state)
{
    struct kept *k = *state;
    add(k->f, "1", "m");
    assert_in_range(ask(k, "m"), 1, 10);
    assert_string_equal(k->r.version, "1");
    assert_int_equal(ask(k, "m"), 0);
    assert_string_equal(k->r.version, "1");
    assert_int_equal(k->r.model_count, 1);
    assert_string_equal(k->r.models[0], "m");
    assert_int_equal(k->r.sequence, 1);
    add(k->f, "2", "m");
    assert_in_range(ask(k, "m"), 1, 10);
    assert_string_equal(k->r.version, "2");
    add(k->f, "3", "other"); /* anything that is written */
    assert_in_range(ask(k, "m"), 1, 10);
    assert_int_equal(ask(k, "m"), 0);
    assert_string_equal(k->r.version, "2");
}

static void test_of_a_device(void **state)
{
    struct kept *k = *state;
    struct err e = {0};
    char path[PATH_MAX];
    add(k->f, "1", "m");
    fixture_exec(fixture_path(k->f, "pqota.db", path),
                 "INSERT INTO device (id, model, created_at) VALUES ('d', 'm', 1), ('e', 'none', 1)");
    for (int i = 1; i < 4; i++) {
        char version[8];
        snprintf(version, sizeof version, "%d", i);
        statements = 0;
        assert_ok(store_release_latest_of(k->db, &k->a, "d", &k->r, &e), e);
        assert_in_range(statements, 2, 10);
        statements = 0;
        assert_ok(store_release_latest_of(k->db, &k->a, "d", &k->r, &e), e);
        assert_int_equal(statements, 1); /* the device alone */
        assert_string_equal(k->r.version, version);
        assert_true(db_idle(k->db));
        snprintf(version, sizeof version, "%d", i + 1);
        add(k->f, version, "m");
    }
    assert_int_equal(store_release_latest_of(k->db, &k->a, "e", &k->r, &e), ERR_NOT_FOUND);
    assert_int_equal(store_release_latest_of(k->db, &k->a, "x", &k->r, &e), ERR_NOT_FOUND);
    assert_true(db_idle(k->db));
}

/* A restore is another process. */
static void test_changed_by_another_process(void **state)
{
    struct kept *k = *state;
    add(k->f, "1", "m");
    ask(k, "m");
    char path[PATH_MAX];
    fixture_exec(fixture_path(k->f, "pqota.db", path), "UPDATE release SET notes = 'changed'");
    ask(k, "m");
    assert_string_equal(k->r.notes, "changed");
}

/* The writer sees what it has not committed yet, and keeps nothing of it. */
static int write_and_look(struct db *db, void *arg, struct err *e)
{
    (void)arg;
    struct release r;
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    for (int i = 0; i < 3; i++) {
        char version[8];
        snprintf(version, sizeof version, "%d", i);
        struct add next = {version, "m"};
        int rc = add_run(db, &next, e);
        if (rc == 0)
            rc = store_release_latest_whole(db, &a, "m", &r, e);
        if (rc != 0)
            return rc;
        assert_string_equal(r.version, version);
    }
    return err_set(e, ERR_INVALID, "undone");
}

static void test_writer(void **state)
{
    struct kept *k = *state;
    struct err e = {0};
    add(k->f, "first", "m");
    assert_int_equal(store_write_now(k->f->store, write_and_look, NULL, &e), ERR_INVALID);
    ask(k, "m");
    assert_string_equal(k->r.version, "first");
}

static void test_many_models(void **state)
{
    struct kept *k = *state;
    char name[16];
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "m%d", i);
        add(k->f, name, name);
    }
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 200; i++) {
            snprintf(name, sizeof name, "m%d", i);
            ask(k, name);
            assert_string_equal(k->r.version, name);
        }
}

/* --- sequences --------------------------------------------------------------------------------------- */

static int ask_sequence(struct kept *k, const char *model, const char *version, int64_t *out)
{
    struct err e = {0};
    bool known;
    assert_ok(db_read_begin(k->db, &e), e);
    assert_ok(store_model_known(k->db, model, &known, &e), e);
    statements = 0;
    assert_ok(store_sequence_of_version(k->db, model, version, out, &e), e);
    int n = statements;
    db_read_end(k->db);
    return n;
}

static void test_sequences_until_something_changes(void **state)
{
    struct kept *k = *state;
    int64_t n;
    add(k->f, "1", "m");
    assert_int_equal(ask_sequence(k, "m", "1", &n), 1);
    assert_int_equal(n, 1);
    assert_int_equal(ask_sequence(k, "m", "1", &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(ask_sequence(k, "m", "2", &n), 1);
    assert_int_equal(n, 0);
    assert_int_equal(ask_sequence(k, "m", "2", &n), 0); /* that there is none is known too */
    add(k->f, "2", "m");
    assert_int_equal(ask_sequence(k, "m", "2", &n), 1);
    assert_int_equal(n, 2);
    assert_int_equal(ask_sequence(k, "m", "1", &n), 1); /* anything that is written */
    assert_int_equal(ask_sequence(k, "m", "1", &n), 0);
    assert_int_equal(n, 1);
    /* Without a transaction nothing says that it is the same state still. */
    statements = 0;
    struct err e = {0};
    assert_ok(store_sequence_of_version(k->db, "m", "1", &n, &e), e);
    assert_int_equal(statements, 1);
}

/* More than are kept, and longer than what is kept: each is told right. */
static void test_many_sequences(void **state)
{
    struct kept *k = *state;
    char name[16], wide[200];
    int64_t n;
    for (int i = 1; i <= 200; i++) {
        snprintf(name, sizeof name, "%d", i);
        add(k->f, name, "m");
    }
    for (int round = 0; round < 2; round++)
        for (int i = 1; i <= 200; i++) {
            snprintf(name, sizeof name, "%d", i);
            ask_sequence(k, "m", name, &n);
            assert_int_equal(n, i);
        }
    memset(wide, 'v', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    for (int round = 0; round < 2; round++) {
        assert_int_equal(ask_sequence(k, "m", wide, &n), 1);
        assert_int_equal(ask_sequence(k, wide, "1", &n), 1);
        assert_int_equal(n, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kept_until_something_changes, kept_setup, kept_teardown),
        cmocka_unit_test_setup_teardown(test_of_a_device, kept_setup, kept_teardown),
        cmocka_unit_test_setup_teardown(test_changed_by_another_process, kept_setup, kept_teardown),
        cmocka_unit_test_setup_teardown(test_writer, kept_setup, kept_teardown),
        cmocka_unit_test_setup_teardown(test_many_models, kept_setup, kept_teardown),
        cmocka_unit_test_setup_teardown(test_sequences_until_something_changes, kept_setup, kept_teardown),
        cmocka_unit_test_setup_teardown(test_many_sequences, kept_setup, kept_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
