/* /api/devices: list, show, history, tags, revocation. */
#include "api/api.h"
#include "api/certificate.h"
#include "api/firmware_json.h"
#include "api/reason_json.h"
#include "model/filter.h"
#include "model/window.h"
#include "ota/attributes.h"
#include "ota/device.h"

static void put_action(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct device_action *action)
{
    if (action->id == 0) {
        yyjson_mut_obj_add_null(doc, obj, "action");
        return;
    }
    yyjson_mut_val *it = yyjson_mut_obj_add_obj(doc, obj, "action");
    yyjson_mut_obj_add_sint(doc, it, "id", action->id);
    api_put_text(doc, it, "state", action->state);
    yyjson_mut_val *release = yyjson_mut_obj_add_obj(doc, it, "release");
    yyjson_mut_obj_add_sint(doc, release, "id", action->release);
    api_put_text(doc, release, "name", action->release_name);
    api_put_text(doc, release, "version", action->release_version);
}

static void put_attributes(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct device *d)
{
    yyjson_mut_val *all = yyjson_mut_obj_add_obj(doc, obj, "attributes");
    for (size_t i = 0; i < d->attribute_count; i++) {
        const struct filter_attribute *t = &d->attributes[i];
        yyjson_mut_obj_add(all, yyjson_mut_strn(doc, t->key.p, t->key.n),
                           yyjson_mut_strn(doc, t->value.p, t->value.n));
    }
}

static bool is_filter(struct str s)
{
    return s.n <= FILTER_TEXT_MAX && str_is_text(s);
}

static void put_device(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct device *d)
{
    api_put_text(doc, obj, "id", d->id);
    api_put_text(doc, obj, "model", d->model);
    api_put_text(doc, obj, "name", d->name);
    api_put_text(doc, obj, "version", d->version);
    yyjson_mut_val *tags = yyjson_mut_obj_add_arr(doc, obj, "tags");
    for (size_t i = 0; i < d->tag_count; i++)
        yyjson_mut_arr_add_str(doc, tags, d->tags[i]);
    api_put_time(doc, obj, "created", d->created_at);
    api_put_time(doc, obj, "last_seen", d->last_seen_at);
    api_put_time(doc, obj, "revoked", d->revoked_at);
    yyjson_mut_obj_add_str(doc, obj, "interface", d->ddi ? "ddi" : "native");
    api_put_text(doc, obj, "transport", d->transport);
    if (d->utc_offset != DEVICE_NO_OFFSET)
        yyjson_mut_obj_add_int(doc, obj, "utc_offset_minutes", d->utc_offset);
    else
        yyjson_mut_obj_add_null(doc, obj, "utc_offset_minutes");
    reason_put_last(doc, obj, "reason", d);
    put_action(doc, obj, &d->action);
}

static int list(struct call *c)
{
    struct device_query q = {0};
    struct device *devices = NULL;
    const char *looked = NULL, *filter = NULL;
    size_t count = 0, limit = 0;
    int rc = api_query_limit(c, &limit);
    if (rc == 0)
        rc = api_query_text(c, "model", str_is_name, &q.model);
    if (rc == 0)
        rc = api_query_text(c, "tag", str_is_name, &q.tag);
    if (rc == 0)
        rc = api_query_text(c, "version", str_is_name, &q.version);
    if (rc == 0)
        rc = api_query_text(c, "q", str_is_device_id, &q.prefix);
    if (rc == 0)
        rc = api_query_bool(c, "revoked", &q.revoked);
    if (rc == 0)
        rc = api_query_text(c, "filter", is_filter, &filter);
    if (rc == 0 && filter != NULL)
        q.filter = str_of(filter);
    if (rc == 0)
        rc = api_query_text(c, "after", str_is_device_id, &q.after);
    q.limit = limit + 1;
    if (rc == 0)
        rc = ota_device_list(c->ota, c->db, c->arena, &q, &devices, &count, &looked, &c->err);
    if (rc != 0)
        return rc;
    bool more = api_list_cut(&count, limit);
    struct api_list l;
    rc = api_list_begin(c, &l);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        put_device(l.doc, api_list_add(&l), &devices[i]);
    api_list_end(c, &l, more ? devices[count - 1].id : looked);
    return CALL_NEXT;
}

