/* /api/deployments: a release for one device, a tag, a model or all. */
#include "api/api.h"
#include "api/firmware_json.h"
#include "ota/deploy.h"

#define DEPLOY_MAX 4096 /* bytes of a request's body */

static void put_counts(yyjson_mut_doc *doc, yyjson_mut_val *obj, const int64_t counts[ACTION_STATES])
{
    yyjson_mut_val *actions = yyjson_mut_obj_add_obj(doc, obj, "actions");
    for (unsigned i = 0; i < ACTION_STATES; i++)
        yyjson_mut_obj_add_sint(doc, actions, action_state_word((enum action_state)i), counts[i]);
}

static void put_deployment(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct deployment_view *v)
{
    const struct deployment *d = &v->d;
    yyjson_mut_obj_add_sint(doc, obj, "id", d->pk);
    firmware_put_name(doc, obj, d->release, d->release_name, d->release_version);
    yyjson_mut_val *target = yyjson_mut_obj_add_obj(doc, obj, "target");
    yyjson_mut_obj_add_str(doc, target, "kind", target_kind_word(d->kind));
    yyjson_mut_obj_add_str(doc, target, "value", d->target);
    yyjson_mut_obj_add_str(doc, obj, "state", deployment_state_word(d->state));
    yyjson_mut_obj_add_bool(doc, obj, "allow_downgrade", d->allow_downgrade);
    api_put_time(doc, obj, "created", d->created_at);
    yyjson_mut_obj_add_str(doc, obj, "created_by", d->created_by);
    api_put_time(doc, obj, "closed", d->closed_at);
    put_counts(doc, obj, v->actions);
}

static int reply(struct call *c, int status, int64_t id)
{
    struct deployment_view v;
    int rc = ota_deployment_show(c->db, c->arena, id, &v, &c->err);
    if (rc != 0)
        return rc;
    auto_json_mut yyjson_mut_doc *doc = api_doc(c);
    if (doc == NULL)
        return c->err.code;
    put_deployment(doc, yyjson_mut_doc_get_root(doc), &v);
    http_reply_json(c->res, c->arena, status, doc);
    return 0;
}

/* A member that is misspelt would change what is deployed where. */
static int check_members(struct call *c, yyjson_val *obj, const char *const *known, size_t count)
{
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(obj, i, max, key, value)
    {
        bool found = false;
        for (size_t k = 0; k < count && !found; k++)
            found = yyjson_equals_str(key, known[k]);
        if (!found)
            return err_set(&c->err, ERR_INVALID,
                           "the body has the member \"%.64s\", which means nothing here",
                           yyjson_get_str(key));
    }
    return 0;
}

static int read_name(struct call *c, yyjson_val *body, const char *key, struct str *out)
{
    int rc = json_get_str(body, key, 128, out, &c->err);
    if (rc == 0 && out->p != NULL && !str_is_name(*out))
        return err_set(&c->err, ERR_INVALID, "\"%s\" has characters that it cannot have", key);
    return rc;
}

static int read_release(struct call *c, yyjson_val *body, struct deploy *d)
{
    int rc = json_get_i64(body, "release", 1, API_ID_MAX, 0, &d->release, &c->err);
    if (rc == 0)
        rc = read_name(c, body, "name", &d->name);
    if (rc == 0)
        rc = read_name(c, body, "version", &d->version);
    if (rc != 0)
        return rc;
    if (d->release != 0 ? d->name.p != NULL || d->version.p != NULL : d->version.p == NULL)
        return err_set(&c->err, ERR_INVALID,
                       "say which firmware: \"release\" (its id), or \"version\" and \"name\"");
    return 0;
}

static int read_target(struct call *c, yyjson_val *body, struct deploy *d)
{
    static const char *const members[] = {"kind", "value"};
    yyjson_val *target = yyjson_obj_get(body, "target");
    struct str kind;
    if (!yyjson_is_obj(target))
        return err_set(&c->err, ERR_INVALID, "the body lacks \"target\": {\"kind\": ..., \"value\": ...}");
    int rc = check_members(c, target, members, 2);
    if (rc == 0)
        rc = json_get_str(target, "kind", 16, &kind, &c->err);
    if (rc == 0)
        rc = json_get_str(target, "value", 128, &d->target, &c->err);
    if (rc == 0 && target_kind_parse(kind, &d->kind) != 0)
        rc = err_set(&c->err, ERR_INVALID, "the target's \"kind\" is device, tag, model or all");
    return rc;
}

static int create(struct call *c)
{
    static const char *const members[] = {"release", "name", "version", "target", "allow_downgrade"};
    auto_json yyjson_doc *doc = NULL;
    struct deploy d = {0};
    struct deployment made;
    int rc = api_body(c, &doc);
    yyjson_val *body = yyjson_doc_get_root(doc);
    if (rc == 0)
        rc = check_members(c, body, members, sizeof members / sizeof members[0]);
    if (rc == 0)
        rc = read_release(c, body, &d);
    if (rc == 0)
        rc = read_target(c, body, &d);
    if (rc != 0)
        return rc;
    yyjson_val *downgrade = yyjson_obj_get(body, "allow_downgrade");
    if (downgrade != NULL && !yyjson_is_bool(downgrade))
        return err_set(&c->err, ERR_INVALID, "\"allow_downgrade\" must be true or false");
    d.allow_downgrade = yyjson_is_true(downgrade);
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

static int cancel(struct call *c)
{
    int64_t id;
    struct deployment d;
    int rc = api_param_id(c, 0, &id);
    if (rc == 0)
        rc = ota_deploy_cancel(c->ota, c->db, c->arena, c->who->id, id, &d, &c->err);
    return rc != 0 ? rc : reply(c, 200, id);
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
        rc = err_set(&c->err, ERR_INVALID, "state= is running or cancelled");
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
        put_deployment(l.doc, api_list_add(&l), &list[i]);
    return end_list(c, &l, more, count > 0 ? list[count - 1].d.pk : 0);
}

static void put_action(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct action *a)
{
    yyjson_mut_obj_add_sint(doc, obj, "id", a->pk);
    yyjson_mut_obj_add_str(doc, obj, "device", a->device_id);
    yyjson_mut_obj_add_str(doc, obj, "state", action_state_word(a->state));
    if (a->progress == ACTION_PROGRESS_NONE)
        yyjson_mut_obj_add_null(doc, obj, "progress");
    else
        yyjson_mut_obj_add_sint(doc, obj, "progress", a->progress);
    yyjson_mut_obj_add_str(doc, obj, "message", a->message);
    api_put_time(doc, obj, "created", a->created_at);
    api_put_time(doc, obj, "updated", a->updated_at);
    api_put_time(doc, obj, "closed", a->closed_at);
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
        put_action(l.doc, api_list_add(&l), &list[i]);
    return end_list(c, &l, more, count > 0 ? list[count - 1].pk : 0);
}

static const struct route rows[] = {
    {HTTP_POST, "/api/deployments", WHO_WRITERS, BODY_JSON, DEPLOY_MAX, {{LANE_WRITE, create}}},
    {HTTP_GET, "/api/deployments", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, list_deployments}}},
    {HTTP_GET, "/api/deployments/{}", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, show}}},
    {HTTP_GET, "/api/deployments/{}/actions", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, list_actions}}},
    {HTTP_POST, "/api/deployments/{}/cancel", WHO_WRITERS, BODY_BYTES, DEPLOY_MAX, {{LANE_WRITE, cancel}}},
};

const struct route_table api_deployments_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
