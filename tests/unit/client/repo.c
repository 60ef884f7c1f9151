#include "repo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX (256u << 20)

/* --- files -------------------------------------------------------------------------------------------- */

struct repo_file *repo_find(struct repo_files *files, const char *name)
{
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->file[i].name, name) == 0)
            return &files->file[i];
    return NULL;
}

void repo_put(struct repo_files *files, const char *name, struct str text)
{
    struct repo_file *f = repo_find(files, name);
    if (f == NULL) {
        assert_true(files->count < REPO_FILES_MAX);
        f = &files->file[files->count++];
        snprintf(f->name, sizeof f->name, "%s", name);
        f->text = (struct str){0};
    }
    char *copy = malloc(text.n + 1);
    assert_non_null(copy);
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    free((char *)(uintptr_t)f->text.p);
    f->text = (struct str){.p = copy, .n = text.n};
}

void repo_drop(struct repo_files *files, const char *name)
{
    struct repo_file *f = repo_find(files, name);
    if (f == NULL)
        return;
    free((char *)(uintptr_t)f->text.p);
    *f = files->file[--files->count];
}

static void clear(struct repo_files *files)
{
    while (files->count > 0)
        repo_drop(files, files->file[0].name);
}

/* --- signing ------------------------------------------------------------------------------------------ */

static void pair(struct repo *r, enum trust_scheme pq, struct sign_keys *out)
{
    const enum trust_scheme schemes[] = {pq, TRUST_ED25519};
    struct err e = {0};
    if (keys_generate(schemes, 2, &r->arena, out, &e) != 0)
        fail_msg("%s", e.text);
}

static struct make_role role_of(struct repo *r, const char *name, const struct sign_keys *keys)
{
    struct make_key *k = arena_array(&r->arena, struct make_key, keys->count);
    assert_non_null(k);
    for (size_t i = 0; i < keys->count; i++)
        k[i] = (struct make_key){keys->key[i].keyid, keys->key[i].scheme, keys->key[i].public_text};
    return (struct make_role){.name = name, .keys = k, .key_count = keys->count, .threshold = 1};
}

/* The signed file, served under that name. */
static struct str serve(struct repo *r, yyjson_mut_doc *doc, const struct sign_keys *keys, const char *name)
{
    struct err e = {0};
    struct str canon, text;
    struct make_signature sigs[KEYS_PER_FILE_MAX];
    int rc = make_canon(doc, &r->arena, &canon, &e);
    for (size_t i = 0; rc == 0 && i < keys->count; i++) {
        sigs[i].keyid = keys->key[i].keyid;
        rc = keys_sign(&keys->key[i], canon, &r->arena, &sigs[i].sig, &e);
    }
    if (rc == 0)
        rc = make_envelope(canon, sigs, keys->count, &r->arena, &text, &e);
    if (rc != 0)
        fail_msg("%s: %s", name, e.text);
    yyjson_mut_doc_free(doc);
    repo_put(&r->served, name, text);
    return text;
}

static yyjson_mut_doc *body(enum tuf_type type, int64_t version, int64_t expires)
{
    yyjson_mut_doc *doc = NULL;
    struct err e = {0};
    if (make_body(type, version, expires, &doc, &e) != 0)
        fail_msg("%s", e.text);
    return doc;
}

static void sign_root(struct repo *r, const char *repository, int64_t version,
                      const struct sign_keys *targets, const struct sign_keys *snapshot,
                      const struct sign_keys *timestamp)
{
    struct err e = {0};
    const struct make_role roles[] = {role_of(r, "root", &r->root), role_of(r, "targets", targets),
                                      role_of(r, "snapshot", snapshot), role_of(r, "timestamp", timestamp)};
    for (int64_t v = 1; v <= version; v++) {
        yyjson_mut_doc *doc = body(TUF_ROOT, v, r->now + 1000 * (int64_t)REPO_DAY);
        char name[64];
        if (make_root(doc, repository, roles, 4, &e) != 0)
            fail_msg("%s", e.text);
        snprintf(name, sizeof name, "%s/%lld.root.json", repository, (long long)v);
        serve(r, doc, &r->root, name);
    }
}

