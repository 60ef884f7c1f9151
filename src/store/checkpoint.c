#include "store/checkpoint.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "base/log.h"

struct checkpointer {
    struct db *db;
    void (*on_large)(void *ctx);
    void *ctx;
    pthread_t thread;

    pthread_mutex_t mutex; /* for all below */
    pthread_cond_t wake;
    int64_t bytes; /* of the log, after the last commit */
    int64_t next;  /* log size from which it is worth while again */
    bool stopping;
};

static bool due(const struct checkpointer *c)
{
    return c->bytes >= c->next;
}

/* The log begins anew once all of it was written back and nobody reads it: then its size falls. */
void checkpointer_note(struct checkpointer *c, int64_t wal_bytes)
{
    pthread_mutex_lock(&c->mutex);
    if (wal_bytes < c->bytes)
        c->next = CHECKPOINT_PASSIVE_BYTES;
    c->bytes = wal_bytes;
    if (due(c))
        pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->mutex);
}

static void *checkpointer_main(void *arg)
{
    struct checkpointer *c = arg;
    pthread_mutex_lock(&c->mutex);
    for (;;) {
        while (!c->stopping && !due(c))
            pthread_cond_wait(&c->wake, &c->mutex);
        if (c->stopping)
            break;
        c->next = c->bytes + CHECKPOINT_PASSIVE_BYTES;
        pthread_mutex_unlock(&c->mutex);

        int rc = sqlite3_wal_checkpoint_v2(db_raw(c->db), NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        struct err e;
        if (rc != SQLITE_OK && rc != SQLITE_BUSY) {
            db_fail(c->db, rc, &e);
            log_error("store", "the write-ahead log could not be written back", LOG_ERR(&e));
        }

        pthread_mutex_lock(&c->mutex);
        bool large = c->bytes >= CHECKPOINT_TRUNCATE_BYTES;
        pthread_mutex_unlock(&c->mutex);
        if (large)
            c->on_large(c->ctx);
        pthread_mutex_lock(&c->mutex);
    }
    pthread_mutex_unlock(&c->mutex);
    return NULL;
}

int checkpointer_start(struct db *db, void (*on_large)(void *ctx), void *ctx, struct checkpointer **out,
                       struct err *e)
{
    struct checkpointer *c = calloc(1, sizeof *c);
    if (c == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the checkpoint thread");
    *c = (struct checkpointer){.db = db, .on_large = on_large, .ctx = ctx, .next = CHECKPOINT_PASSIVE_BYTES};
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->wake, NULL);
    int rc = pthread_create(&c->thread, NULL, checkpointer_main, c);
    if (rc != 0) {
        pthread_cond_destroy(&c->wake);
        pthread_mutex_destroy(&c->mutex);
        free(c);
        return err_errno(e, rc, "cannot start the checkpoint thread");
    }
    pthread_setname_np(c->thread, "store-checkpnt");
    *out = c;
    return 0;
}

void checkpointer_stop(struct checkpointer *c)
{
    if (c == NULL)
        return;
    pthread_mutex_lock(&c->mutex);
    c->stopping = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->mutex);
    pthread_join(c->thread, NULL);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->mutex);
    free(c);
}
