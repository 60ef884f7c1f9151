/* How a broker is named, and how long the pauses are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "mqtt/client.h"

static void splits(void **state)
{
    static const struct {
        const char *text, *host;
        int port;
    } rows[] = {
        {"localhost", "localhost", 8883},
        {"broker.example:1883", "broker.example", 1883},
        {"192.0.2.1:1", "192.0.2.1", 1},
        {"[::1]", "::1", 8883},
        {"[2001:db8::7]:65535", "2001:db8::7", 65535},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char host[64];
        int port = 0;
        struct err e = {0};
        if (mqtt_split_broker(rows[i].text, host, sizeof host, &port, &e) != 0)
            fail_msg("%s: %s", rows[i].text, e.text);
        assert_string_equal(host, rows[i].host);
        assert_int_equal(port, rows[i].port);
    }
}

static void refuses(void **state)
{
    static const char *const rows[] = {
        "",           ":1883",
        "host:",      "host:0",
        "host:65536", "host:1x",
        "host:-1",    "host: 1",
        "[::1",       "[::1]1",
        "[]:1",       "[::1]:",
        "::1",        "mqtt://x:1",
        "a b",        "a/b",
        "h\x01",      "h\n:1",
        "user@h",     "[a]b]:1",
        "host:1:2",   "h:18446744073709551617",
        "%00",
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char host[64] = "kept";
        int port = 7;
        struct err e = {0};
        if (mqtt_split_broker(rows[i], host, sizeof host, &port, &e) != ERR_INVALID)
            fail_msg("\"%s\" was taken", rows[i]);
        assert_string_equal(host, "kept");
        assert_int_equal(port, 7);
        assert_non_null(strstr(e.text, "HOST:PORT"));
    }
}

static void bounds(void **state)
{
    char host[8];
    int port;
    struct err e = {0};
    (void)state;
    assert_int_equal(mqtt_split_broker("seven77:1", host, sizeof host, &port, &e), 0);
    assert_int_equal(mqtt_split_broker("eight888:1", host, sizeof host, &port, &e), ERR_TOO_LARGE);
}

/* From half of to one and a half times 1, 2, 4, ... 60 seconds. */
static void pauses(void **state)
{
    static const int64_t middle[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(mqtt_pause_ms(i + 1, 0), middle[i] / 2);
        assert_int_equal(mqtt_pause_ms(i + 1, (uint32_t)middle[i]), middle[i] / 2 + middle[i]);
        for (uint32_t random = 1; random < 4000000000U; random += 99999989) {
            int64_t pause = mqtt_pause_ms(i + 1, random);
            assert_true(pause >= middle[i] / 2 && pause <= middle[i] / 2 + middle[i]);
        }
    }
    assert_int_equal(mqtt_pause_ms(4000000000U, 0), 30000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits),
        cmocka_unit_test(refuses),
        cmocka_unit_test(bounds),
        cmocka_unit_test(pauses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
