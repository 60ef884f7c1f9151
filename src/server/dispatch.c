#include "server/dispatch.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "server/console.h"
#include "server/ddi_identify.h"
#include "server/identify.h"
#include "server/links.h"
#include "server/live.h"
#include "server/login.h"
#include "server/run.h"
#include "server/server.h"
#include "store/db.h"

#define ARENA_MAX (8u << 20) /* bytes one request may use */

static const char *base_url(const struct run *run)
{
    const char *set = run->server->config.public_url;
    return set[0] != '\0' ? set : proxy_base_url(&run->proxy, run->x, &run->x->arena);
}

static enum net_verdict refuse(struct run *run, int status, const char *detail)
{
    run_refuse(run, status, detail);
    return NET_REFUSE;
}

static enum net_verdict refuse_route(struct run *run, int rc, const char *allow, const struct err *e)
{
    if (rc == ERR_UNSUPPORTED) {
        run_refuse(run, 405, e->text);
        http_set(&run->x->res, "Allow", allow);
        return NET_REFUSE;
    }
    http_reply_problem(&run->x->res, &run->x->arena, e);
    return NET_REFUSE;
}

static bool may_call(const struct run *run)
{
    return (run->route->who & (run->who.who | WHO_ANYONE)) != 0;
}

static enum net_verdict refuse_who(struct run *run)
{
    bool nobody = run->who.who == WHO_ANYONE || run->who.who == WHO_LOCAL;
    if (nobody && console_is(run->x->peer))
        return refuse(run, 401, "sign in first: the session is over, or there was none");
    if (nobody && run->table->face == FACE_MANAGEMENT)
        return refuse(run, 401, "this needs an account's name and password, or an operator's certificate");
    if (nobody)
        return refuse(run, 401,
                      "this needs a client certificate: a device's (pqota-agent enroll) or an operator's");
    if (run->who.who == WHO_EXPIRED)
        return refuse(run, 401, "the device's certificate has expired; it is good for POST /api/renew alone");
    return refuse(run, 403, "this identity may not do this");
}

/* hawkBit's clients may also say HAL, which is JSON. */
static bool says_json(const struct http_request *req, enum face face)
{
    struct str type = http_header_get(req, "content-type");
    struct str media;
    return str_split(&type, ';', &media) &&
           (str_eq_nocase(str_trim(media), STR("application/json")) ||
            (face != FACE_NATIVE && str_eq_nocase(str_trim(media), STR("application/hal+json"))));
}

static enum net_verdict plan_body(struct run *run)
{
    struct exchange *x = run->x;
    const struct http_request *req = &x->req;
    const struct route *r = run->route;
    bool has_body = req->chunked || req->content_length > 0;
    x->body_max = r->body_max;
    switch (r->body) {
    case BODY_NONE:
        if (has_body)
            return refuse(run, 413, "this resource takes no body");
        break;
    case BODY_JSON:
        if (has_body && !says_json(req, run->table->face))
            return refuse(run, 415, "the body must be JSON, with Content-Type: application/json");
        break;
    case BODY_BYTES:
        break;
    case BODY_SPOOL:
        if (!req->chunked && !req->has_length)
            return refuse(run, 411, "say how long the file is (Content-Length), or send it chunked");
        if (x->body_max == 0)
            x->body_max = (uint64_t)run->server->config.upload_bytes;
        break;
    }
    if (req->has_length && req->content_length > x->body_max && has_body)
        return refuse(run, 413,
                      "the body is larger than this resource takes (for uploads: limits.upload_bytes)");
    return r->body == BODY_SPOOL ? NET_SPOOL_BODY : NET_READ_BODY;
}

/* What the route itself can tell from the head: whoever sends gigabytes learns of a bad name beforehand. */
static enum net_verdict ask_head(struct run *run, enum net_verdict verdict)
{
    struct exchange *x = run->x;
    struct call *c = &run->call;
    if (verdict == NET_REFUSE || run->route->steps[0].lane != LANE_HEAD)
        return verdict;
    c->db = exchange_loop_ctx(x);
    int rc = run->route->steps[0].run(c);
    c->db = NULL;
    run->step = 1;
    if (rc >= 0)
        return verdict;
    run_refuse_err(run);
    return NET_REFUSE;
}

