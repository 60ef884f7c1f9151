#include "pqtrust/repo.h"

#include <stdio.h>

#include "base/json.h"

#define TARGET_BYTES 67108864
#define HOLDER_KEYS 2

/* --- keys ------------------------------------------------------------------------------------------- */

static int pair(enum trust_scheme scheme, struct repo *r, struct sign_keys *out, struct err *e)
{
    const enum trust_scheme schemes[HOLDER_KEYS] = {scheme, TRUST_ED25519};
    return keys_generate(schemes, HOLDER_KEYS, &r->arena, out, e);
}

static int make_keys(struct repo *r, struct err *e)
{
    struct repo_keys *k = &r->keys;
    int rc = pair(r->plan.offline, r, &k->targets, e);
    for (size_t i = 0; rc == 0 && i < REPO_ROOT_HOLDERS; i++)
        rc = pair(r->plan.offline, r, &k->root[i], e);
    struct sign_keys *const online[] = {&k->timestamp, &k->snapshot, &k->director};
    for (size_t i = 0; rc == 0 && i < sizeof online / sizeof online[0]; i++)
        rc = pair(TRUST_ML_DSA_65, r, online[i], e);
    return rc;
}

static size_t public_of(const struct sign_keys *holder, struct make_key *out)
{
    for (size_t i = 0; i < holder->count; i++)
        out[i] = (struct make_key){.keyid = holder->key[i].keyid,
                                   .scheme = holder->key[i].scheme,
                                   .public_text = holder->key[i].public_text};
    return holder->count;
}

/* --- signing ---------------------------------------------------------------------------------------- */

int repo_sign(struct repo *r, struct str canon, const struct sign_keys *const *holders, size_t count,
              struct arena *a, struct make_signature *sigs, size_t *sig_count, struct err *e)
{
    *sig_count = 0;
    for (size_t h = 0; h < count; h++) {
        for (size_t i = 0; i < holders[h]->count; i++) {
            const struct sign_key *key = &holders[h]->key[i];
            struct make_signature *sig = &sigs[*sig_count];
            int rc = keys_sign(key, canon, a, &sig->sig, e);
            if (rc != 0)
                return rc;
            sig->keyid = key->keyid;
            (*sig_count)++;
            r->signatures++;
        }
    }
    return 0;
}

static int finish(struct repo *r, yyjson_mut_doc *doc, const struct sign_keys *const *holders, size_t count,
                  struct arena *a, struct str *out, struct err *e)
{
    struct make_signature sigs[REPO_ROOT_HOLDERS * HOLDER_KEYS];
    struct str canon;
    size_t n;
    int rc = make_canon(doc, a, &canon, e);
    if (rc == 0)
        rc = repo_sign(r, canon, holders, count, a, sigs, &n, e);
    return rc != 0 ? rc : make_envelope(canon, sigs, n, a, out, e);
}

/* --- files ------------------------------------------------------------------------------------------ */

struct repo_file *repo_find(struct repo_file *files, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(files[i].name, name) == 0)
            return &files[i];
    return NULL;
}

static int publish(struct repo_file *files, size_t *count, const char *name, struct str text, struct err *e)
{
    if (*count == REPO_FILES_MAX)
        return err_set(e, ERR_TOO_LARGE, "a repository has at most %d files", REPO_FILES_MAX);
    struct repo_file *f = &files[(*count)++];
    snprintf(f->name, sizeof f->name, "%s", name);
    f->text = text;
    return 0;
}

/* --- root ------------------------------------------------------------------------------------------- */

static int fill_root(struct repo *r, yyjson_mut_doc *doc, bool director, struct err *e)
{
    struct make_key root[REPO_ROOT_HOLDERS * HOLDER_KEYS], targets[HOLDER_KEYS], snapshot[HOLDER_KEYS],
        timestamp[HOLDER_KEYS];
    size_t n = 0;
    for (size_t i = 0; i < REPO_ROOT_HOLDERS; i++)
        n += public_of(&r->keys.root[i], root + n);
    const struct repo_keys *k = &r->keys;
    const struct make_role roles[] = {
        {"root", root, n, REPO_ROOT_THRESHOLD},
        {"targets", targets, public_of(director ? &k->director : &k->targets, targets), 1},
        {"snapshot", snapshot, public_of(director ? &k->director : &k->snapshot, snapshot), 1},
        {"timestamp", timestamp, public_of(director ? &k->director : &k->timestamp, timestamp), 1},
    };
    return make_root(doc, director ? "director" : "image", roles, sizeof roles / sizeof roles[0], e);
}

