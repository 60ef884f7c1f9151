/* `pqota firmware`: what is published. */
#include "cmd/firmware.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/text.h"
#include "cmd/verbs.h"
#include "model/release.h"

#define RELEASE_ID_MAX INT32_MAX
#define SEARCH_PAGES_MAX 200 /* pages looked through for a name and version */

int firmware_parse_name(const char *first, const char *second, struct arena *a, struct firmware_name *out,
                        struct err *e)
{
    uint64_t id;
    struct str name = str_of(first), version = str_of(second);
    if (second == NULL && str_to_u64(name, RELEASE_ID_MAX, &id) == 0 && id > 0) {
        *out = (struct firmware_name){.id = (int64_t)id};
        return 0;
    }
    const char *at = second == NULL ? strchr(first, '@') : NULL;
    if (at != NULL) {
        name.n = (size_t)(at - first);
        version = str_of(at + 1);
    }
    if (!str_is_name(name) || !str_is_name(version))
        return err_set(e, ERR_INVALID,
                       "\"%.128s%s%.128s\" is no release; name it by its id or as NAME@VERSION", first,
                       second != NULL ? " " : "", second != NULL ? second : "");
    struct firmware_name n = {.name = arena_dup_str(a, name), .version = arena_dup_str(a, version)};
    if (n.name == NULL || n.version == NULL)
        return err_set(e, ERR_NOMEM, "no memory for the release's name");
    *out = n;
    return 0;
}

static int find_by_id(struct operate *op, int64_t id, yyjson_doc **doc, yyjson_val **release)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)id);
    int rc = operate_path(op, "/api/firmware", text, NULL);
    if (rc == 0)
        rc = operate_call(op, "GET", NULL, doc);
    if (rc == 0)
        *release = yyjson_doc_get_root(*doc);
    return rc;
}

static yyjson_val *with_version(yyjson_val *items, const struct firmware_name *n)
{
    yyjson_arr_iter it = yyjson_arr_iter_with(items);
    yyjson_val *v;
    while ((v = yyjson_arr_iter_next(&it)) != NULL)
        if (str_is(operate_str(v, "name"), n->name) && str_is(operate_str(v, "version"), n->version))
            return v;
    return NULL;
}

/* The interface has no question for one version: look through the releases of that name. */
static int find_by_name(struct operate *op, const struct firmware_name *n, yyjson_doc **doc,
                        yyjson_val **release)
{
    const char *after = NULL;
    for (int page = 0; page < SEARCH_PAGES_MAX; page++) {
        auto_json yyjson_doc *answer = NULL;
        int rc = operate_path(op, "/api/firmware", NULL);
        if (rc == 0)
            rc = operate_query(op, "name", n->name);
        if (rc == 0)
            rc = operate_query(op, "limit", "500");
        if (rc == 0)
            rc = operate_query(op, "after", after);
        if (rc == 0)
            rc = operate_call(op, "GET", NULL, &answer);
        if (rc != 0)
            return rc;
        yyjson_val *root = yyjson_doc_get_root(answer);
        yyjson_val *found = with_version(yyjson_obj_get(root, "items"), n);
        if (found != NULL) {
            *release = found;
            *doc = answer;
            answer = NULL;
            return 0;
        }
        struct str next = operate_str(root, "next");
        after = next.n > 0 ? arena_dup_str(&op->arena, next) : NULL;
        if (after == NULL)
            break;
    }
    return err_set(&op->err, ERR_NOT_FOUND,
                   "there is no release %s %s; `pqota firmware list --name %s` shows those "
                   "that are",
                   n->name, n->version, n->name);
}

int firmware_find_named(struct operate *op, const struct firmware_name *n, yyjson_doc **doc,
                        yyjson_val **release)
{
    return n->id != 0 ? find_by_id(op, n->id, doc, release) : find_by_name(op, n, doc, release);
}

int firmware_find(struct operate *op, yyjson_doc **doc, yyjson_val **release)
{
    struct firmware_name n = {0};
    const char *second = op->args->operand_count > 1 ? op->args->operands[1] : NULL;
    int rc = firmware_parse_name(op->args->operands[0], second, &op->arena, &n, &op->err);
    return rc != 0 ? rc : firmware_find_named(op, &n, doc, release);
}

static void show_artifacts(struct operate *op, struct grid *t, yyjson_val *release)
{
    yyjson_arr_iter it = yyjson_arr_iter_with(yyjson_obj_get(release, "artifacts"));
    yyjson_val *v;
    while ((v = yyjson_arr_iter_next(&it)) != NULL) {
        char size[TEXT_SHORT_MAX];
        struct str name = operate_str(v, "filename"), sha = operate_str(v, "sha256");
        operate_property(t, "file", name);
        operate_property(
            t, "size",
            str_of(arena_printf(&op->arena, "%s (%lld bytes)", text_size(operate_int(v, "size"), size),
                                (long long)operate_int(v, "size"))));
        operate_property(t, "sha256", sha);
    }
}

