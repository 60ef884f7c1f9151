/* What counts as a hint, and where it says to come no later than. */
#include "agent/wake.h"

#include "bench.h"

static int parse(const char *text, struct wake_hint *hint, int64_t *jitter)
{
    struct err e = {0};
    int rc = wake_parse(text, strlen(text), hint, jitter, &e);
    assert_true((rc == 0) == (e.text[0] == '\0'));
    return rc;
}

static void reads(void **state)
{
    struct wake_hint hint;
    int64_t jitter = -1;
    (void)state;
    assert_int_equal(parse("{\"deployment\":7,\"release\":12,\"name\":\"gw\",\"version\":\"1.4\","
                           "\"jitter_seconds\":30,\"at\":\"2026-11-22T13:26:49.000Z\",\"more\":[1]}",
                           &hint, &jitter),
                     0);
    assert_int_equal(hint.deployment, 7);
    assert_int_equal(hint.release, 12);
    assert_string_equal(hint.at, "2026-11-22T13:26:49.000Z");
    assert_int_equal(jitter, 30);
    assert_int_equal(parse("{\"deployment\":1,\"release\":1,\"at\":\"x\"}", &hint, &jitter), 0);
    assert_int_equal(jitter, 0);
    assert_int_equal(
        parse("{\"deployment\":1,\"release\":1,\"at\":\"x\",\"jitter_seconds\":9000000000}", &hint, &jitter),
        0);
    assert_int_equal(jitter, WAKE_JITTER_MAX_S);
}

static void refuses(void **state)
{
    static const char *const rows[] = {
        "",
        "{",
        "[]",
        "null",
        "{}",
        "{\"deployment\":1,\"release\":1}",
        "{\"deployment\":1,\"at\":\"x\"}",
        "{\"release\":1,\"at\":\"x\"}",
        "{\"deployment\":0,\"release\":1,\"at\":\"x\"}",
        "{\"deployment\":2147483648,\"release\":1,\"at\":\"x\"}",
        "{\"deployment\":1.0,\"release\":1,\"at\":\"x\"}",
        "{\"deployment\":\"1\",\"release\":1,\"at\":\"x\"}",
        "{\"deployment\":1,\"release\":1,\"at\":\"\"}",
        "{\"deployment\":1,\"release\":1,\"at\":5}",
        "{\"deployment\":1,\"release\":1,\"at\":\"x\",\"jitter_seconds\":-1}",
        "{\"deployment\":1,\"release\":1,\"at\":\"0123456789012345678901234567890123456789\"}",
        "{\"deployment\":1,\"release\":1,\"at\":\"x\"}{}",
        "{\"deployment\":1,\"deployment\":1,\"release\":1,\"at\":\"x\"}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct wake_hint hint = {.deployment = 99};
        int64_t jitter = 98;
        if (parse(rows[i], &hint, &jitter) == 0)
            fail_msg("%s was taken", rows[i]);
        assert_int_equal(hint.deployment, 99);
        assert_int_equal(jitter, 98);
    }
}

static void too_long(void **state)
{
    static char text[5000];
    struct wake_hint hint;
    int64_t jitter;
    struct err e = {0};
    (void)state;
    memset(text, ' ', sizeof text);
    assert_int_equal(wake_parse(text, sizeof text, &hint, &jitter, &e), ERR_TOO_LARGE);
}

/* Without a broker nothing is asked for, and nothing is waited for. */
static void no_broker(void **state)
{
    static struct agent_config config;
    static struct wake w = {.event = -1, .lock = PTHREAD_MUTEX_INITIALIZER};
    static struct files files;
    struct err e = {0};
    (void)state;
    agent_config_init(&config);
    assert_int_equal(wake_start(&w, &config, &files, "device-1", &e), 0);
    assert_int_equal(wake_due(&w), -1);
    wake_trust(&w, "/nowhere", 1, true);
    wake_stop(&w);
    snprintf(config.broker, sizeof config.broker, "localhost:1");
    assert_int_equal(wake_start(&w, &config, &files, "a/b+#", &e), ERR_INVALID);
    assert_int_equal(w.event, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),
        cmocka_unit_test(refuses),
        cmocka_unit_test(too_long),
        cmocka_unit_test(no_broker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
