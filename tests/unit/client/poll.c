/* What is only downloaded for now, what waits for the user, and what is there already. */
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

static enum pqota_consent ask_user(void *ctx, const struct pqota_question *q)
{
    struct world *it = ctx;
    assert_string_equal(q->name, "gw");
    assert_string_equal(q->version, "2.0");
    it->questions++;
    return it->user;
}

static void fresh(const char *install)
{
    world_init(&w, "1.0");
    world_offer(&w, "2.0", 20000);
    w.install = install;
}

static enum pqota_state state_now(void)
{
    struct pqota_status st;
    pqota_client_status(w.client, &st);
    return st.state;
}

static void check_held(void)
{
    assert_int_equal(state_now(), PQOTA_READY);
    assert_int_equal(w.installs, 0);
    assert_string_equal(w.running, "1.0");
    assert_int_equal(w.artifact_n, 20000);
    assert_string_equal(w.done, "");
    assert_int_equal(world_count(&w, "installing"), 0);
}

static void it_is_held_until_the_server_says_so(void **s)
{
    (void)s;
    fresh("skip");
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    check_held();
    assert_int_equal(world_count(&w, "downloaded"), 1);
    int downloads = w.downloads;
    for (int i = 0; i < 3; i++) { /* polled, and told nothing new */
        uint32_t wait_s;
        assert_int_equal(world_step(&w, &wait_s), PQOTA_WAIT_POLL);
        assert_in_range(wait_s, 270, 330);
    }
    assert_int_equal(world_start(&w), PQOTA_OK);
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    check_held();
    assert_int_equal(world_count(&w, "downloaded"), 1);
    w.install = "forced";
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "succeeded");
    assert_string_equal(w.running, "2.0");
    assert_int_equal(w.installs, 1);
    assert_int_equal(w.downloads, downloads);
    assert_int_equal(state_now(), PQOTA_IDLE);
    assert_int_equal(w.artifact_n, 0);
    world_fini(&w);
}

/* The power is cut, or the program killed, at every point before and after the word to install. */
static void a_cut_at_any_point(void **s)
{
    (void)s;
    for (int end = WORLD_KILL; end <= WORLD_POWER; end++)
        for (long at = 1;; at++) {
            fresh("skip");
            w.needs_reboot = at % 2 == 0;
            bool reached = world_run_cut(&w, STEPS, at, (enum world_end)end);
            check_held();
            assert_in_range(world_count(&w, "downloaded"), 1, 2);
            world_fini(&w);
            if (!reached)
                break;
        }
    for (long at = 1;; at++) {
        fresh("skip");
        assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
        w.install = "forced";
        w.hits = 0;
        bool reached = world_run_cut(&w, STEPS, at, WORLD_POWER);
        assert_string_equal(w.done, "succeeded");
        assert_string_equal(w.running, "2.0");
        world_fini(&w);
        if (!reached)
            break;
    }
}

static void it_is_free_to_choose(void **s)
{
    (void)s;
    fresh("attempt");
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "succeeded");
    world_fini(&w);
    fresh("attempt");
    w.settings.wait_if_free = true;
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    check_held();
    w.install = "forced";
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "succeeded");
    world_fini(&w);
    fresh("tomorrow"); /* of a later server */
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    check_held();
    world_fini(&w);
}

/* A deployment that only downloads ends there; the next one of the same release finds the file. */
static void what_is_there_is_not_fetched_again(void **s)
{
    (void)s;
    fresh("skip");
    w.download_only = true;
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "downloaded");
    assert_string_equal(w.offer, "");
    assert_int_equal(state_now(), PQOTA_READY);
    int downloads = w.downloads;
    world_offer(&w, "2.0", 20000);
    w.action = 8;
    w.done[0] = '\0';
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_int_equal(world_count(&w, "downloaded"), 2);
    assert_int_equal(w.downloads, downloads);
    world_offer(&w, "2.0", 20000);
    w.action = 9;
    w.download_only = false;
    w.install = "forced";
    w.done[0] = '\0';
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "succeeded");
    assert_int_equal(w.downloads, downloads);
    world_fini(&w);
}

/* Damaged meanwhile: fetched anew. Another release: that one is. */
static void what_is_there_is_checked(void **s)
{
    (void)s;
    fresh("skip");
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    int downloads = w.downloads;
    w.artifact[100] ^= 1;
    w.install = "forced";
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "succeeded");
    assert_true(w.downloads > downloads);
    world_fini(&w);
    fresh("skip");
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    world_offer(&w, "2.0", 12000);
    w.action = 8;
    w.install = "forced";
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "succeeded");
    world_fini(&w);
    fresh("skip");
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    w.vouch_answer = PQOTA_VOUCH_REFUSED; /* taken back meanwhile */
    w.install = "forced";
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "failed");
    assert_int_equal(w.installs, 0);
    world_fini(&w);
}

/* --- consent ------------------------------------------------------------------------------------------- */

static void wanting(enum pqota_consent answer)
{
    fresh(NULL);
    w.waiting = true;
    w.user = answer;
    w.settings.consent = ask_user;
    w.settings.consent_ctx = &w;
}

static void the_user_agrees(void **s)
{
    (void)s;
    wanting(PQOTA_CONSENT_NONE);
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_int_equal(w.questions, 1);
    assert_string_equal(w.poll_path, "/api/update?version=1.0&hold=yes&consent=yes");
    assert_int_equal(state_now(), PQOTA_IDLE);
    assert_int_equal(w.downloads + w.agreed + w.refused, 0);
    w.user = PQOTA_CONSENT_GIVEN;
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_int_equal(w.agreed, 1);
    assert_string_equal(w.done, "succeeded");
    world_fini(&w);
}

static void the_user_refuses(void **s)
{
    (void)s;
    wanting(PQOTA_CONSENT_DENIED);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
        assert_int_equal(world_start(&w), PQOTA_OK);
    }
    assert_int_equal(w.questions, 3);
    assert_int_equal(w.refused, 1); /* told once, over restarts */
    w.user = PQOTA_CONSENT_GIVEN;   /* and may change the mind */
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "succeeded");
    world_fini(&w);
}

static void without_a_user(void **s)
{
    (void)s;
    wanting(PQOTA_CONSENT_GIVEN);
    w.settings.consent = NULL;
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.poll_path, "/api/update?version=1.0&hold=yes");
    assert_int_equal(w.questions + w.downloads, 0);
    world_fini(&w);
}

static void a_cut_while_the_user_is_asked(void **s)
{
    (void)s;
    for (long at = 1;; at++) {
        wanting(PQOTA_CONSENT_GIVEN);
        bool reached = world_run_cut(&w, STEPS, at, WORLD_POWER);
        assert_string_equal(w.done, "succeeded");
        assert_int_equal(w.agreed, 1);
        world_fini(&w);
        if (!reached)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_held_until_the_server_says_so),
        cmocka_unit_test(a_cut_at_any_point),
        cmocka_unit_test(it_is_free_to_choose),
        cmocka_unit_test(what_is_there_is_not_fetched_again),
        cmocka_unit_test(what_is_there_is_checked),
        cmocka_unit_test(the_user_agrees),
        cmocka_unit_test(the_user_refuses),
        cmocka_unit_test(without_a_user),
        cmocka_unit_test(a_cut_while_the_user_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
