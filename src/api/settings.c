/* /api/settings: what can be set while the server runs, by hawkBit's keys. */
#include "ota/settings.h"

#include "api/api.h"
#include "api/encode.h"

#define BODY_MAX 8192

static void put_setting(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct setting_value *v)
{
    api_put_text(doc, obj, "key", v->key);
    if (v->kind == SETTING_BOOL)
        yyjson_mut_obj_add_bool(doc, obj, "value", v->on);
    else
        api_put_text(doc, obj, "value", v->text);
    yyjson_mut_obj_add_bool(doc, obj, "secret", v->kind == SETTING_SECRET);
    yyjson_mut_obj_add_bool(doc, obj, "set", v->set);
    api_put_time(doc, obj, "changed", v->changed_at);
    api_put_text(doc, obj, "changed_by", v->changed_by);
}

static int list(struct call *c)
{
    struct setting_value *values;
    size_t count = 0;
    struct api_list l;
    int rc = ota_setting_list(c->ota, c->db, c->arena, &values, &count, &c->err);
    if (rc == 0)
        rc = api_list_begin(c, &l);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        put_setting(l.doc, api_list_add(&l), &values[i]);
    api_list_end(c, &l, NULL);
    return CALL_NEXT;
}

static bool is_key(struct str s)
{
    return s.n > 0 && s.n <= 128;
}

static int show(struct call *c)
{
    const char *key = NULL;
    struct setting_value v;
    int rc = api_param_text(c, 0, is_key, &key);
    if (rc == 0)
        rc = ota_setting_show(c->ota, c->db, c->arena, c->who, key, &v, &c->err);
    if (rc != 0)
        return rc;
    auto_json_mut yyjson_mut_doc *doc = api_doc(c);
    if (doc == NULL)
        return c->err.code;
    put_setting(doc, yyjson_mut_doc_get_root(doc), &v);
    http_set(c->res, "Cache-Control", "no-store");
    http_reply_json(c->res, c->arena, 200, doc);
    return CALL_NEXT;
}

/* {"value": true} or {"value": "00:05:00"} */
static int take_value(struct call *c, yyjson_val *root, struct str *out)
{
    yyjson_val *value = yyjson_obj_get(root, "value");
    if (yyjson_is_bool(value)) {
        *out = yyjson_get_bool(value) ? STR("true") : STR("false");
        return 0;
    }
    return json_get_str(root, "value", SETTINGS_TEXT_SIZE - 1, out, &c->err);
}

static int change(struct call *c)
{
    auto_json yyjson_doc *body = NULL;
    const char *key = NULL;
    struct str value;
    int rc = api_param_text(c, 0, is_key, &key);
    if (rc == 0)
        rc = api_body(c, &body);
    if (rc == 0)
        rc = take_value(c, yyjson_doc_get_root(body), &value);
    if (rc == 0)
        rc = ota_setting_put(c->ota, c->db, c->arena, c->who, key, value, &c->err);
    if (rc == 0)
        http_reply_empty(c->res, 204);
    return rc;
}

static int reset(struct call *c)
{
    const char *key = NULL;
    int rc = api_param_text(c, 0, is_key, &key);
    if (rc == 0)
        rc = ota_setting_reset(c->ota, c->db, c->arena, c->who, key, &c->err);
    if (rc == 0)
        http_reply_empty(c->res, 204);
    return rc;
}

static const struct route rows[] = {
    {HTTP_GET, "/api/settings", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, list}}},
    {HTTP_GET, "/api/settings/{}", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, show}}},
    {HTTP_PUT, "/api/settings/{}", WHO_ADMIN, BODY_JSON, BODY_MAX, {{LANE_WRITE, change}}},
    {HTTP_DELETE, "/api/settings/{}", WHO_ADMIN, BODY_NONE, 0, {{LANE_WRITE, reset}}},
};
const struct route_table api_settings_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
