/* SIGHUP: certificates, roots, limits, log change without dropping a connection; the rest at a restart. */
#include <string.h>

#include "base/log.h"
#include "ota/issuers.h"
#include "ota/principal.h"
#include "ota/trust_accept.h"
#include "server/about.h"
#include "server/broker.h"
#include "server/server.h"

struct net_limits server_net_limits(const struct server_config *c)
{
    return (struct net_limits){
        .connections = server_connections_max(c),
        .connections_per_address = (size_t)c->connections_per_address,
        .head_bytes = (size_t)c->head_bytes,
        .target_bytes = (size_t)c->target_bytes,
        .requests_per_connection = (uint64_t)c->requests_per_connection,
        .handshakes_waiting = (size_t)c->handshakes_waiting,
        .handshake_ms = c->handshake_seconds * 1000,
        .header_ms = c->header_seconds * 1000,
        .body_ms = c->body_seconds * 1000,
        .idle_ms = c->idle_seconds * 1000,
        .write_ms = c->write_seconds * 1000,
        .bytes_per_second = (uint64_t)c->body_bytes_per_second,
    };
}

/* Of the roots of one kind, the names too: a proxy tells no more of who issued. */
static int read_roots(const char *file, struct arena *a, const char ***ids, size_t *count,
                      struct issuer_row *rows, struct err *e)
{
    const char **names = NULL;
    int rc = pki_bundle_roots(file, a, &names, ids, count, e);
    for (size_t i = 0; rc == 0 && i < *count; i++)
        rows[i] = (struct issuer_row){.name = names[i], .key_id = (*ids)[i]};
    return rc;
}

/* What can fail comes first: either all of it changes or nothing does. */
int server_load_trust(struct server *s, const struct server_config *c, struct err *e)
{
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    const char **devices = NULL, **operators = NULL;
    size_t device_count = 0, operator_count = 0;
    struct issuer_row names[2 * PKI_BUNDLE_MAX];
    struct pki_ca *ca = NULL;
    int rc = read_roots(c->device_roots, &a, &devices, &device_count, names, e);
    if (rc == 0)
        rc = read_roots(c->operator_roots, &a, &operators, &operator_count, names + device_count, e);
    if (rc == 0)
        rc = issuers_check(names, device_count + operator_count, e);
    if (rc == 0)
        rc = pki_ca_load(c->device_ca, c->device_ca_key, &ca, e);
    if (rc == 0)
        rc = principals_set_roots(s->ota.principals, devices, device_count, operators, operator_count,
                                  c->renew_grace_days, e);
    if (rc != 0) {
        pki_ca_free(ca);
        return rc;
    }
    issuers_set(s->issuers, names, device_count + operator_count);
    pthread_mutex_lock(&s->ca_lock);
    struct pki_ca *old = s->device_ca;
    s->device_ca = ca;
    pthread_mutex_unlock(&s->ca_lock);
    pki_ca_free(old);
    if (s->ota.crl != NULL)
        crl_touch(s->ota.crl); /* another authority, another list */
    return 0;
}

int server_read_trust_keys(const struct server_config *c, bool strict, struct trust_keys **k, struct err *e)
{
    const struct trust_settings settings = {
        .key = {[TRUST_TIMESTAMP] = c->trust_timestamp_key,
                [TRUST_SNAPSHOT] = c->trust_snapshot_key,
                [TRUST_DIRECTOR] = c->trust_director_key,
                [TRUST_MANIFEST] = c->trust_manifest_key},
        .life_s = {[TRUST_TIMESTAMP] = c->timestamp_hours * 3600,
                   [TRUST_SNAPSHOT] = c->snapshot_days * 86400,
                   [TRUST_DIRECTOR] = c->director_days * 86400,
                   [TRUST_MANIFEST] = c->director_days * 86400},
        .insecure_unsigned = c->insecure_unsigned,
    };
    return trust_keys_read(&settings, strict, k, e);
}

void server_set_trust(struct server *s, const struct server_config *c, struct trust_keys *k)
{
    struct err e = {0};
    trust_set(s->ota.trust, k, c->insecure_unsigned);
    if (ota_trust_import(&s->ota, c->trust_dir, &e) != 0)
        log_error("trust", "the first update metadata were not taken over", LOG_ERR(&e));
}

void server_tell_console_life(const struct server_config *c)
{
    struct err e = {0};
    if (config_check_console_life(c, &e) != 0)
        log_warn("server", "browsers will refuse the console's certificate", LOG_ERR(&e));
}

