/*
 * Announcing. One thread reads the outbox and the events, makes each message from the database as it is, and
 * gives it to the client at once; a row goes when the broker has acknowledged its message. So nothing that
 * was committed is lost, some things are said twice, and of two messages on one topic the later one was made
 * from what the database held later.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "server/broker_impl.h"
#include "server/server.h"
#include "store/db.h"
#include "store/events.h"
#include "store/outbox.h"

#define ARENA_MAX (4u << 20)
#define ROWS_AT_ONCE 24 /* leaves room for the other streams */
#define EVENTS_AT_ONCE 24
#define LOOKS_AT_ONCE 8 /* slices of a deployment in one round */
#define NOT_TAKEN "the broker does not take an announcement; it is offered again"
#define NOT_MADE "an announcement cannot be made; it is tried again"
#define MEASURE_MS 1000
#define CERTIFICATE_MS 3600000 /* between two looks at the certificate's life */

void broker_wake_locked(struct broker *b)
{
    b->news = true;
    pthread_cond_signal(&b->wake);
}

void broker_out_wake(void *ctx)
{
    struct broker *b = ctx;
    pthread_mutex_lock(&b->lock);
    broker_wake_locked(b);
    pthread_mutex_unlock(&b->lock);
}

static void forget_slots(struct broker *b)
{
    memset(b->slots, 0, sizeof b->slots);
    b->in_flight = 0;
}

void broker_out_up(struct broker *b)
{
    pthread_mutex_lock(&b->lock);
    forget_slots(b);
    b->up = true;
    b->reset = true;
    b->again = true;
    broker_wake_locked(b);
    pthread_mutex_unlock(&b->lock);
}

void broker_out_down(struct broker *b)
{
    pthread_mutex_lock(&b->lock);
    /* What was under way is given again: until the reset, nothing counts as acknowledged that was not. */
    for (size_t i = 0; i < MQTT_IN_FLIGHT_MAX; i++) {
        const struct broker_slot *s = &b->slots[i];
        if (s->ticket != 0 && s->at < b->refused_at[s->stream])
            b->refused_at[s->stream] = s->at;
    }
    forget_slots(b);
    b->up = false;
    pthread_mutex_unlock(&b->lock);
}

/* --- messages under way -------------------------------------------------------------------------------- */

static size_t room(struct broker *b)
{
    pthread_mutex_lock(&b->lock);
    size_t slots = b->up && !b->reset ? MQTT_IN_FLIGHT_MAX - b->in_flight : 0;
    size_t receipts = BROKER_ACKED_MAX - b->acked_count - b->in_flight;
    pthread_mutex_unlock(&b->lock);
    return slots < receipts ? slots : receipts;
}

static void take_receipt(struct broker *b, int64_t row)
{
    pthread_mutex_lock(&b->lock);
    if (b->acked_count < BROKER_ACKED_MAX)
        b->acked[b->acked_count++] = row; /* else it is still in the outbox, and said again */
    pthread_mutex_unlock(&b->lock);
}

static struct broker_slot *find_slot(struct broker *b, uint64_t ticket)
{
    for (size_t i = 0; i < MQTT_IN_FLIGHT_MAX; i++)
        if (b->slots[i].ticket == ticket)
            return &b->slots[i];
    return NULL;
}

static void complain(struct broker *b, const char *what, const struct err *why)
{
    int64_t left_out;
    if (broker_may_log(b, &b->refusals, &left_out))
        log_error("mqtt", what, LOG_ERR(why), LOG_I64("not_logged", left_out));
}

/* Under the lock. */
static void try_again(struct broker *b)
{
    if (b->retry_ms == 0)
        b->retry_ms = clock_mono_ms(b->server->clock) + BROKER_RETRY_MS;
}

/* Of its stream what comes after it stays unacknowledged too; only rows stand alone. Under the lock. */
static void note_refused(struct broker *b, const struct broker_slot *s)
{
    if (s->at < b->refused_at[s->stream])
        b->refused_at[s->stream] = s->at;
    try_again(b);
}

