/* Reports: what is refused, what is gone, what comes later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

static struct world w;

static void until_reporting(enum pqota_install answer)
{
    world_init(&w, "1.0");
    world_offer(&w, "2.0", 3000);
    w.install_answer = answer;
    assert_int_equal(world_start(&w), PQOTA_OK);
    struct pqota_status st;
    uint32_t wait_s;
    do {
        assert_int_equal(world_step(&w, &wait_s), PQOTA_AGAIN);
        pqota_client_status(w.client, &st);
    } while (st.state != PQOTA_REPORTING);
}

static enum pqota_state state_now(void)
{
    struct pqota_status st;
    pqota_client_status(w.client, &st);
    return st.state;
}

static void closed_actions_end_it(void **s)
{
    static const int answers[] = {204, 404, 410};
    (void)s;
    for (size_t i = 0; i < 3; i++) {
        until_reporting(PQOTA_INSTALL_DONE);
        uint32_t wait_s;
        w.status_answer = answers[i];
        assert_int_equal(world_step(&w, &wait_s), PQOTA_AGAIN);
        assert_int_equal(state_now(), PQOTA_IDLE);
        world_fini(&w);
    }
}

static void trouble_is_retried(void **s)
{
    static const int answers[] = {401, 403, 408, 429, 500, 502, 503};
    (void)s;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        until_reporting(PQOTA_INSTALL_DONE);
        uint32_t wait_s;
        w.status_answer = answers[i];
        for (int k = 0; k < 5; k++)
            assert_int_equal(world_step(&w, &wait_s), PQOTA_WAIT_RETRY);
        assert_int_equal(state_now(), PQOTA_REPORTING);
        world_fini(&w);
    }
}

/* What the server will never take must not keep the device from the next update. */
static void refused_reports_are_given_up(void **s)
{
    (void)s;
    until_reporting(PQOTA_INSTALL_FAILED);
    uint32_t wait_s;
    w.status_answer = 400;
    assert_int_equal(world_step(&w, &wait_s), PQOTA_WAIT_RETRY);
    w.status_answer = 0;
    assert_int_equal(world_step(&w, &wait_s), PQOTA_AGAIN);
    assert_string_equal(w.done, "failed");
    assert_string_equal(world_last(&w)->message, ""); /* the second time without what could displease */
    world_fini(&w);

    until_reporting(PQOTA_INSTALL_FAILED);
    w.status_answer = 422;
    assert_int_equal(world_step(&w, &wait_s), PQOTA_WAIT_RETRY);
    assert_int_equal(world_step(&w, &wait_s), PQOTA_AGAIN);
    assert_int_equal(state_now(), PQOTA_IDLE);
    world_fini(&w);
}

static struct pqota_response answer;
static int busy(void *ctx, const struct pqota_request *q, struct pqota_response *r, pqota_sink sink,
                void *sink_ctx)
{
    (void)ctx, (void)q, (void)sink, (void)sink_ctx;
    *r = answer;
    return PQOTA_OK;
}

static void retry_after_is_honoured(void **s)
{
    (void)s;
    until_reporting(PQOTA_INSTALL_DONE);
    uint32_t wait_s;
    answer = (struct pqota_response){.status = 503, .retry_after_s = 1000};
    w.client->ops.transport.request = busy;
    assert_int_equal(world_step(&w, &wait_s), PQOTA_WAIT_RETRY);
    assert_in_range(wait_s, 1000, 1100);
    answer.retry_after_s = UINT32_MAX; /* bounded */
    assert_int_equal(world_step(&w, &wait_s), PQOTA_WAIT_RETRY);
    assert_in_range(wait_s, 86400, 95040);
    world_fini(&w);
}

static int endless(void *ctx, const struct pqota_request *q, struct pqota_response *r, pqota_sink sink,
                   void *sink_ctx)
{
    static const char piece[512];
    int *sent = ctx;
    (void)q;
    r->status = 204;
    while (sink(sink_ctx, piece, sizeof piece) == 0)
        assert_true(++*sent < 100);
    return PQOTA_E_AGAIN;
}

static void endless_answers_are_cut(void **s)
{
    (void)s;
    until_reporting(PQOTA_INSTALL_DONE);
    uint32_t wait_s;
    int sent = 0;
    w.client->ops.transport.request = endless;
    w.client->ops.transport.ctx = &sent;
    world_step(&w, &wait_s);
    assert_true(sent > 0);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_actions_end_it),        cmocka_unit_test(trouble_is_retried),
        cmocka_unit_test(refused_reports_are_given_up), cmocka_unit_test(retry_after_is_honoured),
        cmocka_unit_test(endless_answers_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
