/* `pqota token`: what devices enrol with. */
#include <string.h>

#include "base/cleanup.h"
#include "cmd/operate.h"
#include "cmd/text.h"
#include "cmd/verbs.h"

#define TOKEN_USES_MAX 100000
#define TOKEN_LIFE_MAX_S (365 * 86400)

static yyjson_mut_doc *make_body(const struct line_args *args, int64_t count, int64_t expires_s)
{
    static const char *const texts[] = {"model", "device", "note"};
    yyjson_mut_val *root;
    auto_json_mut yyjson_mut_doc *doc = operate_body(&root);
    bool ok = doc != NULL;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (ok && line_has(args, texts[i]))
            ok = yyjson_mut_obj_add_str(doc, root, texts[i], line_get(args, texts[i]));
    if (ok && count > 0)
        ok = yyjson_mut_obj_add_sint(doc, root, "count", count);
    if (ok && expires_s > 0)
        ok = yyjson_mut_obj_add_sint(doc, root, "expires_in", expires_s);
    return ok ? take_ptr(doc) : NULL;
}

static int new(struct line_args *args)
{
    int64_t count, expires_s = 0;
    const char *expires = line_get(args, "expires");
    int code = line_number(args, "count", 1, TOKEN_USES_MAX, 0, &count);
    if (code != 0)
        return code;
    if (expires != NULL && text_parse_duration(expires, TOKEN_LIFE_MAX_S, &expires_s) != 0)
        return line_wrong(args, "--expires must be a time such as 12h or 7d, at most 365d, not \"%s\"",
                          expires);
    auto_operate struct operate op;
    auto_json yyjson_doc *doc = NULL;
    if (operate_init(&op, args) != 0)
        return operate_fail(&op);
    auto_json_mut yyjson_mut_doc *body = make_body(args, count, expires_s);
    if (body == NULL) {
        (void)err_set(&op.err, ERR_NOMEM, "no memory for the request");
        return operate_fail(&op);
    }
    if (operate_path(&op, "/api/tokens", NULL) != 0 || operate_call(&op, "POST", body, &doc) != 0)
        return operate_fail(&op);
    if (op.json)
        return operate_print_json(&op, doc) == 0 ? CMD_OK : operate_fail(&op);
    yyjson_val *t = yyjson_doc_get_root(doc);
    const char *token = text_escape(operate_str(t, "token"), &op.arena);
    if (token == NULL || *token == '\0') {
        (void)err_set(&op.err, ERR_INVALID, "the server's answer holds no token");
        return operate_fail(&op);
    }
    if (!line_has(args, "quiet"))
        fprintf(stderr, "Token %lld for %lld device%s of model %s. It is shown this once:\n",
                (long long)operate_int(t, "id"), (long long)(count > 0 ? count : 1), count > 1 ? "s" : "",
                line_get(args, "model"));
    puts(token);
    return CMD_OK;
}

static const struct grid_column list_columns[] = {
    {"ID", GRID_RIGHT},     {"MODEL", GRID_LEFT},   {"DEVICE", GRID_LEFT},
    {"USED", GRID_RIGHT},   {"EXPIRES", GRID_LEFT}, {"STATE", GRID_LEFT},
    {"CREATED", GRID_LEFT}, {"BY", GRID_LEFT},      {"NOTE", GRID_LEFT},
};

static const char *token_state(struct operate *op, yyjson_val *t)
{
    int64_t expires;
    if (operate_str(t, "revoked").n > 0 || yyjson_is_true(yyjson_obj_get(t, "revoked")))
        return "revoked";
    if (operate_int(t, "count") > 0 && operate_int(t, "used") >= operate_int(t, "count"))
        return "used up";
    if (text_parse_time(operate_str(t, "expires"), &expires) == 0 && expires < op->now_ms)
        return "expired";
    return "good";
}

static void list_row(struct operate *op, struct grid *t, yyjson_val *k)
{
    grid_cellf(t, "%lld", (long long)operate_int(k, "id"));
    grid_cell(t, operate_str(k, "model"));
    grid_cell(t, operate_str(k, "device"));
    grid_cellf(t, "%lld of %lld", (long long)operate_int(k, "used"), (long long)operate_int(k, "count"));
    grid_cell_z(t, operate_ago(op, k, "expires"));
    grid_cell_z(t, token_state(op, k));
    grid_cell_z(t, operate_ago(op, k, "created"));
    grid_cell(t, operate_str(k, "created_by"));
    grid_cell(t, operate_str(k, "note"));
}

static int list(struct line_args *args)
{
    auto_operate struct operate op;
    if (operate_init(&op, args) != 0 || operate_path(&op, "/api/tokens", NULL) != 0)
        return operate_fail(&op);
    return operate_show_list(&op,
                             &(struct operate_listing){.columns = list_columns,
                                                       .count = 9,
                                                       .row = list_row,
                                                       .none = "No tokens. `pqota token new` makes one."});
}

static int revoke_token(struct line_args *args)
{
    auto_operate struct operate op;
    if (operate_init(&op, args) != 0 || operate_path(&op, "/api/tokens", args->operands[0], NULL) != 0 ||
        operate_call(&op, "DELETE", NULL, NULL) != 0)
        return operate_fail(&op);
    fprintf(stderr, "Token %s is revoked; devices that enrolled with it stay.\n", args->operands[0]);
    return CMD_OK;
}

static const struct line_option new_options[] = {
    {.name = "model", .letter = 'm', .needed = true, .value = "MODEL", .help = "what the devices are"},
    {.name = "count", .letter = 'n', .value = "NUMBER", .help = "how many devices may enrol with it (1)"},
    {.name = "expires", .letter = 'e', .value = "TIME", .help = "good for so long: 12h, 7d (7d)"},
    {.name = "device", .letter = 'd', .value = "ID", .help = "the one device it is for"},
    {.name = "note", .value = "TEXT", .help = "what it is for, for the record"},
    {.name = "quiet", .letter = 'q', .help = "print the token and nothing else"},
    {.name = NULL},
};

static const struct line_sub subs[] = {
    {"new", "", 0, 0, LINE_SERVER | LINE_JSON, new_options, new, "make a token for devices to enrol with",
     "The token alone goes to standard output; it cannot be shown again. Give it to the device:\n"
     "  pqota-agent enroll --server URL --ca server-roots.pem --token \"$(pqota token new --quiet --model "
     "MODEL)\""},
    {"list", "", 0, 0, LINE_SERVER | LINE_JSON | LINE_LIST, NULL, list, "list tokens (not their texts)",
     NULL},
    {"revoke", "ID", 1, 1, LINE_SERVER, NULL, revoke_token, "make a token worthless", NULL},
    {.name = NULL},
};

const struct line_verb line_token = {"token", "Tokens that devices enrol with, once each.", subs};

int cmd_token(int argc, char **argv)
{
    return line_run(&line_token, argc, argv);
}
