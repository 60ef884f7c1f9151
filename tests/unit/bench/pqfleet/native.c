#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "play.h"

#define POLL "GET /api/update?version=1.0"
#define STATUS "POST /api/update/5/status"
#define OFFER_OF(id)                                                                                         \
    "{\"action\":" id ",\"deployment\":1,\"state\":\"offered\",\"release\":{\"id\":1,\"name\":\"fleet\","    \
    "\"version\":\"2.0+b\",\"notes\":\"\"},\"artifacts\":[{\"filename\":\"f\",\"size\":11,\"sha256\":"       \
    "\"" PLAY_SHA256 "\",\"url\":\"http://localhost/api/firmware/1/file\"}],\"poll\":60}"
#define OFFER OFFER_OF("5")

static void success(void **state)
{
    (void)state;
    struct play p;
    play_begin(&p, PROTOCOL_NATIVE);
    p.options.download = DOWNLOAD_FULL;
    play(&p, POLL, NULL, 204, NULL);
    assert_true(p.device.wait >= 9000000000U && p.device.wait <= 11000000000U);
    assert_int_equal(p.counts.settled, 0); /* it was not offered anything yet */
    play(&p, POLL, NULL, 200, OFFER);
    assert_int_equal(p.device.wait, 0);
    play(&p, STATUS, "{\"state\":\"downloading\",\"progress\":0,\"version\":\"1.0\"}", 204, NULL);
    play_fetch(&p, "GET /api/firmware/1/file", 200, 11, PLAY_SHA256);
    play(&p, STATUS, "\"installing\"", 204, NULL);
    play(&p, STATUS, "{\"state\":\"succeeded\",\"version\":\"2.0+b\"}", 204, NULL);
    play_fates(&p, "fleet-0000001 5 1 success 204 2.0+b\n");
    assert_int_equal(p.counts.settled, 0);
    play(&p, "GET /api/update?version=2.0%2Bb", NULL, 204, NULL);
    assert_int_equal(p.counts.settled, 1);
    play(&p, "GET /api/update?version=2.0%2Bb", NULL, 200, OFFER_OF("6"));
    assert_int_equal(p.counts.settled, 0);
    assert_int_equal(p.counts.error_count, 0);
    play_end(&p);
}

static void failure(void **state)
{
    (void)state;
    struct play p;
    play_begin(&p, PROTOCOL_NATIVE);
    p.options.rates.fail = 1;
    play(&p, POLL, NULL, 200, OFFER);
    play(&p, STATUS, "\"downloading\"", 204, NULL);
    play(&p, STATUS, "\"installing\"", 204, NULL);
    play(&p, STATUS, "\"state\":\"failed\"", 204, NULL);
    play(&p, POLL, NULL, 204, NULL);
    play_fates(&p, "fleet-0000001 5 1 failure 204 1.0\n");
    play_end(&p);
}

static void bad_version(void **state)
{
    (void)state;
    struct play p;
    play_begin(&p, PROTOCOL_NATIVE);
    p.options.bad_version = "2.0+b";
    play(&p, POLL, NULL, 200, OFFER);
    play(&p, STATUS, "\"downloading\"", 204, NULL);
    play(&p, STATUS, "\"installing\"", 204, NULL);
    play(&p, STATUS, "\"state\":\"failed\"", 204, NULL);
    play_end(&p);
}

static void fall_back(void **state)
{
    (void)state;
    struct play p;
    play_begin(&p, PROTOCOL_NATIVE);
    p.options.rates.fall_back = 1;
    play(&p, POLL, NULL, 200, OFFER);
    play(&p, STATUS, "\"downloading\"", 204, NULL);
    play(&p, STATUS, "\"installing\"", 204, NULL);
    play(&p, STATUS, "{\"state\":\"succeeded\",\"version\":\"2.0+b\"}", 204, NULL);
    play_fates(&p, ""); /* not before it was told */
    play(&p, POLL, NULL, 503, NULL);
    play_fates(&p, "");
    play(&p, POLL, NULL, 200, OFFER_OF("6")); /* the server tries again at once */
    play_fates(&p, "fleet-0000001 5 1 fell-back 200 1.0\n");
    assert_int_equal(p.device.action, 6);
    assert_int_equal(p.device.attempt, 2);
    play_end(&p);
}

