/* /api/deployments: releases for devices; begun, looked at and steered. */
#include <string.h>

#include "api/api.h"
#include "api/deployment_json.h"
#include "ota/deploy.h"

#define DEPLOY_MAX 65536 /* bytes of a request's body */
#define STEER_MAX 4096

static int reply(struct call *c, int status, int64_t id)
{
    struct deployment_view v;
    int rc = ota_deployment_show(c->db, c->arena, id, &v, &c->err);
    if (rc != 0)
        return rc;
    auto_json_mut yyjson_mut_doc *doc = api_doc(c);
    if (doc == NULL)
        return c->err.code;
    deployment_put(doc, yyjson_mut_doc_get_root(doc), &v);
    http_reply_json(c->res, c->arena, status, doc);
    return 0;
}

static int create(struct call *c)
{
    auto_json yyjson_doc *doc = NULL;
    struct deploy d;
    struct deployment made;
    int rc = api_body(c, &doc);
    if (rc == 0)
        rc = deployment_read(c, yyjson_doc_get_root(doc), &d);
    if (rc == 0)
        rc = ota_deploy(c->ota, c->db, c->arena, c->who->id, &d, &made, &c->err);
    if (rc != 0)
        return rc;
    const char *location = arena_printf(c->arena, "/api/deployments/%lld", (long long)made.pk);
    if (location == NULL)
        return api_no_memory(c);
    http_set(c->res, "Location", location);
    return reply(c, 201, made.pk);
}

static int show(struct call *c)
{
    int64_t id;
    int rc = api_param_id(c, 0, &id);
    return rc != 0 ? rc : reply(c, 200, id);
}

typedef int steer_fn(struct ota *ota, struct db *db, struct arena *a, const char *who, int64_t deployment,
                     struct deployment *out, struct err *e);

static int steer(struct call *c, steer_fn *fn)
{
    int64_t id;
    struct deployment d;
    int rc = api_param_id(c, 0, &id);
    if (rc == 0)
        rc = fn(c->ota, c->db, c->arena, c->who->id, id, &d, &c->err);
    return rc != 0 ? rc : reply(c, 200, id);
}

static int cancel(struct call *c)
{
    return steer(c, ota_deploy_cancel);
}

static int pause_it(struct call *c)
{
    return steer(c, ota_deploy_pause);
}

static int resume(struct call *c)
{
    return steer(c, ota_deploy_resume);
}

static int next(struct call *c)
{
    int64_t id, phase;
    struct deployment d;
    int rc = api_param_id(c, 0, &id);
    if (rc == 0)
        rc = api_query_id(c, "phase", &phase);
    if (rc == 0)
        rc = ota_deploy_next(c->ota, c->db, c->arena, c->who->id, id, phase, &d, &c->err);
    return rc != 0 ? rc : reply(c, 200, id);
}

static int approve_or_deny(struct call *c, bool approve)
{
    int64_t id;
    struct deployment d;
    int rc = api_param_id(c, 0, &id);
    if (rc == 0)
        rc = ota_deploy_approve(c->ota, c->db, c->arena, c->who->id, id, approve, &d, &c->err);
    return rc != 0 ? rc : reply(c, 200, id);
}

static int approve(struct call *c)
{
    return approve_or_deny(c, true);
}

static int deny(struct call *c)
{
    return approve_or_deny(c, false);
}

/* The cursor after the row of that id. */
static int end_list(struct call *c, struct api_list *l, bool more, int64_t last)
{
    const char *next = more ? arena_printf(c->arena, "%lld", (long long)last) : NULL;
    if (more && next == NULL) {
        yyjson_mut_doc_free(l->doc);
        return api_no_memory(c);
    }
    api_list_end(c, l, next);
    return 0;
}

static int list_deployments(struct call *c)
{
    const char *word;
    enum deployment_state state;
    int64_t after;
    size_t limit, count;
    bool more;
    struct deployment_view *list;
    int rc = api_query_text(c, "state", str_is_name, &word);
    if (rc == 0 && word != NULL && deployment_state_parse(str_of(word), &state) != 0)
        rc = err_set(&c->err, ERR_INVALID,
                     "state= is approval, scheduled, running, paused, finished, cancelled or denied");
    if (rc == 0)
        rc = api_query_limit(c, &limit);
    if (rc == 0)
        rc = api_query_id(c, "after", &after);
    if (rc == 0)
        rc = ota_deployment_list(c->db, c->arena, word != NULL ? &state : NULL, after, limit, &list, &count,
                                 &more, &c->err);
    struct api_list l;
    if (rc == 0)
        rc = api_list_begin(c, &l);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        deployment_put(l.doc, api_list_add(&l), &list[i]);
    return end_list(c, &l, more, count > 0 ? list[count - 1].d.pk : 0);
}