int firmware_show(struct operate *op, yyjson_val *release)
{
    if (op->json) {
        auto_json_mut yyjson_mut_doc *copy = yyjson_mut_doc_new(NULL);
        if (copy != NULL)
            yyjson_mut_doc_set_root(copy, yyjson_val_mut_copy(copy, release));
        auto_json yyjson_doc *doc = copy != NULL ? yyjson_mut_doc_imut_copy(copy, NULL) : NULL;
        return operate_print_json(op, doc) == 0 ? CMD_OK : operate_fail(op);
    }
    struct grid t;
    operate_properties(op, &t);
    grid_cell_z(&t, "id");
    grid_cellf(&t, "%lld", (long long)operate_int(release, "id"));
    operate_property(&t, "name", operate_str(release, "name"));
    operate_property(&t, "version", operate_str(release, "version"));
    operate_property(&t, "state", operate_str(release, "state"));
    operate_property(&t, "models", operate_joined(op, yyjson_obj_get(release, "models")));
    grid_cell_z(&t, "sequence");
    grid_cellf(&t, "%lld", (long long)operate_int(release, "sequence"));
    show_artifacts(op, &t, release);
    operate_property(&t, "published", str_of(operate_when(op, release, "published")));
    operate_property(&t, "by", operate_str(release, "created_by"));
    operate_property(&t, "notes", operate_str(release, "notes"));
    return operate_print_grid(op, &t) == 0 ? CMD_OK : operate_fail(op);
}

static const struct grid_column list_columns[] = {
    {"ID", GRID_RIGHT},   {"NAME", GRID_LEFT},      {"VERSION", GRID_LEFT}, {"STATE", GRID_LEFT},
    {"SIZE", GRID_RIGHT}, {"PUBLISHED", GRID_LEFT}, {"MODELS", GRID_LEFT},
};

static void list_row(struct operate *op, struct grid *t, yyjson_val *f)
{
    char size[TEXT_SHORT_MAX];
    grid_cellf(t, "%lld", (long long)operate_int(f, "id"));
    grid_cell(t, operate_str(f, "name"));
    grid_cell(t, operate_str(f, "version"));
    grid_cell(t, operate_str(f, "state"));
    grid_cell_z(t, yyjson_is_int(yyjson_obj_get(f, "size")) ? text_size(operate_int(f, "size"), size) : "-");
    grid_cell_z(t, operate_ago(op, f, "published"));
    grid_cell(t, operate_joined(op, yyjson_obj_get(f, "models")));
}

static int list(struct line_args *args)
{
    static const char *const filters[] = {"model", "name", "state", NULL};
    auto_operate struct operate op;
    if (operate_init(&op, args) != 0 || operate_path(&op, "/api/firmware", NULL) != 0 ||
        operate_query_options(&op, filters) != 0)
        return operate_fail(&op);
    return operate_show_list(
        &op, &(struct operate_listing){.columns = list_columns,
                                       .count = 7,
                                       .row = list_row,
                                       .none = "No firmware. `pqota firmware publish` brings some in."});
}

static int show(struct line_args *args)
{
    auto_operate struct operate op;
    auto_json yyjson_doc *doc = NULL;
    yyjson_val *release = NULL;
    if (operate_init(&op, args) != 0 || firmware_find(&op, &doc, &release) != 0)
        return operate_fail(&op);
    return firmware_show(&op, release);
}

static int delete(struct line_args *args)
{
    auto_operate struct operate op;
    auto_json yyjson_doc *doc = NULL;
    yyjson_val *release = NULL;
    if (operate_init(&op, args) != 0 || firmware_find(&op, &doc, &release) != 0)
        return operate_fail(&op);
    char id[24];
    snprintf(id, sizeof id, "%lld", (long long)operate_int(release, "id"));
    const char *name = text_escape(operate_str(release, "name"), &op.arena);
    const char *version = text_escape(operate_str(release, "version"), &op.arena);
    int code = operate_confirm(&op, "Delete %s %s (id %s) and its files for good?", name != NULL ? name : "",
                               version != NULL ? version : "", id);
    if (code != 0)
        return code;
    if (operate_path(&op, "/api/firmware", id, NULL) != 0 || operate_call(&op, "DELETE", NULL, NULL) != 0)
        return operate_fail(&op);
    fprintf(stderr, "Deleted %s %s.\n", name != NULL ? name : "", version != NULL ? version : "");
    return CMD_OK;
}

#define RELEASE_OPTIONS                                                                                      \
    {.name = "name", .letter = 'n', .needed = true, .value = "NAME", .help = "what the firmware is called"}, \
        {.name = "version",                                                                                  \
         .letter = 'v',                                                                                      \
         .needed = true,                                                                                     \
         .value = "VERSION",                                                                                 \
         .help = "shown, never compared"},                                                                   \
        {.name = "model",                                                                                    \
         .letter = 'm',                                                                                      \
         .repeats = true,                                                                                    \
         .value = "MODEL",                                                                                   \
         .help = "which devices it fits (those called as the firmware)"}
