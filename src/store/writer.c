#include "store/writer.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "base/log.h"

#define BATCH_JOBS_MAX 256      /* jobs in one transaction */
#define BATCH_MS 20             /* no further job is taken into a transaction that is this old */
#define BACKGROUND_WAIT_MS 1000 /* a background job waits at most this long behind requests */
#define TRUNCATE_WAIT_MS 200    /* how long cutting the log waits for readers */
#define FAILURE_LOG_MS 1000     /* at most one line on failed commits in this time */

struct writer {
    struct db *db;
    const struct clock *clock;
    size_t queue_max;
    pthread_t thread;

    pthread_mutex_t mutex; /* for all below */
    pthread_cond_t work;   /* a job, a wish to truncate, or the end */
    struct list foreground, background;
    size_t foreground_count, background_count;
    int64_t background_since; /* mono ms since when a background job waits */
    bool stopping, truncate;
    void (*on_news)(void *ctx);
    void *news_ctx;
    uint64_t commits, jobs;
    int64_t last_failure_ms;   /* Unix */
    int64_t failure_logged_ms; /* monotonic; writer thread only */
};

/* ---- one transaction ---- */

struct batch {
    struct list jobs; /* in the order they ran */
    size_t count;
    int lost; /* why the whole transaction was lost; 0 not */
    struct err why;
};

/* Any failure of the savepoint itself leaves the transaction in doubt: the batch is given up. */
static void lose(struct batch *b, int rc, const struct err *why)
{
    b->lost = rc;
    b->why = *why;
}

static void run_job(struct writer *w, struct batch *b, struct store_job *job)
{
    struct err e = {0};
    int rc = db_exec(w->db, "SAVEPOINT job", &e);
    if (rc != 0) {
        lose(b, rc, &e);
        return;
    }
    job->rc = job->run(w->db, job->arg, &job->err);
    if (job->rc > 0)
        job->rc = err_set(&job->err, ERR_INTERNAL, "a job gave the unknown result %d", job->rc);
    db_set_deadline(w->db, 0);
    int open = db_reset_all(w->db);
    if (open > 0)
        log_error("store", "a job left statements open", LOG_I64("statements", open));
    if (!db_in_transaction(w->db)) { /* SQLite has rolled all of it back, such as on a full disk */
        rc = job->rc != 0 ? job->rc : err_set(&job->err, ERR_INTERNAL, "a job ended the shared transaction");
        lose(b, rc, &job->err);
        return;
    }
    rc = db_exec(w->db, job->rc == 0 ? "RELEASE job" : "ROLLBACK TO job; RELEASE job", &e);
    if (job->rc != 0)
        db_forget(w->db);
    if (rc != 0)
        lose(b, rc, &e);
}

static struct store_job *take(struct writer *w, bool background)
{
    struct list *link = list_pop(background ? &w->background : &w->foreground);
    if (link == NULL)
        return NULL;
    if (background) {
        w->background_count--;
        w->background_since = clock_mono_ms(w->clock); /* the next one waits from now */
    } else {
        w->foreground_count--;
    }
    return container_of(link, struct store_job, link);
}

static struct store_job *take_locked(struct writer *w, bool background)
{
    pthread_mutex_lock(&w->mutex);
    struct store_job *job = take(w, background);
    pthread_mutex_unlock(&w->mutex);
    return job;
}

static void end_transaction(struct writer *w, struct batch *b)
{
    struct err e = {0};
    if (b->lost == 0) {
        int rc = db_commit(w->db, &e);
        if (rc != 0)
            lose(b, rc, &e);
    }
    if (b->lost != 0)
        db_forget(w->db);
    if (db_in_transaction(w->db) && db_exec(w->db, "ROLLBACK", &e) != 0)
        log_error("store", "a lost transaction could not be rolled back", LOG_ERR(&e));
}

static void note_outcome(struct writer *w, const struct batch *b)
{
    pthread_mutex_lock(&w->mutex);
    if (b->lost == 0) {
        w->commits++;
        w->jobs += b->count;
    } else {
        w->last_failure_ms = clock_unix_ms(w->clock);
    }
    pthread_mutex_unlock(&w->mutex);
    int64_t now = clock_mono_ms(w->clock);
    if (b->lost != 0 && (w->failure_logged_ms == 0 || now - w->failure_logged_ms >= FAILURE_LOG_MS)) {
        w->failure_logged_ms = now;
        log_error("store", "a transaction was lost", LOG_I64("jobs", (int64_t)b->count), LOG_ERR(&b->why));
    }
}

