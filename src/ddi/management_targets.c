/* /rest/v1/targets: devices. */
#include <string.h>

#include "ddi/ddi.h"
#include "ddi/management.h"
#include "ota/ddi_device.h"
#include "ota/ota.h"
#include "ota/settings.h"
#include "ota/targets.h"

static const struct management_field fields[] = {
    {"id", "d.pk"},
    {"controllerId", "d.id"},
    {"name", "d.name"},
    {"description", "d.description"},
    {"createdAt", "d.created_at"},
    {"lastControllerRequestAt", "d.last_seen_at"},
    {"lastModifiedAt", "d.created_at"},
    {NULL, NULL},
};

/* hawkBit's word for where it stands. */
static const char *update_status(const struct target *t)
{
    if (t->action == 0)
        return t->device.last_seen_at != 0 ? "registered" : "unknown";
    if (t->action_open)
        return "pending";
    return t->action_state == ACTION_FAILED ? "error" : "in_sync";
}

/* Overdue: it should have come by now, and [ddi] has no more patience (pollingOverdueTime). */
static void put_poll_status(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct device *d)
{
    struct ddi_settings s;
    settings_get(c->ota->settings, &s);
    int64_t next = d->last_seen_at + 1000 * s.poll_seconds;
    bool overdue = clock_unix_ms(c->ota->clock) > next + 1000 * s.overdue_seconds;
    yyjson_mut_val *status = yyjson_mut_obj_add_obj(doc, obj, "pollStatus");
    yyjson_mut_obj_add_sint(doc, status, "lastRequestAt", d->last_seen_at);
    yyjson_mut_obj_add_sint(doc, status, "nextExpectedRequestAt", next);
    yyjson_mut_obj_add_bool(doc, status, "overdue", overdue);
}

static void put_target(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct target *t)
{
    const struct device *d = &t->device;
    yyjson_mut_obj_add_sint(doc, obj, "createdAt", d->created_at);
    yyjson_mut_obj_add_sint(doc, obj, "lastModifiedAt",
                            d->version_at > d->created_at ? d->version_at : d->created_at);
    yyjson_mut_obj_add_str(doc, obj, "name", d->name != NULL ? d->name : d->id);
    management_put(doc, obj, "description", t->description);
    yyjson_mut_obj_add_str(doc, obj, "controllerId", d->id);
    yyjson_mut_obj_add_str(doc, obj, "updateStatus", update_status(t));
    if (d->last_seen_at != 0) {
        yyjson_mut_obj_add_sint(doc, obj, "lastControllerRequestAt", d->last_seen_at);
        put_poll_status(c, doc, obj, d);
    }
    if (t->installed_at != 0)
        yyjson_mut_obj_add_sint(doc, obj, "installedAt", t->installed_at);
    yyjson_mut_obj_add_bool(doc, obj, "requestAttributes", d->attributes_wanted != ATTRIBUTES_TOLD);
    yyjson_mut_obj_add_bool(doc, obj, "autoConfirmActive", t->auto_confirm);
    yyjson_mut_obj_add_str(doc, obj, "targetTypeName", d->model);
    management_put_link(c, doc, obj, "self", "targets/%s", d->id);
    management_put_link(c, doc, obj, "attributes", "targets/%s/attributes", d->id);
    management_put_link(c, doc, obj, "actions", "targets/%s/actions", d->id);
    if (t->action != 0)
        management_put_link(c, doc, obj, "assignedDS", "distributionsets/%lld", (long long)t->action_release);
    if (t->installed_release != 0)
        management_put_link(c, doc, obj, "installedDS", "distributionsets/%lld",
                            (long long)t->installed_release);
}

/* Adds one with its token, if the caller may see that. */
static int put_whole(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *obj, const char *id)
{
    struct target t;
    char token[DDI_TOKEN_SIZE];
    const char *shown = NULL;
    int rc = ota_target_show(c->ota, c->db, c->arena, id, &t, &c->err);
    if (rc != 0)
        return rc;
    if ((c->who->who & WHO_WRITERS) != 0) {
        struct err missing;
        rc = ota_ddi_token_show(c->ota, c->db, c->arena, c->who, id, token, &missing);
        if (rc == 0)
            shown = token;
        else if (rc != ERR_NOT_FOUND)
            return err_set(&c->err, rc, "%s", missing.text);
    }
    put_target(c, doc, obj, &t);
    if (shown != NULL) {
        yyjson_mut_obj_add_strcpy(doc, obj, "securityToken", shown);
        http_set(c->res, "Cache-Control", "no-store");
        explicit_bzero(token, sizeof token);
    }
    return 0;
}

static int reply(struct call *c, const char *id)
{
    auto_json_mut yyjson_mut_doc *doc = management_doc(c, false);
    if (doc == NULL)
        return c->err.code;
    int rc = put_whole(c, doc, yyjson_mut_doc_get_root(doc), id);
    if (rc == 0)
        http_reply_json(c->res, c->arena, 200, doc);
    return rc;
}

static int show(struct call *c)
{
    const char *id;
    int rc = management_device(c, 0, &id);
    return rc != 0 ? rc : reply(c, id);
}

static int list(struct call *c)
{
    struct listing q;
    struct target *found;
    size_t count;
    int64_t total;
    struct management_list l;
    int rc = management_page(c, fields, &q);
    if (rc == 0)
        rc = ota_target_list(c->ota, c->db, c->arena, &q, &found, &count, &total, &c->err);
    if (rc == 0)
        rc = management_list_begin(c, &l);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        put_target(c, l.doc, yyjson_mut_arr_add_obj(l.doc, l.content), &found[i]);
    management_list_end(c, &l, total);
    return 0;
}

