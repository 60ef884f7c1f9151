#include "vendor_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"

static struct vendor *the_vendor; /* of the test that runs */

struct vendor *vendor_of(struct fixture *f)
{
    (void)f;
    return the_vendor;
}

static void make_keys(struct fixture *f, struct vendor *v, enum vendor_key which, const char *name)
{
    const enum trust_scheme pair[] = {TRUST_ML_DSA_44, TRUST_ED25519};
    snprintf(v->path[which], sizeof v->path[which], "%s/%s.key", f->dir, name);
    assert_ok(keys_generate(pair, 2, &v->arena, &v->keys[which], &f->e), f->e);
    assert_ok(keys_save(&v->keys[which], v->path[which], NULL, &f->e), f->e);
}

void vendor_load(struct fixture *f, bool insecure)
{
    struct vendor *v = vendor_of(f);
    const struct trust_settings s = {
        .key = {[TRUST_TIMESTAMP] = v->path[VENDOR_TIMESTAMP],
                [TRUST_SNAPSHOT] = v->path[VENDOR_SNAPSHOT],
                [TRUST_DIRECTOR] = v->path[VENDOR_DIRECTOR]},
        .life_s =
            {[TRUST_TIMESTAMP] = v->timestamp_s, [TRUST_SNAPSHOT] = 14 * 86400, [TRUST_DIRECTOR] = 7 * 86400},
        .insecure_unsigned = insecure,
    };
    fixture_trust(f, &s);
}

int vendor_setup(void **state)
{
    static const char *const names[VENDOR_KEYS] = {"root", "targets", "timestamp", "snapshot", "director"};
    int rc = release_setup(state);
    struct fixture *f = *state;
    struct vendor *v = calloc(1, sizeof *v);
    assert_non_null(v);
    the_vendor = v;
    arena_init(&v->arena, 1 << 24);
    for (int i = 0; i < VENDOR_KEYS; i++)
        make_keys(f, v, (enum vendor_key)i, names[i]);
    v->timestamp_s = 48 * 3600;
    snprintf(v->dir, sizeof v->dir, "%s/trust", f->dir);
    vendor_load(f, false);
    return rc;
}

int vendor_teardown(void **state)
{
    for (int i = 0; i < VENDOR_KEYS; i++)
        keys_fini(&the_vendor->keys[i]);
    arena_fini(&the_vendor->arena);
    free(the_vendor);
    the_vendor = NULL;
    return fixture_teardown(state);
}

/* --- metadata ------------------------------------------------------------------------------------------- */

static struct str envelope(struct fixture *f, yyjson_mut_doc *body, enum vendor_key by)
{
    const struct sign_keys *keys = &vendor_of(f)->keys[by];
    struct make_signature sigs[KEYS_PER_FILE_MAX];
    struct str canon, text;
    assert_ok(make_canon(body, &f->arena, &canon, &f->e), f->e);
    for (size_t i = 0; i < keys->count; i++) {
        sigs[i].keyid = keys->key[i].keyid;
        assert_ok(keys_sign(&keys->key[i], canon, &f->arena, &sigs[i].sig, &f->e), f->e);
    }
    assert_ok(make_envelope(canon, sigs, keys->count, &f->arena, &text, &f->e), f->e);
    yyjson_mut_doc_free(body);
    return text;
}

static int64_t days(struct fixture *f, int64_t n)
{
    return f->now_ms / 1000 + n * 86400;
}

static yyjson_mut_doc *root(struct fixture *f, const char *repository)
{
    static const char *const names[] = {"root", "targets", "timestamp", "snapshot"};
    struct make_key keys[VENDOR_KEYS][2];
    struct make_role roles[4];
    yyjson_mut_doc *doc = NULL;
    for (int r = 0; r < 4; r++) {
        for (int k = 0; k < 2; k++) {
            const struct sign_key *key = &vendor_of(f)->keys[r].key[k];
            keys[r][k] = (struct make_key){key->keyid, key->scheme, key->public_text};
        }
        roles[r] = (struct make_role){names[r], keys[r], 2, 1};
    }
    assert_ok(make_body(TUF_ROOT, 1, days(f, 1800), &doc, &f->e), f->e);
    assert_ok(make_root(doc, repository, roles, 4, &f->e), f->e);
    return doc;
}

