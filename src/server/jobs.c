#include "server/jobs.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "ota/announce.h"
#include "ota/deploy.h"
#include "ota/finish.h"
#include "ota/fleet.h"
#include "ota/principal.h"
#include "ota/retention.h"
#include "ota/seen.h"
#include "ota/settings.h"
#include "ota/trust_online.h"
#include "ota/trust_view.h"
#include "server/broker.h"
#include "server/hash_job.h"
#include "server/server.h"
#include "store/blobs.h"

#define SWEEP_FILES 1000 /* blobs looked at in one go */

enum {
    TASK_FOLLOW,
    TASK_CLOSE,
    TASK_PREPARE,
    TASK_START,
    TASK_OVERDUE,
    TASK_SEEN,
    TASK_CRL,
    TASK_TRUST,
    TASK_RETENTION,
    TASK_FLEET,
    TASK_SWEEP,
    TASKS
};

/* One kind of background work; at most one of it runs. */
struct task {
    struct jobs *jobs;
    bool running; /* under jobs->lock */
    bool more;    /* it was a slice, and there is more */
    struct store_job write;
    struct pool_job work;
};

struct jobs {
    struct server *server;
    uv_timer_t timer;
    unsigned ticks;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    size_t running;
    bool stopping;
    struct task tasks[TASKS];
    struct crl_work crl;
    struct online_work trust;
    struct hash_job *hash;
};

static bool begin(struct task *t)
{
    struct jobs *j = t->jobs;
    pthread_mutex_lock(&j->lock);
    bool ok = !t->running && !j->stopping;
    if (ok) {
        t->running = true;
        j->running++;
    }
    pthread_mutex_unlock(&j->lock);
    return ok;
}

static void end(struct task *t)
{
    struct jobs *j = t->jobs;
    pthread_mutex_lock(&j->lock);
    t->running = false;
    if (--j->running == 0)
        pthread_cond_signal(&j->idle);
    pthread_mutex_unlock(&j->lock);
}

static bool stopping(struct jobs *j)
{
    pthread_mutex_lock(&j->lock);
    bool yes = j->stopping;
    pthread_mutex_unlock(&j->lock);
    return yes;
}

static void complain(const char *what, const struct err *e)
{
    log_error("server", "background work failed; it is tried again", LOG_STR("work", what), LOG_ERR(e));
}

/* --- slices in the writer: run until `more` is false -------------------------------------------------- */

static void submit_slice(struct task *t)
{
    struct err e = {0};
    if (store_submit_background(t->jobs->server->store, &t->write, &e) != 0)
        end(t); /* the queue is full of requests: the next tick tries again */
}

static void slice_done(void *arg, int rc, const struct err *e)
{
    struct task *t = arg;
    if (rc != 0)
        complain("write", e);
    if (rc == 0 && t->more && !stopping(t->jobs))
        submit_slice(t);
    else
        end(t);
}

static void start_slices(struct task *t, int (*run)(struct db *, void *, struct err *))
{
    if (!begin(t))
        return;
    t->write = (struct store_job){.run = run, .done = slice_done, .arg = t};
    submit_slice(t);
}

static int follow(struct db *db, void *arg, struct err *e)
{
    struct task *t = arg;
    struct principals *p = t->jobs->server->ota.principals;
    t->more = false;
    bool outside = store_changed_outside(db);
    struct settings *settings = t->jobs->server->ota.settings;
    if (!outside && !principals_stale(p) && !settings_stale(settings))
        return 0;
    log_info("server", "reading again who may do what",
             LOG_STR("because", outside ? "the database was changed by another process" : "a commit failed"));
    if (outside) {
        principals_mark_stale(p);
        settings_mark_stale(settings);
        int rc = ota_announce_begin(&t->jobs->server->ota, db, e);
        if (rc != 0)
            return rc;
        broker_resync(t->jobs->server->broker);
        trust_view_touch(trust_view_of(&t->jobs->server->ota), true);
    }
    int rc = settings_load(settings, db, e);
    return rc == 0 ? principals_load(p, db, clock_unix_ms(t->jobs->server->clock) / 1000, e) : rc;
}

static int flush_seen(struct db *db, void *arg, struct err *e)
{
    struct task *t = arg;
    int rc = seen_flush(t->jobs->server->ota.seen, db, clock_unix_ms(t->jobs->server->clock), e);
    t->more = rc == 1;
    return rc < 0 ? rc : 0;
}

static int close_cancelled(struct db *db, void *arg, struct err *e)
{
    struct task *t = arg;
    t->more = false;
    return ota_deploy_slice(&t->jobs->server->ota, db, &t->more, e);
}

