#include "agent/wake.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/rand.h"

#define ID_MAX 2147483647
#define HINT_MAX 4096 /* bytes of a hint */

static int64_t now_ms(void)
{
    return clock_mono_ms(&clock_system);
}

static int take_number(yyjson_val *root, const char *key, int64_t *out, struct err *e)
{
    int64_t v;
    int rc = json_get_i64(root, key, 1, ID_MAX, 0, &v, e);
    if (rc == 0 && v == 0)
        return err_set(e, ERR_INVALID, "\"%s\" is missing", key);
    if (rc == 0)
        *out = v;
    return rc;
}

int wake_parse(const char *text, size_t n, struct wake_hint *out, int64_t *jitter_s, struct err *e)
{
    auto_json yyjson_doc *doc = NULL;
    struct wake_hint hint = {0};
    struct str at;
    int64_t jitter = 0;
    if (n > HINT_MAX)
        return err_set(e, ERR_TOO_LARGE, "it has more than %d bytes", HINT_MAX);
    int rc = json_parse_object((struct str){.p = text, .n = n}, &doc, e);
    if (rc != 0)
        return rc;
    yyjson_val *root = yyjson_doc_get_root(doc);
    rc = take_number(root, "deployment", &hint.deployment, e);
    if (rc == 0)
        rc = take_number(root, "release", &hint.release, e);
    if (rc == 0)
        rc = json_get_str(root, "at", sizeof hint.at - 1, &at, e);
    if (rc == 0 && at.n == 0)
        rc = err_set(e, ERR_INVALID, "\"at\" is missing");
    if (rc == 0)
        rc = json_get_i64(root, "jitter_seconds", 0, INT64_MAX, 0, &jitter, e);
    if (rc != 0)
        return rc;
    memcpy(hint.at, at.p, at.n);
    *jitter_s = jitter < WAKE_JITTER_MAX_S ? jitter : WAKE_JITTER_MAX_S;
    *out = hint;
    return 0;
}

/* A broker that invents hints must not make the fleet ask all along. Milliseconds until the poll, or -1 where
   one is asked for already. */
static int64_t ask_for_poll(struct wake *w, int64_t in_ms)
{
    int64_t now = now_ms(), due = now + in_ms, least = w->paid_ms - (WAKE_BURST - 1) * WAKE_EVERY_MS;
    uint64_t one = 1;
    due = due > least ? due : least;
    if (w->due_ms != 0 && w->due_ms <= due)
        return -1;
    w->due_ms = due;
    if (write(w->event, &one, sizeof one) < 0 && errno != EAGAIN)
        log_error("wake", "the agent cannot be woken");
    return due - now;
}

static bool is_same(const struct wake_hint *a, const struct wake_hint *b)
{
    return a->deployment == b->deployment && a->release == b->release && strcmp(a->at, b->at) == 0;
}

/* A hint that was acted on comes again with every connection, since it is retained. */
static void on_hint(struct wake *w, const char *payload, size_t n)
{
    struct wake_hint hint;
    int64_t jitter;
    struct err e = {0};
    if (n == 0) { /* taken away: nothing is wanted any more */
        w->last = (struct wake_hint){0};
        return;
    }
    if (wake_parse(payload, n, &hint, &jitter, &e) != 0) {
        if (!w->complained)
            log_warn("wake", "a hint from the broker cannot be understood", LOG_ERR(&e));
        w->complained = true;
        return;
    }
    w->complained = false;
    if (is_same(&hint, &w->last))
        return;
    w->last = hint;
    int64_t wait = ask_for_poll(w, rand_spread() % (jitter * 1000 + 1));
    if (wait >= 0)
        log_info("wake", "the server has something: polling", LOG_I64("deployment", hint.deployment),
                 LOG_I64("in_ms", wait));
}

static void on_message(void *ctx, const char *topic, const char *payload, size_t n, bool retained)
{
    struct wake *w = ctx;
    (void)retained;
    if (strcmp(topic, w->topic) != 0)
        return;
    pthread_mutex_lock(&w->lock);
    on_hint(w, payload, n);
    pthread_mutex_unlock(&w->lock);
}

