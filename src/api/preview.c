/* POST /api/deployments/preview: what a deployment would do. */
#include "api/deployment_json.h"
#include "ota/preview.h"

static void put_excluded(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct preview *p)
{
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, root, "excluded");
    for (size_t i = 0; i < p->excluded_count; i++) {
        yyjson_mut_val *row = yyjson_mut_arr_add_obj(doc, list);
        yyjson_mut_obj_add_str(doc, row, "code", p->excluded[i].code);
        api_put_text(doc, row, "reason", p->excluded[i].reason);
        yyjson_mut_obj_add_sint(doc, row, "devices", p->excluded[i].devices);
    }
}

static void put_changes(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct preview *p)
{
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, root, "changes");
    for (size_t i = 0; i < p->change_count; i++) {
        yyjson_mut_val *row = yyjson_mut_arr_add_obj(doc, list);
        api_put_text(doc, row, "model", p->changes[i].model);
        api_put_text(doc, row, "version", p->changes[i].version);
        yyjson_mut_obj_add_sint(doc, row, "devices", p->changes[i].devices);
    }
    list = yyjson_mut_obj_add_arr(doc, root, "sample");
    for (size_t i = 0; i < p->sample_count; i++) {
        yyjson_mut_val *row = yyjson_mut_arr_add_obj(doc, list);
        api_put_text(doc, row, "id", p->sample[i].id);
        api_put_text(doc, row, "model", p->sample[i].model);
        api_put_text(doc, row, "version", p->sample[i].version);
    }
}

static void put_phases(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct preview *p)
{
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, root, "phases");
    for (size_t i = 0; i < p->phase_count; i++) {
        yyjson_mut_val *row = yyjson_mut_arr_add_obj(doc, list);
        api_put_text(doc, row, "name", p->phases[i].name);
        yyjson_mut_obj_add_sint(doc, row, "devices", p->phases[i].devices);
    }
    list = yyjson_mut_obj_add_arr(doc, root, "warnings");
    for (size_t i = 0; i < p->warning_count; i++)
        yyjson_mut_arr_add_str(doc, list, p->warnings[i]);
}

int deployment_preview(struct call *c)
{
    auto_json yyjson_doc *body = NULL;
    struct deploy d;
    struct preview *p = arena_new(c->arena, struct preview);
    if (p == NULL)
        return api_no_memory(c);
    int rc = api_body(c, &body);
    if (rc == 0)
        rc = deployment_read(c, yyjson_doc_get_root(body), &d);
    if (rc == 0)
        rc = ota_preview(c->ota, c->db, c->arena, &d, p, &c->err);
    if (rc != 0)
        return rc;
    auto_json_mut yyjson_mut_doc *doc = api_doc(c);
    if (doc == NULL)
        return c->err.code;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    yyjson_mut_obj_add_sint(doc, root, "devices", p->devices);
    yyjson_mut_obj_add_bool(doc, root, "complete", p->complete);
    yyjson_mut_obj_add_sint(doc, root, "already", p->already);
    put_excluded(doc, root, p);
    put_changes(doc, root, p);
    put_phases(doc, root, p);
    http_reply_json(c->res, c->arena, 200, doc);
    return 0;
}
