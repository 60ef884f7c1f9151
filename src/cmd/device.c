/* `pqota device`: the devices that enrolled. */
#include "cmd/device.h"

#include <string.h>

#include "cmd/text.h"
#include "cmd/verbs.h"

static const struct grid_column list_columns[] = {
    {"ID", GRID_LEFT},        {"MODEL", GRID_LEFT}, {"VERSION", GRID_LEFT},
    {"LAST SEEN", GRID_LEFT}, {"STATE", GRID_LEFT}, {"TAGS", GRID_LEFT},
};

/* "revoked", or what its open action does, or nothing. */
static const char *state_of(struct operate *op, yyjson_val *d)
{
    yyjson_val *revoked = yyjson_obj_get(d, "revoked"), *action = yyjson_obj_get(d, "action");
    if (yyjson_is_str(revoked) || yyjson_is_true(revoked))
        return "revoked";
    struct str state = operate_str(action, "state");
    if (state.n == 0)
        return "-";
    const char *s =
        arena_printf(&op->arena, STR_FMT " %s", STR_ARG(state), operate_release(op, action, "release"));
    return s != NULL ? s : "-";
}

static void list_row(struct operate *op, struct grid *t, yyjson_val *d)
{
    grid_cell(t, operate_str(d, "id"));
    grid_cell(t, operate_str(d, "model"));
    grid_cell(t, operate_str(d, "version"));
    grid_cell_z(t, operate_ago(op, d, "last_seen"));
    grid_cell_z(t, state_of(op, d));
    grid_cell(t, operate_joined(op, yyjson_obj_get(d, "tags")));
}

static int list(struct line_args *args)
{
    static const char *const filters[] = {"model", "tag", "version", "filter", NULL};
    auto_operate struct operate op;
    if (operate_init(&op, args) != 0 || operate_path(&op, "/api/devices", NULL) != 0 ||
        operate_query_options(&op, filters) != 0 || operate_query(&op, "q", line_get(args, "id")) != 0 ||
        operate_query(&op, "revoked", line_has(args, "revoked") ? "true" : NULL) != 0)
        return operate_fail(&op);
    return operate_show_list(
        &op, &(struct operate_listing){
                 .columns = list_columns,
                 .count = 6,
                 .row = list_row,
                 .none = "No devices. `pqota token new` makes a token for one to enrol with."});
}

static const struct grid_column cert_columns[] = {
    {"CERTIFICATE", GRID_LEFT}, {"ISSUED", GRID_LEFT},  {"FIRST USED", GRID_LEFT},
    {"EXPIRES", GRID_LEFT},     {"REVOKED", GRID_LEFT}, {"REASON", GRID_LEFT},
};

static int print_certificates(struct operate *op, yyjson_val *list)
{
    struct grid t;
    grid_init(&t, &op->arena, cert_columns, 6);
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    yyjson_val *c;
    while ((c = yyjson_arr_iter_next(&it)) != NULL) {
        grid_cell(&t, operate_str(c, "serial"));
        grid_cell_z(&t, operate_ago(op, c, "issued"));
        grid_cell_z(&t, operate_ago(op, c, "first_used"));
        grid_cell_z(&t, operate_ago(op, c, "not_after"));
        grid_cell_z(&t, operate_ago(op, c, "revoked"));
        grid_cell(&t, operate_str(c, "reason"));
    }
    if (t.rows > 0)
        putchar('\n');
    return operate_print_grid(op, &t);
}

static void add_attributes(struct operate *op, struct grid *t, yyjson_val *attributes)
{
    yyjson_obj_iter it = yyjson_obj_iter_with(attributes);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&it)) != NULL;)
        operate_property(t, "attribute",
                         str_of(arena_printf(&op->arena, "%s=%s", yyjson_get_str(key),
                                             yyjson_get_str(yyjson_obj_iter_get_val(key)))));
}

