/* GET /api/devices/{}/why: why a device gets, or does not get, an update. */
#include "api/api.h"
#include "api/firmware_json.h"
#include "api/reason_json.h"
#include "ota/why.h"

/* Numbers only where the reason is measured by them. */
static void put_numbers(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct why_line *l)
{
    if (l->reason == REASON_PHASE) {
        yyjson_mut_obj_add_sint(doc, obj, "waits_for_phase", l->waits_for);
        yyjson_mut_obj_add_sint(doc, obj, "success_percent", l->need_percent);
        yyjson_mut_obj_add_sint(doc, obj, "succeeded", l->have);
        yyjson_mut_obj_add_sint(doc, obj, "of", l->of);
    }
    if (l->reason == REASON_PREPARING)
        yyjson_mut_obj_add_sint(doc, obj, "prepared_percent", l->prepared_percent);
    if (l->at != 0)
        api_put_time(doc, obj, "at", l->at);
    if (l->first != 0)
        yyjson_mut_obj_add_sint(doc, obj, "first", l->first);
}

/* What the device said, or what paused the deployment; "" when nobody said anything. */
static const char *message(const struct why_line *l)
{
    const char *text = l->member.why;
    if (l->reason == REASON_PAUSED || l->reason == REASON_PHASE)
        return l->deployment.why;
    if (text == NULL && l->member.state == MEMBER_FAILED)
        text = l->action.message;
    return l->reason == REASON_DONE && text != NULL ? text : "";
}

static void put_line(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct why_line *l)
{
    const struct deployment *d = &l->deployment;
    yyjson_mut_obj_add_sint(doc, obj, "deployment", d->pk);
    firmware_put_name(doc, obj, d->release, d->release_name, d->release_version);
    yyjson_mut_obj_add_str(doc, obj, "state", deployment_state_word(d->state));
    api_put_text(doc, obj, "device_state", l->has_part ? member_state_word(l->member.state) : NULL);
    yyjson_mut_obj_add_bool(doc, obj, "gets", l->gets);
    yyjson_mut_obj_add_str(doc, obj, "reason", reason_word(l->reason));
    yyjson_mut_obj_add_str(doc, obj, "text", l->text);
    yyjson_mut_obj_add_sint(doc, obj, "phase", l->phase);
    yyjson_mut_obj_add_sint(doc, obj, "phases", l->phases);
    yyjson_mut_obj_add_sint(doc, obj, "attempts", l->member.attempts);
    yyjson_mut_obj_add_sint(doc, obj, "attempts_most", d->policy.retries + 1);
    api_put_some(doc, obj, "action", l->action.pk);
    put_numbers(doc, obj, l);
    if (message(l)[0] != '\0')
        api_put_text(doc, obj, "message", message(l));
}

static int why(struct call *c)
{
    const char *id = NULL;
    int64_t deployment;
    struct why w;
    int rc = api_param_text(c, 0, str_is_device_id, &id);
    if (rc == 0)
        rc = api_query_id(c, "deployment", &deployment);
    if (rc == 0)
        rc = ota_why(c->ota, c->db, c->arena, id, deployment, &w, &c->err);
    if (rc != 0)
        return rc;
    auto_json_mut yyjson_mut_doc *doc = api_doc(c);
    if (doc == NULL)
        return c->err.code;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    const struct device *d = &w.device;
    yyjson_mut_obj_add_str(doc, root, "device", d->id);
    yyjson_mut_obj_add_str(doc, root, "model", d->model);
    api_put_text(doc, root, "version", d->version);
    api_put_time(doc, root, "last_seen", d->last_seen_at);
    api_put_text(doc, root, "transport", d->transport);
    yyjson_mut_obj_add_str(doc, root, "interface", d->ddi ? "ddi" : "native");
    reason_put_last(doc, root, "last_poll", d);
    reason_put(doc, yyjson_mut_obj_add_obj(doc, root, "now"), w.reason, w.text, w.deployment);
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, root, "deployments");
    for (size_t i = 0; i < w.count; i++)
        put_line(doc, yyjson_mut_arr_add_obj(doc, list), &w.lines[i]);
    http_reply_json(c->res, c->arena, 200, doc);
    return 0;
}

static const struct route rows[] = {
    {HTTP_GET, "/api/devices/{}/why", WHO_READERS, BODY_NONE, 0, {{LANE_QUERY, why}}},
};
const struct route_table api_why_routes = {.rows = rows, .count = sizeof rows / sizeof rows[0]};
