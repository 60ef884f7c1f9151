/*
 * `pqota trust rotate ROLE...`: other keys for roles. The new roots, and whatever the roles sign offline, go
 * into one signing request; the new keys into files.
 */
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/signing.h"
#include "cmd/trust_prepare.h"

#define KEEP_LEAST 8 /* characters of a key id */
#define KINDS 7

struct kind {
    const char *name; /* as the operand says */
    bool online;      /* the server holds the keys */
    enum holders_pair pair;
    bool image, director;    /* whose root changes */
    const char *roles[2][3]; /* of the image and the director's root that get the keys */
    const char *manifest;    /* or the manifest key of both roots */
    bool targets;            /* what it signs is signed anew */
};
static const struct kind kinds[KINDS] = {
    {"root", false, HOLDERS_OFFLINE, true, true, {{"root"}, {"root"}}, NULL, false},
    {"targets", false, HOLDERS_OFFLINE, true, false, {{"targets"}, {NULL}}, NULL, true},
    {"timestamp", true, HOLDERS_ONLINE, true, false, {{"timestamp"}, {NULL}}, NULL, false},
    {"snapshot", true, HOLDERS_ONLINE, true, false, {{"snapshot"}, {NULL}}, NULL, false},
    {"director",
     true,
     HOLDERS_ONLINE,
     false,
     true,
     {{NULL}, {"targets", "snapshot", "timestamp"}},
     NULL,
     false},
    {"manifest", false, HOLDERS_MANIFEST, true, true, {{NULL}, {NULL}}, "vendor", true},
    {"manifest-online", true, HOLDERS_MANIFEST, true, true, {{NULL}, {NULL}}, "director", false},
};

struct change { /* of one role */
    const struct kind *kind;
    struct holders next;
    struct tuf_role present; /* in the first root that changes; unused for manifests */
    int64_t holders_now, threshold;
};

struct rotation {
    struct line_args *args;
    struct prepare p;
    struct passphrase passphrase;
    struct change change[KINDS];
    size_t count;
    int64_t threshold, fresh; /* as the line says; 0 and -1: it does not */
};

static int no_memory(struct rotation *r)
{
    return err_set(&r->p.op.err, ERR_NOMEM, "no memory for keys");
}

static const struct tuf_doc *first_root(struct rotation *r, const struct change *c)
{
    return &prepare_repo(&r->p, c->kind->image ? "image" : "director")->client.root;
}

/* The change of that kind; NULL: it is not asked for. */
static struct change *find_change(struct rotation *r, const char *name)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->change[i].kind->name, name) == 0)
            return &r->change[i];
    return NULL;
}

/* --- the keys ---------------------------------------------------------------------------------------- */

/* --keep: present keys that stay, by the beginning of their ids. */
static int keep_keys(struct rotation *r, struct change *c)
{
    size_t at = 0;
    int rc = 0;
    for (const char *keep; rc == 0 && (keep = line_each(r->args, "keep", &at)) != NULL;) {
        size_t n = strlen(keep), count = tuf_role_key_count(&c->present), found = 0;
        struct tuf_key key, match;
        for (size_t i = 0; i < count; i++)
            if (tuf_role_key_at(&c->present, i, &key) && key.id.n >= n && memcmp(key.id.p, keep, n) == 0) {
                match = key;
                found++;
            }
        if (n < KEEP_LEAST || found != 1)
            return err_set(
                &r->p.op.err, ERR_INVALID,
                "--keep %s names %zu of the role's keys; give at least %d characters of one's id, as "
                "`pqota trust show` has it",
                keep, found, KEEP_LEAST);
        struct make_key k;
        rc = prepare_key(&r->p, &match, &k);
        if (rc == 0)
            rc = holders_add(&c->next, &k, &r->p.op.err);
    }
    return rc;
}

/* A holder has one key of each family: those of ML-DSA count. */
static int64_t holders_of(const struct holders *h)
{
    int64_t n = 0;
    for (size_t i = 0; i < h->count; i++)
        n += h->key[i].scheme->family == TRUST_POST_QUANTUM;
    return n;
}

