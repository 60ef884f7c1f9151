/* What a poll begins with, as a reader keeps it: never older than the last commit. */
#include "fixture.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "store/asking.h"
#include "store/changes.h"

static int statements;

static int count_statement(unsigned type, void *ctx, void *p, void *x)
{
    (void)ctx, (void)p, (void)x;
    statements += type == SQLITE_TRACE_STMT;
    return 0;
}

#define DEVICES 6

static char some[] =
    "INSERT INTO release (pk, name, version, state, created_at, created_by) VALUES"
    " (1, 'gw', '1', 'signed', 1, 'anna'), (2, 'gw', '2', 'signed', 1, 'anna');"
    "INSERT INTO deployment (pk, release, target_kind, dynamic, state, phases, retries, created_at,"
    " created_by) VALUES (1, 1, 'all', 1, 'running', 2, 3, 1, 'anna'), (2, 2, 'all', 1, 'running', 1, 3, 1,"
    " 'anna');"
    "INSERT INTO device (pk, id, model, created_at) VALUES (1, 'd1', 'gw', 1), (2, 'd2', 'gw', 1),"
    " (3, 'd3', 'gw', 1), (4, 'd4', 'gw', 1), (5, 'd5', 'gw', 1), (6, 'd6', 'gw', 1);";

struct looker {
    struct fixture *f;
    struct db *keeps, *reads; /* a reader that keeps, and one that does not */
    struct arena a;
};

static int run_sql(struct db *db, void *arg, struct err *e)
{
    return db_exec(db, arg, e);
}

static void change(struct looker *l, char *sql)
{
    assert_ok(store_write_now(l->f->store, run_sql, sql, &l->f->e), l->f->e);
}

static int looker_setup(void **state)
{
    struct looker *l = calloc(1, sizeof *l);
    assert_non_null(l);
    assert_int_equal(fixture_setup((void **)&l->f), 0);
    fixture_open(l->f);
    change(l, some);
    arena_init(&l->a, 8 << 20);
    assert_ok(store_reader_new(l->f->store, &l->keeps, &l->f->e), l->f->e);
    assert_ok(store_reader_new(l->f->store, &l->reads, &l->f->e), l->f->e);
    db_follow(l->reads, NULL);
    sqlite3_trace_v2(db_raw(l->keeps), SQLITE_TRACE_STMT, count_statement, NULL);
    *state = l;
    return 0;
}

static int looker_teardown(void **state)
{
    struct looker *l = *state;
    store_reader_free(l->keeps);
    store_reader_free(l->reads);
    arena_fini(&l->a);
    fixture_teardown((void **)&l->f);
    free(l);
    return 0;
}

