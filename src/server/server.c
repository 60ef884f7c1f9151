#include "server/server.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "keys/seal.h"
#include "ota/issuers.h"
#include "ota/principal.h"
#include "ota/seen.h"
#include "ota/settings.h"
#include "pki/pki.h"
#include "server/about.h"
#include "server/broker.h"
#include "server/dispatch.h"
#include "server/history.h"
#include "server/jobs.h"
#include "server/live.h"
#include "server/login_table.h"
#include "store/accounts.h"
#include "tls/crypto.h"

#define CONFIG_MAX (1u << 20)
#define LOOPS_MAX 64

static struct pki_ca *current_device_ca(void *ctx)
{
    struct server *s = ctx;
    pthread_mutex_lock(&s->ca_lock);
    struct pki_ca *ca = pki_ca_ref(s->device_ca);
    pthread_mutex_unlock(&s->ca_lock);
    return ca;
}

static int load_memory(struct db *db, void *arg, struct err *e)
{
    struct server *s = arg;
    int rc = principals_load(s->ota.principals, db, clock_unix_ms(s->clock) / 1000, e);
    return rc == 0 ? settings_load(s->ota.settings, db, e) : rc;
}

static int ask_sealed(struct db *db, void *arg, struct err *e)
{
    return store_anything_sealed(db, arg, e);
}

/* Another key would open nothing of what is sealed, so a new one is made only where nothing is. */
static int open_sealer(struct server *s, struct err *e)
{
    const char *path = s->config.secret_key;
    bool missing = !file_exists(path), sealed = false;
    int rc = missing ? store_write_now(s->store, ask_sealed, &sealed, e) : 0;
    if (rc == 0 && sealed)
        rc =
            err_set(e, ERR_NOT_FOUND,
                    "the secret key %s is missing, and the database has secrets sealed with it: put it back "
                    "from where it is kept. Without it they cannot be shown any more, but still count; to go "
                    "on with a new key, run pqota init once more",
                    path);
    if (rc == 0)
        rc = sealer_open(path, missing, &s->sealer, e);
    if (rc != 0)
        return rc;
    if (missing)
        log_info("server", "made a secret key: keep a copy, no backup has it", LOG_STR("file", path));
    s->ota.sealer = s->sealer;
    return 0;
}

static int open_domain(struct server *s, struct err *e)
{
    const struct server_config *c = &s->config;
    const struct store_options options = {
        .dir = c->data_dir,
        .files_max = server_files_max(c),
        .clock = s->clock,
        .queue_max = (size_t)c->write_queue,
        .backups_keep = (int)c->backups,
    };
    int rc = store_open(&options, &s->store, e);
    if (rc != 0)
        return rc;
    s->ota = (struct ota){
        .store = s->store,
        .clock = s->clock,
        .device_ca = current_device_ca,
        .device_ca_ctx = s,
        .device_roots_file = c->device_roots,
        .server_roots_file = c->server_roots,
        .operator_roots_file = c->operator_roots,
        .device_days = c->device_days,
        .renew_grace_days = c->renew_grace_days,
        .crl_hours = c->crl_hours,
        .poll_seconds = c->poll_seconds,
        .status_max = c->status_max,
        .approval = c->approval,
        .event_days = c->event_days,
        .action_days = c->action_days,
        .blob_hours = c->blob_hours,
        .started_ms = s->started_ms,
    };
    rc = open_sealer(s, e);
    if (rc == 0)
        rc = logins_new(s->clock, &s->logins, e);
    if (rc == 0)
        rc = principals_new(&s->ota.principals, e);
    if (rc == 0)
        rc = settings_new(&s->ota.settings, e);
    if (rc == 0)
        server_set_ddi(s, c);
    if (rc == 0)
        rc = seen_new(&s->ota.seen, e);
    if (rc == 0)
        rc = crl_new(&s->ota.crl, e);
    if (rc == 0)
        rc = trust_new(&s->ota.trust, e);
    if (rc == 0)
        rc = issuers_new(&s->issuers, e);
    if (rc == 0)
        rc = server_load_trust(s, c, e);
    if (rc == 0)
        rc = store_write_now(s->store, load_memory, s, e);
    struct trust_keys *keys = NULL;
    if (rc == 0)
        rc = server_read_trust_keys(c, false, &keys, e);
    if (rc == 0)
        server_set_trust(s, c, keys);
    return rc;
}

