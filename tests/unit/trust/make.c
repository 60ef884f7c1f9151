/* Metadata that are made are read again by the code that devices have, say what they were told to say, and
   keep one canonical form whatever their way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "keys/keys.h"
#include "trust/make.h"

#define SPACE (4u << 20)
#define EXPIRES 1800000000 /* 2027-01-15T08:00:00Z */
#define HASH "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

struct fixture {
    struct arena arena;
    struct trust_space space;
    void *memory;
    struct sign_keys keys[4]; /* pairs */
    struct make_key public[8];
};

static const enum trust_scheme pair[] = {TRUST_ML_DSA_44, TRUST_ED25519};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct err e = {0};
    assert_non_null(f);
    arena_init(&f->arena, 64u << 20);
    f->memory = malloc(SPACE);
    assert_non_null(f->memory);
    space_init(&f->space, f->memory, SPACE);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(keys_generate(pair, 2, &f->arena, &f->keys[i], &e), 0);
        for (size_t k = 0; k < 2; k++)
            f->public[2 * i + k] = (struct make_key){.keyid = f->keys[i].key[k].keyid,
                                                     .scheme = f->keys[i].key[k].scheme,
                                                     .public_text = f->keys[i].key[k].public_text};
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < 4; i++)
        keys_fini(&f->keys[i]);
    arena_fini(&f->arena);
    free(f->memory);
    free(f);
    return 0;
}

/* The pairs from `first`, `count` of them. */
static struct make_role role(struct fixture *f, const char *name, size_t first, size_t count,
                             int64_t threshold)
{
    return (struct make_role){
        .name = name, .keys = &f->public[2 * first], .key_count = 2 * count, .threshold = threshold};
}

/* The file, signed by those pairs, and read. */
static struct tuf_doc seal(struct fixture *f, yyjson_mut_doc *doc, enum tuf_type type, size_t first,
                           size_t count)
{
    struct err e = {0};
    struct str canon, text;
    struct make_signature sigs[8];
    struct tuf_doc read;
    assert_int_equal(make_canon(doc, &f->arena, &canon, &e), 0);
    for (size_t i = 0; i < 2 * count; i++) {
        const struct sign_key *k = &f->keys[first + i / 2].key[i % 2];
        sigs[i].keyid = k->keyid;
        assert_int_equal(keys_sign(k, canon, &f->arena, &sigs[i].sig, &e), 0);
    }
    assert_int_equal(make_envelope(canon, sigs, 2 * count, &f->arena, &text, &e), 0);
    if (tuf_doc_read(text, type, &f->space, &read, &e) != 0)
        fail_msg("%s", e.text);
    /* RFC 8259 allows no control characters in strings, and PEM has line ends. */
    for (size_t i = 0; i < text.n; i++)
        assert_true((unsigned char)text.p[i] >= 0x20);
    assert_true(str_eq(read.canon, canon));
    return read;
}

static struct tuf_doc make_whole_root(struct fixture *f, yyjson_mut_doc **out)
{
    struct err e = {0};
    struct make_role roles[] = {role(f, "root", 0, 2, 2), role(f, "targets", 2, 1, 1),
                                role(f, "snapshot", 3, 1, 1), role(f, "timestamp", 3, 1, 1)};
    assert_int_equal(make_body(TUF_ROOT, 1, EXPIRES, out, &e), 0);
    assert_int_equal(make_root(*out, "image", roles, 4, &e), 0);
    return seal(f, *out, TUF_ROOT, 0, 2);
}

static yyjson_val *standard_keys(const struct tuf_doc *doc)
{
    return yyjson_obj_get(doc->body, "keys");
}

static yyjson_val *own_keys(const struct tuf_doc *doc)
{
    return yyjson_obj_get(yyjson_obj_get(doc->body, "pqota"), "keys");
}

/* A key in its place, in the file's keys and in the role's ids, and not in the other's. */
static void expect_role_key(const struct make_key *key, yyjson_val *role, yyjson_val *standard,
                            yyjson_val *own)
{
    yyjson_val *const ids[] = {yyjson_obj_get(role, "keyids"),
                               yyjson_obj_get(yyjson_obj_get(role, "pqota"), "keyids")};
    yyjson_val *const keys[] = {standard, own}, *id;
    enum tuf_place place = key->scheme->family == TRUST_POST_QUANTUM ? TUF_OWN : TUF_STANDARD;
    for (enum tuf_place p = 0; p < TUF_PLACES; p++) {
        size_t i, max, named = 0;
        yyjson_arr_foreach(ids[p], i, max, id)
        {
            named += yyjson_equals_str(id, key->keyid);
        }
        assert_int_equal(named, p == place ? 1 : 0);
        assert_true((yyjson_obj_get(keys[p], key->keyid) != NULL) == (p == place));
    }
}