static int make_fresh(struct rotation *r, struct change *c, int64_t count)
{
    const char *dir = line_get(r->args, "keys-dir");
    int rc = 0;
    for (int64_t i = 1; rc == 0 && i <= count; i++) {
        char number[24] = "";
        if (count > 1)
            snprintf(number, sizeof number, "-%lld", (long long)i);
        const char *file = arena_printf(&r->p.op.arena, "%s/%s-v%lld%s.key", dir != NULL ? dir : ".",
                                        c->kind->name, (long long)first_root(r, c)->version + 1, number);
        rc = file != NULL ? holders_make(&c->next, c->kind->pair, file, &r->p.op.arena, &r->p.op.err)
                          : no_memory(r);
    }
    return rc;
}

/* Manifests have one key at a time, which is no role's. */
static int check_manifest_key(struct rotation *r, const struct change *c)
{
    if (c->kind->manifest == NULL)
        return 0;
    if (c->next.count == 1 && c->next.key[0].scheme->scheme == TRUST_ML_DSA_44)
        return 0;
    return err_set(&r->p.op.err, ERR_INVALID, "manifests are signed by exactly one key, of ML-DSA-44");
}

static int collect_keys(struct rotation *r, struct change *c)
{
    size_t at = 0;
    int rc = keep_keys(r, c);
    for (const char *uri; rc == 0 && (uri = line_each(r->args, "key", &at)) != NULL;)
        rc = holders_load(&c->next, uri, &r->passphrase, &r->p.op.arena, &r->p.op.err);
    if (rc != 0)
        return rc;
    int64_t have = holders_of(&c->next), missing = have < c->holders_now ? c->holders_now - have : 0;
    int64_t count = r->fresh >= 0 ? r->fresh : missing;
    if (count > 0 && !c->kind->online)
        rc = passphrase_make(&r->passphrase, "the new keys", &r->p.op.err);
    if (rc == 0)
        rc = make_fresh(r, c, count);
    return rc == 0 ? check_manifest_key(r, c) : rc;
}

/* --- the documents ----------------------------------------------------------------------------------- */

/* Both manifest keys of a root, at least one of them a new one. */
static int put_manifest(struct rotation *r, const struct tuf_doc *root, yyjson_mut_doc *body)
{
    static const char *const whose[2] = {"vendor", "director"};
    struct make_key key[2];
    bool there[2] = {false, false};
    for (size_t i = 0; i < 2; i++) {
        const struct change *new = find_change(r, i == 0 ? "manifest" : "manifest-online");
        struct tuf_key present;
        there[i] = tuf_manifest_key(root, whose[i], &present) || new != NULL;
        int rc = 0;
        if (new != NULL)
            key[i] = new->next.key[0];
        else if (there[i])
            rc = prepare_key(&r->p, &present, &key[i]);
        if (rc != 0)
            return rc;
    }
    return make_root_manifest(body, there[0] ? &key[0] : NULL, there[1] ? &key[1] : NULL, &r->p.op.err);
}

static int put_roles(struct rotation *r, const struct change *c, bool image, yyjson_mut_doc *body)
{
    const char *const *roles = c->kind->roles[image ? 0 : 1];
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < 3 && roles[i] != NULL; i++) {
        struct make_role role = holders_role(roles[i], &c->next, c->threshold);
        rc = make_root_role(body, &role, &r->p.op.err);
    }
    return rc;
}

static int rotate_root(struct rotation *r, const char *repository, bool image)
{
    auto_json_mut yyjson_mut_doc *body = NULL;
    bool manifest = false;
    int rc = prepare_root(&r->p, repository, &body);
    for (size_t i = 0; rc == 0 && i < r->count; i++) {
        rc = put_roles(r, &r->change[i], image, body);
        manifest = manifest || r->change[i].kind->manifest != NULL;
    }
    if (rc == 0 && manifest)
        rc = put_manifest(r, &prepare_repo(&r->p, repository)->client.root, body);
    return rc == 0 ? prepare_add(&r->p, repository, STR("root"), body) : rc;
}

