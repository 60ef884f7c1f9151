#include "server/pool.h"

#include <ftw.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/db.h"
#include "store/store.h"

/* Jobs wait at a gate, so that a test says when they are done. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool open;
    size_t inside; /* jobs at the gate or past it */
    size_t done;
    size_t order[64];
};

struct work {
    struct pool_job job;
    struct gate *gate;
    size_t number;
    atomic_bool has_db;
};

static void pass(struct pool_job *job, struct db *db)
{
    struct work *w = container_of(job, struct work, job);
    struct gate *g = w->gate;
    atomic_store(&w->has_db, db != NULL);
    pthread_mutex_lock(&g->lock);
    g->inside++;
    pthread_cond_broadcast(&g->cond);
    while (!g->open)
        pthread_cond_wait(&g->cond, &g->lock);
    g->order[g->done++ % 64] = w->number;
    pthread_cond_broadcast(&g->cond);
    pthread_mutex_unlock(&g->lock);
}

static void gate_init(struct gate *g)
{
    *g = (struct gate){.open = false};
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->cond, NULL);
}

static void gate_open(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->open = true;
    pthread_cond_broadcast(&g->cond);
    pthread_mutex_unlock(&g->lock);
}

static void wait_until(struct gate *g, const size_t *what, size_t n)
{
    pthread_mutex_lock(&g->lock);
    while (*what < n)
        pthread_cond_wait(&g->cond, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

static struct pool *make(size_t threads, size_t queue_max, struct store *store)
{
    const struct pool_config config = {
        .name = "test", .threads = threads, .queue_max = queue_max, .store = store};
    struct pool *p = NULL;
    struct err e = {0};
    if (pool_new(&config, &p, &e) != 0)
        fail_msg("%s", e.text);
    return p;
}

static void refuses_past_its_bound(void **state)
{
    (void)state;
    struct gate g;
    gate_init(&g);
    struct pool *p = make(2, 3, NULL);
    struct work w[8];
    struct err e = {0};
    for (size_t i = 0; i < 8; i++)
        w[i] = (struct work){.job.run = pass, .gate = &g, .number = i};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pool_submit(p, &w[i].job, &e), 0);
    wait_until(&g, &g.inside, 2); /* both threads are busy */
    for (size_t i = 2; i < 5; i++)
        assert_int_equal(pool_submit(p, &w[i].job, &e), 0);
    assert_int_equal(pool_waiting(p), 3);
    assert_int_equal(pool_submit(p, &w[5].job, &e), ERR_BUSY);
    assert_non_null(strstr(e.text, "test"));
    assert_int_equal(pool_waiting(p), 3);
    pool_submit_always(p, &w[6].job); /* what must happen is taken */
    assert_int_equal(pool_waiting(p), 4);
    gate_open(&g);
    wait_until(&g, &g.done, 6);
    assert_int_equal(pool_waiting(p), 0);
    assert_int_equal(pool_submit(p, &w[7].job, &e), 0);
    wait_until(&g, &g.done, 7);
    assert_false(w[7].has_db);
    pool_free(p);
}

static void one_thread_keeps_the_order(void **state)
{
    (void)state;
    struct gate g;
    gate_init(&g);
    struct pool *p = make(1, 64, NULL);
    struct work w[64];
    struct err e = {0};
    for (size_t i = 0; i < 64; i++) {
        w[i] = (struct work){.job.run = pass, .gate = &g, .number = i};
        assert_int_equal(pool_submit(p, &w[i].job, &e), 0);
    }
    gate_open(&g);
    wait_until(&g, &g.done, 64);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(g.order[i], i);
    pool_free(p);
}

static void *open_later(void *arg)
{
    usleep(20000);
    gate_open(arg);
    return NULL;
}

static void the_end_runs_what_waits(void **state)
{
    (void)state;
    struct gate g;
    gate_init(&g);
    struct pool *p = make(3, 100, NULL);
    struct work w[50];
    struct err e = {0};
    for (size_t i = 0; i < 50; i++) {
        w[i] = (struct work){.job.run = pass, .gate = &g, .number = i};
        assert_int_equal(pool_submit(p, &w[i].job, &e), 0);
    }
    pthread_t opener;
    pthread_create(&opener, NULL, open_later, &g);
    pool_free(p);
    assert_int_equal(g.done, 50);
    pthread_join(opener, NULL);
    pool_free(NULL);
}

static void *feed(void *arg)
{
    struct gate g;
    gate_init(&g);
    gate_open(&g);
    for (size_t round = 1; round <= 200; round++) {
        struct work w[10];
        struct err e;
        for (size_t i = 0; i < 10; i++) {
            w[i] = (struct work){.job.run = pass, .gate = &g, .number = i};
            while (pool_submit(arg, &w[i].job, &e) != 0)
                sched_yield();
        }
        wait_until(&g, &g.done, round * 10);
    }
    return NULL;
}

static void many_feed_it_at_once(void **state)
{
    (void)state;
    struct pool *p = make(3, 8, NULL);
    pthread_t feeders[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&feeders[i], NULL, feed, p), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(feeders[i], NULL);
    assert_int_equal(pool_waiting(p), 0);
    pool_free(p);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void threads_have_readers_of_the_store(void **state)
{
    (void)state;
    char dir[] = "/tmp/test-pool-XXXXXX";
    assert_non_null(mkdtemp(dir));
    const struct store_options options = {.dir = dir, .clock = &clock_system};
    struct store *store = NULL;
    struct err e = {0};
    if (store_open(&options, &store, &e) != 0)
        fail_msg("%s", e.text);
    struct gate g;
    gate_init(&g);
    gate_open(&g);
    struct pool *p = make(2, 8, store);
    struct work w = {.job.run = pass, .gate = &g};
    assert_int_equal(pool_submit(p, &w.job, &e), 0);
    wait_until(&g, &g.done, 1);
    assert_true(w.has_db);
    pool_free(p);
    store_close(store);
    assert_int_equal(nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_past_its_bound),
        cmocka_unit_test(one_thread_keeps_the_order),
        cmocka_unit_test(the_end_runs_what_waits),
        cmocka_unit_test(many_feed_it_at_once),
        cmocka_unit_test(threads_have_readers_of_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
