/* `pqota deployment`: what was sent to whom, and how far it is. */
#include "cmd/deployment.h"

#include <string.h>

#include "cmd/verbs.h"

const char *deployment_target(struct operate *op, yyjson_val *deployment)
{
    yyjson_val *t = yyjson_obj_get(deployment, "target");
    struct str kind = operate_str(t, "kind"), value = operate_str(t, "value");
    if (str_is(kind, "all"))
        return "all devices";
    if (kind.n == 0)
        return "-";
    const char *s =
        arena_printf(&op->arena, STR_FMT " %.*s", STR_ARG(kind), (int)value.n, value.n > 0 ? value.p : "");
    return s != NULL ? s : "-";
}

const char *deployment_counts(struct operate *op, yyjson_val *counts)
{
    const char *all = NULL;
    yyjson_obj_iter it = yyjson_obj_iter_with(counts);
    yyjson_val *key;
    while ((key = yyjson_obj_iter_next(&it)) != NULL) {
        long long n = yyjson_get_sint(yyjson_obj_iter_get_val(key));
        if (n != 0)
            all = arena_printf(&op->arena, "%s%s%lld %s", all != NULL ? all : "", all != NULL ? ", " : "", n,
                               yyjson_get_str(key));
    }
    return all != NULL ? all : "-";
}

static const struct grid_column list_columns[] = {
    {"ID", GRID_RIGHT},   {"RELEASE", GRID_LEFT}, {"TO", GRID_LEFT},
    {"STATE", GRID_LEFT}, {"CREATED", GRID_LEFT}, {"DEVICES", GRID_LEFT},
};

static void list_row(struct operate *op, struct grid *t, yyjson_val *d)
{
    grid_cellf(t, "%lld", (long long)operate_int(d, "id"));
    grid_cell_z(t, operate_release(op, d, "release"));
    grid_cell_z(t, deployment_target(op, d));
    grid_cell(t, operate_str(d, "state"));
    grid_cell_z(t, operate_ago(op, d, "created"));
    grid_cell_z(t, deployment_counts(op, yyjson_obj_get(d, "devices")));
}

static int list(struct line_args *args)
{
    static const char *const filters[] = {"state", NULL};
    auto_operate struct operate op;
    if (operate_init(&op, args) != 0 || operate_path(&op, "/api/deployments", NULL) != 0 ||
        operate_query_options(&op, filters) != 0)
        return operate_fail(&op);
    return operate_show_list(&op,
                             &(struct operate_listing){.columns = list_columns,
                                                       .count = 6,
                                                       .row = list_row,
                                                       .none = "No deployments. `pqota deploy` makes one."});
}

static int show(struct line_args *args)
{
    auto_operate struct operate op;
    auto_json yyjson_doc *doc = NULL;
    if (operate_init(&op, args) != 0 || operate_path(&op, "/api/deployments", args->operands[0], NULL) != 0 ||
        operate_call(&op, "GET", NULL, &doc) != 0)
        return operate_fail(&op);
    return deployment_print(&op, doc);
}

/* POST /api/deployments/{id}/<the sub-verb's name> */
static int steer(struct line_args *args)
{
    auto_operate struct operate op;
    auto_json yyjson_doc *doc = NULL;
    if (operate_init(&op, args) != 0 ||
        operate_path(&op, "/api/deployments", args->operands[0], args->sub->name, NULL) != 0 ||
        operate_call(&op, "POST", NULL, &doc) != 0)
        return operate_fail(&op);
    return deployment_print(&op, doc);
}

static int next(struct line_args *args)
{
    static const char *const which[] = {"phase", NULL};
    auto_operate struct operate op;
    auto_json yyjson_doc *doc = NULL;
    if (operate_init(&op, args) != 0 ||
        operate_path(&op, "/api/deployments", args->operands[0], "next", NULL) != 0 ||
        operate_query_options(&op, which) != 0 || operate_call(&op, "POST", NULL, &doc) != 0)
        return operate_fail(&op);
    return deployment_print(&op, doc);
}

static const struct grid_column device_columns[] = {
    {"DEVICE", GRID_LEFT}, {"PHASE", GRID_RIGHT}, {"STATE", GRID_LEFT},   {"VERSION", GRID_LEFT},
    {"TRIES", GRID_RIGHT}, {"ACTION", GRID_LEFT}, {"UPDATED", GRID_LEFT}, {"WHY", GRID_LEFT},
};

static void device_row(struct operate *op, struct grid *t, yyjson_val *m)
{
    yyjson_val *a = yyjson_obj_get(m, "action");
    struct str why = operate_str(m, "why");
    grid_cell(t, operate_str(m, "device"));
    grid_cellf(t, "%lld", (long long)operate_int(m, "phase"));
    grid_cell(t, operate_str(m, "state"));
    grid_cell(t, operate_str(m, "version"));
    grid_cellf(t, "%lld", (long long)operate_int(m, "attempts"));
    if (yyjson_is_int(yyjson_obj_get(a, "progress")))
        grid_cell_z(t, arena_printf(&op->arena, STR_FMT " %lld%%", STR_ARG(operate_str(a, "state")),
                                    (long long)operate_int(a, "progress")));
    else
        grid_cell(t, operate_str(a, "state"));
    grid_cell_z(t, operate_ago(op, a, "updated"));
    grid_cell(t, why.n > 0 ? why : operate_str(a, "message"));
}