void broker_published(void *ctx, uint64_t ticket, const struct err *refused)
{
    struct broker *b = ctx;
    pthread_mutex_lock(&b->lock);
    struct broker_slot *s = ticket != 0 ? find_slot(b, ticket) : NULL;
    if (s != NULL) {
        if (refused != NULL)
            note_refused(b, s);
        else if (s->stream == STREAM_ROWS && b->acked_count < BROKER_ACKED_MAX)
            b->acked[b->acked_count++] = s->at;
        *s = (struct broker_slot){0};
        b->in_flight--;
        broker_wake_locked(b);
    }
    pthread_mutex_unlock(&b->lock);
    atomic_fetch_add(refused != NULL ? &b->refused : &b->published, 1);
    if (refused != NULL)
        complain(b, NOT_TAKEN, refused);
}

/* 0 when it is under way, else it is to be said later. */
static int give(struct broker *b, enum broker_stream stream, int64_t at, const struct announcement *m,
                struct err *e)
{
    pthread_mutex_lock(&b->lock);
    struct broker_slot *s = b->up ? find_slot(b, 0) : NULL;
    uint64_t ticket = ++b->ticket;
    if (s != NULL) {
        *s = (struct broker_slot){.ticket = ticket, .stream = stream, .at = at};
        b->in_flight++;
    }
    pthread_mutex_unlock(&b->lock);
    if (s == NULL)
        return err_set(e, ERR_BUSY, "there is no connection to the broker");
    int rc = mqtt_publish(b->client, m->topic, m->payload.p, m->payload.n, m->retain, ticket, e);
    if (rc == 0)
        return 0;
    pthread_mutex_lock(&b->lock);
    s = find_slot(b, ticket);
    if (s != NULL) {
        if (rc != ERR_BUSY)
            note_refused(b, s);
        *s = (struct broker_slot){0};
        b->in_flight--;
    }
    pthread_mutex_unlock(&b->lock);
    if (rc == ERR_BUSY)
        return rc;
    atomic_fetch_add(&b->refused, 1);
    complain(b, NOT_TAKEN, e);
    return 0; /* its turn is over until it is tried again */
}

/* --- the three streams --------------------------------------------------------------------------------- */

/* One that cannot be made does not keep the others back. */
static void cannot_say(struct broker *b, const struct err *e)
{
    pthread_mutex_lock(&b->lock);
    try_again(b);
    pthread_mutex_unlock(&b->lock);
    complain(b, NOT_MADE, e);
}

static int say_row(struct broker *b, struct arena *a, const struct outbox_row *row, struct err *e)
{
    struct announcement m;
    int rc = db_read_begin(b->reader, e);
    if (rc == 0)
        rc = row->kind == OUTBOX_RELEASE ? ota_say_release(&b->announcer, b->reader, a, row->ref, &m, e)
                                         : ota_say_device(&b->announcer, b->reader, a, row->ref, &m, e);
    db_read_end(b->reader);
    if (rc == 1)
        return give(b, STREAM_ROWS, row->pk, &m, e);
    if (rc == 0)
        take_receipt(b, row->pk);
    else
        cannot_say(b, e);
    return 0;
}

/* These give whether there was something to do. */
static bool say_rows(struct broker *b, struct arena *a)
{
    struct outbox_row rows[ROWS_AT_ONCE];
    struct err e = {0};
    size_t most = room(b), n = 0;
    most = most < ROWS_AT_ONCE ? most : ROWS_AT_ONCE;
    int rc = most > 0 ? store_outbox_next(b->reader, b->given[STREAM_ROWS], most, rows, &n, &e) : 0;
    if (rc != 0)
        cannot_say(b, &e);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = say_row(b, a, &rows[i], &e);
        if (rc == 0)
            b->given[STREAM_ROWS] = rows[i].pk;
    }
    return rc == 0 && n > 0;
}

static bool is_stopped(struct broker *b, enum broker_stream stream)
{
    pthread_mutex_lock(&b->lock);
    bool yes = b->refused_at[stream] != INT64_MAX;
    pthread_mutex_unlock(&b->lock);
    return yes;
}

static void count_lost(struct broker *b, int64_t after, int64_t next)
{
    int64_t lost = next - after - 1;
    if (lost <= 0)
        return;
    atomic_fetch_add(&b->events_lost, (uint64_t)lost);
    log_warn("mqtt", "events were forgotten before the broker could be told", LOG_I64("events", lost));
}

/* The next events; when there are none, *last is the number that the last one had. */
static int read_events(struct broker *b, struct arena *a, size_t most, struct announcement **list, size_t *n,
                       int64_t *last, struct err *e)
{
    int rc = db_read_begin(b->reader, e);
    if (rc == 0)
        rc = ota_say_events(b->reader, a, b->given[STREAM_EVENTS], most, list, n, e);
    if (rc == 0 && *n == 0)
        rc = store_event_last(b->reader, last, e);
    db_read_end(b->reader);
    return rc;
}

