/* Credentials that were good a moment ago, addresses from which wrong ones came: in time, bounded. */
#include "server/login_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int64_t now_ms;

static int64_t read_clock(void *ctx)
{
    (void)ctx;
    return now_ms;
}

static const struct clock test_clock = {.unix_ms = read_clock, .mono_ms = read_clock};

static int setup(void **state)
{
    struct logins *l = NULL;
    struct err e = {0};
    now_ms = 5000000;
    assert_int_equal(logins_new(&test_clock, &l, &e), 0);
    *state = l;
    return 0;
}

static int teardown(void **state)
{
    logins_free(*state);
    return 0;
}

static struct login_mark mark(struct logins *l, const char *name, const char *password, const char *phc,
                              int64_t changed)
{
    struct login_mark m;
    struct err e = {0};
    assert_int_equal(logins_mark(l, str_of(name), str_of(password), phc, changed, &m, &e), 0);
    return m;
}

static void good_for_a_minute_and_nothing_else(void **state)
{
    struct logins *l = *state;
    struct login_mark m = mark(l, "ci", "secret", "$phc", 7);
    assert_false(logins_good(l, &m));
    logins_add_good(l, &m);
    now_ms += LOGIN_GOOD_MS - 1;
    assert_true(logins_good(l, &m));
    const struct login_mark others[] = {
        mark(l, "ci", "secreT", "$phc", 7), mark(l, "cI", "secret", "$phc", 7),
        mark(l, "cis", "ecret", "$phc", 7), mark(l, "ci", "secret", "$phd", 7),
        mark(l, "ci", "secret", "$phc", 8), mark(l, "", "cisecret", "$phc", 7)};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(logins_good(l, &others[i]));
    now_ms += LOGIN_GOOD_MS - 1; /* since it was used */
    assert_true(logins_good(l, &m));
    now_ms += LOGIN_GOOD_MS;
    assert_false(logins_good(l, &m));
    logins_add_good(l, &m);
    assert_true(logins_good(l, &m));
}

static void each_process_has_its_own_key(void **state)
{
    struct logins *l = *state, *other = NULL;
    struct err e = {0};
    assert_int_equal(logins_new(&test_clock, &other, &e), 0);
    struct login_mark a = mark(l, "ci", "secret", "$phc", 7), b = mark(other, "ci", "secret", "$phc", 7);
    assert_memory_not_equal(a.mac, b.mac, sizeof a.mac);
    logins_free(other);
}

static void credentials_are_bounded_and_the_newest_stay(void **state)
{
    struct logins *l = *state;
    char name[32];
    for (int i = 0; i < 10 * LOGIN_GOOD_MAX; i++) {
        snprintf(name, sizeof name, "n%d", i);
        struct login_mark m = mark(l, name, "secret", "$phc", 7);
        logins_add_good(l, &m);
        assert_true(logins_good(l, &m));
    }
    int kept = 0;
    for (int i = 0; i < 10 * LOGIN_GOOD_MAX; i++) {
        snprintf(name, sizeof name, "n%d", i);
        struct login_mark m = mark(l, name, "secret", "$phc", 7);
        kept += logins_good(l, &m);
    }
    assert_in_range(kept, LOGIN_GOOD_MAX / 2, LOGIN_GOOD_MAX);
}

static void ten_failures_make_an_address_wait(void **state)
{
    struct logins *l = *state;
    for (int i = 1; i < LOGIN_FAILURES_MAX; i++) {
        assert_false(logins_failed(l, "192.0.2.1:5000"));
        assert_int_equal(logins_wait(l, "192.0.2.1:5001"), 0);
        now_ms += 1000;
    }
    assert_true(logins_failed(l, "192.0.2.1:77"));
    assert_int_equal(logins_wait(l, "192.0.2.1:5001"), 51);
    assert_int_equal(logins_wait(l, "192.0.2.1"), 51);
    assert_int_equal(logins_wait(l, "[::ffff:192.0.2.1]:4"), 51);
    assert_int_equal(logins_wait(l, "192.0.2.2:5000"), 0);
    assert_int_equal(logins_wait(l, "unix"), 0);
    assert_false(logins_failed(l, "192.0.2.1:77")); /* said once */
    now_ms += 50999;
    assert_int_equal(logins_wait(l, "192.0.2.1"), 1);
    now_ms++;
    assert_int_equal(logins_wait(l, "192.0.2.1"), 0);
    assert_false(logins_failed(l, "192.0.2.1")); /* a new window */
}

