/*
 * `pqota trust rotate ROLE`: other keys for a role. The new root, and whatever the role signs offline, go
 * into one signing request; the new keys into files.
 */
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/signing.h"
#include "cmd/trust_prepare.h"

#define KEEP_LEAST 8 /* characters of a key id */

struct kind {
    const char *name; /* as the operand says */
    bool online;      /* the server holds the keys */
    enum holders_pair pair;
    bool image, director;    /* whose root changes */
    const char *roles[2][3]; /* of the image and the director's root that get the keys */
    const char *manifest;    /* or the manifest key of both roots */
    bool targets;            /* what it signs is signed anew */
};
static const struct kind kinds[] = {
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

struct rotation {
    struct line_args *args;
    const struct kind *kind;
    struct prepare p;
    struct passphrase passphrase;
    struct holders next;
    struct tuf_role present; /* in the first root that changes; unused for manifests */
    int64_t holders_now, threshold, fresh;
};

static int no_memory(struct rotation *r)
{
    return err_set(&r->p.op.err, ERR_NOMEM, "no memory for keys");
}

/* --- the keys ---------------------------------------------------------------------------------------- */

/* --keep: present keys that stay, by the beginning of their ids. */
static int keep_keys(struct rotation *r)
{
    size_t at = 0;
    int rc = 0;
    for (const char *keep; rc == 0 && (keep = line_each(r->args, "keep", &at)) != NULL;) {
        size_t n = strlen(keep), i, max, found = 0;
        yyjson_val *id, *match = NULL;
        yyjson_arr_foreach(r->present.keyids, i, max, id)
        {
            if (yyjson_get_len(id) < n || memcmp(yyjson_get_str(id), keep, n) != 0)
                continue;
            match = id;
            found++;
        }
        if (n < KEEP_LEAST || found != 1)
            return err_set(
                &r->p.op.err, ERR_INVALID,
                "--keep %s names %zu of the role's keys; give at least %d characters of one's id, as "
                "`pqota trust show` has it",
                keep, found, KEEP_LEAST);
        struct make_key k;
        rc = prepare_key(&r->p, r->present.keys, prepare_text(match), &k);
        if (rc == 0)
            rc = holders_add(&r->next, &k, &r->p.op.err);
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

static int make_fresh(struct rotation *r, int64_t count)
{
    const char *dir = line_get(r->args, "keys-dir");
    const struct tuf_doc *root = &prepare_repo(&r->p, r->kind->image ? "image" : "director")->client.root;
    int rc = 0;
    for (int64_t i = 1; rc == 0 && i <= count; i++) {
        char number[24] = "";
        if (count > 1)
            snprintf(number, sizeof number, "-%lld", (long long)i);
        const char *file = arena_printf(&r->p.op.arena, "%s/%s-v%lld%s.key", dir != NULL ? dir : ".",
                                        r->kind->name, (long long)root->version + 1, number);
        rc = file != NULL ? holders_make(&r->next, r->kind->pair, file, &r->p.op.arena, &r->p.op.err)
                          : no_memory(r);
    }
    return rc;
}

static int collect_keys(struct rotation *r)
{
    size_t at = 0;
    int rc = keep_keys(r);
    for (const char *uri; rc == 0 && (uri = line_each(r->args, "key", &at)) != NULL;)
        rc = holders_load(&r->next, uri, &r->passphrase, &r->p.op.arena, &r->p.op.err);
    if (rc != 0)
        return rc;
    int64_t have = holders_of(&r->next), missing = have < r->holders_now ? r->holders_now - have : 0;
    int64_t count = r->fresh >= 0 ? r->fresh : missing;
    if (count > 0 && !r->kind->online)
        rc = passphrase_make(&r->passphrase, "the new keys", &r->p.op.err);
    return rc == 0 ? make_fresh(r, count) : rc;
}

/* Manifests have one key at a time, which is no role's. */
static int check_manifest_key(struct rotation *r)
{
    if (r->kind->manifest == NULL)
        return 0;
    if (r->next.count == 1 && r->next.key[0].scheme->scheme == TRUST_ML_DSA_44)
        return 0;
    return err_set(&r->p.op.err, ERR_INVALID, "manifests are signed by exactly one key, of ML-DSA-44");
}

/* --- the documents ----------------------------------------------------------------------------------- */

/* Both manifest keys of a root, one of them the new one. */
static int put_manifest(struct rotation *r, const struct tuf_doc *root, yyjson_mut_doc *body)
{
    static const char *const whose[2] = {"vendor", "director"};
    struct make_key key[2];
    bool there[2] = {false, false};
    for (size_t i = 0; i < 2; i++) {
        struct str id = signing_manifest_key(root, whose[i]);
        bool new = strcmp(whose[i], r->kind->manifest) == 0;
        there[i] = new || id.p != NULL;
        int rc = 0;
        if (new)
            key[i] = r->next.key[0];
        else if (there[i])
            rc = prepare_key(&r->p, yyjson_obj_get(root->body, "keys"), id, &key[i]);
        if (rc != 0)
            return rc;
    }
    return make_root_manifest(body, there[0] ? &key[0] : NULL, there[1] ? &key[1] : NULL, &r->p.op.err);
}

static int rotate_root(struct rotation *r, const char *repository, const char *const roles[3])
{
    auto_json_mut yyjson_mut_doc *body = NULL;
    int rc = prepare_root(&r->p, repository, &body);
    for (size_t i = 0; rc == 0 && i < 3 && roles[i] != NULL; i++) {
        struct make_role role = holders_role(roles[i], &r->next, r->threshold);
        rc = make_root_role(body, &role, &r->p.op.err);
    }
    if (rc == 0 && r->kind->manifest != NULL)
        rc = put_manifest(r, &prepare_repo(&r->p, repository)->client.root, body);
    return rc == 0 ? prepare_add(&r->p, repository, STR("root"), body) : rc;
}

/* A model's role that the targets holders sign for. */
static bool is_theirs(void *ctx, const struct tuf_delegation *d)
{
    struct rotation *r = ctx;
    return r->kind->manifest != NULL || tuf_same_keys(&d->role, &r->present);
}

static int put_delegations(struct rotation *r, yyjson_mut_doc *body)
{
    static const struct str lead = {.p = "model-", .n = 6};
    const struct tuf_doc *targets = &r->p.image.client.targets;
    size_t count = tuf_delegation_count(targets);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct tuf_delegation d;
        rc = tuf_delegation_at(targets, i, &d, &r->p.op.err);
        bool model = rc == 0 && d.role.name.n > lead.n && memcmp(d.role.name.p, lead.p, lead.n) == 0;
        if (!model || !is_theirs(r, &d))
            continue;
        struct make_role role = holders_role("", &r->next, r->threshold);
        rc = make_delegation(body, (struct str){.p = d.role.name.p + lead.n, .n = d.role.name.n - lead.n},
                             &role, &r->p.op.err);
    }
    return rc;
}

static int rotate_targets(struct rotation *r)
{
    auto_json_mut yyjson_mut_doc *body = NULL;
    int rc = prepare_targets(&r->p, &r->p.image.client.targets, &body);
    if (rc == 0 && r->kind->manifest == NULL)
        rc = put_delegations(r, body);
    if (rc == 0)
        rc = prepare_add(&r->p, "image", STR("targets"), body);
    return rc == 0 ? prepare_add_roles(&r->p, is_theirs, r) : rc;
}

static int make_documents(struct rotation *r)
{
    int rc = r->kind->image ? rotate_root(r, "image", r->kind->roles[0]) : 0;
    if (rc == 0 && r->kind->director)
        rc = rotate_root(r, "director", r->kind->roles[1]);
    return rc == 0 && r->kind->targets ? rotate_targets(r) : rc;
}

/* --- the verb ---------------------------------------------------------------------------------------- */

/* What the role is now, and from it what is usual. */
static int look(struct rotation *r)
{
    const struct kind *k = r->kind;
    const struct tuf_doc *root = &prepare_repo(&r->p, k->image ? "image" : "director")->client.root;
    const char *name = k->roles[k->image ? 0 : 1][0];
    r->holders_now = 1;
    if (k->manifest != NULL) {
        if (line_has(r->args, "keep"))
            return err_set(&r->p.op.err, ERR_INVALID, "there is one key of manifests: nothing to --keep");
        return 0;
    }
    enum tuf_type type = strcmp(name, "root") == 0       ? TUF_ROOT
                         : strcmp(name, "targets") == 0  ? TUF_TARGETS
                         : strcmp(name, "snapshot") == 0 ? TUF_SNAPSHOT
                                                         : TUF_TIMESTAMP;
    int rc = tuf_root_role(root, type, &r->present, &r->p.op.err);
    if (rc != 0)
        return rc;
    size_t i, max;
    yyjson_val *id;
    int64_t pairs = 0;
    yyjson_arr_foreach(r->present.keyids, i, max, id)
    {
        struct make_key key;
        rc = prepare_key(&r->p, r->present.keys, prepare_text(id), &key);
        if (rc != 0)
            return rc;
        pairs += key.scheme->family == TRUST_POST_QUANTUM;
    }
    r->holders_now = pairs;
    if (r->threshold == 0)
        r->threshold = r->present.threshold;
    return 0;
}

/* The keys are there before the request that names them; without it they are nobody's. */
static int finish(struct rotation *r, const char *output)
{
    int rc = holders_save(&r->next, r->kind->online ? NULL : r->passphrase.text, &r->p.op.err);
    if (rc != 0)
        return rc;
    rc = prepare_write(&r->p, output);
    if (rc == 0 || file_exists(output))
        return rc;
    for (size_t i = 0; i < r->next.own_count; i++)
        if (r->next.file[i] != NULL)
            (void)unlink(r->next.file[i]);
    return rc;
}

static void say_keys(const struct rotation *r)
{
    for (size_t i = 0; i < r->next.own_count; i++)
        if (r->next.file[i] != NULL)
            printf("New key: %s\n", r->next.file[i]);
    if (!r->kind->online)
        return;
    const char *key = strcmp(r->kind->name, "manifest-online") == 0 ? "manifest" : r->kind->name;
    printf("When the request is signed: on the server put the new key where [trust] %s_key says\n"
           "(trust/online/%s.key), send the server SIGHUP, and upload the request at once: until then nobody "
           "believes what the new key signs.\n",
           key, key);
    if (r->kind->manifest != NULL)
        printf("A microcontroller has to have the new key in its firmware beside the old one before that.\n");
}

static int run(struct rotation *r, const char *output)
{
    if (prepare_open(&r->p, r->args, r->kind->targets) != 0 || look(r) != 0 || collect_keys(r) != 0 ||
        check_manifest_key(r) != 0 || make_documents(r) != 0 || finish(r, output) != 0)
        return operate_fail(&r->p.op);
    say_keys(r);
    return CMD_OK;
}

int trust_verb_rotate(struct line_args *args)
{
    struct rotation r = {.args = args};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, args->operands[0]) == 0)
            r.kind = &kinds[i];
    if (r.kind == NULL)
        return line_wrong(args,
                          "\"%s\" is no role; there are root, targets, timestamp, snapshot, director, "
                          "manifest and manifest-online",
                          args->operands[0]);
    if (line_number(args, "threshold", 1, HOLDERS_MAX, 0, &r.threshold) != 0 ||
        line_number(args, "new", 0, HOLDERS_MAX, -1, &r.fresh) != 0)
        return CMD_USAGE;
    char usual[64];
    snprintf(usual, sizeof usual, "trust-rotate-%s.json", r.kind->name);
    const char *output = line_get(args, "output");
    if (output == NULL)
        output = usual;
    if (file_exists(output))
        return line_wrong(args, "%s is there already; name another file by --output", output);
    passphrase_init(&r.passphrase, line_get(args, "passphrase-file"));
    int code = run(&r, output);
    holders_fini(&r.next);
    passphrase_fini(&r.passphrase);
    prepare_close(&r.p);
    return code;
}
