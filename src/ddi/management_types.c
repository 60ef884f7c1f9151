/* /rest/v1/softwaremoduletypes and distributionsettypes: the ones that there are. And / itself. */
#include "ddi/ddi.h"
#include "ddi/management.h"
#include "model/module.h"

static void put_module_type(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *obj,
                            const struct module_type *t)
{
    yyjson_mut_obj_add_sint(doc, obj, "id", t->id);
    yyjson_mut_obj_add_str(doc, obj, "key", t->key);
    yyjson_mut_obj_add_str(doc, obj, "name", t->name);
    yyjson_mut_obj_add_str(doc, obj, "description", t->description);
    yyjson_mut_obj_add_int(doc, obj, "maxAssignments", t->max);
    yyjson_mut_obj_add_bool(doc, obj, "deleted", false);
    management_put_link(c, doc, obj, "self", "softwaremoduletypes/%lld", (long long)t->id);
}

static void put_set_type(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct set_type *t)
{
    yyjson_mut_obj_add_sint(doc, obj, "id", t->id);
    yyjson_mut_obj_add_str(doc, obj, "key", t->key);
    yyjson_mut_obj_add_str(doc, obj, "name", t->name);
    yyjson_mut_obj_add_str(doc, obj, "description", t->description);
    yyjson_mut_obj_add_bool(doc, obj, "deleted", false);
    management_put_link(c, doc, obj, "self", "distributionsettypes/%lld", (long long)t->id);
}

/* They are few, and always the same: a page of all. */
static int list_module_types(struct call *c)
{
    struct management_list l;
    int rc = management_list_begin(c, &l);
    for (size_t i = 0; rc == 0 && i < module_type_count; i++)
        put_module_type(c, l.doc, yyjson_mut_arr_add_obj(l.doc, l.content), &module_types[i]);
    if (rc == 0)
        management_list_end(c, &l, (int64_t)module_type_count);
    return rc;
}

static int list_set_types(struct call *c)
{
    struct management_list l;
    int rc = management_list_begin(c, &l);
    for (size_t i = 0; rc == 0 && i < set_type_count; i++)
        put_set_type(c, l.doc, yyjson_mut_arr_add_obj(l.doc, l.content), &set_types[i]);
    if (rc == 0)
        management_list_end(c, &l, (int64_t)set_type_count);
    return rc;
}

static int show_module_type(struct call *c)
{
    int64_t id;
    int rc = management_id(c, 0, &id);
    if (rc == 0 && (size_t)id > module_type_count)
        rc = err_set(&c->err, ERR_NOT_FOUND, "there is no software module type %lld", (long long)id);
    auto_json_mut yyjson_mut_doc *doc = rc == 0 ? management_doc(c, false) : NULL;
    if (doc == NULL)
        return c->err.code;
    put_module_type(c, doc, yyjson_mut_doc_get_root(doc), &module_types[id - 1]);
    http_reply_json(c->res, c->arena, 200, doc);
    return 0;
}

static int show_set_type(struct call *c)
{
    int64_t id;
    int rc = management_id(c, 0, &id);
    if (rc == 0 && (size_t)id > set_type_count)
        rc = err_set(&c->err, ERR_NOT_FOUND, "there is no distribution set type %lld", (long long)id);
    auto_json_mut yyjson_mut_doc *doc = rc == 0 ? management_doc(c, false) : NULL;
    if (doc == NULL)
        return c->err.code;
    put_set_type(c, doc, yyjson_mut_doc_get_root(doc), &set_types[id - 1]);
    http_reply_json(c->res, c->arena, 200, doc);
    return 0;
}

/* Scripts look here to see whether the server is up. */
static int root(struct call *c)
{
    http_reply(c->res, 200, "text/plain; charset=utf-8",
               STR("pqota. Its interfaces are described by /openapi.json.\n"));
    return 0;
}

static const struct route rows[] = {
    {HTTP_GET, "/", WHO_ANYONE, BODY_NONE, 0, {{LANE_READ, root}}},
    {HTTP_GET, "/rest/v1/softwaremoduletypes", WHO_READERS, BODY_NONE, 0, {{LANE_READ, list_module_types}}},
    {HTTP_GET, "/rest/v1/softwaremoduletypes/{}", WHO_READERS, BODY_NONE, 0, {{LANE_READ, show_module_type}}},
    {HTTP_GET, "/rest/v1/distributionsettypes", WHO_READERS, BODY_NONE, 0, {{LANE_READ, list_set_types}}},
    {HTTP_GET, "/rest/v1/distributionsettypes/{}", WHO_READERS, BODY_NONE, 0, {{LANE_READ, show_set_type}}},
};
const struct route_table ddi_types_routes = MANAGEMENT_TABLE(rows);
