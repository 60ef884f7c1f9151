#include "fixture.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

/* ---- a job that counts, and one that holds the writer until told ---- */

struct counted {
    struct store_job job;
    char key[32];
    int fail; /* what run answers after having written */
    int rc;
    struct err err;
    int order; /* the how-manieth done */
};

static atomic_int done_count;
static sem_t all_done;

static int counted_run(struct db *db, void *arg, struct err *e)
{
    struct counted *c = arg;
    int rc = fixture_put(db, c->key, e);
    return rc == 0 && c->fail != 0 ? err_set(e, c->fail, "as the test wants it") : rc;
}

static void counted_done(void *arg, int rc, const struct err *e)
{
    struct counted *c = arg;
    c->rc = rc;
    c->err = *e;
    c->order = atomic_fetch_add(&done_count, 1);
    sem_post(&all_done);
}

static void counted_init(struct counted *c, int number)
{
    *c = (struct counted){.job = {.run = counted_run, .done = counted_done, .arg = c}, .order = -1};
    snprintf(c->key, sizeof c->key, "job-%d", number);
}

static void wait_done(int n)
{
    for (int i = 0; i < n; i++)
        while (sem_wait(&all_done) != 0)
            assert_int_equal(errno, EINTR);
}

struct holder {
    struct store_job job;
    sem_t running, go;
    int rc;
};

static int holder_run(struct db *db, void *arg, struct err *e)
{
    struct holder *h = arg;
    sem_post(&h->running);
    while (sem_wait(&h->go) != 0)
        ;
    return fixture_put(db, "holder", e);
}

static void holder_done(void *arg, int rc, const struct err *e)
{
    (void)e;
    struct holder *h = arg;
    h->rc = rc;
    atomic_fetch_add(&done_count, 1);
    sem_post(&all_done);
}

static void hold(struct fixture *f, struct holder *h)
{
    *h = (struct holder){.job = {.run = holder_run, .done = holder_done, .arg = h}};
    sem_init(&h->running, 0, 0);
    sem_init(&h->go, 0, 0);
    assert_ok(store_submit(f->store, &h->job, &f->e), f->e);
    while (sem_wait(&h->running) != 0)
        ;
}

static int setup(void **state)
{
    atomic_store(&done_count, 0);
    sem_init(&all_done, 0, 0);
    return fixture_setup(state);
}

/* ---- tests ---- */

enum { THREADS = 8, EACH = 60 };
struct submitter {
    struct fixture *f;
    struct counted *jobs;
};

static void *submit_many(void *arg)
{
    struct submitter *s = arg;
    for (int i = 0; i < EACH; i++) {
        struct err e = {0};
        if (store_submit(s->f->store, &s->jobs[i].job, &e) != 0)
            abort();
    }
    return NULL;
}

