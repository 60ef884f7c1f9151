/* Nothing is fetched, and nothing reaches the installer, that nobody vouched for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "world.h"

#define STEPS 400

static struct world w;

static void fresh(void)
{
    world_init(&w, "1.0");
    world_offer(&w, "2.0", 20000);
    w.sequence = 5;
    w.counter = 2;
}

static void check_old(const char *word)
{
    assert_int_equal(w.installs, 0);
    assert_int_equal(w.downloads, 0);
    assert_string_equal(w.running, "1.0");
    assert_string_equal(w.done, "failed");
    if (strstr(world_last(&w)->message, word) == NULL)
        fail_msg("the report says: %s", world_last(&w)->message);
}

static void a_refusal_is_final(void **s)
{
    (void)s;
    fresh();
    w.vouch_answer = PQOTA_VOUCH_REFUSED;
    w.vouch_why = "signed by 1 of 2 targets keys";
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    check_old("signed by 1 of 2 targets keys");
    assert_int_equal(w.vouches, 1);
    world_fini(&w);
}

/* Also when the program is started for each poll: the tries are counted on the disk. */
static void what_stays_stale_fails(void **s)
{
    (void)s;
    for (int restart = 0; restart < 2; restart++) {
        fresh();
        w.vouch_answer = PQOTA_VOUCH_STALE;
        w.vouch_why = "the timestamp expired";
        assert_int_equal(world_start(&w), PQOTA_OK);
        uint32_t wait_s, before = 0;
        for (int tries = 1; tries < CLIENT_STALE_MAX; tries++) {
            assert_int_equal(world_step(&w, &wait_s), PQOTA_AGAIN); /* the poll */
            assert_int_equal(world_step(&w, &wait_s), PQOTA_WAIT_RETRY);
            assert_true(wait_s > before / 2); /* it backs off */
            before = wait_s;
            assert_int_equal(w.vouches, tries);
            assert_int_equal(w.polls, tries);
            if (restart != 0)
                assert_int_equal(world_start(&w), PQOTA_OK);
            struct pqota_status st;
            pqota_client_status(w.client, &st);
            assert_int_equal(st.state, PQOTA_IDLE);
            assert_string_equal(st.message, "the timestamp expired");
        }
        assert_true(before > 10);
        assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
        check_old("the timestamp expired");
        assert_int_equal(w.vouches, CLIENT_STALE_MAX);
        world_fini(&w);
    }
}

static void what_becomes_fresh_is_installed(void **s)
{
    (void)s;
    fresh();
    w.vouch_answer = PQOTA_VOUCH_STALE;
    assert_int_equal(world_run(&w, 4), PQOTA_WAIT_RETRY);
    assert_int_equal(w.vouches, 2);
    w.vouch_answer = PQOTA_VOUCHED;
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "succeeded");
    world_fini(&w);
}

/* Of another action nothing is counted yet. */
static void the_tries_belong_to_the_action(void **s)
{
    (void)s;
    fresh();
    w.vouch_answer = PQOTA_VOUCH_STALE;
    assert_int_equal(world_run(&w, 6), PQOTA_WAIT_RETRY);
    assert_int_equal(w.vouches, 3);
    char *action = strstr(w.offer, "\"action\":7");
    action[9] = '8';
    assert_int_equal(world_run(&w, 2), PQOTA_WAIT_RETRY);
    struct pqota_status st;
    pqota_client_status(w.client, &st);
    assert_int_equal(st.action, 8);
    assert_int_equal(st.state, PQOTA_IDLE);
    world_fini(&w);
}

static void a_cancelled_offer_is_noticed(void **s)
{
    (void)s;
    fresh();
    w.vouch_answer = PQOTA_VOUCH_LATER;
    assert_int_equal(world_run(&w, 2), PQOTA_WAIT_RETRY);
    w.offer[0] = '\0';
    assert_int_equal(world_run(&w, 1), PQOTA_WAIT_POLL);
    assert_int_equal(w.reports_n, 0);
    world_fini(&w);
}

/* Polls come through, metadata never does: that is no network that is down. */
static void later_is_not_for_ever(void **s)
{
    (void)s;
    fresh();
    w.vouch_answer = PQOTA_VOUCH_LATER;
    w.vouch_why = "the server does not finish timestamp.json";
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_int_equal(w.vouches, CLIENT_LATER_MAX);
    check_old("does not finish");
    world_fini(&w);
}

