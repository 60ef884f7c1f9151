#include "pqtrust/signing.h"

#include "base/json.h"
#include "pqtrust/probe.h"

#define SIGNATURES_MAX 8 /* of a file */

struct job {
    struct repo *repo;
    struct arena *arena;
    struct signing_result *out;
    int64_t version;
};

static void lap(uint64_t *since, uint64_t *sum)
{
    uint64_t now = probe_cpu_ns();
    *sum += now - *since;
    *since = now;
}

/* Canonical form, signatures and file of a body. */
static int finish(struct job *j, yyjson_mut_doc *doc, const struct sign_keys *holder, struct str *text,
                  struct err *e)
{
    struct make_signature sigs[SIGNATURES_MAX];
    struct str canon;
    size_t n = 0;
    uint64_t at = probe_cpu_ns(), before = j->repo->signatures;
    int rc = make_canon(doc, j->arena, &canon, e);
    lap(&at, &j->out->canon_ns);
    if (rc == 0)
        rc = repo_sign(j->repo, canon, &holder, 1, j->arena, sigs, &n, e);
    lap(&at, &j->out->sign_ns);
    if (rc == 0)
        rc = make_envelope(canon, sigs, n, j->arena, text, e);
    lap(&at, &j->out->write_ns);
    if (rc == 0) {
        j->out->signatures += j->repo->signatures - before;
        j->out->bytes += text->n;
        j->out->roles++;
    }
    return rc;
}

static int delegated(struct job *j, struct str *text, struct err *e)
{
    auto_json_mut yyjson_mut_doc *doc = NULL;
    uint64_t at = probe_cpu_ns();
    int rc = make_body(TUF_TARGETS, j->version, j->repo->plan.now_s + REPO_LIFE_S, &doc, e);
    for (size_t i = 0; rc == 0 && i < j->out->targets; i++)
        rc = repo_add_target(doc, 0, i, e);
    lap(&at, &j->out->make_ns);
    return rc != 0 ? rc : finish(j, doc, &j->repo->keys.targets, text, e);
}

/* A snapshot or timestamp that names the file before it. */
static int naming(struct job *j, enum tuf_type type, const char *name, struct str named,
                  const struct sign_keys *holder, struct str *text, struct err *e)
{
    auto_json_mut yyjson_mut_doc *doc = NULL;
    uint64_t at = probe_cpu_ns();
    int rc = make_body(type, j->version, j->repo->plan.now_s + REPO_LIFE_S, &doc, e);
    if (rc == 0)
        rc = make_meta(doc, name, j->version, named, &keys_crypto, e);
    lap(&at, &j->out->make_ns);
    return rc != 0 ? rc : finish(j, doc, holder, text, e);
}

int signing_measure(struct repo *repo, size_t targets, struct signing_result *out, struct err *e)
{
    auto_arena struct arena arena;
    arena_init(&arena, REPO_MEMORY);
    *out = (struct signing_result){.targets = targets};
    struct job job = {.repo = repo, .arena = &arena, .out = out, .version = 2};
    const struct repo_keys *k = &repo->keys;
    struct str model, snapshot, timestamp;
    int rc = delegated(&job, &model, e);
    if (rc == 0)
        rc = naming(&job, TUF_SNAPSHOT, "model-gateway-00.json", model, &k->snapshot, &snapshot, e);
    return rc != 0 ? rc
                   : naming(&job, TUF_TIMESTAMP, "snapshot.json", snapshot, &k->timestamp, &timestamp, e);
}