static void many_share_a_commit_and_failures_stay_alone(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    static struct counted jobs[THREADS * EACH];
    struct submitter s[THREADS];
    pthread_t t[THREADS];
    struct holder h;
    hold(f, &h);
    for (int i = 0; i < THREADS * EACH; i++) {
        counted_init(&jobs[i], i);
        if (i % 7 == 3)
            jobs[i].fail = ERR_DENIED;
    }
    for (int i = 0; i < THREADS; i++) {
        s[i] = (struct submitter){.f = f, .jobs = &jobs[i * EACH]};
        assert_int_equal(pthread_create(&t[i], NULL, submit_many, &s[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    struct store_health health;
    store_health(f->store, &health);
    assert_int_equal(health.queue, THREADS * EACH);
    sem_post(&h.go);
    wait_done(THREADS * EACH + 1);
    for (int i = 0; i < THREADS * EACH; i++) {
        assert_int_equal(jobs[i].rc, i % 7 == 3 ? ERR_DENIED : 0);
        if (i % 7 == 3)
            assert_string_equal(jobs[i].err.text, "as the test wants it");
        if (i % EACH != 0) /* answered in the order they came */
            assert_true(jobs[i].order > jobs[i - 1].order);
        assert_int_equal(fixture_has(f, jobs[i].key), i % 7 != 3);
    }
    store_health(f->store, &health);
    assert_int_equal(health.jobs, THREADS * EACH + 1);
    assert_true(health.commits * 4 <= health.jobs);
    assert_int_equal(health.queue, 0);
    assert_int_equal(health.last_failure_ms, 0);
    assert_true(health.disk_free_bytes > 0 && health.db_bytes > 0 && health.wal_bytes > 0);
    fixture_reopen(f);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM meta"),
                     1 + THREADS * EACH - (THREADS * EACH + 3) / 7);
}

/* What SQLite does by itself when the disk fails in the wrong moment. */
static int lose_everything(struct db *db, void *arg, struct err *e)
{
    (void)arg;
    int rc = db_exec(db, "ROLLBACK", e);
    return rc == 0 ? err_set(e, ERR_FULL, "no space") : rc;
}

static void a_lost_transaction_fails_all_of_its_jobs(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    struct counted jobs[4];
    struct holder h;
    hold(f, &h);
    for (int i = 0; i < 4; i++)
        counted_init(&jobs[i], i);
    jobs[0].fail = ERR_DENIED; /* keeps its own error */
    jobs[2].job.run = lose_everything;
    for (int i = 0; i < 4; i++)
        assert_ok(store_submit(f->store, &jobs[i].job, &f->e), f->e);
    sem_post(&h.go);
    wait_done(5);
    assert_int_equal(h.rc, ERR_FULL);
    assert_int_equal(jobs[0].rc, ERR_DENIED);
    assert_int_equal(jobs[1].rc, ERR_FULL);
    assert_string_equal(jobs[1].err.text, "no space");
    assert_int_equal(jobs[2].rc, ERR_FULL);
    assert_int_equal(jobs[3].rc, 0); /* came after: in the next one */
    assert_false(fixture_has(f, "holder"));
    assert_false(fixture_has(f, "job-1"));
    assert_true(fixture_has(f, "job-3"));
    struct store_health health;
    store_health(f->store, &health);
    assert_true(health.last_failure_ms > 0);
}

static int fill_up(struct db *db, void *arg, struct err *e)
{
    (void)arg;
    return db_exec(db,
                   "PRAGMA max_page_count = 1;" /* as large as it is, no more */
                   "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) "
                   "INSERT INTO meta SELECT i, hex(zeroblob(500)) FROM n",
                   e);
}

static int grow_again(struct db *db, void *arg, struct err *e)
{
    int rc = db_exec(db, "PRAGMA max_page_count = 1000000", e);
    return rc == 0 ? fixture_put(db, arg, e) : rc;
}

static void a_full_database_is_told(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    assert_ok(store_write_now(f->store, fixture_put, "before", &f->e), f->e);
    assert_int_equal(store_write_now(f->store, fill_up, NULL, &f->e), ERR_FULL);
    assert_ok(store_write_now(f->store, grow_again, "after", &f->e), f->e);
    assert_true(fixture_has(f, "before"));
    assert_true(fixture_has(f, "after"));
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM meta"), 2);
}

static int write_much(struct db *db, void *arg, struct err *e)
{
    (void)arg;
    return db_exec(db,
                   "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000) "
                   "INSERT INTO meta SELECT 'm' || i, hex(zeroblob(500)) FROM n",
                   e);
}

static void a_disk_that_refuses_fails_the_commit_and_then_goes_on(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    assert_ok(store_write_now(f->store, fixture_put, "before", &f->e), f->e);
    struct rlimit old, small = {0};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN);
    small = (struct rlimit){.rlim_cur = 700 << 10, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int rc = store_write_now(f->store, write_much, NULL, &f->e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_true(rc == ERR_IO || rc == ERR_FULL);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM meta"), 1);
    assert_ok(store_write_now(f->store, write_much, NULL, &f->e), f->e);
    fixture_reopen(f);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM meta"), 2001);
}

static void the_queue_is_bounded(void **state)
{
    struct fixture *f = *state;
    f->options.queue_max = 3;
    fixture_open(f);
    struct counted jobs[8];
    struct holder h;
    hold(f, &h);
    for (int i = 0; i < 8; i++)
        counted_init(&jobs[i], i);
    for (int i = 0; i < 3; i++)
        assert_ok(store_submit(f->store, &jobs[i].job, &f->e), f->e);
    assert_int_equal(store_submit(f->store, &jobs[3].job, &f->e), ERR_BUSY);
    /* What runs in the background does not take a request's place, nor the other way round. */
    for (int i = 4; i < 7; i++)
        assert_ok(store_submit_background(f->store, &jobs[i].job, &f->e), f->e);
    assert_int_equal(store_submit_background(f->store, &jobs[7].job, &f->e), ERR_BUSY);
    sem_post(&h.go);
    wait_done(7);
    assert_int_equal(jobs[3].order, -1);
    assert_int_equal(jobs[7].order, -1);
    for (int i = 0; i < 3; i++)
        assert_true(jobs[i].order < jobs[4].order); /* requests first */
    fixture_close(f);
    assert_int_equal(atomic_load(&done_count), 7);
}

static _Atomic int64_t fake_mono;
static int64_t fake_mono_ms(void *ctx)
{
    (void)ctx;
    return atomic_load(&fake_mono);
}

static void background_does_not_starve(void **state)
{
    struct fixture *f = *state;
    struct clock clock = {.unix_ms = clock_system.unix_ms, .mono_ms = fake_mono_ms};
    atomic_store(&fake_mono, 1000);
    f->options.clock = &clock;
    fixture_open(f);
    struct counted jobs[2];
    struct holder h;
    hold(f, &h);
    counted_init(&jobs[0], 0);
    counted_init(&jobs[1], 1);
    assert_ok(store_submit_background(f->store, &jobs[0].job, &f->e), f->e);
    assert_ok(store_submit(f->store, &jobs[1].job, &f->e), f->e);
    atomic_store(&fake_mono, 5000); /* the holder's batch is old too, so it ends without taking another */
    sem_post(&h.go);
    wait_done(3);
    assert_true(jobs[0].order < jobs[1].order);
    fixture_close(f);
}

static void *close_store(void *arg)
{
    store_close(arg);
    return NULL;
}

static void closing_answers_what_waits(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    static struct counted jobs[400];
    struct holder h;
    hold(f, &h);
    for (int i = 0; i < 400; i++) {
        counted_init(&jobs[i], i);
        assert_ok(i % 2 == 0 ? store_submit(f->store, &jobs[i].job, &f->e)
                             : store_submit_background(f->store, &jobs[i].job, &f->e),
                  f->e);
    }
    pthread_t closer;
    assert_int_equal(pthread_create(&closer, NULL, close_store, f->store), 0);
    static struct counted late[4096]; /* refused from the moment that closing began */
    int rc = 0, accepted = 0;
    for (int i = 0; i < 4096 && rc == 0; i++) {
        counted_init(&late[i], 1000 + i);
        rc = store_submit(f->store, &late[i].job, &f->e);
        accepted += rc == 0;
        usleep(100);
    }
    assert_int_equal(rc, ERR_BUSY);
    sem_post(&h.go);
    pthread_join(closer, NULL);
    f->store = NULL;
    assert_int_equal(atomic_load(&done_count), 401 + accepted);
    for (int i = 0; i < 400; i++)
        assert_int_equal(jobs[i].rc, 0);
    fixture_open(f);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM meta"), 401 + accepted);
}

static int leave_open(struct db *db, void *arg, struct err *e)
{
    struct stmt s; /* forgets stmt_done, and its deadline */
    int rc = fixture_put(db, arg, e);
    if (rc == 0)
        rc = db_prepare(db, &s, "SELECT name FROM sqlite_schema", e);
    if (rc == 0 && stmt_step(&s, e) != STMT_ROW)
        rc = ERR_INTERNAL;
    db_set_deadline(db, 1);
    return rc;
}

static void a_careless_job_harms_nobody(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    assert_ok(store_write_now(f->store, leave_open, "careless", &f->e), f->e);
    for (int i = 0; i < 3; i++) {
        char key[16];
        snprintf(key, sizeof key, "next-%d", i);
        assert_ok(store_write_now(f->store, fixture_put, key, &f->e), f->e);
    }
}

static int write_inside(struct db *db, void *arg, struct err *e)
{
    (void)db;
    struct fixture *f = arg;
    return store_write_now(f->store, fixture_put, "inner", e);
}

static int strange_result(struct db *db, void *arg, struct err *e)
{
    (void)db;
    (void)arg;
    (void)e;
    return 5;
}

static void mistakes_of_a_job_are_errors(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    assert_int_equal(store_write_now(f->store, write_inside, f, &f->e), ERR_INTERNAL);
    assert_int_equal(store_write_now(f->store, strange_result, NULL, &f->e), ERR_INTERNAL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(many_share_a_commit_and_failures_stay_alone),
        T(a_lost_transaction_fails_all_of_its_jobs),
        T(a_full_database_is_told),
        T(a_disk_that_refuses_fails_the_commit_and_then_goes_on),
        T(the_queue_is_bounded),
        T(background_does_not_starve),
        T(closing_answers_what_waits),
        T(a_careless_job_harms_nobody),
        T(mistakes_of_a_job_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
