#include "cmd/publish_signed.h"

#include <string.h>

#include "base/file.h"
#include "cmd/sign_with.h"
#include "cmd/trust_prepare.h"

#define PATH_SIZE (TUF_TARGET_NAME_MAX + 1)

struct work {
    struct line_args *args;
    yyjson_val *draft;
    const struct publish_file *file;
    struct prepare p;
    struct trust_custom custom; /* but model and sequence */
    yyjson_mut_doc *targets;    /* with new delegations; NULL: it stays as it is */
    struct make_key *holders;   /* of the role "targets": they sign for a new model */
    size_t holder_count;
    int64_t holder_threshold;
};

static int no_memory(struct work *w)
{
    return err_set(&w->p.op.err, ERR_NOMEM, "no memory for a signing request");
}

/* What is signed of the release beside its bytes. CMD_USAGE, or 0. */
static int read_line(struct work *w)
{
    struct trust_custom *c = &w->custom;
    const char *type = line_get(w->args, "type"), *advisory = line_get(w->args, "advisory");
    *c = (struct trust_custom){.name = str_of(line_get(w->args, "name")),
                               .version = str_of(line_get(w->args, "version")),
                               .type = str_of(type != NULL ? type : "os"),
                               .security = line_has(w->args, "security")};
    if (advisory != NULL)
        c->advisory = str_of(advisory);
    if (c->advisory.n > TRUST_ADVISORY_MAX || !str_is_text(c->advisory))
        return line_wrong(w->args, "--advisory is UTF-8 text of at most %d bytes", TRUST_ADVISORY_MAX);
    int code = line_number(w->args, "counter", 0, INT32_MAX, 0, &c->counter);
    if (code == 0)
        code = line_number(w->args, "upgrade-from", 0, INT32_MAX, 0, &c->upgrade_from);
    if (code == 0)
        code = line_number(w->args, "unpacked-size", 0, INT64_MAX, 0, &c->unpacked_size);
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
    size_t i, max;
    yyjson_val *id;
    yyjson_arr_foreach(role.keyids, i, max, id)
    {
        rc = prepare_key(&w->p, role.keys, prepare_text(id), &w->holders[w->holder_count++]);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int delegate(struct work *w, struct str model)
{
    struct prepare *p = &w->p;
    int rc = read_holders(w);
    if (rc == 0 && w->targets == NULL)
        rc = prepare_targets(p, &p->image.client.targets, &w->targets);
    const struct make_role role = {
        .keys = w->holders, .key_count = w->holder_count, .threshold = w->holder_threshold};
    return rc == 0 ? make_delegation(w->targets, model, &role, &p->op.err) : rc;
}

/* --- a model's document -------------------------------------------------------------------------------- */

/* What the release is, or would be, among those of the model. */
static int ask_sequence(struct work *w, struct str model, int64_t *out)
{
    struct operate *op = &w->p.op;
    auto_json yyjson_doc *answer = NULL;
    char id[24];
    snprintf(id, sizeof id, "%lld", (long long)operate_int(w->draft, "id"));
    const char *name = arena_dup_str(&op->arena, model);
    int rc = name != NULL ? operate_path(op, "/api/trust/sequence", name, NULL) : no_memory(w);
    if (rc == 0)
        rc = operate_query(op, "release", id);
    if (rc == 0)
        rc = operate_call(op, "GET", NULL, &answer);
    if (rc != 0)
        return rc;
    *out = operate_int(yyjson_doc_get_root(answer), "sequence");
    return *out > 0 ? 0 : err_set(&op->err, ERR_INVALID, "the server tells no sequence for the release");
}

/* The server is not believed: the number is above all that were signed for the model. */
static int check_sequence(struct work *w, const struct tuf_doc *now, const char *path, int64_t sequence)
{
    size_t count = tuf_target_count(now);
    for (size_t i = 0; i < count; i++) {
        struct tuf_target t;
        struct trust_custom c;
        int rc = tuf_target_at(now, i, &t, &w->p.op.err);
        if (rc != 0)
            return rc;
        if (t.custom == NULL || trust_custom_read(t.custom, &c, NULL) != 0)
            continue;
        if (str_is(t.name, path))
            return err_set(&w->p.op.err, ERR_CONFLICT, "%s is signed already: publish a new version", path);
        if (c.sequence >= sequence)
            return err_set(&w->p.op.err, ERR_CONFLICT,
                           "the server would have the sequence %lld signed, and " STR_FMT
                           " has %lld: it was set back, or is not honest",
                           (long long)sequence, STR_ARG(t.name), (long long)c.sequence);
    }
    return 0;
}

static int add_target(struct work *w, struct str model, const struct tuf_doc *now, yyjson_mut_doc *body)
{
    struct operate *op = &w->p.op;
    struct trust_custom c = w->custom;
    char path[PATH_SIZE];
    c.model = model;
    if (!trust_target_path(model, c.name, c.version, str_of(w->file->filename), path, sizeof path))
        return err_set(&op->err, ERR_TOO_LARGE, "the names of model, release and file are too long together");
    int rc = ask_sequence(w, model, &c.sequence);
    if (rc == 0 && now != NULL)
        rc = check_sequence(w, now, path, c.sequence);
    return rc == 0 ? make_target(body, path, w->file->size, w->file->sha256, &c, &op->err) : rc;
}

static int add_model(struct work *w, struct str model)
{
    struct prepare *p = &w->p;
    struct tuf_delegation d;
    struct tuf_doc now;
    char role[TUF_ROLE_NAME_MAX];
    auto_json_mut yyjson_mut_doc *body = NULL;
    if (!trust_model_role(model, role, sizeof role))
        return err_set(&p->op.err, ERR_INVALID, "the model's name cannot be a role's");
    int rc = tuf_delegation_find(&p->image.client.targets, str_of(role), &d, &p->op.err);
    bool known = rc == 0, there = false;
    if (rc == ERR_NOT_FOUND)
        rc = delegate(w, model);
    if (rc == 0 && known) {
        rc = trust_repo_role(&p->image, str_of(role), &now);
        there = rc == 0;
        if (rc == ERR_NOT_FOUND)
            rc = 0; /* nothing was signed for it yet */
    }
    if (rc == 0)
        rc = there ? prepare_targets(p, &now, &body) : prepare_first(p, &body);
    if (rc == 0 && there)
        rc = prepare_withdraw(p, model, &now, body);
    if (rc == 0)
        rc = add_target(w, model, there ? &now : NULL, body);
    return rc == 0 ? prepare_add(p, "image", str_of(role), body) : rc;
}

static int add_models(struct work *w)
{
    size_t i, max;
    yyjson_val *model;
    int rc = 0;
    yyjson_arr_foreach(yyjson_obj_get(w->draft, "models"), i, max, model)
    {
        struct str name = {.p = yyjson_get_str(model), .n = yyjson_get_len(model)};
        const char *copy = arena_dup_str(&w->p.op.arena, name);
        rc = copy == NULL ? no_memory(w) : add_model(w, str_of(copy));
        if (rc != 0)
            return rc;
    }
    return w->targets != NULL ? prepare_add(&w->p, "image", STR("targets"), w->targets) : 0;
}

/* --- signatures ---------------------------------------------------------------------------------------- */

static int write_request(struct work *w)
{
    struct operate *op = &w->p.op;
    const char *output = line_get(w->args, "output");
    if (output == NULL)
        output = arena_printf(&op->arena, STR_FMT "-" STR_FMT ".sign.json", STR_ARG(w->custom.name),
                              STR_ARG(w->custom.version));
    return output != NULL ? prepare_write(&w->p, output) : no_memory(w);
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
    auto_json yyjson_doc *answer = NULL;
    return rc == 0 ? trust_upload(op, text, &answer) : rc;
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

int publish_signed(struct line_args *args, yyjson_val *draft, const struct publish_file *file,
                   yyjson_doc **release)
{
    struct work w = {.args = args, .draft = draft, .file = file};
    int code = read_line(&w);
    if (code != 0)
        return code;
    code = run(&w, release) == 0 ? CMD_OK : operate_fail(&w.p.op);
    yyjson_mut_doc_free(w.targets);
    prepare_close(&w.p);
    return code;
}
