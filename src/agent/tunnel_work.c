/* A worker of the tunnel: takes requests from the queue, and asks the server. */
#include <stdio.h>
#include <string.h>

#include "agent/identity.h"
#include "agent/tunnel.h"
#include "base/log.h"

void tunnel_refuse(struct flow *f, int status, const char *message)
{
    struct exchange *x = f->x;
    tunnel_error(&x->res, &x->arena, status, message);
    if (status >= 500)
        http_set(&x->res, "Retry-After", TUNNEL_RETRY_AFTER);
    exchange_reply(x);
}

/* --- what is no file ------------------------------------------------------------------------------------ */

struct collected {
    struct buf body;
    bool too_large;
};

static int on_head(void *ctx, const struct up_answer *answer)
{
    (void)ctx, (void)answer;
    return 0;
}

static int on_data(void *ctx, const char *p, size_t n)
{
    struct collected *c = ctx;
    int rc = buf_add(&c->body, p, n);
    c->too_large = rc == ERR_TOO_LARGE;
    return rc;
}

static bool is_json(const char *type)
{
    struct str rest = str_of(type), media;
    if (!str_split(&rest, ';', &media))
        return false;
    media = str_trim(media);
    return str_eq_nocase(media, STR("application/json")) ||
           (media.n > 5 && str_eq_nocase((struct str){.p = media.p + media.n - 5, .n = 5}, STR("+json")));
}

void tunnel_set(struct exchange *x, const char *name, const char *value)
{
    char *copy = value != NULL && value[0] != '\0' ? arena_dup(&x->arena, value, strlen(value)) : NULL;
    if (copy != NULL)
        http_set(&x->res, name, copy);
}

void tunnel_pass_on(struct flow *f, const struct tunnel_ask *ask, const struct up_answer *answer,
                    struct str body)
{
    struct exchange *x = f->x;
    struct err e = {0};
    struct str text = {0};
    char why[ERR_TEXT_MAX];
    bool json = is_json(answer->type);
    if (answer->status == 304 || (answer->status / 100 == 2 && body.n == 0)) {
        http_reply_empty(&x->res, answer->status);
    } else if (json && links_rewrite(body, ask->base_url, &x->arena, &text, &e) == 0) {
        http_reply(&x->res, answer->status, "application/json", text);
        tunnel_set(x, "Content-Type", answer->type);
    } else if (answer->status == 200 && ask->what == TUNNEL_TEXT && !json) {
        text = (struct str){.p = arena_dup_str(&x->arena, body), .n = body.n};
        http_reply(&x->res, 200, "text/plain", text.p != NULL ? text : STR(""));
        tunnel_set(x, "Content-Disposition", answer->disposition);
    } else if (answer->status >= 400) {
        snprintf(why, sizeof why, "the server answered %d %s", answer->status,
                 http_status_text(answer->status));
        tunnel_error(&x->res, &x->arena, answer->status, why);
    } else {
        snprintf(why, sizeof why, "the server answered %d with something that is no answer%s%.400s",
                 answer->status, e.code != 0 ? ": " : "", e.text);
        log_warn("tunnel", why);
        tunnel_refuse(f, 502, why);
        return;
    }
    tunnel_set(x, "ETag", answer->etag);
    tunnel_set(x, "Retry-After", answer->retry_after);
    exchange_reply(x);
}

static uint32_t action_of(struct str text)
{
    uint64_t v;
    return str_to_u64(text, INT32_MAX, &v) == 0 ? (uint32_t)v : 0;
}

/* Before the client hears of it: what it asks next counts on it. */
static void note(struct tunnel *t, const struct exchange *x, const struct tunnel_ask *ask, int status,
                 struct str body)
{
    if (ask->what == TUNNEL_DEPLOYMENT && status == 200)
        tunnel_trust_offered(&t->trust, action_of(ask->action), body);
    if (ask->what == TUNNEL_FEEDBACK && status / 100 == 2 && links_is_success(x->req.body))
        tunnel_trust_succeeded(&t->trust, action_of(ask->action));
}