static int list_actions(struct call *c)
{
    int64_t id, after;
    size_t limit, count;
    bool more;
    struct action *list;
    int rc = api_param_id(c, 0, &id);
    if (rc == 0)
        rc = api_query_limit(c, &limit);
    if (rc == 0)
        rc = api_query_id(c, "after", &after);
    if (rc == 0)
        rc = ota_deployment_actions(c->db, c->arena, id, after, limit, &list, &count, &more, &c->err);
    struct api_list l;
    if (rc == 0)
        rc = api_list_begin(c, &l);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        deployment_put_action(l.doc, api_list_add(&l), &list[i]);
    return end_list(c, &l, more, count > 0 ? list[count - 1].pk : 0);
}

/* *state: room for the state. */
static int read_choice(struct call *c, enum member_state *state, struct member_choice *out)
{
    const char *word;
    struct member_choice which = {0};
    int rc = api_query_text(c, "state", str_is_name, &word);
    if (rc == 0)
        rc = api_query_id(c, "phase", &which.phase);
    if (rc != 0)
        return rc;
    which.retrying = word != NULL && strcmp(word, "retrying") == 0;
    if (word != NULL && !which.retrying) {
        if (member_state_parse(str_of(word), state) != 0)
            return err_set(&c->err, ERR_INVALID,
                           "state= is waiting, retrying, active, succeeded, already, failed or cancelled");
        which.state = state;
    }
    *out = which;
    return 0;
}

static int list_members(struct call *c)
{
    int64_t id, after;
    size_t limit, count;
    bool more;
    enum member_state state;
    struct member_choice which;
    struct member_row *list;
    int rc = api_param_id(c, 0, &id);
    if (rc == 0)
        rc = read_choice(c, &state, &which);
    if (rc == 0)
        rc = api_query_limit(c, &limit);
    if (rc == 0)
        rc = api_query_id(c, "after", &after);
    if (rc == 0)
        rc = ota_deployment_members(c->db, c->arena, id, &which, after, limit, &list, &count, &more, &c->err);
    struct api_list l;
    if (rc == 0)
        rc = api_list_begin(c, &l);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        deployment_put_member(l.doc, api_list_add(&l), &list[i]);
    return end_list(c, &l, more, count > 0 ? list[count - 1].m.device : 0);
}

static const struct route rows[] = {
    {HTTP_POST, "/api/deployments", WHO_WRITERS, BODY_JSON, DEPLOY_MAX, {{LANE_WRITE, create}}},
    {HTTP_GET, "/api/deployments", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, list_deployments}}},
    {HTTP_POST,
     "/api/deployments/preview",
     WHO_READERS,
     BODY_JSON,
     DEPLOY_MAX,
     {{LANE_QUERY, deployment_preview}}},
    {HTTP_GET, "/api/deployments/{}", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, show}}},
    {HTTP_GET, "/api/deployments/{}/actions", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, list_actions}}},
    {HTTP_GET, "/api/deployments/{}/devices", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, list_members}}},
    {HTTP_POST, "/api/deployments/{}/pause", WHO_APPROVERS, BODY_BYTES, STEER_MAX, {{LANE_WRITE, pause_it}}},
    {HTTP_POST, "/api/deployments/{}/resume", WHO_WRITERS, BODY_BYTES, STEER_MAX, {{LANE_WRITE, resume}}},
    {HTTP_POST, "/api/deployments/{}/next", WHO_WRITERS, BODY_BYTES, STEER_MAX, {{LANE_WRITE, next}}},
    {HTTP_POST, "/api/deployments/{}/approve", WHO_APPROVERS, BODY_BYTES, STEER_MAX, {{LANE_WRITE, approve}}},
    {HTTP_POST, "/api/deployments/{}/deny", WHO_APPROVERS, BODY_BYTES, STEER_MAX, {{LANE_WRITE, deny}}},
    {HTTP_POST, "/api/deployments/{}/cancel", WHO_WRITERS, BODY_BYTES, STEER_MAX, {{LANE_WRITE, cancel}}},
};

const struct route_table api_deployments_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