static struct str name_of(char *out, size_t size, const char *folder, int64_t version, const char *role)
{
    snprintf(out, size, "%s%lld.%s.json", folder, (long long)version, role);
    return str_of(out);
}

static void add_target(struct repo *r, yyjson_mut_doc *doc)
{
    struct err e = {0};
    if (make_target(doc, r->path, r->length, r->sha256, r->plain ? NULL : &r->custom, &e) != 0)
        fail_msg("%s", e.text);
    if (r->beside != NULL && make_target(doc, r->beside, 7, r->sha256, &r->custom, &e) != 0)
        fail_msg("%s", e.text);
    for (size_t i = 0; i < r->others; i++) {
        char path[100], version[20];
        snprintf(version, sizeof version, "0.%zu", i);
        snprintf(path, sizeof path, "gw/os/%s/os.img", version);
        struct trust_custom c = r->custom;
        c.version = str_of(version);
        if (make_target(doc, path, 1000, r->sha256, &c, &e) != 0)
            fail_msg("%s", e.text);
    }
}

/* Before ours, so that a search goes past them. */
static int add_models(struct repo *r, yyjson_mut_doc *top, yyjson_mut_doc *snapshot)
{
    struct err e = {0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < r->models; i++) {
        char model[20], file[40];
        struct sign_keys keys;
        pair(r, TRUST_ML_DSA_87, &keys);
        const struct make_role role = role_of(r, "", &keys);
        snprintf(model, sizeof model, "m%zu", i);
        snprintf(file, sizeof file, "model-m%zu.json", i);
        rc = make_delegation(top, str_of(model), &role, &e);
        if (rc == 0)
            rc = make_meta(snapshot, file, 1, str_of(model), &keys_crypto, &e);
        keys_fini(&keys);
    }
    return rc;
}

static void sign_image(struct repo *r)
{
    struct err e = {0};
    char name[128];
    sign_root(r, "image", r->root_version, &r->targets, &r->snapshot, &r->timestamp);
    yyjson_mut_doc *gw = body(TUF_TARGETS, r->targets_version, r->expires);
    yyjson_mut_doc *top = body(TUF_TARGETS, r->targets_version, r->expires);
    yyjson_mut_doc *snapshot = body(TUF_SNAPSHOT, r->snapshot_version, r->expires);
    yyjson_mut_doc *timestamp = body(TUF_TIMESTAMP, r->timestamp_version, r->expires);
    const struct make_role role = role_of(r, "", &r->targets);
    add_target(r, gw);
    int rc = add_models(r, top, snapshot);
    if (rc == 0)
        rc = make_delegation(top, STR("gw"), &role, &e);
    name_of(name, sizeof name, "image/", r->targets_version, "model-gw");
    struct str text = serve(r, gw, &r->targets, name);
    if (rc == 0)
        rc = make_meta(snapshot, "model-gw.json", r->targets_version, text, &keys_crypto, &e);
    name_of(name, sizeof name, "image/", r->targets_version, "targets");
    text = serve(r, top, &r->targets, name);
    if (rc == 0)
        rc = make_meta(snapshot, "targets.json", r->targets_version, text, &keys_crypto, &e);
    name_of(name, sizeof name, "image/", r->snapshot_version, "snapshot");
    text = serve(r, snapshot, &r->snapshot, name);
    if (rc == 0)
        rc = make_meta(timestamp, "snapshot.json", r->snapshot_version, text, &keys_crypto, &e);
    serve(r, timestamp, &r->timestamp, "image/timestamp.json");
    if (rc != 0)
        fail_msg("%s", e.text);
}

static void sign_director(struct repo *r)
{
    struct err e = {0};
    sign_root(r, "director", r->director_root_version, &r->director, &r->director, &r->director);
    yyjson_mut_doc *doc = body(TUF_TARGETS, r->director_version, r->director_expires);
    yyjson_mut_val *own = yyjson_mut_obj_add_obj(doc, yyjson_mut_doc_get_root(doc), "pqota");
    assert_true(yyjson_mut_obj_add_str(doc, own, "device", r->says_device));
    if (!r->says_nothing && make_target(doc, r->says_path != NULL ? r->says_path : r->path,
                                        r->says_length != 0 ? r->says_length : r->length,
                                        r->says_sha256 != NULL ? r->says_sha256 : r->sha256, NULL, &e) != 0)
        fail_msg("%s", e.text);
    if (r->beside != NULL && make_target(doc, r->beside, 7, r->sha256, NULL, &e) != 0)
        fail_msg("%s", e.text);
    serve(r, doc, &r->director, "director/gw-1/targets.json");
}

