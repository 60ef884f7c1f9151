#include "server/live.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/encode.h"
#include "base/log.h"
#include "http/query.h"
#include "ota/sessions.h"
#include "server/live_topic.h"
#include "server/run.h"
#include "server/server.h"
#include "store/db.h"
#include "store/db_open.h"

#define TOPICS_MAX 16 /* of one stream */
#define TICK_MS 1000
#define QUIET_MS 15000 /* then a word goes out: either side notices that the other has left without one */
#define PIECE_MAX (4u << 20) /* bytes of one part of a stream; more than one event ever has */
#define LOOKS_MS 2000        /* spent on topics in one turn */
#define SESSION_ARENA_MAX 16384
#define SHARED_FROM 16          /* from so many streams on, one account has half of them at most */
#define SMALL_PIECE (64u << 10) /* has room always: a usual page is never kept waiting by large ones */

/* One stream. The loop's thread makes it and says what was sent; all else is the live thread's. */
struct viewer {
    struct list link;
    struct live *live;
    struct exchange *x;
    struct list open_link; /* in live->open */
    char session[SHA256_HEX_SIZE], account[ACCOUNT_NAME_MAX + 1];
    enum who role;
    const char *names[TOPICS_MAX]; /* in the request's arena */
    size_t count;
    struct topic *topics[TOPICS_MAX];
    uint64_t editions[TOPICS_MAX]; /* that it was told */
    struct buf piece;              /* going out */
    size_t held;                   /* what it takes of live->pieces */
    int64_t told_ms;               /* monotonic, when anything went out last */
    const char *ends;              /* why, or NULL */
    bool said_goodbye, begun;
    atomic_bool sending;
};

struct live {
    struct server *server;
    struct db *db;
    pthread_t thread;
    pthread_mutex_t lock; /* arrivals, open, wake, ending */
    pthread_cond_t cond;
    struct list arrivals, open; /* open: every viewer that there is */
    bool wake, ending;
    atomic_size_t streams;
    /* the thread's own */
    struct list viewers, topics;
    size_t events, pieces; /* bytes of memory: of all topics' events, of what goes out */
};

/* --- on the loops' threads ------------------------------------------------------------------------------ */

static void wake(struct live *l)
{
    pthread_mutex_lock(&l->lock);
    l->wake = true;
    pthread_cond_signal(&l->cond);
    pthread_mutex_unlock(&l->lock);
}

/* After the flag falls the viewer may be gone. */
void live_sent(struct live *l, struct exchange *x)
{
    struct viewer *v = ((struct run *)x->app)->viewer;
    bool last = v->said_goodbye || atomic_load_explicit(&x->gone, memory_order_relaxed);
    atomic_store_explicit(&v->sending, false, memory_order_release);
    if (last)
        wake(l);
}

static int read_topics(struct call *c, struct viewer *v)
{
    struct str rest = c->req->query, pair;
    while (rest.n > 0 && str_split(&rest, '&', &pair)) {
        struct str key, value;
        if (!str_split(&pair, '=', &key) || !str_is(key, "topic"))
            return err_set(&c->err, ERR_INVALID, "a stream is asked for by topic= alone");
        if (v->count == TOPICS_MAX)
            return err_set(&c->err, ERR_INVALID, "a stream has at most %d topics", TOPICS_MAX);
        const char *name =
            http_unescape(pair, true, c->arena, &value) == 0 ? arena_dup_str(c->arena, value) : NULL;
        if (name == NULL)
            return err_set(&c->err, ERR_INVALID, "a topic has a bad percent escape");
        int rc = topic_check(c->server, name, c->who->who, c->arena, &c->err);
        if (rc != 0)
            return rc;
        v->names[v->count++] = name;
    }
    return v->count > 0 ? 0 : err_set(&c->err, ERR_INVALID, "say which topic: ?topic=/api/status");
}

/* Under the lock. */
static size_t streams_of(const struct live *l, const char *account)
{
    size_t n = 0;
    list_for_each(it, &l->open) n +=
        strcmp(container_of(it, struct viewer, open_link)->account, account) == 0;
    return n;
}

