/* `pqota account`: people and scripts that log in with name and password. */
#include "base/cleanup.h"
#include "cmd/operate.h"
#include "cmd/passphrase.h"
#include "cmd/text.h"
#include "cmd/verbs.h"

/* {role, password}, as far as they are given; the server makes a password that is not. */
static yyjson_mut_doc *make_body(struct operate *op, const char *name, struct passphrase *password)
{
    yyjson_mut_val *root;
    const char *role = line_has(op->args, "role") ? line_get(op->args, "role") : NULL;
    if (password->file != NULL && passphrase_make(password, name, &op->err) != 0)
        return NULL;
    auto_json_mut yyjson_mut_doc *doc = operate_body(&root);
    if (doc == NULL || (role != NULL && !yyjson_mut_obj_add_str(doc, root, "name", name)) ||
        (role != NULL && !yyjson_mut_obj_add_str(doc, root, "role", role)) ||
        (password->made && !yyjson_mut_obj_add_str(doc, root, "password", password->text))) {
        (void)err_set(&op->err, ERR_NOMEM, "no memory for the request");
        return NULL;
    }
    return take_ptr(doc);
}

/* The password alone goes to standard output, and there is none when it was given. */
static int show(struct operate *op, yyjson_doc *doc, const char *said, const char *name)
{
    if (op->json)
        return operate_print_json(op, doc) == 0 ? CMD_OK : operate_fail(op);
    const char *made = text_escape(operate_str(yyjson_doc_get_root(doc), "password"), &op->arena);
    if (made == NULL) {
        (void)err_set(&op->err, ERR_NOMEM, "no memory to show the password");
        return operate_fail(op);
    }
    fprintf(stderr, "%s %s.%s\n", name, said,
            made[0] != '\0' ? " The password was made by the server and is shown this once:" : "");
    if (made[0] != '\0')
        puts(made);
    return CMD_OK;
}

static int send_password(struct line_args *args, bool create)
{
    const char *name = args->operands[0];
    auto_passphrase struct passphrase password;
    passphrase_init(&password, line_get(args, "password-file"));
    auto_operate struct operate op;
    auto_json yyjson_doc *doc = NULL;
    if (operate_init(&op, args) != 0)
        return operate_fail(&op);
    auto_json_mut yyjson_mut_doc *body = make_body(&op, name, &password);
    int rc = body == NULL ? op.err.code
             : create     ? operate_path(&op, "/api/accounts", NULL)
                          : operate_path(&op, "/api/accounts", name, "password", NULL);
    if (rc != 0 || operate_call(&op, "POST", body, &doc) != 0)
        return operate_fail(&op);
    return show(&op, doc, create ? "may log in now" : "has a new password; the old one is refused", name);
}

static int create(struct line_args *args)
{
    return send_password(args, true);
}

static int set_password(struct line_args *args)
{
    return send_password(args, false);
}

static const struct grid_column list_columns[] = {
    {"NAME", GRID_LEFT}, {"ROLE", GRID_LEFT},    {"CREATED", GRID_LEFT},
    {"BY", GRID_LEFT},   {"CHANGED", GRID_LEFT}, {"STATE", GRID_LEFT},
};

static void list_row(struct operate *op, struct grid *t, yyjson_val *o)
{
    grid_cell(t, operate_str(o, "name"));
    grid_cell(t, operate_str(o, "role"));
    grid_cell_z(t, operate_ago(op, o, "created"));
    grid_cell(t, operate_str(o, "created_by"));
    grid_cell_z(t, operate_ago(op, o, "changed"));
    grid_cell_z(t, operate_str(o, "disabled").n > 0 ? "disabled" : "good");
}

static int list(struct line_args *args)
{
    auto_operate struct operate op;
    if (operate_init(&op, args) != 0 || operate_path(&op, "/api/accounts", NULL) != 0)
        return operate_fail(&op);
    return operate_show_list(
        &op, &(struct operate_listing){.columns = list_columns,
                                       .count = 6,
                                       .row = list_row,
                                       .none = "No accounts. `pqota account create` makes one."});
}