static void vanish_and_hang(void **state)
{
    (void)state;
    struct play p;
    play_begin(&p, PROTOCOL_NATIVE);
    p.options.rates.vanish = 1;
    play(&p, POLL, NULL, 200, OFFER);
    assert_int_equal(p.device.step, STEP_GONE);
    assert_int_equal(p.counts.settled, 1);
    play_fates(&p, "fleet-0000001 5 1 vanished 200 1.0\n");
    play_end(&p);

    play_begin(&p, PROTOCOL_NATIVE);
    p.options.rates.hang = 1;
    play(&p, POLL, NULL, 200, OFFER);
    play(&p, STATUS, "\"downloading\"", 204, NULL);
    assert_int_equal(p.counts.settled, 1);
    play(&p, POLL, NULL, 200, OFFER); /* still that action: it says nothing */
    play(&p, POLL, NULL, 200, OFFER);
    play_fates(&p, "");
    play(&p, POLL, NULL, 200, OFFER_OF("6")); /* another attempt, which hangs too */
    play_fates(&p, "fleet-0000001 5 1 hung 0 1.0\n");
    play(&p, "POST /api/update/6/status", "\"downloading\"", 204, NULL);
    play(&p, POLL, NULL, 204, NULL);
    play_fates(&p, "fleet-0000001 5 1 hung 0 1.0\nfleet-0000001 6 2 hung 0 1.0\n");
    play_end(&p);
}

/* A report goes on until it is answered with 2xx, 404 or 410. */
static void reports_are_not_lost(void **state)
{
    (void)state;
    struct play p;
    play_begin(&p, PROTOCOL_NATIVE);
    play(&p, POLL, NULL, 200, OFFER);
    play(&p, STATUS, "\"downloading\"", 204, NULL);
    play(&p, STATUS, "\"installing\"", 204, NULL);
    for (int i = 0; i < 20; i++)
        play_lost(&p, STATUS);
    static const int statuses[] = {500, 503, 429, 401, 409, 400, 302};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        play(&p, STATUS, "\"succeeded\"", statuses[i], "{}");
    assert_int_equal(p.counts.repeats, 27);
    assert_int_equal(p.counts.errors[ERROR_STATUS], 7);
    play_fates(&p, "");
    play(&p, STATUS, "\"succeeded\"", 410, NULL);
    play_fates(&p, "fleet-0000001 5 1 success 410 2.0+b\n");
    play_end(&p);
}

static void withdrawn(void **state)
{
    (void)state;
    struct play p;
    play_begin(&p, PROTOCOL_NATIVE);
    play(&p, POLL, NULL, 200, OFFER);
    play(&p, STATUS, "\"downloading\"", 410, NULL);
    play_fates(&p, "fleet-0000001 5 1 withdrawn 410 1.0\n");
    play(&p, POLL, NULL, 204, NULL);
    assert_int_equal(p.counts.settled, 1);
    play_end(&p);
}

/* What the server must not say is an error, and the device goes on polling. */
static void wrong_answers(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "[]",
        "{}",
        "{\"action\":0,\"release\":{\"version\":\"2\"},\"artifacts\":[]}",
        OFFER_OF("2147483648"),
        OFFER_OF("-5"),
        OFFER_OF("\"5\""),
        OFFER_OF("5,\"action\":5"),
        "{\"action\":5,\"release\":{\"version\":\"2\"},\"artifacts\":[]}",
        "{\"action\":5,\"release\":{\"version\":2},\"artifacts\":[{}]}",
        "{\"action\":5,\"release\":{\"version\":\"2\"},\"artifacts\":[{\"url\":\"/f\",\"size\":1}]}",
    };
    struct play p;
    play_begin(&p, PROTOCOL_NATIVE);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        play(&p, POLL, NULL, 200, rows[i]);
        assert_int_equal(p.counts.errors[ERROR_REPLY], i + 1);
    }
    assert_int_equal(p.device.attempt, 0);
    play(&p, POLL, NULL, 404, NULL);
    assert_int_equal(p.counts.errors[ERROR_STATUS], 1);
    play_end(&p);
}