static int show(struct line_args *args)
{
    auto_operate struct operate op;
    auto_json yyjson_doc *doc = NULL;
    if (operate_init(&op, args) != 0 || operate_path(&op, "/api/devices", args->operands[0], NULL) != 0 ||
        operate_call(&op, "GET", NULL, &doc) != 0)
        return operate_fail(&op);
    if (op.json)
        return operate_print_json(&op, doc) == 0 ? CMD_OK : operate_fail(&op);
    yyjson_val *d = yyjson_doc_get_root(doc);
    struct grid t;
    operate_properties(&op, &t);
    operate_property(&t, "id", operate_str(d, "id"));
    if (operate_str(d, "name").n > 0)
        operate_property(&t, "name", operate_str(d, "name"));
    operate_property(&t, "model", operate_str(d, "model"));
    operate_property(&t, "version", operate_str(d, "version"));
    operate_property(&t, "state", str_of(state_of(&op, d)));
    operate_property(&t, "tags", operate_joined(&op, yyjson_obj_get(d, "tags")));
    operate_property(&t, "enrolled", str_of(operate_when(&op, d, "created")));
    operate_property(&t, "last seen", str_of(device_seen(&op, d)));
    operate_property(&t, "last answer", str_of(device_reason(&op, yyjson_obj_get(d, "reason"))));
    if (yyjson_is_int(yyjson_obj_get(d, "utc_offset_minutes"))) {
        long long m = operate_int(d, "utc_offset_minutes"), abs = m < 0 ? -m : m;
        operate_property(
            &t, "UTC offset",
            str_of(arena_printf(&op.arena, "%s%02lld:%02lld", m < 0 ? "-" : "+", abs / 60, abs % 60)));
    }
    add_attributes(&op, &t, yyjson_obj_get(d, "attributes"));
    if (operate_print_grid(&op, &t) != 0 || print_certificates(&op, yyjson_obj_get(d, "certificates")) != 0)
        return operate_fail(&op);
    return CMD_OK;
}

static const struct grid_column history_columns[] = {
    {"WHEN", GRID_LEFT},  {"KIND", GRID_LEFT},  {"RELEASE", GRID_LEFT},
    {"STATE", GRID_LEFT}, {"DONE", GRID_RIGHT}, {"TEXT", GRID_LEFT},
};

static void history_row(struct operate *op, struct grid *t, yyjson_val *h)
{
    grid_cell_z(t, operate_ago(op, h, "at"));
    grid_cell(t, operate_str(h, "kind"));
    grid_cell_z(t, operate_release(op, h, "release"));
    grid_cell(t, operate_str(h, "state"));
    if (yyjson_is_int(yyjson_obj_get(h, "progress")))
        grid_cellf(t, "%lld%%", (long long)operate_int(h, "progress"));
    else
        grid_cell_z(t, "-");
    grid_cell(t, operate_str(h, "text"));
}

static int history(struct line_args *args)
{
    auto_operate struct operate op;
    if (operate_init(&op, args) != 0 ||
        operate_path(&op, "/api/devices", args->operands[0], "history", NULL) != 0)
        return operate_fail(&op);
    return operate_show_list(&op, &(struct operate_listing){.columns = history_columns,
                                                            .count = 6,
                                                            .row = history_row,
                                                            .none = "Nothing happened yet."});
}

static int tag(struct line_args *args)
{
    auto_operate struct operate op;
    if (operate_init(&op, args) != 0 ||
        operate_path(&op, "/api/devices", args->operands[0], "tags", args->operands[1], NULL) != 0 ||
        operate_call(&op, line_has(args, "remove") ? "DELETE" : "PUT", NULL, NULL) != 0)
        return operate_fail(&op);
    fprintf(stderr, line_has(args, "remove") ? "%s is not tagged %s any more.\n" : "%s is tagged %s.\n",
            args->operands[0], args->operands[1]);
    return CMD_OK;
}