static void a_root(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    struct tuf_rules both = {.both_families = true};
    struct tuf_role r;
    auto_json_mut yyjson_mut_doc *doc = NULL;
    struct tuf_doc root = make_whole_root(f, &doc);
    assert_int_equal(root.version, 1);
    assert_int_equal(root.expires_s, EXPIRES);
    assert_true(tuf_root_consistent(&root));
    assert_true(str_is(tuf_root_repository(&root), "image"));
    assert_int_equal(tuf_root_role(&root, TUF_ROOT, &r, &e), 0);
    assert_int_equal(r.threshold, 2);
    assert_true(r.counts.given);
    assert_int_equal(r.counts.need[TRUST_POST_QUANTUM], 2);
    assert_int_equal(r.counts.need[TRUST_CLASSICAL], 2);
    assert_int_equal(tuf_verify(&root, &r, &both, &keys_crypto, &f->space, &e), 0);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(root.body, "spec_version")), TUF_SPEC_VERSION);
    /* The key that two roles name is there once. */
    assert_int_equal(yyjson_obj_size(standard_keys(&root)), 4);
    assert_int_equal(yyjson_obj_size(own_keys(&root)), 4);
    for (size_t i = 0; i < 4; i++)
        expect_role_key(&f->public[i], yyjson_obj_get(yyjson_obj_get(root.body, "roles"), "root"),
                        standard_keys(&root), own_keys(&root));
    struct tuf_doc half = seal(f, doc, TUF_ROOT, 0, 1);
    assert_int_equal(tuf_verify(&half, &r, &both, &keys_crypto, &f->space, &e), ERR_MISMATCH);
}

static void roles_that_cannot_be(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    auto_json_mut yyjson_mut_doc *doc = NULL;
    assert_int_equal(make_body(TUF_ROOT, 1, EXPIRES, &doc, &e), 0);
    struct make_role few = role(f, "root", 0, 1, 2), none = role(f, "root", 0, 1, 0),
                     twice = role(f, "root", 0, 1, 1);
    struct make_key same[] = {f->public[0], f->public[0], f->public[1]}, alone[] = {f->public[0]};
    assert_int_equal(make_root(doc, "image", &few, 1, &e), ERR_INVALID);
    assert_int_equal(make_root(doc, "image", &none, 1, &e), ERR_INVALID);
    twice.keys = same;
    twice.key_count = 3;
    assert_int_equal(make_root(doc, "image", &twice, 1, &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "twice"));
    twice.keys = alone;
    twice.key_count = 1;
    assert_int_equal(make_root(doc, "image", &twice, 1, &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "classical"));
    yyjson_mut_doc *bad = NULL;
    assert_int_equal(make_body(TUF_ROOT, 0, EXPIRES, &bad, &e), ERR_INVALID);
    assert_int_equal(make_body(TUF_ROOT, 1, 0, &bad, &e), ERR_INVALID);
    assert_null(bad);
}

/* The next root: other keys for one role, the old ones gone, all else as it was. */
static void a_rotation(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    struct tuf_role r;
    auto_json_mut yyjson_mut_doc *doc = NULL, *next = NULL;
    struct tuf_doc first = make_whole_root(f, &doc);
    struct make_role other = role(f, "targets", 3, 1, 1);
    assert_int_equal(make_next(&first, EXPIRES + 9, &next, &e), 0);
    assert_int_equal(make_root_role(next, &other, &e), 0);
    struct tuf_doc second = seal(f, next, TUF_ROOT, 0, 2);
    assert_int_equal(second.version, 2);
    assert_int_equal(second.expires_s, EXPIRES + 9);
    assert_int_equal(tuf_root_role(&second, TUF_TARGETS, &r, &e), 0);
    struct tuf_key key;
    assert_int_equal(tuf_role_key_count(&r), 2);
    assert_true(tuf_role_key_at(&r, 0, &key) && str_is(key.id, f->public[7].keyid));
    assert_true(tuf_role_key_at(&r, 1, &key) && str_is(key.id, f->public[6].keyid));
    for (size_t i = 4; i < 6; i++) {
        assert_null(yyjson_obj_get(standard_keys(&second), f->public[i].keyid));
        assert_null(yyjson_obj_get(own_keys(&second), f->public[i].keyid));
    }
    assert_int_equal(yyjson_obj_size(standard_keys(&second)), 3);
    assert_int_equal(yyjson_obj_size(own_keys(&second)), 3);
    assert_true(yyjson_equals(yyjson_obj_get(yyjson_obj_get(first.body, "roles"), "root"),
                              yyjson_obj_get(yyjson_obj_get(second.body, "roles"), "root")));
    assert_true(str_is(tuf_root_repository(&second), "image"));
}

