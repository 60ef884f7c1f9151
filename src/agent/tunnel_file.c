/*
 * A file on its way through the tunnel. Nothing of it goes before the metadata vouch for it, and its end does
 * not go before the hash of the whole is right: what was cut off before that, no updater takes for whole.
 */
#include <stdio.h>
#include <string.h>

#include "agent/tunnel.h"
#include "base/log.h"
#include "http/range.h"

#define PULL_TARGET_SIZE 4200 /* of a path and its query, with the NUL */
#define REFUSAL_MAX 65536     /* bytes of an answer that is no file */

struct pull {
    struct tunnel_worker *w;
    struct flow *flow;
    struct pqota_target file;
    char target[PULL_TARGET_SIZE], range[UP_RANGE_SIZE], etag[UP_FIELD_SIZE];
    uint64_t first, last;      /* of the file, what the client gets; not with `parts` */
    uint64_t next;             /* byte of the file that comes next; with `parts`, of the body */
    uint64_t end;              /* where what is asked for ends: past `last` if a check reaches further */
    struct progress *progress; /* NULL: these bytes are not hashed */
    struct progress_check check;
    bool checking;    /* the client's last block comes once more */
    bool ranged;      /* a part was asked for */
    bool parts;       /* several: their body is passed on as it is */
    bool head_only;   /* HEAD: nothing follows */
    bool replied;     /* the client has its head */
    bool elsewhere;   /* the answer under way is none that can be used */
    struct buf other; /* ... and its body */
    struct up_answer answer;
    unsigned tries, breaks;
    struct err err; /* why it ended */
};

/* --- the head of the client's answer -------------------------------------------------------------------- */

/* How much of the body may go before all has come. */
static uint64_t may_go(const struct pull *p)
{
    uint64_t length = p->last - p->first + 1;
    if (p->progress == NULL || p->last + 1 != p->file.size)
        return UINT64_MAX;
    return length > TUNNEL_HELD ? length - TUNNEL_HELD : 0;
}

/* From here on the exchange is the loop's; the body follows by flow_put. */
static int reply(struct pull *p, int status, const char *type, const char *content_range, uint64_t length)
{
    struct exchange *x = p->flow->x;
    struct http_response *r = &x->res;
    http_reply_empty(r, status);
    http_set(r, "Accept-Ranges", "bytes");
    http_set(r, "X-Content-Type-Options", "nosniff");
    tunnel_set(x, "Content-Type", type);
    tunnel_set(x, "Content-Range", content_range);
    tunnel_set(x, "ETag", p->answer.etag);
    tunnel_set(x, "Last-Modified", p->answer.modified);
    tunnel_set(x, "Content-Disposition", p->answer.disposition);
    r->parts[0] = (struct http_part){.kind = HTTP_PART_FILE, .length = length};
    r->part_count = 1;
    snprintf(p->etag, sizeof p->etag, "%s", p->answer.etag);
    p->replied = true;
    exchange_reply(x);
    if (!p->checking)
        flow_release(p->flow, may_go(p));
    return 0;
}

static int differs(struct pull *p, const char *how)
{
    return err_set(&p->err, ERR_MISMATCH, "%s: %s", p->file.filename, how);
}

static int reply_whole(struct pull *p)
{
    if (p->answer.length != p->file.size)
        return differs(p, "the server's file has another size than the update metadata say");
    if (p->ranged) { /* it gives the whole instead */
        progress_free(p->progress);
        p->progress = NULL;
        p->checking = p->parts = p->ranged = false;
        int rc = progress_new(p->file.sha256, p->file.size, &p->progress, &p->err);
        if (rc != 0)
            return rc;
        p->first = p->next = 0;
        p->last = p->file.size - 1;
        p->end = p->file.size;
    }
    return reply(p, 200, "application/octet-stream", NULL, p->file.size);
}

