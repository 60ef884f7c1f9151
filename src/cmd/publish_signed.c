#include "cmd/publish_signed.h"

#include <string.h>

#include "base/file.h"
#include "base/hex.h"
#include "cmd/sign_with.h"
#include "cmd/trust_prepare.h"

#define PATH_SIZE (TUF_TARGET_NAME_MAX + 1)
#define SEQUENCE_STEP_MAX 1000000 /* from one signed release of a model to the next; drafts spend none */

struct work {
    struct line_args *args;
    yyjson_val *draft;
    yyjson_doc *terms; /* what the server would have signed: models and sequences */
    const struct publish_files *files;
    struct prepare p;
    yyjson_mut_doc *targets;  /* with new delegations; NULL: it stays as it is */
    struct make_key *holders; /* of the role "targets": they sign for a new model */
    size_t holder_count;
    int64_t holder_threshold;
    bool taken; /* the server took the signatures */
};

static int no_memory(struct work *w)
{
    return err_set(&w->p.op.err, ERR_NOMEM, "no memory for a signing request");
}

int publish_signed_line(const struct line_args *args, struct trust_custom *out)
{
    struct trust_custom c = {.name = str_of(line_get(args, "name")),
                             .version = str_of(line_get(args, "version")),
                             .security = line_has(args, "security")};
    if (line_has(args, "advisory"))
        c.advisory = str_of(line_get(args, "advisory"));
    if (c.advisory.n > TRUST_ADVISORY_MAX || !str_is_text(c.advisory))
        return line_wrong(args, "--advisory is UTF-8 text of at most %d bytes", TRUST_ADVISORY_MAX);
    int code = line_number(args, "counter", 0, INT32_MAX, 0, &c.counter);
    if (code == 0)
        code = line_number(args, "upgrade-from", 0, INT32_MAX, 0, &c.upgrade_from);
    if (code == 0)
        code = line_number(args, "unpacked-size", 0, INT64_MAX, 0, &c.unpacked_size);
    if (code == 0)
        *out = c;
    return code;
}

/* --- whom a model that is new is entrusted to ---------------------------------------------------------- */

/* The holders of "targets", as the present root has them. */
static int read_holders(struct work *w)
{
    struct tuf_role role;
    struct operate *op = &w->p.op;
    if (w->holders != NULL)
        return 0;
    int rc = tuf_root_role(&w->p.image.client.root, TUF_TARGETS, &role, &op->err);
    if (rc != 0)
        return rc;
    w->holders = arena_array(&op->arena, struct make_key, TUF_ROLE_KEYS_MAX);
    w->holder_threshold = role.threshold;
    if (w->holders == NULL)
        return no_memory(w);
    return prepare_role_keys(&w->p, &role, w->holders, &w->holder_count);
}

static int delegate(struct work *w, struct str model)
{
    struct prepare *p = &w->p;
    struct tuf_delegation d;
    char name[TUF_ROLE_NAME_MAX];
    if (!trust_model_role(model, name, sizeof name))
        return err_set(&p->op.err, ERR_INVALID, "the model's name cannot be a role's");
    int rc = tuf_delegation_find(&p->image.client.targets, str_of(name), &d, &p->op.err);
    if (rc != ERR_NOT_FOUND)
        return rc;
    rc = read_holders(w);
    if (rc == 0 && w->targets == NULL)
        rc = prepare_targets(p, &p->image.client.targets, &w->targets);
    const struct make_role role = {
        .keys = w->holders, .key_count = w->holder_count, .threshold = w->holder_threshold};
    return rc == 0 ? make_delegation(w->targets, model, &role, &p->op.err) : rc;
}

/* --- a model's document -------------------------------------------------------------------------------- */

/* What the release is, or would be, among those of each model. */
static int ask_sequences(struct work *w)
{
    struct operate *op = &w->p.op;
    char id[24];
    snprintf(id, sizeof id, "%lld", (long long)operate_int(w->draft, "id"));
    int rc = operate_path(op, "/api/trust/releases", id, NULL);
    return rc == 0 ? operate_call(op, "GET", NULL, &w->terms) : rc;
}

/* The server is not believed: the number is above all that were signed for the model, and not so far that few
   are left (devices take 32 bits). now NULL: none were signed. */
