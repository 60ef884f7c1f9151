/* PUT .../configData: what the device tells of itself. */
#include "ddi/device.h"
#include "ota/attributes.h"

static int read_mode(struct call *c, yyjson_val *body, enum attributes_mode *out)
{
    static const char *const words[] = {"merge", "replace", "remove"};
    yyjson_val *v = yyjson_obj_get(body, "mode");
    *out = ATTRIBUTES_MERGE;
    if (v == NULL || yyjson_is_null(v))
        return 0;
    struct str word = json_text(v);
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
        if (word.n > 0 && str_eq_nocase(word, str_of(words[i]))) {
            *out = (enum attributes_mode)i;
            return 0;
        }
    return err_set(&c->err, ERR_INVALID, "\"mode\" is merge, replace or remove");
}

int device_config(struct call *c)
{
    auto_json yyjson_doc *doc = NULL;
    struct attribute *list;
    size_t count;
    enum attributes_mode mode;
    int rc = device_begin(c);
    if (rc == 0)
        rc = ddi_body_read(c, &doc);
    yyjson_val *body = yyjson_doc_get_root(doc);
    if (rc == 0)
        rc = read_mode(c, body, &mode);
    if (rc == 0 && !yyjson_is_obj(yyjson_obj_get(body, "data")))
        rc = err_set(&c->err, ERR_INVALID, "the body lacks \"data\", an object of attributes");
    if (rc != 0)
        return rc;
    rc = ota_attributes_read(yyjson_obj_get(body, "data"), c->arena, &list, &count, &c->err);
    if (rc == 0)
        rc = ota_attributes_told(c->ota, c->db, c->arena, c->who->id, mode, list, count, &c->err);
    return rc != 0 ? device_refused(c, rc) : device_done(c);
}