static void offered_again(void **state)
{
    (void)state;
    struct play p;
    play_begin(&p, PROTOCOL_NATIVE);
    p.options.rates.fail = 1;
    play(&p, POLL, NULL, 200, OFFER);
    play(&p, STATUS, "\"downloading\"", 204, NULL);
    play(&p, STATUS, "\"installing\"", 204, NULL);
    play(&p, STATUS, "\"failed\"", 204, NULL);
    play(&p, POLL, NULL, 200, OFFER);
    assert_int_equal(p.counts.errors[ERROR_REPLY], 1);
    assert_int_equal(p.counts.offers, 1);
    assert_non_null(strstr(p.counts.samples[0], "offered again"));
    play_end(&p);
}

static void broken_download(void **state)
{
    (void)state;
    static const struct {
        int status;
        uint64_t length;
        const char *sha256;
    } rows[] = {
        {200, 10, PLAY_SHA256},
        {404, 11, PLAY_SHA256},
        {206, 11, PLAY_SHA256},
        {200, 11, "f3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct play p;
        play_begin(&p, PROTOCOL_NATIVE);
        p.options.download = DOWNLOAD_FULL;
        play(&p, POLL, NULL, 200, OFFER);
        play(&p, STATUS, "\"downloading\"", 204, NULL);
        play_lost(&p, "GET /api/firmware/1/file"); /* which it fetches again */
        play_fetch(&p, "GET /api/firmware/1/file", rows[i].status, rows[i].length, rows[i].sha256);
        play(&p, STATUS, "\"failed\"", 204, NULL);
        play_fates(&p, "fleet-0000001 5 1 failure 204 1.0\n");
        assert_int_equal(p.counts.errors[ERROR_REPLY], 1);
        play_end(&p);
    }
}

/* HEAD: the length is what counts. */
static void head(void **state)
{
    (void)state;
    struct play p;
    play_begin(&p, PROTOCOL_NATIVE);
    p.options.download = DOWNLOAD_HEAD;
    play(&p, POLL, NULL, 200, OFFER);
    play(&p, STATUS, "\"downloading\"", 204, NULL);
    play_fetch(&p, "HEAD /api/firmware/1/file", 200, 11,
               "00000000000000000000000000000000"
               "00000000000000000000000000000000");
    play(&p, STATUS, "\"installing\"", 204, NULL);
    assert_int_equal(p.counts.error_count, 0);
    play_end(&p);
}

/* The fleet ends in the middle: where each action stands. */
static void the_end(void **state)
{
    (void)state;
    struct play p;
    play_begin(&p, PROTOCOL_NATIVE);
    play(&p, POLL, NULL, 200, OFFER);
    device_end(&p.sim, &p.device);
    play_fates(&p, "fleet-0000001 5 1 offered 0 1.0\n");
    play_end(&p);

    play_begin(&p, PROTOCOL_NATIVE);
    play(&p, POLL, NULL, 200, OFFER);
    play(&p, STATUS, "\"downloading\"", 204, NULL);
    device_end(&p.sim, &p.device);
    play_fates(&p, "fleet-0000001 5 1 proceeding 0 1.0\n");
    play_end(&p);

    play_begin(&p, PROTOCOL_NATIVE);
    play(&p, POLL, NULL, 200, OFFER);
    play(&p, STATUS, "\"downloading\"", 204, NULL);
    play(&p, STATUS, "\"installing\"", 204, NULL);
    play_lost(&p, STATUS);
    device_end(&p.sim, &p.device);
    play_fates(&p, "fleet-0000001 5 1 reporting 0 1.0\n");
    play_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(success),         cmocka_unit_test(failure),
        cmocka_unit_test(bad_version),     cmocka_unit_test(fall_back),
        cmocka_unit_test(vanish_and_hang), cmocka_unit_test(reports_are_not_lost),
        cmocka_unit_test(withdrawn),       cmocka_unit_test(wrong_answers),
        cmocka_unit_test(offered_again),   cmocka_unit_test(head),
        cmocka_unit_test(broken_download), cmocka_unit_test(the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
