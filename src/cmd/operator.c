/* `pqota operator`: who may do what. */
#include <string.h>

#include "cmd/credential.h"
#include "cmd/operate.h"
#include "cmd/verbs.h"

#define DAYS_DEFAULT 365
#define DAYS_MAX 3650

/* POST /api/operators {name, role, certificate} */
static int register_operator(struct operate *op, const char *name, const char *role, struct str certificate,
                             yyjson_doc **doc)
{
    yyjson_mut_val *root;
    auto_json_mut yyjson_mut_doc *body = operate_body(&root);
    if (body == NULL || !yyjson_mut_obj_add_str(body, root, "name", name) ||
        !yyjson_mut_obj_add_str(body, root, "role", role) ||
        !yyjson_mut_obj_add_strn(body, root, "certificate", certificate.p, certificate.n))
        return err_set(&op->err, ERR_NOMEM, "no memory for the request");
    int rc = operate_path(op, "/api/operators", NULL);
    return rc == 0 ? operate_call(op, "POST", body, doc) : rc;
}

static int add(struct line_args *args)
{
    const char *name = args->operands[0], *role = line_get(args, "role");
    int64_t days;
    int code = line_number(args, "days", 1, DAYS_MAX, DAYS_DEFAULT, &days);
    if (code != 0)
        return code;
    if (!str_is_device_id(str_of(name)))
        return line_wrong(args, "an operator's name is letters, digits and . _ : - (at most 64), not \"%s\"",
                          name);
    auto_operate struct operate op;
    auto_json yyjson_doc *doc = NULL;
    if (operate_init(&op, args) != 0)
        return operate_fail(&op);
    struct credential_request request = {.name = name,
                                         .days = days,
                                         .profile = &op.profile,
                                         .ca_dir = line_get(args, "ca-dir"),
                                         .out_dir = line_get(args, "out")};
    struct credential c = {0};
    if (credential_make(&request, &op.arena, op.now_ms / 1000, &c, &op.err) != 0)
        return operate_fail(&op);
    if (register_operator(&op, name, role, c.certificate, &doc) != 0) {
        /* What the server refused is of no use. Without an answer it may count: then it stays. */
        if (rest_unanswered(op.rest))
            fprintf(stderr, "pqota operator add: the credential in %s is kept, in case the server took it\n",
                    c.dir);
        else
            credential_remove(&c);
        return operate_fail(&op);
    }
    if (op.json)
        return operate_print_json(&op, doc) == 0 ? CMD_OK : operate_fail(&op);
    fprintf(stderr, "%s is %s now; the folder %s is the credential. Keep it secret. Its profile:\n", name,
            role, c.dir);
    printf("%s\n", c.profile);
    return CMD_OK;
}

static const struct grid_column list_columns[] = {
    {"NAME", GRID_LEFT},
    {"ROLE", GRID_LEFT},
    {"CREATED", GRID_LEFT},
    {"STATE", GRID_LEFT},
};

static void list_row(struct operate *op, struct grid *t, yyjson_val *o)
{
    yyjson_val *revoked = yyjson_obj_get(o, "revoked");
    grid_cell(t, operate_str(o, "name"));
    grid_cell(t, operate_str(o, "role"));
    grid_cell_z(t, operate_ago(op, o, "created"));
    grid_cell_z(t, yyjson_is_str(revoked) || yyjson_is_true(revoked) ? "revoked" : "good");
}

static int list(struct line_args *args)
{
    auto_operate struct operate op;
    if (operate_init(&op, args) != 0 || operate_path(&op, "/api/operators", NULL) != 0)
        return operate_fail(&op);
    return operate_show_list(
        &op, &(struct operate_listing){
                 .columns = list_columns, .count = 4, .row = list_row, .none = "No operators."});
}

static int revoke_operator(struct line_args *args)
{
    auto_operate struct operate op;
    if (operate_init(&op, args) != 0)
        return operate_fail(&op);
    int code = operate_confirm(&op, "Revoke the operator %s for good?", args->operands[0]);
    if (code != 0)
        return code;
    if (operate_path(&op, "/api/operators", args->operands[0], "revoke", NULL) != 0 ||
        operate_call(&op, "POST", NULL, NULL) != 0)
        return operate_fail(&op);
    fprintf(stderr, "%s is revoked; the next request with that credential is refused.\n", args->operands[0]);
    return CMD_OK;
}

static const struct line_option add_options[] = {
    {.name = "role",
     .letter = 'r',
     .needed = true,
     .value = "ROLE",
     .choices = "viewer approver operator admin",
     .help = "what the operator may do"},
    {.name = "ca-dir",
     .value = "FOLDER",
     .help = "where operator-ca.pem and operator-ca.key are (../pki of the profile)"},
    {.name = "out",
     .letter = 'o',
     .value = "FOLDER",
     .help = "a new folder for the credential (called as the operator)"},
    {.name = "days", .value = "NUMBER", .help = "how long the certificate is good (365)"},
    {.name = NULL},
};

static const struct line_sub subs[] = {
    {"add", "NAME", 1, 1, LINE_SERVER | LINE_JSON, add_options, add, "make a credential for an operator",
     "Key and certificate are made on this machine with the operator CA; the server learns name, role and "
     "certificate.\n"
     "The new folder holds a profile: give the whole folder to the operator, over a channel that keeps "
     "secrets."},
    {"list", "", 0, 0, LINE_SERVER | LINE_JSON | LINE_LIST, NULL, list, "list operators", NULL},
    {"revoke", "NAME", 1, 1, LINE_SERVER | LINE_YES, NULL, revoke_operator, "shut an operator out for good",
     NULL},
    {.name = NULL},
};

const struct line_verb line_operator = {
    "operator", "Who may do what: viewers look, approvers approve, operators act, admins also revoke.", subs};

int cmd_operator(int argc, char **argv)
{
    return line_run(&line_operator, argc, argv);
}
