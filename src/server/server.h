/*
 * The process: everything that runs, made and wired together here and nowhere else. Start, reload, stop.
 */
#ifndef PQOTA_SERVER_SERVER_H
#define PQOTA_SERVER_SERVER_H

#include <pthread.h>
#include <uv.h>

#include "http/route.h"
#include "net/net.h"
#include "ota/crl.h"
#include "ota/ota.h"
#include "ota/trust.h"
#include "server/config.h"
#include "server/ddi_identify.h"
#include "server/pool.h"
#include "store/store.h"

#define SERVER_LISTENS_MAX 32
/* Its name; the console's resources exist there and nowhere else. */
#define CONSOLE_LISTENER "console"
#define SERVER_TABLES_MAX 48
#define SERVER_ROUTES_MAX 256

struct about;   /* what it runs with; see server/about.h */
struct history; /* see server/history.h */
struct issuers;
struct broker; /* the MQTT client; see server/broker.h */
struct jobs;   /* background work; see server/jobs.h */

struct server_routes {
    struct route_table tables[SERVER_TABLES_MAX];
    struct route_key keys[SERVER_ROUTES_MAX];
    size_t count, row_count;
};

struct server {
    const char *config_file;
    struct arena config_arena;
    struct server_config config;
    const struct clock *clock;
    int64_t started_ms; /* Unix milliseconds */

    struct store *store;
    struct ota ota;
    pthread_mutex_t ca_lock;
    struct pki_ca *device_ca; /* changed by a reload, under ca_lock */
    struct sealer *sealer;
    struct logins *logins;    /* see server/login_table.h */
    struct ddi_door ddi_door; /* see server/ddi_identify.h */
    struct issuers *issuers;  /* names of the roots, for what a proxy says */

    struct live *live; /* see server/live.h; NULL: the console is off */

    struct pool *query, *sign, *file, *password;
    struct tls_sessions *sessions;
    struct tls_verified *verified;
    struct tls_ctx *tls, *console, *classical; /* what new connections get */
    struct server_routes routes,
        console_routes; /* the latter at the console's listener, the former at others */
    struct net *net;
    struct jobs *jobs;
    struct about *about;
    struct history *history;
    struct broker *broker; /* NULL: [mqtt] is off */

    uv_loop_t uv; /* the main thread's: signals and timers */
    uv_signal_t hup, term, intr;
    uv_timer_t drain_timer;
    _Atomic int64_t drain_until_ms; /* monotonic; 0 while serving; loops read it */
};

/* Runs until SIGTERM or SIGINT. 0, or what kept it from starting. */
int server_run(const char *config_file, struct err *e) MUST_CHECK;

/* server/reload.c: SIGHUP. A bad configuration keeps the old one. */
void server_reload(struct server *s);
/* In the log, if browsers will complain of the console's certificate. */
void server_tell_console_life(const struct server_config *c);
/* What start and reload share. */
int server_load_trust(struct server *s, const struct server_config *c, struct err *e) MUST_CHECK;
/* Keys of update metadata; takes over `k`, and reads the first metadata if there are none. */
int server_read_trust_keys(const struct server_config *c, bool strict, struct trust_keys **k,
                           struct err *e) MUST_CHECK;
void server_set_trust(struct server *s, const struct server_config *c, struct trust_keys *k);
struct net_limits server_net_limits(const struct server_config *c);
/* server/ddi_settings.c: what the configuration file says of [ddi], made ready for use. */
void server_set_ddi(struct server *s, const struct server_config *c);

/* server/routes.c: every resource that there is. */
void server_add_routes(struct server *s);

/* server/tlsconf.c: contexts for the listeners; *out NULL when that listener is off. */
int server_tls_context(const struct server_config *c, struct tls_sessions *sessions,
                       struct tls_verified *verified, struct tls_ctx **out, struct err *e) MUST_CHECK;
int server_console_context(const struct server_config *c, struct tls_sessions *sessions, struct tls_ctx **out,
                           struct err *e) MUST_CHECK;
int server_classical_context(const struct server_config *c, struct tls_sessions *sessions,
                             struct tls_ctx **out, struct err *e) MUST_CHECK;

/* server/descriptors.c: raises the limit on open files as far as it goes, and answers how many connections it
   is enough for, at most limits.connections. Fewer is logged. */
size_t server_connections_max(const struct server_config *c);
/* How many files may be open beside them for those who fetch and send files. */
size_t server_files_max(const struct server_config *c);
/* server/server.c: loop threads, as set or one a core. */
size_t server_loops(const struct server_config *c);

/* server/notify.c: tells systemd (sd_notify protocol), if it asked to be told. */
void server_notify(const char *state);

/* server/metrics.c: memory that the process has, in bytes; 0: not known. */
uint64_t server_resident_bytes(void);

extern const struct route_table server_about_routes;   /* server/about.c */
extern const struct route_table server_health_routes;  /* server/health.c */
extern const struct route_table server_history_routes; /* server/history.c */
extern const struct route_table server_metrics_routes; /* server/metrics.c */

#endif