static int reply_part(struct pull *p)
{
    uint64_t first, last, total;
    char range[80];
    if (!up_content_range(p->answer.content_range, &first, &last, &total) || total != p->file.size)
        return differs(p, "the server's answer to a range is of another file than the update metadata say");
    if (p->parts) { /* what was asked for in several pieces is one */
        p->parts = false;
        p->first = p->next = first;
        p->last = last;
        p->end = last + 1;
    } else if (first != p->next || last + 1 != p->end) {
        return differs(p, "the server answers another range than it was asked for");
    }
    snprintf(range, sizeof range, "bytes %llu-%llu/%llu", (unsigned long long)p->first,
             (unsigned long long)p->last, (unsigned long long)p->file.size);
    return reply(p, 206, "application/octet-stream", range, p->last - p->first + 1);
}

static int reply_parts(struct pull *p)
{
    uint64_t most = p->file.size + (uint64_t)HTTP_RANGES_MAX * UP_FIELD_SIZE * 2;
    if (p->answer.length == UP_LENGTH_UNKNOWN || p->answer.length > most)
        return differs(p, "the server's answer to several ranges has no length, or one that is none");
    p->next = 0;
    p->end = p->answer.length;
    return reply(p, 206, p->answer.type, NULL, p->answer.length);
}

/* --- what the server sends ------------------------------------------------------------------------------ */

static bool is_passing(int status)
{
    return status >= 500 || status == 408 || status == 429;
}

/* The answer to going on. */
static int on_more(struct pull *p)
{
    uint64_t first, last, total;
    if (is_passing(p->answer.status)) {
        p->elsewhere = true;
        return 0;
    }
    if (p->answer.status == 206 && up_content_range(p->answer.content_range, &first, &last, &total) &&
        first == p->next && last + 1 == p->end && total == p->file.size)
        return 0;
    return err_set(&p->err, ERR_GONE, "%s: the server does not go on with it (%d)", p->file.filename,
                   p->answer.status);
}

static int on_head(void *ctx, const struct up_answer *answer)
{
    static const char multipart[] = "multipart/byteranges";
    struct pull *p = ctx;
    p->answer = *answer;
    p->elsewhere = false;
    buf_clear(&p->other);
    if (p->replied)
        return on_more(p);
    if (answer->status == 200)
        return reply_whole(p);
    if (answer->status == 206 && p->parts && strncmp(answer->type, multipart, sizeof multipart - 1) == 0)
        return reply_parts(p);
    if (answer->status == 206 && p->ranged)
        return reply_part(p);
    p->elsewhere = true;
    return 0;
}

/* The client's part of a piece. */
static int put_between(struct pull *p, const char *data, size_t n)
{
    uint64_t from = p->next > p->first ? p->next : p->first;
    uint64_t to = p->next + n < p->last + 1 ? p->next + n : p->last + 1;
    return from < to ? flow_put(p->flow, data + (from - p->next), (size_t)(to - from)) : 0;
}

/* One piece that does not reach across the end of the check. */
static int take_hashed(struct pull *p, const char *data, size_t n)
{
    int rc = progress_add(p->progress, data, n, &p->err);
    if (rc == 0)
        rc = put_between(p, data, n);
    p->next += n;
    if (rc != 0 || !p->checking || p->progress->at != p->check.to)
        return rc;
    if (!progress_passes(p->progress, &p->check))
        return differs(p, "the server sends other bytes than it sent before");
    p->checking = false;
    flow_release(p->flow, may_go(p));
    return 0;
}

static int on_data(void *ctx, const char *data, size_t n)
{
    struct pull *p = ctx;
    if (p->elsewhere)
        return buf_add(&p->other, data, n) == 0
                   ? 0
                   : err_set(&p->err, ERR_TOO_LARGE, "the server answers %d at great length",
                             p->answer.status);
    if (n > p->end - p->next)
        return differs(p, "the server sends more than it announced");
    p->tries = 0;
    if (p->progress == NULL) {
        p->next += n;
        return flow_put(p->flow, data, n);
    }
    while (n > 0) {
        uint64_t most = p->checking ? p->check.to - p->progress->at : n;
        size_t step = most < n ? (size_t)most : n;
        int rc = take_hashed(p, data, step);
        if (rc != 0)
            return rc;
        data += step;
        n -= step;
    }
    return 0;
}

