#include "ota/seen.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "model/device.h"
#include "ota/table.h"
#include "store/devices.h"

/* One thing that is noted of devices, by id. */
struct notes {
    struct table table;
    size_t at;           /* where the next flush begins to look */
    atomic_size_t count; /* of the table, to be read without the lock */
};
enum { TIMES, REASONS_NOTED, TRANSPORTS, KINDS };

struct seen {
    pthread_mutex_t lock;
    struct notes notes[KINDS];
    bool full; /* said so already */
};

static const char *const transports[] = {"pq", "classical", "plain", "proxy"};
#define TRANSPORT_COUNT (sizeof transports / sizeof transports[0])

int seen_new(struct seen **out, struct err *e)
{
    struct seen *s = calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the times devices were seen");
    int rc = 0;
    for (int i = 0; i < KINDS && rc == 0; i++)
        rc = table_init(&s->notes[i].table, e);
    if (rc == 0 && pthread_mutex_init(&s->lock, NULL) != 0)
        rc = err_set(e, ERR_NOMEM, "no memory for a lock");
    if (rc != 0) {
        free(s);
        return rc;
    }
    *out = s;
    return 0;
}

void seen_free(struct seen *s)
{
    if (s == NULL)
        return;
    for (int i = 0; i < KINDS; i++)
        table_fini(&s->notes[i].table);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* What note is told. */
enum { FRESH, STORED, AGAIN }; /* not what is stored; what is stored; put back after a flush that failed */

/* Under the lock. The last word counts, but of times the latest. */
static void note(struct seen *s, int kind, const char *device_id, int64_t value, int how)
{
    struct table *t = &s->notes[kind].table;
    struct table_entry *it = table_get(t, device_id);
    if (it != NULL) {
        if (kind == TIMES ? value > it->value : how != AGAIN)
            it->value = value;
        return;
    }
    if (how == STORED)
        return;
    struct err e = {0};
    int rc = t->count < SEEN_MAX ? table_put(t, device_id, value, NULL, &e)
                                 : err_set(&e, ERR_BUSY, "%d devices wait to be noted already", SEEN_MAX);
    if (rc != 0 && !s->full)
        log_warn("ota", "devices are not noted as seen until the next flush", LOG_ERR(&e));
    s->full = rc != 0;
    atomic_store_explicit(&s->notes[kind].count, t->count, memory_order_release);
}

static void note_locked(struct seen *s, int kind, const char *device_id, int64_t value, int how)
{
    /* What is stored already matters to what was noted since alone: mostly nothing was. */
    if (how == STORED && atomic_load_explicit(&s->notes[kind].count, memory_order_acquire) == 0)
        return;
    pthread_mutex_lock(&s->lock);
    note(s, kind, device_id, value, how);
    pthread_mutex_unlock(&s->lock);
}

void seen_touch(struct seen *s, const char *device_id, int64_t now_ms)
{
    note_locked(s, TIMES, device_id, now_ms, FRESH);
}

/* A reason and a deployment in one number. */
static int reason_of(int64_t value)
{
    return (int)(value & 0xFF);
}

static int64_t deployment_of(int64_t value)
{
    return value >> 8;
}

void seen_reason(struct seen *s, const char *device_id, int reason, int64_t deployment, bool news)
{
    note_locked(s, REASONS_NOTED, device_id, deployment << 8 | reason, news ? FRESH : STORED);
}

void seen_transport(struct seen *s, const char *device_id, const char *transport, bool news)
{
    for (size_t i = 0; i < TRANSPORT_COUNT; i++)
        if (strcmp(transport, transports[i]) == 0)
            note_locked(s, TRANSPORTS, device_id, (int64_t)i, news ? FRESH : STORED);
}

static const int64_t *noted(const struct seen *s, int kind, const char *device_id)
{
    const struct table_entry *it = table_get(&s->notes[kind].table, device_id);
    return it != NULL ? &it->value : NULL;
}

void seen_show(struct seen *s, struct device *d, int64_t now_ms)
{
    pthread_mutex_lock(&s->lock);
    const int64_t *at = noted(s, TIMES, d->id);
    const int64_t *reason = noted(s, REASONS_NOTED, d->id);
    const int64_t *transport = noted(s, TRANSPORTS, d->id);
    if (at != NULL && *at > d->last_seen_at)
        d->last_seen_at = *at;
    if (reason != NULL) {
        d->reason = reason_of(*reason);
        d->reason_deployment = deployment_of(*reason);
        d->reason_at = now_ms;
    }
    if (transport != NULL)
        d->transport = transports[*transport];
    pthread_mutex_unlock(&s->lock);
}

/* Takes up to SEEN_SLICE entries out, as a list. */
static struct table_entry *take_slice(struct seen *s, int kind, bool *more)
{
    struct notes *n = &s->notes[kind];
    struct table_entry *slice = NULL;
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < SEEN_SLICE; i++) {
        struct table_entry *it = table_pop(&n->table, &n->at);
        if (it == NULL)
            break;
        it->next = slice;
        slice = it;
    }
    *more |= n->table.count > 0;
    atomic_store_explicit(&n->count, n->table.count, memory_order_release);
    pthread_mutex_unlock(&s->lock);
    return slice;
}

static int store_note(struct db *db, int kind, const struct table_entry *it, int64_t now_ms, struct err *e)
{
    if (kind == TIMES)
        return store_device_set_seen(db, it->key, it->value, e);
    if (kind == REASONS_NOTED)
        return store_device_set_reason(db, it->key, reason_of(it->value), deployment_of(it->value), now_ms,
                                       e);
    return store_device_set_transport(db, it->key, transports[it->value], e);
}

static int flush(struct seen *s, int kind, struct db *db, int64_t now_ms, bool *more, struct err *e)
{
    struct table_entry *slice = take_slice(s, kind, more);
    int rc = 0;
    for (struct table_entry *it = slice; it != NULL && rc == 0; it = it->next)
        rc = store_note(db, kind, it, now_ms, e);
    if (rc != 0) {
        pthread_mutex_lock(&s->lock);
        for (struct table_entry *it = slice; it != NULL; it = it->next)
            note(s, kind, it->key, it->value, AGAIN);
        pthread_mutex_unlock(&s->lock);
    }
    for (struct table_entry *it = slice, *next; it != NULL; it = next) {
        next = it->next;
        free(it);
    }
    return rc;
}

int seen_flush(struct seen *s, struct db *db, int64_t now_ms, struct err *e)
{
    bool more = false;
    int rc = 0;
    for (int i = 0; i < KINDS && rc == 0; i++)
        rc = flush(s, i, db, now_ms, &more, e);
    return rc != 0 ? rc : more;
}