static int show(struct call *c)
{
    const char *id = NULL;
    struct device d;
    struct certificate *certificates = NULL;
    size_t count = 0;
    int rc = api_param_text(c, 0, str_is_device_id, &id);
    if (rc == 0)
        rc = ota_device_show(c->ota, c->db, c->arena, id, &d, &certificates, &count, &c->err);
    if (rc != 0)
        return rc;
    auto_json_mut yyjson_mut_doc *doc = api_doc(c);
    if (doc == NULL)
        return c->err.code;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    put_device(doc, root, &d);
    put_attributes(doc, root, &d);
    api_put_certificates(doc, root, certificates, count);
    http_reply_json(c->res, c->arena, 200, doc);
    return CALL_NEXT;
}

static void put_entry(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct device_history *h)
{
    api_put_time(doc, obj, "at", h->at);
    api_put_text(doc, obj, "kind", h->kind);
    api_put_text(doc, obj, "text", h->text);
    if (h->action != 0) {
        yyjson_mut_obj_add_sint(doc, obj, "action", h->action);
        yyjson_mut_obj_add_sint(doc, obj, "deployment", h->deployment);
        firmware_put_name(doc, obj, h->release, h->release_name, h->release_version);
    }
    if (h->state != NULL)
        api_put_text(doc, obj, "state", h->state);
    if (h->progress >= 0)
        yyjson_mut_obj_add_sint(doc, obj, "progress", h->progress);
}

static int history(struct call *c)
{
    const char *id = NULL, *after = NULL;
    struct device_history *entries = NULL;
    size_t count = 0, limit = 0;
    int rc = api_param_text(c, 0, str_is_device_id, &id);
    if (rc == 0)
        rc = api_query_limit(c, &limit);
    if (rc == 0)
        rc = api_query_text(c, "after", str_is_name, &after);
    if (rc == 0)
        rc = ota_device_history(c->db, c->arena, id, after, limit + 1, &entries, &count, &c->err);
    if (rc != 0)
        return rc;
    bool more = api_list_cut(&count, limit);
    struct api_list l;
    rc = api_list_begin(c, &l);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        put_entry(l.doc, api_list_add(&l), &entries[i]);
    api_list_end(c, &l, more ? entries[count - 1].cursor : NULL);
    return CALL_NEXT;
}

static bool is_text(struct str s)
{
    return s.n > 0;
}

typedef int change_tag(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                       const char *id, const char *tag, struct err *e);

static int change(struct call *c, change_tag *how)
{
    const char *id = NULL, *name = NULL;
    int rc = api_param_text(c, 0, str_is_device_id, &id);
    if (rc == 0)
        rc = api_param_text(c, 1, is_text, &name);
    if (rc == 0)
        rc = how(c->ota, c->db, c->arena, c->who, id, name, &c->err);
    if (rc == 0)
        http_reply_empty(c->res, 204);
    return rc;
}

static int tag(struct call *c)
{
    return change(c, ota_device_tag);
}

static int untag(struct call *c)
{
    return change(c, ota_device_untag);
}

