/* `pqota deploy`: sends a release to devices. */
#include <string.h>

#include "base/cleanup.h"
#include "cmd/deployment.h"
#include "cmd/firmware.h"
#include "cmd/verbs.h"

static const char *const target_kinds[] = {"device", "tag", "model", "all"};
#define TARGET_KINDS (sizeof target_kinds / sizeof target_kinds[0])

/* Exactly one of the four says to whom. */
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
    return line_wrong(args, n == 0 ? "say to whom: --device ID, --tag TAG, --model MODEL or --all"
                                   : "--device, --tag, --model and --all exclude each other");
}

static yyjson_mut_doc *make_body(const struct line_args *args, const struct firmware_name *release,
                                 const char *kind, const char *value)
{
    yyjson_mut_val *root, *target;
    auto_json_mut yyjson_mut_doc *doc = operate_body(&root);
    if (doc == NULL || (target = yyjson_mut_obj_add_obj(doc, root, "target")) == NULL)
        return NULL;
    bool ok = yyjson_mut_obj_add_str(doc, target, "kind", kind) &&
              yyjson_mut_obj_add_str(doc, target, "value", value);
    if (release->id != 0)
        ok = ok && yyjson_mut_obj_add_sint(doc, root, "release", release->id);
    else
        ok = ok && yyjson_mut_obj_add_strcpy(doc, root, "name", release->name) &&
             yyjson_mut_obj_add_strcpy(doc, root, "version", release->version);
    if (line_has(args, "allow-downgrade"))
        ok = ok && yyjson_mut_obj_add_bool(doc, root, "allow_downgrade", true);
    return ok ? take_ptr(doc) : NULL;
}

static int deploy(struct line_args *args)
{
    const char *kind = NULL, *value = NULL;
    int code = read_target(args, &kind, &value);
    if (code != 0)
        return code;
    auto_operate struct operate op;
    auto_json yyjson_doc *answer = NULL;
    struct firmware_name release = {0};
    if (operate_init(&op, args) != 0 ||
        firmware_parse_name(args->operands[0], args->operand_count > 1 ? args->operands[1] : NULL, &op.arena,
                            &release, &op.err) != 0)
        return operate_fail(&op);
    auto_json_mut yyjson_mut_doc *body = make_body(args, &release, kind, value);
    if (body == NULL) {
        (void)err_set(&op.err, ERR_NOMEM, "no memory for the request");
        return operate_fail(&op);
    }
    if (operate_path(&op, "/api/deployments", NULL) != 0 || operate_call(&op, "POST", body, &answer) != 0)
        return operate_fail(&op);
    if (!op.json)
        fprintf(stderr, "Deployment %lld is under way. Next: pqota deployment show %lld\n",
                (long long)operate_int(yyjson_doc_get_root(answer), "id"),
                (long long)operate_int(yyjson_doc_get_root(answer), "id"));
    return deployment_print(&op, answer);
}

static const struct line_option options[] = {
    {.name = "device", .letter = 'd', .value = "ID", .help = "to one device"},
    {.name = "tag", .letter = 't', .value = "TAG", .help = "to the devices with that tag"},
    {.name = "model", .letter = 'm', .value = "MODEL", .help = "to the devices of that model"},
    {.name = "all", .letter = 'a', .help = "to all devices that the release fits"},
    {.name = "allow-downgrade", .help = "also to devices that run something newer"},
    {.name = NULL},
};

static const struct line_sub subs[] = {
    {"", "RELEASE", 1, 2, LINE_SERVER | LINE_JSON, options, deploy, "send a release to devices",
     "RELEASE is an id, NAME@VERSION, or NAME VERSION. Devices learn of it when they poll next."},
    {.name = NULL},
};

const struct line_verb line_deploy = {
    "deploy", "Sends a release to a device, to those with a tag, of a model, or to all.", subs};

int cmd_deploy(int argc, char **argv)
{
    return line_run(&line_deploy, argc, argv);
}
