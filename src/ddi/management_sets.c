/* /rest/v1/distributionsets: releases that are put together from modules. */
#include "ddi/ddi.h"
#include "ddi/management_json.h"

static const struct management_field fields[] = {
    {"id", "d.pk"},
    {"name", "d.name"},
    {"version", "d.version"},
    {"type", "d.type"},
    {"typeName", "d.type"},
    {"description", "d.notes"},
    {"createdAt", "d.created_at"},
    {"createdBy", "d.created_by"},
    {"lastModifiedAt", "d.created_at"},
    {NULL, NULL},
};

static int read_modules(struct call *c, yyjson_val *item, struct set_new *n)
{
    yyjson_val *list = yyjson_obj_get(item, "modules"), *one;
    size_t i, max, count = yyjson_arr_size(list);
    int64_t *ids = arena_array(c->arena, int64_t, count + 1);
    if (ids == NULL)
        return management_no_memory(c);
    if (list != NULL && !yyjson_is_null(list) && !yyjson_is_arr(list))
        return err_set(&c->err, ERR_INVALID, "\"modules\" is a list of objects with an \"id\"");
    yyjson_arr_foreach(list, i, max, one)
    {
        int64_t id = 0;
        int rc = yyjson_is_obj(one) ? management_number(c, one, "id", 1, MANAGEMENT_ID_MAX, 0, &id) : 0;
        if (rc == 0 && id == 0)
            rc = err_set(&c->err, ERR_INVALID, "\"modules\" is a list of objects with an \"id\"");
        if (rc != 0)
            return rc;
        ids[i] = id;
    }
    n->modules = ids;
    n->module_count = count;
    return 0;
}

static int create_one(struct call *c, yyjson_val *item, yyjson_mut_doc *doc)
{
    struct set_new n;
    struct set made;
    int rc = management_need(c, item, "name", MODULE_TEXT_MAX, &n.name);
    if (rc == 0)
        rc = management_need(c, item, "version", MODULE_TEXT_MAX, &n.version);
    if (rc == 0)
        rc = management_text(c, item, "type", 64, &n.type);
    if (rc == 0 && n.type.n == 0)
        n.type = STR("os"); /* hawkBit's default */
    if (rc == 0)
        rc = management_text(c, item, "description", RELEASE_NOTES_MAX, &n.description);
    if (rc == 0)
        rc = read_modules(c, item, &n);
    if (rc == 0)
        rc = ota_set_create(c->ota, c->db, c->arena, c->who->id, &n, &made, &c->err);
    if (rc == 0)
        management_put_set(c, doc, yyjson_mut_arr_add_obj(doc, yyjson_mut_doc_get_root(doc)), &made);
    return rc == ERR_TOO_LARGE ? management_refuse(c, 429, rc) : rc;
}

static int create(struct call *c)
{
    return management_create(c, create_one);
}

static int list(struct call *c)
{
    struct listing q;
    struct set *found;
    size_t count;
    int64_t total;
    struct management_list l;
    int rc = management_plain_page(c, fields, &q);
    if (rc == 0)
        rc = ota_set_list(c->db, c->arena, &q, &found, &count, &total, &c->err);
    if (rc == 0)
        rc = management_list_begin(c, &l);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        management_put_set(c, l.doc, yyjson_mut_arr_add_obj(l.doc, l.content), &found[i]);
    management_list_end(c, &l, total);
    return 0;
}

static int show(struct call *c)
{
    int64_t id;
    struct set s;
    int rc = management_id(c, 0, &id);
    if (rc == 0)
        rc = ota_set_show(c->db, c->arena, id, &s, &c->err);
    auto_json_mut yyjson_mut_doc *doc = rc == 0 ? management_doc(c, false) : NULL;
    if (doc == NULL)
        return c->err.code;
    management_put_set(c, doc, yyjson_mut_doc_get_root(doc), &s);
    http_reply_json(c->res, c->arena, 200, doc);
    return 0;
}

static int delete(struct call *c)
{
    int64_t id;
    int rc = management_id(c, 0, &id);
    if (rc == 0)
        rc = ota_set_delete(c->ota, c->db, c->arena, c->who->id, id, &c->err);
    if (rc == 0)
        http_reply_empty(c->res, 204);
    return rc;
}

static const struct route rows[] = {
    {HTTP_GET, "/rest/v1/distributionsets", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, list}}},
    {HTTP_POST,
     "/rest/v1/distributionsets",
     WHO_WRITERS,
     BODY_JSON,
     MANAGEMENT_BODY_MAX,
     {{LANE_WRITE, create}}},
    {HTTP_GET, "/rest/v1/distributionsets/{}", WHO_READERS, BODY_NONE, 0, {{LANE_READ, show}}},
    {HTTP_DELETE, "/rest/v1/distributionsets/{}", WHO_WRITERS, BODY_NONE, 0, {{LANE_WRITE, delete}}},
};
const struct route_table ddi_sets_routes = MANAGEMENT_TABLE(rows);