/* --- one request after the other ------------------------------------------------------------------------ */

/* What the client asks for it under (RFC 9110 section 13), of the first request. */
static size_t conditions_of(const struct pull *p, struct http_header out[UP_CONDITIONS_MAX])
{
    static const char *const names[] = {"If-Match", "If-None-Match", "If-Modified-Since",
                                        "If-Unmodified-Since", "If-Range"};
    size_t count = 0, all = sizeof names / sizeof *names;
    for (size_t i = 0; i < (p->ranged ? all : all - 1); i++) {
        struct str value = http_header_get(&p->flow->x->req, names[i]);
        if (value.n > 0 && value.n < UP_RANGE_SIZE)
            out[count++] = (struct http_header){.name = str_of(names[i]), .value = value};
    }
    return count;
}

static int ask(struct pull *p)
{
    static const struct up_sink like = {.head = on_head, .data = on_data};
    struct up_sink sink = like;
    sink.ctx = p;
    struct http_header conditions[UP_CONDITIONS_MAX];
    struct up_request q = {.method = HTTP_GET, .target = str_of(p->target), .accept = "*/*", .file = true};
    if (!p->replied) {
        q.method = p->flow->x->req.method;
        q.conditions = conditions;
        q.condition_count = conditions_of(p, conditions);
    } else {
        snprintf(p->range, sizeof p->range, "bytes=%llu-%llu", (unsigned long long)p->next,
                 (unsigned long long)(p->end - 1));
        q.if_range = p->etag[0] == '"' ? p->etag : NULL; /* a weak one is not for it (section 13.1.5) */
    }
    q.range = p->range[0] != '\0' ? p->range : NULL;
    struct up_answer answer;
    p->w->file = p->flow;
    int rc = up_perform(&p->w->link, &q, &sink, &answer, &p->err);
    p->w->file = NULL;
    return rc;
}

/* Whether the rest is asked for once more. */
static bool goes_on(struct pull *p, int rc)
{
    bool broke = rc == ERR_IO || rc == ERR_TIMEOUT || rc == 0; /* 0: an answer, and not all of it */
    if (!p->replied || p->parts || !broke || p->tries == TUNNEL_TRIES_MAX || p->breaks == TUNNEL_BREAKS_MAX)
        return false;
    int64_t pause = (int64_t)1000 << (p->tries < 4 ? p->tries : 4);
    p->tries++;
    p->breaks++;
    log_info("tunnel", "a download broke off and goes on", LOG_STR("file", p->file.filename),
             LOG_I64("at", (int64_t)p->next), LOG_STR("error", p->err.text));
    p->err = (struct err){0};
    return !flow_wait(p->flow, pause < TUNNEL_PAUSE_MAX_MS ? pause : TUNNEL_PAUSE_MAX_MS);
}

static bool is_complete(const struct pull *p)
{
    return p->replied && !p->elsewhere && (p->head_only || p->next == p->end);
}

/* A later request may go on with it. */
static void put_away(struct pull *p)
{
    if (p->progress != NULL)
        progress_shelf_put(p->w->tunnel->shelf, p->progress);
    p->progress = NULL;
}

/* All has come: the end may go, if the whole is right. */
static int finish(struct pull *p)
{
    if (p->progress != NULL && p->progress->at == p->file.size && !progress_is_right(p->progress))
        return differs(p,
                       "its bytes have another SHA-256 than the update metadata say; its end was withheld");
    log_info("tunnel", "a file went through", LOG_STR("file", p->file.filename),
             LOG_I64("bytes", (int64_t)(p->parts ? p->end : p->last - p->first + 1)),
             LOG_STR("hash", p->progress == NULL           ? "of the range not known"
                             : p->last + 1 == p->file.size ? "right"
                                                           : "goes on"));
    if (p->progress != NULL && p->progress->at == p->file.size)
        progress_shelf_doubt(p->w->tunnel->shelf, p->file.sha256, false);
    put_away(p); /* before the client has the last byte, and asks on */
    flow_release(p->flow, UINT64_MAX);
    return 0;
}

