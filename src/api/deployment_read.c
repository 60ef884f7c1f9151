/* What POST /api/deployments asks for. */
#include "api/deployment_json.h"
#include "base/clock.h"
#include "model/filter.h"
#include "model/window.h"

static int check_members(struct call *c, yyjson_val *obj, const char *const *known, size_t count)
{
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(obj, i, max, key, value)
    {
        bool found = false;
        for (size_t k = 0; k < count && !found; k++)
            found = yyjson_equals_str(key, known[k]);
        if (!found)
            return err_set(&c->err, ERR_INVALID,
                           "the body has the member \"%.64s\", which means nothing here",
                           yyjson_get_str(key));
    }
    return 0;
}

static int read_name(struct call *c, yyjson_val *body, const char *key, struct str *out)
{
    int rc = json_get_str(body, key, 128, out, &c->err);
    if (rc == 0 && out->p != NULL && !str_is_name(*out))
        return err_set(&c->err, ERR_INVALID, "\"%s\" has characters that it cannot have", key);
    return rc;
}

static int read_release(struct call *c, yyjson_val *body, struct deploy *d)
{
    int rc = json_get_i64(body, "release", 1, API_ID_MAX, 0, &d->release, &c->err);
    if (rc == 0)
        rc = read_name(c, body, "name", &d->name);
    if (rc == 0)
        rc = read_name(c, body, "version", &d->version);
    if (rc != 0)
        return rc;
    if (d->release != 0 ? d->name.p != NULL || d->version.p != NULL : d->version.p == NULL)
        return err_set(&c->err, ERR_INVALID,
                       "say which firmware: \"release\" (its id), or \"version\" and \"name\"");
    return 0;
}

static int read_target(struct call *c, yyjson_val *body, struct deploy *d)
{
    static const char *const members[] = {"kind", "value"};
    yyjson_val *target = yyjson_obj_get(body, "target");
    struct str kind;
    if (!yyjson_is_obj(target))
        return err_set(&c->err, ERR_INVALID, "the body lacks \"target\": {\"kind\": ..., \"value\": ...}");
    int rc = check_members(c, target, members, 2);
    if (rc == 0)
        rc = json_get_str(target, "kind", 16, &kind, &c->err);
    if (rc == 0)
        rc = json_get_str(target, "value", FILTER_TEXT_MAX, &d->target, &c->err);
    bool known = rc == 0 && target_kind_parse(kind, &d->kind) == 0;
    if (rc == 0 && (!known || d->kind == TARGET_LIST || d->kind == TARGET_DEPLOYMENT)) /* made here alone */
        rc = err_set(&c->err, ERR_INVALID, "the target's \"kind\" is device, tag, model, filter or all");
    return rc;
}

static int read_bool(struct call *c, yyjson_val *obj, const char *key, bool *out)
{
    yyjson_val *v = yyjson_obj_get(obj, key);
    if (v == NULL)
        return 0; /* what it is by default */
    if (!yyjson_is_bool(v))
        return err_set(&c->err, ERR_INVALID, "\"%s\" must be true or false", key);
    *out = yyjson_is_true(v);
    return 0;
}

/* In its place stays what it is by default. */
static int read_number(struct call *c, yyjson_val *obj, const char *key, int64_t *out)
{
    return json_get_i64(obj, key, 0, API_ID_MAX, *out, out, &c->err);
}

static int read_time(struct call *c, yyjson_val *obj, const char *key, int64_t *out)
{
    struct str text;
    int rc = json_get_str(obj, key, 64, &text, &c->err);
    if (rc == 0 && text.p != NULL && clock_parse(text, out) != 0)
        rc = err_set(&c->err, ERR_INVALID, "\"%s\" must be a time such as 2026-12-01T02:00:00Z", key);
    return rc;
}

static int read_window(struct call *c, yyjson_val *body, struct deployment_policy *p)
{
    static const char *const members[] = {"schedule", "seconds", "duration", "zone"};
    yyjson_val *w = yyjson_obj_get(body, "window");
    struct str duration;
    if (w == NULL || yyjson_is_null(w))
        return 0;
    if (!yyjson_is_obj(w))
        return err_set(&c->err, ERR_INVALID,
                       "\"window\" must be {\"schedule\": ..., \"seconds\": ..., \"zone\": ...}");
    int rc = check_members(c, w, members, 4);
    if (rc == 0)
        rc = api_need_text(c, w, "schedule", CRON_TEXT_MAX, &p->window_schedule);
    if (rc == 0)
        rc = api_get_text(c, w, "zone", 16, &p->window_zone);
    if (rc == 0)
        rc = read_number(c, w, "seconds", &p->window_seconds);
    if (rc == 0)
        rc = json_get_str(w, "duration", 16, &duration, &c->err);
    if (rc == 0 && duration.p != NULL)
        rc = window_parse_duration(duration, &p->window_seconds, &c->err);
    if (p->window_zone == NULL)
        p->window_zone = "device";
    return rc;
}

