/* GET /metrics: what the process counts, as Prometheus text (exposition format 0.0.4). */
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ota/trust_view.h"
#include "server/broker.h"
#include "server/live.h"
#include "server/login_table.h"
#include "server/server.h"
#include "tls/crypto.h"

#define PAGE_MAX 65536

static int sample(struct buf *b, const char *name, const char *type, const char *help, uint64_t value)
{
    return buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", name, help, name, type, name,
                      (unsigned long long)value);
}

static int family(struct buf *b, const char *name, const char *type, const char *help)
{
    return buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static int labelled(struct buf *b, const char *name, const char *label, const char *value, uint64_t n)
{
    return buf_printf(b, "%s{%s=\"%s\"} %llu\n", name, label, value, (unsigned long long)n);
}

static int add_latency(struct buf *b, const struct net_stats *n)
{
    int rc =
        family(b, "pqota_request_seconds", "histogram", "From a request's first byte to its reply's last");
    uint64_t sum = 0;
    for (int i = 0; i < NET_LATENCY_BUCKETS && rc == 0; i++) {
        sum += n->latency[i];
        rc = i < NET_LATENCY_BUCKETS - 1
                 ? buf_printf(b, "pqota_request_seconds_bucket{le=\"%.6g\"} %llu\n",
                              (double)net_latency_bounds[i] / 1e6, (unsigned long long)sum)
                 : buf_printf(b, "pqota_request_seconds_bucket{le=\"+Inf\"} %llu\n", (unsigned long long)sum);
    }
    if (rc == 0)
        rc = buf_printf(b, "pqota_request_seconds_sum %.6f\npqota_request_seconds_count %llu\n",
                        (double)n->latency_sum_us / 1e6, (unsigned long long)sum);
    return rc;
}

static int add_net(struct buf *b, const struct net_stats *n)
{
    static const char *const classes[] = {"other", "1xx", "2xx", "3xx", "4xx", "5xx"};
    int rc = sample(b, "pqota_connections_open", "gauge", "Connections open now", n->open);
    rc = rc ? rc : sample(b, "pqota_connections_accepted_total", "counter", "Connections taken", n->accepted);
    rc = rc ? rc : family(b, "pqota_connections_refused_total", "counter", "Connections refused at a limit");
    rc = rc ? rc : labelled(b, "pqota_connections_refused_total", "limit", "connections", n->refused_limit);
    rc = rc ? rc : labelled(b, "pqota_connections_refused_total", "limit", "per_address", n->refused_address);
    rc = rc ? rc : labelled(b, "pqota_connections_refused_total", "limit", "descriptors", n->accept_failed);
    rc = rc ? rc : family(b, "pqota_handshakes_total", "counter", "TLS handshakes by how they ended");
    rc = rc ? rc : labelled(b, "pqota_handshakes_total", "result", "full", n->handshakes_full);
    rc = rc ? rc : labelled(b, "pqota_handshakes_total", "result", "resumed", n->handshakes_resumed);
    rc = rc ? rc : labelled(b, "pqota_handshakes_total", "result", "failed", n->handshakes_failed);
    rc = rc ? rc : labelled(b, "pqota_handshakes_total", "result", "turned_away", n->handshakes_turned_away);
    rc = rc ? rc
            : sample(b, "pqota_handshakes_waiting", "gauge", "Full handshakes that wait for their turn",
                     n->handshakes_waiting);
    rc = rc ? rc
            : sample(b, "pqota_handshakes_classical_total", "counter",
                     "Handshakes without post-quantum key exchange", n->handshakes_classical);
    rc = rc ? rc : family(b, "pqota_requests_total", "counter", "Requests by class of status");
    for (int i = 0; i < 6 && rc == 0; i++)
        rc = labelled(b, "pqota_requests_total", "class", classes[i], n->requests[i]);
    rc = rc ? rc : family(b, "pqota_connections_closed_total", "counter", "Connections closed, by reason");
    for (int i = 0; i < CLOSE_REASONS && rc == 0; i++)
        rc = labelled(b, "pqota_connections_closed_total", "reason", close_reason_text[i], n->closed[i]);
    rc = rc ? rc : sample(b, "pqota_bytes_in_total", "counter", "Bytes of HTTP received", n->bytes_in);
    rc = rc ? rc : sample(b, "pqota_bytes_out_total", "counter", "Bytes of HTTP sent", n->bytes_out);
    rc = rc ? rc
            : sample(b, "pqota_responses_by_kernel_total", "counter", "Files sent by the kernel's TLS",
                     n->by_kernel);
    return rc ? rc : add_latency(b, n);
}

static int add_store(struct buf *b, const struct store_health *h)
{
    int rc = sample(b, "pqota_store_queue", "gauge", "Writes waiting for the writer", h->queue);
    rc = rc ? rc : sample(b, "pqota_store_commits_total", "counter", "Commits", h->commits);
    rc = rc ? rc : sample(b, "pqota_store_jobs_total", "counter", "Writes that were committed", h->jobs);
    rc = rc ? rc
            : sample(b, "pqota_store_wal_bytes", "gauge", "Size of the write-ahead log",
                     (uint64_t)h->wal_bytes);
    rc = rc ? rc : sample(b, "pqota_store_bytes", "gauge", "Size of the database", (uint64_t)h->db_bytes);
    return rc ? rc
              : sample(b, "pqota_disk_free_bytes", "gauge", "Free on the disk of the data folder",
                       (uint64_t)h->disk_free_bytes);
}

static int add_pools(struct buf *b, struct server *s)
{
    int rc = family(b, "pqota_queue", "gauge", "Work waiting for worker threads");
    rc = rc ? rc : labelled(b, "pqota_queue", "kind", "query", pool_waiting(s->query));
    rc = rc ? rc : labelled(b, "pqota_queue", "kind", "sign", pool_waiting(s->sign));
    rc = rc ? rc : labelled(b, "pqota_queue", "kind", "password", pool_waiting(s->password));
    return rc ? rc : labelled(b, "pqota_queue", "kind", "file", pool_waiting(s->file));
}

static int add_logins(struct buf *b, struct server *s)
{
    int rc = family(b, "pqota_logins_total", "counter", "Names and passwords by what became of them");
    for (int i = 0; rc == 0 && i < LOGIN_RESULTS; i++)
        rc = labelled(b, "pqota_logins_total", "result", login_result_text[i],
                      logins_counted(s->logins, (enum login_result)i));
    return rc;
}

static int add_console(struct buf *b, struct server *s)
{
    return sample(b, "pqota_console_streams", "gauge", "Pages of the console that are kept up to date",
                  live_streams(s->live));
}

static int add_ddi(struct buf *b, struct server *s)
{
    const struct ddi_door *d = &s->ddi_door;
    int rc = sample(b, "pqota_ddi_registered_total", "counter",
                    "Devices of hawkBit's protocol that registered", atomic_load(&d->registered));
    rc = rc ? rc
            : sample(b, "pqota_ddi_unknown_total", "counter",
                     "Requests by hawkBit's protocol refused for who sent them", atomic_load(&d->refused));
    return rc ? rc
              : sample(b, "pqota_ddi_registrations_limited_total", "counter",
                       "Registrations put off, too many in a minute", atomic_load(&d->limited));
}

static int add_broker(struct buf *b, struct server *s)
{
    struct broker_stats m;
    broker_stats(s->broker, &m);
    int64_t age = m.oldest_ms != 0 ? (clock_unix_ms(s->clock) - m.oldest_ms) / 1000 : 0;
    int rc = sample(b, "pqota_mqtt_up", "gauge", "Connected to the MQTT broker", m.state == OTA_BROKER_UP);
    rc = rc ? rc
            : sample(b, "pqota_mqtt_published_total", "counter", "Announcements that the broker took over",
                     m.published);
    rc = rc ? rc
            : sample(b, "pqota_mqtt_refused_total", "counter", "Announcements that the broker refused",
                     m.refused);
    rc = rc ? rc
            : sample(b, "pqota_mqtt_events_lost_total", "counter",
                     "Events forgotten before the broker could be told", m.events_lost);
    rc = rc ? rc
            : sample(b, "pqota_mqtt_outbox_rows", "gauge", "Announcements that wait for the broker",
                     (uint64_t)m.waiting);
    rc = rc ? rc
            : sample(b, "pqota_mqtt_outbox_events", "gauge", "Events that wait for the broker",
                     (uint64_t)m.events_waiting);
    rc = rc ? rc
            : sample(b, "pqota_mqtt_outbox_oldest_seconds", "gauge", "Since when the oldest one waits",
                     age > 0 ? (uint64_t)age : 0);
    rc = rc ? rc
            : sample(b, "pqota_mqtt_received_total", "counter", "Reports that came over MQTT", m.received);
    return rc ? rc
              : sample(b, "pqota_mqtt_received_refused_total", "counter",
                       "Reports over MQTT that were refused, or lost because too many came",
                       m.received_refused);
}

static int add_trust(struct buf *b, struct server *s)
{
    struct trust_row rows[TRUST_VIEW_MAX];
    size_t n = trust_view_get(trust_view_of(&s->ota), rows);
    int64_t now = clock_unix_ms(s->clock);
    int rc = family(b, "pqota_trust_seconds_left", "gauge",
                    "Until update metadata expire; negative: since when devices install nothing");
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = buf_printf(b, "pqota_trust_seconds_left{repository=\"%s\",role=\"%s\"} %lld\n",
                        rows[i].repository, rows[i].role, (long long)((rows[i].expires_ms - now) / 1000));
    rc = rc ? rc
            : family(b, "pqota_trust_signatures_total", "counter",
                     "Signatures of update metadata that this server made");
    for (int i = 0; rc == 0 && i < TRUST_ONLINE; i++)
        rc = labelled(b, "pqota_trust_signatures_total", "key", trust_online_word((enum trust_online)i),
                      trust_counted(&s->ota, (enum trust_online)i));
    return rc;
}

uint64_t server_resident_bytes(void)
{
    auto_fclose FILE *f = fopen("/proc/self/statm", "re");
    unsigned long long total = 0, resident = 0;
    if (f == NULL || fscanf(f, "%llu %llu", &total, &resident) != 2)
        return 0;
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int metrics(struct call *c)
{
    struct server *s = c->server;
    auto_buf struct buf b;
    buf_init(&b, PAGE_MAX);
    struct net_stats n;
    struct store_health h;
    net_stats(s->net, &n);
    store_health(s->store, &h);
    int rc = buf_printf(
        &b,
        "# HELP pqota_info The program, and whose ML-KEM and ML-DSA it has\n# TYPE pqota_info gauge\n"
        "pqota_info{version=\"%s\",lattice=\"%s\"} 1\n",
        PQOTA_VERSION, tls_crypto_name(s->config.tls_crypto));
    rc = rc ? rc
            : sample(&b, "pqota_start_time_seconds", "gauge", "When the server started, Unix seconds",
                     (uint64_t)s->started_ms / 1000);
    rc =
        rc ? rc
           : sample(&b, "process_resident_memory_bytes", "gauge", "Resident memory", server_resident_bytes());
    rc = rc ? rc
            : sample(&b, "pqota_sessions", "gauge", "TLS sessions that may be resumed",
                     tls_sessions_count(s->sessions));
    rc = rc ? rc : add_net(&b, &n);
    rc = rc ? rc : add_store(&b, &h);
    rc = rc ? rc : add_pools(&b, s);
    rc = rc ? rc : add_logins(&b, s);
    rc = rc ? rc : add_console(&b, s);
    rc = rc ? rc : add_ddi(&b, s);
    rc = rc ? rc : add_broker(&b, s);
    rc = rc ? rc : add_trust(&b, s);
    char *page = rc == 0 ? arena_dup(c->arena, b.p, b.n) : NULL;
    if (page == NULL)
        return err_set(&c->err, ERR_NOMEM, "no memory for the page of metrics");
    http_reply(c->res, 200, "text/plain; version=0.0.4", (struct str){.p = page, .n = b.n});
    return CALL_NEXT;
}

static const struct route rows[] = {
    {HTTP_GET, "/metrics", WHO_READERS | WHO_LOCAL, BODY_NONE, 0, {{LANE_FILE, metrics}}},
};

const struct route_table server_metrics_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
