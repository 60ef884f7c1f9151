#include "cmd/trust_prepare.h"

#include <string.h>
#include <time.h>

#include "base/file.h"
#include "cmd/signing.h"

#define DAY_S INT64_C(86400)
#define SIGNATURE_FRAME 128 /* bytes of JSON around a signature, and its key's id */

static int no_memory(struct prepare *p)
{
    return err_set(&p->op.err, ERR_NOMEM, "no memory for a signing request");
}

int prepare_open(struct prepare *p, const struct line_args *args, bool targets)
{
    *p = (struct prepare){.now_s = (int64_t)time(NULL)};
    int rc = operate_init(&p->op, args);
    if (rc == 0)
        rc = trust_repo_open(&p->op, "image", &p->image);
    if (rc == 0)
        rc = trust_repo_open(&p->op, "director", &p->director);
    if (rc == 0)
        rc = targets ? trust_repo_refresh(&p->image) : trust_repo_root(&p->image);
    if (rc == 0)
        rc = trust_repo_root(&p->director);
    if (rc == 0)
        rc = trust_repo_text(&p->image, STR("root"), &p->request.image_root);
    if (rc == 0)
        rc = trust_repo_text(&p->director, STR("root"), &p->request.director_root);
    /* Who signs delegated roles stands in the targets, also when those stay as they are. */
    struct str text;
    if (rc == 0 && targets)
        rc = trust_repo_text(&p->image, STR("targets"), &text);
    return rc == 0 && targets ? request_add_base(&p->request, "image", "targets", text, &p->op.err) : rc;
}

void prepare_close(struct prepare *p)
{
    trust_repo_close(&p->image);
    trust_repo_close(&p->director);
    operate_fini(&p->op);
}

struct trust_repo *prepare_repo(struct prepare *p, const char *repository)
{
    return strcmp(repository, "image") == 0 ? &p->image : &p->director;
}

int prepare_root(struct prepare *p, const char *repository, yyjson_mut_doc **out)
{
    const struct tuf_doc *now = &prepare_repo(p, repository)->client.root;
    return make_next(now, p->now_s + TRUST_ROOT_DAYS * DAY_S, out, &p->op.err);
}

int prepare_targets(struct prepare *p, const struct tuf_doc *now, yyjson_mut_doc **out)
{
    return make_next(now, p->now_s + TRUST_TARGETS_DAYS * DAY_S, out, &p->op.err);
}

int prepare_first(struct prepare *p, const char *role, yyjson_mut_doc **out)
{
    auto_json_mut yyjson_mut_doc *doc = NULL;
    int rc = make_body(TUF_TARGETS, 1, p->now_s + TRUST_TARGETS_DAYS * DAY_S, &doc, &p->op.err);
    if (rc == 0)
        rc = make_named(doc, role, &p->op.err);
    if (rc != 0)
        return rc;
    *out = doc;
    doc = NULL;
    return 0;
}

int prepare_key(struct prepare *p, const struct tuf_key *key, struct make_key *out)
{
    struct arena *a = &p->op.arena;
    struct make_key k = {.keyid = arena_dup_str(a, key->id),
                         .scheme = key->scheme,
                         .public_text = arena_dup_str(a, key->public_text)};
    if (k.keyid == NULL || k.public_text == NULL)
        return no_memory(p);
    if (k.scheme == NULL)
        return err_set(&p->op.err, ERR_UNSUPPORTED,
                       "the present metadata have a key of a kind that is not known here");
    *out = k;
    return 0;
}

int prepare_role_keys(struct prepare *p, const struct tuf_role *role, struct make_key *out, size_t *count)
{
    size_t n = tuf_role_key_count(role), most = n < TUF_ROLE_KEYS_MAX ? n : TUF_ROLE_KEYS_MAX;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < most; i++) {
        struct tuf_key key;
        (void)tuf_role_key_at(role, i, &key);
        rc = prepare_key(p, &key, &out[i]);
    }
    *count = most;
    return rc;
}

/* --- documents --------------------------------------------------------------------------------------- */

int prepare_add(struct prepare *p, const char *repository, struct str role, yyjson_mut_doc *body)
{
    struct str file, base;
    const char *name = arena_dup_str(&p->op.arena, role);
    int rc = name != NULL ? holders_seal(body, NULL, &p->op.arena, &file, &p->op.err) : no_memory(p);
    if (rc == 0)
        rc = request_add(&p->request, repository, name, file, &p->op.err);
    if (rc != 0 || str_is(role, "root") || str_is(role, "targets"))
        return rc; /* those to compare with are there */
    rc = trust_repo_text(prepare_repo(p, repository), role, &base);
    if (rc == ERR_NOT_FOUND)
        return 0; /* it is the first of its role */
    return rc == 0 ? request_add_base(&p->request, repository, name, base, &p->op.err) : rc;
}

/* --- releases that are no more ----------------------------------------------------------------------- */