static void answer(struct batch *b)
{
    for (struct list *link; (link = list_pop(&b->jobs)) != NULL;) {
        struct store_job *job = container_of(link, struct store_job, link);
        if (b->lost != 0 && job->rc == 0) { /* one that failed by itself keeps its own error */
            job->rc = b->lost;
            job->err = b->why;
        }
        job->done(job->arg, job->rc, &job->err); /* the job may be gone now */
    }
}

/* A job that was undone leaves a false alarm at most. */
static void tell_news(struct writer *w, const struct batch *b)
{
    if (!db_take_news(w->db) || b->lost != 0)
        return;
    pthread_mutex_lock(&w->mutex);
    if (w->on_news != NULL)
        w->on_news(w->news_ctx);
    pthread_mutex_unlock(&w->mutex);
}

/* Runs one batch: what waits of the foreground, or a single background job. Jobs that come while it runs
   still join it, up to the two limits. */
static void run_batch(struct writer *w, bool background)
{
    struct batch b = {0};
    list_init(&b.jobs);
    struct err e = {0};
    int64_t start = clock_mono_ms(w->clock);
    int rc = db_exec(w->db, "BEGIN IMMEDIATE", &e);
    if (rc != 0)
        lose(&b, rc, &e);
    size_t most = background ? 1 : BATCH_JOBS_MAX;
    while (b.count < most) {
        struct store_job *job = take_locked(w, background);
        if (job == NULL)
            break;
        job->rc = 0;
        job->err = (struct err){0};
        list_add_tail(&b.jobs, &job->link);
        b.count++;
        if (rc != 0)
            continue; /* there is no transaction: those waiting are all told so */
        run_job(w, &b, job);
        if (b.lost != 0 || clock_mono_ms(w->clock) - start >= BATCH_MS)
            break;
    }
    end_transaction(w, &b);
    note_outcome(w, &b);
    answer(&b);
    tell_news(w, &b);
}

/* ---- the thread ---- */

/* On this connection, so that db_changed_outside does not take it for somebody else's change. */
static void truncate_log(struct writer *w)
{
    sqlite3 *raw = db_raw(w->db);
    sqlite3_busy_timeout(raw, TRUNCATE_WAIT_MS);
    int rc = sqlite3_wal_checkpoint_v2(raw, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_busy_timeout(raw, DB_BUSY_MS);
    struct err e;
    if (rc != SQLITE_OK &&
        rc != SQLITE_BUSY) { /* busy: a reader is at it; asked again when the log has grown */
        db_fail(w->db, rc, &e);
        log_warn("store", "the write-ahead log could not be cut off", LOG_ERR(&e));
    }
}

enum turn { TURN_STOP, TURN_TRUNCATE, TURN_FOREGROUND, TURN_BACKGROUND };

static enum turn wait_turn(struct writer *w)
{
    enum turn turn = TURN_STOP;
    pthread_mutex_lock(&w->mutex);
    while (w->foreground_count == 0 && w->background_count == 0 && !w->truncate && !w->stopping)
        pthread_cond_wait(&w->work, &w->mutex);
    bool overdue =
        w->background_count > 0 && clock_mono_ms(w->clock) - w->background_since >= BACKGROUND_WAIT_MS;
    if (w->truncate) {
        w->truncate = false;
        turn = TURN_TRUNCATE;
    } else if (w->foreground_count > 0 && !overdue) {
        turn = TURN_FOREGROUND;
    } else if (w->background_count > 0) {
        turn = TURN_BACKGROUND;
    }
    pthread_mutex_unlock(&w->mutex);
    return turn;
}

static void *writer_main(void *arg)
{
    struct writer *w = arg;
    for (;;) {
        switch (wait_turn(w)) {
        case TURN_STOP:
            return NULL;
        case TURN_TRUNCATE:
            truncate_log(w);
            break;
        case TURN_FOREGROUND:
            run_batch(w, false);
            break;
        case TURN_BACKGROUND:
            run_batch(w, true);
            break;
        }
    }
}

int writer_start(struct db *db, const struct clock *clock, size_t queue_max, struct writer **out,
                 struct err *e)
{
    struct writer *w = calloc(1, sizeof *w);
    if (w == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the writer");
    *w = (struct writer){.db = db, .clock = clock, .queue_max = queue_max};
    list_init(&w->foreground);
    list_init(&w->background);
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->work, NULL);
    int rc = pthread_create(&w->thread, NULL, writer_main, w);
    if (rc != 0) {
        pthread_cond_destroy(&w->work);
        pthread_mutex_destroy(&w->mutex);
        free(w);
        return err_errno(e, rc, "cannot start the writer thread");
    }
    pthread_setname_np(w->thread, "store-writer");
    *out = w;
    return 0;
}

void writer_stop(struct writer *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->mutex);
    w->stopping = true;
    pthread_cond_signal(&w->work);
    pthread_mutex_unlock(&w->mutex);
    pthread_join(w->thread, NULL);
}