static int devices(struct line_args *args)
{
    static const char *const filters[] = {"state", "phase", NULL};
    auto_operate struct operate op;
    if (operate_init(&op, args) != 0 ||
        operate_path(&op, "/api/deployments", args->operands[0], "devices", NULL) != 0 ||
        operate_query_options(&op, filters) != 0)
        return operate_fail(&op);
    return operate_show_list(
        &op, &(struct operate_listing){
                 .columns = device_columns, .count = 8, .row = device_row, .none = "No devices."});
}

static const struct grid_column action_columns[] = {
    {"ID", GRID_RIGHT},   {"DEVICE", GRID_LEFT},  {"STATE", GRID_LEFT},
    {"DONE", GRID_RIGHT}, {"UPDATED", GRID_LEFT}, {"MESSAGE", GRID_LEFT},
};

static void action_row(struct operate *op, struct grid *t, yyjson_val *a)
{
    grid_cellf(t, "%lld", (long long)operate_int(a, "id"));
    grid_cell(t, operate_str(a, "device"));
    grid_cell(t, operate_str(a, "state"));
    if (yyjson_is_int(yyjson_obj_get(a, "progress")))
        grid_cellf(t, "%lld%%", (long long)operate_int(a, "progress"));
    else
        grid_cell_z(t, "-");
    grid_cell_z(t, operate_ago(op, a, "updated"));
    grid_cell(t, operate_str(a, "message"));
}

static int actions(struct line_args *args)
{
    auto_operate struct operate op;
    if (operate_init(&op, args) != 0 ||
        operate_path(&op, "/api/deployments", args->operands[0], "actions", NULL) != 0)
        return operate_fail(&op);
    return operate_show_list(&op, &(struct operate_listing){.columns = action_columns,
                                                            .count = 6,
                                                            .row = action_row,
                                                            .none = "No device has taken part yet."});
}

static const struct line_option list_options[] = {
    {.name = "state",
     .letter = 's',
     .value = "STATE",
     .choices = "approval scheduled running paused finished cancelled denied",
     .help = "those in that state"},
    {.name = NULL},
};
static const struct line_option devices_options[] = {
    {.name = "state",
     .letter = 's',
     .value = "STATE",
     .choices = "waiting retrying active succeeded already failed cancelled",
     .help = "those in that state; retrying: they have failed, and wait to try again"},
    {.name = "phase", .value = "N", .help = "those of that phase, counted from 1"},
    {.name = NULL},
};

static const struct line_option next_options[] = {
    {.name = "phase", .value = "N", .help = "only if that is the one that opens, counted from 1"},
    {.name = NULL},
};

static const struct line_sub subs[] = {
    {"list", "", 0, 0, LINE_SERVER | LINE_JSON | LINE_LIST, list_options, list,
     "list deployments, newest first", NULL},
    {"show", "ID", 1, 1, LINE_SERVER | LINE_JSON, NULL, show,
     "show one deployment, its phases, and how far its devices are", NULL},
    {"devices", "ID", 1, 1, LINE_SERVER | LINE_JSON | LINE_LIST, devices_options, devices,
     "list its devices, whatever became of them", NULL},
    {"actions", "ID", 1, 1, LINE_SERVER | LINE_JSON | LINE_LIST, NULL, actions,
     "list what each device does about it", NULL},
    {"pause", "ID", 1, 1, LINE_SERVER | LINE_JSON, NULL, steer, "let no more devices begin",
     "Devices that have begun go on. `pqota deployment resume` lets the others begin again."},
    {"resume", "ID", 1, 1, LINE_SERVER | LINE_JSON, NULL, steer, "go on after a pause", NULL},
    {"next", "ID", 1, 1, LINE_SERVER | LINE_JSON, next_options, next, "open the next phase",
     "However many devices of the present phase have succeeded."},
    {"approve", "ID", 1, 1, LINE_SERVER | LINE_JSON, NULL, steer,
     "agree to a deployment that another operator made", NULL},
    {"deny", "ID", 1, 1, LINE_SERVER | LINE_JSON, NULL, steer,
     "refuse a deployment that another operator made", NULL},
    {"cancel", "ID", 1, 1, LINE_SERVER | LINE_JSON, NULL, steer, "stop a deployment",
     "Devices that have begun to install finish; no other device begins."},
    {.name = NULL},
};

const struct line_verb line_deployment = {"deployment", "What was sent to whom, and how far it is.", subs};

int cmd_deployment(int argc, char **argv)
{
    return line_run(&line_deployment, argc, argv);
}
