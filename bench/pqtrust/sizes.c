#include "pqtrust/sizes.h"

#include <stdlib.h>

#include "base/cleanup.h"

#define MANY_MODELS 11
#define MANY_TARGETS 101

static uint64_t size_of(struct repo_file *files, size_t count, const char *name)
{
    const struct repo_file *f = repo_find(files, count, name);
    return f != NULL ? f->text.n : 0;
}

static void of_repo(struct repo *r, struct sizes_result *out)
{
    out->root = size_of(r->image, r->image_count, "2.root.json");
    out->timestamp = size_of(r->image, r->image_count, "timestamp.json");
    out->snapshot = size_of(r->image, r->image_count, "1.snapshot.json");
    out->targets = size_of(r->image, r->image_count, "1.targets.json");
    out->delegated = size_of(r->image, r->image_count, "1.model-gateway-00.json");
    out->director = size_of(r->director, r->director_count, REPO_DEVICE "/targets.json");
}

static int seal(const struct sign_keys *keys, const struct manifest_draft *draft, struct arena *a,
                struct str *out, struct err *e)
{
    struct str sig;
    int rc = keys_sign_raw(&keys->key[0], draft->to_be_signed, a, &sig, e);
    return rc != 0 ? rc : manifest_seal(draft, sig, a, out, e);
}

/* The vendor's entry and, around it, the director's decision, both by the same key: their size is the
   same. */
static int of_manifest(const struct repo_plan *plan, struct sizes_result *out, struct err *e)
{
    static const enum trust_scheme scheme[] = {TRUST_ML_DSA_44};
    auto_arena struct arena arena;
    auto_keys struct sign_keys keys = {.count = 0};
    arena_init(&arena, REPO_MEMORY);
    const struct manifest_entry entry = {.model = STR("gateway-00"),
                                         .name = STR("gateway-os"),
                                         .version = STR("2026.3.17"),
                                         .sequence = 117,
                                         .size = 67108864,
                                         .upgrade_from = 100,
                                         .counter = 11};
    struct manifest_draft draft;
    struct str sealed, manifest;
    int rc = keys_generate(scheme, 1, &arena, &keys, e);
    if (rc == 0)
        rc = manifest_draft_entry(&entry, &arena, &draft, e);
    if (rc == 0)
        rc = seal(&keys, &draft, &arena, &sealed, e);
    if (rc != 0)
        return rc;
    const struct manifest_decision decision = {.device = STR(REPO_DEVICE),
                                               .version = plan->now_s,
                                               .expires_s = plan->now_s + REPO_LIFE_S,
                                               .entry = sealed};
    rc = manifest_draft_decision(&decision, &arena, &draft, e);
    if (rc == 0)
        rc = seal(&keys, &draft, &arena, &manifest, e);
    if (rc == 0) {
        out->entry = sealed.n;
        out->manifest = manifest.n;
    }
    return rc;
}

static int of_plan(const struct repo_plan *plan, struct sizes_result *out, struct err *e)
{
    auto_free struct repo *r = malloc(sizeof *r);
    if (r == NULL)
        return err_set(e, ERR_NOMEM, "no memory for a repository");
    int rc = repo_make(r, plan, e);
    if (rc == 0)
        of_repo(r, out);
    repo_fini(r);
    return rc;
}

int sizes_measure(const struct repo_plan *plan, struct sizes_result *out, struct err *e)
{
    struct repo_plan one = *plan, other = *plan;
    struct sizes_result many;
    one.models = one.targets = 1;
    other.models = MANY_MODELS;
    other.targets = MANY_TARGETS;
    int rc = of_plan(&one, out, e);
    if (rc == 0)
        rc = of_plan(&other, &many, e);
    if (rc != 0)
        return rc;
    out->snapshot_role = (many.snapshot - out->snapshot) / (MANY_MODELS - 1);
    out->targets_role = (many.targets - out->targets) / (MANY_MODELS - 1);
    out->delegated_target = (many.delegated - out->delegated) / (MANY_TARGETS - 1);
    return of_manifest(plan, out, e);
}