static void without_a_network_it_goes_on(void **s)
{
    (void)s;
    fresh();
    w.vouch_answer = PQOTA_VOUCH_LATER;
    assert_int_equal(world_run(&w, 2), PQOTA_WAIT_RETRY);
    w.poll_answer = 503;
    assert_int_equal(world_run(&w, 200), PQOTA_WAIT_RETRY);
    assert_int_equal(w.vouches, 1);
    assert_int_equal(w.reports_n, 0);
    world_fini(&w);
}

/* The offer lies about everything but the release; what was vouched for counts. */
static void what_was_vouched_for_replaces_the_hint(void **s)
{
    (void)s;
    fresh();
    char *hash = strstr(w.offer, "\"sha256\":\"") + 10, *size = strstr(w.offer, "\"size\":20000");
    struct pqota_target right = {.name = "gw", .version = "2.0", .filename = "real.bin", .size = 20000};
    memcpy(right.sha256, hash, 64);
    memset(hash, 'e', 64);
    memcpy(size, "\"size\":39999", 12);
    w.vouch_as = right;
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "succeeded");
    assert_string_equal(w.vouched.filename, "real.bin");
    world_fini(&w);
}

/* The server's bytes fit its offer, not what was vouched for. */
static void other_bytes_are_not_installed(void **s)
{
    (void)s;
    fresh();
    w.vouch_as = (struct pqota_target){.name = "gw", .version = "2.0", .filename = "gw.bin", .size = 20000};
    memset(w.vouch_as.sha256, 'a', 64);
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_int_equal(w.installs, 0);
    assert_string_equal(w.done, "failed");
    assert_non_null(strstr(world_last(&w)->message, "SHA-256"));
    world_fini(&w);
}

static void another_release_is_not_reported_for_this_action(void **s)
{
    (void)s;
    fresh();
    w.vouch_as = (struct pqota_target){.name = "gw", .version = "3.0", .filename = "gw.bin", .size = 10};
    memset(w.vouch_as.sha256, 'a', 64);
    assert_int_equal(world_run(&w, 2), PQOTA_WAIT_RETRY);
    assert_int_equal(w.reports_n, 0);
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    check_old("gw 3.0 is vouched for, the server offers gw 2.0");
    world_fini(&w);
}

static void unsound_targets(void **s)
{
    (void)s;
    for (int i = 0; i < 5; i++) {
        fresh();
        struct pqota_target t = {.name = "gw", .version = "2.0", .filename = "gw.bin", .size = 10};
        memset(t.sha256, 'a', 64);
        switch (i) {
        case 0:
            snprintf(t.filename, sizeof t.filename, "../x");
            break;
        case 1:
            t.sha256[3] = 'A';
            break;
        case 2:
            t.sha256[63] = '\0';
            break;
        case 3:
            memset(t.filename, 'f', sizeof t.filename); /* without its end */
            break;
        case 4:
            t.size = ((uint64_t)64 << 30) + 1;
            break;
        }
        w.vouch_as = t;
        assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
        check_old(i == 4 ? "more than this client takes" : "no usable name");
        world_fini(&w);
    }
}

/* Standing is raised by what confirmed itself alone, wherever the power goes. */
static void standing_after(bool reboot, bool bad)
{
    for (long at = 0;; at++) {
        fresh();
        w.needs_reboot = reboot;
        w.bad = bad;
        bool reached = world_run_cut(&w, STEPS, at, WORLD_POWER);
        struct pqota_status st;
        assert_int_equal(world_start(&w), PQOTA_OK);
        pqota_client_status(w.client, &st);
        assert_string_equal(w.done, bad ? "failed" : "succeeded");
        assert_int_equal(st.standing.confirmed, !bad);
        assert_int_equal(st.standing.sequence, bad ? 0 : 5);
        assert_int_equal(st.standing.counter, bad ? 0 : 2);
        world_fini(&w);
        if (at > 0 && !reached)
            break;
    }
}

