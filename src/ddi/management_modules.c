/* /rest/v1/softwaremodules: made, shown, told of, deleted. */
#include "ddi/ddi.h"
#include "ddi/management_json.h"

static const struct management_field fields[] = {
    {"id", "d.pk"},
    {"name", "d.name"},
    {"version", "d.version"},
    {"type", "d.type"},
    {"typeName", "d.type"},
    {"vendor", "d.vendor"},
    {"createdAt", "d.created_at"},
    {"createdBy", "d.created_by"},
    {"description", "d.description"},
    {"lastModifiedAt", "d.created_at"},
    {NULL, NULL},
};

static int create_one(struct call *c, yyjson_val *item, yyjson_mut_doc *doc)
{
    struct module_new n;
    struct module made;
    int rc = management_need(c, item, "name", MODULE_TEXT_MAX, &n.name);
    if (rc == 0)
        rc = management_need(c, item, "version", MODULE_TEXT_MAX, &n.version);
    if (rc == 0)
        rc = management_need(c, item, "type", 64, &n.type);
    if (rc == 0)
        rc = management_text(c, item, "vendor", MODULE_TEXT_MAX, &n.vendor);
    if (rc == 0)
        rc = management_text(c, item, "description", MODULE_DESCRIPTION_MAX, &n.description);
    if (rc == 0)
        rc = management_bool(c, item, "encrypted", false, &n.encrypted);
    if (rc == 0)
        rc = ota_module_create(c->ota, c->db, c->arena, c->who->id, &n, &made, &c->err);
    if (rc == 0)
        management_put_module(c, doc, yyjson_mut_arr_add_obj(doc, yyjson_mut_doc_get_root(doc)), &made);
    return rc;
}

static int create(struct call *c)
{
    return management_create(c, create_one);
}

static int list(struct call *c)
{
    struct listing q;
    struct module *found;
    size_t count;
    int64_t total;
    struct management_list l;
    int rc = management_plain_page(c, fields, &q);
    if (rc == 0)
        rc = ota_module_list(c->db, c->arena, &q, &found, &count, &total, &c->err);
    if (rc == 0)
        rc = management_list_begin(c, &l);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        management_put_module(c, l.doc, yyjson_mut_arr_add_obj(l.doc, l.content), &found[i]);
    management_list_end(c, &l, total);
    return 0;
}

static int reply(struct call *c, const struct module *m)
{
    auto_json_mut yyjson_mut_doc *doc = management_doc(c, false);
    if (doc == NULL)
        return c->err.code;
    management_put_module(c, doc, yyjson_mut_doc_get_root(doc), m);
    http_reply_json(c->res, c->arena, 200, doc);
    return 0;
}

static int show(struct call *c)
{
    int64_t id;
    struct module m;
    int rc = management_id(c, 0, &id);
    if (rc == 0)
        rc = ota_module_show(c->db, c->arena, id, &m, &c->err);
    return rc != 0 ? rc : reply(c, &m);
}

static int change(struct call *c)
{
    auto_json yyjson_doc *body = NULL;
    int64_t id;
    struct module m;
    struct str vendor, description;
    int rc = management_id(c, 0, &id);
    if (rc == 0)
        rc = management_object(c, &body);
    if (rc == 0)
        rc = management_text(c, yyjson_doc_get_root(body), "vendor", MODULE_TEXT_MAX, &vendor);
    if (rc == 0)
        rc = management_text(c, yyjson_doc_get_root(body), "description", MODULE_DESCRIPTION_MAX,
                             &description);
    if (rc == 0)
        rc = ota_module_describe(c->db, c->arena, id, vendor, description, &m, &c->err);
    return rc != 0 ? rc : reply(c, &m);
}

static int delete(struct call *c)
{
    int64_t id;
    int rc = management_id(c, 0, &id);
    if (rc == 0)
        rc = ota_module_delete(c->ota, c->db, c->arena, c->who->id, id, &c->err);
    if (rc == 0)
        http_reply_empty(c->res, 204);
    return rc;
}

