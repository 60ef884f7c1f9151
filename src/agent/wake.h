/*
 * Being woken over MQTT: the server leaves a retained hint when a deployment wants something of this device.
 * A hint only makes the agent poll earlier; without a broker everything goes on as it does without this file.
 */
#ifndef PQOTA_AGENT_WAKE_H
#define PQOTA_AGENT_WAKE_H

#include <pthread.h>

#include "agent/config.h"
#include "agent/files.h"
#include "base/clock.h"
#include "mqtt/mqtt.h"

#define WAKE_JITTER_MAX_S 3600 /* whatever a hint says */
/* However many hints there are: so many polls at once, and then one in so long. */
#define WAKE_BURST 5
#define WAKE_EVERY_MS ((int64_t)30000)

struct wake_hint { /* which one it was */
    int64_t deployment, release;
    char at[CLOCK_TEXT_MAX];
};

struct wake {
    struct mqtt_client *mqtt; /* NULL: no broker is configured */
    const char *policy, *cert, *key;
    char broker[AGENT_VALUE_SIZE];
    char topic[MQTT_TOPIC_MAX];
    int event; /* readable when due_ms changed; -1: none */

    pthread_mutex_t lock; /* for what follows: the client's thread has it too */
    char ca[PATH_MAX];
    int64_t clock_floor;
    int64_t due_ms;  /* monotonic; 0: nothing is asked for */
    int64_t paid_ms; /* monotonic: what the polls so far would have taken at one in WAKE_EVERY_MS */
    struct wake_hint last;
    enum { WAKE_NEW, WAKE_UP, WAKE_DOWN } state; /* as it was logged */
    bool complained;                             /* of a hint that is none */
};

/* Reads a hint's JSON; *jitter_s is within WAKE_JITTER_MAX_S. */
int wake_parse(const char *text, size_t n, struct wake_hint *out, int64_t *jitter_s,
               struct err *e) MUST_CHECK;

/* Starts to listen as that device, where a broker is configured. `files` and `config` must outlive it.
   A wake that was zeroed and not started may be given to the other functions, but for its `event`. */
int wake_start(struct wake *w, const struct agent_config *config, const struct files *files,
               const char *device, struct err *e) MUST_CHECK;
void wake_stop(struct wake *w);
/* What the next connection is made with. changed: it is made now. */
void wake_trust(struct wake *w, const char *ca_file, int64_t clock_floor, bool changed);
/* Milliseconds until the poll that a hint asked for, -1 for none; 0 takes the request away. */
int64_t wake_due(struct wake *w);

#endif
