#include "server/live_topic.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "server/server.h"
#include "store/db.h"

#define ARENA_MAX (8u << 20) /* one answer, with what it takes to make it */
#define EVENT_MAX (2u << 20) /* bytes of one event */
#define FRAME_MAX 80         /* of an event, about its topic and body */
#define LOOK_MS 1000         /* between two looks, at least */
#define LOOK_AGAIN_MS 10000  /* also when the data are the same: some of it is counted in memory */
#define COST_FACTOR 20       /* a topic takes a twentieth of the thread's time at most */
#define DEADLINE_MS 2000     /* of one look */
#define REFUSAL_ARENA_MAX 65536

/* Only what needs no escape in the JSON that names it. */
static bool is_plain(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < n; i++)
        if (name[i] <= ' ' || name[i] > '~' || name[i] == '"' || name[i] == '\\')
            return false;
    return n > 0 && n <= LIVE_TOPIC_MAX;
}

static void fill_request(struct http_request *req, const char *name)
{
    struct str path = str_of(name), query = {0};
    const char *mark = strchr(name, '?');
    if (mark != NULL) {
        path.n = (size_t)(mark - name);
        query = str_of(mark + 1);
    }
    http_request_init(req);
    req->method = HTTP_GET;
    req->method_text = STR("GET");
    req->target = str_of(name);
    req->path = path;
    req->query = query;
    req->minor = 1;
}

/* One step that reads and answers people at once, of the native interface. */
static bool is_readable(const struct route_found *f)
{
    const struct route_step *steps = f->row->steps;
    return f->table->face == FACE_NATIVE && f->row->method == HTTP_GET && (f->row->who & WHO_READERS) != 0 &&
           steps[1].lane == LANE_END && (steps[0].lane == LANE_QUERY || steps[0].lane == LANE_READ) &&
           strncmp(f->row->path, "/api/", 5) == 0;
}

static int find(struct server *s, const char *name, struct arena *a, struct http_request *req,
                struct route_found *found, struct err *e)
{
    if (!is_plain(name))
        return err_set(e, ERR_INVALID,
                       "a topic is the path and query of a GET, percent-encoded, at most %d bytes",
                       LIVE_TOPIC_MAX);
    fill_request(req, name);
    struct err why = {0};
    if (route_find(s->console_routes.tables, s->console_routes.count, req, a, found, &why) != 0 ||
        !is_readable(found))
        return err_set(e, ERR_NOT_FOUND, "the topic \"%s\" is nothing that can be looked at", name);
    return 0;
}

int topic_check(struct server *s, const char *name, enum who role, struct arena *a, struct err *e)
{
    struct http_request *req = arena_new(a, struct http_request);
    struct route_found found;
    if (req == NULL)
        return err_set(e, ERR_NOMEM, "no memory to look at a topic");
    int rc = find(s, name, a, req, &found, e);
    if (rc == 0 && (found.row->who & role) == 0)
        rc = err_set(e, ERR_DENIED, "this identity may not look at the topic \"%s\"", name);
    return rc;
}