static int start_pools(struct server *s, struct err *e)
{
    const struct server_config *c = &s->config;
    const struct pool_config query = {.name = "query",
                                      .threads = (size_t)c->query_threads,
                                      .queue_max = (size_t)c->query_queue,
                                      .store = s->store};
    const struct pool_config sign = {
        .name = "sign", .threads = (size_t)c->sign_threads, .queue_max = (size_t)c->sign_queue};
    const struct pool_config file = {
        .name = "file", .threads = (size_t)c->file_threads, .queue_max = (size_t)c->file_queue};
    const struct pool_config password = {
        .name = "password", .threads = (size_t)c->password_threads, .queue_max = (size_t)c->password_queue};
    int rc = pool_new(&query, &s->query, e);
    if (rc == 0)
        rc = pool_new(&sign, &s->sign, e);
    if (rc == 0)
        rc = pool_new(&password, &s->password, e);
    return rc != 0 ? rc : pool_new(&file, &s->file, e);
}

struct listens {
    struct net_listen rows[SERVER_LISTENS_MAX];
    size_t count;
};

/* One row for each address of a comma-separated list. */
static int add_listens(struct listens *l, struct arena *a, const struct net_listen *like, const char *list,
                       struct err *e)
{
    struct str rest = str_of(list), one;
    while (str_split(&rest, ',', &one)) {
        one = str_trim(one);
        if (one.n == 0)
            continue;
        if (l->count == SERVER_LISTENS_MAX)
            return err_set(e, ERR_INVALID, "more than %d addresses to listen on", SERVER_LISTENS_MAX);
        struct net_listen row = *like;
        row.address = arena_dup_str(a, one);
        if (row.address == NULL)
            return err_set(e, ERR_NOMEM, "no memory for the listeners");
        l->rows[l->count++] = row;
    }
    return 0;
}

static int collect_listens(struct server *s, struct listens *l, struct err *e)
{
    const struct server_config *c = &s->config;
    const struct net_listen tls = {.kind = NET_TLS, .name = "tls", .tls = s->tls};
    const struct net_listen console = {.kind = NET_TLS, .name = CONSOLE_LISTENER, .tls = s->console};
    const struct net_listen classical = {.kind = NET_TLS, .name = "classical", .tls = s->classical};
    const struct net_listen plain = {.kind = NET_PLAIN, .name = "plain"};
    int rc = 0;
    if (c->tls)
        rc = add_listens(l, &s->config_arena, &tls, c->tls_listen, e);
    if (rc == 0 && c->console)
        rc = add_listens(l, &s->config_arena, &console, c->console_listen, e);
    if (rc == 0 && c->classical)
        rc = add_listens(l, &s->config_arena, &classical, c->classical_listen, e);
    if (rc == 0 && c->plain)
        rc = add_listens(l, &s->config_arena, &plain, c->plain_listen, e);
    if (rc == 0 && c->unix_socket) {
        if (l->count == SERVER_LISTENS_MAX)
            return err_set(e, ERR_INVALID, "more than %d addresses to listen on", SERVER_LISTENS_MAX);
        l->rows[l->count++] = (struct net_listen){
            .kind = NET_UNIX, .name = "unix", .address = c->unix_path, .mode = (mode_t)c->unix_mode};
    }
    return rc;
}

size_t server_loops(const struct server_config *c)
{
    long n = c->loops > 0 ? (long)c->loops : sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > LOOPS_MAX ? LOOPS_MAX : (size_t)n;
}

