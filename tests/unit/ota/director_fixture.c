#include "director_fixture.h"

#include <stdio.h>

/* --- a server with keys --------------------------------------------------------------------------------- */

void director_make_keys(struct fixture *f, const char *name, const enum trust_scheme *schemes, size_t count,
                        char path[128])
{
    struct arena a;
    auto_keys struct sign_keys keys = {.count = 0};
    snprintf(path, 128, "%s/%s.key", f->dir, name);
    arena_init(&a, 1 << 20);
    assert_ok(keys_generate(schemes, count, &a, &keys, &f->e), f->e);
    assert_ok(keys_save(&keys, path, NULL, &f->e), f->e);
    arena_fini(&a);
}

void director_use_keys(struct fixture *f, const char *director, const char *manifest)
{
    const struct trust_settings s = {
        .key = {[TRUST_DIRECTOR] = director, [TRUST_MANIFEST] = manifest},
        .life_s = {[TRUST_DIRECTOR] = LIFE_S, [TRUST_MANIFEST] = LIFE_S},
        .insecure_unsigned = true,
    };
    fixture_trust(f, &s);
}

const enum trust_scheme director_pair[2] = {TRUST_ML_DSA_65, TRUST_ED25519};
static const enum trust_scheme small[] = {TRUST_ML_DSA_44};

int director_setup(void **state)
{
    int rc = release_setup(state);
    struct fixture *f = *state;
    char director[128], manifest[128];
    director_make_keys(f, "director", director_pair, 2, director);
    director_make_keys(f, "manifest", small, 1, manifest);
    director_use_keys(f, director, manifest);
    add_device(f, "d1", "m");
    return rc;
}

uint64_t director_count(struct fixture *f, enum director_kind kind)
{
    return trust_counted(&f->ota, kind == DIRECTOR_MANIFEST ? TRUST_MANIFEST : TRUST_DIRECTOR);
}

static int run_exec(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    (void)f;
    return db_exec(db, arg, e);
}

void director_sql(struct fixture *f, char *text)
{
    assert_ok(fixture_write(f, run_exec, text), f->e);
}

struct release director_publish(struct fixture *f, const char *version)
{
    static char mark[] = "UPDATE release_model SET signed = 1";
    struct release r = publish(f, "gw", version, "m");
    director_sql(f, mark);
    return r;
}

/* --- as the server does it ------------------------------------------------------------------------------ */

int director_run_look(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    return ota_director_look(&f->ota, db, true, &f->arena, arg, e);
}

int director_run_store(struct fixture *f, struct db *db, void *arg, struct err *e)
{
    return ota_director_store(&f->ota, db, &f->arena, arg, e);
}

/* Until it must be signed, or is there. */
int director_try_look(struct fixture *f, struct director_work *w)
{
    int rc = ota_director_look(&f->ota, f->reader, false, &f->arena, w, &f->e);
    assert_true(db_idle(f->reader));
    return rc == DIRECTOR_UPGRADE ? fixture_write(f, director_run_look, w) : rc;
}

int director_try_fetch(struct fixture *f, enum director_kind kind, const char *id, struct director_work *out)
{
    struct director_work w = {.kind = kind, .device = id};
    int rc = director_try_look(f, &w);
    if (rc == 0 && w.text.p == NULL)
        rc = ota_director_sign(&f->ota, &f->arena, &w, &f->e);
    if (rc == 0 && w.text.p == NULL)
        rc = fixture_write(f, director_run_store, &w);
    if (rc == 0)
        *out = w;
    return rc;
}

struct director_named director_fetch(struct fixture *f)
{
    struct director_work w;
    struct director_named n = {.path = ""};
    uint64_t before = director_count(f, DIRECTOR_TARGETS);
    assert_ok(director_try_fetch(f, DIRECTOR_TARGETS, "d1", &w), f->e);
    uint64_t made = director_count(f, DIRECTOR_TARGETS) - before;
    assert_true(made == 0 || made == 2); /* a pair */
    yyjson_doc *doc = yyjson_read(w.text.p, w.text.n, 0);
    yyjson_val *root = yyjson_doc_get_root(doc), *body = yyjson_obj_get(root, "signed");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(body, "_type")), "targets");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(yyjson_obj_get(body, "pqota"), "device")), "d1");
    assert_int_equal(yyjson_arr_size(yyjson_obj_get(root, "signatures")), 2);
    yyjson_val *targets = yyjson_obj_get(body, "targets"), *key, *target;
    yyjson_obj_iter it = yyjson_obj_iter_with(targets);
    while ((key = yyjson_obj_iter_next(&it)) != NULL) {
        target = yyjson_obj_iter_get_val(key);
        n.path = arena_printf(&f->arena, "%s%s%s", n.path, n.path[0] != '\0' ? " " : "", yyjson_get_str(key));
        n.length = yyjson_get_sint(yyjson_obj_get(target, "length"));
        assert_int_equal(yyjson_get_len(yyjson_obj_get(yyjson_obj_get(target, "hashes"), "sha256")), 64);
    }
    n.version = yyjson_get_sint(yyjson_obj_get(body, "version"));
    assert_ok(tuf_time_read(str_of(yyjson_get_str(yyjson_obj_get(body, "expires"))), &n.expires_s), f->e);
    assert_int_equal(n.version, w.version);
    n.text = w.text;
    n.signed_now = made != 0;
    yyjson_doc_free(doc);
    return n;
}

void assert_named(struct director_named n, const char *path, bool signed_now)
{
    assert_string_equal(n.path, path);
    assert_int_equal(n.signed_now, signed_now);
}

void director_install(struct fixture *f, const struct release *r, const char *from)
{
    deploy(f, r->pk, TARGET_ALL, "");
    assert_ok(try_report(f, "d1", assert_offered(f, "d1", from, r->pk), ACTION_SUCCEEDED, r->version), f->e);
}
