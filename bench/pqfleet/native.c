/* A device that speaks pqota's own protocol. */
#include "pqfleet/device.h"

static int ask_poll(const struct sim *s, const struct device *d, struct ask *out, struct err *e)
{
    char version[3 * 128 + 1];
    size_t n;
    int rc = str_percent(str_of(device_version(s, d->running)), STR_UNRESERVED, version, sizeof version, &n);
    if (rc != 0)
        return err_set(e, rc, "a version is too long");
    snprintf(out->path, sizeof out->path, "/api/update?version=%s", version);
    return 0;
}

static int ask(const struct sim *s, const struct device *d, struct ask *out, struct err *e)
{
    static const struct {
        const char *state, *rest;
    } rows[] = {
        [REPORT_PROCEEDING] = {"downloading", ",\"progress\":0"},
        [REPORT_DOWNLOADED] = {"downloading", ",\"progress\":100"},
        [REPORT_INSTALLING] = {"installing", ""},
        [REPORT_SUCCESS] = {"succeeded", ""},
        [REPORT_FAILURE] = {"failed", ",\"message\":\"pqfleet: it failed, as was drawn\""},
    };
    if (d->step != STEP_REPORT)
        return ask_poll(s, d, out, e);
    uint16_t version = d->report == REPORT_SUCCESS ? d->offered : d->running;
    out->method = "POST";
    snprintf(out->path, sizeof out->path, "/api/update/%d/status", (int)d->action);
    out->body_n = (size_t)snprintf(out->body, sizeof out->body, "{\"state\":\"%s\"%s,\"version\":\"%s\"}",
                                   rows[d->report].state, rows[d->report].rest, device_version(s, version));
    return 0;
}

static int read_offer(yyjson_val *root, struct offer *out, struct err *e)
{
    struct offer o = {.download = true, .install = true};
    yyjson_val *action = yyjson_obj_get(root, "action"), *file;
    yyjson_val *release = yyjson_obj_get(root, "release"), *files = yyjson_obj_get(root, "artifacts");
    size_t i, n;
    if (!yyjson_is_uint(action) || yyjson_get_uint(action) == 0 || yyjson_get_uint(action) > OFFER_ACTION_MAX)
        return err_set(e, ERR_INVALID, "action is no number that fits in 31 bits");
    o.action = yyjson_get_sint(action);
    int rc = offer_version(yyjson_obj_get(release, "version"), &o.version, e);
    if (rc == 0 && (!yyjson_is_arr(files) || yyjson_arr_size(files) == 0))
        rc = err_set(e, ERR_INVALID, "artifacts is no list with something in it");
    if (rc != 0)
        return rc;
    yyjson_arr_foreach(files, i, n, file)
    {
        rc = offer_add(&o, json_text(yyjson_obj_get(file, "url")), yyjson_obj_get(file, "size"),
                       json_text(yyjson_obj_get(file, "sha256")), e);
        if (rc != 0)
            return rc;
    }
    *out = o;
    return 0;
}

static int take(struct sim *s, struct device *d, const struct answer *a, struct err *e)
{
    auto_json yyjson_doc *doc = NULL;
    struct offer o;
    if (a->status != 200 && a->status != 204)
        return err_set(e, ERR_BUSY, "a poll is answered with %d", a->status);
    if (d->stage == STAGE_CLAIMED) /* it has just told what really runs */
        device_finish(s, d, OUTCOME_FELL_BACK, a->status);
    if (a->status == 204) {
        device_idle(s, d, true);
        return 0;
    }
    int rc = json_parse_object(a->body, &doc, e);
    if (rc == 0)
        rc = read_offer(yyjson_doc_get_root(doc), &o, e);
    if (rc != 0)
        return rc;
    if (d->stage == STAGE_HUNG && d->action == o.action) {
        device_idle(s, d, false);
        return 0;
    }
    if (device_check(d, o.action, e) == 0) {
        device_begin(s, d, o.action, STAGE_OFFERED);
        return device_offered(s, d, &o, e);
    }
    counts_error(s->counts, ERROR_REPLY, e->text); /* and goes on as if it were not there */
    device_idle(s, d, false);
    return 0;
}

const struct protocol protocol_native = {.ask = ask, .take = take};
