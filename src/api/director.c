/* GET /tuf/director/{device}/...: what one device should run, signed by this server. */
#include "api/api.h"
#include "api/encode.h"
#include "http/condition.h"
#include "ota/director.h"

#define UNNAMED_RETRY_S "60"                                   /* people are about to upload a root */
#define COSE_TYPE "application/cose; cose-type=\"cose-sign1\"" /* RFC 9052 section 2 */

static int reply(struct call *c)
{
    const struct director_work *w = c->carry;
    const char *etag = arena_printf(c->arena, "\"%lld\"", (long long)w->version);
    if (etag == NULL)
        return api_no_memory(c);
    enum http_condition condition = http_condition_check(c->req, str_of(etag), INT64_MAX);
    if (condition == HTTP_COND_FAILED) {
        http_reply_problem_status(c->res, c->arena, 412, "this is not the version that was asked for");
        return CALL_REPLY;
    }
    http_set(c->res, "ETag", etag);
    http_set(c->res, "Cache-Control", "private, no-cache");
    if (condition == HTTP_COND_NOT_MODIFIED)
        http_reply_empty(c->res, 304);
    else
        http_reply(c->res, 200, w->kind == DIRECTOR_MANIFEST ? COSE_TYPE : "application/json", w->text);
    return CALL_REPLY;
}

/* A device has no business with what others run: theirs is as if it were not there. */
static int device_asked(struct call *c, const char **out)
{
    const char *id;
    int rc = api_param_text(c, 0, str_is_device_id, &id);
    if (rc != 0)
        return rc;
    if (c->who->who == WHO_DEVICE && strcmp(id, c->who->id) != 0)
        return err_set(&c->err, ERR_NOT_FOUND, "there is no device \"%s\"", id);
    *out = id;
    return 0;
}

static int look(struct call *c, enum director_kind kind)
{
    struct director_work *w = arena_new(c->arena, struct director_work);
    if (w == NULL)
        return api_no_memory(c);
    w->kind = kind;
    c->carry = w;
    int rc = device_asked(c, &w->device);
    if (rc == 0)
        rc = ota_director_look(c->ota, c->db, c->writing, c->arena, w, &c->err);
    if (rc == DIRECTOR_UPGRADE)
        return CALL_UPGRADE;
    if (rc == ERR_BUSY && w->unnamed) { /* said in the log once, not at every poll */
        http_set(c->res, "Retry-After", UNNAMED_RETRY_S);
        http_reply_problem_status(c->res, c->arena, 503, c->err.text);
        return CALL_REPLY;
    }
    if (rc != 0)
        return rc;
    return w->text.p != NULL ? reply(c) : CALL_NEXT;
}

static int look_targets(struct call *c)
{
    return look(c, DIRECTOR_TARGETS);
}

static int look_manifest(struct call *c)
{
    return look(c, DIRECTOR_MANIFEST);
}

static int sign(struct call *c)
{
    return ota_director_sign(c->ota, c->arena, c->carry, &c->err);
}

static int store(struct call *c)
{
    int rc = ota_director_store(c->ota, c->db, c->arena, c->carry, &c->err);
    return rc != 0 ? rc : reply(c);
}

#define WHO_MAY (WHO_DEVICE | WHO_READERS)

static const struct route rows[] = {
    {HTTP_GET,
     "/tuf/director/{}/targets.json",
     WHO_MAY,
     BODY_NONE,
     0,
     {{LANE_READ, look_targets}, {LANE_SIGN, sign}, {LANE_WRITE, store}}},
    {HTTP_GET,
     "/tuf/director/{}/manifest.cbor",
     WHO_MAY,
     BODY_NONE,
     0,
     {{LANE_READ, look_manifest}, {LANE_SIGN, sign}, {LANE_WRITE, store}}},
};
const struct route_table api_director_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