static void standing_is_raised_at_the_end(void **s)
{
    (void)s;
    standing_after(false, false);
    standing_after(true, false);
    standing_after(false, true);
    standing_after(true, true);
}

/* The next update is told, keeps it while it fails, and may go to a lower sequence but no lower counter. */
static void standing_outlives_updates(void **s)
{
    (void)s;
    fresh();
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_false(w.standing.confirmed);
    struct pqota_status st;
    for (int i = 0; i < 2; i++) {
        world_offer(&w, "2.0", 3000);
        snprintf(w.running, sizeof w.running, "1.0");
        w.done[0] = '\0';
        w.vouch_answer = i == 0 ? PQOTA_VOUCH_REFUSED : PQOTA_VOUCHED;
        w.sequence = 3;
        w.counter = 1;
        assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
        assert_true(w.standing.confirmed);
        assert_int_equal(w.standing.sequence, 5);
        assert_int_equal(w.standing.counter, 2);
        pqota_client_status(w.client, &st);
        assert_int_equal(st.standing.sequence, i == 0 ? 5 : 3);
        assert_int_equal(st.standing.counter, 2);
    }
    world_fini(&w);
}

/* Brought to that state by a program that asked nobody, which is then replaced by this one. */
static void an_update_begun_without_trust(void **s)
{
    static const enum pqota_state rows[] = {PQOTA_DOWNLOADING, PQOTA_VERIFYING, PQOTA_INSTALLING};
    (void)s;
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        fresh();
        bool refused = i >= sizeof rows / sizeof *rows;
        assert_int_equal(world_start(&w), PQOTA_OK);
        while (w.client->st.state != rows[i % 3])
            assert_int_equal(world_run(&w, 1), PQOTA_AGAIN);
        struct pqota_sha256 sha = world_ops(&w).sha256;
        struct client_state st = w.client->st;
        st.vouched = st.sequence = st.counter = 0;
        w.state_n = client_state_write(&st, &sha, w.state);
        w.vouch_answer = refused ? PQOTA_VOUCH_REFUSED : PQOTA_VOUCHED;
        assert_int_equal(world_start(&w), PQOTA_OK);
        assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
        /* Each time when it is offered and before it is installed. */
        assert_int_equal(w.vouches, (rows[i % 3] == PQOTA_INSTALLING ? 3 : 2) + !refused);
        assert_int_equal(w.installs, refused ? 0 : 1);
        assert_string_equal(w.done, refused ? "failed" : "succeeded");
        world_fini(&w);
    }
}

/* Vouched for by who vouches for anything; then the settings name roots. Or: the download took so long that
   the word does not hold any more. */
static void what_is_not_vouched_for_any_more(void **s)
{
    static const enum pqota_state rows[] = {PQOTA_DOWNLOADING, PQOTA_VERIFYING, PQOTA_INSTALLING};
    static const enum pqota_vouch answers[] = {PQOTA_VOUCH_REFUSED, PQOTA_VOUCH_STALE, PQOTA_VOUCH_LATER};
    static const int asked[] = {1, CLIENT_STALE_MAX, CLIENT_LATER_MAX};
    (void)s;
    for (int i = 0; i < 18; i++) {
        fresh();
        assert_int_equal(world_start(&w), PQOTA_OK);
        while (w.client->st.state != rows[i % 3])
            assert_int_equal(world_run(&w, 1), PQOTA_AGAIN);
        w.vouch_answer = answers[i / 3 % 3];
        w.vouch_why = "it has expired meanwhile";
        w.vouches = 0;
        /* Started anew for each step, too: the tries are counted on the disk. */
        for (int step = 0; w.done[0] == '\0' && step < STEPS; step++) {
            if (i < 9 || step == 0)
                assert_int_equal(world_start(&w), PQOTA_OK);
            world_run(&w, i < 9 ? 1 : 5);
        }
        assert_string_equal(w.done, "failed");
        assert_string_equal(world_last(&w)->message, "it has expired meanwhile");
        assert_int_equal(w.installs, 0);
        assert_int_equal(w.vouches, asked[i / 3 % 3]);
        world_fini(&w);
    }
}

