#include "net/loop.h"

#include <stdlib.h>

#include "base/log.h"
#include "net/conn.h"
#include "net/listener.h"

#define COMPLAIN_MS 1000

void loop_end_turn(struct loop *l)
{
    if (l->app->turn_end != NULL)
        l->app->turn_end(l->app->ctx, l->app_ctx);
}

static void on_wake(uv_async_t *handle)
{
    struct loop *l = handle->data;
    struct list mail;
    list_init(&mail);
    pthread_mutex_lock(&l->mail_lock);
    for (struct list *e; (e = list_pop(&l->mail)) != NULL;)
        list_add_tail(&mail, e);
    pthread_mutex_unlock(&l->mail_lock);
    l->now_ms = clock_mono_ms(l->clock);
    for (struct list *e; (e = list_pop(&mail)) != NULL;) {
        struct loop_msg *msg = container_of(e, struct loop_msg, link);
        msg->run(msg);
    }
    loop_end_turn(l);
}

static void on_tick(uv_timer_t *handle)
{
    struct loop *l = handle->data;
    l->now_ms = clock_mono_ms(l->clock);
    conn_check_deadlines(l);
    listeners_retry(l);
    loop_end_turn(l);
}

static void on_spin(uv_idle_t *handle)
{
    struct loop *l = handle->data;
    l->now_ms = clock_mono_ms(l->clock);
    conn_run_ready(l);
    loop_end_turn(l);
    if (list_empty(&l->ready) && !shakes_wait(&l->shakes))
        uv_idle_stop(&l->spin);
}

static void on_turn(uv_check_t *handle)
{
    struct loop *l = handle->data;
    conn_free_buried(l);
    shakes_run(l);
    loop_end_turn(l);
}

void loop_spin(struct loop *l)
{
    if (!l->stopping)
        uv_idle_start(&l->spin, on_spin);
}

void loop_end_if_empty(struct loop *l)
{
    if (l->stopping && l->connections == 0 && !uv_is_closing((uv_handle_t *)&l->wake))
        uv_close((uv_handle_t *)&l->wake, NULL);
}

int loop_init(struct loop *l, struct err *e)
{
    list_init(&l->mail);
    list_init(&l->ready);
    list_init(&l->buried);
    shakes_init(&l->shakes);
    l->watch.fd = -1;
    for (int i = 0; i < PHASES; i++)
        list_init(&l->phases[i]);
    pthread_mutex_init(&l->mail_lock, NULL);
    l->buffer = malloc(LOOP_BUFFER);
    l->window = malloc(LOOP_WINDOW);
    if (l->buffer == NULL || l->window == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a loop's buffers");
    int rc = uv_loop_init(&l->uv);
    if (rc != 0)
        return err_set(e, ERR_INTERNAL, "cannot make an event loop: %s", uv_strerror(rc));
    uv_async_init(&l->uv, &l->wake, on_wake);
    uv_timer_init(&l->uv, &l->tick);
    uv_idle_init(&l->uv, &l->spin);
    uv_check_init(&l->uv, &l->turn);
    l->wake.data = l->tick.data = l->spin.data = l->turn.data = l;
    l->now_ms = clock_mono_ms(l->clock);
    return watch_init(l, e);
}

struct starting {
    struct loop *loop;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool done;
};

static void announce_start(struct starting *s)
{
    pthread_mutex_lock(&s->lock);
    s->done = true;
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->lock);
}

static void *run_loop(void *arg)
{
    struct starting *starting = arg;
    struct loop *l = starting->loop;
    l->self = pthread_self();
    int rc = l->app->loop_start(l->app->ctx, &l->app_ctx, &l->start_err);
    if (rc == 0) {
        rc = listeners_open(l, &l->start_err);
        if (rc != 0)
            l->app->loop_stop(l->app->ctx, l->app_ctx);
    }
    l->start_rc = rc;
    announce_start(starting); /* `starting` is gone after this */
    if (rc != 0)
        return NULL;
    uv_timer_start(&l->tick, on_tick, LOOP_TICK_MS, LOOP_TICK_MS);
    uv_check_start(&l->turn, on_turn);
    watch_start(l);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    l->app->loop_stop(l->app->ctx, l->app_ctx);
    return NULL;
}

int loop_start(struct loop *l, struct err *e)
{
    struct starting s = {.loop = l};
    pthread_mutex_init(&s.lock, NULL);
    pthread_cond_init(&s.cond, NULL);
    int rc = pthread_create(&l->thread, NULL, run_loop, &s);
    if (rc != 0) {
        rc = err_errno(e, rc, "cannot start a loop thread");
    } else {
        l->thread_started = true;
        pthread_mutex_lock(&s.lock);
        while (!s.done)
            pthread_cond_wait(&s.cond, &s.lock);
        pthread_mutex_unlock(&s.lock);
        rc = l->start_rc;
        if (rc != 0 && e != NULL)
            *e = l->start_err;
    }
    pthread_cond_destroy(&s.cond);
    pthread_mutex_destroy(&s.lock);
    return rc;
}

void loop_join(struct loop *l)
{
    if (l->thread_started)
        pthread_join(l->thread, NULL);
    l->thread_started = false;
}

static void close_walk(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void loop_fini(struct loop *l)
{
    /* The thread may never have run: what it would have closed is closed here. */
    if (l->wake.data != NULL) {
        uv_walk(&l->uv, close_walk, NULL);
        uv_run(&l->uv, UV_RUN_DEFAULT);
        uv_loop_close(&l->uv);
    }
    watch_fini(l);
    conn_free_buried(l);
    exchange_drop_spare(l);
    free(l->buffer);
    free(l->window);
    pthread_mutex_destroy(&l->mail_lock);
}

void loop_post(struct loop *l, struct loop_msg *msg)
{
    pthread_mutex_lock(&l->mail_lock);
    list_add_tail(&l->mail, &msg->link);
    /* Under the lock: the message may be the last that the loop waits for, which then ends and is freed. */
    uv_async_send(&l->wake);
    pthread_mutex_unlock(&l->mail_lock);
}

bool loop_may_complain(struct loop *l)
{
    if (l->complained_ms != 0 && l->now_ms - l->complained_ms < COMPLAIN_MS)
        return false;
    l->complained_ms = l->now_ms;
    return true;
}

void loop_stats_add(const struct loop *l, struct net_stats *sum)
{
    /* The struct is uint64_t throughout. */
    const uint64_t *from = (const uint64_t *)&l->stats;
    uint64_t *to = (uint64_t *)sum;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
        to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}
