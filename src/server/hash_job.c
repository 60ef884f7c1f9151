/* A reader finds a file, a file worker reads it in slices, the writer keeps its hashes; then the next one. */
#include "server/hash_job.h"

#include <stdlib.h>

#include "base/log.h"
#include "ota/hashing.h"
#include "server/server.h"

#define AGAIN_MS 600000 /* after a file that could not be hashed: until all are looked through again */

struct hash_job {
    struct server *server;
    struct hashing work;
    struct pool_job pool;
    struct store_job write;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    bool running, stopping; /* under lock */
    bool failed;            /* a file since all were looked through last */
    int64_t not_before_ms;  /* monotonic */
};

static void look(struct pool_job *job, struct db *db);
static void slice(struct pool_job *job, struct db *db);

static void end(struct hash_job *j)
{
    hashing_drop(&j->work);
    pthread_mutex_lock(&j->lock);
    j->running = false;
    pthread_cond_signal(&j->idle);
    pthread_mutex_unlock(&j->lock);
}

static void submit(struct hash_job *j, struct pool *pool, void (*run)(struct pool_job *, struct db *))
{
    struct err e = {0};
    pthread_mutex_lock(&j->lock);
    bool stop = j->stopping;
    pthread_mutex_unlock(&j->lock);
    j->pool.run = run;
    if (stop || pool_submit(pool, &j->pool, &e) != 0)
        end(j); /* the next tick begins this file again, or the next one */
}

static void complain(struct hash_job *j, const struct err *e)
{
    log_error("server", "a file's hashes could not be computed", LOG_STR("sha256", j->work.sha256),
              LOG_ERR(e));
    j->failed = true;
}

static void next(struct hash_job *j)
{
    submit(j, j->server->query, look);
}

static int store(struct db *db, void *arg, struct err *e)
{
    struct hash_job *j = arg;
    return ota_hashing_store(db, &j->work, e);
}

static void stored(void *arg, int rc, const struct err *e)
{
    struct hash_job *j = arg;
    if (rc != 0)
        complain(j, e);
    next(j);
}

static void slice(struct pool_job *job, struct db *db)
{
    (void)db;
    struct hash_job *j = container_of(job, struct hash_job, pool);
    struct err e = {0};
    bool done = false;
    int rc = ota_hashing_slice(&j->server->ota, &j->work, &done, &e);
    if (rc == 0 && !done) {
        submit(j, j->server->file, slice);
        return;
    }
    j->write = (struct store_job){.run = store, .done = stored, .arg = j};
    if (rc == 0 && store_submit_background(j->server->store, &j->write, &e) == 0)
        return;
    complain(j, &e);
    next(j);
}

static void look(struct pool_job *job, struct db *db)
{
    struct hash_job *j = container_of(job, struct hash_job, pool);
    struct err e = {0};
    bool found = false;
    int rc = ota_hashing_find(db, &j->work, &found, &e);
    if (rc != 0)
        complain(j, &e);
    if (rc == 0 && found) {
        submit(j, j->server->file, slice);
        return;
    }
    if (j->failed)
        j->not_before_ms = clock_mono_ms(j->server->clock) + AGAIN_MS;
    j->failed = false;
    end(j);
}

void hash_job_tick(struct hash_job *j)
{
    pthread_mutex_lock(&j->lock);
    bool begin = !j->running && !j->stopping && clock_mono_ms(j->server->clock) >= j->not_before_ms;
    if (begin)
        j->running = true;
    pthread_mutex_unlock(&j->lock);
    if (begin)
        next(j);
}

int hash_job_new(struct server *s, struct hash_job **out, struct err *e)
{
    struct hash_job *j = calloc(1, sizeof *j);
    if (j == NULL)
        return err_set(e, ERR_NOMEM, "no memory for background work");
    j->server = s;
    hashing_init(&j->work);
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->idle, NULL);
    *out = j;
    return 0;
}

void hash_job_stop(struct hash_job *j)
{
    pthread_mutex_lock(&j->lock);
    j->stopping = true;
    while (j->running)
        pthread_cond_wait(&j->idle, &j->lock);
    pthread_mutex_unlock(&j->lock);
}

void hash_job_free(struct hash_job *j)
{
    if (j == NULL)
        return;
    pthread_mutex_destroy(&j->lock);
    pthread_cond_destroy(&j->idle);
    free(j);
}