void repo_sign(struct repo *r)
{
    clear(&r->served);
    sign_image(r);
    sign_director(r);
}

/* --- the device --------------------------------------------------------------------------------------- */

static int request(void *ctx, const struct pqota_request *q, struct pqota_response *response, pqota_sink sink,
                   void *sink_ctx)
{
    struct repo *r = ctx;
    assert_string_equal(q->method, "GET");
    assert_memory_equal(q->path, "/tuf/", 5);
    const char *name = q->path + 5;
    r->requests++;
    if (r->offline)
        return PQOTA_E_AGAIN;
    const struct repo_file *f = repo_find(&r->served, name);
    response->status = f != NULL ? 200 : 404;
    if (r->refused != NULL && strcmp(r->refused, name) == 0) {
        response->status = r->status;
        f = NULL;
    }
    if (r->endless != NULL && strcmp(r->endless, name) == 0) {
        response->status = 200;
        char junk[4096];
        memset(junk, ' ', sizeof junk);
        while (sink(sink_ctx, junk, sizeof junk) == 0)
            ;
        return PQOTA_E_AGAIN;
    }
    if (f == NULL)
        return sink(sink_ctx, "<html>", 6) == 0 ? PQOTA_OK : PQOTA_E_AGAIN;
    size_t half = f->text.n / 2;
    if (sink(sink_ctx, f->text.p, half) != 0)
        return PQOTA_E_AGAIN;
    if (r->cut != NULL && strcmp(r->cut, name) == 0) {
        r->now += r->cut_s;
        return PQOTA_E_AGAIN;
    }
    return sink(sink_ctx, f->text.p + half, f->text.n - half) == 0 ? PQOTA_OK : PQOTA_E_AGAIN;
}

static void stored_name(const char *repository, const char *role, char out[PQOTA_ROLE_SIZE + 32])
{
    snprintf(out, PQOTA_ROLE_SIZE + 32, "%s/%s", repository, role);
}

static int md_load(void *ctx, const char *repository, const char *role, void *buf, size_t size, size_t *n)
{
    struct repo *r = ctx;
    char name[PQOTA_ROLE_SIZE + 32];
    stored_name(repository, role, name);
    const struct repo_file *f = repo_find(&r->stored, name);
    *n = 0;
    if (f == NULL)
        return PQOTA_OK;
    if (f->text.n > size)
        return PQOTA_E_FULL;
    memcpy(buf, f->text.p, f->text.n);
    *n = f->text.n;
    return PQOTA_OK;
}

static int md_save(void *ctx, const char *repository, const char *role, const void *data, size_t n)
{
    struct repo *r = ctx;
    char name[PQOTA_ROLE_SIZE + 32];
    if (++r->saves == r->fail_save)
        return PQOTA_E_AGAIN;
    stored_name(repository, role, name);
    repo_put(&r->stored, name, (struct str){.p = data, .n = n});
    return PQOTA_OK;
}

static int md_drop(void *ctx, const char *repository, const char *role)
{
    struct repo *r = ctx;
    char name[PQOTA_ROLE_SIZE + 32];
    stored_name(repository, role, name);
    repo_drop(&r->stored, name);
    return PQOTA_OK;
}

static int cb_verify(void *ctx, enum pqota_scheme scheme, const void *key, size_t key_n, const void *msg,
                     size_t msg_n, const void *sig, size_t sig_n)
{
    (void)ctx;
    int rc =
        keys_crypto.verify(keys_crypto.ctx, (enum trust_scheme)scheme, key, key_n, msg, msg_n, sig, sig_n);
    return rc == 0 ? PQOTA_OK : rc == ERR_MISMATCH ? PQOTA_E_INVALID : PQOTA_E_AGAIN;
}

static int cb_hash(void *ctx, enum pqota_hash which, const void *data, size_t n, unsigned char *out)
{
    (void)ctx;
    return keys_crypto.hash(keys_crypto.ctx, (enum trust_hash)which, data, n, out) == 0 ? PQOTA_OK
                                                                                        : PQOTA_E_AGAIN;
}