static int prepare(struct db *db, void *arg, struct err *e)
{
    struct task *t = arg;
    t->more = false;
    return ota_prepare_slice(&t->jobs->server->ota, db, &t->more, e);
}

static int start_due(struct db *db, void *arg, struct err *e)
{
    struct task *t = arg;
    t->more = false;
    return ota_start_slice(&t->jobs->server->ota, db, &t->more, e);
}

static int close_overdue(struct db *db, void *arg, struct err *e)
{
    struct task *t = arg;
    t->more = false;
    return ota_overdue_slice(&t->jobs->server->ota, db, &t->more, e);
}

static int retain(struct db *db, void *arg, struct err *e)
{
    struct task *t = arg;
    struct server *s = t->jobs->server;
    t->more = false;
    return ota_retention_slice(&s->ota, db, clock_unix_ms(s->clock), &t->more, e);
}

/* A sample, then what is past its time, a slice after the other. */
static int note_fleet(struct db *db, void *arg, struct err *e)
{
    struct task *t = arg;
    struct ota *ota = &t->jobs->server->ota;
    int rc = t->more ? 0 : ota_fleet_sample(ota, db, e);
    t->more = false;
    return rc != 0 ? rc : ota_fleet_slice(ota, db, &t->more, e);
}

/* --- blobs that nothing refers to, on a reader thread -------------------------------------------------- */

static int keep_blob(void *ctx, const char *sha256, struct err *e)
{
    return ota_blob_keep(ctx, sha256, e);
}

static void sweep(struct pool_job *job, struct db *db)
{
    struct task *t = container_of(job, struct task, work);
    struct server *s = t->jobs->server;
    struct err e = {0};
    size_t removed = 0;
    int rc = blob_sweep(s->store, clock_unix_ms(s->clock), s->ota.blob_hours * 3600000, SWEEP_FILES,
                        keep_blob, db, &removed, &e);
    if (rc < 0)
        complain("blob sweep", &e);
    if (removed > 0)
        log_info("server", "removed blobs that nothing refers to", LOG_I64("count", (int64_t)removed));
    end(t);
}

static void start_sweep(struct task *t)
{
    struct err e = {0};
    if (!begin(t))
        return;
    t->work.run = sweep;
    if (pool_submit(t->jobs->server->query, &t->work, &e) != 0)
        end(t);
}

/* --- the revocation list: numbered by the writer, collected by a reader, signed by a worker -------- */

static void crl_finish(struct task *t, int rc, const struct err *e)
{
    if (rc != 0)
        complain("revocation list", e);
    crl_end(t->jobs->server->ota.crl, &t->jobs->crl, rc);
    end(t);
}

static void crl_sign(struct pool_job *job, struct db *db)
{
    (void)db;
    struct task *t = container_of(job, struct task, work);
    struct err e = {0};
    int rc = ota_crl_build(&t->jobs->server->ota, &t->jobs->crl, &e);
    crl_finish(t, rc, &e);
}

static void crl_collect(struct pool_job *job, struct db *db)
{
    struct task *t = container_of(job, struct task, work);
    struct err e = {0};
    int rc = ota_crl_collect(&t->jobs->server->ota, db, &t->jobs->crl, &e);
    if (rc == 0) {
        t->work.run = crl_sign;
        rc = pool_submit(t->jobs->server->sign, &t->work, &e);
    }
    if (rc != 0)
        crl_finish(t, rc, &e);
}

static int crl_number(struct db *db, void *arg, struct err *e)
{
    struct task *t = arg;
    return ota_crl_number(db, &t->jobs->crl, e);
}

static void crl_numbered(void *arg, int rc, const struct err *why)
{
    struct task *t = arg;
    struct err e = {0};
    if (rc == 0) {
        t->work.run = crl_collect;
        rc = pool_submit(t->jobs->server->query, &t->work, &e);
        why = &e;
    }
    if (rc != 0)
        crl_finish(t, rc, why);
}

static void start_crl(struct task *t)
{
    struct server *s = t->jobs->server;
    struct err e = {0};
    int64_t now = clock_unix_ms(s->clock);
    if (!crl_due(s->ota.crl, now, s->ota.crl_hours) || !begin(t))
        return;
    crl_begin(s->ota.crl, &t->jobs->crl, now);
    t->write = (struct store_job){.run = crl_number, .done = crl_numbered, .arg = t};
    int rc = store_submit_background(s->store, &t->write, &e);
    if (rc != 0)
        crl_finish(t, rc, &e);
}

