/* Receipts of the broker go into the database in batches, behind requests. */
#include <string.h>

#include "base/log.h"
#include "server/broker_impl.h"
#include "server/server.h"
#include "store/outbox.h"

#define DEVICES_WORTH 1000 /* devices told of a deployment before that is noted */

int64_t broker_acknowledged(struct broker *b, enum broker_stream stream)
{
    pthread_mutex_lock(&b->lock);
    int64_t low = b->given[stream];
    for (size_t i = 0; i < MQTT_IN_FLIGHT_MAX; i++)
        if (b->slots[i].ticket != 0 && b->slots[i].stream == stream && b->slots[i].at <= low)
            low = b->slots[i].at - 1;
    if (b->refused_at[stream] <= low)
        low = b->refused_at[stream] - 1;
    pthread_mutex_unlock(&b->lock);
    return low;
}

static int write_note(struct db *db, void *arg, struct err *e)
{
    struct broker *b = arg;
    int rc = 0;
    pthread_mutex_lock(&b->lock);
    bool forget = b->forget;
    pthread_mutex_unlock(&b->lock);
    if (forget) /* the rows that are there now are others */
        return 0;
    for (size_t i = 0; rc == 0 && i < b->note.count; i++)
        rc = store_outbox_done(db, b->note.rows[i], e);
    if (rc == 0 && b->note.event >= 0)
        rc = store_outbox_event_cursor_set(db, b->note.event, e);
    if (rc == 0 && b->note.deployment_row != 0)
        rc = store_outbox_advance(db, b->note.deployment_row, b->note.device, e);
    return rc;
}

static void note_done(void *arg, int rc, const struct err *e)
{
    struct broker *b = arg;
    if (rc != 0)
        log_error("mqtt", "what was announced could not be noted; it is announced again", LOG_ERR(e));
    pthread_mutex_lock(&b->lock);
    b->writing = false;
    b->reset |= rc != 0;
    broker_wake_locked(b);
    pthread_cond_broadcast(&b->idle);
    pthread_mutex_unlock(&b->lock);
}

/* Whether there is something for the database; then it is in b->note. */
static bool collect(struct broker *b, bool all)
{
    int64_t event = broker_acknowledged(b, STREAM_EVENTS), device = broker_acknowledged(b, STREAM_DEVICES);
    bool telling = b->telling == TELL_SOME && device > b->noted_device;
    bool worth = telling && (all || device - b->noted_device >= DEVICES_WORTH);
    pthread_mutex_lock(&b->lock);
    bool any = !b->writing && !b->forget && (b->acked_count > 0 || event > b->noted_event || worth);
    if (any) {
        b->writing = true;
        b->note.count = b->acked_count;
        memcpy(b->note.rows, b->acked, b->acked_count * sizeof b->acked[0]);
        b->acked_count = 0;
        b->note.event = event > b->noted_event ? event : -1;
        b->note.deployment_row = telling ? b->deployment_row : 0;
        b->note.device = device;
        b->noted_event = event > b->noted_event ? event : b->noted_event;
        b->noted_device = telling ? device : b->noted_device;
    }
    pthread_mutex_unlock(&b->lock);
    return any;
}

void broker_note(struct broker *b)
{
    struct err e = {0};
    if (!collect(b, false))
        return;
    b->write = (struct store_job){.run = write_note, .done = note_done, .arg = b};
    int rc = store_submit_background(b->server->store, &b->write, &e);
    if (rc != 0)
        note_done(b, rc, &e);
}

static int tell_again(struct db *db, void *arg, struct err *e)
{
    struct broker *b = arg;
    return ota_announce_again(&b->server->ota, db, e);
}

static void told_again(void *arg, int rc, const struct err *e)
{
    struct broker *b = arg;
    if (rc != 0)
        log_error("mqtt", "what the broker has lost cannot be told again yet", LOG_ERR(e));
    pthread_mutex_lock(&b->lock);
    b->retelling = false;
    b->again |= rc != 0; /* at the next turn */
    pthread_cond_broadcast(&b->idle);
    pthread_mutex_unlock(&b->lock);
}

void broker_tell_again(struct broker *b)
{
    struct err e = {0};
    pthread_mutex_lock(&b->lock);
    bool now = b->again && b->up && !b->retelling;
    if (now) {
        b->again = false;
        b->retelling = true;
    }
    pthread_mutex_unlock(&b->lock);
    if (!now)
        return;
    if (mqtt_was_kept(b->client)) {
        told_again(b, 0, &e);
        return;
    }
    b->retell = (struct store_job){.run = tell_again, .done = told_again, .arg = b};
    int rc = store_submit_background(b->server->store, &b->retell, &e);
    if (rc != 0)
        told_again(b, rc, &e);
}

void broker_note_now(struct broker *b)
{
    struct err e = {0};
    pthread_mutex_lock(&b->lock);
    while (b->writing || b->retelling)
        pthread_cond_wait(&b->idle, &b->lock);
    pthread_mutex_unlock(&b->lock);
    if (!collect(b, true))
        return;
    int rc = store_write_now(b->server->store, write_note, b, &e);
    note_done(b, rc, &e);
}