/* What is signed of a release, and by whom. */
#define SIGNING_OPTIONS                                                                                      \
    {.name = "security", .help = "signed with it: it mends a weakness"},                                     \
        {.name = "advisory", .value = "TEXT", .help = "signed with it: what a person should know"},          \
        {.name = "counter",                                                                                  \
         .value = "NUMBER",                                                                                  \
         .help = "signed with it: once it runs, nothing with a lower one is installed (0)"},                 \
        {.name = "upgrade-from",                                                                             \
         .value = "SEQUENCE",                                                                                \
         .help = "signed with it: the lowest sequence that goes to it in one step (0)"},                     \
        {.name = "unpacked-size", .value = "BYTES", .help = "signed with it: its size after decompression"}, \
        {.name = "sign-with",                                                                                \
         .repeats = true,                                                                                    \
         .value = "KEY",                                                                                     \
         .help = "sign and publish at once: a holder's keys, a file or a URI such as pkcs11:"},              \
        {.name = "signed", .value = "FILE", .help = "publish with what holders signed already"},             \
        {.name = "passphrase-file",                                                                          \
         .value = "FILE",                                                                                    \
         .help = "its first line is the passphrase of the keys"},                                            \
        {.name = "output",                                                                                   \
         .value = "FILE",                                                                                    \
         .help = "where the signing request goes (NAME-VERSION.sign.json)"}

static const struct line_option publish_options[] = {
    RELEASE_OPTIONS,
    {.name = "filename", .value = "NAME", .help = "what devices see the file called (as it is called here)"},
    {.name = "notes", .value = "TEXT", .help = "what is new"},
    {.name = "notes-file", .value = "FILE", .help = "what is new, from a file"},
    {.name = "type", .value = "TYPE", .help = "kind of module (os)"},
    SIGNING_OPTIONS,
    {.name = NULL},
};
static const struct line_option sign_options[] = {
    RELEASE_OPTIONS,
    {.name = "type",
     .repeats = true,
     .value = "TYPE",
     .help = "kind of module (os): once for all files, or once for each in their order"},
    SIGNING_OPTIONS,
    {.name = NULL},
};
static const struct line_option list_options[] = {
    {.name = "model", .letter = 'm', .value = "MODEL", .help = "what fits that model"},
    {.name = "name", .letter = 'n', .value = "NAME", .help = "what is called so"},
    {.name = "state",
     .value = "STATE",
     .help = "what is in that state",
     .choices = "draft signed published deleted"},
    {.name = NULL},
};
static const struct line_option download_options[] = {
    {.name = "output",
     .letter = 'o',
     .value = "FILE",
     .help = "where to (a file or a folder; the file's own name here)"},
    {.name = "force", .letter = 'f', .help = "replace a file that is there"},
    {.name = NULL},
};

static const struct line_sub subs[] = {
    {"publish", "FILE", 1, 1, LINE_SERVER | LINE_JSON, publish_options, firmware_publish,
     "publish a file as a version of a firmware",
     "The file's SHA-256 is computed first and checked by the server. Publishing the same file again is "
     "fine; another\n"
     "file under the same version is refused. Without --sign-with it stays a draft, and a signing request is "
     "written:\n"
     "see `pqota trust sign` and `pqota trust upload`."},
    {"sign", "FILE...", 1, RELEASE_ARTIFACTS_MAX, LINE_SERVER | LINE_JSON, sign_options, firmware_sign,
     "sign a release that is on the server already",
     "For releases of several files, made through hawkBit's management interface: all their files are named, "
     "and\n"
     "what is signed is what they are here. Without --sign-with a signing request is written: see `pqota "
     "trust "
     "sign`\n"
     "and `pqota trust upload`."},
    {"list", "", 0, 0, LINE_SERVER | LINE_JSON | LINE_LIST, list_options, list,
     "list what is published, newest first", NULL},
    {"show", "RELEASE", 1, 2, LINE_SERVER | LINE_JSON, NULL, show, "show one release",
     "RELEASE is an id, NAME@VERSION, or NAME VERSION."},
    {"download", "RELEASE", 1, 2, LINE_SERVER, download_options, firmware_download,
     "fetch a release's file and check it",
     "A download that was cut goes on where it stopped. The file appears under its name only when its "
     "SHA-256 is right.\n"
     "RELEASE is an id, NAME@VERSION, or NAME VERSION."},
    {"delete", "RELEASE", 1, 2, LINE_SERVER | LINE_YES, NULL, delete,
     "delete a release that no deployment uses",
     "RELEASE is an id, NAME@VERSION, or NAME VERSION. Its version cannot be published again."},
    {.name = NULL},
};

const struct line_verb line_firmware = {
    "firmware", "What is published: firmware comes in as releases, each a name and a version.", subs};

int cmd_firmware(int argc, char **argv)
{
    return line_run(&line_firmware, argc, argv);
}