/* {"name", "utc_offset"}: what is there is changed, null takes it away. */
static int describe(struct call *c)
{
    auto_json yyjson_doc *body = NULL;
    const char *id = NULL;
    struct device_words w = {.utc_offset = DEVICE_NO_OFFSET};
    struct str zone = {.p = NULL};
    int rc = api_param_text(c, 0, str_is_device_id, &id);
    if (rc == 0)
        rc = api_body(c, &body);
    if (rc != 0)
        return rc;
    yyjson_val *root = yyjson_doc_get_root(body);
    w.set_name = yyjson_obj_get(root, "name") != NULL;
    w.set_offset = yyjson_obj_get(root, "utc_offset") != NULL;
    if (!w.set_name && !w.set_offset)
        return err_set(&c->err, ERR_INVALID, "say what to change: \"name\" or \"utc_offset\"");
    rc = json_get_str(root, "name", DEVICE_NAME_MAX, &w.name, &c->err);
    if (rc == 0)
        rc = json_get_str(root, "utc_offset", 8, &zone, &c->err);
    if (rc == 0 && zone.p != NULL)
        rc = window_parse_zone(zone, &w.utc_offset, &c->err);
    if (rc == 0)
        rc = ota_device_describe(c->ota, c->db, c->arena, c->who, id, &w, &c->err);
    if (rc == 0)
        http_reply_empty(c->res, 204);
    return rc;
}

/* ?mode=replace (the default), merge or remove */
static int set_attributes(struct call *c)
{
    static const char *const modes[] = {
        [ATTRIBUTES_MERGE] = "merge", [ATTRIBUTES_REPLACE] = "replace", [ATTRIBUTES_REMOVE] = "remove"};
    auto_json yyjson_doc *body = NULL;
    const char *id = NULL, *word = NULL;
    struct attribute *list;
    size_t count, mode = ATTRIBUTES_REPLACE;
    int rc = api_param_text(c, 0, str_is_device_id, &id);
    if (rc == 0)
        rc = api_query_text(c, "mode", str_is_name, &word);
    for (size_t i = 0; word != NULL && i < 3; i++)
        if (strcmp(word, modes[i]) == 0) {
            mode = i;
            word = NULL;
        }
    if (rc == 0 && word != NULL)
        rc = err_set(&c->err, ERR_INVALID, "mode= is merge, replace or remove");
    if (rc == 0)
        rc = api_body(c, &body);
    if (rc == 0)
        rc = ota_attributes_read(yyjson_doc_get_root(body), c->arena, &list, &count, &c->err);
    if (rc == 0)
        rc = ota_device_set_attributes(c->ota, c->db, c->arena, c->who, id, (enum attributes_mode)mode, list,
                                       count, &c->err);
    if (rc == 0)
        http_reply_empty(c->res, 204);
    return rc;
}

static int revoke(struct call *c)
{
    auto_json yyjson_doc *body = NULL;
    const char *id = NULL, *reason = NULL;
    int rc = api_param_text(c, 0, str_is_device_id, &id);
    if (rc == 0)
        rc = api_body(c, &body);
    if (rc == 0)
        rc = api_get_text(c, yyjson_doc_get_root(body), "reason", REVOKE_REASON_MAX, &reason);
    if (rc == 0)
        rc = ota_device_revoke(c->ota, c->db, c->arena, c->who, id, reason, &c->err);
    if (rc == 0)
        http_reply_empty(c->res, 204);
    return rc;
}

static const struct route rows[] = {
    {HTTP_GET, "/api/devices", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, list}}},
    {HTTP_GET, "/api/devices/{}", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, show}}},
    {HTTP_PUT, "/api/devices/{}", WHO_WRITERS, BODY_JSON, 4096, {{LANE_WRITE, describe}}},
    {HTTP_PUT, "/api/devices/{}/attributes", WHO_WRITERS, BODY_JSON, 65536, {{LANE_WRITE, set_attributes}}},
    {HTTP_GET, "/api/devices/{}/history", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, history}}},
    {HTTP_PUT, "/api/devices/{}/tags/{}", WHO_WRITERS, BODY_NONE, 0, {{LANE_WRITE, tag}}},
    {HTTP_DELETE, "/api/devices/{}/tags/{}", WHO_WRITERS, BODY_NONE, 0, {{LANE_WRITE, untag}}},
    {HTTP_POST, "/api/devices/{}/revoke", WHO_ADMIN, BODY_JSON, 4096, {{LANE_WRITE, revoke}}},
};
const struct route_table api_devices_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