static int read_mode(struct call *c, yyjson_val *body, struct deployment_policy *p)
{
    struct str word;
    int rc = json_get_str(body, "mode", 16, &word, &c->err);
    if (rc == 0 && word.p != NULL && deployment_mode_parse(word, &p->mode) != 0)
        rc = err_set(&c->err, ERR_INVALID, "\"mode\" is forced, soft, download_only or time_forced");
    return rc;
}

static int read_policy(struct call *c, yyjson_val *body, struct deploy *d)
{
    struct deployment_policy *p = &d->policy;
    int64_t priority = p->priority;
    int rc = read_bool(c, body, "allow_downgrade", &p->allow_downgrade);
    if (rc == 0)
        rc = read_bool(c, body, "dynamic", &p->dynamic);
    if (rc == 0)
        rc = read_bool(c, body, "consent", &p->consent);
    if (rc == 0)
        rc = read_bool(c, body, "approval", &d->approval);
    if (rc == 0)
        rc = read_mode(c, body, p);
    if (rc == 0)
        rc = read_time(c, body, "force_at", &p->force_at);
    if (rc == 0)
        rc = read_time(c, body, "start_at", &p->start_at);
    if (rc == 0)
        rc = read_number(c, body, "priority", &priority);
    if (rc == 0)
        rc = read_number(c, body, "per_minute", &p->per_minute);
    if (rc == 0)
        rc = read_number(c, body, "deadline_seconds", &p->deadline_seconds);
    if (rc == 0)
        rc = read_number(c, body, "retries", &p->retries);
    if (rc == 0)
        rc = read_number(c, body, "retry_seconds", &p->retry_seconds);
    if (rc == 0)
        rc = read_number(c, body, "rollback", &p->rollback);
    if (rc == 0)
        rc = read_window(c, body, p);
    p->priority = (int)priority;
    return rc;
}

static int read_phase(struct call *c, yyjson_val *v, struct phase *out)
{
    static const char *const members[] = {
        "name", "filter", "percent", "count", "success_percent", "error_percent", "error_count"};
    struct phase p = {.success_percent = 100};
    if (!yyjson_is_obj(v))
        return err_set(&c->err, ERR_INVALID, "\"phases\" must be a list of objects");
    int rc = check_members(c, v, members, 7);
    if (rc == 0)
        rc = api_get_text(c, v, "name", 128, &p.name);
    if (rc == 0)
        rc = api_get_text(c, v, "filter", FILTER_TEXT_MAX, &p.filter);
    if (rc == 0)
        rc = read_number(c, v, "percent", &p.percent);
    if (rc == 0)
        rc = read_number(c, v, "count", &p.devices);
    if (rc == 0)
        rc = read_number(c, v, "success_percent", &p.success_percent);
    if (rc == 0)
        rc = read_number(c, v, "error_percent", &p.error_percent);
    if (rc == 0)
        rc = read_number(c, v, "error_count", &p.error_count);
    if (rc != 0)
        return rc;
    p.name = p.name != NULL ? p.name : "";
    p.filter = p.filter != NULL ? p.filter : "";
    *out = p;
    return 0;
}

static int read_phases(struct call *c, yyjson_val *body, struct deploy *d)
{
    yyjson_val *list = yyjson_obj_get(body, "phases");
    size_t count = yyjson_arr_size(list);
    if (list == NULL)
        return 0;
    if (!yyjson_is_arr(list) || count == 0 || count > DEPLOYMENT_PHASES_MAX)
        return err_set(&c->err, ERR_INVALID, "\"phases\" must be a list of 1 to %d phases",
                       DEPLOYMENT_PHASES_MAX);
    struct phase *phases = arena_array(c->arena, struct phase, count);
    if (phases == NULL)
        return api_no_memory(c);
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = read_phase(c, yyjson_arr_get(list, i), &phases[i]);
    d->phases = phases;
    d->phase_count = count;
    return rc;
}

int deployment_read(struct call *c, yyjson_val *body, struct deploy *out)
{
    static const char *const members[] = {
        "release",  "name",     "version",  "target",        "allow_downgrade",  "dynamic", "consent",
        "approval", "mode",     "force_at", "start_at",      "priority",         "window",  "per_minute",
        "retries",  "rollback", "phases",   "retry_seconds", "deadline_seconds",
    };
    struct deploy d = {0};
    int rc = check_members(c, body, members, sizeof members / sizeof members[0]);
    if (rc == 0)
        rc = read_release(c, body, &d);
    if (rc == 0)
        rc = read_target(c, body, &d);
    if (rc != 0)
        return rc;
    d.policy = ota_default_policy(d.kind);
    rc = read_policy(c, body, &d);
    if (rc == 0)
        rc = read_phases(c, body, &d);
    if (rc == 0)
        *out = d;
    return rc;
}
