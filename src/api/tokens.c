/* /api/tokens: enrolment tokens. */
#include "api/api.h"
#include "api/encode.h"
#include "ota/token.h"

static void put_token(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct token *t)
{
    yyjson_mut_obj_add_sint(doc, obj, "id", t->id);
    api_put_text(doc, obj, "model", t->model);
    api_put_text(doc, obj, "device", t->device_id);
    api_put_text(doc, obj, "note", t->note);
    yyjson_mut_obj_add_sint(doc, obj, "count", t->uses_max);
    yyjson_mut_obj_add_sint(doc, obj, "used", t->uses);
    api_put_time(doc, obj, "created", t->created_at);
    api_put_text(doc, obj, "created_by", t->created_by);
    api_put_time(doc, obj, "expires", t->expires_at);
    api_put_time(doc, obj, "revoked", t->revoked_at);
}

static int read_request(struct call *c, struct token_request *r)
{
    auto_json yyjson_doc *body = NULL;
    int rc = api_body(c, &body);
    if (rc != 0)
        return rc;
    yyjson_val *root = yyjson_doc_get_root(body);
    rc = api_need_text(c, root, "model", 128, &r->model);
    if (rc == 0)
        rc = api_get_text(c, root, "device", 64, &r->device);
    if (rc == 0)
        rc = api_get_text(c, root, "note", TOKEN_NOTE_MAX, &r->note);
    if (rc == 0)
        rc = json_get_i64(root, "count", 1, TOKEN_USES_MAX, 1, &r->uses, &c->err);
    if (rc == 0)
        rc = json_get_i64(root, "expires_in", 1, TOKEN_SECONDS_MAX, TOKEN_SECONDS_DEFAULT, &r->seconds,
                          &c->err);
    return rc;
}

static int create(struct call *c)
{
    struct token_request request = {0};
    struct token t;
    char text[TOKEN_TEXT_SIZE];
    int rc = read_request(c, &request);
    if (rc == 0)
        rc = ota_token_new(c->ota, c->db, c->arena, c->who, &request, text, &t, &c->err);
    if (rc != 0)
        return rc;
    auto_json_mut yyjson_mut_doc *doc = api_doc(c);
    if (doc == NULL)
        return c->err.code;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    put_token(doc, root, &t);
    yyjson_mut_obj_add_str(doc, root, "token", text);
    http_set(c->res, "Cache-Control", "no-store");
    http_reply_json(c->res, c->arena, 201, doc);
    return CALL_NEXT;
}

static int list(struct call *c)
{
    struct token *tokens = NULL;
    size_t count = 0, limit = 0;
    int64_t before = 0;
    int rc = api_query_limit(c, &limit);
    if (rc == 0)
        rc = api_query_id(c, "after", &before);
    if (rc == 0)
        rc = ota_token_list(c->db, c->arena, before, limit + 1, &tokens, &count, &c->err);
    if (rc != 0)
        return rc;
    bool more = api_list_cut(&count, limit);
    const char *next = more ? arena_printf(c->arena, "%lld", (long long)tokens[count - 1].id) : NULL;
    if (more && next == NULL)
        return api_no_memory(c);
    struct api_list l;
    rc = api_list_begin(c, &l);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        put_token(l.doc, api_list_add(&l), &tokens[i]);
    api_list_end(c, &l, next);
    return CALL_NEXT;
}

static int revoke(struct call *c)
{
    int64_t id = 0;
    int rc = api_param_id(c, 0, &id);
    if (rc == 0)
        rc = ota_token_revoke(c->ota, c->db, c->arena, c->who, id, &c->err);
    if (rc == 0)
        http_reply_empty(c->res, 204);
    return rc;
}

static const struct route rows[] = {
    {HTTP_POST, "/api/tokens", WHO_WRITERS, BODY_JSON, 8192, {{LANE_WRITE, create}}},
    {HTTP_GET, "/api/tokens", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, list}}},
    {HTTP_DELETE, "/api/tokens/{}", WHO_WRITERS, BODY_NONE, 0, {{LANE_WRITE, revoke}}},
};
const struct route_table api_tokens_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