static void serve_small(struct tunnel_worker *w, struct flow *f)
{
    struct exchange *x = f->x;
    const struct tunnel_job *job = x->app;
    struct collected c = {0};
    buf_init(&c.body, TUNNEL_ANSWER_MAX);
    const struct up_sink sink = {.ctx = &c, .head = on_head, .data = on_data};
    /* What an answer names is to be remembered: "not modified" would name nothing. */
    struct str condition = {0};
    if (job->ask.what != TUNNEL_DEPLOYMENT)
        condition = http_header_get(&x->req, "If-None-Match");
    const struct http_header conditions[] = {{.name = STR("If-None-Match"), .value = condition}};
    const struct up_request q = {.method = x->req.method == HTTP_HEAD ? HTTP_GET : x->req.method,
                                 .target = job->ask.target,
                                 .accept = job->ask.what == TUNNEL_TEXT ? "*/*" : "application/json",
                                 .content_type = http_header_get(&x->req, "Content-Type"),
                                 .body = x->req.body,
                                 .conditions = conditions,
                                 .condition_count = condition.n > 0 && condition.n < UP_RANGE_SIZE ? 1 : 0};
    struct up_answer answer;
    struct err e = {0};
    int rc = up_perform(&w->link, &q, &sink, &answer, &e);
    if (rc != 0) {
        char why[ERR_TEXT_MAX];
        const char *what = c.too_large ? "the server's answer is too large" : e.text;
        snprintf(why, sizeof why, "the server cannot be asked now: %.440s", what);
        log_warn("tunnel", "a request did not come through", LOG_S("path", x->req.path),
                 LOG_STR("error", what));
        tunnel_refuse(f, 502, why);
    } else {
        note(w->tunnel, x, &job->ask, answer.status, buf_str(&c.body));
        tunnel_pass_on(f, &job->ask, &answer, buf_str(&c.body));
    }
    buf_fini(&c.body);
}

/* --- the server hears what was refused ------------------------------------------------------------------ */

static int write_report(struct buf *out, uint32_t action, const char *filename, const char *why)
{
    auto_arena struct arena a;
    arena_init(&a, 65536);
    auto_json_mut yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    char id[16];
    snprintf(id, sizeof id, "%u", action);
    const char *text = arena_printf(&a, "pqota-agent tunnel refused %s: %.400s", filename, why);
    if (root == NULL || text == NULL || !str_is_text(str_of(text)))
        return ERR_INVALID;
    yyjson_mut_obj_add_str(doc, root, "id", id);
    yyjson_mut_val *status = yyjson_mut_obj_add_obj(doc, root, "status");
    yyjson_mut_obj_add_str(doc, status, "execution", "rejected"); /* noted, and closes nothing */
    yyjson_mut_obj_add_str(doc, yyjson_mut_obj_add_obj(doc, status, "result"), "finished", "none");
    yyjson_mut_arr_add_str(doc, yyjson_mut_obj_add_arr(doc, status, "details"), text);
    struct str json = json_write(doc, &a);
    return json.p != NULL ? buf_add_str(out, json) : ERR_NOMEM;
}