static bool same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* What a running server cannot change: sockets, threads, folders. */
static bool needs_restart(const struct server_config *old, const struct server_config *new)
{
    return old->tls != new->tls || old->plain != new->plain || old->unix_socket != new->unix_socket ||
           old->classical != new->classical || !same(old->data_dir, new->data_dir) ||
           !same(old->tls_listen, new->tls_listen) || !same(old->plain_listen, new->plain_listen) ||
           !same(old->classical_listen, new->classical_listen) || old->console != new->console ||
           !same(old->console_listen, new->console_listen) || old->console_streams != new->console_streams ||
           old->console_session_hours != new->console_session_hours ||
           !same(old->unix_path, new->unix_path) || !same(old->public_url, new->public_url) ||
           !same(old->device_roots, new->device_roots) || !same(old->operator_roots, new->operator_roots) ||
           !same(old->server_roots, new->server_roots) || old->loops != new->loops ||
           old->unix_mode != new->unix_mode || old->unix_proxy != new->unix_proxy ||
           !same(old->insecure_proxies, new->insecure_proxies) || old->device_days != new->device_days ||
           old->poll_seconds != new->poll_seconds || old->status_max != new->status_max ||
           old->approval != new->approval || old->event_days != new->event_days ||
           old->action_days != new->action_days || old->blob_hours != new->blob_hours ||
           old->crl_hours != new->crl_hours || old->upload_bytes != new->upload_bytes ||
           old->write_queue != new->write_queue || old->query_queue != new->query_queue ||
           old->sign_queue != new->sign_queue || old->file_queue != new->file_queue ||
           old->query_threads != new->query_threads || old->sign_threads != new->sign_threads ||
           old->file_threads != new->file_threads || old->password_queue != new->password_queue ||
           old->password_threads != new->password_threads || old->accounts != new->accounts ||
           !same(old->secret_key, new->secret_key) || old->query_seconds != new->query_seconds ||
           old->backups != new->backups || old->renew_grace_days != new->renew_grace_days ||
           !same(old->insecure_header_addresses, new->insecure_header_addresses) || old->mqtt != new->mqtt ||
           !same(old->mqtt_broker, new->mqtt_broker) || !same(old->mqtt_ca, new->mqtt_ca) ||
           !same(old->mqtt_certificate, new->mqtt_certificate) || !same(old->mqtt_key, new->mqtt_key) ||
           old->tls_sessions != new->tls_sessions || old->tls_verified != new->tls_verified ||
           old->tls_session_seconds != new->tls_session_seconds;
}

static void replace_context(struct server *s, const char *name, struct tls_ctx **now, struct tls_ctx *next)
{
    if (next == NULL)
        return;
    net_set_tls(s->net, name, next);
    tls_ctx_free(*now);
    *now = next;
}

/* Those of listeners that are open. */
struct contexts {
    struct tls_ctx *tls, *console, *classical;
};

static void free_contexts(struct contexts *n)
{
    tls_ctx_free(n->tls);
    tls_ctx_free(n->console);
    tls_ctx_free(n->classical);
}

static int make_contexts(const struct server *s, const struct server_config *c, struct contexts *n,
                         struct err *e)
{
    int rc = s->config.tls ? server_tls_context(c, s->sessions, s->verified, &n->tls, e) : 0;
    if (rc == 0 && s->config.console)
        rc = server_console_context(c, s->sessions, &n->console, e);
    if (rc == 0 && s->config.classical)
        rc = server_classical_context(c, s->sessions, &n->classical, e);
    return rc;
}

static int apply(struct server *s, const struct server_config *c, struct err *e)
{
    struct contexts next = {0};
    struct trust_keys *keys = NULL;
    int rc = config_check(c, e);
    if (rc == 0)
        rc = make_contexts(s, c, &next, e);
    if (rc == 0)
        rc = server_read_trust_keys(c, true, &keys, e);
    if (rc == 0)
        rc = server_load_trust(s, c, e);
    if (rc != 0) {
        trust_keys_unref(keys);
        free_contexts(&next);
        return rc;
    }
    replace_context(s, "tls", &s->tls, next.tls);
    replace_context(s, CONSOLE_LISTENER, &s->console, next.console);
    replace_context(s, "classical", &s->classical, next.classical);
    const struct net_limits limits = server_net_limits(c);
    net_set_limits(s->net, &limits);
    struct server_config shown = *c; /* which listeners there are, only a restart changes */
    shown.tls = s->config.tls;
    shown.console = s->config.console;
    shown.classical = s->config.classical;
    about_set(s->about, &shown, &limits);
    s->config.drain_seconds = c->drain_seconds;
    server_set_trust(s, c, keys);
    server_set_ddi(s, c);
    broker_reload(s->broker, c);
    log_setup(c->log_level, c->log_format, 2);
    server_tell_console_life(c);
    return 0;
}

void server_reload(struct server *s)
{
    auto_arena struct arena a;
    arena_init(&a, 1 << 20);
    struct server_config c;
    struct err e = {0};
    server_notify("RELOADING=1");
    int rc = config_read(s->config_file, &a, &c, &e);
    if (rc == 0)
        rc = apply(s, &c, &e);
    if (rc != 0)
        log_error("server", "the new configuration is bad; the old one stays in force",
                  LOG_STR("file", s->config_file), LOG_ERR(&e));
    else
        log_info("server", "configuration and certificates read again", LOG_STR("file", s->config_file));
    if (rc == 0 && needs_restart(&s->config, &c))
        log_warn("server",
                 "some settings that changed (listeners, folders, threads, queues, lives) need a restart",
                 LOG_STR("file", s->config_file));
    server_notify("READY=1");
}