static int join(struct live *l, struct viewer *v, struct err *e)
{
    size_t most = (size_t)l->server->config.console_streams, own = most < SHARED_FROM ? most : most / 2;
    int rc = 0;
    pthread_mutex_lock(&l->lock);
    if (l->ending) {
        rc = err_set(e, ERR_BUSY, "the server is stopping");
    } else if (atomic_load(&l->streams) >= most) {
        rc = err_set(e, ERR_BUSY, "%zu pages are kept up to date already ([console] streams)", most);
    } else if (streams_of(l, v->account) >= own) {
        rc = err_set(e, ERR_DENIED, "%zu pages of \"%s\" are kept up to date already: close some", own,
                     v->account);
    } else {
        atomic_fetch_add(&l->streams, 1);
        list_add_tail(&l->open, &v->open_link);
        list_add_tail(&l->arrivals, &v->link);
        l->wake = true;
        pthread_cond_signal(&l->cond);
    }
    pthread_mutex_unlock(&l->lock);
    return rc;
}

static int stream(struct call *c)
{
    struct run *run = container_of(c, struct run, call);
    struct live *l = c->server->live;
    struct viewer *v = calloc(1, sizeof *v);
    if (v == NULL)
        return api_no_memory(c);
    list_init(&v->link);
    v->live = l;
    v->x = run->x;
    v->role = c->who->who;
    memcpy(v->session, c->who->token, sizeof v->session);
    snprintf(v->account, sizeof v->account, "%s", c->who->id);
    buf_init(&v->piece, PIECE_MAX);
    int rc = read_topics(c, v);
    bool asks_head = c->req->method == HTTP_HEAD;
    run->viewer = v;
    if (rc == 0 && !asks_head) {
        rc = join(l, v, &c->err);
        c->status = rc == ERR_DENIED ? 429 : 0;
    }
    if (rc == 0 && !asks_head)
        return CALL_KEEP;
    run->viewer = NULL;
    free(v);
    if (rc != 0)
        return rc;
    http_reply(c->res, 200, "text/event-stream", (struct str){0});
    c->res->stream = c->res->close = true;
    return CALL_NEXT;
}

/* --- the thread ----------------------------------------------------------------------------------------- */

static struct topic *topic_for(struct live *l, const char *name, enum who role, struct err *e)
{
    list_for_each(it, &l->topics)
    {
        struct topic *t = container_of(it, struct topic, link);
        if (t->as.who == role && strcmp(t->name, name) == 0)
            return t;
    }
    struct topic *made = NULL;
    if (topic_new(l->server, name, role, &made, e) != 0)
        return NULL;
    list_add_tail(&l->topics, &made->link);
    return made;
}

static void forget_topics(struct viewer *v)
{
    for (size_t i = 0; i < v->count; i++)
        if (v->topics[i] != NULL && --v->topics[i]->viewers == 0) {
            v->live->events -= v->topics[i]->event.cap;
            list_remove(&v->topics[i]->link);
            topic_free(v->topics[i]);
        }
}

static void admit(struct live *l, struct viewer *v)
{
    struct err e = {0};
    for (size_t i = 0; i < v->count; i++) {
        struct topic *t = topic_for(l, v->names[i], v->role, &e);
        if (t == NULL) {
            log_error("server", "a page cannot be kept up to date", LOG_STR("topic", v->names[i]),
                      LOG_ERR(&e));
            v->ends = "failed";
            return;
        }
        t->viewers++;
        v->topics[i] = t;
    }
}

static void check_session(struct live *l, struct viewer *v)
{
    auto_arena struct arena a;
    arena_init(&a, SESSION_ARENA_MAX);
    struct session s;
    enum who role;
    struct err e = {0};
    int rc = ota_session_find(&l->server->ota, l->db, &a, v->session, &s, &role, &e);
    if (rc != 0 || role != v->role)
        v->ends = rc == 0 || rc == ERR_UNAUTHENTICATED ? "signed-out" : "failed";
}