void tunnel_report(struct tunnel_worker *w, struct str tenant, uint32_t action, const char *filename,
                   const char *why)
{
    char target[512];
    struct collected c = {0};
    buf_init(&c.body, TUNNEL_ANSWER_MAX);
    auto_buf struct buf body;
    buf_init(&body, 8192);
    const struct up_sink sink = {.ctx = &c, .head = on_head, .data = on_data};
    struct up_answer answer = {0};
    struct err e = {0};
    int n = snprintf(target, sizeof target, "/%.*s/controller/v1/%s/deploymentBase/%u/feedback",
                     (int)tenant.n, tenant.p, w->tunnel->device, action);
    int rc = n > 0 && (size_t)n < sizeof target ? write_report(&body, action, filename, why) : ERR_TOO_LARGE;
    if (rc == 0) {
        const struct up_request q = {.method = HTTP_POST,
                                     .target = {.p = target, .n = (size_t)n},
                                     .accept = "application/json",
                                     .body = buf_str(&body)};
        rc = up_perform(&w->link, &q, &sink, &answer, &e);
    }
    if (rc != 0 || answer.status / 100 != 2)
        log_warn("tunnel", "the server could not be told of a refusal", LOG_I64("action", action),
                 LOG_I64("status", answer.status), LOG_ERR(&e));
    buf_fini(&c.body);
}

/* --- the thread ----------------------------------------------------------------------------------------- */

/* Small requests end by their deadline: a report goes through though its client has not waited. */
static bool is_over(void *ctx)
{
    struct tunnel_worker *w = ctx;
    return w->file != NULL ? flow_is_over(w->file) : atomic_load(&w->tunnel->stop);
}

/* The link of this worker, with the certificates that are on the disk now. */
static int ready(struct tunnel_worker *w, struct err *e)
{
    struct tunnel *t = w->tunnel;
    unsigned now = atomic_load(&t->generation);
    if (w->link.curl != NULL && w->renewed == now)
        return 0;
    struct link_settings set = identity_link(&t->files, &t->config, &w->floor);
    set.stop = is_over;
    set.stop_ctx = w;
    link_fini(&w->link);
    w->renewed = now;
    return link_init(&w->link, &set, e);
}

static struct flow *next_flow(struct tunnel_worker *w)
{
    struct tunnel *t = w->tunnel;
    pthread_mutex_lock(&t->lock);
    while (list_empty(&t->queue) && !atomic_load(&t->stop)) {
        w->called = false;
        w->next = t->idle;
        t->idle = w;
        while (!w->called)
            pthread_cond_wait(&w->work, &t->lock);
    }
    struct list *link = list_pop(&t->queue);
    if (link != NULL)
        t->queued--;
    pthread_mutex_unlock(&t->lock);
    return link != NULL ? container_of(link, struct flow, link) : NULL;
}

/* Locked. The one that had work last. */
static void call_one(struct tunnel *t)
{
    struct tunnel_worker *w = t->idle;
    if (w == NULL)
        return;
    t->idle = w->next;
    w->called = true;
    pthread_cond_signal(&w->work);
}

bool tunnel_queue(struct tunnel *t, struct flow *f)
{
    pthread_mutex_lock(&t->lock);
    /* Connections whose client has left may still be worked for: twice as many as there can be, no more. */
    bool taken = t->queued < 2 * t->worker_count && !atomic_load(&t->stop);
    if (taken) {
        list_add_tail(&t->queue, &f->link);
        t->queued++;
        call_one(t);
    }
    pthread_mutex_unlock(&t->lock);
    return taken;
}

void tunnel_stop_work(struct tunnel *t)
{
    pthread_mutex_lock(&t->lock);
    atomic_store(&t->stop, true);
    while (t->idle != NULL)
        call_one(t);
    pthread_mutex_unlock(&t->lock);
}

void *tunnel_work(void *worker)
{
    struct tunnel_worker *w = worker;
    struct flow *f;
    while ((f = next_flow(w)) != NULL) {
        const struct tunnel_job *job = f->x->app;
        struct err e = {0};
        if (atomic_load(&w->tunnel->stop))
            tunnel_refuse(f, 503, "the tunnel is being stopped");
        else if (ready(w, &e) != 0)
            tunnel_refuse(f, 502, e.text);
        else if (job->ask.what == TUNNEL_FILE)
            tunnel_serve_file(w, f);
        else
            serve_small(w, f);
        flow_drop(f);
    }
    link_fini(&w->link);
    return NULL;
}
