/* `pqota deploy`: sends a release to devices. */
#include "cmd/deploy.h"

#include <string.h>

#include "base/cleanup.h"
#include "cmd/deployment.h"
#include "cmd/firmware.h"
#include "cmd/verbs.h"

static const char *const target_kinds[] = {"device", "tag", "model", "filter", "all"};
#define TARGET_KINDS (sizeof target_kinds / sizeof target_kinds[0])

/* Exactly one of the five says to whom. */
static int read_target(const struct line_args *args, const char **kind, const char **value)
{
    size_t n = 0;
    for (size_t i = 0; i < TARGET_KINDS; i++) {
        if (!line_has(args, target_kinds[i]))
            continue;
        n++;
        *kind = target_kinds[i];
        *value = line_get(args, target_kinds[i]) != NULL ? line_get(args, target_kinds[i]) : "";
    }
    if (n == 1)
        return 0;
    return line_wrong(args,
                      n == 0 ? "say to whom: --device ID, --tag TAG, --model MODEL, --filter FILTER or --all"
                             : "--device, --tag, --model, --filter and --all exclude each other");
}

static bool add_release(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct firmware_name *release)
{
    if (release->id != 0)
        return yyjson_mut_obj_add_sint(doc, root, "release", release->id);
    return yyjson_mut_obj_add_strcpy(doc, root, "name", release->name) &&
           yyjson_mut_obj_add_strcpy(doc, root, "version", release->version);
}

/* The interface takes the id alone. */
static int add_rollback(struct operate *op, yyjson_mut_doc *doc, yyjson_mut_val *root)
{
    const char *given = line_get(op->args, "rollback");
    struct firmware_name n = {0};
    auto_json yyjson_doc *found = NULL;
    yyjson_val *release;
    if (given == NULL)
        return 0;
    int rc = firmware_parse_name(given, NULL, &op->arena, &n, &op->err);
    if (rc == 0 && n.id == 0) {
        rc = firmware_find_named(op, &n, &found, &release);
        if (rc == 0)
            n.id = operate_int(release, "id");
    }
    if (rc != 0)
        return err_context(&op->err, "--rollback");
    return yyjson_mut_obj_add_sint(doc, root, "rollback", n.id)
               ? 0
               : err_set(&op->err, ERR_NOMEM, "no memory for the request");
}

static int send(struct operate *op, yyjson_mut_doc *body)
{
    auto_json yyjson_doc *answer = NULL;
    if (operate_path(op, "/api/deployments", NULL) != 0 || operate_call(op, "POST", body, &answer) != 0)
        return operate_fail(op);
    yyjson_val *made = yyjson_doc_get_root(answer);
    struct str state = operate_str(made, "state");
    if (!op->json)
        fprintf(stderr, "Deployment %lld is %s. Next: pqota deployment %s %lld\n",
                (long long)operate_int(made, "id"),
                str_is(state, "approval")    ? "made, and waits for another operator"
                : str_is(state, "scheduled") ? "scheduled"
                                             : "under way",
                str_is(state, "approval") ? "approve" : "show", (long long)operate_int(made, "id"));
    return deployment_print(op, answer);
}

static int deploy(struct line_args *args)
{
    const char *kind = NULL, *value = NULL;
    int code = read_target(args, &kind, &value);
    if (code != 0)
        return code;
    auto_operate struct operate op;
    struct firmware_name release = {0};
    yyjson_mut_val *root = NULL, *target;
    if (operate_init(&op, args) != 0 ||
        firmware_parse_name(args->operands[0], args->operand_count > 1 ? args->operands[1] : NULL, &op.arena,
                            &release, &op.err) != 0)
        return operate_fail(&op);
    auto_json_mut yyjson_mut_doc *body = operate_body(&root);
    if (body == NULL || (target = yyjson_mut_obj_add_obj(body, root, "target")) == NULL ||
        !yyjson_mut_obj_add_str(body, target, "kind", kind) ||
        !yyjson_mut_obj_add_str(body, target, "value", value) || !add_release(body, root, &release)) {
        (void)err_set(&op.err, ERR_NOMEM, "no memory for the request");
        return operate_fail(&op);
    }
    code = deploy_add_policy(args, op.now_ms, body, root);
    if (code == 0)
        code = deploy_add_phases(args, body, root);
    if (code != 0)
        return code;
    return add_rollback(&op, body, root) != 0 ? operate_fail(&op) : send(&op, body);
}

static const struct line_sub subs[] = {
    {"", "RELEASE", 1, 2, LINE_SERVER | LINE_JSON, deploy_options, deploy, "send a release to devices",
     "RELEASE is an id, NAME@VERSION, or NAME VERSION. Devices learn of it when they poll next.\n"
     "A PHASE takes count=N devices, percent=N of them, or those that match filter=... (as its last "
     "member);\n"
     "the next one opens when success=N percent have succeeded (100), and all stops when errors=N or N% "
     "have\n"
     "failed. A phase for the rest follows by itself."},
    {.name = NULL},
};

const struct line_verb line_deploy = {
    "deploy", "Sends a release to a device, to those with a tag, of a model, that match a filter, or to all.",
    subs};

int cmd_deploy(int argc, char **argv)
{
    return line_run(&line_deploy, argc, argv);
}