/* --- update metadata: looked at by a reader, signed by a worker, kept by the writer ----------------- */

static void trust_finish(struct task *t, int rc, const struct err *e)
{
    if (rc != 0)
        complain("update metadata", e);
    online_end(&t->jobs->server->ota, &t->jobs->trust, rc);
    end(t);
}

static int trust_store(struct db *db, void *arg, struct err *e)
{
    struct task *t = arg;
    return ota_online_store(&t->jobs->server->ota, db, &t->jobs->trust, e);
}

static void trust_stored(void *arg, int rc, const struct err *e)
{
    trust_finish(arg, rc, e);
}

static void trust_sign(struct pool_job *job, struct db *db)
{
    (void)db;
    struct task *t = container_of(job, struct task, work);
    struct server *s = t->jobs->server;
    struct err e = {0};
    int rc = ota_online_sign(&s->ota, &t->jobs->trust, &e);
    if (rc == 0) {
        t->write = (struct store_job){.run = trust_store, .done = trust_stored, .arg = t};
        rc = store_submit_background(s->store, &t->write, &e);
    }
    if (rc != 0)
        trust_finish(t, rc, &e);
}

static void trust_look(struct pool_job *job, struct db *db)
{
    struct task *t = container_of(job, struct task, work);
    struct server *s = t->jobs->server;
    struct err e = {0};
    int rc = ota_online_look(&s->ota, db, &t->jobs->trust, &e);
    bool idle = rc == 0 && online_idle(&t->jobs->trust);
    if (rc == 0 && !idle) {
        t->work.run = trust_sign;
        rc = pool_submit(s->sign, &t->work, &e);
    }
    if (rc != 0 || idle)
        trust_finish(t, rc, &e);
}

static void start_trust(struct task *t)
{
    struct server *s = t->jobs->server;
    struct err e = {0};
    if (!trust_view_due(trust_view_of(&s->ota), clock_unix_ms(s->clock)) || !begin(t))
        return;
    online_begin(&s->ota, &t->jobs->trust);
    t->work.run = trust_look;
    int rc = pool_submit(s->query, &t->work, &e);
    if (rc != 0)
        trust_finish(t, rc, &e);
}

/* --- when ----------------------------------------------------------------------------------------------- */

static void on_second(uv_timer_t *timer)
{
    struct jobs *j = timer->data;
    unsigned n = j->ticks++;
    start_slices(&j->tasks[TASK_FOLLOW], follow);
    start_slices(&j->tasks[TASK_CLOSE], close_cancelled);
    start_slices(&j->tasks[TASK_PREPARE], prepare);
    start_slices(&j->tasks[TASK_START], start_due);
    start_slices(&j->tasks[TASK_OVERDUE], close_overdue);
    start_crl(&j->tasks[TASK_CRL]);
    start_trust(&j->tasks[TASK_TRUST]);
    hash_job_tick(j->hash);
    if (n % 5 == 4)
        start_slices(&j->tasks[TASK_SEEN], flush_seen);
    if (n % 60 == 10)
        start_slices(&j->tasks[TASK_RETENTION], retain);
    if (n % FLEET_SAMPLE_TICKS == 1)
        start_slices(&j->tasks[TASK_FLEET], note_fleet);
    if (n % 60 == 20)
        start_sweep(&j->tasks[TASK_SWEEP]);
}

int jobs_start(struct server *s, struct jobs **out, struct err *e)
{
    struct jobs *j = calloc(1, sizeof *j);
    if (j == NULL)
        return err_set(e, ERR_NOMEM, "no memory for background work");
    int rc = hash_job_new(s, &j->hash, e);
    if (rc != 0) {
        free(j);
        return rc;
    }
    j->server = s;
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->idle, NULL);
    for (int i = 0; i < TASKS; i++)
        j->tasks[i].jobs = j;
    uv_timer_init(&s->uv, &j->timer);
    j->timer.data = j;
    uv_timer_start(&j->timer, on_second, 0, 1000);
    *out = j;
    return 0;
}

void jobs_stop(struct jobs *j)
{
    if (j == NULL)
        return;
    uv_timer_stop(&j->timer);
    pthread_mutex_lock(&j->lock);
    j->stopping = true;
    while (j->running > 0)
        pthread_cond_wait(&j->idle, &j->lock);
    pthread_mutex_unlock(&j->lock);
    hash_job_stop(j->hash);
}

void jobs_free(struct jobs *j)
{
    if (j == NULL)
        return;
    hash_job_free(j->hash);
    pthread_mutex_destroy(&j->lock);
    pthread_cond_destroy(&j->idle);
    free(j);
}
