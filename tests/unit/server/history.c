/* What the server's history makes of counters: rates, quantiles, and what it keeps. */
#include "server/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define close_to(is, want) assert_true((is) > (want) - 1e-9 && (is) < (want) + 1e-9)

static void quantiles(void **state)
{
    (void)state;
    uint64_t counts[NET_LATENCY_BUCKETS] = {0};
    assert_true(history_quantile(counts, 0.5) < 0);
    counts[4] = 100; /* 500 to 1000 us */
    close_to(history_quantile(counts, 0.5), 0.75);
    close_to(history_quantile(counts, 0.99), 0.995);
    close_to(history_quantile(counts, 1), 1);
    counts[8] = 100; /* 10 to 25 ms */
    close_to(history_quantile(counts, 0.5), 1);
    close_to(history_quantile(counts, 0.75), 17.5);
    close_to(history_quantile(counts, 0.99), 24.7);
    counts[0] = 200; /* to 50 us */
    close_to(history_quantile(counts, 0.25), 0.025);
    close_to(history_quantile(counts, 0.5), 0.05);
}

static void what_is_above_the_last_bound(void **state)
{
    (void)state;
    uint64_t counts[NET_LATENCY_BUCKETS] = {0};
    counts[NET_LATENCY_BUCKETS - 1] = 3;
    close_to(history_quantile(counts, 0.5), 10000);
    counts[0] = 97;
    assert_true(history_quantile(counts, 0.9) < 0.05);
    close_to(history_quantile(counts, 0.99), 10000);
}

static void differences(void **state)
{
    (void)state;
    struct net_stats before = {.requests = {0, 0, 1000, 10, 20, 5},
                               .bytes_out = 1 << 20,
                               .handshakes_full = 50,
                               .handshakes_resumed = 50,
                               .handshakes_classical = 10,
                               .latency = {[4] = 1000, [12] = 500},
                               .open = 99};
    struct net_stats after = before;
    after.requests[2] += 60;
    after.requests[4] += 20;
    after.requests[5] += 20;
    after.bytes_out += 4000;
    after.handshakes_full += 6;
    after.handshakes_resumed += 2;
    after.handshakes_classical += 2;
    after.latency[4] += 100; /* what was counted before does not matter */
    after.open = 7;
    struct history_point p = history_between(&before, &after, 123456, 20000);
    assert_int_equal(p.at_ms, 123456);
    assert_int_equal(p.connections, 7);
    close_to(p.requests, 5);
    close_to(p.errors, 1);
    close_to(p.bytes_out, 200);
    close_to(p.handshakes, 0.4);
    close_to(p.post_quantum, 0.75);
    close_to(p.p50_ms, 0.75);
    close_to(p.p99_ms, 0.995);
}

static void nothing_happened(void **state)
{
    (void)state;
    const struct net_stats same = {.requests = {0, 0, 7}, .latency = {[3] = 7}, .handshakes_full = 7};
    struct history_point p = history_between(&same, &same, 1, 10000);
    close_to(p.requests, 0);
    close_to(p.handshakes, 0);
    assert_true(p.p50_ms < 0 && p.p99_ms < 0 && p.post_quantum < 0);
    /* Counters are read while they grow: never less than none, never a share below it. */
    struct net_stats after = same;
    after.handshakes_full = 8;
    after.handshakes_classical = 3;
    after.latency[3] = 6;
    p = history_between(&same, &after, 1, 10000);
    close_to(p.post_quantum, 0);
    assert_true(p.p50_ms < 0);
}

static void the_ring(void **state)
{
    (void)state;
    struct history_ring *r = calloc(1, sizeof *r);
    assert_non_null(r);
    for (int64_t i = 0; i < 2 * HISTORY_POINTS + 7; i++) {
        const struct history_point p = {.at_ms = i};
        history_add(r, &p);
        size_t kept = i < HISTORY_POINTS ? (size_t)i + 1 : HISTORY_POINTS;
        assert_int_equal(r->count, kept);
        assert_int_equal(history_at(r, kept - 1)->at_ms, i);
        assert_int_equal(history_at(r, 0)->at_ms, i + 1 - (int64_t)kept);
        assert_int_equal(history_at(r, kept / 2)->at_ms, i + 1 - (int64_t)kept + (int64_t)(kept / 2));
    }
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles),   cmocka_unit_test(what_is_above_the_last_bound),
        cmocka_unit_test(differences), cmocka_unit_test(nothing_happened),
        cmocka_unit_test(the_ring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