/* --- writing ----------------------------------------------------------------------------------------- */

static int keep(struct call *c, struct str s, const char **out)
{
    *out = s.p != NULL ? arena_dup_str(c->arena, s) : NULL;
    return s.p == NULL || *out != NULL ? 0 : management_no_memory(c);
}

static int read_token(struct call *c, yyjson_val *item, struct str *out)
{
    int rc = management_text(c, item, "securityToken", DDI_TOKEN_MAX, out);
    return rc == 0 && out->p != NULL ? ddi_token_check(*out, &c->err) : rc;
}

static int create_one(struct call *c, yyjson_val *item, yyjson_mut_doc *doc)
{
    struct str id, name, description;
    struct ddi_new n = {0};
    char token[DDI_TOKEN_SIZE];
    int rc = management_need(c, item, "controllerId", 256, &id);
    if (rc == 0 && !str_is_device_id(id))
        rc = err_set(&c->err, ERR_INVALID,
                     "controllerId: it begins with a letter or digit and has at most 64 of letters, digits "
                     "and ._:-");
    if (rc == 0)
        rc = management_text(c, item, "name", DDI_NAME_MAX, &name);
    if (rc == 0)
        rc = management_text(c, item, "description", DDI_DESCRIPTION_MAX, &description);
    if (rc == 0)
        rc = read_token(c, item, &n.token);
    if (rc == 0)
        rc = keep(c, id, &n.id);
    if (rc == 0)
        rc = keep(c, name, &n.name);
    if (rc == 0)
        rc = keep(c, description, &n.description);
    if (rc == 0)
        rc = ota_ddi_create(c->ota, c->db, c->arena, c->who, &n, token, &c->err);
    if (rc != 0)
        return rc;
    explicit_bzero(token, sizeof token);
    return put_whole(c, doc, yyjson_mut_arr_add_obj(doc, yyjson_mut_doc_get_root(doc)), n.id);
}

static int create(struct call *c)
{
    return management_create(c, create_one);
}

static int set_token(struct call *c, const char *id, struct str given)
{
    char token[DDI_TOKEN_SIZE];
    if (given.p == NULL)
        return 0;
    int rc = ota_ddi_token_set(c->ota, c->db, c->arena, c->who, id, given, token, &c->err);
    if (rc == 0)
        explicit_bzero(token, sizeof token);
    return rc;
}

static int change(struct call *c)
{
    auto_json yyjson_doc *body = NULL;
    const char *id;
    struct str name, description, token, same;
    bool want = false;
    int rc = management_device(c, 0, &id);
    if (rc == 0)
        rc = management_object(c, &body);
    yyjson_val *root = rc == 0 ? yyjson_doc_get_root(body) : NULL;
    if (rc == 0)
        rc = management_text(c, root, "controllerId", 256, &same);
    if (rc == 0 && same.p != NULL && !str_is(same, id))
        rc = err_set(&c->err, ERR_INVALID, "controllerId: it cannot be changed");
    if (rc == 0)
        rc = management_text(c, root, "name", DDI_NAME_MAX, &name);
    if (rc == 0)
        rc = management_text(c, root, "description", DDI_DESCRIPTION_MAX, &description);
    if (rc == 0)
        rc = read_token(c, root, &token);
    if (rc == 0)
        rc = management_bool(c, root, "requestAttributes", false, &want);
    int wanted = rc == 0 && yyjson_is_bool(yyjson_obj_get(root, "requestAttributes")) ? want : -1;
    if (rc == 0)
        rc = ota_target_describe(c->ota, c->db, c->arena, c->who, id, name, description, wanted, &c->err);
    if (rc == 0)
        rc = set_token(c, id, token);
    return rc != 0 ? rc : reply(c, id);
}

static int delete(struct call *c)
{
    const char *id;
    int rc = management_device(c, 0, &id);
    if (rc == 0)
        rc = ota_target_remove(c->ota, c->db, c->arena, c->who, id, &c->err);
    if (rc == 0)
        http_reply_empty(c->res, 204);
    return rc;
}

static int attributes(struct call *c)
{
    const char *id;
    struct filter_attribute *found;
    size_t count = 0;
    int rc = management_device(c, 0, &id);
    if (rc == 0)
        rc = ota_target_attributes(c->db, c->arena, id, &found, &count, &c->err);
    auto_json_mut yyjson_mut_doc *doc = rc == 0 ? management_doc(c, false) : NULL;
    if (doc == NULL)
        return c->err.code;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    for (size_t i = 0; i < count; i++)
        yyjson_mut_obj_add(root, yyjson_mut_strn(doc, found[i].key.p, found[i].key.n),
                           yyjson_mut_strn(doc, found[i].value.p, found[i].value.n));
    http_reply_json(c->res, c->arena, 200, doc);
    return 0;
}

#define BODY BODY_JSON, MANAGEMENT_BODY_MAX
static const struct route rows[] = {
    {HTTP_GET, "/rest/v1/targets", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, list}}},
    {HTTP_POST, "/rest/v1/targets", WHO_WRITERS, BODY, {{LANE_WRITE, create}}},
    {HTTP_GET, "/rest/v1/targets/{}", WHO_READERS, BODY_NONE, 0, {{LANE_READ, show}}},
    {HTTP_PUT, "/rest/v1/targets/{}", WHO_WRITERS, BODY, {{LANE_WRITE, change}}},
    {HTTP_DELETE, "/rest/v1/targets/{}", WHO_ADMIN, BODY_NONE, 0, {{LANE_WRITE, delete}}},
    {HTTP_GET, "/rest/v1/targets/{}/attributes", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, attributes}}},
};
const struct route_table ddi_targets_routes = MANAGEMENT_TABLE(rows);
