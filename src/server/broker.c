#include "server/broker.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "server/broker_impl.h"
#include "server/server.h"

static int make_tls(void *ctx, const char *host, struct tls_ctx **out, struct err *e)
{
    const struct broker *b = ctx;
    const struct server_config *c = &b->server->config;
    const struct tls_config config = {
        .role = TLS_CLIENT,
        .crypto = c->tls_crypto,
        .policy = c->tls_policy,
        .kem = str_or_null(c->tls_kem),
        .sig = str_or_null(c->tls_sig),
        .cert_file = c->mqtt_certificate,
        .key_file = c->mqtt_key,
        .ca_file = c->mqtt_ca,
        .host = host,
    };
    return tls_ctx_new(&config, out, e);
}

bool broker_may_log(struct broker *b, struct broker_log *l, int64_t *left_out)
{
    int64_t now = clock_mono_ms(b->server->clock);
    pthread_mutex_lock(&b->lock);
    bool may = l->last_ms == 0 || now - l->last_ms >= BROKER_LOG_MS;
    if (may) {
        *left_out = l->left_out;
        *l = (struct broker_log){.last_ms = now};
    } else {
        l->left_out++;
    }
    pthread_mutex_unlock(&b->lock);
    return may;
}

/* --- the connection ------------------------------------------------------------------------------------ */

static void on_up(void *ctx)
{
    struct broker *b = ctx;
    broker_out_up(b);
    pthread_mutex_lock(&b->lock);
    b->said_down = false;
    pthread_mutex_unlock(&b->lock);
    log_info("mqtt", "connected to the broker", LOG_STR("broker", b->server->config.mqtt_broker));
}

static void on_down(void *ctx, const struct err *why)
{
    struct broker *b = ctx;
    broker_out_down(b);
    pthread_mutex_lock(&b->lock);
    bool say = !b->said_down && !b->asked;
    b->said_down |= say;
    b->asked = false;
    pthread_mutex_unlock(&b->lock);
    if (say)
        log_warn("mqtt", "no connection to the broker; announcements wait for it",
                 LOG_STR("broker", b->server->config.mqtt_broker), LOG_ERR(why));
}

void broker_reconnect(struct broker *b)
{
    pthread_mutex_lock(&b->lock);
    b->asked = b->up;
    pthread_mutex_unlock(&b->lock);
    mqtt_reconnect(b->client);
}

static enum ota_broker state_of(void *ctx)
{
    struct broker *b = ctx;
    pthread_mutex_lock(&b->lock);
    bool up = b->up;
    pthread_mutex_unlock(&b->lock);
    return up ? OTA_BROKER_UP : OTA_BROKER_DOWN;
}

/* --- life ---------------------------------------------------------------------------------------------- */

static int begin(struct db *db, void *arg, struct err *e)
{
    struct server *s = arg;
    return ota_announce_begin(&s->ota, db, e);
}

static int init_locks(struct broker *b, struct err *e)
{
    pthread_condattr_t monotonic;
    int rc = pthread_condattr_init(&monotonic);
    if (rc == 0)
        rc = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    if (rc == 0)
        rc = pthread_cond_init(&b->wake, &monotonic);
    if (rc != 0)
        return err_errno(e, rc, "cannot make what the announcing thread waits on");
    pthread_condattr_destroy(&monotonic);
    pthread_cond_init(&b->idle, NULL);
    pthread_mutex_init(&b->lock, NULL);
    return 0;
}

static int connect_broker(struct broker *b, struct err *e)
{
    static const char *const topics[] = {ANNOUNCE_REPORT_TOPICS};
    const struct mqtt_settings settings = {
        .broker = b->server->config.mqtt_broker,
        .client_id = CONFIG_MQTT_NAME,
        .session_seconds = BROKER_SESSION_S,
        .subscriptions = topics,
        .subscription_count = 1,
        .fresh_only = true, /* a report that a device has retained would come with each connection */
        .tls = make_tls,
        .handlers = {.ctx = b,
                     .up = on_up,
                     .down = on_down,
                     .message = broker_message,
                     .published = broker_published},
    };
    return mqtt_start(&settings, &b->client, e);
}

int broker_start(struct server *s, struct broker **out, struct err *e)
{
    bool changed;
    *out = NULL;
    s->ota.announce = s->config.mqtt;
    int rc = store_write_now(s->store, begin, s, e);
    if (rc != 0 || !s->config.mqtt)
        return rc;
    rc = broker_certificate(s, &changed, e);
    if (rc != 0)
        return rc;
    struct broker *b = calloc(1, sizeof *b);
    if (b == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the broker's client");
    b->server = s;
    b->wakes = s->config.mqtt_wakes_per_second;
    b->announcer =
        (struct announcer){.clock = s->clock, .base_url = s->config.public_url, .wakes_per_second = b->wakes};
    rc = init_locks(b, e);
    if (rc != 0) {
        free(b);
        return rc;
    }
    broker_out_init(b);
    rc = connect_broker(b, e);
    if (rc == 0)
        rc = broker_out_start(b, e);
    if (rc != 0) {
        broker_stop(b);
        return rc;
    }
    s->ota.broker_ctx = b;
    s->ota.broker = state_of;
    *out = b;
    return 0;
}

void broker_stop(struct broker *b)
{
    if (b == NULL)
        return;
    broker_out_stop(b);
    mqtt_stop(b->client);
    broker_in_wait(b);
    broker_note_now(b);
    if (b->reader != NULL)
        store_reader_free(b->reader);
    pthread_cond_destroy(&b->wake);
    pthread_cond_destroy(&b->idle);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

void broker_reload(struct broker *b, const struct server_config *c)
{
    if (b == NULL)
        return;
    b->wakes = c->mqtt_wakes_per_second;
    broker_reconnect(b);
}

void broker_resync(struct broker *b)
{
    if (b == NULL)
        return;
    pthread_mutex_lock(&b->lock);
    memset(b->slots, 0, sizeof b->slots);
    b->in_flight = b->acked_count = 0;
    b->reset = b->forget = true;
    broker_wake_locked(b);
    pthread_mutex_unlock(&b->lock);
}

void broker_stats(struct broker *b, struct broker_stats *out)
{
    *out = (struct broker_stats){.state = OTA_BROKER_OFF};
    if (b == NULL)
        return;
    *out = (struct broker_stats){
        .state = state_of(b),
        .published = b->published,
        .refused = b->refused,
        .received = b->received,
        .received_refused = b->received_refused,
        .events_lost = b->events_lost,
        .waiting = b->waiting,
        .events_waiting = b->events_waiting,
        .oldest_ms = b->oldest_ms,
    };
}