static void send_piece(struct viewer *v, int64_t now_ms)
{
    struct http_response *res = &v->x->res;
    http_reply(res, 200, "text/event-stream", buf_str(&v->piece));
    v->told_ms = now_ms;
    v->begun = true;
    v->held = v->piece.cap;
    v->live->pieces += v->held;
    list_remove(&v->link); /* its next turn is after the others': there may not be room for all at once */
    list_add_tail(&v->live->viewers, &v->link);
    atomic_store_explicit(&v->sending, true, memory_order_relaxed);
    exchange_send(v->x);
}

static void give_back(struct viewer *v)
{
    v->live->pieces -= v->held;
    v->held = 0;
    buf_release(&v->piece);
}

static bool has_room(const struct live *l, size_t n)
{
    return n <= SMALL_PIECE || (n < PIECE_MAX && l->pieces + n <= (size_t)l->server->config.console_memory);
}

/* What it has not been told yet, as much as one part takes; whether that is anything. */
static bool gather(struct viewer *v, int64_t now_ms)
{
    int rc = v->begun ? 0 : buf_printf(&v->piece, "retry: 2000\n\n");
    for (size_t i = 0; i < v->count && rc == 0 && v->ends == NULL; i++) {
        const struct topic *t = v->topics[i];
        if (v->editions[i] == t->edition || !has_room(v->live, v->piece.n + t->event.n))
            continue;
        rc = buf_add_str(&v->piece, buf_str(&t->event));
        v->editions[i] = t->edition;
    }
    if (rc == 0 && v->ends != NULL) {
        rc = buf_printf(&v->piece, "event: end\ndata: {\"reason\":\"%s\"}\n\n", v->ends);
        v->said_goodbye = true;
    }
    if (rc == 0 && v->piece.n == 0 && now_ms - v->told_ms >= QUIET_MS)
        rc = buf_printf(&v->piece, "event: here\ndata: {}\n\n");
    if (rc != 0) { /* no memory: it is cut off, and comes again */
        v->said_goodbye = true;
        buf_clear(&v->piece);
    }
    return v->piece.n > 0;
}

/* Nothing is on its way: what is next for it. False: it is gone. */
static bool serve(struct viewer *v, int64_t now_ms)
{
    bool gone = atomic_load_explicit(&v->x->gone, memory_order_relaxed);
    if (!gone && !v->said_goodbye) {
        give_back(v); /* it may be long until there is another, and that one short */
        if (gather(v, now_ms))
            send_piece(v, now_ms);
        if (!v->said_goodbye || v->piece.n > 0)
            return true;
    }
    struct exchange *x = v->x;
    if (!v->begun)
        http_reply_no_memory(&x->res);
    forget_topics(v);
    list_remove(&v->link);
    pthread_mutex_lock(&v->live->lock);
    list_remove(&v->open_link);
    pthread_mutex_unlock(&v->live->lock);
    atomic_fetch_sub(&v->live->streams, 1);
    give_back(v);
    free(v);
    exchange_reply(x);
    return false;
}

static bool is_ending(struct live *l)
{
    pthread_mutex_lock(&l->lock);
    bool ending = l->ending;
    pthread_mutex_unlock(&l->lock);
    return ending;
}

/* Whether it was asked. */
static bool refresh(struct live *l, struct topic *t, int64_t data, int64_t now_ms)
{
    size_t most = (size_t)l->server->config.console_memory, others = l->events - t->event.cap;
    bool asked = topic_refresh(t, l->server, l->db, data, now_ms, others < most ? most - others : 0);
    l->events = others + t->event.cap;
    return asked;
}

/* What was asked goes to the end: whatever there is no time for now is first the next time. Whatever it costs
   to look, who is signed out is told so, and a server that stops does not wait for it. */
static void look(struct live *l, int64_t data, bool new_ones, int64_t until_ms)
{
    struct list *last = l->topics.prev, *next;
    for (struct list *it = l->topics.next; last != &l->topics; it = next) {
        struct topic *t = container_of(it, struct topic, link);
        int64_t now = clock_mono_ms(l->server->clock);
        next = it->next;
        if (now >= until_ms || is_ending(l))
            return;
        if ((!new_ones || t->edition == 0) && refresh(l, t, data, now)) {
            list_remove(it);
            list_add_tail(&l->topics, it);
        }
        if (it == last)
            return;
    }
}