/* How many statements it took. */
static int ask(struct looker *l, const char *id, enum asking_for what, struct asking *k)
{
    statements = 0;
    assert_ok(store_asking(l->keeps, &l->a, id, what, k, &l->f->e), l->f->e);
    assert_true(db_idle(l->keeps));
    return statements;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same(const struct asking *a, const struct asking *b)
{
    const struct device *x = &a->device, *y = &b->device;
    return x->pk == y->pk && same_text(x->id, y->id) && same_text(x->model, y->model) &&
           same_text(x->version, y->version) && x->version_assumed == y->version_assumed &&
           x->version_at == y->version_at && x->created_at == y->created_at &&
           x->last_seen_at == y->last_seen_at && x->revoked_at == y->revoked_at &&
           same_text(x->name, y->name) && x->ddi == y->ddi && x->certified_at == y->certified_at &&
           same_text(x->transport, y->transport) && x->attributes_wanted == y->attributes_wanted &&
           x->utc_offset == y->utc_offset && x->reason == y->reason &&
           x->reason_deployment == y->reason_deployment && x->reason_at == y->reason_at &&
           a->has_action == b->has_action && a->has_member == b->has_member && a->installed == b->installed &&
           same_text(a->token_hash, b->token_hash);
}

static void test_read_once(void **state)
{
    struct looker *l = *state;
    struct asking k, again;
    assert_int_equal(ask(l, "d1", ASKING_NATIVE, &k), 1);
    assert_int_equal(ask(l, "d1", ASKING_NATIVE, &again), 0);
    assert_true(same(&k, &again));
    assert_ptr_not_equal(k.device.id, again.device.id); /* each question's own */
    assert_int_equal(ask(l, "d1", ASKING_DDI, &k), 1);  /* it knew less */
    assert_int_equal(ask(l, "d1", ASKING_NATIVE, &k), 0);
    assert_int_equal(ask(l, "d1", ASKING_DDI_TOKEN, &k), 1);
    assert_int_equal(ask(l, "d1", ASKING_DDI, &k), 0);
    assert_int_equal(ask(l, "d2", ASKING_DDI, &k), 1);
    change(l, "UPDATE device SET name = 'x' WHERE id = 'd2'");
    assert_int_equal(ask(l, "d1", ASKING_DDI_TOKEN, &k), 0); /* nothing of this one */
    assert_int_equal(ask(l, "d2", ASKING_DDI, &k), 1);
    assert_string_equal(k.device.name, "x");
    assert_int_equal(store_asking(l->keeps, &l->a, "no", ASKING_DDI, &k, &l->f->e), ERR_NOT_FOUND);
}

/* When it was seen changes with every poll, and is not told. */
static void test_seen_is_no_change(void **state)
{
    struct looker *l = *state;
    struct asking k;
    ask(l, "d1", ASKING_DDI, &k);
    change(l, "UPDATE device SET last_seen_at = 99");
    assert_int_equal(ask(l, "d1", ASKING_DDI, &k), 0);
    assert_int_equal(k.device.last_seen_at, 0);
    assert_ok(store_asking(l->reads, &l->a, "d1", ASKING_DDI, &k, &l->f->e), l->f->e);
    assert_int_equal(k.device.last_seen_at, 0);
    change(l, "UPDATE device SET last_seen_at = 100, name = 'x'");
    assert_int_equal(ask(l, "d1", ASKING_DDI, &k), 1);
}

/* A release belongs to no device; a new one matters to none. */
static void test_a_release_changes(void **state)
{
    struct looker *l = *state;
    struct asking k;
    change(l, "UPDATE device SET version = '1';"
              "INSERT INTO action (pk, deployment, device, release, state, created_at, updated_at, closed_at)"
              " VALUES (7, 1, 1, 1, 'succeeded', 1, 1, 1)");
    ask(l, "d1", ASKING_DDI, &k);
    assert_int_equal(k.installed, 7);
    change(l, "INSERT INTO release (name, version, state, created_at, created_by)"
              " VALUES ('gw', '3', 'signed', 1, 'anna')");
    assert_int_equal(ask(l, "d1", ASKING_DDI, &k), 0);
    change(l, "UPDATE release SET version = '4' WHERE pk = 1");
    assert_int_equal(ask(l, "d1", ASKING_DDI, &k), 1);
    assert_int_equal(k.installed, 0);
    change(l, "UPDATE deployment SET retries = 2"); /* which says nothing of devices */
    assert_int_equal(ask(l, "d1", ASKING_DDI, &k), 0);
}

/* A transaction that began earlier does not see the change: what it reads must not be taken for new. */
static void test_old_snapshot(void **state)
{
    struct looker *l = *state;
    struct asking k;
    for (int shared = 0; shared < 2; shared++) {
        change(l, "UPDATE device SET name = 'old'");
        assert_ok((shared ? db_share_begin : db_read_begin)(l->keeps, &l->f->e), l->f->e);
        assert_int_equal(db_get_i64(l->keeps, "SELECT count(*) FROM device", &(int64_t){0}, &l->f->e), 0);
        change(l, "UPDATE device SET name = 'new'");
        assert_ok(store_asking(l->keeps, &l->a, "d1", ASKING_DDI, &k, &l->f->e), l->f->e);
        assert_string_equal(k.device.name, "old");
        (shared ? db_share_end : db_read_end)(l->keeps);
        assert_int_equal(ask(l, "d1", ASKING_DDI, &k), 1);
        assert_string_equal(k.device.name, "new");
    }
    struct stmt half; /* somebody's list is read half-way */
    assert_ok(db_prepare(l->keeps, &half, "SELECT id FROM device", &l->f->e), l->f->e);
    assert_int_equal(stmt_step(&half, &l->f->e), STMT_ROW);
    change(l, "UPDATE device SET name = 'newer'");
    assert_ok(store_asking(l->keeps, &l->a, "d1", ASKING_DDI, &k, &l->f->e), l->f->e);
    stmt_done(&half);
    ask(l, "d1", ASKING_DDI, &k);
    assert_string_equal(k.device.name, "newer");
}

/* A restore is another process: the writer finds out. */
static int follow(struct db *db, void *arg, struct err *e)
{
    (void)e;
    *(bool *)arg = store_changed_outside(db);
    return 0;
}

static void test_changed_by_another_process(void **state)
{
    struct looker *l = *state;
    struct asking k;
    char path[PATH_MAX];
    bool outside = false;
    ask(l, "d1", ASKING_DDI, &k);
    assert_ok(store_write_now(l->f->store, follow, &outside, &l->f->e), l->f->e);
    assert_false(outside);
    assert_int_equal(ask(l, "d1", ASKING_DDI, &k), 0);
    fixture_exec(fixture_path(l->f, "pqota.db", path), "UPDATE device SET name = 'restored'");
    assert_ok(store_write_now(l->f->store, follow, &outside, &l->f->e), l->f->e);
    assert_true(outside);
    assert_int_equal(ask(l, "d1", ASKING_DDI, &k), 1);
    assert_string_equal(k.device.name, "restored");
}

/* More devices than are kept, and ids of all lengths. */
static void test_many_devices(void **state)
{
    struct looker *l = *state;
    struct asking k;
    char id[DEVICE_ID_MAX];
    change(l, "WITH RECURSIVE n (i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)"
              "INSERT INTO device (pk, id, model, created_at, name)"
              " SELECT i, substr('x' || i || '-' || hex(zeroblob(32)), 1, 7 + i % 57), 'gw', i, i FROM n");
    int64_t read = 0;
    for (int round = 0; round < 2; round++)
        for (int i = 100; i <= 30000; i++) {
            char zeros[65];
            memset(zeros, '0', 64);
            zeros[64] = '\0';
            snprintf(id, sizeof id, "x%d-%s", i, zeros);
            id[7 + i % 57] = '\0';
            read += ask(l, id, ASKING_DDI, &k);
            assert_int_equal(k.device.pk, i);
            assert_int_equal(k.device.created_at, i);
            arena_reset(&l->a);
        }
    assert_in_range(read, 30000, 59900); /* some were kept */
}

/* --- whatever is written ----------------------------------------------------------------------------- */

static char *const writes[] = {
    "UPDATE device SET version = %d WHERE pk = %d",
    "UPDATE device SET version = NULL, name = %d WHERE pk = %d",
    "UPDATE device SET version_at = %d WHERE pk = %d",
    "UPDATE device SET revoked_at = nullif(%d, 1) WHERE pk = %d",
    "UPDATE device SET transport = CASE %d WHEN 1 THEN 'pq' WHEN 2 THEN 'plain' END WHERE pk = %d",
    "UPDATE device SET interface = iif(%d = 1, 'ddi', 'native') WHERE pk = %d",
    "UPDATE device SET certified_at = %d, last_seen_at = 5 WHERE pk = %d",
    "UPDATE device SET reason = %d, reason_at = 7 WHERE pk = %d",
    "UPDATE device SET utc_offset = nullif(%d, 2) WHERE pk = %d",
    "UPDATE device SET attributes_wanted = %d WHERE pk = %d",
    "UPDATE device SET version_assumed = %d - 1 WHERE pk = %d",
    "UPDATE device SET last_seen_at = %d WHERE pk = %d",
    "UPDATE device SET model = 'm' || %d WHERE pk <> %d",
    "UPDATE device SET id = 'd' || (10 + %d) WHERE id = 'd' || %d",
    "UPDATE device SET id = 'd' || %2$d WHERE id = 'd' || (10 + %1$d)",
    "DELETE FROM device WHERE pk = 100 * %d + %d",
    "INSERT OR IGNORE INTO device (pk, id, model, created_at) VALUES (100 * %1$d + %2$d, 'd' || %2$d, 'n', "
    "2)",
    "DELETE FROM device WHERE %d = 1 AND pk = %d",
    "INSERT OR IGNORE INTO device (pk, id, model, created_at) VALUES (%2$d, 'd' || %2$d, 'again', %1$d)",
    "INSERT OR REPLACE INTO device (pk, id, model, created_at) VALUES (200 * %1$d + %2$d, 'd' || %2$d, 'r', "
    "3)",
    "INSERT OR IGNORE INTO action (deployment, device, release, state, created_at, updated_at)"
    " SELECT %1$d, %2$d, %1$d, 'offered', 1, 1 WHERE EXISTS (SELECT 1 FROM device WHERE pk = %2$d)",
    "UPDATE action SET state = 'succeeded', closed_at = 3 WHERE deployment = %d AND device = %d",
    "UPDATE action SET state = 'failed', closed_at = 3 WHERE deployment = %d AND device = %d",
    "UPDATE action SET state = 'offered', closed_at = NULL WHERE deployment = %d AND device = %d",
    "UPDATE OR IGNORE action SET release = 3 - release, attempt = attempt + 1 WHERE deployment = %d AND"
    " device = %d",
    "UPDATE OR IGNORE action SET device = 1 WHERE deployment = %d AND device = %d",
    "DELETE FROM action WHERE deployment = %d AND device = %d",
    "DELETE FROM action WHERE deployment = %d AND device <> %d",
    "INSERT OR IGNORE INTO member (deployment, device, state) VALUES (%d, %d, 'waiting')",
    "INSERT OR REPLACE INTO member (deployment, device, state) VALUES (%d, %d, 'already')",
    "UPDATE member SET state = 'active' WHERE deployment = %d AND device = %d",
    "UPDATE member SET state = 'failed' WHERE deployment = %d AND device = %d",
    "UPDATE OR REPLACE member SET device = 2 WHERE deployment = %d AND device = %d",
    "DELETE FROM member WHERE deployment = %d AND device = %d",
    "DELETE FROM member -- %d %d",
    "INSERT OR IGNORE INTO device_token SELECT %2$d, 'hash' || %1$d, x'00', 1"
    " WHERE EXISTS (SELECT 1 FROM device WHERE pk = %2$d)",
    "UPDATE device_token SET hash = 'new' || %d WHERE device = %d",
    "DELETE FROM device_token WHERE device = %d + %d - 1",
    "UPDATE release SET version = '2' || %d WHERE pk = 1 AND %d = 1",
    "UPDATE release SET version = '1', notes = %d WHERE pk = 1 AND %d = 2",
    "SAVEPOINT s; UPDATE device SET name = 'undone' || %d WHERE pk = %d; ROLLBACK TO s; RELEASE s",
};
#define WRITES (sizeof writes / sizeof writes[0])

/* An undone job changes nothing. */
static int run_and_fail(struct db *db, void *arg, struct err *e)
{
    int rc = db_exec(db, arg, e);
    return rc != 0 ? rc : err_set(e, ERR_INVALID, "undone");
}

static void compare(struct looker *l, const char *after)
{
    for (int d = 1; d <= 12; d++)
        for (int what = ASKING_NATIVE; what <= ASKING_DDI_TOKEN; what++) {
            char id[16];
            struct asking kept, read;
            struct err e;
            snprintf(id, sizeof id, "d%d", d);
            int rc = store_asking(l->keeps, &l->a, id, (enum asking_for)what, &kept, &e);
            assert_int_equal(store_asking(l->reads, &l->a, id, (enum asking_for)what, &read, &e), rc);
            if (rc != 0)
                continue;
            if (what < ASKING_DDI_TOKEN) /* it may know more than was asked */
                kept.token_hash = read.token_hash;
            if (what < ASKING_DDI)
                kept.installed = read.installed;
            if (!same(&kept, &read))
                fail_msg("%s is another after: %s", id, after);
        }
    arena_reset(&l->a);
}

static void test_whatever_is_written(void **state)
{
    struct looker *l = *state;
    uint32_t random = 4711;
    size_t done[WRITES] = {0};
    for (int i = 0; i < 6000; i++) {
        char sql[512];
        random = random * 1664525u + 1013904223u;
        size_t which = (random >> 8) % WRITES;
        snprintf(sql, sizeof sql, writes[which], 1 + (int)(random >> 20) % 2,
                 1 + (int)(random >> 24) % DEVICES);
        bool undone = random >> 30 == 0;
        int rc = store_write_now(l->f->store, undone ? run_and_fail : run_sql, sql, &l->f->e);
        if (rc != ERR_CONFLICT) /* as with an id that is taken */
            assert_int_equal(rc, undone ? ERR_INVALID : 0);
        done[which] += rc == 0;
        if (i % 3 != 0) /* several commits between two looks, too */
            compare(l, sql);
    }
    for (size_t i = 0; i < WRITES; i++)
        if (done[i] == 0)
            fail_msg("never done: %s", writes[i]);
}

/* --- at the same time -------------------------------------------------------------------------------- */

struct race {
    struct store *store;
    _Atomic int64_t known; /* to somebody: who wrote it, or who read it */
    atomic_bool end;
    atomic_int late, looks, readers;
};

static void know(struct race *r, int64_t n)
{
    int64_t known = atomic_load(&r->known);
    while (known < n && !atomic_compare_exchange_weak(&r->known, &known, n))
        ;
}

/* Whoever asks gets what somebody knew already, or something later: one that keeps, one that does not. */
static void *race_look(void *arg)
{
    struct race *r = arg;
    struct err e;
    struct db *db = NULL;
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    if (store_reader_new(r->store, &db, &e) != 0)
        return NULL;
    if (atomic_fetch_add(&r->readers, 1) == 0)
        db_follow(db, NULL);
    for (; !atomic_load(&r->end); arena_reset(&a)) {
        struct asking k;
        int64_t least = atomic_load(&r->known);
        if (store_asking(db, &a, "d1", ASKING_NATIVE, &k, &e) != 0)
            break;
        atomic_fetch_add(&r->late, k.device.version_at < least);
        know(r, k.device.version_at);
        atomic_fetch_add(&r->looks, 1);
    }
    store_reader_free(db);
    return NULL;
}

static void test_at_the_same_time(void **state)
{
    struct looker *l = *state;
    struct race r = {.store = l->f->store};
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, race_look, &r), 0);
    for (int64_t n = 1; n <= 1500 || atomic_load(&r.looks) < 3000; n++) {
        char sql[80];
        snprintf(sql, sizeof sql, "UPDATE device SET version_at = %lld WHERE pk = 1", (long long)n);
        change(l, sql);
        know(&r, n);
    }
    atomic_store(&r.end, true);
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&r.late), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read_once, looker_setup, looker_teardown),
        cmocka_unit_test_setup_teardown(test_seen_is_no_change, looker_setup, looker_teardown),
        cmocka_unit_test_setup_teardown(test_a_release_changes, looker_setup, looker_teardown),
        cmocka_unit_test_setup_teardown(test_old_snapshot, looker_setup, looker_teardown),
        cmocka_unit_test_setup_teardown(test_changed_by_another_process, looker_setup, looker_teardown),
        cmocka_unit_test_setup_teardown(test_many_devices, looker_setup, looker_teardown),
        cmocka_unit_test_setup_teardown(test_whatever_is_written, looker_setup, looker_teardown),
        cmocka_unit_test_setup_teardown(test_at_the_same_time, looker_setup, looker_teardown),
    };
    return cmocka_run_group_tests_name("store/asking", tests, NULL, NULL);
}
