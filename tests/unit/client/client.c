/* The whole machine, with every callback failing, killing the program or cutting the power in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

#define STEPS 400

static struct world w;

static void check_success(const char *what, long at)
{
    if (strcmp(w.done, "succeeded") != 0 || strcmp(w.running, "2.0") != 0)
        fail_msg("%s at %ld: server heard \"%s\", %s runs\n%s", what, at, w.done, w.running, w.log);
    assert_int_equal(w.artifact_n, 0); /* the room was given back, if need be with the next poll */
}

static void fresh(bool reboot)
{
    world_init(&w, "1.0");
    w.needs_reboot = reboot;
    world_offer(&w, "2.0", 20000);
}

static void goes_through(void **s)
{
    (void)s;
    for (int reboot = 0; reboot < 2; reboot++) {
        fresh(reboot);
        assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
        check_success("no fault", 0);
        assert_int_equal(w.installs, 1);
        assert_int_equal(w.reboots, reboot);
        assert_int_equal(world_count(&w, "succeeded"), 1);
        assert_int_equal(world_count(&w, "installing"), 1);
        assert_int_equal(world_count(&w, "rebooting"), reboot);
        assert_true(world_count(&w, "downloading") >= 2);
        assert_int_equal(w.reports[0].progress, 0);
        assert_int_equal(world_last(&w)->progress, 100);
        assert_string_equal(w.poll_path, "/api/update?version=2.0&hold=yes");
        world_fini(&w);
    }
}

/* Every callback of a whole update, in turn: it fails; the program dies there; the power goes there. */
static void every_point(bool reboot, enum world_end end, const char *what)
{
    long points = 0;
    for (long at = 1;; at++) {
        fresh(reboot);
        bool reached = world_run_cut(&w, STEPS, at, end);
        check_success(what, at);
        assert_true(w.installs <= 3);
        world_fini(&w);
        if (!reached)
            break;
        points = at;
    }
    assert_true(points > 80); /* the loop did go through an update */
}

static void each_callback_fails_once(void **s)
{
    (void)s;
    every_point(false, WORLD_FAIL, "failure");
    every_point(true, WORLD_FAIL, "failure, reboot");
}

static void killed_at_each_callback(void **s)
{
    (void)s;
    every_point(false, WORLD_KILL, "kill");
    every_point(true, WORLD_KILL, "kill, reboot");
}

static void power_cut_at_each_callback(void **s)
{
    (void)s;
    every_point(false, WORLD_POWER, "power cut");
    every_point(true, WORLD_POWER, "power cut, reboot");
}

static void twice_cut(void **s)
{
    (void)s;
    for (long first = 1; first < 150; first += 3) {
        for (long second = 1; second < 60; second += 7) {
            fresh(true);
            w.stop_at = first;
            w.end = WORLD_POWER;
            /* The second cut comes `second` callbacks after the first. */
            int steps = 0;
            for (enum pqota_next next = PQOTA_AGAIN; next != PQOTA_WAIT_POLL && steps < STEPS; steps++) {
                next = world_run(&w, 1);
                if (w.stop_at == first && w.hits >= first)
                    w.stop_at = w.hits + second;
            }
            if (w.stop_at == first) {
                world_fini(&w);
                break;
            }
            check_success("second power cut", first * 1000 + second);
            world_fini(&w);
        }
    }
}

/* A version that is not good: old again, and the server hears of it, wherever the power goes. */
static void bad_version_returns(void **s)
{
    (void)s;
    for (long at = 0;; at++) {
        fresh(false);
        w.bad = true;
        bool reached = world_run_cut(&w, STEPS, at, WORLD_POWER);
        assert_string_equal(w.running, "1.0");
        assert_string_equal(w.done, "failed");
        assert_string_equal(world_last(&w)->version, "1.0");
        assert_true(world_count(&w, "succeeded") == 0);
        world_fini(&w);
        if (!reached)
            break;
    }
}

static void a_report_is_kept_until_it_arrives(void **s)
{
    (void)s;
    fresh(false);
    uint32_t wait_s;
    struct pqota_status st;
    assert_int_equal(world_start(&w), PQOTA_OK);
    do {
        assert_int_equal(world_step(&w, &wait_s), PQOTA_AGAIN);
        pqota_client_status(w.client, &st);
    } while (st.state != PQOTA_REPORTING);
    w.status_answer = 503;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(world_step(&w, &wait_s), PQOTA_WAIT_RETRY);
        world_power(&w);
        assert_int_equal(world_start(&w), PQOTA_OK);
    }
    assert_string_equal(w.done, "");
    w.status_answer = 0;
    assert_int_equal(world_run(&w, 10), PQOTA_WAIT_POLL);
    check_success("late report", 0);
    pqota_client_status(w.client, &st);
    assert_int_equal(st.outcome, PQOTA_SUCCEEDED);
    assert_string_equal(st.version, "2.0");
    world_fini(&w);
}

