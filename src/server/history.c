/* GET /api/server/history: the server's own numbers over the last hour. */
#include "server/history.h"

#include <pthread.h>
#include <stdlib.h>

#include "api/api.h"
#include "api/encode.h"
#include "base/clock.h"
#include "server/server.h"

struct history {
    struct server *server;
    uv_timer_t timer;
    struct net_stats before; /* main thread */
    int64_t before_ms;       /* monotonic */
    pthread_mutex_t lock;
    struct history_ring ring;
};

double history_quantile(const uint64_t counts[NET_LATENCY_BUCKETS], double q)
{
    uint64_t total = 0;
    for (int i = 0; i < NET_LATENCY_BUCKETS; i++)
        total += counts[i];
    if (total == 0)
        return -1;
    double rank = q * (double)total, below = 0;
    for (int i = 0; i < NET_LATENCY_BUCKETS - 1; i++) {
        double here = (double)counts[i];
        if (here > 0 && below + here >= rank) {
            double from = i > 0 ? (double)net_latency_bounds[i - 1] : 0;
            return (from + ((double)net_latency_bounds[i] - from) * (rank - below) / here) / 1000;
        }
        below += here;
    }
    return (double)net_latency_bounds[NET_LATENCY_BUCKETS - 2] / 1000;
}

static double per_second(uint64_t before, uint64_t after, int64_t elapsed_ms)
{
    return after > before ? (double)(after - before) * 1000 / (double)elapsed_ms : 0;
}

static uint64_t all_requests(const struct net_stats *n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof n->requests / sizeof n->requests[0]; i++)
        sum += n->requests[i];
    return sum;
}

struct history_point history_between(const struct net_stats *before, const struct net_stats *after,
                                     int64_t at_ms, int64_t elapsed_ms)
{
    uint64_t latency[NET_LATENCY_BUCKETS];
    for (int i = 0; i < NET_LATENCY_BUCKETS; i++)
        latency[i] = after->latency[i] > before->latency[i] ? after->latency[i] - before->latency[i] : 0;
    uint64_t was = before->handshakes_full + before->handshakes_resumed;
    uint64_t is = after->handshakes_full + after->handshakes_resumed;
    double classical = per_second(before->handshakes_classical, after->handshakes_classical, elapsed_ms);
    double handshakes = per_second(was, is, elapsed_ms);
    double share = handshakes > 0 ? 1 - classical / handshakes : -1;
    return (struct history_point){
        .at_ms = at_ms,
        .requests = per_second(all_requests(before), all_requests(after), elapsed_ms),
        .errors = per_second(before->requests[5], after->requests[5], elapsed_ms),
        .bytes_out = per_second(before->bytes_out, after->bytes_out, elapsed_ms),
        .handshakes = handshakes,
        .p50_ms = history_quantile(latency, 0.50),
        .p99_ms = history_quantile(latency, 0.99),
        /* Counters are read one after another while they grow: a little too many may be classical. */
        .post_quantum = handshakes > 0 && share < 0 ? 0 : share,
        .connections = after->open,
    };
}

void history_add(struct history_ring *r, const struct history_point *p)
{
    r->points[r->next] = *p;
    r->next = (r->next + 1) % HISTORY_POINTS;
    if (r->count < HISTORY_POINTS)
        r->count++;
}

const struct history_point *history_at(const struct history_ring *r, size_t i)
{
    return &r->points[(r->next + HISTORY_POINTS - r->count + i) % HISTORY_POINTS];
}

static void on_step(uv_timer_t *timer)
{
    struct history *h = timer->data;
    struct server *s = h->server;
    int64_t now = clock_mono_ms(s->clock);
    if (now <= h->before_ms)
        return;
    struct net_stats after;
    net_stats(s->net, &after);
    const struct history_point p =
        history_between(&h->before, &after, clock_unix_ms(s->clock), now - h->before_ms);
    h->before = after;
    h->before_ms = now;
    pthread_mutex_lock(&h->lock);
    history_add(&h->ring, &p);
    pthread_mutex_unlock(&h->lock);
}

