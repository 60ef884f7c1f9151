/* GET /rest/v1/userinfo: who the server takes its caller for. */
#include "base/json.h"
#include "ddi/ddi.h"
#include "ddi/errors.h"

static int userinfo(struct call *c)
{
    auto_json_mut yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    if (root == NULL || !yyjson_mut_obj_add_str(doc, root, "tenant", "DEFAULT") ||
        !yyjson_mut_obj_add_str(doc, root, "username", c->who->id))
        return err_set(&c->err, ERR_NOMEM, "no memory for the answer");
    http_reply_json(c->res, c->arena, 200, doc);
    return CALL_NEXT;
}

static const struct route rows[] = {
    {HTTP_GET, "/rest/v1/userinfo", WHO_READERS, BODY_NONE, 0, {{LANE_READ, userinfo}}},
};
const struct route_table ddi_userinfo_routes = {
    .rows = rows, .count = sizeof rows / sizeof rows[0], .face = FACE_MANAGEMENT, .refuse = ddi_error_body};
