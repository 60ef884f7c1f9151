#include "server/pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "store/store.h"

struct worker {
    struct pool *pool;
    struct db *db;
    pthread_t thread;
    bool started;
};

struct pool {
    const char *name;
    size_t queue_max, waiting;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct list queue;
    bool ending;
    struct worker *workers;
    size_t worker_count;
};

static struct pool_job *next_job(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    while (list_empty(&p->queue) && !p->ending)
        pthread_cond_wait(&p->cond, &p->lock);
    struct list *e = list_pop(&p->queue);
    if (e != NULL)
        p->waiting--;
    pthread_mutex_unlock(&p->lock);
    return e != NULL ? container_of(e, struct pool_job, link) : NULL;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    for (struct pool_job *job; (job = next_job(w->pool)) != NULL;)
        job->run(job, w->db);
    return NULL;
}

static int start_worker(struct worker *w, struct store *store, struct err *e)
{
    int rc = store != NULL ? store_reader_new(store, &w->db, e) : 0;
    if (rc != 0)
        return rc;
    rc = pthread_create(&w->thread, NULL, work, w);
    if (rc != 0)
        return err_errno(e, rc, "cannot start a worker thread");
    w->started = true;
    return 0;
}

int pool_new(const struct pool_config *config, struct pool **out, struct err *e)
{
    struct pool *p = calloc(1, sizeof *p);
    if (p == NULL)
        return err_set(e, ERR_NOMEM, "no memory for worker threads");
    p->name = config->name;
    p->queue_max = config->queue_max;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->cond, NULL);
    list_init(&p->queue);
    p->workers = calloc(config->threads, sizeof *p->workers);
    int rc = p->workers == NULL ? err_set(e, ERR_NOMEM, "no memory for worker threads") : 0;
    for (size_t i = 0; i < config->threads && rc == 0; i++) {
        p->workers[i].pool = p;
        p->worker_count = i + 1;
        rc = start_worker(&p->workers[i], config->store, e);
    }
    if (rc != 0) {
        pool_free(p);
        return rc;
    }
    *out = p;
    return 0;
}

static void enqueue(struct pool *p, struct pool_job *job)
{
    list_add_tail(&p->queue, &job->link);
    p->waiting++;
    pthread_cond_signal(&p->cond);
}

int pool_submit(struct pool *p, struct pool_job *job, struct err *e)
{
    pthread_mutex_lock(&p->lock);
    bool room = p->waiting < p->queue_max;
    if (room)
        enqueue(p, job);
    pthread_mutex_unlock(&p->lock);
    if (!room)
        return err_set(e, ERR_BUSY,
                       "the server has more work of this kind (%s) than it may queue; try again shortly",
                       p->name);
    return 0;
}

void pool_submit_always(struct pool *p, struct pool_job *job)
{
    pthread_mutex_lock(&p->lock);
    enqueue(p, job);
    pthread_mutex_unlock(&p->lock);
}

size_t pool_waiting(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    size_t n = p->waiting;
    pthread_mutex_unlock(&p->lock);
    return n;
}

void pool_free(struct pool *p)
{
    if (p == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    p->ending = true;
    pthread_cond_broadcast(&p->cond);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->worker_count; i++) {
        if (p->workers[i].started)
            pthread_join(p->workers[i].thread, NULL);
        if (p->workers[i].db != NULL)
            store_reader_free(p->workers[i].db);
    }
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->cond);
    free(p->workers);
    free(p);
}
