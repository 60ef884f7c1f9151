/* `pqota device set`: what a person says of a device; and how one is shown. */
#include <string.h>

#include "cmd/device.h"
#include "model/window.h"

static const char *or_dash(const char *s)
{
    return s != NULL ? s : "-";
}

const char *device_seen(struct operate *op, yyjson_val *d)
{
    static const struct {
        const char *word, *text;
    } ways[] = {{"pq", "over post-quantum TLS"},
                {"classical", "over classical TLS"},
                {"plain", "without TLS"},
                {"proxy", "through a proxy"}};
    const char *how = "",
               *protocol = str_is(operate_str(d, "interface"), "ddi") ? ", by hawkBit's protocol" : "";
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (str_is(operate_str(d, "transport"), ways[i].word))
            how = ways[i].text;
    if (!yyjson_is_str(yyjson_obj_get(d, "last_seen")))
        return "never";
    const char *between = how[0] == '\0' ? "" : protocol[0] != '\0' ? " " : ", ";
    return or_dash(
        arena_printf(&op->arena, "%s%s%s%s", operate_when(op, d, "last_seen"), protocol, between, how));
}

const char *device_reason(struct operate *op, yyjson_val *r)
{
    struct str text = operate_str(r, "text");
    int64_t deployment = operate_int(r, "deployment");
    if (text.n == 0)
        return "it has not asked yet";
    return or_dash(deployment != 0 ? arena_printf(&op->arena, "deployment %lld: " STR_FMT,
                                                  (long long)deployment, STR_ARG(text))
                                   : arena_printf(&op->arena, STR_FMT, STR_ARG(text)));
}

/* --- set ---------------------------------------------------------------------------------------------- */

static int no_memory(struct operate *op)
{
    return err_set(&op->err, ERR_NOMEM, "no memory for the request");
}

static int put_attributes(struct operate *op, yyjson_mut_doc *body, const char *mode)
{
    int rc = operate_path(op, "/api/devices", op->args->operands[0], "attributes", NULL);
    if (rc == 0)
        rc = operate_query(op, "mode", mode);
    return rc != 0 ? rc : operate_call(op, "PUT", body, NULL);
}

static int merge(struct operate *op)
{
    yyjson_mut_val *root;
    auto_json_mut yyjson_mut_doc *body = operate_body(&root);
    if (op->args->operand_count < 2)
        return 0;
    if (body == NULL)
        return no_memory(op);
    for (int i = 1; i < op->args->operand_count; i++) {
        const char *given = op->args->operands[i], *eq = strchr(given, '=');
        if (!yyjson_mut_obj_put(root, yyjson_mut_strn(body, given, (size_t)(eq - given)),
                                yyjson_mut_str(body, eq + 1)))
            return no_memory(op);
    }
    return put_attributes(op, body, "merge");
}

static int take_away(struct operate *op)
{
    yyjson_mut_val *root;
    auto_json_mut yyjson_mut_doc *body = operate_body(&root);
    size_t i = 0;
    if (!line_has(op->args, "remove"))
        return 0;
    if (body == NULL)
        return no_memory(op);
    for (const char *key; (key = line_each(op->args, "remove", &i)) != NULL;)
        if (!yyjson_mut_obj_put(root, yyjson_mut_str(body, key), yyjson_mut_null(body)))
            return no_memory(op);
    return put_attributes(op, body, "remove");
}

/* "-" takes it away. */
static bool add_word(yyjson_mut_doc *body, yyjson_mut_val *root, const char *key, const char *value)
{
    if (value == NULL)
        return true;
    return strcmp(value, "-") != 0 ? yyjson_mut_obj_add_str(body, root, key, value)
                                   : yyjson_mut_obj_add_null(body, root, key);
}

static int describe(struct operate *op)
{
    const char *name = line_get(op->args, "name"), *offset = line_get(op->args, "utc-offset");
    yyjson_mut_val *root;
    auto_json_mut yyjson_mut_doc *body = operate_body(&root);
    if (name == NULL && offset == NULL)
        return 0;
    if (body == NULL || !add_word(body, root, "name", name) || !add_word(body, root, "utc_offset", offset))
        return no_memory(op);
    int rc = operate_path(op, "/api/devices", op->args->operands[0], NULL);
    return rc != 0 ? rc : operate_call(op, "PUT", body, NULL);
}

static int check(const struct line_args *args)
{
    const char *offset = line_get(args, "utc-offset");
    struct err e = {0};
    int minutes;
    for (int i = 1; i < args->operand_count; i++) {
        const char *eq = strchr(args->operands[i], '=');
        if (eq == NULL || eq == args->operands[i])
            return line_wrong(args, "\"%s\" is no KEY=VALUE", args->operands[i]);
    }
    if (offset != NULL && strcmp(offset, "-") != 0 && window_parse_zone(str_of(offset), &minutes, &e) != 0)
        return line_wrong(args, "--utc-offset \"%s\": %s", offset, e.text);
    if (args->operand_count < 2 && offset == NULL && !line_has(args, "remove") && !line_has(args, "name"))
        return line_wrong(args, "say what to set: KEY=VALUE, --remove KEY, --name or --utc-offset");
    return 0;
}

int device_set(struct line_args *args)
{
    auto_operate struct operate op;
    int code = check(args);
    if (code != 0)
        return code;
    if (operate_init(&op, args) != 0 || merge(&op) != 0 || take_away(&op) != 0 || describe(&op) != 0)
        return operate_fail(&op);
    fprintf(stderr, "%s is changed.\n", args->operands[0]);
    return CMD_OK;
}

const struct line_option device_set_options[] = {
    {.name = "remove", .letter = 'r', .repeats = true, .value = "KEY", .help = "take that attribute away"},
    {.name = "name", .letter = 'n', .value = "NAME", .help = "what people call it; - for nothing"},
    {.name = "utc-offset",
     .value = "OFFSET",
     .help = "its clock in maintenance windows, as +02:00; - for unknown"},
    {.name = NULL},
};