static int open_network(struct server *s, struct err *e)
{
    const struct server_config *c = &s->config;
    int rc = tls_sessions_new((size_t)c->tls_sessions, (int)c->tls_session_seconds, &s->sessions, e);
    if (rc == 0)
        rc = tls_verified_new((size_t)c->tls_verified, &s->verified, e);
    if (rc == 0)
        rc = server_tls_context(c, s->sessions, s->verified, &s->tls, e);
    if (rc == 0)
        rc = server_console_context(c, s->sessions, &s->console, e);
    if (rc == 0)
        rc = server_classical_context(c, s->sessions, &s->classical, e);
    if (rc != 0)
        return rc;
    struct listens listens = {.count = 0};
    rc = collect_listens(s, &listens, e);
    if (rc != 0)
        return rc;
    server_add_routes(s);
    const struct net_app app = dispatch_app(s);
    const struct net_config config = {
        .loops = server_loops(c),
        .listens = listens.rows,
        .listen_count = listens.count,
        .limits = server_net_limits(c),
        .app = &app,
        .clock = s->clock,
    };
    about_set(s->about, c, &config.limits);
    rc = net_new(&config, &s->net, e);
    if (rc == 0)
        rc = net_start(s->net, e);
    if (rc != 0)
        return rc;
    char address[128];
    for (size_t i = 0; i < listens.count; i++) {
        const struct net_listen *l = &listens.rows[i];
        bool named = l->kind != NET_UNIX && net_address(s->net, l->name, address, sizeof address) == 0;
        log_info("server", "listening", LOG_STR("listener", l->name),
                 LOG_STR("address", named && strstr(l->address, ":0") != NULL ? address : l->address));
    }
    return 0;
}

/* --- life ---------------------------------------------------------------------------------------------- */

static void on_hup(uv_signal_t *handle, int signum)
{
    (void)signum;
    struct server *s = handle->data;
    if (s->drain_until_ms == 0)
        server_reload(s);
}

static void on_drain_tick(uv_timer_t *timer)
{
    struct server *s = timer->data;
    size_t open = net_connections(s->net);
    bool late = clock_mono_ms(s->clock) >= s->drain_until_ms;
    if (open > 0 && !late)
        return;
    if (open > 0)
        log_warn("server", "connections are cut: they did not end in time",
                 LOG_I64("connections", (int64_t)open));
    uv_stop(&s->uv);
}

static void on_term(uv_signal_t *handle, int signum)
{
    struct server *s = handle->data;
    if (s->drain_until_ms != 0) {
        uv_stop(&s->uv); /* asked twice: at once */
        return;
    }
    log_info("server", "stopping: requests under way are finished", LOG_I64("signal", signum),
             LOG_I64("connections", (int64_t)net_connections(s->net)));
    server_notify("STOPPING=1");
    live_end(s->live);
    s->drain_until_ms = clock_mono_ms(s->clock) + s->config.drain_seconds * 1000;
    net_drain(s->net);
    uv_timer_start(&s->drain_timer, on_drain_tick, 0, 50);
}

