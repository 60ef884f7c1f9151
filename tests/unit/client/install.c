/* From a checked artifact to what really runs. */
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

static void fresh(void)
{
    world_init(&w, "1.0");
    world_offer(&w, "2.0", 5000);
}

static void installer_fails(void **s)
{
    (void)s;
    fresh();
    w.install_answer = PQOTA_INSTALL_FAILED;
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "failed");
    assert_string_equal(w.running, "1.0");
    assert_int_equal(w.installs, 1); /* its own failure is not repeated */
    assert_string_equal(world_last(&w)->message, "exit code 3:  no \"space\" ? left");
    world_fini(&w);
}

static void cut_off_again_and_again(void **s)
{
    (void)s;
    fresh();
    assert_int_equal(world_start(&w), PQOTA_OK);
    struct pqota_status st;
    w.end = WORLD_POWER;
    for (int i = 0; i < 3; i++) {
        do {
            world_run(&w, 1);
            pqota_client_status(w.client, &st);
        } while (st.state != PQOTA_INSTALLING);
        w.stop_at = w.hits + 1; /* dies in the installer, before anything changed */
        world_run(&w, 1);
        w.stop_at = 0;
    }
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "failed");
    assert_string_equal(world_last(&w)->message, "the installation was cut off 3 times");
    world_fini(&w);
}

static void server_hears_before_the_installer_runs(void **s)
{
    (void)s;
    fresh();
    assert_int_equal(world_start(&w), PQOTA_OK);
    struct pqota_status st;
    uint32_t wait_s;
    do {
        assert_int_equal(world_step(&w, &wait_s), PQOTA_AGAIN);
        pqota_client_status(w.client, &st);
    } while (st.state != PQOTA_VERIFYING);
    w.status_answer = 500;
    for (int i = 0; i < 10; i++)
        assert_int_equal(world_step(&w, &wait_s), PQOTA_WAIT_RETRY);
    assert_int_equal(w.installs, 0);
    w.status_answer = 0;
    w.closed = true; /* cancelled meanwhile */
    w.offer[0] = '\0';
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_int_equal(w.installs, 0);
    assert_string_equal(w.running, "1.0");
    world_fini(&w);
}

static void waits_for_the_confirmation(void **s)
{
    (void)s;
    fresh();
    w.confirm_waits = 4;
    assert_int_equal(world_start(&w), PQOTA_OK);
    int waits = 0;
    uint32_t wait_s;
    for (enum pqota_next next = PQOTA_AGAIN; next != PQOTA_WAIT_POLL;) {
        next = world_step(&w, &wait_s);
        if (next == PQOTA_WAIT_CONFIRM) {
            assert_int_equal(wait_s, 3);
            assert_int_equal(world_count(&w, "succeeded"), 0);
            waits++;
        }
    }
    assert_int_equal(waits, 4);
    assert_string_equal(w.done, "succeeded");
    world_fini(&w);
}

static void boots_into_the_old_version(void **s)
{
    (void)s;
    fresh();
    w.needs_reboot = true;
    w.bad = true;
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "failed");
    assert_string_equal(world_last(&w)->version, "1.0");
    assert_non_null(strstr(world_last(&w)->message, "returned to 1.0"));
    world_fini(&w);
}

/* The installer says done, and nothing changed. */
static void success_is_what_runs(void **s)
{
    (void)s;
    fresh();
    assert_int_equal(world_start(&w), PQOTA_OK);
    struct pqota_status st;
    uint32_t wait_s;
    do {
        assert_int_equal(world_step(&w, &wait_s), PQOTA_AGAIN);
        pqota_client_status(w.client, &st);
    } while (st.state != PQOTA_REPORTING);
    world_fini(&w);

    fresh();
    assert_int_equal(world_start(&w), PQOTA_OK);
    do {
        assert_int_equal(world_step(&w, &wait_s), PQOTA_AGAIN);
        pqota_client_status(w.client, &st);
    } while (st.state != PQOTA_CONFIRMING);
    snprintf(w.running, sizeof w.running, "1.5");
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "failed");
    assert_int_equal(world_count(&w, "succeeded"), 0);
    world_fini(&w);
}

static void unknown_version_is_no_success(void **s)
{
    (void)s;
    fresh();
    w.version_unknown = true;
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "failed");
    assert_string_equal(world_last(&w)->version, "");
    assert_string_equal(world_last(&w)->message, "the version that runs cannot be told");
    assert_string_equal(w.poll_path, "/api/update?hold=yes");
    world_fini(&w);
}

