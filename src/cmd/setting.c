/* `pqota setting`: what is set while the server runs. */
#include "base/cleanup.h"
#include "cmd/operate.h"
#include "cmd/text.h"
#include "cmd/verbs.h"

static const struct grid_column list_columns[] = {
    {"SETTING", GRID_LEFT}, {"VALUE", GRID_LEFT}, {"CHANGED", GRID_LEFT}, {"BY", GRID_LEFT}};

static const char *value_of(yyjson_val *v)
{
    yyjson_val *value = yyjson_obj_get(v, "value");
    if (yyjson_is_true(yyjson_obj_get(v, "secret")))
        return yyjson_is_true(yyjson_obj_get(v, "set")) ? "(secret)" : "";
    return yyjson_is_bool(value) ? (yyjson_get_bool(value) ? "true" : "false") : yyjson_get_str(value);
}

static void list_row(struct operate *op, struct grid *t, yyjson_val *v)
{
    grid_cell(t, operate_str(v, "key"));
    grid_cell(t, str_of(value_of(v)));
    grid_cell_z(t, operate_ago(op, v, "changed"));
    grid_cell(t, operate_str(v, "changed_by"));
}

static int list(struct line_args *args)
{
    auto_operate struct operate op;
    if (operate_init(&op, args) != 0 || operate_path(&op, "/api/settings", NULL) != 0)
        return operate_fail(&op);
    return operate_show_list(&op, &(struct operate_listing){.columns = list_columns,
                                                            .count = 4,
                                                            .row = list_row,
                                                            .none = "This server has no settings."});
}

static int show(struct line_args *args)
{
    auto_operate struct operate op;
    auto_json yyjson_doc *doc = NULL;
    if (operate_init(&op, args) != 0 || operate_path(&op, "/api/settings", args->operands[0], NULL) != 0 ||
        operate_call(&op, "GET", NULL, &doc) != 0)
        return operate_fail(&op);
    if (op.json)
        return operate_print_json(&op, doc) == 0 ? CMD_OK : operate_fail(&op);
    yyjson_val *value = yyjson_obj_get(yyjson_doc_get_root(doc), "value");
    const char *text = text_escape(yyjson_is_bool(value) ? str_of(yyjson_get_bool(value) ? "true" : "false")
                                                         : operate_str(yyjson_doc_get_root(doc), "value"),
                                   &op.arena);
    if (text == NULL) {
        (void)err_set(&op.err, ERR_NOMEM, "no memory to show the setting");
        return operate_fail(&op);
    }
    puts(text);
    return CMD_OK;
}

/* What was given on the command line, or the first line of a file. */
static int read_value(struct operate *op, struct str *out)
{
    if (line_has(op->args, "value-file") == (op->args->operand_count == 2))
        return err_set(&op->err, ERR_INVALID, "give either a value or --value-file");
    if (op->args->operand_count == 2)
        *out = str_of(op->args->operands[1]);
    return operate_first_line(op, "value-file", out);
}

static int set(struct line_args *args)
{
    auto_operate struct operate op;
    yyjson_mut_val *root = NULL;
    struct str value = {0};
    if (operate_init(&op, args) != 0 || read_value(&op, &value) != 0)
        return operate_fail(&op);
    auto_json_mut yyjson_mut_doc *body = operate_body(&root);
    if (body == NULL || !yyjson_mut_obj_add_strn(body, root, "value", value.p, value.n)) {
        (void)err_set(&op.err, ERR_NOMEM, "no memory for the request");
        return operate_fail(&op);
    }
    if (operate_path(&op, "/api/settings", args->operands[0], NULL) != 0 ||
        operate_call(&op, "PUT", body, NULL) != 0)
        return operate_fail(&op);
    fprintf(stderr, "%s is set.\n", args->operands[0]);
    return CMD_OK;
}

static int reset(struct line_args *args)
{
    auto_operate struct operate op;
    if (operate_init(&op, args) != 0 || operate_path(&op, "/api/settings", args->operands[0], NULL) != 0 ||
        operate_call(&op, "DELETE", NULL, NULL) != 0)
        return operate_fail(&op);
    fprintf(stderr, "%s is what the configuration file says.\n", args->operands[0]);
    return CMD_OK;
}

static const struct line_option set_options[] = {
    {.name = "value-file", .value = "FILE", .help = "the value is this file's first line"},
    {.name = NULL},
};

static const struct line_sub subs[] = {
    {"list", "", 0, 0, LINE_SERVER | LINE_JSON | LINE_LIST, NULL, list, "list the settings", NULL},
    {"show", "SETTING", 1, 1, LINE_SERVER | LINE_JSON, NULL, show, "show one, a secret too", NULL},
    {"set", "SETTING [VALUE]", 1, 2, LINE_SERVER, set_options, set, "change one, at once and for good",
     "It wins over the configuration file, also after a restart. A secret is better given by --value-file."},
    {"reset", "SETTING", 1, 1, LINE_SERVER, NULL, reset, "let the configuration file say it again", NULL},
    {.name = NULL},
};

const struct line_verb line_setting = {
    "setting", "What is set while the server runs, for devices of hawkBit's protocol, by hawkBit's names.",
    subs};

int cmd_setting(int argc, char **argv)
{
    return line_run(&line_setting, argc, argv);
}
