#include "mqtt/mqtt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "mqtt/client.h"

#define KEEPALIVE_DEFAULT_S 60
#define KEEPALIVE_MAX_S 3600

/* libmosquitto's initialisation is for the process. It is never undone: mosquitto_lib_cleanup unloads
   OpenSSL's configuration under the feet of everyone else who uses it. */
static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static int library_rc = -1;

static void init_library(void)
{
    library_rc = mosquitto_lib_init();
}

static void wake(struct mqtt_client *c)
{
    uint64_t one = 1;
    /* Only a full counter refuses, and that wakes as well. */
    if (write(c->wake, &one, sizeof one) < 0 && errno != EAGAIN)
        log_error("mqtt", "the client's thread cannot be woken");
}

static void client_free(struct mqtt_client *c)
{
    for (size_t i = 0; i < c->set.subscription_count; i++)
        free(c->filters[i]);
    free(c->broker);
    free(c->client_id);
    if (c->wake >= 0)
        close(c->wake);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
CLEANUP_DEFINE(client, struct mqtt_client, client_free);

/* What was under way is its givers' again. */
static void drop_under_way(struct mqtt_client *c)
{
    pthread_mutex_lock(&c->lock);
    struct mqtt_out *first = c->queue;
    c->queue = NULL;
    c->queue_end = &c->queue;
    c->under_way = 0;
    c->up = false;
    pthread_mutex_unlock(&c->lock);
    while (first != NULL) {
        struct mqtt_out *next = first->next;
        free(first);
        first = next;
    }
}

/* False when the client is to end. *again: a new connection was asked for. */
static bool go_on(struct mqtt_client *c, bool *again)
{
    pthread_mutex_lock(&c->lock);
    bool stop = c->stop;
    *again = c->again;
    c->again = false;
    pthread_mutex_unlock(&c->lock);
    return !stop;
}

bool mqtt_is_wanted(struct mqtt_client *c)
{
    pthread_mutex_lock(&c->lock);
    bool wanted = c->stop || c->again;
    pthread_mutex_unlock(&c->lock);
    return wanted;
}

static void pause_for(struct mqtt_client *c, int64_t ms)
{
    int64_t until = clock_mono_ms(&clock_system) + ms, left;
    struct pollfd fd = {.fd = c->wake, .events = POLLIN};
    while (!mqtt_is_wanted(c) && (left = until - clock_mono_ms(&clock_system)) > 0) {
        uint64_t woken;
        int n = poll(&fd, 1, (int)left);
        if ((n < 0 && errno != EINTR) ||
            (n > 0 && read(c->wake, &woken, sizeof woken) < 0 && errno != EAGAIN))
            return;
    }
}

static void *run(void *arg)
{
    struct mqtt_client *c = arg;
    unsigned failures = 0;
    bool again = false;
    while (go_on(c, &again)) {
        struct err why = {0};
        int rc = session_run(c, &why);
        drop_under_way(c);
        if (!go_on(c, &again))
            break;
        if (rc == 0)
            err_set(&why, ERR_IO, "a new connection to the broker %s was asked for", c->broker);
        if (c->set.handlers.down != NULL)
            c->set.handlers.down(c->set.handlers.ctx, &why);
        bool steady = c->s.up_at != 0 && clock_mono_ms(&clock_system) - c->s.up_at >= MQTT_STEADY_MS;
        failures = again || rc == 0 ? 0 : steady ? 1 : failures + 1;
        if (failures > 0)
            pause_for(c, mqtt_pause_ms(failures, rand_spread()));
    }
    return NULL;
}

static int copy_settings(struct mqtt_client *c, const struct mqtt_settings *set, struct err *e)
{
    c->set = *set;
    c->set.subscriptions = NULL;
    c->set.subscription_count = 0;
    if (c->set.keepalive_s == 0)
        c->set.keepalive_s = KEEPALIVE_DEFAULT_S;
    c->broker = strdup(set->broker);
    c->client_id = strdup(set->client_id);
    bool ok = c->broker != NULL && c->client_id != NULL;
    for (size_t i = 0; ok && i < set->subscription_count; i++) {
        ok = (c->filters[i] = strdup(set->subscriptions[i])) != NULL;
        c->set.subscription_count += ok ? 1 : 0;
    }
    c->set.broker = c->broker;
    c->set.client_id = c->client_id;
    return ok ? 0 : err_set(e, ERR_NOMEM, "no memory for an MQTT client");
}

static int check_settings(const struct mqtt_settings *set, struct err *e)
{
    if (set->tls == NULL || set->broker == NULL || set->client_id == NULL || set->client_id[0] == '\0')
        return err_set(e, ERR_INVALID, "an MQTT client needs a broker, a client id and TLS");
    if (strlen(set->client_id) >= MQTT_TOPIC_MAX || !str_is_text(str_of(set->client_id)))
        return err_set(e, ERR_INVALID, "the MQTT client id is too long or no text");
    if (set->keepalive_s != 0 && (set->keepalive_s < 5 || set->keepalive_s > KEEPALIVE_MAX_S))
        return err_set(e, ERR_INVALID, "an MQTT keep-alive is 5 to %d seconds, not %d", KEEPALIVE_MAX_S,
                       set->keepalive_s);
    if (set->subscription_count > MQTT_SUBSCRIPTIONS_MAX)
        return err_set(e, ERR_TOO_LARGE, "more than %d MQTT subscriptions", MQTT_SUBSCRIPTIONS_MAX);
    for (size_t i = 0; i < set->subscription_count; i++)
        if (strlen(set->subscriptions[i]) >= MQTT_TOPIC_MAX ||
            mosquitto_sub_topic_check(set->subscriptions[i]) != MOSQ_ERR_SUCCESS)
            return err_set(e, ERR_INVALID, "\"%.200s\" is no MQTT topic filter", set->subscriptions[i]);
    return 0;
}

int mqtt_thread(pthread_t *out, void *(*run_it)(void *arg), void *arg)
{
    sigset_t all, old;
    sigfillset(&all);
    int rc = pthread_sigmask(SIG_SETMASK, &all, &old);
    if (rc != 0)
        return rc;
    rc = pthread_create(out, NULL, run_it, arg);
    if (pthread_sigmask(SIG_SETMASK, &old, NULL) != 0)
        log_error("mqtt", "signals stay blocked");
    return rc;
}

int mqtt_start(const struct mqtt_settings *settings, struct mqtt_client **out, struct err *e)
{
    pthread_once(&library_once, init_library);
    if (library_rc != MOSQ_ERR_SUCCESS)
        return err_set(e, ERR_INTERNAL, "libmosquitto does not start");
    int rc = check_settings(settings, e);
    if (rc != 0)
        return rc;
    CLEANUP(client_cleanup) struct mqtt_client *c = calloc(1, sizeof *c);
    if (c == NULL)
        return err_set(e, ERR_NOMEM, "no memory for an MQTT client");
    pthread_mutex_init(&c->lock, NULL);
    c->queue_end = &c->queue;
    c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->wake < 0)
        return err_errno(e, errno, "cannot make an event descriptor");
    rc = copy_settings(c, settings, e);
    if (rc == 0)
        rc = mqtt_split_broker(c->broker, c->host, sizeof c->host, &c->port, e);
    if (rc != 0)
        return rc;
    rc = mqtt_thread(&c->thread, run, c);
    if (rc != 0)
        return err_errno(e, rc, "cannot start the MQTT client's thread");
    *out = take_ptr(c);
    return 0;
}

