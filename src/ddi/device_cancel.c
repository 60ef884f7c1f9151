/* GET .../cancelAction/{action} and POST .../cancelAction/{action}/feedback: an update that is to be given
   up. */
#include "ddi/device.h"
#include "ota/feedback.h"
#include "ota/ota.h"
#include "ota/seen.h"

static int reply(struct call *c, int64_t action)
{
    auto_json_mut yyjson_mut_doc *doc = ddi_doc(c);
    if (doc == NULL)
        return c->err.code;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    const char *id = arena_printf(c->arena, "%lld", (long long)action);
    if (id == NULL || !yyjson_mut_obj_add_str(doc, root, "id", id))
        return device_no_memory(c);
    yyjson_mut_val *cancel = yyjson_mut_obj_add_obj(doc, root, "cancelAction");
    if (!yyjson_mut_obj_add_str(doc, cancel, "stopId", id))
        return device_no_memory(c);
    return ddi_body_reply(c, doc);
}

int device_cancel(struct call *c)
{
    int64_t action;
    int rc = device_begin(c);
    if (rc == 0)
        rc = device_param_id(c, 2, &action);
    if (rc == 0)
        rc = ota_ddi_cancel(c->db, c->arena, c->who->id, action, &c->err);
    return rc != 0 ? rc : reply(c, action);
}

int device_cancel_feedback(struct call *c)
{
    auto_json yyjson_doc *doc = NULL;
    struct feedback f;
    int64_t action;
    int rc = device_begin_feedback(c, &action, &doc);
    if (rc == 0)
        rc = ota_feedback_read(yyjson_doc_get_root(doc), c->arena, &f, &c->err);
    if (rc != 0)
        return rc;
    rc = ota_cancel_feedback(c->ota, c->db, c->arena, c->who->id, action, &f, &c->err);
    if (rc == ERR_CONFLICT)
        c->status = 405; /* hawkBit: not cancelable */
    if (rc != 0)
        return device_refused(c, rc);
    seen_touch(c->ota->seen, c->who->id, clock_unix_ms(c->ota->clock));
    return device_done(c);
}
