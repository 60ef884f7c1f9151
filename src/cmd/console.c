/* `pqota console`: a link for a browser, by which somebody signs in at the console once. */
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cmd/operate.h"
#include "cmd/text.h"
#include "cmd/verbs.h"

/* The server's name as the profile has it, with the console's port: "https://host:8444/#sign-in=...". */
static const char *make_link(struct operate *op, yyjson_val *answer)
{
    struct str server = str_of(op->profile.server), link = operate_str(answer, "link");
    const char *port = strrchr(op->profile.server, ':');
    bool has_port = port != NULL && port > strstr(op->profile.server, "//") && strchr(port, ']') == NULL;
    if (has_port)
        server.n = (size_t)(port - op->profile.server);
    const char *safe = text_escape(link, &op->arena);
    return safe != NULL ? arena_printf(&op->arena, STR_FMT ":%lld/#sign-in=%s", STR_ARG(server),
                                       (long long)operate_int(answer, "port"), safe)
                        : NULL;
}

/* pqota init puts it beside the operator's folder. */
static void say_authority(struct operate *op)
{
    const char *path = arena_printf(&op->arena, "%s/../pki/console-ca.pem", op->profile.dir);
    if (path != NULL && file_exists(path))
        fprintf(stderr, "A browser knows this server once it has %s among its authorities.\n", path);
}

static yyjson_mut_doc *make_body(struct operate *op)
{
    yyjson_mut_val *root;
    const char *account = line_get(op->args, "account"), *role = line_get(op->args, "role");
    auto_json_mut yyjson_mut_doc *doc = operate_body(&root);
    if (doc == NULL || (account != NULL && !yyjson_mut_obj_add_str(doc, root, "account", account)) ||
        (role != NULL && !yyjson_mut_obj_add_str(doc, root, "role", role))) {
        (void)err_set(&op->err, ERR_NOMEM, "no memory for the request");
        return NULL;
    }
    return take_ptr(doc);
}

static int console(struct line_args *args)
{
    auto_operate struct operate op;
    auto_json yyjson_doc *doc = NULL;
    if (operate_init(&op, args) != 0)
        return operate_fail(&op);
    auto_json_mut yyjson_mut_doc *body = make_body(&op);
    if (body == NULL || operate_path(&op, "/api/sign-in-links", NULL) != 0 ||
        operate_call(&op, "POST", body, &doc) != 0)
        return operate_fail(&op);
    yyjson_val *answer = yyjson_doc_get_root(doc);
    if (op.json)
        return operate_print_json(&op, doc) == 0 ? CMD_OK : operate_fail(&op);
    const char *link = make_link(&op, answer), *name = text_escape(operate_str(answer, "account"), &op.arena);
    const char *until = operate_when(&op, answer, "expires");
    if (link == NULL || name == NULL || until == NULL) {
        (void)err_set(&op.err, ERR_NOMEM, "no memory to show the link");
        return operate_fail(&op);
    }
    fprintf(stderr, "Whoever opens this first is %s; it works once, until %s.\n", name, until);
    puts(link);
    say_authority(&op);
    return CMD_OK;
}

static const struct line_option options[] = {
    {.name = "account",
     .value = "NAME",
     .help = "who signs in by it (default: you, by your certificate's name)"},
    {.name = "role",
     .value = "ROLE",
     .choices = "viewer approver operator admin",
     .help = "what a new account may do (default: admin)"},
    {.name = NULL},
};

static const struct line_sub subs[] = {
    {"", "", 0, 0, LINE_SERVER | LINE_JSON, options, console,
     "print a link by which somebody signs in at the console once",
     "The account is made if there is none of that name; whoever opens the link may give it a password. It "
     "is\n"
     "also the way back in for who forgot one. The link alone goes to standard output."},
    {.name = NULL},
};

const struct line_verb line_console = {
    "console", "Prints a link for a browser, by which somebody signs in at the console once.", subs};

int cmd_console(int argc, char **argv)
{
    return line_run(&line_console, argc, argv);
}
