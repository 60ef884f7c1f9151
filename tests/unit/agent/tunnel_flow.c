/* A body on its way from a worker to the loop: bounded, in order, and withheld until it is released. The loop
   is played by the test. */
#include "bench.h"

#include <semaphore.h>

#include "agent/tunnel_flow.h"

static atomic_bool stop;
static struct exchange exchange;
static long told; /* what exchange_file_done said; 0: nothing yet */
static sem_t tells;

void __wrap_exchange_file_done(struct exchange *x, long n);
void __wrap_exchange_file_done(struct exchange *x, long n)
{
    assert_ptr_equal(x, &exchange);
    told = n;
    sem_post(&tells);
}

static struct flow *begun(void)
{
    atomic_store(&stop, false);
    atomic_store(&exchange.gone, false);
    told = 0;
    struct flow *f = flow_new(&exchange, &stop);
    assert_non_null(f);
    return f;
}

static void ended(struct flow *f)
{
    flow_ended(f);
    flow_drop(f);
}

static long ask(struct flow *f, char *out, size_t size)
{
    told = 0;
    flow_read(f, out, size);
    return told;
}

static void only_what_is_released_goes(void **s)
{
    (void)s;
    char out[16];
    struct flow *f = begun();
    assert_int_equal(flow_put(f, "abcdef", 6), 0);
    assert_int_equal(ask(f, out, sizeof out), 0);
    flow_release(f, 2);
    assert_int_equal(told, 2);
    assert_memory_equal(out, "ab", 2);
    assert_int_equal(ask(f, out, sizeof out), 0);
    flow_release(f, 1); /* never less */
    assert_int_equal(told, 0);
    flow_release(f, UINT64_MAX);
    assert_int_equal(told, 4);
    assert_memory_equal(out, "cdef", 4);
    assert_int_equal(ask(f, out, 3), 0);
    assert_int_equal(flow_put(f, "ghijk", 5), 0);
    assert_int_equal(told, 3);
    assert_int_equal(ask(f, out, 3), 2);
    assert_memory_equal(out, "jk", 2);
    ended(f);
}

static void what_fails_cuts_what_waits_and_what_comes(void **s)
{
    (void)s;
    char out[16];
    struct flow *f = begun();
    assert_int_equal(flow_put(f, "abc", 3), 0);
    flow_release(f, 2);
    assert_int_equal(ask(f, out, 2), 2);
    assert_int_equal(ask(f, out, 2), 0);
    flow_fail(f);
    assert_true(told < 0);
    assert_true(ask(f, out, 2) < 0);
    assert_int_equal(flow_put(f, "x", 1), ERR_GONE);
    ended(f);
}

static void who_has_left_is_not_worked_for(void **s)
{
    (void)s;
    struct flow *f = begun();
    assert_false(flow_is_over(f));
    atomic_store(&exchange.gone, true);
    assert_true(flow_is_over(f));
    atomic_store(&exchange.gone, false);
    atomic_store(&stop, true);
    assert_true(flow_wait(f, 60000));
    atomic_store(&stop, false);
    assert_false(flow_wait(f, 1));
    flow_ended(f);
    assert_true(flow_wait(f, 60000));
    assert_int_equal(flow_put(f, "x", 1), ERR_GONE);
    flow_drop(f);
}

#define BODY (3 * FLOW_RING + 777)

static char byte_at(size_t i)
{
    return (char)(i * 7 + i / 251);
}

static void *produce(void *arg)
{
    struct flow *f = arg;
    char piece[5000];
    size_t at = 0;
    while (at < BODY) {
        size_t n = BODY - at < sizeof piece ? BODY - at : sizeof piece;
        for (size_t i = 0; i < n; i++)
            piece[i] = byte_at(at + i);
        if (flow_put(f, piece, n) != 0)
            return NULL;
        at += n;
    }
    return f;
}

/* A worker waits while the ring is full, and goes on as the loop reads. */
static void a_long_body_goes_through_a_small_ring(void **s)
{
    (void)s;
    struct flow *f = begun();
    pthread_t worker;
    static char out[FLOW_RING];
    flow_release(f, UINT64_MAX);
    assert_int_equal(pthread_create(&worker, NULL, produce, f), 0);
    sem_init(&tells, 0, 0);
    for (size_t got = 0; got < BODY;) {
        flow_read(f, out, sizeof out - 99);
        while (sem_wait(&tells) != 0) /* a signal */
            ;
        long n = told;
        assert_true(n > 0);
        for (size_t i = 0; i < (size_t)n; i++)
            if (out[i] != byte_at(got + i))
                fail_msg("byte %zu", got + i);
        got += (size_t)n;
    }
    void *all = NULL;
    pthread_join(worker, &all);
    assert_ptr_equal(all, f);
    ended(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_released_goes),
        cmocka_unit_test(what_fails_cuts_what_waits_and_what_comes),
        cmocka_unit_test(who_has_left_is_not_worked_for),
        cmocka_unit_test(a_long_body_goes_through_a_small_ring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
