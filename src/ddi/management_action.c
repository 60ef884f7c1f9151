#include "ddi/management_action.h"

static const char *const words[ACTION_STATES] = {
    [ACTION_WAITING] = "wait_for_confirmation",
    [ACTION_OFFERED] = "running",
    [ACTION_DOWNLOADING] = "download",
    [ACTION_DOWNLOADED] = "downloaded",
    [ACTION_INSTALLING] = "running",
    [ACTION_REBOOTING] = "running",
    [ACTION_CANCELLING] = "canceling",
    [ACTION_SUCCEEDED] = "finished",
    [ACTION_FAILED] = "error",
    [ACTION_CANCELLED] = "canceled",
};

static const char *const modes[] = {
    [MODE_FORCED] = "forced",
    [MODE_SOFT] = "soft",
    [MODE_DOWNLOAD_ONLY] = "downloadonly",
    [MODE_TIME_FORCED] = "timeforced",
};

bool management_mode_parse(struct str word, enum deployment_mode *out)
{
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (str_is(word, modes[i])) {
            *out = (enum deployment_mode)i;
            return true;
        }
    return false;
}

const char *management_entry_type(const char *kind)
{
    enum action_state state;
    return action_state_parse(str_of(kind), &state) == 0 ? words[state] : kind;
}

static void put_window(yyjson_mut_doc *doc, yyjson_mut_val *obj, const struct target_action *t)
{
    char duration[32];
    yyjson_mut_val *w = yyjson_mut_obj_add_obj(doc, obj, "maintenanceWindow");
    snprintf(duration, sizeof duration, "%02lld:%02lld:%02lld", (long long)t->window_seconds / 3600,
             (long long)t->window_seconds / 60 % 60, (long long)t->window_seconds % 60);
    yyjson_mut_obj_add_str(doc, w, "schedule", t->window_schedule);
    yyjson_mut_obj_add_strcpy(doc, w, "duration", duration);
    management_put(doc, w, "timezone", t->window_zone);
}

void management_put_action(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *obj,
                           const struct target_action *t)
{
    const struct action *act = &t->action;
    enum deployment_mode mode = MODE_FORCED;
    bool cancels = act->state == ACTION_CANCELLING || act->state == ACTION_CANCELLED;
    if (deployment_mode_parse(str_of(t->mode), &mode) != 0)
        mode = MODE_FORCED;
    management_put_base(doc, obj, t->created_by, act->created_at, act->updated_at);
    yyjson_mut_obj_add_sint(doc, obj, "id", act->pk);
    yyjson_mut_obj_add_str(doc, obj, "type", cancels ? "cancel" : "update");
    yyjson_mut_obj_add_str(doc, obj, "status", words[act->state]);
    yyjson_mut_obj_add_str(doc, obj, "detailStatus", words[act->state]); /* hawkBit's name for it before */
    yyjson_mut_obj_add_bool(doc, obj, "active", act->closed_at == 0);
    yyjson_mut_obj_add_str(doc, obj, "forceType", modes[mode]);
    if (mode == MODE_TIME_FORCED)
        yyjson_mut_obj_add_sint(doc, obj, "forceTime", t->force_at);
    yyjson_mut_obj_add_sint(doc, obj, "weight", t->priority);
    if (t->window_schedule != NULL)
        put_window(doc, obj, t);
    management_put_link(c, doc, obj, "self", "targets/%s/actions/%lld", act->device_id, (long long)act->pk);
    management_put_link(c, doc, obj, "target", "targets/%s", act->device_id);
    management_put_link(c, doc, obj, "distributionset", "distributionsets/%lld", (long long)act->release);
    management_put_link(c, doc, obj, "status", "targets/%s/actions/%lld/status", act->device_id,
                        (long long)act->pk);
}
