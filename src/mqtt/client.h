/*
 * The client's inside. mqtt.c has what its users call and the thread's life, session.c one connection through
 * libmosquitto, which the client's thread alone touches. What other threads share is under `lock`.
 */
#ifndef PQOTA_MQTT_CLIENT_H
#define PQOTA_MQTT_CLIENT_H

#include <mosquitto.h>
#include <openssl/types.h>
#include <pthread.h>

#include "mqtt/mqtt.h"

#define MQTT_REACH_MS 30000     /* to find the host's addresses, and one that answers */
#define MQTT_CONNECT_MS 30000   /* from then to the granted subscriptions */
#define MQTT_GOODBYE_MS 1000    /* for what is under way when the connection is ended on purpose */
#define MQTT_STEADY_MS 10000    /* a connection that held so long is no reason for longer pauses */
#define MQTT_PAUSE_MIN_MS 1000  /* before the first new try, and doubled with each */
#define MQTT_PAUSE_MAX_MS 60000 /* the longest */
#define MQTT_SUBSCRIPTIONS_MAX 16
#define MQTT_HOST_MAX 256
#define MQTT_ADDRESSES_MAX 8
#define MQTT_ADDRESS_SIZE 64 /* "fe80::1%interface" */

struct mqtt_addresses { /* of the broker's host, as text */
    int n;
    char text[MQTT_ADDRESSES_MAX][MQTT_ADDRESS_SIZE];
};

struct mqtt_out { /* a message given to mqtt_publish */
    struct mqtt_out *next;
    uint64_t ticket;
    bool retain;
    char topic[MQTT_TOPIC_MAX];
    size_t n;
    char payload[];
};

struct session {
    struct tls_ctx *tls;
    struct mosquitto *m;
    SSL *ssl;        /* a reference of ours, to ask why the handshake failed */
    bool reached;    /* the address answered */
    bool connected;  /* the broker let us in */
    bool up;         /* and granted the subscriptions */
    struct err why;  /* set: the connection is to end */
    char said[200];  /* the last error that libmosquitto logged */
    uint64_t seen;   /* bytes that had come when the last whole packet was there */
    uint64_t turn;   /* and when the loop's turn began */
    int64_t up_at;   /* monotonic ms */
    int64_t give_up; /* monotonic ms: connected by then, or said goodbye by then */
    struct {
        int mid;
        uint64_t ticket;
    } sent[MQTT_IN_FLIGHT_MAX]; /* not acknowledged */
    int sent_n;
};

struct mqtt_client {
    struct mqtt_settings set;
    char *broker, *client_id;
    char host[MQTT_HOST_MAX];
    int port;
    char *filters[MQTT_SUBSCRIPTIONS_MAX];
    pthread_t thread;
    int wake; /* eventfd: something under the lock changed */

    pthread_mutex_t lock;
    bool stop, again, up;
    bool kept; /* the broker still had our session */
    struct mqtt_out *queue, **queue_end;
    int under_way; /* queued or sent, not acknowledged */

    struct session s;
};

/* Whether the connection is to end, or a wait to be cut short: stop or again is set. */
bool mqtt_is_wanted(struct mqtt_client *c);
/* Starts a thread with every signal blocked, so that the process's other threads take them, and a lost
   connection raises no SIGPIPE that counts. 0 or an errno. */
int mqtt_thread(pthread_t *out, void *(*run)(void *arg), void *arg) MUST_CHECK;

/* Looks up the host until that moment (monotonic ms), or until mqtt_is_wanted. */
int mqtt_resolve(struct mqtt_client *c, int64_t until, struct mqtt_addresses *out, struct err *e) MUST_CHECK;

/* One connection from the first packet to its end. 0: it ended because stop or again was set. */
int session_run(struct mqtt_client *c, struct err *e);

/* Says why it failed; rc is libmosquitto's, errno_value what it left in errno. Answers the code. */
int session_trouble(struct mqtt_client *c, int rc, int errno_value, struct err *e);

/* The pause before a new try after `failures` (1 and up) in a row, in ms; `random` spreads it by half either
   way, so that a fleet does not come back in one moment. */
int64_t mqtt_pause_ms(unsigned failures, uint32_t random);

#endif