static bool say_events(struct broker *b, struct arena *a)
{
    struct err e = {0};
    struct announcement *list = NULL;
    size_t most = room(b), n = 0;
    most = most < EVENTS_AT_ONCE ? most : EVENTS_AT_ONCE;
    if (most == 0 || is_stopped(b, STREAM_EVENTS))
        return false;
    int64_t last = 0;
    int rc = read_events(b, a, most, &list, &n, &last, &e);
    if (rc == 0 && n == 0 && last > b->given[STREAM_EVENTS]) {
        count_lost(b, b->given[STREAM_EVENTS], last + 1);
        b->given[STREAM_EVENTS] = last;
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = give(b, STREAM_EVENTS, list[i].position, &list[i], &e);
        if (rc != 0)
            break;
        count_lost(b, b->given[STREAM_EVENTS], list[i].position);
        b->given[STREAM_EVENTS] = list[i].position;
    }
    if (rc != 0 && rc != ERR_BUSY)
        complain(b, NOT_MADE, &e);
    return rc == 0 && n > 0;
}

/* The deployment whose turn it is. One that was called off meanwhile stands in the outbox anew. */
static int choose_deployment(struct broker *b, struct err *e)
{
    struct outbox_row row;
    int rc = store_outbox_deployment(b->reader, &row, e);
    if (rc != 0 || row.pk == b->deployment_row)
        return rc;
    pthread_mutex_lock(&b->lock);
    bool under_way = b->reset; /* first the last one's messages come home */
    for (size_t i = 0; i < MQTT_IN_FLIGHT_MAX; i++)
        under_way |= b->slots[i].ticket != 0 && b->slots[i].stream == STREAM_DEVICES;
    if (!under_way) {
        b->deployment_row = row.pk;
        b->deployment = row.ref;
        b->telling = row.pk != 0 ? TELL_SOME : TELL_NOBODY;
        b->given[STREAM_DEVICES] = b->noted_device = row.position;
    }
    pthread_mutex_unlock(&b->lock);
    return 0;
}

static int say_slice(struct broker *b, struct arena *a, size_t most, struct err *e)
{
    struct announcement *list;
    size_t n;
    int64_t last;
    bool end;
    int rc = ota_say_deployment(&b->announcer, b->reader, a, b->deployment, b->given[STREAM_DEVICES], most,
                                &list, &n, &last, &end, e);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = give(b, STREAM_DEVICES, list[i].position, &list[i], e);
        if (rc == 0)
            b->given[STREAM_DEVICES] = list[i].position;
    }
    if (rc == 0) {
        b->given[STREAM_DEVICES] = last;
        b->telling = end ? TELL_END : TELL_SOME;
    }
    return rc;
}

static bool say_devices(struct broker *b, struct arena *a)
{
    struct err e = {0};
    bool any = false;
    int rc = room(b) > 0 ? choose_deployment(b, &e) : ERR_BUSY;
    for (int i = 0; rc == 0 && i < LOOKS_AT_ONCE && b->telling == TELL_SOME; i++) {
        size_t most = room(b);
        if (most == 0 || is_stopped(b, STREAM_DEVICES))
            break;
        rc = say_slice(b, a, most, &e);
        any = rc == 0;
    }
    if (rc == 0 && b->telling == TELL_END && room(b) > 0 &&
        broker_acknowledged(b, STREAM_DEVICES) >= b->given[STREAM_DEVICES]) {
        take_receipt(b, b->deployment_row);
        b->telling = TELL_NOBODY; /* until that is written, the row stands there */
    }
    if (rc != 0 && rc != ERR_BUSY)
        complain(b, NOT_MADE, &e);
    return any;
}

/* --- the thread ---------------------------------------------------------------------------------------- */

