#include "agent/tunnel.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/identity.h"
#include "agent/signals.h"
#include "base/log.h"
#include "net/net.h"

#define HEAD_MAX 16384  /* bytes of a request's head */
#define TARGET_MAX 4096 /* ... and of its target */
#define HEADER_MS 30000
#define BODY_MS 60000
#define IDLE_MS 120000
#define WRITE_MS 600000 /* an updater that writes to slow flash takes its time */
#define WRITE_BYTES 1   /* a second, at least */
#define TCP "tcp"

/* --- the loop's side ------------------------------------------------------------------------------------ */

static enum net_verdict refuse(struct exchange *x, int status, const char *allow, const struct err *e)
{
    tunnel_error(&x->res, &x->arena, status, e->text);
    if (allow != NULL)
        http_set(&x->res, "Allow", allow);
    log_info("tunnel", "a request was not carried", LOG_S("method", x->req.method_text),
             LOG_S("path", x->req.path), LOG_I64("status", status), LOG_ERR(e));
    return NET_REFUSE;
}

static enum net_verdict on_head(void *ctx, struct exchange *x)
{
    struct tunnel *t = ctx;
    struct err e = {0};
    int status = 400;
    const char *allow = NULL;
    struct tunnel_job *job = arena_new(&x->arena, struct tunnel_job);
    if (job == NULL) {
        http_reply_no_memory(&x->res);
        return NET_REFUSE;
    }
    x->body_max = TUNNEL_BODY_MAX;
    int rc = tunnel_read_ask(&x->req, t->device, t->config.tunnel_listen, x->peer->kind == NET_UNIX,
                             &x->arena, &job->ask, &status, &allow, &e);
    if (rc != 0)
        return refuse(x, status, allow, &e);
    x->app = job;
    return NET_READ_BODY;
}

static void on_chunk(void *ctx, struct exchange *x, struct str piece)
{
    (void)ctx, (void)piece;
    exchange_chunk_done(x); /* no body is spooled here */
}

static void on_request(void *ctx, struct exchange *x)
{
    struct tunnel *t = ctx;
    struct tunnel_job *job = x->app;
    struct flow *f = flow_new(x, &t->stop);
    if (f == NULL) {
        http_reply_no_memory(&x->res);
        exchange_reply(x);
        return;
    }
    job->flow = f;
    if (tunnel_queue(t, f))
        return;
    tunnel_refuse(f, 503, "the tunnel has more to do than it can");
    flow_drop(f);
}

static void on_file_read(void *ctx, struct exchange *x, void *buf, size_t size, uint64_t offset)
{
    const struct tunnel_job *job = x->app;
    (void)ctx, (void)offset; /* a body is read in its order */
    flow_read(job->flow, buf, size);
}

static void on_end(void *ctx, struct exchange *x)
{
    struct tunnel_job *job = x->app;
    (void)ctx;
    if (job != NULL && job->flow != NULL)
        flow_ended(job->flow);
}

/* The loop has nothing of its own here. */
static int on_loop_start(void *ctx, void **loop_ctx, struct err *e)
{
    (void)ctx, (void)e;
    *loop_ctx = NULL;
    return 0;
}

static void on_loop_stop(void *ctx, void *loop_ctx)
{
    (void)ctx, (void)loop_ctx;
}

static int start_net(struct tunnel *t, struct err *e)
{
    const struct agent_config *c = &t->config;
    size_t connections = (size_t)c->tunnel_connections;
    struct net_listen listens[2];
    size_t count = 0;
    if (c->tunnel_listen[0] != '\0')
        listens[count++] = (struct net_listen){.kind = NET_PLAIN, .name = TCP, .address = c->tunnel_listen};
    if (c->tunnel_socket[0] != '\0')
        listens[count++] =
            (struct net_listen){.kind = NET_UNIX, .name = "unix", .address = c->tunnel_socket, .mode = 0660};
    const struct net_app app = {.ctx = t,
                                .arena_max = TUNNEL_ARENA_MAX,
                                .head = on_head,
                                .chunk = on_chunk,
                                .request = on_request,
                                .file_read = on_file_read,
                                .end = on_end,
                                .loop_start = on_loop_start,
                                .loop_stop = on_loop_stop};
    const struct net_config config = {.loops = 1,
                                      .listens = listens,
                                      .listen_count = count,
                                      .limits = {.connections = connections,
                                                 .connections_per_address = connections,
                                                 .head_bytes = HEAD_MAX,
                                                 .target_bytes = TARGET_MAX,
                                                 .requests_per_connection = UINT64_MAX,
                                                 .handshake_ms = HEADER_MS,
                                                 .header_ms = HEADER_MS,
                                                 .body_ms = BODY_MS,
                                                 .idle_ms = IDLE_MS,
                                                 .write_ms = WRITE_MS,
                                                 .bytes_per_second = WRITE_BYTES},
                                      .app = &app,
                                      .clock = &clock_system};
    int rc = net_new(&config, &t->net, e);
    return rc == 0 ? net_start(t->net, e) : rc;
}

/* --- start and end -------------------------------------------------------------------------------------- */