static void a_slow_one_is_let_try(void **state)
{
    struct logins *l = *state;
    for (int i = 0; i < 10 * LOGIN_FAILURES_MAX; i++) {
        assert_false(logins_failed(l, "192.0.2.1"));
        assert_int_equal(logins_wait(l, "192.0.2.1"), 0);
        now_ms += LOGIN_WINDOW_MS / (LOGIN_FAILURES_MAX - 1) + 1;
    }
}

static void ipv6_counts_by_its_64(void **state)
{
    struct logins *l = *state;
    char address[64];
    for (int i = 0; i < LOGIN_FAILURES_MAX; i++) {
        snprintf(address, sizeof address, "[2001:db8:1:2:%x::%x]:443", i, i);
        (void)logins_failed(l, address);
    }
    assert_int_equal(logins_wait(l, "2001:db8:1:2:ffff::1"), 60);
    assert_int_equal(logins_wait(l, "[2001:db8:1:3::1]:1"), 0);
    for (int i = 0; i < LOGIN_FAILURES_MAX; i++)
        (void)logins_failed(l, "what is no address at all, and rather long for one, too long in fact");
    assert_int_equal(logins_wait(l, "unix"), 60); /* all such are one */
}

static void addresses_are_bounded(void **state)
{
    struct logins *l = *state;
    char address[64];
    for (int i = 0; i < LOGIN_FAILURES_MAX; i++)
        (void)logins_failed(l, "192.0.2.1");
    for (int i = 0; i < 100000; i++) {
        snprintf(address, sizeof address, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        (void)logins_failed(l, address);
        assert_int_equal(logins_wait(l, address), 0);
    }
}

static void an_account_that_is_guessed_at_waits_wherever_it_comes_from(void **state)
{
    struct logins *l = *state;
    for (int i = 1; i < LOGIN_NAME_FAILURES_MAX; i++) {
        assert_false(logins_name_failed(l, STR("kim")));
        assert_int_equal(logins_name_wait(l, STR("kim")), 0);
    }
    assert_true(logins_name_failed(l, STR("kim")));
    assert_int_equal(logins_name_wait(l, STR("kim")), LOGIN_NAME_WINDOW_MS / 1000);
    assert_int_equal(logins_name_wait(l, STR("kin")), 0);
    assert_int_equal(logins_name_wait(l, STR("")), 0);
    assert_int_equal(logins_wait(l, "kim"), 0);      /* names are no addresses */
    assert_false(logins_name_failed(l, STR("kim"))); /* said once */
    now_ms += LOGIN_NAME_WINDOW_MS - 1;
    assert_int_equal(logins_name_wait(l, STR("kim")), 1);
    now_ms++;
    assert_int_equal(logins_name_wait(l, STR("kim")), 0);
    assert_false(logins_name_failed(l, STR("kim")));
}

static void an_address_that_waits_is_no_name(void **state)
{
    struct logins *l = *state;
    for (int i = 0; i < LOGIN_NAME_FAILURES_MAX; i++)
        (void)logins_failed(l, "192.0.2.1");
    assert_int_equal(logins_name_wait(l, STR("192.0.2.1")), 0);
    for (int i = 0; i < LOGIN_NAME_FAILURES_MAX; i++)
        (void)logins_name_failed(l, STR("192.0.2.7"));
    assert_int_equal(logins_wait(l, "192.0.2.7"), 0);
}

static void results_are_counted(void **state)
{
    struct logins *l = *state;
    logins_count(l, LOGIN_WRONG);
    logins_count(l, LOGIN_WRONG);
    assert_int_equal(logins_counted(l, LOGIN_WRONG), 2);
    assert_int_equal(logins_counted(l, LOGIN_RIGHT), 0);
}

#define EACH(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(good_for_a_minute_and_nothing_else),
        EACH(each_process_has_its_own_key),
        EACH(credentials_are_bounded_and_the_newest_stay),
        EACH(ten_failures_make_an_address_wait),
        EACH(a_slow_one_is_let_try),
        EACH(ipv6_counts_by_its_64),
        EACH(addresses_are_bounded),
        EACH(an_account_that_is_guessed_at_waits_wherever_it_comes_from),
        EACH(an_address_that_waits_is_no_name),
        EACH(results_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
