/* POST .../deploymentBase/{action}/feedback: how an update goes. */
#include "ddi/device.h"
#include "ota/feedback.h"
#include "ota/ota.h"
#include "ota/seen.h"

int device_feedback(struct call *c)
{
    auto_json yyjson_doc *doc = NULL;
    struct feedback f;
    int64_t action;
    int rc = device_begin_feedback(c, &action, &doc);
    if (rc == 0)
        rc = ota_feedback_read(yyjson_doc_get_root(doc), c->arena, &f, &c->err);
    if (rc != 0)
        return rc;
    rc = ota_feedback(c->ota, c->db, c->arena, c->who->id, action, &f, &c->err);
    if (rc != 0)
        return device_refused(c, rc);
    seen_touch(c->ota->seen, c->who->id, clock_unix_ms(c->ota->clock));
    return device_done(c);
}
