/* How a broker is named, and when it is tried again. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "mqtt/client.h"

#define PORT_DEFAULT 8883 /* IANA: secure-mqtt */

static int bad(const char *broker, struct err *e)
{
    return err_set(e, ERR_INVALID, "a broker is HOST, HOST:PORT or [IPv6]:PORT, not \"%.200s\"", broker);
}

static bool is_host(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~' || strchr("/?#@\\\"<>[]%", s.p[i]) != NULL)
            return false;
    return s.n > 0;
}

int mqtt_split_broker(const char *broker, char *host, size_t host_size, int *port, struct err *e)
{
    struct str all = str_of(broker), name = all, number = {0};
    if (all.n > 0 && all.p[0] == '[') {
        const char *end = memchr(all.p, ']', all.n);
        if (end == NULL)
            return bad(broker, e);
        name = (struct str){.p = all.p + 1, .n = (size_t)(end - all.p) - 1};
        size_t used = name.n + 2;
        if (used < all.n && all.p[used] != ':')
            return bad(broker, e);
        if (used < all.n)
            number = (struct str){.p = all.p + used + 1, .n = all.n - used - 1};
    } else {
        const char *colon = memchr(all.p, ':', all.n);
        if (colon != NULL) {
            name.n = (size_t)(colon - all.p);
            number = (struct str){.p = colon + 1, .n = all.n - name.n - 1};
        }
    }
    uint64_t value = PORT_DEFAULT;
    if (!is_host(name) || (number.p != NULL && (str_to_u64(number, 65535, &value) != 0 || value == 0)))
        return bad(broker, e);
    if (name.n >= host_size)
        return err_set(e, ERR_TOO_LARGE, "the broker's host name is longer than %zu bytes", host_size - 1);
    memcpy(host, name.p, name.n);
    host[name.n] = '\0';
    *port = (int)value;
    return 0;
}

int64_t mqtt_pause_ms(unsigned failures, uint32_t random)
{
    int64_t pause = MQTT_PAUSE_MIN_MS;
    for (unsigned i = 1; i < failures && pause < MQTT_PAUSE_MAX_MS; i++)
        pause *= 2;
    if (pause > MQTT_PAUSE_MAX_MS)
        pause = MQTT_PAUSE_MAX_MS;
    return pause / 2 + (int64_t)(random % (uint32_t)(pause + 1));
}
