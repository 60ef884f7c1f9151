#include "ota/trust_view.h"

#include <stdlib.h>
#include <string.h>

int trust_view_init(struct trust_view *v)
{
    *v = (struct trust_view){.touched = true, .anew = true};
    return pthread_mutex_init(&v->lock, NULL);
}

void trust_view_fini(struct trust_view *v)
{
    pthread_mutex_destroy(&v->lock);
}

void trust_view_touch(struct trust_view *v, bool anew)
{
    pthread_mutex_lock(&v->lock);
    v->touched = true;
    v->anew = v->anew || anew;
    pthread_mutex_unlock(&v->lock);
}

bool trust_view_due(struct trust_view *v, int64_t now_ms)
{
    pthread_mutex_lock(&v->lock);
    /* A clock that went back must not put it off. */
    bool due = v->touched || now_ms >= v->next_ms || now_ms < v->looked_ms;
    pthread_mutex_unlock(&v->lock);
    return due;
}

bool trust_view_begin(struct trust_view *v, int64_t now_ms)
{
    pthread_mutex_lock(&v->lock);
    bool anew = v->anew;
    v->touched = v->anew = false;
    v->looked_ms = now_ms;
    v->next_ms = now_ms + TRUST_LOOK_MS;
    pthread_mutex_unlock(&v->lock);
    return anew;
}

void trust_view_failed(struct trust_view *v, bool anew, int64_t now_ms)
{
    pthread_mutex_lock(&v->lock);
    v->anew = v->anew || anew;
    v->next_ms = now_ms + TRUST_RETRY_MS;
    pthread_mutex_unlock(&v->lock);
}

static int by_end(const void *a, const void *b)
{
    const struct trust_row *x = a, *y = b;
    return x->expires_ms < y->expires_ms ? -1 : x->expires_ms > y->expires_ms;
}

void trust_view_set(struct trust_view *v, struct trust_row *rows, size_t count)
{
    qsort(rows, count, sizeof *rows, by_end);
    pthread_mutex_lock(&v->lock);
    v->count = count < TRUST_VIEW_MAX ? count : TRUST_VIEW_MAX;
    if (v->count > 0)
        memcpy(v->rows, rows, v->count * sizeof *rows);
    pthread_mutex_unlock(&v->lock);
}

size_t trust_view_get(struct trust_view *v, struct trust_row *out)
{
    pthread_mutex_lock(&v->lock);
    size_t n = v->count;
    if (n > 0)
        memcpy(out, v->rows, n * sizeof *out);
    pthread_mutex_unlock(&v->lock);
    return n;
}

bool trust_view_may_warn(struct trust_view *v, int64_t now_ms)
{
    pthread_mutex_lock(&v->lock);
    bool may = v->warned_ms == 0 || now_ms < v->warned_ms || now_ms - v->warned_ms >= TRUST_WARN_MS;
    if (may)
        v->warned_ms = now_ms;
    pthread_mutex_unlock(&v->lock);
    return may;
}