/* Answers when it is nobody who counts. */
static int who_asks(struct run *run)
{
    struct exchange *x = run->x;
    struct err *e = &run->call.err; /* the log says why, and to which certificate */
    str_copy(str_of(x->peer->address), run->who.address, sizeof run->who.address);
    if (console_is(x->peer)) {
        int rc = console_identify(run, e);
        if (rc != 0)
            run_refuse_err(run);
        return rc;
    }
    bool devices = run->table != NULL && run->table->face == FACE_DDI;
    int rc = proxy_read(&run->server->config, x->peer, &x->req, !devices, &run->proxy, e);
    if (rc == 0)
        rc = identify(run->server, x, &run->proxy, &run->who, e);
    if (rc != 0)
        run_refuse_err(run);
    return rc;
}

static enum login_begun log_in(struct run *run)
{
    switch (run->table->face) {
    case FACE_MANAGEMENT:
        return login_begin(run);
    case FACE_DDI:
        return ddi_begin(run);
    case FACE_NATIVE:
    case FACE_CONSOLE:
        break;
    }
    return LOGIN_NOT_ASKED;
}

/* Something has to be done about who asks before anything of the request is. */
static bool is_held(const struct run *run)
{
    return run->login != NULL || run->newcomer != NULL;
}

static void release(struct run *run, void (*then)(struct run *run))
{
    if (run->login != NULL)
        login_check(run, then);
    else
        ddi_register(run, then);
}

/* A browser sends its certificate, or a password that it was told once, for whatever page asks: a form on
   another site must not act with it (Fetch Metadata; programs send no such field). */
static bool from_another_site(const struct exchange *x)
{
    const struct http_request *req = &x->req;
    struct str site = http_header_get(req, "sec-fetch-site");
    bool reads = req->method == HTTP_GET || req->method == HTTP_HEAD;
    if (!reads && console_is(x->peer) && !console_is_own_page(req))
        return true;
    return !reads && site.p != NULL && !str_is(site, "same-origin") && !str_is(site, "none");
}

/* The route is known: whether who asks may have it, and how the body is taken. While a password waits for its
   check, or a device to be registered, no step runs. */
static enum net_verdict admit(struct run *run)
{
    struct exchange *x = run->x;
    if (from_another_site(x))
        return refuse(run, 403, "a page of another site asked for this; only pages of this one may");
    enum login_begun login = log_in(run);
    if (login == LOGIN_REFUSED)
        return NET_REFUSE;
    if (run->login == NULL && !may_call(run))
        return refuse_who(run);
    struct call *c = &run->call;
    c->req = &x->req;
    c->res = &x->res;
    c->arena = &x->arena;
    c->who = &run->who;
    if (run->table->face == FACE_DDI)
        links_fill(run);
    else
        c->base_url = base_url(run);
    c->ota = &run->server->ota;
    c->server = run->server;
    enum net_verdict verdict = plan_body(run);
    return login == LOGIN_WAITS ? verdict : ask_head(run, verdict);
}

/* The head of a request is here: everything that can be refused without its body is refused now. */
static enum net_verdict on_head(void *ctx, struct exchange *x)
{
    struct server *s = ctx;
    struct run *run = arena_new(&x->arena, struct run);
    if (run == NULL) {
        http_reply_no_memory(&x->res);
        return NET_REFUSE;
    }
    x->app = run;
    run->server = s;
    run->x = x;
    struct err e = {0};
    struct route_found found = {0};
    const struct server_routes *routes = console_is(x->peer) ? &s->console_routes : &s->routes;
    int rc = route_find(routes->tables, routes->count, &x->req, &x->arena, &found, &e);
    run->table = found.table; /* says what a refusal looks like */
    if (console_is(x->peer))
        console_set_headers(&x->res);
    if (rc == 0 && console_is(x->peer) && !console_has(found.table, found.row))
        rc = err_set(&e, ERR_NOT_FOUND, "this is for devices, which do not come to the console");
    if (who_asks(run) != 0) {
        x->res.close = true;
        return NET_REFUSE;
    }
    if (x->req.method == HTTP_OTHER)
        return refuse(run, 501, "this server does not know that method");
    if (rc != 0)
        return refuse_route(run, rc, found.allow, &e);
    run->route = found.row;
    memcpy(run->call.param, found.param, sizeof found.param);
    return admit(run);
}