static void what_is_vouched_for_again_is_installed(void **s)
{
    (void)s;
    fresh();
    assert_int_equal(world_start(&w), PQOTA_OK);
    while (w.client->st.state != PQOTA_VERIFYING)
        assert_int_equal(world_run(&w, 1), PQOTA_AGAIN);
    w.vouch_answer = PQOTA_VOUCH_STALE;
    assert_int_equal(world_run(&w, 2), PQOTA_WAIT_RETRY);
    assert_int_equal(w.client->st.stale, 2);
    w.vouch_answer = PQOTA_VOUCHED;
    w.counter = 7; /* what was said last counts */
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "succeeded");
    assert_int_equal(w.downloads, 3); /* three segments, once each */
    struct pqota_status st;
    pqota_client_status(w.client, &st);
    assert_int_equal(st.standing.counter, 7);
    world_fini(&w);
}

static void other_bytes_are_vouched_for_by_now(void **s)
{
    (void)s;
    for (int i = 0; i < 2; i++) {
        fresh();
        assert_int_equal(world_start(&w), PQOTA_OK);
        while (w.client->st.state != PQOTA_VERIFYING)
            assert_int_equal(world_run(&w, 1), PQOTA_AGAIN);
        w.vouch_as = w.vouched;
        if (i == 0)
            w.vouch_as.sha256[0] = w.vouch_as.sha256[0] == 'a' ? 'b' : 'a';
        else
            w.vouch_as.size++;
        assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
        assert_int_equal(w.installs, 0);
        assert_string_equal(w.done, "failed");
        assert_non_null(strstr(world_last(&w)->message, "other bytes are vouched for"));
        world_fini(&w);
    }
}

/* What it had installed already is confirmed and reported as ever; which sequence it was, nobody knows. */
static void an_installation_done_without_trust(void **s)
{
    (void)s;
    fresh();
    w.needs_reboot = true;
    assert_int_equal(world_start(&w), PQOTA_OK);
    while (w.client->st.state != PQOTA_REBOOTING)
        assert_int_equal(world_run(&w, 1), PQOTA_AGAIN);
    struct pqota_sha256 sha = world_ops(&w).sha256;
    struct client_state st = w.client->st;
    st.vouched = st.sequence = st.counter = 0;
    w.state_n = client_state_write(&st, &sha, w.state);
    w.vouch_answer = PQOTA_VOUCH_REFUSED;
    world_power(&w);
    assert_int_equal(world_start(&w), PQOTA_OK);
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "succeeded");
    struct pqota_status shown;
    pqota_client_status(w.client, &shown);
    assert_true(shown.standing.confirmed);
    assert_int_equal(shown.standing.sequence, 0);
    world_fini(&w);
}

static void insecure_takes_the_hint_whole(void **s)
{
    (void)s;
    struct pqota_target hint = {.name = "gw", .version = "2.0", .size = 3}, out = {.size = 9};
    struct pqota_standing standing = {.confirmed = true, .counter = 9};
    char why[PQOTA_TEXT_SIZE];
    assert_int_equal(pqota_vouch_insecure(NULL, &hint, &standing, &out, why), PQOTA_VOUCHED);
    assert_memory_equal(&hint, &out, sizeof out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_is_final),
        cmocka_unit_test(what_stays_stale_fails),
        cmocka_unit_test(what_becomes_fresh_is_installed),
        cmocka_unit_test(the_tries_belong_to_the_action),
        cmocka_unit_test(a_cancelled_offer_is_noticed),
        cmocka_unit_test(later_is_not_for_ever),
        cmocka_unit_test(without_a_network_it_goes_on),
        cmocka_unit_test(what_was_vouched_for_replaces_the_hint),
        cmocka_unit_test(other_bytes_are_not_installed),
        cmocka_unit_test(another_release_is_not_reported_for_this_action),
        cmocka_unit_test(unsound_targets),
        cmocka_unit_test(standing_is_raised_at_the_end),
        cmocka_unit_test(standing_outlives_updates),
        cmocka_unit_test(an_update_begun_without_trust),
        cmocka_unit_test(what_is_not_vouched_for_any_more),
        cmocka_unit_test(what_is_vouched_for_again_is_installed),
        cmocka_unit_test(other_bytes_are_vouched_for_by_now),
        cmocka_unit_test(an_installation_done_without_trust),
        cmocka_unit_test(insecure_takes_the_hint_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