static int watch_signals(struct server *s, struct err *e)
{
    int rc = uv_loop_init(&s->uv);
    if (rc != 0)
        return err_set(e, ERR_INTERNAL, "cannot make the main event loop: %s", uv_strerror(rc));
    uv_signal_init(&s->uv, &s->hup);
    uv_signal_init(&s->uv, &s->term);
    uv_signal_init(&s->uv, &s->intr);
    uv_timer_init(&s->uv, &s->drain_timer);
    s->hup.data = s->term.data = s->intr.data = s->drain_timer.data = s;
    uv_signal_start(&s->hup, on_hup, SIGHUP);
    uv_signal_start(&s->term, on_term, SIGTERM);
    uv_signal_start(&s->intr, on_term, SIGINT);
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

static int flush_all_seen(struct db *db, void *arg, struct err *e)
{
    int rc;
    do
        rc = seen_flush(arg, db, clock_unix_ms(&clock_system), e);
    while (rc == 1);
    return rc;
}

static void close_walk(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* In the reverse order of the start: whoever uses something ends before it. */
static void stop(struct server *s)
{
    struct err e = {0};
    live_end(s->live);
    if (s->net != NULL)
        net_stop(s->net);
    live_free(s->live);
    jobs_stop(s->jobs);
    if (s->ota.seen != NULL && store_write_now(s->store, flush_all_seen, s->ota.seen, &e) != 0)
        log_warn("server", "when devices were last seen could not be noted", LOG_ERR(&e));
    pool_free(s->query);
    pool_free(s->sign);
    pool_free(s->password);
    pool_free(s->file);
    broker_stop(s->broker);
    net_free(s->net);
    tls_ctx_free(s->tls);
    tls_ctx_free(s->console);
    tls_ctx_free(s->classical);
    tls_sessions_free(s->sessions);
    tls_verified_free(s->verified);
    if (s->store != NULL)
        store_close(s->store);
    uv_walk(&s->uv, close_walk, NULL);
    uv_run(&s->uv, UV_RUN_DEFAULT);
    uv_loop_close(&s->uv);
    jobs_free(s->jobs);
    history_free(s->history);
    about_free(s->about);
    principals_free(s->ota.principals);
    settings_free(s->ota.settings);
    seen_free(s->ota.seen);
    crl_free(s->ota.crl);
    trust_free(s->ota.trust);
    issuers_free(s->issuers);
    logins_free(s->logins);
    sealer_free(s->sealer);
    pki_ca_free(s->device_ca);
}

static int start(struct server *s, struct err *e)
{
    int rc = open_domain(s, e);
    if (rc == 0)
        rc = start_pools(s, e);
    if (rc == 0)
        rc = broker_start(s, &s->broker, e);
    if (rc == 0)
        rc = jobs_start(s, &s->jobs, e);
    if (rc == 0)
        rc = history_start(s, &s->history, e);
    if (rc == 0)
        rc = about_new(&s->about, e);
    if (rc == 0 && s->config.console)
        rc = live_start(s, &s->live, e);
    if (rc == 0)
        rc = open_network(s, e);
    return rc;
}

/* Whose ML-KEM and ML-DSA it is; loudly where it is not ours for a reason nobody asked for. */
static const char *crypto_of(const struct server_config *c)
{
    const char *trouble = c->tls_crypto == TLS_CRYPTO_OPENSSL ? NULL : tls_crypto_trouble();
    if (trouble != NULL)
        log_warn("server", "the lattice provider cannot be used: ML-KEM and ML-DSA are OpenSSL's, and slower",
                 LOG_STR("why", trouble));
    return tls_crypto_name(c->tls_crypto);
}

int server_run(const char *config_file, struct err *e)
{
    struct server *s = calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(e, ERR_NOMEM, "no memory to start");
    s->config_file = config_file;
    s->clock = &clock_system;
    s->started_ms = clock_unix_ms(s->clock);
    pthread_mutex_init(&s->ca_lock, NULL);
    int rc = ddi_door_init(&s->ddi_door, e);
    arena_init(&s->config_arena, CONFIG_MAX);
    if (rc == 0)
        rc = config_read(config_file, &s->config_arena, &s->config, e);
    if (rc == 0)
        rc = config_check(&s->config, e);
    if (rc == 0) {
        log_setup(s->config.log_level, s->config.log_format, STDERR_FILENO);
        server_tell_console_life(&s->config);
        rc = watch_signals(s, e);
    }
    if (rc == 0) {
        rc = start(s, e);
        if (rc == 0) {
            log_info("server", "ready", LOG_STR("version", PQOTA_VERSION), LOG_STR("config", config_file),
                     LOG_STR("data", s->config.data_dir), LOG_STR("lattice", crypto_of(&s->config)));
            server_notify("READY=1");
            uv_run(&s->uv, UV_RUN_DEFAULT);
        }
        stop(s);
        log_info("server", "stopped");
    }
    arena_fini(&s->config_arena);
    pthread_mutex_destroy(&s->ca_lock);
    ddi_door_fini(&s->ddi_door);
    free(s);
    return rc;
}