void writer_free(struct writer *w)
{
    if (w == NULL)
        return;
    pthread_cond_destroy(&w->work);
    pthread_mutex_destroy(&w->mutex);
    free(w);
}

/* ---- from other threads ---- */

int writer_submit(struct writer *w, struct store_job *job, bool background, struct err *e)
{
    int rc = 0;
    list_init(&job->link);
    pthread_mutex_lock(&w->mutex);
    size_t *count = background ? &w->background_count : &w->foreground_count;
    if (w->stopping) {
        rc = err_set(e, ERR_BUSY, "the store is closing");
    } else if (*count >= w->queue_max) {
        rc = err_set(e, ERR_BUSY, "%zu jobs wait for the database already; try again", *count);
    } else {
        if (background && *count == 0)
            w->background_since = clock_mono_ms(w->clock);
        list_add_tail(background ? &w->background : &w->foreground, &job->link);
        ++*count;
        pthread_cond_signal(&w->work);
    }
    pthread_mutex_unlock(&w->mutex);
    return rc;
}

struct now {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int (*run)(struct db *, void *, struct err *);
    void *arg;
    bool done;
    int rc;
    struct err err;
};

static int now_run(struct db *db, void *arg, struct err *e)
{
    struct now *n = arg;
    return n->run(db, n->arg, e);
}

static void now_done(void *arg, int rc, const struct err *e)
{
    struct now *n = arg;
    pthread_mutex_lock(&n->mutex);
    n->rc = rc;
    n->err = *e;
    n->done = true;
    pthread_cond_signal(&n->cond);
    pthread_mutex_unlock(&n->mutex);
}

int writer_run_now(struct writer *w, int (*run)(struct db *, void *, struct err *), void *arg, struct err *e)
{
    if (pthread_equal(pthread_self(), w->thread))
        return err_set(e, ERR_INTERNAL, "the writer thread cannot wait for itself");
    struct now n = {.run = run, .arg = arg};
    struct store_job job = {.run = now_run, .done = now_done, .arg = &n};
    pthread_mutex_init(&n.mutex, NULL);
    pthread_cond_init(&n.cond, NULL);
    int rc = writer_submit(w, &job, false, e);
    if (rc == 0) {
        pthread_mutex_lock(&n.mutex);
        while (!n.done)
            pthread_cond_wait(&n.cond, &n.mutex);
        pthread_mutex_unlock(&n.mutex);
        rc = n.rc;
        if (rc != 0 && e != NULL)
            *e = n.err;
    }
    pthread_cond_destroy(&n.cond);
    pthread_mutex_destroy(&n.mutex);
    return rc;
}

void writer_truncate_log(struct writer *w)
{
    pthread_mutex_lock(&w->mutex);
    w->truncate = true;
    pthread_cond_signal(&w->work);
    pthread_mutex_unlock(&w->mutex);
}

void writer_on_news(struct writer *w, void (*call)(void *ctx), void *ctx)
{
    pthread_mutex_lock(&w->mutex);
    w->on_news = call;
    w->news_ctx = ctx;
    pthread_mutex_unlock(&w->mutex);
}

void writer_health(struct writer *w, struct store_health *out)
{
    pthread_mutex_lock(&w->mutex);
    out->queue = w->foreground_count + w->background_count;
    out->commits = w->commits;
    out->jobs = w->jobs;
    out->last_failure_ms = w->last_failure_ms;
    pthread_mutex_unlock(&w->mutex);
}
