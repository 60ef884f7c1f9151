/*
 * A client of an MQTT broker (MQTT 5, OASIS standard) over libmosquitto, with our TLS: TLS 1.3, post-quantum
 * key exchange, certificates on both sides, the broker's name checked. One thread of its own; it connects,
 * and connects again with growing pauses when the connection is lost. What is carried is its users' matter.
 */
#ifndef PQOTA_MQTT_MQTT_H
#define PQOTA_MQTT_MQTT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "tls/tls.h"

#define MQTT_PAYLOAD_MAX 65536 /* bytes of a message, either way; a larger one that comes is dropped */
#define MQTT_TOPIC_MAX 256     /* bytes of a topic with its NUL */
#define MQTT_PACKET_MAX (MQTT_PAYLOAD_MAX + MQTT_TOPIC_MAX + 4096) /* with properties; the broker is told */
#define MQTT_IN_FLIGHT_MAX 64 /* messages given to mqtt_publish that the broker has not acknowledged */

struct mqtt_client;

/* All are called on the client's thread, must not block, and must not call mqtt_stop. Any may be NULL. */
struct mqtt_handlers {
    void *ctx;
    /* Connected, subscriptions granted. */
    void (*up)(void *ctx);
    /* The connection was lost or could not be made; another try follows. Not called for mqtt_stop. */
    void (*down)(void *ctx, const struct err *why);
    /* payload has n bytes and a NUL behind them that is not counted. */
    void (*message)(void *ctx, const char *topic, const char *payload, size_t n, bool retained);
    /* The broker has taken over the message (QoS 1), or refused it (err is set: not authorized, ...). */
    void (*published)(void *ctx, uint64_t ticket, const struct err *refused);
};

struct mqtt_settings {  /* copied, but for the context, which gets a reference */
    const char *broker; /* "host:port", "[::1]:8883"; the port is 8883 when left out */
    const char *client_id;
    /* The broker keeps subscriptions and what came meanwhile for a client that is away. 0: it does not. */
    uint32_t session_seconds;
    int keepalive_s;                  /* 0: 60 */
    const char *const *subscriptions; /* topic filters, QoS 1 */
    size_t subscription_count;
    bool fresh_only; /* nothing that the broker retains is sent for them */
    /* Makes the TLS context anew for every connection, so that a renewed certificate is used. `host` is to go
       into tls_config.host. */
    int (*tls)(void *ctx, const char *host, struct tls_ctx **out, struct err *e);
    struct mqtt_handlers handlers;
};

/* Checks the settings and starts the thread; that the broker is away is no error. */
int mqtt_start(const struct mqtt_settings *settings, struct mqtt_client **out, struct err *e) MUST_CHECK;
/* Sends what it can within a second, says goodbye, ends the thread and frees. NULL is fine. */
void mqtt_stop(struct mqtt_client *c);

/* Any thread. QoS 1; ticket is the caller's, given back to handlers.published. ERR_BUSY: MQTT_IN_FLIGHT_MAX
   messages are under way, or there is no connection. Messages under way when the connection is lost get
   no `published`: the caller gives them again once it is up. An empty payload with retain takes a retained
   message away. */
int mqtt_publish(struct mqtt_client *c, const char *topic, const void *payload, size_t n, bool retain,
                 uint64_t ticket, struct err *e) MUST_CHECK;
bool mqtt_is_up(struct mqtt_client *c);
/* Whether the broker, when it was last connected to, had what it is to keep for us (session_seconds). If not,
   we were never there before, or too long ago, or it has lost its memory, and with it what was retained. */
bool mqtt_was_kept(struct mqtt_client *c);
/* Asks for a new connection (a renewed certificate); any thread. */
void mqtt_reconnect(struct mqtt_client *c);

/* Cuts "host:port" into its parts; host without brackets. */
int mqtt_split_broker(const char *broker, char *host, size_t host_size, int *port, struct err *e) MUST_CHECK;

#endif
