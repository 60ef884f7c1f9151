/* Ranges, resumption, wrong sizes and hashes. */
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
    world_offer(&w, "2.0", 20000);
}

static void expect_failed(const char *message)
{
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "failed");
    assert_string_equal(w.running, "1.0");
    assert_string_equal(world_last(&w)->version, "1.0");
    if (strstr(world_last(&w)->message, message) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", world_last(&w)->message, message);
    assert_int_equal(w.installs, 0);
    assert_int_equal(w.artifact_n, 0);
    world_fini(&w);
}

/* Steps until `n` bytes are there. */
static void until_bytes(size_t n)
{
    uint32_t wait_s;
    assert_int_equal(world_start(&w), PQOTA_OK);
    for (int i = 0; w.artifact_n < n; i++) {
        assert_true(i < STEPS);
        world_step(&w, &wait_s);
    }
}

static void resumes_where_it_was_cut(void **s)
{
    (void)s;
    fresh();
    w.settings.segment_bytes = 1 << 20;
    w.body_cut = 7000; /* the connection breaks after 7 of 20 kB each time */
    until_bytes(7000);
    assert_int_equal(w.first_asked, 0);
    assert_string_equal(w.etag_asked, "");
    uint32_t wait_s;
    assert_int_equal(world_step(&w, &wait_s), PQOTA_WAIT_RETRY);
    assert_int_equal(w.first_asked, 7000);
    assert_int_equal(strlen(w.etag_asked), 66); /* If-Range names the bytes that it continues */
    assert_int_equal(w.etag_asked[0], '"');
    assert_int_equal(w.artifact_n, 14000);
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "succeeded");
    assert_int_equal(w.downloads, 3);
    world_fini(&w);
}

static void program_restart_keeps_every_byte(void **s)
{
    (void)s;
    fresh();
    w.settings.segment_bytes = 1 << 20;
    w.settings.checkpoint_bytes = 1 << 20;
    w.body_cut = 7000;
    until_bytes(7000);
    w.synced_n = 0; /* whatever was flushed: the machine did not stop */
    assert_int_equal(world_start(&w), PQOTA_OK);
    uint32_t wait_s;
    world_step(&w, &wait_s);
    assert_int_equal(w.first_asked, 7000);
    world_fini(&w);
}

static void power_cut_keeps_what_was_flushed(void **s)
{
    (void)s;
    fresh();
    w.settings.segment_bytes = 1 << 20;
    w.stop_at = 0;
    until_bytes(1);
    world_fini(&w);
    /* Cut within the body, between two checkpoints. */
    for (long at = 20; at < 60; at++) {
        fresh();
        w.settings.segment_bytes = 1 << 20;
        (void)world_run_cut(&w, STEPS, at, WORLD_POWER);
        assert_string_equal(w.done, "succeeded");
        assert_null(strstr(w.log, "downloading once more")); /* no garbage was taken for a download */
        world_fini(&w);
    }
}

static void wrong_hash_is_fetched_once_more(void **s)
{
    (void)s;
    fresh();
    until_bytes(8000);
    w.artifact[5] ^= 1; /* the flash has a bad day */
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "succeeded");
    assert_non_null(strstr(w.log, "downloading once more"));
    world_fini(&w);
}

static void wrong_hash_twice_is_final(void **s)
{
    (void)s;
    fresh();
    w.file[100] ^= 1;
    expect_failed("SHA-256 of gw.bin is not what was announced");
}

static void wrong_size(void **s)
{
    static const int deltas[] = {-1, 1};
    (void)s;
    for (int ranges = 0; ranges < 2; ranges++) {
        for (size_t i = 0; i < 2; i++) {
            fresh();
            w.no_ranges = ranges == 0;
            w.file_n = (size_t)((int)w.file_n + deltas[i]);
            expect_failed("announced were 20000");
        }
    }
}

static void larger_than_announced(void **s)
{
    (void)s;
    fresh();
    w.extra = 1;
    expect_failed("more bytes than it announced");
    fresh();
    w.no_ranges = true; /* and Content-Length lies too */
    w.extra = 1;
    expect_failed("more bytes than it announced");
}

static void server_without_ranges(void **s)
{
    (void)s;
    fresh();
    w.no_ranges = true;
    w.settings.segment_bytes = 5000;
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "succeeded");
    assert_int_equal(w.downloads, 1);
    world_fini(&w);
}

static void server_that_forgot_ranges_midway(void **s)
{
    (void)s;
    fresh();
    until_bytes(8000);
    w.no_ranges = true;
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "succeeded");
    world_fini(&w);
}

static void refusals_end_it(void **s)
{
    static const int answers[] = {404, 409, 410};
    (void)s;
    for (size_t i = 0; i < 3; i++) {
        char text[64];
        snprintf(text, sizeof text, "does not give the file (%d)", answers[i]);
        fresh();
        w.file_answer = answers[i];
        expect_failed(text);
    }
}

static void a_server_that_keeps_failing_is_given_up(void **s)
{
    (void)s;
    fresh();
    w.file_answer = 503;
    expect_failed("refused the download 50 times, at last with 503");
}

static void no_room(void **s)
{
    (void)s;
    fresh();
    w.full = true;
    expect_failed("no room for the 20000 bytes");
}

static void cancelled_while_downloading(void **s)
{
    (void)s;
    fresh();
    until_bytes(8000);
    w.closed = true;
    w.offer[0] = '\0';
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    struct pqota_status st;
    pqota_client_status(w.client, &st);
    assert_int_equal(st.state, PQOTA_IDLE);
    assert_int_equal(w.installs, 0);
    assert_int_equal(w.artifact_n, 0);
    assert_string_equal(w.running, "1.0");
    world_fini(&w);
}

static void an_outage_is_outlasted(void **s)
{
    (void)s;
    fresh();
    until_bytes(8000);
    w.status_answer = 503;
    uint32_t wait_s;
    for (int i = 0; i < 200; i++) /* far more than the tries a refused download has */
        if (w.artifact_n == 8000)
            world_step(&w, &wait_s);
    w.status_answer = 0;
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    assert_string_equal(w.done, "succeeded");
    world_fini(&w);
}

static void progress_is_reported_in_tens(void **s)
{
    (void)s;
    fresh();
    w.settings.segment_bytes = 1000;
    assert_int_equal(world_run(&w, STEPS), PQOTA_WAIT_POLL);
    int last = -10;
    for (int i = 0; i < w.reports_n; i++) {
        if (strcmp(w.reports[i].state, "downloading") != 0)
            continue;
        assert_true(w.reports[i].progress >= last + 10);
        last = w.reports[i].progress;
    }
    assert_int_equal(last, 90);
    assert_int_equal(w.downloads, 20);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resumes_where_it_was_cut),
        cmocka_unit_test(program_restart_keeps_every_byte),
        cmocka_unit_test(power_cut_keeps_what_was_flushed),
        cmocka_unit_test(wrong_hash_is_fetched_once_more),
        cmocka_unit_test(wrong_hash_twice_is_final),
        cmocka_unit_test(wrong_size),
        cmocka_unit_test(larger_than_announced),
        cmocka_unit_test(server_without_ranges),
        cmocka_unit_test(server_that_forgot_ranges_midway),
        cmocka_unit_test(refusals_end_it),
        cmocka_unit_test(a_server_that_keeps_failing_is_given_up),
        cmocka_unit_test(no_room),
        cmocka_unit_test(cancelled_while_downloading),
        cmocka_unit_test(an_outage_is_outlasted),
        cmocka_unit_test(progress_is_reported_in_tens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