/* --- metadata ---------------------------------------------------------------------------------------- */

static void put_entry(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct module_metadata *m)
{
    yyjson_mut_obj_add_str(doc, obj, "key", m->key);
    yyjson_mut_obj_add_str(doc, obj, "value", m->value);
    yyjson_mut_obj_add_bool(doc, obj, "targetVisible", m->visible);
}

static int tell_one(struct call *c, int64_t module, yyjson_val *item)
{
    struct str key, value;
    bool visible = false;
    int rc = management_need(c, item, "key", MODULE_KEY_MAX, &key);
    if (rc == 0)
        rc = management_text(c, item, "value", MODULE_VALUE_MAX, &value);
    if (rc == 0)
        rc = management_bool(c, item, "targetVisible", false, &visible);
    if (rc == 0)
        rc = ota_module_tell(c->db, c->arena, module, key, value, visible, &c->err);
    return rc == ERR_TOO_LARGE ? management_refuse(c, 429, rc) : rc;
}

static int read_metadata(struct call *c, int64_t module, struct module_metadata **found, size_t *count)
{
    return ota_module_metadata(c->db, c->arena, module, found, count, &c->err);
}

static int tell(struct call *c)
{
    auto_json yyjson_doc *body = NULL;
    int64_t id;
    size_t count = 0;
    struct module_metadata *found;
    int rc = management_id(c, 0, &id);
    if (rc == 0)
        rc = management_array(c, &body, &count);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = tell_one(c, id, management_item(body, i));
    if (rc == 0)
        rc = read_metadata(c, id, &found, &count);
    auto_json_mut yyjson_mut_doc *doc = rc == 0 ? management_doc(c, true) : NULL;
    if (doc == NULL)
        return c->err.code;
    for (size_t i = 0; i < count; i++)
        put_entry(doc, yyjson_mut_arr_add_obj(doc, yyjson_mut_doc_get_root(doc)), &found[i]);
    http_reply_json(c->res, c->arena, 201, doc);
    return 0;
}

static int list_metadata(struct call *c)
{
    int64_t id;
    struct module_metadata *found;
    size_t count = 0;
    struct management_list l;
    int rc = management_id(c, 0, &id);
    if (rc == 0)
        rc = read_metadata(c, id, &found, &count);
    if (rc == 0)
        rc = management_list_begin(c, &l);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        put_entry(l.doc, yyjson_mut_arr_add_obj(l.doc, l.content), &found[i]);
    management_list_end(c, &l, (int64_t)count);
    return 0;
}

#define BODY BODY_JSON, MANAGEMENT_BODY_MAX
static const struct route rows[] = {
    {HTTP_GET, "/rest/v1/softwaremodules", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, list}}},
    {HTTP_POST, "/rest/v1/softwaremodules", WHO_WRITERS, BODY, {{LANE_WRITE, create}}},
    {HTTP_GET, "/rest/v1/softwaremodules/{}", WHO_READERS, BODY_NONE, 0, {{LANE_READ, show}}},
    {HTTP_PUT, "/rest/v1/softwaremodules/{}", WHO_WRITERS, BODY, {{LANE_WRITE, change}}},
    {HTTP_DELETE, "/rest/v1/softwaremodules/{}", WHO_WRITERS, BODY_NONE, 0, {{LANE_WRITE, delete}}},
    {HTTP_GET,
     "/rest/v1/softwaremodules/{}/metadata",
     WHO_READERS,
     BODY_NONE,
     0,
     {{LANE_QUERY, list_metadata}}},
    {HTTP_POST, "/rest/v1/softwaremodules/{}/metadata", WHO_WRITERS, BODY, {{LANE_WRITE, tell}}},
};
const struct route_table ddi_modules_routes = MANAGEMENT_TABLE(rows);
