/* The lanes: where each step of a request runs, and how it gets there. */
#include <stdio.h>

#include "base/log.h"
#include "http/basic.h"
#include "ota/principal.h"
#include "ota/settings.h"
#include "server/console.h"
#include "server/identify.h"
#include "server/run.h"
#include "server/server.h"
#include "store/db.h"

static void write_refusal(struct run *run, int status, const struct err *e)
{
    struct http_response *res = &run->x->res;
    http_reply_error(res, &run->x->arena, status, e, run->table != NULL ? run->table->refuse : NULL);
    if (res->status == 401 && run->table != NULL && run->table->face == FACE_MANAGEMENT &&
        run->server->config.accounts)
        http_set(res, "WWW-Authenticate", BASIC_CHALLENGE);
}

void run_refuse(struct run *run, int status, const char *detail)
{
    struct err e = {0};
    snprintf(e.text, sizeof e.text, "%s", detail);
    write_refusal(run, status, &e);
}

void run_refuse_err(struct run *run)
{
    write_refusal(run, run->call.status, &run->call.err);
}

void run_fail(struct run *run)
{
    run_refuse_err(run);
    exchange_reply(run->x);
}

/* Runs the handler of the step at hand. False: the run is over and the reply is on its way. */
static bool handle(struct run *run, struct db *db, bool writing)
{
    struct call *c = &run->call;
    c->db = db;
    c->writing = writing;
    run->result = run->route->steps[run->step].run(c);
    c->db = NULL;
    return run->result >= 0;
}

/* After a step: the next one, or the reply. */
static void go_on(struct run *run)
{
    if (run->result < 0) {
        run_fail(run);
        return;
    }
    if (run->result == CALL_KEEP)
        return;
    run->upgraded = false;
    run->step++;
    if (run->result == CALL_REPLY || run->step >= ROUTE_STEPS_MAX ||
        run->route->steps[run->step].lane == LANE_END) {
        exchange_reply(run->x);
        return;
    }
    run_steps(run);
}

struct str run_address(const struct run *run)
{
    struct str a = str_of(run->who.address);
    const char *colon = memchr(a.p, ':', a.n), *end = memchr(a.p, ']', a.n);
    if (a.n > 0 && a.p[0] == '[' && end != NULL)
        return (struct str){a.p + 1, (size_t)(end - a.p) - 1};
    if (colon != NULL && memchr(colon + 1, ':', a.n - (size_t)(colon - a.p) - 1) == NULL)
        a.n = (size_t)(colon - a.p);
    return a;
}

/* --- WRITE ------------------------------------------------------------------------------------------- */

static int write_run(struct db *db, void *arg, struct err *e)
{
    struct run *run = arg;
    db_set_origin(db, run_address(run));
    run->result = identify_again(run->server, db, &run->who, run->route->who, &run->call.err);
    if (run->result != 0 || !handle(run, db, true))
        *e = run->call.err;
    db_set_origin(db, STR(""));
    return run->result < 0 ? run->result : 0;
}

static void write_done(void *arg, int rc, const struct err *e)
{
    struct run *run = arg;
    if (rc != 0 && run->result >= 0) {
        /* The handler was content and the commit was not: what it did in memory holds no longer. */
        principals_mark_stale(run->server->ota.principals);
        settings_mark_stale(run->server->ota.settings);
        http_response_fini(&run->x->res);
        http_response_init(&run->x->res);
        if (console_is(run->x->peer))
            console_set_headers(&run->x->res);
    }
    if (rc != 0) {
        run->result = rc;
        run->call.err = *e;
    }
    go_on(run);
}

static void to_writer(struct run *run)
{
    run->write = (struct store_job){.run = write_run, .done = write_done, .arg = run};
    if (store_submit(run->server->store, &run->write, &run->call.err) != 0)
        run_fail(run);
}

/* --- READ -------------------------------------------------------------------------------------------- */

static void read_here(struct exchange *x)
{
    struct run *run = x->app;
    struct db *db = exchange_loop_ctx(x);
    /* Until the turn's end (dispatch): if it cannot be had, each question locks for itself. */
    int rc = db_share_begin(db, NULL);
    (void)rc;
    handle(run, db, false);
    if (run->result == CALL_UPGRADE) {
        run->upgraded = true;
        to_writer(run);
        return;
    }
    go_on(run);
}

/* --- QUERY, SIGN, FILE, PASSWORD ------------------------------------------------------------------------ */

static void work(struct pool_job *job, struct db *db)
{
    struct run *run = container_of(job, struct run, job);
    if (atomic_load_explicit(&run->x->gone, memory_order_relaxed)) {
        exchange_reply(run->x); /* nobody waits for it any more */
        return;
    }
    if (db != NULL)
        db_set_deadline(db, clock_mono_ms(run->server->clock) + run->server->config.query_seconds * 1000);
    handle(run, db, false);
    if (db != NULL)
        db_set_deadline(db, 0);
    go_on(run);
}

static void to_pool(struct run *run, struct pool *pool)
{
    run->job.run = work;
    if (pool_submit(pool, &run->job, &run->call.err) != 0)
        run_fail(run);
}

void run_steps(struct run *run)
{
    switch (run->route->steps[run->step].lane) {
    case LANE_READ:
        /* After a step elsewhere it goes back to its loop. */
        exchange_call(run->x, read_here);
        return;
    case LANE_QUERY:
        to_pool(run, run->server->query);
        return;
    case LANE_WRITE:
        to_writer(run);
        return;
    case LANE_SIGN:
        to_pool(run, run->server->sign);
        return;
    case LANE_FILE:
        to_pool(run, run->server->file);
        return;
    case LANE_PASSWORD:
        to_pool(run, run->server->password);
        return;
    case LANE_HEAD: /* only a first step is one, and dispatch ran it */
    case LANE_END:
        break;
    }
    err_set(&run->call.err, ERR_INTERNAL, "the route %s has no such step", run->route->path);
    run_fail(run);
}