static int check_sequence(struct work *w, const struct tuf_doc *now, int64_t sequence)
{
    struct err *e = &w->p.op.err;
    struct tuf_target_iter it;
    struct tuf_target t;
    struct trust_custom c;
    int64_t last = 0;
    int rc = ERR_NOT_FOUND;
    if (now != NULL)
        tuf_target_iter_begin(now, &it);
    while (now != NULL && (rc = tuf_target_iter_next(&it, &t, e)) == 0) {
        if (t.custom == NULL || trust_custom_read(t.custom, &c, NULL) != 0)
            continue;
        if (c.sequence >= sequence)
            return err_set(e, ERR_CONFLICT,
                           "the server would have the sequence %lld signed, and " STR_FMT
                           " has %lld: it was set back, or is not honest",
                           (long long)sequence, STR_ARG(t.name), (long long)c.sequence);
        last = c.sequence > last ? c.sequence : last;
    }
    if (rc != ERR_NOT_FOUND)
        return rc;
    if (sequence - last > SEQUENCE_STEP_MAX)
        return err_set(e, ERR_CONFLICT,
                       "the server would have the sequence %lld signed, and the last that was signed for the "
                       "model is %lld: it is not honest",
                       (long long)sequence, (long long)last);
    return 0;
}

static int path_of(struct work *w, struct str model, const struct publish_file *f, char path[PATH_SIZE])
{
    const struct trust_custom *terms = &w->files->terms;
    if (trust_target_path(model, terms->name, terms->version, str_of(f->filename), path, PATH_SIZE))
        return 0;
    return err_set(&w->p.op.err, ERR_TOO_LARGE, "the names of model, release and file are too long together");
}

static int add_targets(struct work *w, struct str model, int64_t sequence, const struct tuf_doc *now,
                       yyjson_mut_doc *body)
{
    struct operate *op = &w->p.op;
    struct trust_custom c = w->files->terms;
    char path[PATH_SIZE];
    c.model = model;
    c.sequence = sequence;
    if (sequence < 1)
        return err_set(&op->err, ERR_INVALID, "the server tells no sequence for the release");
    int rc = check_sequence(w, now, sequence);
    for (size_t i = 0; rc == 0 && i < w->files->count; i++) {
        const struct publish_file *f = &w->files->list[i];
        c.type = f->type;
        rc = path_of(w, model, f, path);
        if (rc == 0)
            rc = make_target(body, path, f->size, f->sha256, &c, &op->err);
    }
    return rc;
}

/* The first thing in which two differ beside model and sequence; NULL: none. */
static const char *difference(const struct trust_custom *a, const struct trust_custom *b)
{
    return !str_eq(a->name, b->name) || !str_eq(a->version, b->version) ? "name"
           : !str_eq(a->type, b->type)                                  ? "type"
           : a->counter != b->counter                                   ? "counter"
           : a->upgrade_from != b->upgrade_from                         ? "lowest sequence to upgrade from"
           : a->unpacked_size != b->unpacked_size                       ? "unpacked size"
           : a->security != b->security                                 ? "security flag"
           : !str_eq(a->advisory, b->advisory)                          ? "advisory"
                                                                        : NULL;
}

static int look_signed_file(struct work *w, const struct tuf_doc *now, const struct publish_file *f,
                            const char *path, bool *signed_it)
{
    struct err *e = &w->p.op.err;
    struct tuf_target t;
    unsigned char sha[TRUST_SHA256_SIZE];
    int rc = now != NULL ? tuf_target_find(now, str_of(path), &t, e) : ERR_NOT_FOUND;
    *signed_it = rc == 0;
    if (rc != 0)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    if (t.length != f->size || hex_decode(str_of(f->sha256), sha, sizeof sha) != 0 ||
        memcmp(t.sha256, sha, sizeof sha) != 0)
        return err_set(e, ERR_CONFLICT, "%s is signed already, with other bytes: publish a new version",
                       path);
    struct trust_custom terms, ours = w->files->terms;
    ours.type = f->type;
    rc = trust_custom_read(t.custom, &terms, e);
    if (rc != 0)
        return err_context(e, "%s is signed already", path);
    const char *what = difference(&terms, &ours);
    if (what != NULL)
        return err_set(e, ERR_CONFLICT,
                       "%s is signed already, with another %s: say what was said then, or publish a new "
                       "version",
                       path, what);
    return 0;
}

