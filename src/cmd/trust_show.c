/* `pqota trust show`: who signed what, who has to, until when: of a file, or of what the server serves. */
#include <string.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cmd/signing.h"
#include "cmd/text.h"
#include "cmd/trust.h"

#define KEYID_SHOWN 16
#define KEYID_IN_TABLE 8 /* what `rotate --keep` takes */

/* --- a file ------------------------------------------------------------------------------------------- */

struct showing {
    struct line_args *args;
    struct arena arena;
    struct trust_space space;
    void *memory;
    struct err err;
};

static int show_request(struct showing *w, struct str text)
{
    auto_signing struct signing s = {0};
    bool complete = false;
    int rc = signing_open(&s, text, &w->arena, &w->err);
    if (rc == 0)
        rc = signing_print(&s, stdout, &w->err);
    if (rc == 0)
        rc = signing_print_wanted(&s, stdout, &complete, &w->err);
    if (rc == 0 && complete)
        printf("Complete: pqota trust upload %s\n", w->args->operands[0]);
    return rc;
}

static const struct {
    const char *word;
    enum tuf_type type;
} types[] = {
    {"root", TUF_ROOT}, {"timestamp", TUF_TIMESTAMP}, {"snapshot", TUF_SNAPSHOT}, {"targets", TUF_TARGETS}};

static int print_signers(struct showing *w, const struct tuf_doc *doc, const struct tuf_doc *root)
{
    struct tuf_role role;
    struct signing_tally t;
    int rc = tuf_root_role(root, doc->type, &role, &w->err);
    if (rc == 0)
        rc = signing_count(doc, &role, &w->space, &t, &w->err);
    if (rc != 0)
        return rc;
    printf("    signed by the holders that %s names: ", root == doc ? "it" : "the root");
    signing_print_tally(&t, &w->arena, stdout);
    return 0;
}

static void print_unchecked(struct showing *w, const struct tuf_doc *doc)
{
    size_t i, max;
    yyjson_val *sig;
    printf("    signatures, which are not checked without --root FILE:\n");
    yyjson_arr_foreach(doc->signatures, i, max, sig)
    {
        yyjson_val *id = yyjson_obj_get(sig, "keyid");
        size_t n = yyjson_get_len(id);
        printf("      %s\n",
               signing_escape((struct str){.p = yyjson_get_str(id), .n = n < KEYID_SHOWN ? n : KEYID_SHOWN},
                              &w->arena));
    }
}

static int read_root(struct showing *w, const char *path, struct tuf_doc *out)
{
    auto_buf struct buf text;
    buf_init(&text, REQUEST_MAX);
    int rc = file_read(path, REQUEST_MAX, &text, &w->err);
    if (rc == 0 && (rc = tuf_doc_read(buf_str(&text), TUF_ROOT, &w->space, out, &w->err)) != 0)
        (void)err_context(&w->err, "%s", path);
    return rc;
}

static int show_metadata(struct showing *w, struct str text, enum tuf_type type)
{
    struct tuf_doc doc, root;
    char end[TUF_TIME_SIZE];
    const char *root_file = line_get(w->args, "root");
    int rc = tuf_doc_read(text, type, &w->space, &doc, &w->err);
    if (rc != 0)
        return rc;
    tuf_time_write(doc.expires_s, end);
    printf("%s: version %lld, good until %s\n", tuf_type_word(type), (long long)doc.version, end);
    rc = signing_print_changes(&doc, NULL, &w->arena, stdout, &w->err);
    if (rc == 0 && type == TUF_ROOT)
        return print_signers(w, &doc, &doc);
    if (rc == 0 && root_file == NULL) {
        print_unchecked(w, &doc);
        return 0;
    }
    if (rc == 0)
        rc = read_root(w, root_file, &root);
    return rc == 0 ? print_signers(w, &doc, &root) : rc;
}

/* A request, or a metadata file of whatever kind it says that it is. */
static int show_text(struct showing *w, struct str text)
{
    auto_json yyjson_doc *doc = NULL;
    int rc = json_parse_object(text, &doc, &w->err);
    if (rc != 0)
        return rc;
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *type = yyjson_obj_get(yyjson_obj_get(root, "signed"), "_type");
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (yyjson_equals_str(type, types[i].word))
            return show_metadata(w, text, types[i].type);
    return show_request(w, text);
}

static int show_file(struct showing *w, const char *path)
{
    auto_buf struct buf text;
    buf_init(&text, REQUEST_MAX);
    int rc = file_read(path, REQUEST_MAX, &text, &w->err);
    if (rc == 0 && w->memory == NULL)
        rc = err_set(&w->err, ERR_NOMEM, "no memory to read %s", path);
    if (rc == 0 && (rc = show_text(w, buf_str(&text))) != 0)
        (void)err_context(&w->err, "%s", path);
    return rc;
}

