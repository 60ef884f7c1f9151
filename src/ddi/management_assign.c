/* POST /rest/v1/distributionsets/{}/assignedTargets, and targets/{}/assignedDS: from either side. */
#include "ddi/ddi.h"
#include "ddi/management_action.h"
#include "model/window.h"
#include "ota/assign.h"

static int read_mode(struct call *c, yyjson_val *item, struct deployment_policy *p)
{
    struct str word;
    int rc = management_text(c, item, "type", 32, &word);
    if (rc != 0 || word.p == NULL)
        return rc;
    if (!management_mode_parse(word, &p->mode))
        return err_set(&c->err, ERR_INVALID,
                       "type: forced, soft, timeforced (with forcetime) or downloadonly");
    return p->mode == MODE_TIME_FORCED
               ? management_number(c, item, "forcetime", 1, INT64_MAX / 2, 0, &p->force_at)
               : 0;
}

static int keep(struct call *c, struct str s, const char **out)
{
    *out = arena_dup_str(c->arena, s);
    return *out != NULL ? 0 : management_no_memory(c);
}

static int read_window(struct call *c, yyjson_val *item, struct deployment_policy *p)
{
    yyjson_val *w = yyjson_obj_get(item, "maintenanceWindow");
    struct str schedule, duration, zone;
    if (w == NULL || yyjson_is_null(w))
        return 0;
    if (!yyjson_is_obj(w))
        return err_set(&c->err, ERR_INVALID,
                       "\"maintenanceWindow\" has a schedule, a duration and a timezone");
    int rc = management_text(c, w, "schedule", CRON_TEXT_MAX, &schedule);
    if (rc == 0)
        rc = management_text(c, w, "duration", 16, &duration);
    if (rc == 0)
        rc = management_text(c, w, "timezone", 16, &zone);
    if (rc == 0 && schedule.n == 0 && duration.n == 0 && zone.n == 0)
        return 0;
    if (rc == 0 && (schedule.n == 0 || duration.n == 0 || zone.n == 0))
        rc = err_set(&c->err, ERR_INVALID, "maintenanceWindow: schedule, duration and timezone go together");
    if (rc == 0)
        rc = window_parse_duration(duration, &p->window_seconds, &c->err);
    if (rc == 0)
        rc = keep(c, schedule, &p->window_schedule);
    return rc != 0 ? rc : keep(c, zone, &p->window_zone);
}

static int read_terms(struct call *c, yyjson_val *item, struct deployment_policy *p)
{
    int64_t weight;
    *p = ota_assign_policy();
    int rc = read_mode(c, item, p);
    if (rc == 0)
        rc = read_window(c, item, p);
    if (rc == 0)
        rc = management_number(c, item, "weight", 0, DEPLOYMENT_PRIORITY_MAX, p->priority, &weight);
    if (rc == 0)
        rc = management_bool(c, item, "confirmationRequired", false, &p->consent);
    if (rc == 0)
        p->priority = (int)weight;
    return rc;
}

static int reply(struct call *c, const struct assigned *done)
{
    auto_json_mut yyjson_mut_doc *doc = management_doc(c, false);
    if (doc == NULL)
        return c->err.code;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    size_t assigned = done->count + done->approval;
    yyjson_mut_obj_add_uint(doc, root, "assigned", assigned);
    yyjson_mut_obj_add_uint(doc, root, "alreadyAssigned", done->already);
    yyjson_mut_obj_add_uint(doc, root, "total", assigned + done->already);
    yyjson_mut_val *actions = yyjson_mut_obj_add_arr(doc, root, "assignedActions");
    for (size_t i = 0; i < done->count; i++) {
        yyjson_mut_val *one = yyjson_mut_arr_add_obj(doc, actions);
        yyjson_mut_obj_add_sint(doc, one, "id", done->actions[i]);
        management_put_link(c, doc, one, "self", "targets/%s/actions/%lld", done->devices[i],
                            (long long)done->actions[i]);
    }
    http_reply_json(c->res, c->arena, 200, doc);
    return 0;
}

/* "offline" would only write down that devices have it, which pqota learns from devices alone. */
static int check_online(struct call *c)
{
    struct str offline;
    int rc = http_query_get(c->req, "offline", c->arena, &offline, &c->err);
    if (rc == 0 && str_is(offline, "true"))
        rc = err_set(&c->err, ERR_INVALID, "offline=true: what a device has counts once it says so itself");
    return rc;
}

static int assign(struct call *c, int64_t set, const struct assignment *list, size_t count)
{
    struct assigned done;
    int rc = ota_assign(c->ota, c->db, c->arena, c->who->id, set, list, count, &done, &c->err);
    return rc != 0 ? rc : reply(c, &done);
}

static int assign_targets(struct call *c)
{
    auto_json yyjson_doc *body = NULL;
    int64_t set;
    size_t count = 0;
    struct str id;
    int rc = management_id(c, 0, &set);
    if (rc == 0)
        rc = check_online(c);
    if (rc == 0)
        rc = management_array(c, &body, &count);
    struct assignment *list = arena_array(c->arena, struct assignment, count + 1);
    if (rc == 0 && list == NULL)
        rc = management_no_memory(c);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        yyjson_val *item = management_item(body, i);
        rc = management_need(c, item, "id", 256, &id);
        if (rc == 0)
            rc = keep(c, id, &list[i].device);
        if (rc == 0)
            rc = read_terms(c, item, &list[i].policy);
    }
    return rc != 0 ? rc : assign(c, set, list, count);
}

static int assign_set(struct call *c)
{
    auto_json yyjson_doc *body = NULL;
    size_t count = 0;
    int64_t set = 0;
    struct assignment one;
    int rc = management_device(c, 0, &one.device);
    if (rc == 0)
        rc = check_online(c);
    if (rc == 0)
        rc = management_array(c, &body, &count);
    if (rc == 0 && count != 1)
        rc = err_set(&c->err, ERR_INVALID, "a target has one distribution set at a time");
    if (rc == 0)
        rc = management_number(c, management_item(body, 0), "id", 1, MANAGEMENT_ID_MAX, 0, &set);
    if (rc == 0 && set == 0)
        rc = err_set(&c->err, ERR_INVALID, "the body lacks \"id\", the distribution set's");
    if (rc == 0)
        rc = read_terms(c, management_item(body, 0), &one.policy);
    return rc != 0 ? rc : assign(c, set, &one, 1);
}

#define BODY BODY_JSON, MANAGEMENT_BODY_MAX
static const struct route rows[] = {
    {HTTP_POST,
     "/rest/v1/distributionsets/{}/assignedTargets",
     WHO_WRITERS,
     BODY,
     {{LANE_WRITE, assign_targets}}},
    {HTTP_POST, "/rest/v1/targets/{}/assignedDS", WHO_WRITERS, BODY, {{LANE_WRITE, assign_set}}},
};
const struct route_table ddi_assign_routes = MANAGEMENT_TABLE(rows);