static int revoke_device(struct line_args *args)
{
    auto_operate struct operate op;
    yyjson_mut_val *root = NULL;
    if (operate_init(&op, args) != 0)
        return operate_fail(&op);
    int code = operate_confirm(&op, "Revoke %s for good? It must then enrol anew under another id.",
                               args->operands[0]);
    if (code != 0)
        return code;
    auto_json_mut yyjson_mut_doc *body = operate_body(&root);
    const char *reason = line_get(args, "reason");
    if (body == NULL || (reason != NULL && !yyjson_mut_obj_add_str(body, root, "reason", reason))) {
        (void)err_set(&op.err, ERR_NOMEM, "no memory for the request");
        return operate_fail(&op);
    }
    if (operate_path(&op, "/api/devices", args->operands[0], "revoke", NULL) != 0 ||
        operate_call(&op, "POST", body, NULL) != 0)
        return operate_fail(&op);
    fprintf(stderr, "%s is revoked; its next request is refused.\n", args->operands[0]);
    return CMD_OK;
}

static const struct line_option list_options[] = {
    {.name = "model", .letter = 'm', .value = "MODEL", .help = "those of that model"},
    {.name = "tag", .letter = 't', .value = "TAG", .help = "those with that tag"},
    {.name = "version", .letter = 'v', .value = "VERSION", .help = "those that run that version"},
    {.name = "filter", .letter = 'f', .value = "FILTER", .help = "those that match it"},
    {.name = "id", .value = "PREFIX", .help = "those whose id begins so"},
    {.name = "revoked", .help = "only the revoked ones"},
    {.name = NULL},
};
static const struct line_option tag_options[] = {
    {.name = "remove", .letter = 'r', .help = "take the tag away"},
    {.name = NULL},
};
static const struct line_option add_options[] = {
    {.name = "model", .letter = 'm', .value = "MODEL", .help = "its model"},
    {.name = "name", .letter = 'n', .value = "TEXT", .help = "what people call it"},
    {.name = "description", .value = "TEXT", .help = "what it is, for people"},
    {.name = "token-file", .value = "FILE", .help = "its token is this file's first line"},
    {.name = NULL},
};
static const struct line_option token_options[] = {
    {.name = "new", .help = "make another one; the one before is refused"},
    {.name = "token-file", .value = "FILE", .help = "another one, this file's first line"},
    {.name = NULL},
};
static const struct line_option revoke_options[] = {
    {.name = "reason", .value = "TEXT", .help = "why, for the record"},
    {.name = NULL},
};

static const struct line_sub subs[] = {
    {"list", "", 0, 0, LINE_SERVER | LINE_JSON | LINE_LIST, list_options, list, "list devices", NULL},
    {"show", "ID", 1, 1, LINE_SERVER | LINE_JSON, NULL, show, "show a device and its certificates", NULL},
    {"history", "ID", 1, 1, LINE_SERVER | LINE_JSON | LINE_LIST, NULL, history,
     "list what happened to a device, newest first", NULL},
    {"tag", "ID TAG", 2, 2, LINE_SERVER, tag_options, tag, "put a tag on a device", NULL},
    {"add", "ID", 1, 1, LINE_SERVER | LINE_JSON, add_options, device_add,
     "announce a device of hawkBit's protocol",
     "Its token, which the server makes unless one is given, is printed. The device may come from now on."},
    {"token", "ID", 1, 1, LINE_SERVER | LINE_JSON, token_options, device_token, "show a device's token",
     NULL},
    {"release", "ID", 1, 1, LINE_SERVER | LINE_YES, NULL, device_release,
     "let a device with a certificate come by token",
     "Once it has a certificate, nothing less counts for a device, until it is released. The certificate "
     "counts still; enrolling again ends it."},
    {"set", "ID [KEY=VALUE]...", 1, LINE_OPERANDS_MAX, LINE_SERVER, device_set_options, device_set,
     "set a device's attributes, name or UTC offset",
     "Attributes are what filters look at, as attribute.KEY==VALUE."},
    {"revoke", "ID", 1, 1, LINE_SERVER | LINE_YES, revoke_options, revoke_device,
     "shut a device out for good",
     "The device and all its certificates are refused from its next request on."},
    {.name = NULL},
};

const struct line_verb line_device = {"device", "The devices that enrolled: what they run, what they do.",
                                      subs};

int cmd_device(int argc, char **argv)
{
    return line_run(&line_device, argc, argv);
}