static int run_file(struct line_args *args)
{
    struct showing w = {.args = args, .memory = malloc(TRUST_SPACE_SIZE)};
    arena_init(&w.arena, TRUST_ARENA_MAX);
    space_init(&w.space, w.memory, w.memory != NULL ? TRUST_SPACE_SIZE : 0);
    int code = show_file(&w, args->operands[0]) == 0 ? CMD_OK : cmd_fail(args->name, &w.err);
    arena_fini(&w.arena);
    free(w.memory);
    return code;
}

/* --- the server --------------------------------------------------------------------------------------- */

static const struct grid_column columns[] = {
    {"REPOSITORY", GRID_LEFT}, {"ROLE", GRID_LEFT},       {"VERSION", GRID_RIGHT},  {"GOOD UNTIL", GRID_LEFT},
    {"ML-DSA", GRID_RIGHT},    {"CLASSICAL", GRID_RIGHT}, {"SIGNED BY", GRID_LEFT},
};

/* "2 of 2": how many of the signers have a scheme of that family. The server does not say who signed when it
   has too many roles to look at each. */
static void cell_signed(struct grid *t, yyjson_val *signers, enum trust_family family, int64_t need)
{
    int64_t n = 0;
    if (!yyjson_is_arr(signers)) {
        grid_cellf(t, "? of %lld", (long long)need);
        return;
    }
    size_t i, max;
    yyjson_val *v;
    yyjson_arr_foreach(signers, i, max, v)
    {
        bool pq = operate_str(v, "scheme").n > 7 && memcmp(operate_str(v, "scheme").p, "ml-dsa-", 7) == 0;
        n += pq == (family == TRUST_POST_QUANTUM);
    }
    grid_cellf(t, "%lld of %lld", (long long)n, (long long)need);
}

static void add_role(struct operate *op, struct grid *t, const char *repository, yyjson_val *role)
{
    yyjson_val *signers = yyjson_obj_get(role, "signed_by"), *v;
    const char *ids = "";
    size_t i, max;
    yyjson_arr_foreach(signers, i, max, v)
    {
        struct str id = operate_str(v, "keyid");
        id.n = id.n < KEYID_IN_TABLE ? id.n : KEYID_IN_TABLE;
        const char *more =
            arena_printf(&op->arena, "%s%s" STR_FMT, ids, *ids != '\0' ? ", " : "", STR_ARG(id));
        ids = more != NULL ? more : ids;
    }
    grid_cell_z(t, repository);
    grid_cell(t, operate_str(role, "role"));
    grid_cellf(t, "%lld", (long long)operate_int(role, "version"));
    grid_cell_z(t, operate_ago(op, role, "expires"));
    cell_signed(t, signers, TRUST_POST_QUANTUM, operate_int(role, "ml_dsa"));
    cell_signed(t, signers, TRUST_CLASSICAL, operate_int(role, "classical"));
    grid_cell_z(t, ids);
}

static void print_drafts(struct operate *op, yyjson_val *drafts)
{
    size_t i, max;
    yyjson_val *v;
    if (yyjson_arr_size(drafts) == 0)
        return;
    printf("\nDrafts, which nobody signed yet:\n");
    yyjson_arr_foreach(drafts, i, max, v)
    {
        const char *release = arena_printf(&op->arena, STR_FMT " " STR_FMT, STR_ARG(operate_str(v, "name")),
                                           STR_ARG(operate_str(v, "version")));
        printf("  %lld  %s\n", (long long)operate_int(v, "id"),
               release != NULL ? signing_escape(str_of(release), &op->arena) : "-");
    }
}

static int show_server(struct operate *op)
{
    static const char *const repositories[] = {"image", "director"};
    auto_json yyjson_doc *doc = NULL;
    int rc = operate_path(op, "/api/trust", NULL);
    if (rc == 0)
        rc = operate_call(op, "GET", NULL, &doc);
    if (rc != 0)
        return rc;
    if (op->json)
        return operate_print_json(op, doc);
    struct grid t;
    yyjson_val *root = yyjson_doc_get_root(doc);
    grid_init(&t, &op->arena, columns, sizeof columns / sizeof columns[0]);
    for (size_t r = 0; r < 2; r++) {
        size_t i, max;
        yyjson_val *role;
        yyjson_arr_foreach(yyjson_obj_get(yyjson_obj_get(root, repositories[r]), "roles"), i, max, role)
        {
            add_role(op, &t, repositories[r], role);
        }
    }
    if (t.rows == 0)
        printf("The server has no update metadata; `pqota trust init` makes the first.\n");
    else
        rc = operate_print_grid(op, &t);
    if (yyjson_is_true(yyjson_obj_get(root, "unsigned_allowed")))
        printf("\nWARNING: [trust] insecure_unsigned: the server publishes what nobody signed.\n");
    if (rc == 0)
        print_drafts(op, yyjson_obj_get(root, "drafts"));
    return rc;
}

int trust_verb_show(struct line_args *args)
{
    if (args->operand_count > 0)
        return line_has(args, "json") ? line_wrong(args, "--json is for what the server says, not for a file")
                                      : run_file(args);
    auto_operate struct operate op;
    if (operate_init(&op, args) != 0 || show_server(&op) != 0)
        return operate_fail(&op);
    return CMD_OK;
}