int history_start(struct server *s, struct history **out, struct err *e)
{
    struct history *h = calloc(1, sizeof *h);
    if (h == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the server's history");
    h->server = s;
    h->before_ms = clock_mono_ms(s->clock);
    pthread_mutex_init(&h->lock, NULL);
    uv_timer_init(&s->uv, &h->timer);
    h->timer.data = h;
    uv_timer_start(&h->timer, on_step, HISTORY_STEP_MS, HISTORY_STEP_MS);
    *out = h;
    return 0;
}

void history_free(struct history *h)
{
    if (h == NULL)
        return;
    pthread_mutex_destroy(&h->lock);
    free(h);
}

/* --- the route ------------------------------------------------------------------------------------------ */

/* Three digits after the point are enough to draw, and a tenth of the bytes. Negative is unknown. */
static void put_number(yyjson_mut_doc *doc, yyjson_mut_val *arr, double x)
{
    if (x < 0)
        yyjson_mut_arr_add_null(doc, arr);
    else
        yyjson_mut_arr_add_real(doc, arr, (double)(int64_t)(x * 1000 + 0.5) / 1000);
}

static void put_series(yyjson_mut_doc *doc, yyjson_mut_val *root, const char *key,
                       const struct history_ring *r, size_t field)
{
    yyjson_mut_val *arr = yyjson_mut_obj_add_arr(doc, root, key);
    for (size_t i = 0; i < r->count; i++)
        put_number(doc, arr, *(const double *)((const char *)history_at(r, i) + field));
}

static void put_ring(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct history_ring *r)
{
    static const struct {
        const char *key;
        size_t field;
    } series[] = {
        {"requests_per_second", offsetof(struct history_point, requests)},
        {"errors_per_second", offsetof(struct history_point, errors)},
        {"p50_ms", offsetof(struct history_point, p50_ms)},
        {"p99_ms", offsetof(struct history_point, p99_ms)},
        {"bytes_out_per_second", offsetof(struct history_point, bytes_out)},
        {"handshakes_per_second", offsetof(struct history_point, handshakes)},
        {"share_post_quantum", offsetof(struct history_point, post_quantum)},
    };
    yyjson_mut_obj_add_sint(doc, root, "step_seconds", HISTORY_STEP_MS / 1000);
    yyjson_mut_val *times = yyjson_mut_obj_add_arr(doc, root, "times");
    char text[CLOCK_TEXT_MAX];
    for (size_t i = 0; i < r->count; i++)
        yyjson_mut_arr_add_strcpy(doc, times, clock_format(history_at(r, i)->at_ms, text));
    for (size_t i = 0; i < sizeof series / sizeof series[0]; i++)
        put_series(doc, root, series[i].key, r, series[i].field);
    yyjson_mut_val *open = yyjson_mut_obj_add_arr(doc, root, "connections");
    for (size_t i = 0; i < r->count; i++)
        yyjson_mut_arr_add_uint(doc, open, history_at(r, i)->connections);
}

static int history(struct call *c)
{
    struct history *h = c->server->history;
    struct history_ring *copy = arena_alloc(c->arena, sizeof *copy);
    if (copy == NULL)
        return api_no_memory(c);
    pthread_mutex_lock(&h->lock);
    *copy = h->ring;
    pthread_mutex_unlock(&h->lock);
    auto_json_mut yyjson_mut_doc *doc = api_doc(c);
    if (doc == NULL)
        return c->err.code;
    put_ring(doc, yyjson_mut_doc_get_root(doc), copy);
    http_reply_json(c->res, c->arena, 200, doc);
    return CALL_NEXT;
}

static const struct route rows[] = {
    {HTTP_GET, "/api/server/history", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, history}}},
};

const struct route_table server_history_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