static bool is_stopped(void *ctx)
{
    struct tunnel *t = ctx;
    struct signalfd_siginfo info;
    while (t->signals >= 0 && read(t->signals, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
            atomic_store(&t->stop, true);
    return atomic_load(&t->stop);
}

static bool stops(void *ctx)
{
    return atomic_load(&((struct tunnel *)ctx)->stop);
}

static int open_identity(struct tunnel *t, struct err *e)
{
    struct pki_cert cert;
    int rc = files_open(&t->files, t->config.state_dir, false, e);
    if (rc == 0)
        rc = identity_read(&t->files, &cert, e);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_NOT_FOUND,
                       "this device is not enrolled (%s is not there): run pqota-agent enroll first",
                       t->files.cert);
    if (rc == 0 && t->config.server[0] == '\0')
        rc = err_set(e, ERR_INVALID, "no server is known: set [agent] server, or run pqota-agent enroll");
    if (rc == 0)
        rc = files_lock(&t->files, e);
    if (rc != 0)
        return rc;
    snprintf(t->device, sizeof t->device, "%s", cert.common_name);
    files_sweep(t->files.dir);
    clock_floor_load(&t->floor, t->files.floor, &clock_system);
    return 0;
}

static int start_workers(struct tunnel *t, struct err *e)
{
    for (size_t i = 0; i < (size_t)t->config.tunnel_connections; i++) {
        struct tunnel_worker *w = &t->workers[i];
        w->tunnel = t;
        pthread_cond_init(&w->work, NULL);
        clock_floor_load(&w->floor, t->files.floor, &clock_system);
        t->worker_count = i + 1;
        if (pthread_create(&w->thread, NULL, tunnel_work, w) != 0)
            return err_set(e, ERR_NOMEM, "cannot start a thread");
        w->started = true;
    }
    return 0;
}

static int tunnel_open(struct tunnel *t, const struct agent_config *config, struct err *e)
{
    memset(t, 0, sizeof *t);
    t->signals = -1;
    t->files.lock_fd = t->files.artifact_fd = -1;
    t->config = *config;
    list_init(&t->queue);
    pthread_mutex_init(&t->lock, NULL);
    int rc = open_identity(t, e);
    if (rc == 0)
        rc = signals_open(&t->signals, e);
    if (rc != 0)
        return rc;
    struct link_settings set = identity_link(&t->files, &t->config, &t->floor);
    set.stop = is_stopped;
    set.stop_ctx = t;
    rc = link_init(&t->link, &set, e);
    if (rc == 0)
        rc = tunnel_trust_open(&t->trust, &t->config, &t->files, t->device, stops, t, e);
    t->shelf = progress_shelf_new();
    if (rc == 0 && t->shelf == NULL)
        rc = err_set(e, ERR_NOMEM, "no memory for the tunnel");
    if (rc == 0)
        rc = start_workers(t, e);
    return rc == 0 ? start_net(t, e) : rc;
}

/* Workers end with what they do; then the loop has its exchanges back, and ends too. */
static void tunnel_close(struct tunnel *t)
{
    if (t->net != NULL)
        net_drain(t->net);
    tunnel_stop_work(t);
    for (size_t i = 0; i < t->worker_count; i++) {
        if (t->workers[i].started)
            pthread_join(t->workers[i].thread, NULL);
        pthread_cond_destroy(&t->workers[i].work);
    }
    if (t->net != NULL)
        net_stop(t->net);
    net_free(t->net);
    progress_shelf_free(t->shelf);
    tunnel_trust_close(&t->trust);
    link_fini(&t->link);
    files_close(&t->files);
    if (t->signals >= 0)
        close(t->signals);
    pthread_mutex_destroy(&t->lock);
}

/* Milliseconds until the certificate wants to be looked at again. */
static int64_t tend_certificate(struct tunnel *t)
{
    int64_t next;
    bool changed;
    identity_tick(&t->files, &t->link, clock_floor_now(&t->floor), &next, &changed);
    if (changed) {
        struct err e = {0};
        t->link.set.ca_file = identity_roots(&t->files, &t->config);
        if (link_renew(&t->link, &e) != 0)
            log_error("tunnel", "no connection can be made", LOG_ERR(&e));
        atomic_fetch_add(&t->generation, 1);
    }
    return next > 3600 ? 3600000 : next * 1000;
}

static void serve(struct tunnel *t)
{
    char at[64] = "";
    if (t->config.tunnel_listen[0] != '\0' && net_address(t->net, TCP, at, sizeof at) != 0)
        snprintf(at, sizeof at, "%s", t->config.tunnel_listen);
    log_info("tunnel", "started", LOG_STR("device", t->device), LOG_STR("server", t->config.server),
             LOG_STR("listen", at), LOG_STR("socket", t->config.tunnel_socket));
    agent_notify("READY=1");
    while (!is_stopped(t)) {
        int64_t wait = tend_certificate(t);
        struct pollfd fd = {.fd = t->signals, .events = POLLIN};
        if (!is_stopped(t) && poll(&fd, 1, (int)wait) < 0 && errno != EINTR)
            break;
    }
    agent_notify("STOPPING=1");
}

enum agent_exit agent_tunnel(const struct agent_config *config)
{
    struct err e = {0};
    struct tunnel *t = malloc(sizeof *t);
    if (t == NULL) {
        fprintf(stderr, "pqota-agent: no memory for the tunnel\n");
        return AGENT_ERROR;
    }
    int rc = tunnel_open(t, config, &e);
    if (rc == 0)
        serve(t);
    else
        fprintf(stderr, "pqota-agent: %s\n", e.text);
    tunnel_close(t);
    free(t);
    log_info("tunnel", "stopped");
    return rc == 0 ? AGENT_OK : AGENT_ERROR;
}
