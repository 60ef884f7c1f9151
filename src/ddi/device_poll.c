/* GET {tenant}/controller/v1/{id}: what a device should do now, and when to ask again. */
#include "ddi/device.h"
#include "ota/ota.h"
#include "ota/seen.h"
#include "ota/settings.h"

static int put_action(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *links, const struct ddi_poll *p)
{
    long long id = (long long)p->action;
    switch (p->what) {
    case DDI_DEPLOYMENT:
        return device_put_link(c, doc, links, "deploymentBase",
                               device_href(c, c->base_url, "/deploymentBase/%lld?c=%u", id, p->mark));
    case DDI_CONFIRMATION:
        return device_put_link(c, doc, links, "confirmationBase",
                               device_href(c, c->base_url, "/confirmationBase/%lld?c=%u", id, p->mark));
    case DDI_CANCEL: /* without a query: SWUpdate appends to it */
        return device_put_link(c, doc, links, "cancelAction",
                               device_href(c, c->base_url, "/cancelAction/%lld", id));
    case DDI_NOTHING:
        break;
    }
    return 0;
}

static int put_links(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *root, const struct ddi_poll *p)
{
    if (p->what == DDI_NOTHING && p->installed == 0 && !p->attributes)
        return 0;
    yyjson_mut_val *links = yyjson_mut_obj_add_obj(doc, root, "_links");
    int rc = put_action(c, doc, links, p);
    if (rc == 0 && p->installed != 0)
        rc = device_put_link(c, doc, links, "installedBase",
                             device_href(c, c->base_url, "/installedBase/%lld", (long long)p->installed));
    if (rc == 0 && p->attributes)
        rc = device_put_link(c, doc, links, "configData", device_href(c, c->base_url, "/configData"));
    return rc;
}

static int reply(struct call *c, const struct ddi_poll *p)
{
    char sleep[SETTINGS_TIME_SIZE];
    auto_json_mut yyjson_mut_doc *doc = ddi_doc(c);
    if (doc == NULL)
        return c->err.code;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    yyjson_mut_val *config = yyjson_mut_obj_add_obj(doc, root, "config");
    yyjson_mut_val *polling = yyjson_mut_obj_add_obj(doc, config, "polling");
    if (!yyjson_mut_obj_add_str(doc, polling, "sleep", settings_time_text(p->sleep_seconds, sleep)))
        return device_no_memory(c);
    int rc = put_links(c, doc, root, p);
    return rc != 0 ? rc : ddi_body_reply(c, doc);
}

int device_poll(struct call *c)
{
    struct ddi_poll p;
    int rc = device_begin(c);
    if (rc != 0)
        return rc;
    const int64_t now = clock_unix_ms(c->ota->clock);
    if (!c->writing)
        seen_touch(c->ota->seen, c->who->id, now);
    rc = ota_ddi_poll(c->ota, c->db, c->writing, c->arena, c->who->id, now, &p, &c->err);
    if (rc == POLL_UPGRADE)
        return CALL_UPGRADE;
    return rc != 0 ? rc : reply(c, &p);
}
