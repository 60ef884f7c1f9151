/* `pqota device add`, `token`, `release`: devices that come with a token. */
#include "cmd/device.h"

#include "base/cleanup.h"
#include "cmd/text.h"

static int no_memory(struct operate *op)
{
    return err_set(&op->err, ERR_NOMEM, "no memory for the request");
}

static int read_token(struct operate *op, struct str *out)
{
    int rc = operate_first_line(op, "token-file", out);
    while (rc == 0 && out->n > 0 && out->p[out->n - 1] == ' ')
        out->n--;
    return rc;
}

/* The token alone goes to standard output. */
static int show(struct operate *op, yyjson_doc *doc)
{
    if (op->json)
        return operate_print_json(op, doc) == 0 ? CMD_OK : operate_fail(op);
    const char *token = text_escape(operate_str(yyjson_doc_get_root(doc), "token"), &op->arena);
    if (token == NULL) {
        (void)no_memory(op);
        return operate_fail(op);
    }
    puts(token);
    return CMD_OK;
}

int device_add(struct line_args *args)
{
    static const char *const texts[] = {"model", "name", "description"};
    auto_operate struct operate op;
    auto_json yyjson_doc *doc = NULL;
    yyjson_mut_val *root = NULL;
    struct str token = {0};
    if (operate_init(&op, args) != 0 || read_token(&op, &token) != 0)
        return operate_fail(&op);
    auto_json_mut yyjson_mut_doc *body = operate_body(&root);
    bool made = body != NULL && yyjson_mut_obj_add_str(body, root, "id", args->operands[0]) &&
                (token.p == NULL || yyjson_mut_obj_add_strn(body, root, "token", token.p, token.n));
    for (size_t i = 0; made && i < sizeof texts / sizeof texts[0]; i++)
        if (line_has(args, texts[i]))
            made = yyjson_mut_obj_add_str(body, root, texts[i], line_get(args, texts[i]));
    if (!made) {
        (void)no_memory(&op);
        return operate_fail(&op);
    }
    if (operate_path(&op, "/api/devices", NULL) != 0 || operate_call(&op, "POST", body, &doc) != 0)
        return operate_fail(&op);
    fprintf(stderr, "%s may come now. Its token, for Authorization: TargetToken ...:\n", args->operands[0]);
    return show(&op, doc);
}

int device_token(struct line_args *args)
{
    auto_operate struct operate op;
    auto_json yyjson_doc *doc = NULL;
    yyjson_mut_val *root = NULL;
    struct str token = {0};
    if (operate_init(&op, args) != 0 || read_token(&op, &token) != 0)
        return operate_fail(&op);
    bool anew = line_has(args, "new") || token.p != NULL;
    auto_json_mut yyjson_mut_doc *body = anew ? operate_body(&root) : NULL;
    if (anew && (body == NULL ||
                 (token.p != NULL && !yyjson_mut_obj_add_strn(body, root, "token", token.p, token.n)))) {
        (void)no_memory(&op);
        return operate_fail(&op);
    }
    if (operate_path(&op, "/api/devices", args->operands[0], "token", NULL) != 0 ||
        operate_call(&op, anew ? "PUT" : "GET", body, &doc) != 0)
        return operate_fail(&op);
    if (anew)
        fprintf(stderr, "%s has another token; the one before is refused.\n", args->operands[0]);
    return show(&op, doc);
}

int device_release(struct line_args *args)
{
    auto_operate struct operate op;
    yyjson_mut_val *root;
    if (operate_init(&op, args) != 0)
        return operate_fail(&op);
    int code =
        operate_confirm(&op,
                        "Release %s? Whoever has a token that counts for it can then act as it, without "
                        "its certificate.",
                        args->operands[0]);
    if (code != 0)
        return code;
    auto_json_mut yyjson_mut_doc *body = operate_body(&root);
    if (body == NULL) {
        (void)no_memory(&op);
        return operate_fail(&op);
    }
    if (operate_path(&op, "/api/devices", args->operands[0], "release", NULL) != 0 ||
        operate_call(&op, "POST", body, NULL) != 0)
        return operate_fail(&op);
    fprintf(stderr, "%s may come by token; its certificate counts still.\n", args->operands[0]);
    return CMD_OK;
}