static void on_up(void *ctx)
{
    struct wake *w = ctx;
    pthread_mutex_lock(&w->lock);
    if (w->state != WAKE_UP)
        log_info("wake", "connected to the broker", LOG_STR("broker", w->broker));
    w->state = WAKE_UP;
    pthread_mutex_unlock(&w->lock);
}

static void on_down(void *ctx, const struct err *why)
{
    struct wake *w = ctx;
    pthread_mutex_lock(&w->lock);
    if (w->state != WAKE_DOWN)
        log_warn("wake", "no connection to the broker; polling goes on", LOG_STR("broker", w->broker),
                 LOG_ERR(why));
    w->state = WAKE_DOWN;
    pthread_mutex_unlock(&w->lock);
}

static int on_tls(void *ctx, const char *host, struct tls_ctx **out, struct err *e)
{
    struct wake *w = ctx;
    char ca[PATH_MAX];
    pthread_mutex_lock(&w->lock);
    snprintf(ca, sizeof ca, "%s", w->ca);
    int64_t clock_floor = w->clock_floor;
    pthread_mutex_unlock(&w->lock);
    const struct tls_config config = {.role = TLS_CLIENT,
                                      .policy = w->policy,
                                      .ca_file = ca,
                                      .cert_file = w->cert,
                                      .key_file = w->key,
                                      .host = host,
                                      .clock_floor = clock_floor};
    return tls_ctx_new(&config, out, e);
}

int wake_start(struct wake *w, const struct agent_config *config, const struct files *files,
               const char *device, struct err *e)
{
    if (config->broker[0] == '\0')
        return 0;
    if (!str_is_device_id(str_of(device)))
        return err_set(e, ERR_INVALID, "the certificate's name is no device id, so there is no topic for it");
    w->policy = config->policy;
    w->cert = files->cert;
    w->key = files->key;
    snprintf(w->broker, sizeof w->broker, "%s", config->broker);
    snprintf(w->topic, sizeof w->topic, "ota/devices/%s/update", device);
    w->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->event < 0)
        return err_errno(e, errno, "cannot make an event descriptor");
    const char *topic = w->topic;
    const struct mqtt_settings set = {
        .broker = w->broker,
        .client_id = device,
        .subscriptions = &topic,
        .subscription_count = 1,
        .tls = on_tls,
        .handlers = {.ctx = w, .up = on_up, .down = on_down, .message = on_message},
    };
    int rc = mqtt_start(&set, &w->mqtt, e);
    if (rc != 0) {
        close(w->event);
        w->event = -1;
    }
    return rc;
}

void wake_stop(struct wake *w)
{
    if (w->mqtt == NULL)
        return;
    mqtt_stop(w->mqtt);
    close(w->event);
    w->mqtt = NULL;
    w->event = -1;
}

void wake_trust(struct wake *w, const char *ca_file, int64_t clock_floor, bool changed)
{
    pthread_mutex_lock(&w->lock);
    snprintf(w->ca, sizeof w->ca, "%s", ca_file);
    w->clock_floor = clock_floor;
    pthread_mutex_unlock(&w->lock);
    if (changed && w->mqtt != NULL)
        mqtt_reconnect(w->mqtt);
}

int64_t wake_due(struct wake *w)
{
    uint64_t count;
    if (w->mqtt == NULL)
        return -1;
    pthread_mutex_lock(&w->lock);
    if (read(w->event, &count, sizeof count) < 0 && errno != EAGAIN)
        log_error("wake", "the event descriptor cannot be read");
    int64_t now = now_ms(), left = w->due_ms == 0 ? -1 : w->due_ms - now;
    if (w->due_ms != 0 && left <= 0) {
        w->paid_ms = (w->paid_ms > now ? w->paid_ms : now) + WAKE_EVERY_MS;
        w->due_ms = 0;
        left = 0;
    }
    pthread_mutex_unlock(&w->lock);
    return left;
}