/* A model's role that the targets holders sign for; with another key of manifests, every one. */
static bool is_theirs(void *ctx, const struct tuf_delegation *d)
{
    struct rotation *r = ctx;
    const struct change *targets = find_change(r, "targets");
    return find_change(r, "manifest") != NULL ||
           (targets != NULL && tuf_same_keys(&d->role, &targets->present));
}

static int put_delegations(struct rotation *r, const struct change *c, yyjson_mut_doc *body)
{
    const struct tuf_doc *targets = &r->p.image.client.targets;
    size_t count = tuf_delegation_count(targets);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct tuf_delegation d;
        rc = tuf_delegation_at(targets, i, &d, &r->p.op.err);
        struct str model = rc == 0 ? trust_role_model(d.role.name) : (struct str){.p = NULL, .n = 0};
        if (model.p == NULL || !tuf_same_keys(&d.role, &c->present))
            continue;
        struct make_role role = holders_role("", &c->next, c->threshold);
        rc = make_delegation(body, model, &role, &r->p.op.err);
    }
    return rc;
}

static int rotate_targets(struct rotation *r)
{
    auto_json_mut yyjson_mut_doc *body = NULL;
    const struct change *c = find_change(r, "targets");
    int rc = prepare_targets(&r->p, &r->p.image.client.targets, &body);
    if (rc == 0 && c != NULL)
        rc = put_delegations(r, c, body);
    if (rc == 0)
        rc = prepare_add(&r->p, "image", STR("targets"), body);
    return rc == 0 ? prepare_add_roles(&r->p, is_theirs, r) : rc;
}

static int make_documents(struct rotation *r)
{
    bool image = false, director = false, targets = false;
    for (size_t i = 0; i < r->count; i++) {
        image = image || r->change[i].kind->image;
        director = director || r->change[i].kind->director;
        targets = targets || r->change[i].kind->targets;
    }
    int rc = image ? rotate_root(r, "image", true) : 0;
    if (rc == 0 && director)
        rc = rotate_root(r, "director", false);
    return rc == 0 && targets ? rotate_targets(r) : rc;
}

/* --- the verb ---------------------------------------------------------------------------------------- */

/* What the role is now, and from it what is usual. */
static int look(struct rotation *r, struct change *c)
{
    const struct kind *k = c->kind;
    const char *name = k->roles[k->image ? 0 : 1][0];
    c->holders_now = 1;
    if (k->manifest != NULL) {
        if (line_has(r->args, "keep"))
            return err_set(&r->p.op.err, ERR_INVALID, "there is one key of manifests: nothing to --keep");
        return 0;
    }
    if (!tuf_root_role_named(first_root(r, c), str_of(name), &c->present))
        return err_set(&r->p.op.err, ERR_NOT_FOUND, "the present root has no role %s", name);
    size_t count = tuf_role_key_count(&c->present);
    c->holders_now = 0;
    for (size_t i = 0; i < count; i++) {
        struct tuf_key key;
        if (tuf_role_key_at(&c->present, i, &key) && key.scheme != NULL)
            c->holders_now += key.scheme->family == TRUST_POST_QUANTUM;
    }
    c->threshold = r->threshold != 0 ? r->threshold : c->present.threshold;
    return 0;
}

static void remove_keys(const struct holders *h)
{
    for (size_t i = 0; i < h->own_count; i++)
        if (h->file[i] != NULL)
            (void)unlink(h->file[i]);
}

/* The keys are there before the request that names them; without it they are nobody's. */
static int finish(struct rotation *r, const char *output)
{
    size_t saved = 0;
    int rc = 0;
    while (rc == 0 && saved < r->count) {
        const struct change *c = &r->change[saved];
        rc = holders_save(&c->next, c->kind->online ? NULL : r->passphrase.text, &r->p.op.err);
        saved += rc == 0;
    }
    if (rc == 0)
        rc = prepare_write(&r->p, output);
    if (rc == 0 || file_exists(output))
        return rc;
    for (size_t i = 0; i < saved; i++)
        remove_keys(&r->change[i].next);
    return rc;
}

