#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

/* One job: about 256 KiB of pages that change each time. */
static int write_much(struct db *db, void *arg, struct err *e)
{
    (void)arg;
    return db_exec(db,
                   "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 64) "
                   "INSERT OR REPLACE INTO meta SELECT i, hex(randomblob(2000)) FROM n",
                   e);
}

static int64_t wal_bytes(struct fixture *f)
{
    struct store_health h;
    store_health(f->store, &h);
    return h.wal_bytes;
}

static void the_log_stays_small_under_load(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    int64_t most = 0;
    for (int i = 0; i < 800; i++) { /* writes some 230 MiB in all */
        assert_ok(store_write_now(f->store, write_much, NULL, &f->e), f->e);
        int64_t now = wal_bytes(f);
        most = now > most ? now : most;
    }
    assert_true(most >= CHECKPOINT_PASSIVE_BYTES);
    assert_true(most <= CHECKPOINT_TRUNCATE_BYTES + (16 << 20));
}

static void a_reader_that_holds_it_up_only_holds_it_up(void **state)
{
    struct fixture *f = *state;
    struct db *db = NULL;
    int64_t v = 0;
    fixture_open(f);
    assert_ok(store_reader_new(f->store, &db, &f->e), f->e);
    assert_ok(db_read_begin(db, &f->e), f->e);
    assert_ok(db_get_i64(db, "SELECT count(*) FROM meta", &v, &f->e), f->e);
    for (int i = 0; i < 360; i++) /* past the second limit, while nothing can be cut off */
        assert_ok(store_write_now(f->store, write_much, NULL, &f->e), f->e);
    assert_true(wal_bytes(f) > CHECKPOINT_TRUNCATE_BYTES);
    assert_ok(db_get_i64(db, "SELECT count(*) FROM meta", &v, &f->e), f->e);
    assert_int_equal(v, 0);
    db_read_end(db);
    store_reader_free(db);
    int64_t now = wal_bytes(f);
    for (int i = 0; i < 100 && now > CHECKPOINT_PASSIVE_BYTES * 4; i++) {
        assert_ok(store_write_now(f->store, write_much, NULL, &f->e), f->e);
        now = wal_bytes(f);
    }
    assert_true(now <= CHECKPOINT_PASSIVE_BYTES * 4);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM meta"), 64);
}

static void closing_leaves_one_file(void **state)
{
    struct fixture *f = *state;
    char path[PATH_MAX];
    fixture_open(f);
    assert_ok(store_write_now(f->store, write_much, NULL, &f->e), f->e);
    assert_true(file_exists(fixture_path(f, "pqota.db-wal", path)));
    fixture_close(f);
    assert_false(file_exists(path));
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_log_stays_small_under_load),
        T(a_reader_that_holds_it_up_only_holds_it_up),
        T(closing_leaves_one_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