static void keys_of_manifests(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    auto_json_mut yyjson_mut_doc *doc = NULL, *next = NULL;
    struct tuf_doc root = make_whole_root(f, &doc);
    struct sign_keys extra = {.count = 0};
    assert_int_equal(keys_generate(pair, 1, &f->arena, &extra, &e), 0);
    struct make_key vendor = {extra.key[0].keyid, extra.key[0].scheme, extra.key[0].public_text};
    assert_int_equal(make_next(&root, EXPIRES, &next, &e), 0);
    assert_int_equal(make_root_manifest(next, &vendor, &f->public[0], &e), 0);
    struct make_role again = role(f, "targets", 3, 1, 1);
    assert_int_equal(make_root_role(next, &again, &e), 0); /* which clears away what nothing names */
    struct tuf_doc with = seal(f, next, TUF_ROOT, 0, 2);
    yyjson_val *manifest = yyjson_obj_get(yyjson_obj_get(with.body, "pqota"), "manifest");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(manifest, "vendor")), vendor.keyid);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(manifest, "director")), f->public[0].keyid);
    assert_non_null(yyjson_obj_get(own_keys(&with), vendor.keyid));
    assert_null(yyjson_obj_get(standard_keys(&with), vendor.keyid));
    struct tuf_key key;
    assert_true(tuf_manifest_key(&with, "vendor", &key) && str_is(key.id, vendor.keyid));
    assert_true(key.scheme == vendor.scheme && str_is(key.public_text, vendor.public_text));
    assert_false(tuf_manifest_key(&root, "vendor", &key));
    assert_int_equal(make_root_manifest(next, NULL, &f->public[0], &e), 0);
    struct tuf_doc without = seal(f, next, TUF_ROOT, 0, 2);
    assert_null(yyjson_obj_get(own_keys(&without), vendor.keyid));
    assert_null(tuf_manifest_keyid(&without, "vendor").p);
    keys_fini(&extra);
}