static void back_off_doubles_and_is_capped(void **s)
{
    (void)s;
    fresh(false);
    w.poll_answer = 500;
    assert_int_equal(world_start(&w), PQOTA_OK);
    uint32_t least = 0, wait_s;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(world_step(&w, &wait_s), PQOTA_WAIT_RETRY);
        uint64_t full = (uint64_t)5 << i;
        full = full > 3600 ? 3600 : full;
        assert_in_range(wait_s, (full + 1) / 2, full);
        least = wait_s;
    }
    assert_true(least >= 1800);
    w.poll_answer = 0;
    w.offer[0] = '\0';
    assert_int_equal(world_step(&w, &wait_s), PQOTA_WAIT_POLL); /* and is forgotten after a success */
    w.poll_answer = 500;
    assert_int_equal(world_step(&w, &wait_s), PQOTA_WAIT_RETRY);
    assert_in_range(wait_s, 3, 5);
    world_fini(&w);
}

static void poll_interval_is_the_servers_within_bounds(void **s)
{
    static const struct {
        uint32_t asked, low, high;
    } rows[] = {{0, 270, 330}, {60, 54, 66}, {1, 9, 11}, {4000000000u, 77760, 95040}};
    (void)s;
    world_init(&w, "1.0");
    assert_int_equal(world_start(&w), PQOTA_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t wait_s, low = UINT32_MAX, high = 0;
        w.poll_interval_s = rows[i].asked;
        for (int k = 0; k < 200; k++) {
            assert_int_equal(world_step(&w, &wait_s), PQOTA_WAIT_POLL);
            assert_in_range(wait_s, rows[i].low, rows[i].high);
            low = wait_s < low ? wait_s : low;
            high = wait_s > high ? wait_s : high;
        }
        assert_true(high > low); /* it is spread */
    }
    world_fini(&w);
}

static void damaged_state_starts_anew(void **s)
{
    (void)s;
    fresh(false);
    assert_int_equal(world_start(&w), PQOTA_OK);
    uint32_t wait_s;
    for (int i = 0; i < 4; i++)
        assert_int_equal(world_step(&w, &wait_s), PQOTA_AGAIN);
    assert_true(w.state_n > 100);
    w.state[60] ^= 1;
    assert_int_equal(world_start(&w), PQOTA_OK);
    struct pqota_status st;
    pqota_client_status(w.client, &st);
    assert_int_equal(st.state, PQOTA_IDLE);
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL); /* the server offers it again */
    check_success("damaged state", 0);
    world_fini(&w);
}

static void refuses_bad_arguments(void **s)
{
    (void)s;
    world_init(&w, "1.0");
    struct pqota_ops ops = world_ops(&w);
    pqota_client_t *c = NULL;
    assert_int_equal(pqota_client_init(NULL, WORLD_MEMORY, &ops, NULL, &c), PQOTA_E_INVALID);
    assert_int_equal(pqota_client_init(w.memory, PQOTA_MEMORY_MIN - 1, &ops, NULL, &c), PQOTA_E_INVALID);
    assert_int_equal(pqota_client_init(w.memory + 1, PQOTA_MEMORY_MIN, &ops, NULL, &c), PQOTA_E_INVALID);
    ops.storage.sync = NULL;
    assert_int_equal(pqota_client_init(w.memory, WORLD_MEMORY, &ops, NULL, &c), PQOTA_E_INVALID);
    assert_null(c);
    world_fini(&w);
}

static void fits_in_the_least_memory(void **s)
{
    (void)s;
    fresh(false);
    struct pqota_ops ops = world_ops(&w);
    assert_int_equal(pqota_client_init(w.memory, PQOTA_MEMORY_MIN, &ops, &w.settings, &w.client), PQOTA_OK);
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    check_success("least memory", 0);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_through),
        cmocka_unit_test(each_callback_fails_once),
        cmocka_unit_test(killed_at_each_callback),
        cmocka_unit_test(power_cut_at_each_callback),
        cmocka_unit_test(twice_cut),
        cmocka_unit_test(bad_version_returns),
        cmocka_unit_test(a_report_is_kept_until_it_arrives),
        cmocka_unit_test(back_off_doubles_and_is_capped),
        cmocka_unit_test(poll_interval_is_the_servers_within_bounds),
        cmocka_unit_test(damaged_state_starts_anew),
        cmocka_unit_test(refuses_bad_arguments),
        cmocka_unit_test(fits_in_the_least_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