/* A release may be signed for some of its models: those stay as they are. now NULL: nothing is. */
static int look_signed(struct work *w, struct str model, const struct tuf_doc *now, bool *signed_it)
{
    size_t n = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < w->files->count; i++) {
        char path[PATH_SIZE];
        bool there = false;
        rc = path_of(w, model, &w->files->list[i], path);
        if (rc == 0)
            rc = look_signed_file(w, now, &w->files->list[i], path, &there);
        n += there;
    }
    *signed_it = n > 0;
    if (rc == 0 && n != 0 && n != w->files->count)
        rc = err_set(&w->p.op.err, ERR_CONFLICT,
                     "some of the files are signed already, and others are not: a release does not change, "
                     "publish a new version");
    return rc;
}

/* Its targets as they were signed last; *there false: none were. */
static int find_signed(struct work *w, const char *role, struct tuf_doc *now, bool *there)
{
    struct prepare *p = &w->p;
    struct tuf_delegation d;
    int rc = tuf_delegation_find(&p->image.client.targets, str_of(role), &d, &p->op.err);
    if (rc == 0)
        rc = trust_repo_role(&p->image, str_of(role), now);
    *there = rc == 0;
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* now NULL: the first document of the model's role. */
static int put_model(struct work *w, struct str model, int64_t sequence, const char *role,
                     const struct tuf_doc *now)
{
    struct prepare *p = &w->p;
    auto_json_mut yyjson_mut_doc *body = NULL;
    int rc = now != NULL ? prepare_targets(p, now, &body) : prepare_first(p, role, &body);
    if (rc == 0 && now != NULL)
        rc = prepare_withdraw(p, model, now, body);
    if (rc == 0)
        rc = add_targets(w, model, sequence, now, body);
    return rc == 0 ? prepare_add(p, "image", str_of(role), body) : rc;
}

static int add_model(struct work *w, struct str model, int64_t sequence)
{
    struct err *e = &w->p.op.err;
    struct tuf_doc doc;
    char role[TUF_ROLE_NAME_MAX];
    bool there, signed_it = false;
    if (!trust_model_role(model, role, sizeof role))
        return err_set(e, ERR_INVALID, "the model's name cannot be a role's");
    int rc = find_signed(w, role, &doc, &there);
    const struct tuf_doc *now = there ? &doc : NULL;
    if (rc == 0)
        rc = look_signed(w, model, now, &signed_it);
    return rc == 0 && !signed_it ? put_model(w, model, sequence, role, now) : rc;
}

/* The operator's words decide which models the release is for, not the server's. */
static bool is_meant(const struct work *w, struct str model)
{
    struct str given, one;
    size_t at = 0;
    if (!line_has(w->args, "model"))
        return str_eq(model, w->files->terms.name);
    for (const char *m; (m = line_each(w->args, "model", &at)) != NULL;)
        for (given = str_of(m); str_split(&given, ',', &one);)
            if (str_eq(model, one))
                return true;
    return false;
}

/* The models that the server tells, each of which was meant. */
static int check_models(struct work *w, yyjson_val *list)
{
    size_t i, max;
    yyjson_val *row;
    yyjson_arr_foreach(list, i, max, row)
    {
        struct str model = operate_str(row, "model");
        if (!is_meant(w, model))
            return err_set(&w->p.op.err, ERR_CONFLICT,
                           "the server has the release for the model " STR_FMT ", which was not asked for",
                           (int)(model.n < 128 ? model.n : 128), model.p != NULL ? model.p : "");
    }
    return 0;
}

/* Targets first: who signs for a model stands there. */
static int add_models(struct work *w)
{
    size_t i, max;
    yyjson_val *row;
    int rc = ask_sequences(w);
    yyjson_val *list = rc == 0 ? yyjson_obj_get(yyjson_doc_get_root(w->terms), "models") : NULL;
    if (rc == 0)
        rc = check_models(w, list);
    yyjson_arr_foreach(list, i, max, row)
    {
        if (rc == 0)
            rc = delegate(w, operate_str(row, "model"));
    }
    if (rc == 0 && w->targets != NULL)
        rc = prepare_add(&w->p, "image", STR("targets"), w->targets);
    yyjson_arr_foreach(list, i, max, row)
    {
        if (rc == 0)
            rc = add_model(w, operate_str(row, "model"), operate_int(row, "sequence"));
    }
    if (rc == 0 && yyjson_arr_size(list) == 0)
        return err_set(&w->p.op.err, ERR_CONFLICT, "the server tells no model that the release is for");
    if (rc == 0 && w->p.request.document_count == 0)
        return err_set(
            &w->p.op.err, ERR_CONFLICT,
            "the release is signed already, and the server has forgotten it: was a backup put back? "
            "Upload what was signed once more (pqota trust upload)");
    return rc;
}

/* --- signatures ---------------------------------------------------------------------------------------- */

static int write_request(struct work *w)
{
    struct operate *op = &w->p.op;
    const char *output = line_get(w->args, "output");
    if (output == NULL)
        output = arena_printf(&op->arena, STR_FMT "-" STR_FMT ".sign.json", STR_ARG(w->files->terms.name),
                              STR_ARG(w->files->terms.version));
    return output != NULL ? prepare_write(&w->p, output) : no_memory(w);
}

static int upload(struct work *w, struct str text)
{
    auto_json yyjson_doc *answer = NULL;
    int rc = trust_upload(&w->p.op, text, &answer);
    w->taken = answer != NULL;
    return rc;
}

static int sign_here(struct work *w)
{
    struct operate *op = &w->p.op;
    struct str text;
    bool complete;
    auto_signing struct signing s = {0};
    auto_sign_with struct sign_with with = {.count = 0};
    int rc = request_write(&w->p.request, &op->arena, &text, &op->err);
    if (rc == 0)
        rc = signing_open(&s, text, &op->arena, &op->err);
    if (rc == 0)
        rc = sign_with_open(&with, w->args, "sign-with", &op->arena, &op->err);
    if (rc == 0)
        rc = sign_with_check(&with, &s, &op->err);
    if (rc == 0)
        rc = sign_with_sign(&with, &s, &op->err);
    if (rc == 0)
        rc = request_write(&s.request, &op->arena, &text, &op->err);
    if (rc == 0)
        rc = signing_is_complete(text, &op->arena, &complete, &op->err);
    if (rc == 0 && !complete)
        rc = err_set(&op->err, ERR_CONFLICT,
                     "more holders must sign than keys were given; leave --sign-with out, and have each "
                     "sign the file that is then written");
    return rc == 0 ? upload(w, text) : rc;
}

static int ask_again(struct work *w, yyjson_doc **release)
{
    char id[24];
    snprintf(id, sizeof id, "%lld", (long long)operate_int(w->draft, "id"));
    int rc = operate_path(&w->p.op, "/api/firmware", id, NULL);
    return rc == 0 ? operate_call(&w->p.op, "GET", NULL, release) : rc;
}

static int run(struct work *w, yyjson_doc **release)
{
    int rc = prepare_open(&w->p, w->args, true);
    if (rc == 0)
        rc = add_models(w);
    if (rc == 0 && !line_has(w->args, "sign-with"))
        return write_request(w);
    if (rc == 0)
        rc = sign_here(w);
    return rc == 0 ? ask_again(w, release) : rc;
}

/* What the holders signed is there already. */
static int upload_signed(struct work *w, const char *path, yyjson_doc **release)
{
    struct operate *op = &w->p.op;
    auto_buf struct buf text;
    buf_init(&text, REQUEST_MAX);
    int rc = operate_init(op, w->args);
    if (rc == 0)
        rc = file_read(path, REQUEST_MAX, &text, &op->err);
    if (rc == 0)
        rc = upload(w, buf_str(&text));
    return rc == 0 ? ask_again(w, release) : rc;
}

/* Nothing is lost: what is uploaded already is not a new release the next time. */
static void say_left(const struct work *w)
{
    if (!w->taken && str_is(operate_str(w->draft, "state"), "draft"))
        fprintf(stderr,
                STR_FMT " " STR_FMT " stays on the server as a draft, release %lld: once that is mended, the "
                        "same command goes on from there.\n",
                STR_ARG(w->files->terms.name), STR_ARG(w->files->terms.version),
                (long long)operate_int(w->draft, "id"));
}

int publish_signed(struct line_args *args, yyjson_val *draft, const struct publish_files *files,
                   yyjson_doc **release)
{
    struct work w = {.args = args, .draft = draft, .files = files};
    const char *made = line_get(args, "signed");
    int rc = made != NULL ? upload_signed(&w, made, release) : run(&w, release);
    int code = rc == 0 ? CMD_OK : operate_fail(&w.p.op);
    if (rc != 0)
        say_left(&w);
    yyjson_mut_doc_free(w.targets);
    yyjson_doc_free(w.terms);
    prepare_close(&w.p);
    return code;
}