static void runs_already(void **s)
{
    (void)s;
    world_init(&w, "2.0");
    world_offer(&w, "2.0", 5000);
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "succeeded");
    assert_int_equal(w.downloads, 0);
    assert_int_equal(w.installs, 0);
    world_fini(&w);
}

static void signed_release(void)
{
    fresh();
    w.sequence = 5;
    w.counter = 2;
}

/* A version is a name, and the server chooses who has it: of another release by the same one nothing is
   believed that was not installed, wherever the power goes. */
static void another_release_of_the_version_that_runs(void **s)
{
    int failures = 0;
    (void)s;
    for (long at = 0;; at++) {
        signed_release();
        assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
        world_offer(&w, "2.0", 3000);
        w.done[0] = '\0';
        w.installs = 0;
        w.sequence = 9;
        w.counter = 4;
        w.hits = 0;
        bool reached = world_run_cut(&w, STEPS, at, WORLD_POWER);
        struct pqota_status st;
        pqota_client_status(w.client, &st);
        bool good = strcmp(w.done, "succeeded") == 0;
        if (good)
            assert_int_equal(w.installs, 1);
        else
            assert_non_null(strstr(world_last(&w)->message, "as version 2.0 ran before it, too"));
        failures += !good;
        assert_int_equal(st.standing.sequence, good ? 9 : 5);
        assert_int_equal(st.standing.counter, good ? 4 : 2);
        world_fini(&w);
        if (at > 0 && !reached)
            break;
    }
    assert_in_range(failures, 1, 4); /* cut off in the installer, or right after it */
}

/* What runs is what was confirmed: nothing to do. What a device was delivered with is known by its name
   alone. */
static void the_release_that_runs(void **s)
{
    (void)s;
    for (int delivered = 0; delivered < 2; delivered++) {
        signed_release();
        if (delivered != 0)
            snprintf(w.running, sizeof w.running, "2.0");
        else
            assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
        world_offer(&w, "2.0", 3000);
        w.done[0] = '\0';
        w.installs = 0;
        assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
        assert_string_equal(w.done, "succeeded");
        assert_int_equal(w.installs, 0);
        struct pqota_status st;
        pqota_client_status(w.client, &st);
        assert_int_equal(st.standing.sequence, 5);
        assert_int_equal(st.standing.counter, 2);
        world_fini(&w);
    }
}

static void reboot_that_does_not_come(void **s)
{
    (void)s;
    fresh();
    w.needs_reboot = true;
    w.reboot_broken = true;
    assert_int_equal(world_start(&w), PQOTA_OK);
    uint32_t wait_s;
    enum pqota_next next;
    while ((next = world_step(&w, &wait_s)) == PQOTA_AGAIN)
        ;
    assert_int_equal(next, PQOTA_WAIT_RETRY);
    assert_int_equal(world_count(&w, "rebooting"), 1);
    /* The program alone starting again is no reboot. */
    assert_int_equal(world_start(&w), PQOTA_OK);
    assert_int_equal(world_step(&w, &wait_s), PQOTA_WAIT_RETRY);
    assert_int_equal(w.confirms, 0);
    world_power(&w); /* somebody pulls the plug */
    assert_int_equal(world_start(&w), PQOTA_OK);
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "succeeded");
    world_fini(&w);
}

static void reboots_without_the_server(void **s)
{
    (void)s;
    fresh();
    w.needs_reboot = true;
    assert_int_equal(world_start(&w), PQOTA_OK);
    struct pqota_status st;
    uint32_t wait_s;
    do {
        assert_int_equal(world_step(&w, &wait_s), PQOTA_AGAIN);
        pqota_client_status(w.client, &st);
    } while (st.state != PQOTA_REBOOTING);
    w.status_answer = 503;
    world_run(&w, 6);
    assert_int_equal(w.reboots, 1);
    w.status_answer = 0;
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "succeeded");
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(installer_fails),
        cmocka_unit_test(cut_off_again_and_again),
        cmocka_unit_test(server_hears_before_the_installer_runs),
        cmocka_unit_test(waits_for_the_confirmation),
        cmocka_unit_test(boots_into_the_old_version),
        cmocka_unit_test(success_is_what_runs),
        cmocka_unit_test(unknown_version_is_no_success),
        cmocka_unit_test(runs_already),
        cmocka_unit_test(another_release_of_the_version_that_runs),
        cmocka_unit_test(the_release_that_runs),
        cmocka_unit_test(reboot_that_does_not_come),
        cmocka_unit_test(reboots_without_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
