/* /rest/v1/system/configs: what can be set while the server runs, by hawkBit's keys. */
#include "ddi/ddi.h"
#include "ddi/management.h"
#include "ota/settings.h"

static int key_of(struct call *c, const char **out)
{
    const char *key = str_is_name(c->param[0]) ? arena_dup_str(c->arena, c->param[0]) : "";
    if (key == NULL)
        return management_no_memory(c);
    *out = key;
    return 0;
}

static void put_value(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct setting_value *v)
{
    if (v->kind == SETTING_BOOL)
        yyjson_mut_obj_add_bool(doc, obj, "value", v->on);
    else if (v->text != NULL)
        yyjson_mut_obj_add_str(doc, obj, "value", v->text);
    else
        yyjson_mut_obj_add_null(doc, obj, "value");
    yyjson_mut_obj_add_bool(doc, obj, "global", !v->set);
    if (v->set) {
        yyjson_mut_obj_add_sint(doc, obj, "lastModifiedAt", v->changed_at);
        yyjson_mut_obj_add_str(doc, obj, "lastModifiedBy", v->changed_by);
    }
}

static int list(struct call *c)
{
    struct setting_value *found;
    size_t count = 0;
    int rc = ota_setting_list(c->ota, c->db, c->arena, &found, &count, &c->err);
    auto_json_mut yyjson_mut_doc *doc = rc == 0 ? management_doc(c, false) : NULL;
    if (doc == NULL)
        return c->err.code;
    for (size_t i = 0; i < count; i++)
        put_value(doc, yyjson_mut_obj_add_obj(doc, yyjson_mut_doc_get_root(doc), found[i].key), &found[i]);
    http_reply_json(c->res, c->arena, 200, doc);
    return 0;
}

static int show(struct call *c)
{
    const char *key;
    struct setting_value v;
    int rc = key_of(c, &key);
    if (rc == 0)
        rc = ota_setting_show(c->ota, c->db, c->arena, c->who, key, &v, &c->err);
    auto_json_mut yyjson_mut_doc *doc = rc == 0 ? management_doc(c, false) : NULL;
    if (doc == NULL)
        return c->err.code;
    put_value(doc, yyjson_mut_doc_get_root(doc), &v);
    http_reply_json(c->res, c->arena, 200, doc);
    return 0;
}

/* As a text: what scripts send as true, "true" or a number is the same. */
static int read_value(struct call *c, yyjson_val *body, struct str *out)
{
    yyjson_val *v = yyjson_obj_get(body, "value");
    if (yyjson_is_bool(v))
        *out = yyjson_get_bool(v) ? STR("true") : STR("false");
    else if (yyjson_is_int(v))
        *out = str_of(arena_printf(c->arena, "%lld", (long long)yyjson_get_sint(v)));
    else if (yyjson_is_str(v))
        return json_get_str(body, "value", SETTINGS_TEXT_SIZE - 1, out, &c->err);
    else
        return err_set(&c->err, ERR_INVALID, "the body must be {\"value\": ...}");
    return out->p != NULL ? 0 : management_no_memory(c);
}

static int put(struct call *c)
{
    auto_json yyjson_doc *body = NULL;
    const char *key;
    struct str text;
    int rc = key_of(c, &key);
    if (rc == 0)
        rc = management_object(c, &body);
    if (rc == 0)
        rc = read_value(c, yyjson_doc_get_root(body), &text);
    if (rc == 0)
        rc = ota_setting_put(c->ota, c->db, c->arena, c->who, key, text, &c->err);
    return rc != 0 ? rc : show(c);
}

static int reset(struct call *c)
{
    const char *key;
    int rc = key_of(c, &key);
    if (rc == 0)
        rc = ota_setting_reset(c->ota, c->db, c->arena, c->who, key, &c->err);
    if (rc == 0)
        http_reply_empty(c->res, 204);
    return rc;
}

#define BODY_MAX 4096
static const struct route rows[] = {
    {HTTP_GET, "/rest/v1/system/configs", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, list}}},
    {HTTP_GET, "/rest/v1/system/configs/{}", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, show}}},
    {HTTP_PUT, "/rest/v1/system/configs/{}", WHO_ADMIN, BODY_JSON, BODY_MAX, {{LANE_WRITE, put}}},
    {HTTP_DELETE, "/rest/v1/system/configs/{}", WHO_ADMIN, BODY_NONE, 0, {{LANE_WRITE, reset}}},
};
const struct route_table ddi_configs_routes = MANAGEMENT_TABLE(rows);
