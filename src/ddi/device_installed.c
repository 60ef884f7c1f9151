/* GET .../installedBase/{action}: what an update that is over consisted of; PUT .../installedBase: what the
   device runs, as it says. */
#include "ddi/device.h"

int device_installed(struct call *c)
{
    return device_show(c, DDI_FOR_INSTALLED, "deployment");
}

int device_set_installed(struct call *c)
{
    auto_json yyjson_doc *doc = NULL;
    struct str name, version;
    bool news = false;
    int rc = device_begin(c);
    if (rc == 0)
        rc = ddi_body_read(c, &doc);
    yyjson_val *body = yyjson_doc_get_root(doc);
    if (rc == 0)
        rc = json_get_str(body, "name", 128, &name, &c->err);
    if (rc == 0)
        rc = json_get_str(body, "version", 128, &version, &c->err);
    if (rc == 0 && (name.n == 0 || version.n == 0))
        rc = err_set(&c->err, ERR_INVALID, "the body lacks \"name\" or \"version\"");
    if (rc == 0)
        rc = ota_ddi_installed(c->ota, c->db, c->arena, c->who->id, version, &news, &c->err);
    if (rc != 0)
        return rc;
    http_reply_empty(c->res, news ? 201 : 200);
    return CALL_NEXT;
}
