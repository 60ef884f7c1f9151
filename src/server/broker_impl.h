/* The inside of the broker's client, for the files that share it. */
#ifndef PQOTA_SERVER_BROKER_IMPL_H
#define PQOTA_SERVER_BROKER_IMPL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "mqtt/mqtt.h"
#include "ota/announce.h"
#include "server/broker.h"
#include "store/store.h"

#define BROKER_ACKED_MAX 2048  /* receipts that are not written to the database yet */
#define BROKER_REPORTS_MAX 256 /* reports of devices that wait for the database */
#define BROKER_REPORT_BYTES 16384
#define BROKER_SESSION_S (7 * 86400) /* how long the broker keeps reports while the server is away */
#define BROKER_LOG_MS 60000          /* refusals are logged at most so often */
#define BROKER_RETRY_MS 60000        /* what was refused is offered again */

struct db;
struct server;

/* Three streams share the connection: single rows of the outbox, events, the devices of one deployment. */
enum broker_stream { STREAM_ROWS, STREAM_EVENTS, STREAM_DEVICES };
#define BROKER_STREAMS 3

struct broker_slot { /* a message under way */
    uint64_t ticket; /* 0: free */
    enum broker_stream stream;
    int64_t at; /* the row's, event's or device's pk */
};

struct broker_log { /* one line in BROKER_LOG_MS, with how many there were */
    int64_t last_ms;
    int64_t left_out;
};

struct broker {
    struct server *server;
    struct mqtt_client *client;
    pthread_t thread;
    bool started;
    struct db *reader;          /* the thread's */
    struct announcer announcer; /* the thread's */
    _Atomic int64_t wakes;      /* what the announcer is to have */

    pthread_mutex_t lock; /* for all below, up to the numbers */
    pthread_cond_t wake;  /* of the thread */
    pthread_cond_t idle;  /* nothing is in the store's hands any more */
    bool stopping, news, up, said_down;
    bool asked;  /* for a new connection: that the old one ends is no news */
    bool again;  /* if the broker has lost what was ours, it is told again */
    bool reset;  /* the streams begin anew before anything is given */
    bool forget; /* and nothing of what was acknowledged is written */
    struct broker_slot slots[MQTT_IN_FLIGHT_MAX];
    size_t in_flight;
    uint64_t ticket;
    int64_t acked[BROKER_ACKED_MAX]; /* rows to delete */
    size_t acked_count;
    int64_t refused_at[BROKER_STREAMS]; /* the first that was refused; INT64_MAX none */
    int64_t retry_ms;                   /* monotonic; 0 nothing to try again */
    struct broker_log refusals, reports;
    size_t reports_waiting;

    /* The thread's: how far each stream was given to the client. */
    int64_t given[BROKER_STREAMS];
    int64_t deployment_row; /* whose devices are being told; 0 none */
    int64_t deployment;
    enum { TELL_NOBODY, TELL_SOME, TELL_END } telling; /* END: all were given, some not acknowledged */
    int64_t measured_ms, certificate_ms;

    struct store_job retell;
    /* Receipts on their way into the database; the thread's while !writing. */
    struct store_job write;
    bool writing, retelling; /* under lock */
    struct {
        int64_t rows[BROKER_ACKED_MAX];
        size_t count;
        int64_t event, deployment_row, device;
    } note;
    int64_t noted_event, noted_device; /* what the database has */

    _Atomic uint64_t published, refused, received, received_refused, events_lost;
    _Atomic int64_t waiting, events_waiting, oldest_ms;
};

/* broker.c */
void broker_reconnect(struct broker *b); /* the certificate is another one */
/* True when a line may be logged now; *left_out: how many were not since the last. */
bool broker_may_log(struct broker *b, struct broker_log *l, int64_t *left_out);

/* broker_out.c: the thread that announces. */
void broker_out_init(struct broker *b);
/* The client must be there. */
int broker_out_start(struct broker *b, struct err *e) MUST_CHECK;
void broker_out_stop(struct broker *b);
void broker_wake_locked(struct broker *b);
void broker_out_wake(void *ctx); /* a struct broker; any thread */
void broker_out_up(struct broker *b);
void broker_out_down(struct broker *b);
void broker_published(void *ctx, uint64_t ticket, const struct err *refused);

/* broker_note.c: receipts into the database. */
/* Hands over what there is, if the last has come back and it is worth it. */
void broker_note(struct broker *b);
/* The same at once, and waits. */
void broker_note_now(struct broker *b);
/* If the broker has nothing of ours, though it once had: what is to be retained goes into the outbox. */
void broker_tell_again(struct broker *b);
/* How far a stream is acknowledged without a gap. */
int64_t broker_acknowledged(struct broker *b, enum broker_stream stream);

/* broker_in.c: reports of devices. */
void broker_in_wait(struct broker *b); /* until none is in the store's hands */
void broker_message(void *ctx, const char *topic, const char *payload, size_t n, bool retained);

/* broker_cert.c: what the server shows to the broker. */
/* Makes or renews it when it is time; *changed: it did. */
int broker_certificate(struct server *s, bool *changed, struct err *e) MUST_CHECK;

#endif
