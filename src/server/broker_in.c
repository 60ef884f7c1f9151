/*
 * Reports that come over MQTT go the way of POST /api/update/{action}/status. The broker has let the device
 * write on the topic that bears its name, and on no other. It takes our receipt for the message before the
 * report is in the database; so the device's receipt is that its update is taken away, and it repeats a
 * report that ends an action until then.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "model/device.h"
#include "ota/report.h"
#include "ota/seen.h"
#include "server/broker_impl.h"
#include "server/server.h"
#include "store/devices.h"

#define BEFORE "ota/devices/"
#define AFTER "/status"
#define ACTION_MAX 0x7FFFFFFF
#define JOB_MAX (1u << 20) /* bytes that one report may use */

struct incoming {
    struct broker *broker;
    struct store_job write;
    char device[DEVICE_ID_MAX];
    yyjson_doc *doc; /* holds the report's texts */
    int64_t action;
    struct report report;
    int refused; /* what the domain said to it */
    struct err why;
};

static void refuse(struct broker *b, const char *topic, const struct err *why)
{
    int64_t left_out;
    atomic_fetch_add(&b->received_refused, 1);
    if (broker_may_log(b, &b->reports, &left_out))
        log_warn("mqtt", "a report is refused", LOG_STR("topic", topic), LOG_ERR(why),
                 LOG_I64("not_logged", left_out));
}

static bool read_topic(const char *topic, char device[DEVICE_ID_MAX])
{
    struct str t = str_of(topic);
    size_t before = sizeof BEFORE - 1, after = sizeof AFTER - 1;
    if (t.n <= before + after || memcmp(t.p, BEFORE, before) != 0 ||
        memcmp(t.p + t.n - after, AFTER, after) != 0)
        return false;
    struct str id = {.p = t.p + before, .n = t.n - before - after};
    if (!str_is_device_id(id))
        return false;
    memcpy(device, id.p, id.n);
    device[id.n] = '\0';
    return true;
}

static void free_incoming(struct incoming *in)
{
    yyjson_doc_free(in->doc);
    free(in);
}

/* The device has to learn what came of a report that ends an action, or that came too late. */
static int answer(struct ota *ota, struct db *db, const struct incoming *in, int64_t device, struct err *e)
{
    if (in->refused == 0 && !action_is_final(in->report.state))
        return 0;
    return announce_device(ota, db, device, e);
}

static int run_report(struct db *db, void *arg, struct err *e)
{
    struct incoming *in = arg;
    struct ota *ota = &in->broker->server->ota;
    auto_arena struct arena a;
    arena_init(&a, JOB_MAX);
    struct device d;
    int rc = store_device_by_id(db, &a, in->device, &d, &in->why);
    if (rc == 0 && d.revoked_at != 0)
        rc = err_set(&in->why, ERR_DENIED, "the device is revoked");
    in->refused = rc;
    if (rc == ERR_NOT_FOUND || rc == ERR_DENIED)
        return 0;
    if (rc == 0)
        rc = ota_report(ota, db, &a, in->device, in->action, &in->report, &in->why);
    in->refused = rc;
    switch (rc) {
    case 0:
    case ERR_INVALID:
    case ERR_NOT_FOUND:
    case ERR_CONFLICT:
    case ERR_GONE:
        return answer(ota, db, in, d.pk, e);
    default:
        *e = in->why;
        return rc;
    }
}

static void report_done(void *arg, int rc, const struct err *e)
{
    struct incoming *in = arg;
    struct broker *b = in->broker;
    if (rc != 0) {
        atomic_fetch_add(&b->received_refused, 1);
        log_error("mqtt", "a report is lost; the device repeats what matters", LOG_STR("device", in->device),
                  LOG_ERR(e));
    } else if (in->refused != 0) {
        char topic[MQTT_TOPIC_MAX];
        snprintf(topic, sizeof topic, BEFORE "%s" AFTER, in->device);
        refuse(b, topic, &in->why);
    } else {
        seen_touch(b->server->ota.seen, in->device, clock_unix_ms(b->server->clock));
    }
    free_incoming(in);
    pthread_mutex_lock(&b->lock);
    b->reports_waiting--;
    pthread_cond_broadcast(&b->idle);
    pthread_mutex_unlock(&b->lock);
}

static int read_report(struct incoming *in, const char *payload, size_t n, struct err *e)
{
    int rc = json_parse_object((struct str){.p = payload, .n = n}, &in->doc, e);
    if (rc != 0)
        return rc;
    yyjson_val *body = yyjson_doc_get_root(in->doc);
    rc = json_get_i64(body, "action", 1, ACTION_MAX, 0, &in->action, e);
    if (rc == 0 && in->action == 0)
        rc = err_set(e, ERR_INVALID, "the report lacks \"action\"");
    return rc != 0 ? rc : ota_report_read(body, &in->report, e);
}

static int submit(struct broker *b, struct incoming *in, struct err *e)
{
    int rc = 0;
    pthread_mutex_lock(&b->lock);
    if (b->reports_waiting >= BROKER_REPORTS_MAX)
        rc = err_set(e, ERR_BUSY, "%d reports wait for the database already: this one is lost",
                     BROKER_REPORTS_MAX);
    else
        b->reports_waiting++;
    pthread_mutex_unlock(&b->lock);
    if (rc != 0)
        return rc;
    in->write = (struct store_job){.run = run_report, .done = report_done, .arg = in};
    rc = store_submit(b->server->store, &in->write, e);
    if (rc != 0) {
        pthread_mutex_lock(&b->lock);
        b->reports_waiting--;
        pthread_mutex_unlock(&b->lock);
    }
    return rc;
}

void broker_message(void *ctx, const char *topic, const char *payload, size_t n, bool retained)
{
    struct broker *b = ctx;
    struct err e = {0};
    atomic_fetch_add(&b->received, 1);
    struct incoming *in = calloc(1, sizeof *in);
    int rc = 0;
    if (in == NULL)
        rc = err_set(&e, ERR_NOMEM, "no memory for a report");
    else if (!read_topic(topic, in->device))
        rc = err_set(&e, ERR_INVALID, "this is no device's topic for reports");
    else if (retained)
        rc = err_set(&e, ERR_INVALID, "a report must not be retained");
    else if (n > BROKER_REPORT_BYTES)
        rc = err_set(&e, ERR_TOO_LARGE, "a report has at most %d bytes", BROKER_REPORT_BYTES);
    else
        rc = read_report(in, payload, n, &e);
    if (rc == 0) {
        in->broker = b;
        rc = submit(b, in, &e);
    }
    if (rc == 0)
        return;
    refuse(b, topic, &e);
    if (in != NULL)
        free_incoming(in);
}

void broker_in_wait(struct broker *b)
{
    pthread_mutex_lock(&b->lock);
    while (b->reports_waiting > 0)
        pthread_cond_wait(&b->idle, &b->lock);
    pthread_mutex_unlock(&b->lock);
}