void mqtt_stop(struct mqtt_client *c)
{
    if (c == NULL)
        return;
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_mutex_unlock(&c->lock);
    wake(c);
    pthread_join(c->thread, NULL);
    drop_under_way(c);
    client_free(c);
}

void mqtt_reconnect(struct mqtt_client *c)
{
    pthread_mutex_lock(&c->lock);
    c->again = true;
    pthread_mutex_unlock(&c->lock);
    wake(c);
}

bool mqtt_is_up(struct mqtt_client *c)
{
    pthread_mutex_lock(&c->lock);
    bool up = c->up;
    pthread_mutex_unlock(&c->lock);
    return up;
}

bool mqtt_was_kept(struct mqtt_client *c)
{
    pthread_mutex_lock(&c->lock);
    bool kept = c->kept;
    pthread_mutex_unlock(&c->lock);
    return kept;
}

static int queue_message(struct mqtt_client *c, struct mqtt_out *m, struct err *e)
{
    int rc = 0;
    pthread_mutex_lock(&c->lock);
    if (!c->up || c->stop) {
        rc = err_set(e, ERR_BUSY, "there is no connection to the broker %s", c->broker);
    } else if (c->under_way >= MQTT_IN_FLIGHT_MAX) {
        rc = err_set(e, ERR_BUSY, "%d messages are on their way to the broker %s already", MQTT_IN_FLIGHT_MAX,
                     c->broker);
    } else {
        *c->queue_end = m;
        c->queue_end = &m->next;
        c->under_way++;
    }
    pthread_mutex_unlock(&c->lock);
    return rc;
}

int mqtt_publish(struct mqtt_client *c, const char *topic, const void *payload, size_t n, bool retain,
                 uint64_t ticket, struct err *e)
{
    if (strlen(topic) >= MQTT_TOPIC_MAX || mosquitto_pub_topic_check(topic) != MOSQ_ERR_SUCCESS)
        return err_set(e, ERR_INVALID, "\"%.200s\" is no MQTT topic to publish to", topic);
    if (n > MQTT_PAYLOAD_MAX)
        return err_set(e, ERR_TOO_LARGE, "an MQTT message has at most %d bytes, not %zu", MQTT_PAYLOAD_MAX,
                       n);
    struct mqtt_out *m = malloc(sizeof *m + n + 1);
    if (m == NULL)
        return err_set(e, ERR_NOMEM, "no memory for an MQTT message");
    *m = (struct mqtt_out){.ticket = ticket, .retain = retain, .n = n};
    snprintf(m->topic, sizeof m->topic, "%s", topic);
    if (n > 0)
        memcpy(m->payload, payload, n);
    int rc = queue_message(c, m, e);
    if (rc != 0)
        free(m);
    else
        wake(c);
    return rc;
}
