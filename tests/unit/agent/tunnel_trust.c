/* What the tunnel remembers of answers, and what must not be forgotten when it ends. The metadata are the
   test's own word here; with real ones it is tried in tests/flow/test_tunnel.py. */
#include "bench.h"

#include "agent/tunnel_trust.h"

#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define OTHER "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct bench b;
static struct tunnel_trust t;
static struct pqota_target said; /* by the metadata */
static enum pqota_vouch answer;
static struct pqota_standing asked_with;
static int asked;
static const char *beside; /* another file of the release */

static enum pqota_vouch vouch(void *ctx, const struct pqota_target *hint,
                              const struct pqota_standing *standing, struct pqota_target *out,
                              char why[PQOTA_TEXT_SIZE])
{
    (void)ctx;
    asked++;
    asked_with = *standing;
    if (answer == PQOTA_VOUCHED) {
        *out = said;
        if (beside[0] != '\0' && strcmp(hint->filename, beside) == 0)
            snprintf(out->filename, sizeof out->filename, "%s", beside);
    } else {
        snprintf(why, PQOTA_TEXT_SIZE, "because");
    }
    return answer;
}

static bool never(void *ctx)
{
    (void)ctx;
    return false;
}

/* Opened as a device that takes everything, which asks for no roots; then the metadata are put in. */
static void open_it(void)
{
    struct err e = {0};
    b.config.insecure_unsigned = true;
    if (tunnel_trust_open(&t, &b.config, &b.files, "gw-1", never, NULL, &e) != 0)
        fail_msg("%s", e.text);
    b.config.insecure_unsigned = false;
    t.trust.callback.vouch = vouch;
}

static int begin(void **s)
{
    (void)s;
    bench_init(&b);
    snprintf(b.config.server, sizeof b.config.server, "https://localhost:1");
    open_it();
    answer = PQOTA_VOUCHED;
    said = (struct pqota_target){.name = "fw",
                                 .version = "1",
                                 .filename = "f.swu",
                                 .sha256 = HASH,
                                 .size = 17,
                                 .sequence = 5,
                                 .counter = 3};
    asked = 0;
    beside = "";
    return 0;
}

static int end(void **s)
{
    (void)s;
    tunnel_trust_close(&t);
    bench_fini(&b);
    return 0;
}

static void offer(uint32_t action, const char *filename, const char *sha256)
{
    char text[1024];
    snprintf(text, sizeof text,
             "{\"deployment\":{\"chunks\":[{\"artifacts\":[{\"filename\":\"%s\",\"size\":17,\"hashes\":"
             "{\"sha256\":\"%s\"},\"_links\":{\"download\":{\"href\":\"https://s/softwaremodules/7/artifacts/"
             "x\"}}}]}]}}",
             filename, sha256);
    tunnel_trust_offered(&t, action, str_of(text));
}

/* 0 or the status of the refusal. */
static int ask_for(const char *filename)
{
    struct pqota_target out;
    struct err e = {0};
    uint32_t action;
    int status = 0;
    if (tunnel_trust_vouch(&t, 0, STR("7"), str_of(filename), &out, &status, &action, &e) != 0)
        return status;
    assert_string_equal(out.sha256, HASH);
    assert_int_equal(out.size, 17);
    return 0;
}

static void the_file_must_be_the_vouched_one(void **s)
{
    (void)s;
    assert_int_equal(ask_for("f.swu"), 0); /* of a link that the updater kept */
    assert_int_equal(ask_for("g.swu"), 403);
    offer(4, "f.swu", HASH);
    assert_int_equal(ask_for("f.swu"), 0);
    offer(4, "f.swu", OTHER);
    assert_int_equal(ask_for("f.swu"), 403);
    offer(5, "f.swu", HASH); /* what was said last counts */
    assert_int_equal(ask_for("f.swu"), 0);
}

static void several_files_of_a_release(void **s)
{
    (void)s;
    beside = "f.zck";
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask_for("f.swu"), 0);
        assert_int_equal(ask_for("f.zck"), 0);
    }
    assert_int_equal(asked, 2); /* what was said of one does not drive out the other */
    assert_int_equal(ask_for("g.zck"), 403);
}

