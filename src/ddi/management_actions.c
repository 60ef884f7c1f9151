/* /rest/v1/actions and targets/{}/actions: what devices were asked to do, and how that went. */
#include "ddi/ddi.h"
#include "ddi/management_action.h"
#include "model/deployment.h"
#include "ota/assign.h"

static const struct management_field fields[] = {
    {"id", "d.pk"},
    {"status", "d.state"},
    {"active", "d.closed_at IS NULL"},
    {"createdAt", "d.created_at"},
    {"lastModifiedAt", "d.updated_at"},
    {"weight", "d.priority"},
    {NULL, NULL},
};
static const struct management_field entry_fields[] = {
    {"id", "d.pk"},
    {"reportedAt", "d.at"},
    {NULL, NULL},
};

/* Newest first, as hawkBit has actions and their entries, unless another order is asked for. */
static void newest_first(struct listing *q)
{
    if (q->order == NULL)
        q->order = "d.pk DESC";
}

static int reply_list(struct call *c, const char *device)
{
    struct listing q;
    struct target_action *found;
    size_t count;
    int64_t total;
    struct management_list l;
    int rc = management_plain_page(c, fields, &q);
    if (rc != 0)
        return rc;
    newest_first(&q);
    rc = ota_target_actions(c->db, c->arena, device, &q, &found, &count, &total, &c->err);
    if (rc == 0)
        rc = management_list_begin(c, &l);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        management_put_action(c, l.doc, yyjson_mut_arr_add_obj(l.doc, l.content), &found[i]);
    management_list_end(c, &l, total);
    return 0;
}

static int list_all(struct call *c)
{
    return reply_list(c, NULL);
}

static int list(struct call *c)
{
    const char *id;
    int rc = management_device(c, 0, &id);
    return rc != 0 ? rc : reply_list(c, id);
}

static int read_path(struct call *c, const char **device, int64_t *action)
{
    int rc = management_device(c, 0, device);
    return rc != 0 ? rc : management_id(c, 1, action);
}

static int show(struct call *c)
{
    const char *id;
    int64_t action;
    struct target_action t;
    int rc = read_path(c, &id, &action);
    if (rc == 0)
        rc = ota_target_action(c->db, c->arena, id, action, &t, &c->err);
    auto_json_mut yyjson_mut_doc *doc = rc == 0 ? management_doc(c, false) : NULL;
    if (doc == NULL)
        return c->err.code;
    management_put_action(c, doc, yyjson_mut_doc_get_root(doc), &t);
    http_reply_json(c->res, c->arena, 200, doc);
    return 0;
}

static void put_entry(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct target_entry *entry)
{
    yyjson_mut_obj_add_sint(doc, obj, "id", entry->pk);
    yyjson_mut_obj_add_str(doc, obj, "type", management_entry_type(entry->kind));
    yyjson_mut_val *messages = yyjson_mut_obj_add_arr(doc, obj, "messages");
    struct str rest = str_of(entry->message), line;
    while (entry->message[0] != '\0' && str_split(&rest, '\n', &line))
        yyjson_mut_arr_add_strn(doc, messages, line.p, line.n);
    yyjson_mut_obj_add_sint(doc, obj, "reportedAt", entry->at);
    yyjson_mut_obj_add_sint(doc, obj, "timestamp", entry->at);
}

static int entries(struct call *c)
{
    const char *id;
    int64_t action, total;
    struct listing q;
    struct target_entry *found;
    size_t count;
    struct management_list l;
    int rc = read_path(c, &id, &action);
    if (rc == 0)
        rc = management_page(c, entry_fields, &q);
    if (rc == 0 && q.filter != NULL)
        rc = err_set(&c->err, ERR_INVALID, "q=: status entries cannot be searched");
    if (rc != 0)
        return rc;
    newest_first(&q);
    rc = ota_target_entries(c->db, c->arena, id, action, &q, &found, &count, &total, &c->err);
    if (rc == 0)
        rc = management_list_begin(c, &l);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        put_entry(l.doc, yyjson_mut_arr_add_obj(l.doc, l.content), &found[i]);
    management_list_end(c, &l, total);
    return 0;
}

static int cancel(struct call *c)
{
    const char *id;
    int64_t action;
    struct str force;
    int rc = read_path(c, &id, &action);
    if (rc == 0)
        rc = http_query_get(c->req, "force", c->arena, &force, &c->err);
    if (rc == 0 && force.n > 0 && !str_is(force, "true") && !str_is(force, "false"))
        rc = err_set(&c->err, ERR_INVALID, "force= must be true or false");
    if (rc == 0)
        rc = ota_action_cancel(c->ota, c->db, c->arena, c->who->id, id, action, str_is(force, "true"),
                               &c->err);
    if (rc == 0)
        http_reply_empty(c->res, 204);
    return rc == ERR_GONE ? management_refuse(c, 405, rc) : rc;
}

static const struct route rows[] = {
    {HTTP_GET, "/rest/v1/actions", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, list_all}}},
    {HTTP_GET, "/rest/v1/targets/{}/actions", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, list}}},
    {HTTP_GET, "/rest/v1/targets/{}/actions/{}", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, show}}},
    {HTTP_GET, "/rest/v1/targets/{}/actions/{}/status", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, entries}}},
    {HTTP_DELETE, "/rest/v1/targets/{}/actions/{}", WHO_WRITERS, BODY_NONE, 0, {{LANE_WRITE, cancel}}},
};
const struct route_table ddi_actions_routes = MANAGEMENT_TABLE(rows);