static int set_role(struct line_args *args)
{
    const char *name = args->operands[0], *role = args->operands[1];
    yyjson_mut_val *root;
    auto_operate struct operate op;
    if (operate_init(&op, args) != 0)
        return operate_fail(&op);
    auto_json_mut yyjson_mut_doc *body = operate_body(&root);
    if (body == NULL || !yyjson_mut_obj_add_str(body, root, "role", role)) {
        (void)err_set(&op.err, ERR_NOMEM, "no memory for the request");
        return operate_fail(&op);
    }
    if (operate_path(&op, "/api/accounts", name, "role", NULL) != 0 ||
        operate_call(&op, "POST", body, NULL) != 0)
        return operate_fail(&op);
    fprintf(stderr, "%s is %s now, from the next request on.\n", name, role);
    return CMD_OK;
}

static int set_disabled(struct line_args *args, const char *what, const char *said)
{
    auto_operate struct operate op;
    if (operate_init(&op, args) != 0 ||
        operate_path(&op, "/api/accounts", args->operands[0], what, NULL) != 0 ||
        operate_call(&op, "POST", NULL, NULL) != 0)
        return operate_fail(&op);
    fprintf(stderr, "%s %s\n", args->operands[0], said);
    return CMD_OK;
}

static int disable(struct line_args *args)
{
    return set_disabled(args, "disable", "is refused from the next request on; enable takes it back.");
}

static int enable(struct line_args *args)
{
    return set_disabled(args, "enable", "may log in again.");
}

static int remove_account(struct line_args *args)
{
    auto_operate struct operate op;
    if (operate_init(&op, args) != 0)
        return operate_fail(&op);
    int code = operate_confirm(&op, "Remove the account %s?", args->operands[0]);
    if (code != 0)
        return code;
    if (operate_path(&op, "/api/accounts", args->operands[0], NULL) != 0 ||
        operate_call(&op, "DELETE", NULL, NULL) != 0)
        return operate_fail(&op);
    fprintf(stderr, "The account %s is gone.\n", args->operands[0]);
    return CMD_OK;
}

#define PASSWORD_FILE                                                                                        \
    {.name = "password-file",                                                                                \
     .value = "FILE",                                                                                        \
     .help = "its first line is the password, at least 12 bytes (else one is made and shown)"}

static const struct line_option create_options[] = {
    {.name = "role",
     .letter = 'r',
     .needed = true,
     .value = "ROLE",
     .choices = "viewer approver operator admin",
     .help = "what the account may do"},
    PASSWORD_FILE,
    {.name = NULL},
};
static const struct line_option password_options[] = {
    PASSWORD_FILE,
    {.name = NULL},
};

static const struct line_sub subs[] = {
    {"create", "NAME", 1, 1, LINE_SERVER | LINE_JSON, create_options, create, "make an account",
     "Without --password-file the server makes a password of 24 characters, which alone goes to standard "
     "output "
     "and cannot be shown again."},
    {"list", "", 0, 0, LINE_SERVER | LINE_JSON | LINE_LIST, NULL, list, "list accounts", NULL},
    {"password", "NAME", 1, 1, LINE_SERVER | LINE_JSON, password_options, set_password,
     "give an account a new password", NULL},
    {"role", "NAME ROLE", 2, 2, LINE_SERVER, NULL, set_role, "make it a viewer, approver, operator or admin",
     NULL},
    {"disable", "NAME", 1, 1, LINE_SERVER, NULL, disable, "refuse an account until it is enabled again",
     NULL},
    {"enable", "NAME", 1, 1, LINE_SERVER, NULL, enable, "let a disabled account in again", NULL},
    {"remove", "NAME", 1, 1, LINE_SERVER | LINE_YES, NULL, remove_account, "remove an account", NULL},
    {.name = NULL},
};

const struct line_verb line_account = {
    "account", "Names and passwords, for the console and hawkBit's management interface (/rest/v1).", subs};

int cmd_account(int argc, char **argv)
{
    return line_run(&line_account, argc, argv);
}