int topic_new(struct server *s, const char *name, enum who role, struct topic **out, struct err *e)
{
    struct topic *t = calloc(1, sizeof *t);
    if (t == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a topic");
    arena_init(&t->arena, ARENA_MAX);
    buf_init(&t->event, EVENT_MAX);
    list_init(&t->link);
    t->as = (struct identity){.who = role, .account = true, .transport = "pq"};
    t->name = arena_dup_str(&t->arena, str_of(name));
    int rc = t->name != NULL ? find(s, t->name, &t->arena, &t->req, &t->found, e)
                             : err_set(e, ERR_NOMEM, "no memory for a topic");
    if (rc != 0) {
        topic_free(t);
        return rc;
    }
    *out = t;
    return 0;
}

void topic_free(struct topic *t)
{
    arena_fini(&t->arena);
    buf_fini(&t->event);
    free(t);
}

/* Writes the event that says what the answer is. */
static int write_event(const struct topic *t, const struct http_response *res, struct buf *out)
{
    size_t body = 4; /* null */
    for (size_t i = 0; i < res->part_count; i++)
        body += res->parts[i].bytes.n;
    int rc = buf_reserve(out, strlen(t->name) + body + FRAME_MAX); /* no more: it is kept as it is */
    if (rc == 0)
        rc = buf_printf(out, "event: update\ndata: {\"topic\":\"%s\",\"status\":%d,\"body\":", t->name,
                        res->status);
    size_t before = out->n;
    for (size_t i = 0; i < res->part_count && rc == 0; i++)
        rc = res->parts[i].kind == HTTP_PART_BYTES ? buf_add_str(out, res->parts[i].bytes) : ERR_INTERNAL;
    /* JSON has no line ends but in its spaces, and ours has none there. */
    if (rc == 0 && memchr(out->p + before, '\n', out->n - before) != NULL)
        rc = ERR_INTERNAL;
    if (rc == 0 && out->n == before)
        rc = buf_add(out, "null", 4);
    return rc == 0 ? buf_add(out, "}\n\n", 3) : rc;
}

static int ask(const struct topic *t, struct server *s, struct db *db, struct buf *out)
{
    auto_arena struct arena a;
    arena_init(&a, ARENA_MAX);
    struct http_response *res = arena_new(&a, struct http_response);
    struct call *c = arena_new(&a, struct call);
    if (res == NULL || c == NULL)
        return ERR_NOMEM;
    http_response_init(res);
    c->req = &t->req;
    c->res = res;
    c->arena = &a;
    c->who = &t->as;
    memcpy(c->param, t->found.param, sizeof c->param);
    c->base_url = "";
    c->ota = &s->ota;
    c->server = s;
    c->db = db;
    int rc = t->found.row->steps[0].run(c);
    if (rc == CALL_UPGRADE)
        rc = err_set(&c->err, ERR_BUSY, "this has to be asked for once more");
    if (rc < 0)
        http_reply_problem(res, &a, &c->err);
    rc = write_event(t, res, out);
    if (c->carry_free != NULL)
        c->carry_free(c->carry);
    http_response_fini(res);
    return rc;
}

/* In place of an answer that there is no room for. */
static int write_refusal(const struct topic *t, struct buf *out)
{
    auto_arena struct arena a;
    arena_init(&a, REFUSAL_ARENA_MAX);
    struct http_response *res = arena_new(&a, struct http_response);
    if (res == NULL)
        return ERR_NOMEM;
    http_response_init(res);
    http_reply_problem_status(
        res, &a, 503,
        "this is more than the server keeps up to date at once ([console] memory): ask for "
        "less, or close other pages");
    int rc = write_event(t, res, out);
    http_response_fini(res);
    return rc;
}

static bool is_due(const struct topic *t, int64_t data, int64_t now_ms)
{
    if (t->edition == 0)
        return true;
    return now_ms >= t->rest_until_ms && (data != t->data || now_ms - t->asked_ms >= LOOK_AGAIN_MS);
}

bool topic_refresh(struct topic *t, struct server *s, struct db *db, int64_t data, int64_t now_ms,
                   size_t room)
{
    if (!is_due(t, data, now_ms))
        return false;
    struct buf event;
    buf_init(&event, room < EVENT_MAX ? room : EVENT_MAX);
    db_set_deadline(db, now_ms + DEADLINE_MS);
    int rc = ask(t, s, db, &event);
    db_set_deadline(db, 0);
    int64_t cost = clock_mono_ms(s->clock) - now_ms;
    t->data = data;
    t->asked_ms = now_ms;
    t->rest_until_ms = now_ms + (cost * COST_FACTOR > LOOK_MS ? cost * COST_FACTOR : LOOK_MS);
    bool refused = rc != 0;
    if (refused) {
        buf_fini(&event);
        buf_init(&event, EVENT_MAX);
        rc = write_refusal(t, &event);
    }
    bool same = event.n == t->event.n && (event.n == 0 || memcmp(event.p, t->event.p, event.n) == 0);
    if (rc != 0 || same) {
        buf_fini(&event);
        return true;
    }
    if (refused)
        log_warn("server", "an answer is too large for a page of the console to be kept up to date",
                 LOG_STR("topic", t->name));
    buf_fini(&t->event);
    t->event = event;
    t->edition++;
    return true;
}