static int list_releases(struct prepare *p, struct str model, yyjson_mut_doc **out)
{
    const char *name = arena_dup_str(&p->op.arena, model);
    int rc = name != NULL ? operate_path(&p->op, "/api/firmware", NULL) : no_memory(p);
    if (rc == 0)
        rc = operate_query(&p->op, "model", name);
    if (rc == 0)
        rc = operate_collect(&p->op, OPERATE_LIST_MAX, out);
    /* Whatever is not in the list loses its signature: half of one is no answer. */
    if (rc == 0 && !yyjson_mut_is_null(yyjson_mut_obj_get(yyjson_mut_doc_get_root(*out), "next")))
        return err_set(&p->op.err, ERR_TOO_LARGE,
                       "the server does not come to the end of its list of the model's releases");
    return rc;
}

static bool is_listed(yyjson_mut_doc *list, const struct trust_custom *c)
{
    size_t i, max;
    yyjson_mut_val *one;
    yyjson_mut_arr_foreach(yyjson_mut_obj_get(yyjson_mut_doc_get_root(list), "items"), i, max, one)
    {
        if (yyjson_mut_equals_strn(yyjson_mut_obj_get(one, "name"), c->name.p, c->name.n) &&
            yyjson_mut_equals_strn(yyjson_mut_obj_get(one, "version"), c->version.p, c->version.n))
            return true;
    }
    return false;
}

int prepare_withdraw(struct prepare *p, struct str model, const struct tuf_doc *now, yyjson_mut_doc *body)
{
    auto_json_mut yyjson_mut_doc *list = NULL;
    yyjson_mut_val *targets = yyjson_mut_obj_get(yyjson_mut_doc_get_root(body), "targets");
    struct tuf_target_iter it;
    struct tuf_target t;
    struct trust_custom c;
    int rc = list_releases(p, model, &list);
    if (rc != 0)
        return rc;
    tuf_target_iter_begin(now, &it);
    while ((rc = tuf_target_iter_next(&it, &t, &p->op.err)) == 0)
        if (t.custom != NULL && trust_custom_read(t.custom, &c, NULL) == 0 && !is_listed(list, &c))
            yyjson_mut_obj_remove_keyn(targets, t.name.p, t.name.n);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int add_role(struct prepare *p, struct str role)
{
    struct tuf_doc now;
    struct str model = trust_role_model(role);
    auto_json_mut yyjson_mut_doc *body = NULL;
    int rc = trust_repo_role(&p->image, role, &now);
    if (rc == ERR_NOT_FOUND)
        return 0; /* nothing was ever signed for it */
    if (rc == 0)
        rc = prepare_targets(p, &now, &body);
    if (rc == 0 && model.p != NULL)
        rc = prepare_withdraw(p, model, &now, body);
    return rc == 0 ? prepare_add(p, "image", role, body) : rc;
}

int prepare_add_roles(struct prepare *p, bool (*wanted)(void *ctx, const struct tuf_delegation *d), void *ctx)
{
    const struct tuf_doc *targets = &p->image.client.targets;
    size_t count = tuf_delegation_count(targets);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct tuf_delegation d;
        rc = tuf_delegation_at(targets, i, &d, &p->op.err);
        if (rc == 0 && (wanted == NULL || wanted(ctx, &d)))
            rc = add_role(p, d.role.name);
    }
    return rc;
}

/* Whoever signs last must not be the one to find that it is too large. */
static int check_room(const struct signing *s, size_t size, struct err *e)
{
    struct tuf_key key;
    for (size_t i = 0; i < s->count; i++)
        for (size_t r = 0; r < s->items[i].role_count; r++) {
            const struct tuf_role *role = &s->items[i].roles[r].role;
            for (size_t k = 0; k < tuf_role_key_count(role); k++)
                if (tuf_role_key_at(role, k, &key) && key.scheme != NULL)
                    size += 2 * key.scheme->sig_max + SIGNATURE_FRAME;
        }
    if (size > REQUEST_MAX)
        return err_set(e, ERR_TOO_LARGE,
                       "with all signatures a request for %zu documents would have %zu bytes; %u is the most",
                       s->count, size, REQUEST_MAX);
    return 0;
}

int prepare_write(struct prepare *p, const char *path)
{
    struct str text;
    bool complete;
    auto_signing struct signing now = {0};
    int rc = request_write(&p->request, &p->op.arena, &text, &p->op.err);
    if (rc == 0)
        rc = signing_open(&now, text, &p->op.arena, &p->op.err);
    if (rc == 0)
        rc = check_room(&now, text.n, &p->op.err);
    if (rc == 0)
        rc = file_create_atomic(path, text.p, text.n, 0644, &p->op.err);
    if (rc == ERR_CONFLICT)
        return err_set(&p->op.err, rc,
                       "%s is there already: sign and upload that one, or name another file by --output",
                       path);
    if (rc != 0)
        return rc;
    printf("%s is to be signed:\n", path);
    rc = signing_print(&now, stdout, &p->op.err);
    if (rc == 0)
        rc = signing_print_wanted(&now, stdout, &complete, &p->op.err);
    if (rc == 0)
        printf(
            "Next: take it to the keys, there `pqota trust sign %s --key KEY`; back here `pqota trust upload "
            "%s`.\n",
            path, path);
    return rc;
}