/* As many holders sign as must. */
static int root_file(struct repo *r, bool director, int64_t version, struct err *e)
{
    const struct sign_keys *holders[REPO_ROOT_THRESHOLD];
    for (size_t i = 0; i < REPO_ROOT_THRESHOLD; i++)
        holders[i] = &r->keys.root[i];
    auto_json_mut yyjson_mut_doc *doc = NULL;
    struct str text;
    int rc = make_body(TUF_ROOT, version, r->plan.now_s + REPO_LIFE_S, &doc, e);
    if (rc == 0)
        rc = fill_root(r, doc, director, e);
    if (rc == 0)
        rc = finish(r, doc, holders, REPO_ROOT_THRESHOLD, &r->arena, &text, e);
    if (rc != 0)
        return rc;
    char name[32];
    snprintf(name, sizeof name, "%lld.root.json", (long long)version);
    return director ? publish(r->director, &r->director_count, name, text, e)
                    : publish(r->image, &r->image_count, name, text, e);
}

/* --- image ------------------------------------------------------------------------------------------ */

static void model_name(size_t model, char out[64])
{
    snprintf(out, 64, "gateway-%02zu", model);
}

static void target_path(size_t model, size_t i, char out[TUF_TARGET_NAME_MAX])
{
    snprintf(out, TUF_TARGET_NAME_MAX, "gateway-%02zu/gateway-os/2026.%zu/gateway-os-2026.%zu.raucb", model,
             i, i);
}

int repo_add_target(yyjson_mut_doc *doc, size_t model, size_t i, struct err *e)
{
    char path[TUF_TARGET_NAME_MAX], version[32], name[64], hex[SHA256_HEX_SIZE], advisory[160] = "";
    unsigned char hash[TRUST_SHA256_SIZE];
    target_path(model, i, path);
    model_name(model, name);
    snprintf(version, sizeof version, "2026.%zu", i);
    if (i % 10 == 0) /* every tenth mends a weakness */
        snprintf(advisory, sizeof advisory,
                 "CVE-2026-%05zu: a crafted frame could crash the modem's daemon. Install within a week; see "
                 "https://example.com/advisories/%05zu",
                 i, i);
    if (keys_crypto.hash(keys_crypto.ctx, TRUST_SHA256, path, strlen(path), hash) != 0)
        return err_set(e, ERR_CRYPTO, "cannot hash a target's name");
    hex_encode(hash, sizeof hash, hex);
    const struct trust_custom custom = {
        .name = STR("gateway-os"),
        .version = str_of(version),
        .model = str_of(name),
        .type = STR("os"),
        .sequence = (int64_t)i + 1,
        .unpacked_size = 4 * (int64_t)TARGET_BYTES,
        .upgrade_from = i > 50 ? (int64_t)i - 50 : 0,
        .counter = (int64_t)(i / 10),
        .security = advisory[0] != '\0',
        .advisory = str_of(advisory),
    };
    return make_target(doc, path, TARGET_BYTES + (int64_t)i, hex, &custom, e);
}

static int model_file(struct repo *r, size_t model, yyjson_mut_doc *snapshot, struct err *e)
{
    const struct sign_keys *holder = &r->keys.targets;
    char name[REPO_NAME_MAX];
    auto_json_mut yyjson_mut_doc *doc = NULL;
    struct str text;
    int rc = make_body(TUF_TARGETS, 1, r->plan.now_s + REPO_LIFE_S, &doc, e);
    for (size_t i = 0; rc == 0 && i < r->plan.targets; i++)
        rc = repo_add_target(doc, model, i, e);
    if (rc == 0)
        rc = finish(r, doc, &holder, 1, &r->arena, &text, e);
    if (rc != 0)
        return rc;
    snprintf(name, sizeof name, "model-gateway-%02zu.json", model);
    rc = make_meta(snapshot, name, 1, text, &keys_crypto, e);
    if (rc != 0)
        return rc;
    snprintf(name, sizeof name, "1.model-gateway-%02zu.json", model);
    return publish(r->image, &r->image_count, name, text, e);
}

static int targets_file(struct repo *r, yyjson_mut_doc *snapshot, struct err *e)
{
    const struct sign_keys *holder = &r->keys.targets;
    struct make_key keys[HOLDER_KEYS];
    const struct make_role role = {.keys = keys, .key_count = public_of(holder, keys), .threshold = 1};
    auto_json_mut yyjson_mut_doc *doc = NULL;
    struct str text;
    int rc = make_body(TUF_TARGETS, 1, r->plan.now_s + REPO_LIFE_S, &doc, e);
    for (size_t i = 0; rc == 0 && i < r->plan.models; i++) {
        char model[64];
        model_name(i, model);
        rc = make_delegation(doc, str_of(model), &role, e);
    }
    if (rc == 0)
        rc = finish(r, doc, &holder, 1, &r->arena, &text, e);
    if (rc == 0)
        rc = make_meta(snapshot, "targets.json", 1, text, &keys_crypto, e);
    return rc != 0 ? rc : publish(r->image, &r->image_count, "1.targets.json", text, e);
}