/* After a new connection, or to try again: from where the database says that it ended. */
static void reset(struct broker *b)
{
    struct err e = {0};
    int64_t cursor;
    pthread_mutex_lock(&b->lock);
    if (b->forget)
        b->acked_count = 0; /* of what was given while the database changed */
    bool now = b->reset && b->up && !b->writing && b->acked_count == 0;
    if (now) {
        forget_slots(b);
        b->reset = b->forget = false;
    }
    pthread_mutex_unlock(&b->lock);
    if (!now)
        return;
    bool known = store_outbox_event_cursor(b->reader, &cursor, &e) == 0;
    if (!known)
        complain(b, NOT_MADE, &e);
    pthread_mutex_lock(&b->lock);
    if (!known) {
        b->reset = b->forget = true; /* what was given counts for nothing */
        pthread_mutex_unlock(&b->lock);
        return;
    }
    b->retry_ms = 0;
    b->given[STREAM_ROWS] = 0;
    b->given[STREAM_EVENTS] = b->noted_event = cursor;
    b->deployment_row = 0;
    b->telling = TELL_NOBODY;
    b->given[STREAM_DEVICES] = b->noted_device = 0;
    for (int i = 0; i < BROKER_STREAMS; i++)
        b->refused_at[i] = INT64_MAX;
    pthread_mutex_unlock(&b->lock);
}

static void measure(struct broker *b)
{
    struct err e = {0};
    int64_t now = clock_mono_ms(b->server->clock), rows, oldest, events;
    if (b->measured_ms != 0 && now - b->measured_ms < MEASURE_MS)
        return;
    b->measured_ms = now;
    if (store_outbox_waiting(b->reader, &rows, &oldest, &e) != 0 ||
        store_outbox_events_waiting(b->reader, &events, &e) != 0) {
        complain(b, NOT_MADE, &e);
        return;
    }
    b->waiting = rows;
    b->oldest_ms = oldest;
    b->events_waiting = events;
}

static void renew_certificate(struct broker *b)
{
    struct err e = {0};
    int64_t now = clock_mono_ms(b->server->clock);
    bool changed = false;
    if (now - b->certificate_ms < CERTIFICATE_MS)
        return;
    b->certificate_ms = now;
    if (broker_certificate(b->server, &changed, &e) != 0)
        log_error("mqtt", "the certificate cannot be renewed; it is tried again in an hour", LOG_ERR(&e));
    else if (changed)
        broker_reconnect(b);
}

/* Until there is something to do; false at the end. */
static bool wait_for_work(struct broker *b)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 1;
    pthread_mutex_lock(&b->lock);
    int rc = 0;
    while (!b->stopping && !b->news && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&b->wake, &b->lock, &until);
    b->news = false;
    bool go_on = !b->stopping;
    if (b->retry_ms != 0 && b->in_flight == 0 && clock_mono_ms(b->server->clock) >= b->retry_ms)
        b->reset = true;
    pthread_mutex_unlock(&b->lock);
    return go_on;
}

static void *announce(void *arg)
{
    struct broker *b = arg;
    struct arena a;
    arena_init(&a, ARENA_MAX);
    while (wait_for_work(b)) {
        int64_t wakes = b->wakes;
        if (b->announcer.wakes_per_second != wakes)
            b->announcer = (struct announcer){
                .clock = b->announcer.clock, .base_url = b->announcer.base_url, .wakes_per_second = wakes};
        broker_note(b);
        broker_tell_again(b);
        reset(b);
        bool more = say_rows(b, &a);
        more |= say_events(b, &a);
        more |= say_devices(b, &a);
        broker_note(b);
        if (more)
            broker_out_wake(b);
        measure(b);
        renew_certificate(b);
        arena_reset(&a);
    }
    arena_fini(&a);
    return NULL;
}

void broker_out_init(struct broker *b)
{
    b->reset = true;
    b->certificate_ms = clock_mono_ms(b->server->clock);
    for (int i = 0; i < BROKER_STREAMS; i++)
        b->refused_at[i] = INT64_MAX;
}

int broker_out_start(struct broker *b, struct err *e)
{
    int rc = store_reader_new(b->server->store, &b->reader, e);
    if (rc != 0)
        return rc;
    rc = pthread_create(&b->thread, NULL, announce, b);
    if (rc != 0)
        return err_errno(e, rc, "cannot start the thread that announces");
    b->started = true;
    pthread_setname_np(b->thread, "announcer");
    store_on_news(b->server->store, broker_out_wake, b);
    return 0;
}

void broker_out_stop(struct broker *b)
{
    if (b->started) {
        store_on_news(b->server->store, NULL, NULL);
        pthread_mutex_lock(&b->lock);
        b->stopping = true;
        pthread_cond_signal(&b->wake);
        pthread_mutex_unlock(&b->lock);
        pthread_join(b->thread, NULL);
    }
}