static void say_keys(const struct change *c)
{
    const char *setting = strcmp(c->kind->name, "manifest-online") == 0 ? "manifest" : c->kind->name;
    for (size_t i = 0; i < c->next.own_count; i++) {
        if (c->next.file[i] == NULL)
            continue;
        printf("New key: %s\n", c->next.file[i]);
        holders_print_ids(&c->next.own[i], stdout);
        if (c->kind->online)
            printf("    on the server it goes where [trust] %s_key says (trust/online/%s.key)\n", setting,
                   setting);
    }
}

static void say_next(const struct rotation *r)
{
    bool online = false, manifest = false;
    for (size_t i = 0; i < r->count; i++) {
        say_keys(&r->change[i]);
        online = online || r->change[i].kind->online;
        manifest = manifest || r->change[i].kind->manifest != NULL;
    }
    if (online)
        printf("When the request is signed: put what is for the server in its place, send the server SIGHUP, "
               "then upload.\nThe server signs with a new key once the root that names it is uploaded, and "
               "with nothing until then.\n");
    if (manifest)
        printf("Microcontrollers know one key of manifests, that of their firmware: they must have firmware "
               "with the new\none before they believe it.\n");
}

static int run(struct rotation *r, const char *output)
{
    bool targets = false;
    for (size_t i = 0; i < r->count; i++)
        targets = targets || r->change[i].kind->targets;
    int rc = prepare_open(&r->p, r->args, targets);
    for (size_t i = 0; rc == 0 && i < r->count; i++) {
        rc = look(r, &r->change[i]);
        if (rc == 0)
            rc = collect_keys(r, &r->change[i]);
    }
    if (rc != 0 || make_documents(r) != 0 || finish(r, output) != 0)
        return operate_fail(&r->p.op);
    say_next(r);
    return CMD_OK;
}

/* "online": each key that the server holds. */
static int read_roles(struct rotation *r)
{
    for (int n = 0; n < r->args->operand_count; n++) {
        const char *word = r->args->operands[n];
        bool online = strcmp(word, "online") == 0, known = online;
        for (size_t i = 0; i < KINDS; i++) {
            if (online ? !kinds[i].online : strcmp(kinds[i].name, word) != 0)
                continue;
            known = true;
            if (find_change(r, kinds[i].name) == NULL)
                r->change[r->count++].kind = &kinds[i];
        }
        if (!known)
            return line_wrong(r->args,
                              "\"%s\" is no role; there are root, targets, timestamp, snapshot, director, "
                              "manifest and manifest-online, and online for all that the server holds",
                              word);
    }
    static const char *const one[] = {"new", "key", "keep", "threshold"};
    for (size_t i = 0; r->count > 1 && i < sizeof one / sizeof one[0]; i++)
        if (line_has(r->args, one[i]))
            return line_wrong(r->args, "--%s is for one role at a time", one[i]);
    return 0;
}

int trust_verb_rotate(struct line_args *args)
{
    struct rotation r = {.args = args};
    int code = read_roles(&r);
    if (code == 0)
        code = line_number(args, "threshold", 1, HOLDERS_MAX, 0, &r.threshold);
    if (code == 0)
        code = line_number(args, "new", 0, HOLDERS_MAX, -1, &r.fresh);
    if (code != 0)
        return code;
    char usual[64];
    snprintf(usual, sizeof usual, "trust-rotate-%s.json", args->operands[0]);
    const char *output = line_get(args, "output");
    if (output == NULL)
        output = usual;
    if (file_exists(output))
        return line_wrong(args, "%s is there already; name another file by --output", output);
    passphrase_init(&r.passphrase, line_get(args, "passphrase-file"));
    code = run(&r, output);
    for (size_t i = 0; i < r.count; i++)
        holders_fini(&r.change[i].next);
    passphrase_fini(&r.passphrase);
    prepare_close(&r.p);
    return code;
}
