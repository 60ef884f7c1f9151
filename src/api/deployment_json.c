#include "api/deployment_json.h"

#include "api/firmware_json.h"

static void put_counts(yyjson_mut_doc *doc, yyjson_mut_val *obj, const int64_t counts[ACTION_STATES])
{
    yyjson_mut_val *actions = yyjson_mut_obj_add_obj(doc, obj, "actions");
    for (unsigned i = 0; i < ACTION_STATES; i++)
        yyjson_mut_obj_add_sint(doc, actions, action_state_word((enum action_state)i), counts[i]);
}

static void put_members(yyjson_mut_doc *doc, yyjson_mut_val *obj, const int64_t counts[MEMBER_STATES])
{
    yyjson_mut_val *devices = yyjson_mut_obj_add_obj(doc, obj, "devices");
    for (unsigned i = 0; i < MEMBER_STATES; i++)
        yyjson_mut_obj_add_sint(doc, devices, member_state_word((enum member_state)i), counts[i]);
}

static void put_phase(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct phase *p)
{
    yyjson_mut_obj_add_str(doc, obj, "name", p->name);
    yyjson_mut_obj_add_str(doc, obj, "filter", p->filter);
    api_put_some(doc, obj, "percent", p->percent);
    api_put_some(doc, obj, "count", p->devices);
    yyjson_mut_obj_add_sint(doc, obj, "success_percent", p->success_percent);
    api_put_some(doc, obj, "error_percent", p->error_percent);
    api_put_some(doc, obj, "error_count", p->error_count);
    api_put_time(doc, obj, "opened", p->opened_at);
    put_members(doc, obj, p->members);
}

static void put_policy(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct deployment_policy *p)
{
    yyjson_mut_obj_add_bool(doc, obj, "allow_downgrade", p->allow_downgrade);
    yyjson_mut_obj_add_bool(doc, obj, "dynamic", p->dynamic);
    yyjson_mut_obj_add_sint(doc, obj, "priority", p->priority);
    yyjson_mut_obj_add_str(doc, obj, "mode", deployment_mode_word(p->mode));
    api_put_time(doc, obj, "force_at", p->force_at);
    api_put_time(doc, obj, "start_at", p->start_at);
    yyjson_mut_obj_add_bool(doc, obj, "consent", p->consent);
    api_put_some(doc, obj, "per_minute", p->per_minute);
    if (p->window_schedule != NULL) {
        yyjson_mut_val *w = yyjson_mut_obj_add_obj(doc, obj, "window");
        yyjson_mut_obj_add_str(doc, w, "schedule", p->window_schedule);
        yyjson_mut_obj_add_sint(doc, w, "seconds", p->window_seconds);
        yyjson_mut_obj_add_str(doc, w, "zone", p->window_zone);
    } else {
        yyjson_mut_obj_add_null(doc, obj, "window");
    }
    api_put_some(doc, obj, "deadline_seconds", p->deadline_seconds);
    yyjson_mut_obj_add_sint(doc, obj, "retries", p->retries);
    yyjson_mut_obj_add_sint(doc, obj, "retry_seconds", p->retry_seconds);
    api_put_some(doc, obj, "rollback", p->rollback);
}

void deployment_put(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct deployment_view *v)
{
    const struct deployment *d = &v->d;
    int64_t all[MEMBER_STATES] = {0};
    yyjson_mut_obj_add_sint(doc, obj, "id", d->pk);
    firmware_put_name(doc, obj, d->release, d->release_name, d->release_version);
    yyjson_mut_val *target = yyjson_mut_obj_add_obj(doc, obj, "target");
    yyjson_mut_obj_add_str(doc, target, "kind", target_kind_word(d->kind));
    yyjson_mut_obj_add_str(doc, target, "value", d->target);
    yyjson_mut_obj_add_str(doc, obj, "state", deployment_state_word(d->state));
    yyjson_mut_obj_add_str(doc, obj, "why", d->why);
    put_policy(doc, obj, &d->policy);
    api_put_time(doc, obj, "created", d->created_at);
    yyjson_mut_obj_add_str(doc, obj, "created_by", d->created_by);
    api_put_time(doc, obj, "approved", d->approved_at);
    api_put_text(doc, obj, "approved_by", d->approved_by);
    api_put_time(doc, obj, "prepared", d->prepared_at);
    yyjson_mut_obj_add_int(doc, obj, "prepared_percent", v->prepared_percent);
    api_put_time(doc, obj, "closed", d->closed_at);
    api_put_some(doc, obj, "rolls_back", d->origin);
    yyjson_mut_obj_add_sint(doc, obj, "phase", d->phase + 1);
    yyjson_mut_val *phases = yyjson_mut_obj_add_arr(doc, obj, "phases");
    for (size_t i = 0; i < v->phase_count; i++) {
        put_phase(doc, yyjson_mut_arr_add_obj(doc, phases), &v->phases[i]);
        for (unsigned s = 0; s < MEMBER_STATES; s++)
            all[s] += v->phases[i].members[s];
    }
    put_members(doc, obj, all);
    yyjson_mut_obj_add_sint(doc, obj, "retrying", v->retrying);
    put_counts(doc, obj, v->actions);
}

static void put_progress(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct action *a)
{
    yyjson_mut_obj_add_str(doc, obj, "state", action_state_word(a->state));
    if (a->progress == ACTION_PROGRESS_NONE)
        yyjson_mut_obj_add_null(doc, obj, "progress");
    else
        yyjson_mut_obj_add_sint(doc, obj, "progress", a->progress);
    yyjson_mut_obj_add_str(doc, obj, "message", a->message);
    api_put_time(doc, obj, "created", a->created_at);
    api_put_time(doc, obj, "updated", a->updated_at);
    api_put_time(doc, obj, "closed", a->closed_at);
}

void deployment_put_action(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct action *a)
{
    yyjson_mut_obj_add_sint(doc, obj, "id", a->pk);
    yyjson_mut_obj_add_str(doc, obj, "device", a->device_id);
    put_progress(doc, obj, a);
}

void deployment_put_member(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct member_row *r)
{
    yyjson_mut_obj_add_str(doc, obj, "device", r->device_id);
    api_put_text(doc, obj, "version", r->version);
    yyjson_mut_obj_add_sint(doc, obj, "phase", r->m.phase + 1);
    yyjson_mut_obj_add_str(doc, obj, "state", member_state_word(r->m.state));
    api_put_text(doc, obj, "why", r->m.why);
    yyjson_mut_obj_add_sint(doc, obj, "attempts", r->m.attempts);
    api_put_time(doc, obj, "retry", r->m.retry_at);
    if (r->action.pk == 0) {
        yyjson_mut_obj_add_null(doc, obj, "action");
        return;
    }
    yyjson_mut_val *action = yyjson_mut_obj_add_obj(doc, obj, "action");
    yyjson_mut_obj_add_sint(doc, action, "id", r->action.pk);
    put_progress(doc, action, &r->action);
}