static int run(struct pull *p)
{
    int rc;
    do
        rc = ask(p);
    while (!is_complete(p) && goes_on(p, rc));
    if (!is_complete(p) && rc == 0 && p->replied)
        return err_set(&p->err, ERR_IO, "%s: the server does not send the rest", p->file.filename);
    if (!is_complete(p))
        return rc;
    return p->head_only ? 0 : finish(p);
}

/* --- what is asked for ---------------------------------------------------------------------------------- */

/* From the beginning, hashed as it comes. */
static int want_from_start(struct pull *p, uint64_t last)
{
    p->first = p->next = 0;
    p->last = last;
    p->end = last + 1;
    return progress_new(p->file.sha256, p->file.size, &p->progress, &p->err);
}

/* On from what was sent before, the last block once more. False: nobody was sent that. */
static bool want_on(struct pull *p, const struct http_range *r, int *rc)
{
    p->progress = progress_shelf_take(p->w->tunnel->shelf, p->file.sha256, r->first);
    if (p->progress == NULL)
        return false;
    *rc = progress_rewind(p->progress, r->first, &p->check, &p->err);
    p->first = r->first;
    p->last = r->last;
    p->next = p->progress->at;
    p->end = p->check.to > r->last + 1 ? p->check.to : r->last + 1;
    p->checking = p->check.to > p->next;
    return true;
}

/* Ranges that do not go on from anything: not when the server was seen to send other bytes of the file. */
static bool may_pass_unhashed(const struct pull *p)
{
    const struct tunnel *t = p->w->tunnel;
    return strcmp(t->config.tunnel_ranges, "no") != 0 && !progress_shelf_doubts(t->shelf, p->file.sha256);
}

static int want_any(struct pull *p, struct str value, const struct http_range *ranges, size_t count)
{
    if (value.n >= sizeof p->range)
        return err_set(&p->err, ERR_TOO_LARGE, "%s: the Range is too long", p->file.filename);
    p->parts = count > 1;
    p->first = p->next = ranges[0].first;
    p->last = ranges[0].last;
    p->end = p->last + 1;
    if (p->parts)
        snprintf(p->range, sizeof p->range, "%.*s", (int)value.n, value.p);
    return 0;
}

static int want(struct pull *p, struct str value)
{
    struct http_range ranges[HTTP_RANGES_MAX];
    size_t count = 0;
    int rc = 0;
    enum http_range_result is = HTTP_RANGE_WHOLE;
    if (value.n > 0 && !p->head_only)
        is = http_range_parse(value, p->file.size, ranges, &count);
    if (is == HTTP_RANGE_NONE)
        return err_set(&p->err, ERR_NOT_FOUND, "bytes */%llu", (unsigned long long)p->file.size);
    p->ranged = is == HTTP_RANGE_SOME;
    if (p->ranged && count == 1 && ranges[0].first == 0)
        rc = want_from_start(p, ranges[0].last);
    else if (p->ranged && count == 1 && want_on(p, &ranges[0], &rc))
        log_debug("tunnel", "a download goes on", LOG_STR("file", p->file.filename));
    else if (p->ranged && may_pass_unhashed(p))
        rc = want_any(p, value, ranges, count);
    else
        p->ranged = false;
    if (!p->ranged)
        return p->file.size > 0 ? want_from_start(p, p->file.size - 1) : want_from_start(p, UINT64_MAX);
    if (rc == 0 && !p->parts)
        snprintf(p->range, sizeof p->range, "bytes=%llu-%llu", (unsigned long long)p->next,
                 (unsigned long long)(p->end - 1));
    return rc;
}