yyjson_mut_doc *vendor_targets(struct fixture *f, int64_t version)
{
    yyjson_mut_doc *doc = NULL;
    assert_ok(make_body(TUF_TARGETS, version, days(f, 90), &doc, &f->e), f->e);
    return doc;
}

static void write_file(struct fixture *f, const char *name, struct str text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", vendor_of(f)->dir, name);
    assert_ok(file_write_atomic(path, text.p, text.n, 0644, &f->e), f->e);
}

void vendor_import(struct fixture *f)
{
    char folder[256];
    snprintf(folder, sizeof folder, "%s/image", vendor_of(f)->dir);
    assert_ok(file_mkdirs(folder, 0755, &f->e), f->e);
    snprintf(folder, sizeof folder, "%s/director", vendor_of(f)->dir);
    assert_ok(file_mkdirs(folder, 0755, &f->e), f->e);
    write_file(f, "image/1.root.json", envelope(f, root(f, "image"), VENDOR_ROOT));
    write_file(f, "director/1.root.json", envelope(f, root(f, "director"), VENDOR_ROOT));
    write_file(f, "image/1.targets.json", envelope(f, vendor_targets(f, 1), VENDOR_TARGETS));
    assert_ok(ota_trust_import(&f->ota, vendor_of(f)->dir, &f->e), f->e);
}

void vendor_add(yyjson_mut_doc *doc, const struct release *r, const char *model, int64_t sequence)
{
    char path[512];
    struct err e = {0};
    const struct trust_custom custom = {.name = str_of(r->name),
                                        .version = str_of(r->version),
                                        .model = str_of(model),
                                        .type = STR("os"),
                                        .sequence = sequence};
    assert_true(trust_target_path(str_of(model), custom.name, custom.version,
                                  str_of(r->artifacts[0].filename), path, sizeof path));
    assert_ok(make_target(doc, path, r->artifacts[0].size, r->artifacts[0].sha256, &custom, &e), e);
}

struct str vendor_sign(struct fixture *f, const char *role, yyjson_mut_doc *body, enum vendor_key by)
{
    struct trust_request *request = arena_new(&f->arena, struct trust_request);
    struct str file;
    assert_non_null(request);
    assert_ok(request_add(request, "image", role, envelope(f, body, by), &f->e), f->e);
    assert_ok(request_write(request, &f->arena, &file, &f->e), f->e);
    return file;
}

/* --- the server ----------------------------------------------------------------------------------------- */

static int run_accept(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)f;
    return accept_write(arg, db, "anna", e);
}

int vendor_write(struct fixture *f, struct trust_accept *t)
{
    return fixture_write(f, run_accept, t);
}

int vendor_upload(struct fixture *f, struct str file)
{
    struct trust_accept *t = NULL;
    assert_ok(accept_new(&f->ota, &t, &f->e), f->e);
    int rc = accept_look(t, f->reader, file, &f->admin, &f->e);
    assert_true(db_idle(f->reader));
    if (rc == 0)
        rc = accept_check(t, &f->e);
    if (rc == 0)
        rc = vendor_write(f, t);
    accept_free(t);
    return rc;
}

static int run_store(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    return ota_online_store(&f->ota, db, arg, e);
}

bool vendor_renew(struct fixture *f)
{
    struct online_work w;
    online_begin(&f->ota, &w);
    int rc = ota_online_look(&f->ota, f->reader, &w, &f->e);
    bool idle = rc == 0 && online_idle(&w);
    if (rc == 0 && !idle)
        rc = ota_online_sign(&f->ota, &w, &f->e);
    if (rc == 0 && !idle)
        rc = fixture_write(f, run_store, &w);
    online_end(&f->ota, &w, rc);
    assert_ok(rc, f->e);
    return !idle;
}

int64_t vendor_version(struct fixture *f, const char *role)
{
    struct metadata m;
    assert_ok(store_metadata_current(f->reader, &f->arena, REPOSITORY_IMAGE, role, false, &m, &f->e), f->e);
    return m.version;
}