/* What was held up goes on, if who it is may. */
static bool go_on(struct run *run)
{
    bool may = may_call(run) ? ask_head(run, NET_READ_BODY) != NET_REFUSE : refuse_who(run) != NET_REFUSE;
    if (!may)
        exchange_reply(run->x);
    return may;
}

static void take_piece(struct run *run)
{
    if (go_on(run))
        run_spool_piece(run, run->piece);
}

static void on_chunk(void *ctx, struct exchange *x, struct str piece)
{
    (void)ctx;
    struct run *run = x->app;
    run->piece = piece;
    if (is_held(run))
        release(run, take_piece);
    else
        run_spool_piece(run, piece);
}

static void take_request(struct run *run)
{
    if (run->route->body == BODY_SPOOL)
        run_spool_finish(run);
    else
        run_steps(run);
}

static void take_late_request(struct run *run)
{
    if (go_on(run))
        take_request(run);
}

static void on_request(void *ctx, struct exchange *x)
{
    (void)ctx;
    struct run *run = x->app;
    if (is_held(run))
        release(run, take_late_request);
    else
        take_request(run);
}

static void on_file_read(void *ctx, struct exchange *x, void *buf, size_t size, uint64_t offset)
{
    (void)ctx;
    run_file_read(x->app, buf, size, offset);
}

/* One line a request: changes and failures always, what only reads when asked for. What a protocol brings
   about by itself is no failure. */
static void log_request(const struct run *run)
{
    const struct exchange *x = run->x;
    bool reads = x->req.method == HTTP_GET || x->req.method == HTTP_HEAD;
    int status = x->res.status;
    if (atomic_load_explicit(&x->gone, memory_order_relaxed)) {
        /* There may be no answer yet, and if there is, nobody has it. The connection's end says why. */
        log_at(reads ? LOG_DEBUG : LOG_INFO, "http", "request cut off", LOG_S("method", x->req.method_text),
               LOG_S("path", x->req.path), LOG_STR("who", run->who.id),
               LOG_STR("role", identity_role(&run->who)), LOG_STR("peer", run->who.address),
               LOG_STR("listener", x->peer->listener), LOG_I64("received", (int64_t)x->body_seen));
        return;
    }
    bool why = status >= 400 && status < 500 && run->call.err.code != 0; /* 5xx told by who met it */
    bool tells = !reads || (status >= 400 && !run->call.usual);
    bool failed = status >= 500 && status != 501; /* 501: what nobody knows was asked */
    enum log_level level = failed ? LOG_ERROR : tells ? LOG_INFO : LOG_DEBUG;
    log_at(level, "http", "request", LOG_S("method", x->req.method_text), LOG_S("path", x->req.path),
           LOG_I64("status", status), LOG_STR("who", run->who.id), LOG_STR("role", identity_role(&run->who)),
           LOG_STR("peer", run->who.address), LOG_STR("listener", x->peer->listener),
           LOG_STR(why ? "error" : NULL, run->call.err.text));
}

static void on_sent(void *ctx, struct exchange *x)
{
    struct server *s = ctx;
    live_sent(s->live, x);
}

static void on_end(void *ctx, struct exchange *x)
{
    (void)ctx;
    struct run *run = x->app;
    if (run == NULL)
        return;
    log_request(run);
    login_end(run);
    run_spool_discard(run);
    if (run->call.carry_free != NULL)
        run->call.carry_free(run->call.carry);
}

static int on_loop_start(void *ctx, void **loop_ctx, struct err *e)
{
    struct server *s = ctx;
    struct db *db = NULL;
    int rc = store_reader_new(s->store, &db, e);
    if (rc == 0)
        *loop_ctx = db;
    return rc;
}

static void on_turn_end(void *ctx, void *loop_ctx)
{
    (void)ctx;
    db_share_end(loop_ctx);
}

static void on_loop_stop(void *ctx, void *loop_ctx)
{
    (void)ctx;
    store_reader_free(loop_ctx);
}

struct net_app dispatch_app(struct server *s)
{
    return (struct net_app){
        .ctx = s,
        .arena_max = ARENA_MAX,
        .head = on_head,
        .chunk = on_chunk,
        .request = on_request,
        .file_read = on_file_read,
        .sent = on_sent,
        .end = on_end,
        .turn_end = on_turn_end,
        .loop_start = on_loop_start,
        .loop_stop = on_loop_stop,
    };
}