int repo_timestamp(struct repo *r, int64_t version, struct arena *a, struct str *out, struct err *e)
{
    const struct sign_keys *holder = &r->keys.timestamp;
    const struct repo_file *snapshot = repo_find(r->image, r->image_count, "1.snapshot.json");
    if (snapshot == NULL)
        return err_set(e, ERR_NOT_FOUND, "there is no snapshot yet");
    auto_json_mut yyjson_mut_doc *doc = NULL;
    int rc = make_body(TUF_TIMESTAMP, version, r->plan.now_s + REPO_LIFE_S, &doc, e);
    if (rc == 0)
        rc = make_meta(doc, "snapshot.json", 1, snapshot->text, &keys_crypto, e);
    return rc != 0 ? rc : finish(r, doc, &holder, 1, a, out, e);
}

static int image(struct repo *r, struct err *e)
{
    const struct sign_keys *holder = &r->keys.snapshot;
    auto_json_mut yyjson_mut_doc *snapshot = NULL;
    struct str text;
    int rc = root_file(r, false, 1, e);
    if (rc == 0)
        rc = root_file(r, false, 2, e);
    if (rc == 0)
        rc = make_body(TUF_SNAPSHOT, 1, r->plan.now_s + REPO_LIFE_S, &snapshot, e);
    for (size_t i = 0; rc == 0 && i < r->plan.models; i++)
        rc = model_file(r, i, snapshot, e);
    if (rc == 0)
        rc = targets_file(r, snapshot, e);
    if (rc == 0)
        rc = finish(r, snapshot, &holder, 1, &r->arena, &text, e);
    if (rc == 0)
        rc = publish(r->image, &r->image_count, "1.snapshot.json", text, e);
    if (rc == 0)
        rc = repo_timestamp(r, 1, &r->arena, &text, e);
    return rc != 0 ? rc : publish(r->image, &r->image_count, "timestamp.json", text, e);
}

/* --- director --------------------------------------------------------------------------------------- */

/* Member "pqota" of the director's file: whom it is for. */
static bool name_device(yyjson_mut_doc *doc)
{
    yyjson_mut_val *own = yyjson_mut_obj_add_obj(doc, yyjson_mut_doc_get_root(doc), "pqota");
    return own != NULL && yyjson_mut_obj_add_str(doc, own, "device", REPO_DEVICE);
}

/* One target, as the image repository has it. */
static int decide(struct repo *r, struct str *out, struct err *e)
{
    const struct sign_keys *holder = &r->keys.director;
    unsigned char hash[TRUST_SHA256_SIZE];
    char hex[SHA256_HEX_SIZE];
    auto_json_mut yyjson_mut_doc *doc = NULL;
    int rc = make_body(TUF_TARGETS, 1, r->plan.now_s + REPO_LIFE_S, &doc, e);
    if (rc != 0)
        return rc;
    if (!name_device(doc))
        return err_set(e, ERR_NOMEM, "no memory for a decision");
    if (keys_crypto.hash(keys_crypto.ctx, TRUST_SHA256, r->target, strlen(r->target), hash) != 0)
        return err_set(e, ERR_CRYPTO, "cannot hash a target's name");
    hex_encode(hash, sizeof hash, hex);
    rc = make_target(doc, r->target, TARGET_BYTES + (int64_t)r->plan.targets - 1, hex, NULL, e);
    return rc != 0 ? rc : finish(r, doc, &holder, 1, &r->arena, out, e);
}

static int director(struct repo *r, struct err *e)
{
    struct str text;
    int rc = root_file(r, true, 1, e);
    if (rc == 0)
        rc = root_file(r, true, 2, e);
    if (rc == 0)
        rc = decide(r, &text, e);
    return rc != 0 ? rc : publish(r->director, &r->director_count, REPO_DEVICE "/targets.json", text, e);
}

int repo_make(struct repo *r, const struct repo_plan *plan, struct err *e)
{
    memset(r, 0, sizeof *r);
    r->plan = *plan;
    arena_init(&r->arena, REPO_MEMORY);
    if (plan->models < 1 || plan->models > REPO_MODELS_MAX || plan->targets < 1 ||
        plan->targets > REPO_TARGETS_MAX)
        return err_set(e, ERR_INVALID, "a repository has 1 to %d models with 1 to %d targets each",
                       REPO_MODELS_MAX, REPO_TARGETS_MAX);
    target_path(plan->models - 1, plan->targets - 1, r->target);
    int rc = make_keys(r, e);
    if (rc == 0)
        rc = image(r, e);
    return rc != 0 ? rc : director(r, e);
}

void repo_fini(struct repo *r)
{
    struct repo_keys *k = &r->keys;
    for (size_t i = 0; i < REPO_ROOT_HOLDERS; i++)
        keys_fini(&k->root[i]);
    keys_fini(&k->targets);
    keys_fini(&k->timestamp);
    keys_fini(&k->snapshot);
    keys_fini(&k->director);
    arena_fini(&r->arena);
}
