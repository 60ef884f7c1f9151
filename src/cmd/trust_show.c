/* `pqota trust show`: who signed what, who has to, until when: of a file, or of what the server serves. */
#include <string.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
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
    static const enum tuf_type types[] = {TUF_ROOT, TUF_TIMESTAMP, TUF_SNAPSHOT, TUF_TARGETS};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (yyjson_equals_str(type, tuf_type_word(types[i])))
            return show_metadata(w, text, types[i]);
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

/* --- what ends, and what to do about it --- */

#define HOUR_MS INT64_C(3600000)

struct row {
    const char *repository;
    yyjson_val *role;
    int64_t end_ms;
};

static int by_end(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->end_ms != y->end_ms)
        return x->end_ms < y->end_ms ? -1 : 1;
    return strcmp(x->repository, y->repository);
}

static bool is_online(const struct row *r)
{
    struct str role = operate_str(r->role, "role");
    return str_is(role, "timestamp") || str_is(role, "snapshot");
}

/* When somebody has to do something: at a third of an offline role's life, as the server's log has it; of
   the server's own long after it should have done it by itself. */
static int64_t act_ms(const struct row *r)
{
    struct str role = operate_str(r->role, "role");
    int64_t before = TRUST_TARGETS_DAYS / 3 * 24;
    if (str_is(role, "root"))
        before = TRUST_ROOT_DAYS / 3 * 24;
    else if (str_is(role, "timestamp"))
        before = 3;
    else if (str_is(role, "snapshot"))
        before = 24;
    return r->end_ms - before * HOUR_MS;
}

static void advise(const struct operate *op, const struct row *rows, size_t n)
{
    bool online = false, offline = false, over = false;
    int64_t next = INT64_MAX;
    char when[CLOCK_TEXT_MAX];
    for (size_t i = 0; i < n; i++) {
        int64_t at = act_ms(&rows[i]);
        over = over || rows[i].end_ms <= op->now_ms;
        if (is_online(&rows[i]))
            online = online || at <= op->now_ms;
        else if (at <= op->now_ms)
            offline = true;
        else if (at < next)
            next = at;
    }
    if (over)
        printf("\nEXPIRED: devices install nothing until that is mended; what runs goes on running.\n");
    if (online)
        printf("\nThe server should have renewed its snapshot or timestamp by itself: its log says what "
               "hinders it\n(journalctl -u pqota; lines with trust).\n");
    if (offline)
        printf("\nSomething that is signed offline has less than a third of its life left. Next:\n"
               "  pqota trust renew                                  writes trust-renew.json (--no-root: "
               "without the roots)\n"
               "  pqota trust sign trust-renew.json --key KEY        where each key is\n"
               "  pqota trust upload trust-renew.json\n");
    if (!over && !online && !offline && n > 0)
        printf("\nNothing has to be done before %.10s.\n", clock_format(next, when));
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

static yyjson_val *roles_of(yyjson_val *root, const char *repository)
{
    return yyjson_obj_get(yyjson_obj_get(root, repository), "roles");
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
    size_t most = yyjson_arr_size(roles_of(root, "image")) + yyjson_arr_size(roles_of(root, "director"));
    struct row *rows = arena_array(&op->arena, struct row, most + 1);
    size_t n = 0;
    if (rows == NULL)
        return err_set(&op->err, ERR_NOMEM, "no memory for the list of roles");
    for (size_t r = 0; r < 2; r++) {
        size_t i, max;
        yyjson_val *role;
        yyjson_arr_foreach(roles_of(root, repositories[r]), i, max, role)
        {
            struct row made = {.repository = repositories[r], .role = role};
            if (text_parse_time(operate_str(role, "expires"), &made.end_ms) == 0)
                rows[n++] = made;
        }
    }
    qsort(rows, n, sizeof *rows, by_end);
    grid_init(&t, &op->arena, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < n; i++)
        add_role(op, &t, rows[i].repository, rows[i].role);
    if (n == 0)
        printf("The server has no update metadata; `pqota trust init` makes the first.\n");
    else
        rc = operate_print_grid(op, &t);
    if (rc == 0)
        advise(op, rows, n);
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