static void targets_and_delegations(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    struct tuf_delegation d;
    struct tuf_target t;
    struct trust_custom custom = {.name = STR("gateway"),
                                  .version = STR("1.3"),
                                  .model = STR("gw-1"),
                                  .type = STR("os"),
                                  .sequence = 7,
                                  .security = true,
                                  .advisory = STR("a \"line\"\nand another \\ \xc3\xa4")};
    struct trust_custom got;
    bool fits = false;
    auto_json_mut yyjson_mut_doc *doc = NULL;
    assert_int_equal(make_body(TUF_TARGETS, 5, EXPIRES, &doc, &e), 0);
    struct make_role one = role(f, "", 0, 1, 1), two = role(f, "", 1, 2, 2);
    assert_int_equal(make_delegation(doc, STR("gw-1"), &one, &e), 0);
    assert_int_equal(make_delegation(doc, STR("gw-2"), &one, &e), 0);
    assert_int_equal(make_delegation(doc, STR("gw-1"), &two, &e), 0); /* in its place */
    assert_int_equal(make_delegation(doc, STR("gw/1"), &one, &e), ERR_INVALID);
    assert_int_equal(make_target(doc, "gw-1/gateway/1.3/fw.bin", 10, HASH, &custom, &e), 0);
    assert_int_equal(make_target(doc, "gw-1/gateway/1.3/fw.bin", 11, HASH, &custom, &e), 0);
    assert_int_equal(make_target(doc, "gw-1/gateway/1.4/fw.bin", 12, "abc", NULL, &e), ERR_INVALID);
    struct tuf_doc read = seal(f, doc, TUF_TARGETS, 0, 1);
    assert_int_equal(tuf_delegation_count(&read), 2);
    assert_int_equal(tuf_delegation_at(&read, 0, &d, &e), 0);
    assert_true(str_is(d.role.name, "model-gw-1"));
    assert_true(d.terminating);
    assert_int_equal(d.role.threshold, 2);
    assert_int_equal(d.role.counts.need[TRUST_POST_QUANTUM], 2);
    yyjson_val *delegations = yyjson_obj_get(read.body, "delegations");
    for (size_t i = 2; i < 6; i++)
        expect_role_key(&f->public[i], yyjson_arr_get(yyjson_obj_get(delegations, "roles"), 0),
                        yyjson_obj_get(delegations, "keys"), own_keys(&read));
    assert_int_equal(yyjson_obj_size(yyjson_obj_get(delegations, "keys")), 3);
    assert_int_equal(yyjson_obj_size(own_keys(&read)), 3);
    assert_int_equal(tuf_role_key_count(&d.role), 4);
    assert_int_equal(tuf_delegation_fits(&d, STR("gw-1/gateway/1.3/fw.bin"), &keys_crypto, &fits, &e), 0);
    assert_true(fits);
    assert_int_equal(tuf_delegation_fits(&d, STR("gw-2/gateway/1.3/fw.bin"), &keys_crypto, &fits, &e), 0);
    assert_false(fits);
    assert_int_equal(tuf_target_count(&read), 1);
    assert_int_equal(tuf_target_find(&read, STR("gw-1/gateway/1.3/fw.bin"), &t, &e), 0);
    assert_int_equal(t.length, 11);
    assert_true(t.has_sha256);
    assert_int_equal(trust_custom_read(t.custom, &got, &e), 0);
    assert_int_equal(got.sequence, 7);
    assert_true(got.security);
    assert_int_equal(got.counter, 0);
    assert_null(yyjson_obj_get(t.custom, "counter"));
    assert_true(str_eq(got.advisory, custom.advisory));
}

static void metas(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    struct tuf_meta m;
    auto_json_mut yyjson_mut_doc *doc = NULL;
    assert_int_equal(make_body(TUF_SNAPSHOT, 1800000001, EXPIRES, &doc, &e), 0);
    assert_int_equal(make_meta(doc, "targets.json", 3, STR("abc"), &keys_crypto, &e), 0);
    struct tuf_doc read = seal(f, doc, TUF_SNAPSHOT, 0, 1);
    assert_int_equal(tuf_meta_find(&read, STR("targets.json"), &m, &e), 0);
    assert_int_equal(m.version, 3);
    assert_int_equal(m.length, 3);
    assert_int_equal(tuf_meta_check(&m, STR("abc"), &keys_crypto, &e), 0);
    assert_int_equal(tuf_meta_check(&m, STR("abd"), &keys_crypto, &e), ERR_MISMATCH);
}

/* As securesystemslib makes the id of this key: sha256 of its canonical JSON. */
static void key_ids(void **state)
{
    (void)state;
    struct err e = {0};
    char id[SHA256_HEX_SIZE];
    assert_int_equal(make_keyid(trust_scheme_row(TRUST_ED25519),
                                "edcd0a32a07dce33f7c7873aaffbff36d20ea30787574ead335eefd337e4dacd",
                                &keys_crypto, id, &e),
                     0);
    assert_string_equal(id, "2345a90ad8d76f3677f9ad6695b0ba0b5c7b7fbf27fb0ed35fbdf7b71264a679");
}

static void small_arena(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    struct arena small;
    struct str out = {.p = "as it was", .n = 9};
    auto_json_mut yyjson_mut_doc *doc = NULL;
    make_whole_root(f, &doc);
    arena_init(&small, 128);
    assert_int_equal(make_canon(doc, &small, &out, &e), ERR_NOMEM);
    assert_int_equal(make_envelope(STR("{}"), NULL, TUF_SIGNATURES_MAX + 1, &small, &out, &e), ERR_TOO_LARGE);
    assert_string_equal(out.p, "as it was");
    arena_fini(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_root),
        cmocka_unit_test(roles_that_cannot_be),
        cmocka_unit_test(a_rotation),
        cmocka_unit_test(keys_of_manifests),
        cmocka_unit_test(targets_and_delegations),
        cmocka_unit_test(metas),
        cmocka_unit_test(key_ids),
        cmocka_unit_test(small_arena),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