static void each_answer_has_its_status(void **s)
{
    (void)s;
    offer(4, "f.swu", HASH);
    answer = PQOTA_VOUCH_REFUSED;
    assert_int_equal(ask_for("f.swu"), 403);
    answer = PQOTA_VOUCH_STALE;
    assert_int_equal(ask_for("f.swu"), 404);
    answer = PQOTA_VOUCH_LATER;
    assert_int_equal(ask_for("f.swu"), 503);
    assert_int_equal(asked, 3);
    answer = PQOTA_VOUCHED;
    assert_int_equal(ask_for("f.swu"), 0);
    answer = PQOTA_VOUCH_REFUSED; /* within the minute it holds */
    assert_int_equal(ask_for("f.swu"), 0);
    assert_int_equal(asked, 4);
    memset(t.vouched, 0, sizeof t.vouched);
    assert_int_equal(ask_for("f.swu"), 403);
}

static void an_action_is_told_of_once(void **s)
{
    (void)s;
    assert_false(tunnel_trust_tell(&t, 0));
    assert_true(tunnel_trust_tell(&t, 4));
    assert_false(tunnel_trust_tell(&t, 4));
    assert_true(tunnel_trust_tell(&t, 5));
}

static void reopen(void)
{
    tunnel_trust_close(&t);
    open_it();
    memset(t.vouched, 0, sizeof t.vouched);
}

static void what_succeeded_is_not_forgotten(void **s)
{
    (void)s;
    offer(4, "f.swu", HASH);
    assert_int_equal(ask_for("f.swu"), 0);
    assert_false(asked_with.confirmed);
    reopen(); /* the device boots into what was installed */
    tunnel_trust_succeeded(&t, 3);
    assert_false(t.standing.confirmed);
    tunnel_trust_succeeded(&t, 4);
    reopen();
    assert_int_equal(ask_for("f.swu"), 0);
    assert_true(asked_with.confirmed);
    assert_int_equal(asked_with.sequence, 5);
    assert_int_equal(asked_with.counter, 3);
    /* a counter never falls */
    said.counter = 1;
    said.sequence = 6;
    offer(6, "f.swu", HASH);
    memset(t.vouched, 0, sizeof t.vouched);
    assert_int_equal(ask_for("f.swu"), 0);
    tunnel_trust_succeeded(&t, 6);
    reopen();
    assert_int_equal(t.standing.sequence, 6);
    assert_int_equal(t.standing.counter, 3);
}

/* What was vouched for before an update succeeded is asked again: it may be too old by now. */
static void success_ends_what_was_vouched_for(void **s)
{
    (void)s;
    offer(4, "f.swu", HASH);
    assert_int_equal(ask_for("f.swu"), 0);
    snprintf(said.filename, sizeof said.filename, "g.swu");
    said.counter = 4;
    offer(5, "g.swu", HASH);
    assert_int_equal(ask_for("g.swu"), 0);
    tunnel_trust_succeeded(&t, 5);
    assert_int_equal(t.standing.counter, 4);
    answer = PQOTA_VOUCH_REFUSED;
    assert_int_equal(ask_for("f.swu"), 403);
}

/* The same file offered anew within the minute: it is that update which then succeeds. */
static void what_still_holds_counts_for_its_action(void **s)
{
    (void)s;
    offer(4, "f.swu", HASH);
    assert_int_equal(ask_for("f.swu"), 0);
    offer(5, "f.swu", HASH);
    assert_int_equal(ask_for("f.swu"), 0);
    assert_int_equal(asked, 1);
    tunnel_trust_succeeded(&t, 5);
    assert_true(t.standing.confirmed);
    assert_int_equal(t.standing.counter, 3);
}

static void damage_is_seen(void **s)
{
    static const char *const texts[] = {"",
                                        "pqota-tunnel 1",
                                        "pqota-tunnel 1 1 2\n",
                                        "pqota-tunnel 2 1 2 3 0 0 0\n",
                                        "pqota-tunnel 1 1 2 99999999999 0 0 0\n",
                                        "pqota-tunnel 1 x 2 3 0 0 0\n"};
    (void)s;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        FILE *f = fopen(t.path, "w");
        assert_non_null(f);
        fputs(texts[i], f);
        fclose(f);
        reopen();
        assert_false(t.standing.confirmed);
        assert_int_equal(t.standing.counter, 0);
        assert_int_equal(t.pending.action, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_file_must_be_the_vouched_one, begin, end),
        cmocka_unit_test_setup_teardown(several_files_of_a_release, begin, end),
        cmocka_unit_test_setup_teardown(each_answer_has_its_status, begin, end),
        cmocka_unit_test_setup_teardown(an_action_is_told_of_once, begin, end),
        cmocka_unit_test_setup_teardown(what_succeeded_is_not_forgotten, begin, end),
        cmocka_unit_test_setup_teardown(success_ends_what_was_vouched_for, begin, end),
        cmocka_unit_test_setup_teardown(what_still_holds_counts_for_its_action, begin, end),
        cmocka_unit_test_setup_teardown(damage_is_seen, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
