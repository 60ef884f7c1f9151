/*
 * The MQTT broker's client in the server: announces what the outbox holds, takes devices' reports. Works on
 * threads of its own: no request waits for a broker, up or down.
 */
#ifndef PQOTA_SERVER_BROKER_H
#define PQOTA_SERVER_BROKER_H

#include <stdint.h>

#include "base/err.h"
#include "ota/ota.h"

struct broker;
struct server;
struct server_config;

/* Makes the certificate if need be, notes where events begin, and connects; *out is NULL when [mqtt] is not
   enabled. That the broker is away is no error. */
int broker_start(struct server *s, struct broker **out, struct err *e) MUST_CHECK;
/* Says goodbye and ends; the store must still be there. NULL is fine. */
void broker_stop(struct broker *b);
/* SIGHUP: takes over what can change, and connects again, with the files as they are now. */
void broker_reload(struct broker *b, const struct server_config *c);
/* The database was changed by another process: what is known of it is forgotten. Any thread. */
void broker_resync(struct broker *b);

struct broker_stats {
    enum ota_broker state;
    uint64_t published, refused, received, received_refused, events_lost;
    int64_t waiting, events_waiting; /* rows of the outbox; events; as of a second ago */
    int64_t oldest_ms;               /* Unix, 0 when nothing waits */
};
/* NULL: off, and zeros. */
void broker_stats(struct broker *b, struct broker_stats *out);

#endif