static int64_t cb_now(void *ctx)
{
    return ((struct repo *)ctx)->now;
}

void repo_device(struct repo *r)
{
    char name[64];
    r->image_root =
        repo_find(&r->served, name_of(name, sizeof name, "image/", r->root_version, "root").p)->text;
    r->director_root =
        repo_find(&r->served, name_of(name, sizeof name, "director/", r->director_root_version, "root").p)
            ->text;
    const char *copy = arena_dup_str(&r->arena, r->image_root);
    r->image_root.p = copy;
    copy = arena_dup_str(&r->arena, r->director_root);
    r->director_root.p = copy;
    assert_true(r->image_root.p != NULL && r->director_root.p != NULL);
}

struct pqota_trust_settings repo_settings(struct repo *r)
{
    return (struct pqota_trust_settings){
        .device = "gw-1",
        .model = "gw",
        .transport = {.ctx = r, .request = request},
        .metadata = {.ctx = r, .load = md_load, .save = md_save, .drop = md_drop},
        .crypto = {.verify = cb_verify, .hash = cb_hash},
        .now = cb_now,
        .now_ctx = r,
        .image_root = r->image_root.p,
        .image_root_size = r->image_root.n,
        .director_root = r->director_root.p,
        .director_root_size = r->director_root.n,
        .several_files = r->several_files};
}

void repo_start(struct repo *r)
{
    const struct pqota_trust_settings set = repo_settings(r);
    free(r->memory);
    r->memory = aligned_alloc(16, r->memory_size); /* exactly: what is written beyond it is found */
    assert_non_null(r->memory);
    if (pqota_trust_init(r->memory, r->memory_size, &set, &r->trust, r->why) != PQOTA_OK)
        fail_msg("%s", r->why);
}

enum pqota_vouch repo_vouch(struct repo *r, struct pqota_target *out)
{
    struct pqota_target hint = {.name = "os", .version = "2.0", .size = 1}, got;
    snprintf(hint.filename, sizeof hint.filename, "%s", r->hint != NULL ? r->hint : "hint.img");
    got = hint;
    memset(hint.sha256, '0', sizeof hint.sha256 - 1);
    r->why[0] = '\0';
    enum pqota_vouch answer = r->trust.vouch(r->trust.ctx, &hint, &r->standing, &got, r->why);
    if (answer != PQOTA_VOUCHED) {
        assert_true(r->why[0] != '\0');
        assert_string_equal(got.filename, hint.filename); /* untouched */
    }
    if (out != NULL)
        *out = got;
    return answer;
}

void repo_init(struct repo *r)
{
    memset(r, 0, sizeof *r);
    arena_init(&r->arena, ARENA_MAX);
    r->now = REPO_NOW;
    pair(r, TRUST_ML_DSA_87, &r->root);
    pair(r, TRUST_ML_DSA_87, &r->targets);
    pair(r, TRUST_ML_DSA_65, &r->snapshot);
    pair(r, TRUST_ML_DSA_65, &r->timestamp);
    pair(r, TRUST_ML_DSA_65, &r->director);
    r->root_version = r->director_root_version = r->targets_version = 1;
    r->snapshot_version = r->timestamp_version = r->director_version = REPO_NOW;
    r->expires = r->director_expires = REPO_NOW + 7 * REPO_DAY;
    r->path = "gw/os/2.0/os.img";
    r->sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    r->length = 20000;
    r->custom = (struct trust_custom){.name = STR("os"),
                                      .version = STR("2.0"),
                                      .model = STR("gw"),
                                      .type = STR("os"),
                                      .sequence = 5,
                                      .counter = 2};
    r->says_device = "gw-1";
    r->memory_size = PQOTA_TRUST_MEMORY_DEFAULT;
    repo_sign(r);
    repo_device(r);
    repo_start(r);
}

void repo_fini(struct repo *r)
{
    clear(&r->served);
    clear(&r->stored);
    keys_fini(&r->root);
    keys_fini(&r->targets);
    keys_fini(&r->snapshot);
    keys_fini(&r->timestamp);
    keys_fini(&r->director);
    arena_fini(&r->arena);
    free(r->memory);
}
