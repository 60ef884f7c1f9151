#include "api/firmware_json.h"

#include "ota/catalogue.h"

static const char *file_url(struct call *c, const struct release *r)
{
    return arena_printf(c->arena, "%s/api/firmware/%lld/file", c->base_url, (long long)r->pk);
}

static void put_file(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct artifact *f, const char *url)
{
    yyjson_mut_obj_add_str(doc, obj, "filename", f->filename);
    yyjson_mut_obj_add_sint(doc, obj, "size", f->size);
    yyjson_mut_obj_add_str(doc, obj, "sha256", f->sha256);
    yyjson_mut_obj_add_str(doc, obj, "url", url);
}

int firmware_put_artifacts(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct release *r)
{
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, obj, "artifacts");
    const char *url = file_url(c, r);
    if (list == NULL || url == NULL)
        return api_no_memory(c);
    for (size_t i = 0; i < r->artifact_count; i++) {
        yyjson_mut_val *file = yyjson_mut_arr_add_obj(doc, list);
        if (file == NULL)
            return api_no_memory(c);
        put_file(doc, file, &r->artifacts[i], url);
    }
    return 0;
}

yyjson_mut_val *firmware_put_name(yyjson_mut_doc *doc, yyjson_mut_val *obj, int64_t id, const char *name,
                                  const char *version)
{
    yyjson_mut_val *release = yyjson_mut_obj_add_obj(doc, obj, "release");
    yyjson_mut_obj_add_sint(doc, release, "id", id);
    yyjson_mut_obj_add_str(doc, release, "name", name);
    yyjson_mut_obj_add_str(doc, release, "version", version);
    return release;
}

int firmware_put(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct release *r)
{
    yyjson_mut_obj_add_sint(doc, obj, "id", r->pk);
    yyjson_mut_obj_add_str(doc, obj, "name", r->name);
    yyjson_mut_obj_add_str(doc, obj, "version", r->version);
    yyjson_mut_obj_add_str(doc, obj, "state", release_state_word(r->state));
    yyjson_mut_val *models = yyjson_mut_obj_add_arr(doc, obj, "models");
    for (size_t i = 0; i < r->model_count; i++)
        yyjson_mut_arr_add_str(doc, models, r->models[i]);
    yyjson_mut_obj_add_sint(doc, obj, "sequence", r->sequence);
    if (r->artifact_count > 0) {
        const char *url = file_url(c, r);
        if (url == NULL)
            return api_no_memory(c);
        put_file(doc, obj, &r->artifacts[0], url);
    } else {
        yyjson_mut_obj_add_null(doc, obj, "filename");
        yyjson_mut_obj_add_null(doc, obj, "size");
        yyjson_mut_obj_add_null(doc, obj, "sha256");
        yyjson_mut_obj_add_null(doc, obj, "url");
    }
    int rc = firmware_put_artifacts(c, doc, obj, r);
    yyjson_mut_obj_add_str(doc, obj, "notes", r->notes);
    api_put_time(doc, obj, "created", r->created_at);
    api_put_time(doc, obj, "published", r->published_at);
    yyjson_mut_obj_add_str(doc, obj, "created_by", r->created_by);
    return rc;
}

int firmware_reply(struct call *c, int status, const struct release *r)
{
    auto_json_mut yyjson_mut_doc *doc = api_doc(c);
    if (doc == NULL)
        return c->err.code;
    int rc = firmware_put(c, doc, yyjson_mut_doc_get_root(doc), r);
    if (rc == 0)
        http_reply_json(c->res, c->arena, status, doc);
    return rc;
}

int firmware_send_file(struct call *c, const struct release *r)
{
    const struct artifact *f = &r->artifacts[0];
    struct http_file file = {
        .done = ota_catalogue_close,
        .owner = c->ota,
        .size = (uint64_t)f->size,
        .etag = arena_printf(c->arena, "\"%s\"", f->sha256),
        .modified_ms = r->published_at != 0 ? r->published_at : r->created_at,
        .content_type = "application/octet-stream",
        .filename = f->filename,
    };
    if (file.etag == NULL)
        return api_no_memory(c);
    int rc = ota_catalogue_open(c->ota, f, &file.fd, &c->err);
    if (rc == 0)
        http_reply_file(c->req, c->res, c->arena, &file);
    return rc;
}
