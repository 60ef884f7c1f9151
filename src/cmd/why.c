/* `pqota why`: why a device gets, or does not get, an update. */
#include "cmd/device.h"
#include "cmd/verbs.h"

static const struct grid_column columns[] = {
    {"DEPLOYMENT", GRID_RIGHT}, {"RELEASE", GRID_LEFT}, {"STATE", GRID_LEFT},
    {"DEVICE", GRID_LEFT},      {"GETS IT", GRID_LEFT}, {"WHY", GRID_LEFT},
};

/* Whole sentences: nothing is cut to the terminal's width. */
static int print_deployments(struct operate *op, yyjson_val *list)
{
    struct grid t;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    yyjson_val *l;
    grid_init(&t, &op->arena, columns, sizeof columns / sizeof columns[0]);
    while ((l = yyjson_arr_iter_next(&it)) != NULL) {
        grid_cellf(&t, "%lld", (long long)operate_int(l, "deployment"));
        grid_cell_z(&t, operate_release(op, l, "release"));
        grid_cell(&t, operate_str(l, "state"));
        grid_cell(&t, operate_str(l, "device_state"));
        grid_cell_z(&t, yyjson_is_true(yyjson_obj_get(l, "gets")) ? "yes" : "no");
        grid_cell(&t, operate_str(l, "text"));
    }
    if (t.rows == 0)
        return 0;
    putchar('\n');
    int rc = grid_print(&t, stdout, GRID_UNLIMITED);
    return rc == 0 ? 0 : err_set(&op->err, rc, "no memory for the table; use --json");
}

static int why(struct line_args *args)
{
    auto_operate struct operate op;
    auto_json yyjson_doc *doc = NULL;
    if (operate_init(&op, args) != 0 ||
        operate_path(&op, "/api/devices", args->operands[0], "why", NULL) != 0 ||
        operate_query(&op, "deployment", args->operand_count > 1 ? args->operands[1] : NULL) != 0 ||
        operate_call(&op, "GET", NULL, &doc) != 0)
        return operate_fail(&op);
    if (op.json)
        return operate_print_json(&op, doc) == 0 ? CMD_OK : operate_fail(&op);
    yyjson_val *d = yyjson_doc_get_root(doc), *poll = yyjson_obj_get(d, "last_poll");
    struct grid t;
    operate_properties(&op, &t);
    operate_property(&t, "device", operate_str(d, "device"));
    operate_property(&t, "model", operate_str(d, "model"));
    operate_property(&t, "runs", operate_str(d, "version"));
    operate_property(&t, "last seen", str_of(device_seen(&op, d)));
    operate_property(&t, "last answer", str_of(device_reason(&op, poll)));
    operate_property(&t, "since", str_of(operate_when(&op, poll, "since")));
    operate_property(&t, "if it asked now", str_of(device_reason(&op, yyjson_obj_get(d, "now"))));
    if (grid_print(&t, stdout, GRID_UNLIMITED) != 0) {
        (void)err_set(&op.err, ERR_NOMEM, "no memory for the table; use --json");
        return operate_fail(&op);
    }
    return print_deployments(&op, yyjson_obj_get(d, "deployments")) == 0 ? CMD_OK : operate_fail(&op);
}

static const struct line_sub subs[] = {
    {"", "DEVICE [DEPLOYMENT]", 1, 2, LINE_SERVER | LINE_JSON, NULL, why,
     "tell why a device gets, or does not get, an update",
     "Every deployment that concerns the device is told of, and the last ones that ended; with DEPLOYMENT\n"
     "that one alone, also if it does not concern the device. What would happen if the device asked now is\n"
     "worked out anew, by the code that answers devices."},
    {.name = NULL},
};

const struct line_verb line_why = {"why", "Tells why a device gets, or does not get, an update.", subs};

int cmd_why(int argc, char **argv)
{
    return line_run(&line_why, argc, argv);
}