static void refuse_range(struct pull *p)
{
    struct exchange *x = p->flow->x;
    tunnel_error(&x->res, &x->arena, 416, "the file has no such bytes");
    tunnel_set(x, "Content-Range", p->err.text);
    exchange_reply(x);
}

/* --- its end -------------------------------------------------------------------------------------------- */

static void conclude(struct pull *p, int rc, const struct tunnel_ask *ask, struct str tenant, uint32_t action)
{
    struct tunnel *t = p->w->tunnel;
    if (rc == ERR_MISMATCH) /* before the client asks for the end alone: it is not to pass unhashed */
        progress_shelf_doubt(t->shelf, p->file.sha256, true);
    if (!p->replied && rc == 0) /* the server said something else */
        tunnel_pass_on(p->flow, ask, &p->answer, buf_str(&p->other));
    else if (!p->replied)
        tunnel_refuse(p->flow, rc == ERR_MISMATCH ? 403 : 502, p->err.text);
    if (rc != 0) {
        log_at(rc == ERR_GONE ? LOG_INFO : LOG_WARN, "tunnel", "a file did not go through",
               LOG_STR("file", p->file.filename), LOG_I64("at", (int64_t)p->next), LOG_ERR(&p->err));
        if (p->replied)
            flow_fail(p->flow);
    }
    if (rc == ERR_MISMATCH && tunnel_trust_tell(&t->trust, action))
        tunnel_report(p->w, tenant, action, p->file.filename, p->err.text);
    if (rc != ERR_MISMATCH)
        put_away(p);
    progress_free(p->progress);
    p->progress = NULL;
}

/* Its texts are the exchange's, which may be over before the download is. */
static bool keep_texts(const struct tunnel_ask *ask, char *target, size_t target_n, char *tenant,
                       size_t tenant_n)
{
    if (ask->target.n >= target_n || ask->tenant.n >= tenant_n)
        return false;
    memcpy(target, ask->target.p, ask->target.n);
    target[ask->target.n] = '\0';
    memcpy(tenant, ask->tenant.p, ask->tenant.n);
    tenant[ask->tenant.n] = '\0';
    return true;
}

void tunnel_serve_file(struct tunnel_worker *w, struct flow *f)
{
    struct exchange *x = f->x;
    const struct tunnel_job *job = x->app;
    struct pull p = {.w = w, .flow = f, .head_only = x->req.method == HTTP_HEAD};
    char tenant[PQOTA_NAME_SIZE];
    int status = 503;
    uint32_t action = 0;
    if (!keep_texts(&job->ask, p.target, sizeof p.target, tenant, sizeof tenant)) {
        tunnel_refuse(f, 400, "the path is too long");
        return;
    }
    int rc = tunnel_trust_vouch(&w->tunnel->trust, w->renewed, job->ask.module, job->ask.filename, &p.file,
                                &status, &action, &p.err);
    if (rc != 0) {
        if (status != 503 && tunnel_trust_tell(&w->tunnel->trust, action))
            tunnel_report(w, str_of(tenant), action, p.file.filename, p.err.text);
        tunnel_refuse(f, status, p.err.text);
        return;
    }
    buf_init(&p.other, REFUSAL_MAX);
    rc = want(&p, str_trim(http_header_get(&x->req, "Range")));
    if (rc == ERR_NOT_FOUND) {
        refuse_range(&p);
    } else {
        const char *sha256 = p.progress != NULL ? p.file.sha256 : NULL;
        if (sha256 != NULL)
            progress_shelf_begin(w->tunnel->shelf, sha256);
        rc = rc == 0 ? run(&p) : rc;
        conclude(&p, rc, &job->ask, str_of(tenant), action);
        if (sha256 != NULL)
            progress_shelf_end(w->tunnel->shelf, sha256);
    }
    buf_fini(&p.other);
}
