/* .../softwaremodules/{module}/artifacts: a module's files, their bytes, and their MD5 for md5sum -c. */
#include <string.h>

#include "ddi/device.h"
#include "ddi/errors.h"
#include "ota/catalogue.h"
#include "ota/feedback.h"
#include "ota/ota.h"

#define MD5SUM ".MD5SUM"
#define NAME_MAX_ENCODED 768 /* bytes: each of a name's 255 as %XX */

/* --- as they are listed -------------------------------------------------------------------------------- */

static int put_links(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct ddi_chunk *chunk,
                     const char *filename)
{
    const struct {
        const char *rel, *base, *end;
    } rows[] = {
        {"download", c->file_url, ""},
        {"md5sum", c->file_url, MD5SUM},
        {"download-http", c->plain_url, ""},
        {"md5sum-http", c->plain_url, MD5SUM},
    };
    char name[NAME_MAX_ENCODED];
    size_t n;
    yyjson_mut_val *links = yyjson_mut_obj_add_obj(doc, obj, "_links");
    int rc = str_percent(str_of(filename), STR_UNRESERVED, name, sizeof name, &n);
    if (rc != 0)
        return err_set(&c->err, ERR_INTERNAL, "the name of the file %s is too long for a link", filename);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && rc == 0; i++)
        if (rows[i].base != NULL)
            rc = device_put_link(c, doc, links, rows[i].rel,
                                 device_href(c, rows[i].base, "/softwaremodules/%lld/artifacts/%s%s",
                                             (long long)chunk->module.pk, name, rows[i].end));
    return rc;
}

int device_put_artifacts(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *list,
                         const struct ddi_chunk *chunk)
{
    int rc = 0;
    for (size_t i = 0; i < chunk->artifact_count && rc == 0; i++) {
        const struct module_artifact *f = &chunk->artifacts[i];
        yyjson_mut_val *obj = yyjson_mut_arr_add_obj(doc, list);
        yyjson_mut_obj_add_str(doc, obj, "filename", f->filename);
        yyjson_mut_val *hashes = yyjson_mut_obj_add_obj(doc, obj, "hashes");
        yyjson_mut_obj_add_str(doc, hashes, "sha1", f->sha1);
        yyjson_mut_obj_add_str(doc, hashes, "md5", f->md5);
        yyjson_mut_obj_add_str(doc, hashes, "sha256", f->sha256);
        if (!yyjson_mut_obj_add_sint(doc, obj, "size", f->size))
            return device_no_memory(c);
        rc = put_links(c, doc, obj, chunk, f->filename);
    }
    return rc;
}

static int find_module(struct call *c, struct ddi_chunk *out, int64_t *action)
{
    int64_t module;
    int rc = device_begin(c);
    if (rc == 0)
        rc = device_param_id(c, 2, &module);
    return rc != 0 ? rc : ota_ddi_module(c->db, c->arena, c->who->id, module, out, action, &c->err);
}

int device_artifacts(struct call *c)
{
    struct ddi_chunk chunk;
    int64_t action;
    int rc = find_module(c, &chunk, &action);
    auto_json_mut yyjson_mut_doc *doc = rc == 0 ? yyjson_mut_doc_new(NULL) : NULL;
    yyjson_mut_val *list = doc != NULL ? yyjson_mut_arr(doc) : NULL;
    if (rc == 0 && list == NULL)
        rc = device_no_memory(c);
    if (rc != 0)
        return rc;
    yyjson_mut_doc_set_root(doc, list);
    rc = device_put_artifacts(c, doc, list, &chunk);
    return rc != 0 ? rc : ddi_body_reply(c, doc);
}

/* --- one file ------------------------------------------------------------------------------------------ */

struct wanted {
    struct module_artifact file;
    int64_t action;
};

static const struct module_artifact *named(const struct ddi_chunk *chunk, struct str name)
{
    for (size_t i = 0; i < chunk->artifact_count; i++)
        if (str_is(name, chunk->artifacts[i].filename))
            return &chunk->artifacts[i];
    return NULL;
}

/* "<md5>  <filename>" */
static int reply_md5(struct call *c, const struct module_artifact *f)
{
    const char *line = arena_printf(c->arena, "%s  %s", f->md5, f->filename);
    const char *attach = arena_printf(c->arena, "attachment; filename=\"%s" MD5SUM "\"", f->filename);
    if (line == NULL || attach == NULL)
        return device_no_memory(c);
    http_reply(c->res, 200, "text/plain", str_of(line));
    http_set(c->res, "Content-Disposition", attach);
    http_set(c->res, "X-Content-Type-Options", "nosniff");
    return CALL_REPLY;
}

int device_artifact_find(struct call *c)
{
    struct ddi_chunk chunk;
    struct wanted *w = arena_new(c->arena, struct wanted);
    struct str name = c->param[3], end = STR(MD5SUM);
    if (w == NULL)
        return device_no_memory(c);
    int rc = find_module(c, &chunk, &w->action);
    if (rc != 0)
        return rc;
    const struct module_artifact *f = named(&chunk, name);
    bool md5 = f == NULL && name.n > end.n && memcmp(name.p + name.n - end.n, end.p, end.n) == 0;
    if (md5)
        f = named(&chunk, (struct str){.p = name.p, .n = name.n - end.n});
    if (f == NULL)
        return err_set(&c->err, ERR_NOT_FOUND, "the software module has no file of that name");
    if (md5)
        return reply_md5(c, f);
    w->file = *f;
    c->carry = w;
    return CALL_NEXT;
}

int device_artifact_send(struct call *c)
{
    const struct wanted *w = c->carry;
    struct http_file file = {
        .done = ota_catalogue_close,
        .owner = c->ota,
        .size = (uint64_t)w->file.size,
        .etag = arena_printf(c->arena, "\"%s\"", w->file.sha1),
        .modified_ms = w->file.created_at,
        .content_type = "application/octet-stream",
        .filename = w->file.filename,
    };
    if (file.etag == NULL)
        return device_no_memory(c);
    int rc = ota_ddi_open(c->ota, &w->file, &file.fd, &c->err);
    if (rc != 0)
        return rc;
    http_reply_file(c->req, c->res, c->arena, &file);
    ddi_error_of_file(c->res, c->arena);
    bool whole = c->res->status == 200 && http_header_get(c->req, "Range").p == NULL;
    if (whole && c->req->method == HTTP_GET)
        ota_note_download(c->ota, w->action, w->file.filename);
    return CALL_NEXT;
}
