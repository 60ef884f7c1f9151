/* /api/devices: devices that come by hawkBit's protocol with a token, and what becomes of the token. */
#include <string.h>

#include "api/api.h"
#include "api/encode.h"
#include "ota/ddi_device.h"

#define BODY_MAX 16384

static int reply_token(struct call *c, int status, const char *id, char token[DDI_TOKEN_SIZE])
{
    auto_json_mut yyjson_mut_doc *doc = api_doc(c);
    if (doc != NULL) {
        yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
        api_put_text(doc, root, "id", id);
        api_put_text(doc, root, "token", token);
        http_set(c->res, "Cache-Control", "no-store");
        http_reply_json(c->res, c->arena, status, doc);
    }
    explicit_bzero(token, DDI_TOKEN_SIZE);
    return doc != NULL ? CALL_NEXT : c->err.code;
}

/* One that is missing is to be made; an empty one is a mistake. */
static int take_token(struct call *c, yyjson_val *root, struct str *out)
{
    if (yyjson_obj_get(root, "token") == NULL)
        return 0;
    int rc = json_get_str(root, "token", DDI_TOKEN_MAX, out, &c->err);
    return rc == 0 ? ddi_token_check(*out, &c->err) : rc;
}

static int add(struct call *c)
{
    auto_json yyjson_doc *body = NULL;
    struct ddi_new n = {0};
    char token[DDI_TOKEN_SIZE];
    int rc = api_body(c, &body);
    yyjson_val *root = rc == 0 ? yyjson_doc_get_root(body) : NULL;
    if (rc == 0)
        rc = api_need_text(c, root, "id", 64, &n.id);
    if (rc == 0)
        rc = api_get_text(c, root, "model", 128, &n.model);
    if (rc == 0)
        rc = api_get_text(c, root, "name", DDI_NAME_MAX, &n.name);
    if (rc == 0)
        rc = api_get_text(c, root, "description", DDI_DESCRIPTION_MAX, &n.description);
    if (rc == 0)
        rc = take_token(c, root, &n.token);
    if (rc == 0)
        rc = ota_ddi_create(c->ota, c->db, c->arena, c->who, &n, token, &c->err);
    return rc == 0 ? reply_token(c, 201, n.id, token) : rc;
}

static int show(struct call *c)
{
    const char *id = NULL;
    char token[DDI_TOKEN_SIZE];
    int rc = api_param_text(c, 0, str_is_device_id, &id);
    if (rc == 0)
        rc = ota_ddi_token_show(c->ota, c->db, c->arena, c->who, id, token, &c->err);
    return rc == 0 ? reply_token(c, 200, id, token) : rc;
}

static int change(struct call *c)
{
    auto_json yyjson_doc *body = NULL;
    const char *id = NULL;
    struct str given = {0};
    char token[DDI_TOKEN_SIZE];
    int rc = api_param_text(c, 0, str_is_device_id, &id);
    if (rc == 0)
        rc = api_body(c, &body);
    if (rc == 0)
        rc = take_token(c, yyjson_doc_get_root(body), &given);
    if (rc == 0)
        rc = ota_ddi_token_set(c->ota, c->db, c->arena, c->who, id, given, token, &c->err);
    return rc == 0 ? reply_token(c, 200, id, token) : rc;
}

static int release(struct call *c)
{
    const char *id = NULL;
    int rc = api_param_text(c, 0, str_is_device_id, &id);
    if (rc == 0)
        rc = ota_ddi_release(c->ota, c->db, c->arena, c->who, id, &c->err);
    if (rc == 0)
        http_reply_empty(c->res, 204);
    return rc;
}

static const struct route rows[] = {
    {HTTP_POST, "/api/devices", WHO_WRITERS, BODY_JSON, BODY_MAX, {{LANE_WRITE, add}}},
    {HTTP_GET, "/api/devices/{}/token", WHO_WRITERS, BODY_NONE, 0, {{LANE_QUERY, show}}},
    {HTTP_PUT, "/api/devices/{}/token", WHO_WRITERS, BODY_JSON, BODY_MAX, {{LANE_WRITE, change}}},
    {HTTP_POST, "/api/devices/{}/release", WHO_WRITERS, BODY_JSON, 4096, {{LANE_WRITE, release}}},
};
const struct route_table api_device_tokens_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