static void tick(struct live *l, bool ending)
{
    int64_t now = clock_mono_ms(l->server->clock), data = 0;
    struct err e = {0};
    /* SQLite's own: another number after each commit of another connection that changed something. */
    if (db_get_i64(l->db, "PRAGMA data_version", &data, &e) != 0)
        log_error("server", "the database does not say whether it was changed", LOG_ERR(&e));
    list_for_each(it, &l->viewers)
    {
        struct viewer *v = container_of(it, struct viewer, link);
        if (ending && v->ends == NULL)
            v->ends = "stopping";
        else if (v->ends == NULL)
            check_session(l, v);
    }
    look(l, data, true, now + LOOKS_MS / 2); /* a page that has just come, before what others have seen */
    look(l, data, false, now + LOOKS_MS);
    list_for_each_safe(it, next, &l->viewers)
    {
        struct viewer *v = container_of(it, struct viewer, link);
        if (!atomic_load_explicit(&v->sending, memory_order_acquire))
            serve(v, now);
    }
}

/* Under the lock: until there is something to do. Without viewers only an arrival is. */
static void rest(struct live *l)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += TICK_MS / 1000;
    int rc = 0;
    while (!l->wake && rc != ETIMEDOUT)
        rc = list_empty(&l->viewers) ? pthread_cond_wait(&l->cond, &l->lock)
                                     : pthread_cond_timedwait(&l->cond, &l->lock, &until);
    l->wake = false;
}

static void *work(void *arg)
{
    struct live *l = arg;
    pthread_mutex_lock(&l->lock);
    while (!l->ending || !list_empty(&l->viewers) || !list_empty(&l->arrivals)) {
        rest(l);
        bool ending = l->ending;
        struct list *first = &l->viewers, *last = first->prev; /* what follows it has just come */
        for (struct list *it; (it = list_pop(&l->arrivals)) != NULL;)
            list_add_tail(&l->viewers, it);
        pthread_mutex_unlock(&l->lock);
        for (struct list *it = last->next; it != first; it = it->next)
            admit(l, container_of(it, struct viewer, link));
        tick(l, ending);
        pthread_mutex_lock(&l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* --- life ----------------------------------------------------------------------------------------------- */

int live_start(struct server *s, struct live **out, struct err *e)
{
    struct live *l = calloc(1, sizeof *l);
    if (l == NULL)
        return err_set(e, ERR_NOMEM, "no memory to keep the console up to date");
    l->server = s;
    list_init(&l->arrivals);
    list_init(&l->open);
    list_init(&l->viewers);
    list_init(&l->topics);
    int rc = store_reader_new(s->store, &l->db, e);
    if (rc != 0) {
        free(l);
        return rc;
    }
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&l->cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
    rc = pthread_create(&l->thread, NULL, work, l);
    if (rc != 0) {
        store_reader_free(l->db);
        free(l);
        return err_errno(e, rc, "cannot start the thread that keeps the console up to date");
    }
    *out = l;
    return 0;
}

void live_end(struct live *l)
{
    if (l == NULL)
        return;
    pthread_mutex_lock(&l->lock);
    l->ending = l->wake = true;
    pthread_cond_signal(&l->cond);
    pthread_mutex_unlock(&l->lock);
}

void live_free(struct live *l)
{
    if (l == NULL)
        return;
    live_end(l);
    pthread_join(l->thread, NULL);
    store_reader_free(l->db);
    pthread_cond_destroy(&l->cond);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

size_t live_streams(const struct live *l)
{
    return l != NULL ? atomic_load_explicit(&l->streams, memory_order_relaxed) : 0;
}

static const struct route rows[] = {
    {HTTP_GET, "/console/live", WHO_READERS, BODY_NONE, 0, {{LANE_READ, stream}}},
};

const struct route_table live_routes = {
    .rows = rows, .count = sizeof rows / sizeof rows[0], .face = FACE_CONSOLE};
