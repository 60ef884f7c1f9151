#include "ota/seen.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"
#include "ota/table.h"
#include "store/devices.h"

struct seen {
    pthread_mutex_t lock;
    struct table times; /* device id to Unix milliseconds */
    size_t at;          /* where the next flush begins to look */
    bool full;          /* said so already */
};

int seen_new(struct seen **out, struct err *e)
{
    struct seen *s = calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the times devices were seen");
    int rc = table_init(&s->times, e);
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
    table_fini(&s->times);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* Under the lock. Keeps the later time. */
static void note(struct seen *s, const char *device_id, int64_t now_ms)
{
    struct table_entry *it = table_get(&s->times, device_id);
    if (it != NULL) {
        if (now_ms > it->value)
            it->value = now_ms;
        return;
    }
    struct err e = {0};
    int rc = s->times.count < SEEN_MAX
                 ? table_put(&s->times, device_id, now_ms, NULL, &e)
                 : err_set(&e, ERR_BUSY, "%d devices wait to be noted already", SEEN_MAX);
    if (rc != 0 && !s->full)
        log_warn("ota", "devices are not noted as seen until the next flush", LOG_ERR(&e));
    s->full = rc != 0;
}

void seen_touch(struct seen *s, const char *device_id, int64_t now_ms)
{
    pthread_mutex_lock(&s->lock);
    note(s, device_id, now_ms);
    pthread_mutex_unlock(&s->lock);
}

int64_t seen_get(struct seen *s, const char *device_id)
{
    pthread_mutex_lock(&s->lock);
    const struct table_entry *it = table_get(&s->times, device_id);
    int64_t at = it != NULL ? it->value : 0;
    pthread_mutex_unlock(&s->lock);
    return at;
}

/* Takes up to SEEN_SLICE entries out, as a list. */
static struct table_entry *take_slice(struct seen *s, bool *more)
{
    struct table_entry *slice = NULL;
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < SEEN_SLICE; i++) {
        struct table_entry *it = table_pop(&s->times, &s->at);
        if (it == NULL)
            break;
        it->next = slice;
        slice = it;
    }
    *more = s->times.count > 0;
    pthread_mutex_unlock(&s->lock);
    return slice;
}

int seen_flush(struct seen *s, struct db *db, struct err *e)
{
    bool more;
    struct table_entry *slice = take_slice(s, &more);
    int rc = 0;
    for (struct table_entry *it = slice; it != NULL && rc == 0; it = it->next)
        rc = store_device_set_seen(db, it->key, it->value, e);
    if (rc != 0) {
        pthread_mutex_lock(&s->lock);
        for (struct table_entry *it = slice; it != NULL; it = it->next)
            note(s, it->key, it->value);
        pthread_mutex_unlock(&s->lock);
    }
    for (struct table_entry *it = slice, *next; it != NULL; it = next) {
        next = it->next;
        free(it);
    }
    return rc != 0 ? rc : more;
}
