#include "agent/tunnel_flow.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define LOOK_MS 500 /* between two looks at whether the program ends */

struct flow *flow_new(struct exchange *x, const atomic_bool *stop)
{
    struct flow *f = calloc(1, sizeof *f);
    if (f == NULL)
        return NULL;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->moved, &attr);
    pthread_condattr_destroy(&attr);
    list_init(&f->link);
    f->refs = 2;
    f->x = x;
    f->stop = stop;
    return f;
}

void flow_drop(struct flow *f)
{
    pthread_mutex_lock(&f->lock);
    bool last = --f->refs == 0;
    pthread_mutex_unlock(&f->lock);
    if (!last)
        return;
    pthread_cond_destroy(&f->moved);
    pthread_mutex_destroy(&f->lock);
    free(f->ring);
    free(f);
}

static bool over(const struct flow *f)
{
    return f->x == NULL || f->failed || atomic_load(&f->x->gone) || atomic_load(f->stop);
}

bool flow_is_over(struct flow *f)
{
    pthread_mutex_lock(&f->lock);
    bool is = over(f);
    pthread_mutex_unlock(&f->lock);
    return is;
}

/* Locked. Until something moved, or a moment has passed. */
static void wait_a_moment(struct flow *f, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&f->moved, &f->lock, &until);
}

bool flow_wait(struct flow *f, int64_t ms)
{
    pthread_mutex_lock(&f->lock);
    int64_t end = clock_mono_ms(&clock_system) + ms;
    for (int64_t left = ms; left > 0 && !over(f); left = end - clock_mono_ms(&clock_system))
        wait_a_moment(f, left < LOOK_MS ? left : LOOK_MS);
    bool is = over(f);
    pthread_mutex_unlock(&f->lock);
    return is;
}

/* Locked. Moves what may go on, at most `size` bytes; how many. */
static size_t take(struct flow *f, char *buf, size_t size)
{
    uint64_t may = f->released > f->given ? f->released - f->given : 0;
    size_t n = f->n < may ? f->n : (size_t)may;
    n = n < size ? n : size;
    size_t first = n < FLOW_RING - f->at ? n : FLOW_RING - f->at;
    if (n == 0)
        return 0;
    memcpy(buf, f->ring + f->at, first);
    memcpy(buf + first, f->ring, n - first);
    f->at = (f->at + n) % FLOW_RING;
    f->n -= n;
    f->given += n;
    pthread_cond_broadcast(&f->moved);
    return n;
}

/* Locked; unlocks. The exchange that waits for bytes gets them, if there are any. It cannot end meanwhile: it
   is with us until exchange_file_done. */
static void serve(struct flow *f)
{
    size_t n = f->want != NULL ? take(f, f->want, f->want_n) : 0;
    struct exchange *x = f->x;
    bool done = f->want != NULL && (n > 0 || f->failed);
    if (done)
        f->want = NULL;
    pthread_mutex_unlock(&f->lock);
    if (done)
        exchange_file_done(x, n > 0 ? (long)n : ERR_IO);
}

static int make_ring(struct flow *f)
{
    if (f->ring == NULL)
        f->ring = malloc(FLOW_RING);
    return f->ring != NULL ? 0 : ERR_NOMEM;
}

int flow_put(struct flow *f, const char *p, size_t n)
{
    while (n > 0) {
        pthread_mutex_lock(&f->lock);
        int rc = make_ring(f);
        while (rc == 0 && f->n == FLOW_RING && !over(f))
            wait_a_moment(f, LOOK_MS);
        if (rc == 0 && over(f))
            rc = ERR_GONE;
        if (rc != 0) {
            pthread_mutex_unlock(&f->lock);
            return rc;
        }
        size_t to = (f->at + f->n) % FLOW_RING, room = FLOW_RING - f->n;
        size_t step = n < room ? n : room;
        step = step < FLOW_RING - to ? step : FLOW_RING - to;
        memcpy(f->ring + to, p, step);
        f->n += step;
        p += step;
        n -= step;
        serve(f);
    }
    return 0;
}

void flow_release(struct flow *f, uint64_t n)
{
    pthread_mutex_lock(&f->lock);
    if (n > f->released)
        f->released = n;
    serve(f);
}

void flow_fail(struct flow *f)
{
    pthread_mutex_lock(&f->lock);
    f->failed = true;
    serve(f);
}

void flow_read(struct flow *f, char *buf, size_t size)
{
    pthread_mutex_lock(&f->lock);
    f->want = buf;
    f->want_n = size;
    serve(f);
}

void flow_ended(struct flow *f)
{
    pthread_mutex_lock(&f->lock);
    f->x = NULL;
    pthread_cond_broadcast(&f->moved);
    pthread_mutex_unlock(&f->lock);
    flow_drop(f);
}
