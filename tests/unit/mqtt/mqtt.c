/* Settings that make no sense, messages that cannot be given, and a client whose broker never comes. */
#include "mqtt/mqtt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define GONE "127.0.0.1:1"

static int no_tls(void *ctx, const char *host, struct tls_ctx **out, struct err *e)
{
    (void)ctx, (void)out;
    return err_set(e, ERR_CRYPTO, "no certificate for %s", host);
}

static struct mqtt_settings good(void)
{
    return (struct mqtt_settings){.broker = GONE, .client_id = "x", .tls = no_tls};
}

static void expect(struct mqtt_settings set, int code)
{
    struct mqtt_client *c = NULL;
    struct err e = {0};
    assert_int_equal(mqtt_start(&set, &c, &e), code);
    assert_null(c);
    assert_true(e.text[0] != '\0');
}

static void settings(void **state)
{
    (void)state;
    struct mqtt_settings set = good();
    set.tls = NULL;
    expect(set, ERR_INVALID);
    set = good();
    set.broker = "host:port";
    expect(set, ERR_INVALID);
    set = good();
    set.client_id = "";
    expect(set, ERR_INVALID);
    set.client_id = "with\x01control";
    expect(set, ERR_INVALID);
    set = good();
    set.keepalive_s = 4;
    expect(set, ERR_INVALID);
    set.keepalive_s = 3601;
    expect(set, ERR_INVALID);
    set = good();
    const char *bad = "a/#/b";
    set.subscriptions = &bad;
    set.subscription_count = 1;
    expect(set, ERR_INVALID);
    const char *many[17];
    for (int i = 0; i < 17; i++)
        many[i] = "a";
    set.subscriptions = many;
    set.subscription_count = 17;
    expect(set, ERR_TOO_LARGE);
}

struct told {
    int downs[2];
    char text[ERR_TEXT_MAX];
};

static void on_down(void *ctx, const struct err *why)
{
    struct told *t = ctx;
    memcpy(t->text, why->text, sizeof t->text);
    assert_int_equal(write(t->downs[1], "d", 1), 1);
}

static void broker_never_comes(void **state)
{
    (void)state;
    struct told t = {0};
    char byte;
    assert_int_equal(pipe(t.downs), 0);
    struct mqtt_settings set = good();
    set.handlers = (struct mqtt_handlers){.ctx = &t, .down = on_down};
    struct mqtt_client *c = NULL;
    struct err e = {0};
    assert_int_equal(mqtt_start(&set, &c, &e), 0);
    assert_int_equal(read(t.downs[0], &byte, 1), 1);
    assert_non_null(strstr(t.text, "no certificate for 127.0.0.1"));
    assert_false(mqtt_is_up(c));

    static char large[MQTT_PAYLOAD_MAX + 1];
    char topic[MQTT_TOPIC_MAX + 1];
    memset(topic, 't', sizeof topic);
    topic[MQTT_TOPIC_MAX] = '\0';
    assert_int_equal(mqtt_publish(c, "a/b", "x", 1, false, 1, &e), ERR_BUSY);
    assert_int_equal(mqtt_publish(c, "a/b", large, sizeof large, false, 1, &e), ERR_TOO_LARGE);
    assert_int_equal(mqtt_publish(c, "a/+", "x", 1, false, 1, &e), ERR_INVALID);
    assert_int_equal(mqtt_publish(c, "", "x", 1, false, 1, &e), ERR_INVALID);
    assert_int_equal(mqtt_publish(c, topic, "x", 1, false, 1, &e), ERR_INVALID);

    /* Asked for, a try does not wait for the pause; and an end does not either. */
    int64_t begun = clock_mono_ms(&clock_system);
    for (int i = 0; i < 5; i++) {
        mqtt_reconnect(c);
        assert_int_equal(read(t.downs[0], &byte, 1), 1);
    }
    mqtt_stop(c);
    assert_true(clock_mono_ms(&clock_system) - begun < 5000);
    mqtt_stop(NULL);
    close(t.downs[0]);
    close(t.downs[1]);
}

static void *start_and_stop(void *arg)
{
    struct mqtt_settings set = good();
    struct mqtt_client *c = NULL;
    struct err e = {0};
    assert_int_equal(mqtt_start(&set, &c, &e), 0);
    mqtt_stop(c);
    return arg;
}

/* Several at once: what is for the process is made once. */
static void several(void **state)
{
    pthread_t threads[8];
    (void)state;
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, start_and_stop, NULL), 0);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings),
        cmocka_unit_test(broker_never_comes),
        cmocka_unit_test(several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
