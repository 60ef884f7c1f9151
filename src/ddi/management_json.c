#include "ddi/management_json.h"

void management_put_module(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct module *m)
{
    const struct module_type *type = module_type_find(str_of(m->type));
    long long id = (long long)m->pk;
    management_put_base(doc, obj, m->created_by, m->created_at, m->created_at);
    yyjson_mut_obj_add_sint(doc, obj, "id", m->pk);
    yyjson_mut_obj_add_str(doc, obj, "name", m->name);
    management_put(doc, obj, "description", m->description);
    yyjson_mut_obj_add_str(doc, obj, "version", m->version);
    yyjson_mut_obj_add_str(doc, obj, "type", m->type);
    yyjson_mut_obj_add_str(doc, obj, "typeName", type != NULL ? type->name : m->type);
    management_put(doc, obj, "vendor", m->vendor);
    yyjson_mut_obj_add_bool(doc, obj, "encrypted", m->encrypted);
    yyjson_mut_obj_add_bool(doc, obj, "deleted", m->deleted_at != 0);
    management_put_link(c, doc, obj, "self", "softwaremodules/%lld", id);
    management_put_link(c, doc, obj, "artifacts", "softwaremodules/%lld/artifacts", id);
    management_put_link(c, doc, obj, "metadata", "softwaremodules/%lld/metadata", id);
    if (type != NULL)
        management_put_link(c, doc, obj, "type", "softwaremoduletypes/%lld", (long long)type->id);
}

void management_put_file(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *obj,
                         const struct module_artifact *f)
{
    yyjson_mut_obj_add_sint(doc, obj, "createdAt", f->created_at);
    yyjson_mut_obj_add_sint(doc, obj, "id", f->pk);
    yyjson_mut_val *hashes = yyjson_mut_obj_add_obj(doc, obj, "hashes");
    management_put(doc, hashes, "sha1", f->sha1);
    management_put(doc, hashes, "md5", f->md5);
    yyjson_mut_obj_add_str(doc, hashes, "sha256", f->sha256);
    yyjson_mut_obj_add_str(doc, obj, "providedFilename", f->filename);
    yyjson_mut_obj_add_sint(doc, obj, "size", f->size);
    management_put_link(c, doc, obj, "self", "softwaremodules/%lld/artifacts/%lld", (long long)f->module,
                        (long long)f->pk);
    management_put_link(c, doc, obj, "download", "softwaremodules/%lld/artifacts/%lld/download",
                        (long long)f->module, (long long)f->pk);
}

void management_put_set(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct set *s)
{
    const struct release *r = &s->release;
    const struct set_type *type = set_type_find(str_of(s->type));
    management_put_base(doc, obj, r->created_by, r->created_at,
                        r->published_at != 0 ? r->published_at : r->created_at);
    yyjson_mut_obj_add_sint(doc, obj, "id", r->pk);
    yyjson_mut_obj_add_str(doc, obj, "name", r->name);
    yyjson_mut_obj_add_str(doc, obj, "description", r->notes);
    yyjson_mut_obj_add_str(doc, obj, "version", r->version);
    yyjson_mut_obj_add_str(doc, obj, "type", s->type);
    yyjson_mut_obj_add_str(doc, obj, "typeName", type != NULL ? type->name : s->type);
    yyjson_mut_obj_add_bool(doc, obj, "complete", ota_set_is_complete(s));
    yyjson_mut_obj_add_bool(doc, obj, "locked", s->deployed);
    yyjson_mut_obj_add_bool(doc, obj, "deleted", r->deleted_at != 0);
    yyjson_mut_obj_add_bool(doc, obj, "valid", r->state == RELEASE_PUBLISHED);
    yyjson_mut_obj_add_bool(doc, obj, "requiredMigrationStep", false);
    yyjson_mut_val *modules = yyjson_mut_obj_add_arr(doc, obj, "modules");
    for (size_t i = 0; i < s->module_count; i++)
        management_put_module(c, doc, yyjson_mut_arr_add_obj(doc, modules), &s->modules[i]);
    management_put_link(c, doc, obj, "self", "distributionsets/%lld", (long long)r->pk);
    if (type != NULL)
        management_put_link(c, doc, obj, "type", "distributionsettypes/%lld", (long long)type->id);
}
