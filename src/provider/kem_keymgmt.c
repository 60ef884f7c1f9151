#include "provider/kem_keymgmt.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#include "provider/kem_key.h"

#ifndef OSSL_PKEY_PARAM_SECURITY_CATEGORY /* from OpenSSL 3.6 on */
#define OSSL_PKEY_PARAM_SECURITY_CATEGORY "security-category"
#endif

/* ---- what a key has ---- */

static void free_key(void *key)
{
    kem_key_free(key);
}

static int has(const void *vkey, int selection)
{
    const struct kem_key *key = vkey;
    if (key == NULL)
        return 0;
    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 && !key->has_private)
        return 0;
    return (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) == 0 || key->has_public;
}

static bool same_private(const struct kem_key *a, const struct kem_key *b)
{
    uint8_t of_a[KEM_PRIVATE_MAX], of_b[KEM_PRIVATE_MAX];
    bool same = kem_key_write_private(a, of_a) && kem_key_write_private(b, of_b) &&
                CRYPTO_memcmp(of_a, of_b, kem_private_layout(a->kind).size) == 0;
    lattice_wipe(of_a, sizeof of_a);
    lattice_wipe(of_b, sizeof of_b);
    return same;
}

static int match(const void *va, const void *vb, int selection)
{
    const struct kem_key *a = va, *b = vb;
    bool want_public = (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0;
    bool want_private = (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;
    if (a->kind != b->kind)
        return 0;
    if (!want_public && !want_private)
        return 1;
    /* A private key has its public half: keys without either are as much alike as keys can be. */
    if (a->has_public != b->has_public)
        return 0;
    if (a->has_public && memcmp(a->public_key, b->public_key, kem_public_layout(a->kind).size) != 0)
        return 0;
    if (!want_private)
        return 1;
    if (a->has_private != b->has_private)
        return want_public;
    return !a->has_private || same_private(a, b);
}

static int validate(const void *vkey, int selection, int check_type)
{
    /* A key that is there was checked when it came; whether its halves belong together can be tried again. */
    (void)check_type;
    if (!has(vkey, selection))
        return 0;
    if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != OSSL_KEYMGMT_SELECT_KEYPAIR)
        return 1;
    /* It gets no other halves; a secret for it may make it remember what it is quicker with. */
    return kem_key_pairwise((struct kem_key *)(uintptr_t)vkey);
}

static void *dup_key(const void *vkey, int selection)
{
    /* It gets no other halves: the copy is one more reference. */
    struct kem_key *key = (struct kem_key *)(uintptr_t)vkey;
    int halves = selection & OSSL_KEYMGMT_SELECT_KEYPAIR;
    if (halves == 0 || !key->has_public)
        return kem_key_new(key->provider, (enum kem_kind_id)(key->kind - kem_kinds));
    if (halves == OSSL_KEYMGMT_SELECT_KEYPAIR ||
        (halves == OSSL_KEYMGMT_SELECT_PRIVATE_KEY && key->has_private) || !key->has_private)
        return kem_key_ref(key);
    struct kem_key *copy = kem_key_new(key->provider, (enum kem_kind_id)(key->kind - kem_kinds));
    struct key_bytes bytes = {key->public_key, kem_public_layout(key->kind).size};
    if (copy != NULL && !kem_key_read_public(copy, bytes)) {
        kem_key_free(copy);
        return NULL;
    }
    return copy;
}

/* ---- parameters ---- */

static int import(void *vkey, int selection, const OSSL_PARAM params[])
{
    struct kem_key *key = vkey;
    struct key_bytes public_key, private_key = {0}, seed = {0};
    if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0)
        return provider_raise(key->provider, REASON_PARAMETER, "%s has nothing but keys", key->kind->name);
    if (!params_bytes(key->provider, params, OSSL_PKEY_PARAM_PUB_KEY, &public_key))
        return 0;
    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 &&
        (!params_bytes(key->provider, params, OSSL_PKEY_PARAM_PRIV_KEY, &private_key) ||
         !params_bytes(key->provider, params, OSSL_PKEY_PARAM_ML_KEM_SEED, &seed)))
        return 0;
    if (seed.p != NULL || private_key.p != NULL)
        return kem_key_read_private(key, seed, private_key, public_key);
    return kem_key_read_public(key, public_key);
}

int kem_keymgmt_export(void *vkey, int selection, OSSL_CALLBACK *callback, void *arg)
{
    struct kem_key *key = vkey;
    OSSL_PARAM params[4], *at = params;
    uint8_t private_key[KEM_PRIVATE_MAX];
    if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0 || !key->has_public)
        return provider_raise(key->provider, REASON_NO_KEY, "%s: nothing to give away", key->kind->name);
    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 && key->has_private) {
        if (!kem_key_write_private(key, private_key))
            return 0;
        const uint8_t *seed = kem_key_seed(key);
        if (seed != NULL)
            *at++ = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_ML_KEM_SEED, (void *)(uintptr_t)seed,
                                                      MLKEM_SEED_SIZE);
        *at++ = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, private_key,
                                                  kem_private_layout(key->kind).size);
    }
    if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0)
        *at++ = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, key->public_key,
                                                  kem_public_layout(key->kind).size);
    *at = OSSL_PARAM_construct_end();
    int done = callback(params, arg);
    lattice_wipe(private_key, sizeof private_key);
    return done;
}

static const OSSL_PARAM *key_types(int selection)
{
    static const OSSL_PARAM types[] = {
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ML_KEM_SEED, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
        OSSL_PARAM_END,
    };
    return (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0 ? types : NULL;
}

static const OSSL_PARAM *gettable(void *provider)
{
    static const OSSL_PARAM params[] = {
        OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_CATEGORY, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ML_KEM_SEED, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
        OSSL_PARAM_END,
    };
    (void)provider;
    return params;
}

/* OpenSSL's answers: ML-KEM's number for bits, also for a hybrid. */
static bool get_numbers(const struct kem_key *key, OSSL_PARAM *params)
{
    const struct mlkem_set *set = key->kind->mlkem;
    const struct {
        const char *name;
        size_t value;
    } rows[] = {
        {OSSL_PKEY_PARAM_BITS, (size_t)set->k * MLKEM_N},
        {OSSL_PKEY_PARAM_SECURITY_BITS, set->strength},
        {OSSL_PKEY_PARAM_SECURITY_CATEGORY, set->k * 2 - 3}, /* 1, 3, 5: FIPS 203 section 8 */
        {OSSL_PKEY_PARAM_MAX_SIZE, kem_ciphertext_layout(key->kind).size},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!params_give_int(key->provider, params, rows[i].name, rows[i].value))
            return false;
    return true;
}

static int get_params(void *vkey, OSSL_PARAM params[])
{
    static const char *const names[] = {OSSL_PKEY_PARAM_PUB_KEY, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY};
    const struct kem_key *key = vkey;
    const struct provider *p = key->provider;
    const uint8_t *seed = kem_key_seed(key);
    const struct key_bytes public_key = {key->public_key, kem_public_layout(key->kind).size};
    bool good = get_numbers(key, params);
    for (size_t i = 0; good && key->has_public && i < sizeof names / sizeof names[0]; i++)
        good = params_give(p, params, names[i], public_key);
    if (good && key->has_private) {
        uint8_t *room =
            params_room(p, params, OSSL_PKEY_PARAM_PRIV_KEY, kem_private_layout(key->kind).size, &good);
        if (room != NULL)
            good = kem_key_write_private(key, room);
    }
    if (good && seed != NULL)
        good = params_give(p, params, OSSL_PKEY_PARAM_ML_KEM_SEED, (struct key_bytes){seed, MLKEM_SEED_SIZE});
    return good;
}

static const OSSL_PARAM *settable(void *provider)
{
    static const OSSL_PARAM params[] = {
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
        OSSL_PARAM_END,
    };
    (void)provider;
    return params;
}

/* How TLS hands over its peer's share. */
static int set_params(void *vkey, const OSSL_PARAM params[])
{
    struct kem_key *key = vkey;
    struct key_bytes share;
    if (params == NULL)
        return 1;
    if (!params_bytes(key->provider, params, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, &share))
        return 0;
    return share.p == NULL || kem_key_read_public(key, share);
}

/* ---- making keys ---- */

struct generation {
    struct provider *provider;
    enum kem_kind_id kind;
    bool has_keys, has_seed;
    uint8_t seed[MLKEM_SEED_SIZE]; /* for one key */
};

static int gen_set_params(void *vgeneration, const OSSL_PARAM params[])
{
    struct generation *g = vgeneration;
    struct key_bytes seed;
    if (params == NULL)
        return 1;
    if (!params_bytes(g->provider, params, OSSL_PKEY_PARAM_ML_KEM_SEED, &seed))
        return 0;
    if (seed.p == NULL)
        return 1;
    const struct kem_kind *kind = &kem_kinds[g->kind];
    if (kind->classic != CLASSIC_NONE)
        return provider_raise(g->provider, REASON_PARAMETER, "%s has no seed", kind->name);
    if (seed.n != sizeof g->seed)
        return provider_raise(g->provider, REASON_LENGTH, "a seed has %zu bytes, this one %zu",
                              sizeof g->seed, seed.n);
    memcpy(g->seed, seed.p, sizeof g->seed);
    g->has_seed = true;
    return 1;
}

static void gen_cleanup(void *vgeneration)
{
    struct generation *g = vgeneration;
    if (g == NULL)
        return;
    lattice_wipe(g, sizeof *g);
    free(g);
}

static void *gen_init(void *provider, enum kem_kind_id kind, int selection, const OSSL_PARAM params[])
{
    struct generation *g = calloc(1, sizeof *g);
    if (g == NULL) {
        provider_raise(provider, REASON_MEMORY, "for making a key");
        return NULL;
    }
    g->provider = provider;
    g->kind = kind;
    /* TLS asks for a key with nothing but parameters, of which there are none, and sets the share later. */
    g->has_keys = (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0;
    if (gen_set_params(g, params))
        return g;
    gen_cleanup(g);
    return NULL;
}

static const OSSL_PARAM *gen_settable(void *generation, void *provider)
{
    static const OSSL_PARAM params[] = {
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ML_KEM_SEED, NULL, 0),
        OSSL_PARAM_END,
    };
    (void)generation;
    (void)provider;
    return params;
}

static void *gen(void *vgeneration, OSSL_CALLBACK *callback, void *arg)
{
    struct generation *g = vgeneration;
    (void)callback;
    (void)arg;
    struct kem_key *key = kem_key_new(g->provider, g->kind);
    if (key != NULL && g->has_keys && !kem_key_generate(key, g->has_seed ? g->seed : NULL)) {
        kem_key_free(key);
        key = NULL;
    }
    lattice_wipe(g->seed, sizeof g->seed);
    g->has_seed = false;
    return key;
}

/* The reference of a decoder of ours is the address of its key. */
static void *load(const void *reference, size_t n)
{
    struct kem_key *key;
    if (n != sizeof key)
        return NULL;
    memcpy(&key, reference, sizeof key);
    return kem_key_ref(key);
}

/* ---- the tables ---- */

/* OpenSSL tells these two the provider, but not the kind; everything else knows its key. */
#define KIND(id)                                                                                             \
    static void *new_##id(void *provider)                                                                    \
    {                                                                                                        \
        return kem_key_new(provider, id);                                                                    \
    }                                                                                                        \
    static void *gen_init_##id(void *provider, int selection, const OSSL_PARAM params[])                     \
    {                                                                                                        \
        return gen_init(provider, id, selection, params);                                                    \
    }                                                                                                        \
    static const OSSL_DISPATCH table_##id[] = {                                                              \
        {OSSL_FUNC_KEYMGMT_NEW, (OSSL_FUNC)new_##id},                                                        \
        {OSSL_FUNC_KEYMGMT_FREE, (OSSL_FUNC)free_key},                                                       \
        {OSSL_FUNC_KEYMGMT_HAS, (OSSL_FUNC)has},                                                             \
        {OSSL_FUNC_KEYMGMT_MATCH, (OSSL_FUNC)match},                                                         \
        {OSSL_FUNC_KEYMGMT_VALIDATE, (OSSL_FUNC)validate},                                                   \
        {OSSL_FUNC_KEYMGMT_DUP, (OSSL_FUNC)dup_key},                                                         \
        {OSSL_FUNC_KEYMGMT_LOAD, (OSSL_FUNC)load},                                                           \
        {OSSL_FUNC_KEYMGMT_IMPORT, (OSSL_FUNC)import},                                                       \
        {OSSL_FUNC_KEYMGMT_IMPORT_TYPES, (OSSL_FUNC)key_types},                                              \
        {OSSL_FUNC_KEYMGMT_EXPORT, (OSSL_FUNC)kem_keymgmt_export},                                           \
        {OSSL_FUNC_KEYMGMT_EXPORT_TYPES, (OSSL_FUNC)key_types},                                              \
        {OSSL_FUNC_KEYMGMT_GET_PARAMS, (OSSL_FUNC)get_params},                                               \
        {OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, (OSSL_FUNC)gettable},                                            \
        {OSSL_FUNC_KEYMGMT_SET_PARAMS, (OSSL_FUNC)set_params},                                               \
        {OSSL_FUNC_KEYMGMT_SETTABLE_PARAMS, (OSSL_FUNC)settable},                                            \
        {OSSL_FUNC_KEYMGMT_GEN_INIT, (OSSL_FUNC)gen_init_##id},                                              \
        {OSSL_FUNC_KEYMGMT_GEN_SET_PARAMS, (OSSL_FUNC)gen_set_params},                                       \
        {OSSL_FUNC_KEYMGMT_GEN_SETTABLE_PARAMS, (OSSL_FUNC)gen_settable},                                    \
        {OSSL_FUNC_KEYMGMT_GEN, (OSSL_FUNC)gen},                                                             \
        {OSSL_FUNC_KEYMGMT_GEN_CLEANUP, (OSSL_FUNC)gen_cleanup},                                             \
        {0, NULL},                                                                                           \
    }

KIND(KEM_MLKEM512);
KIND(KEM_MLKEM768);
KIND(KEM_MLKEM1024);
KIND(KEM_X25519MLKEM768);
KIND(KEM_SECP256R1MLKEM768);
KIND(KEM_SECP384R1MLKEM1024);

const OSSL_DISPATCH *const kem_keymgmts[KEM_KINDS] = {
    [KEM_MLKEM512] = table_KEM_MLKEM512,
    [KEM_MLKEM768] = table_KEM_MLKEM768,
    [KEM_MLKEM1024] = table_KEM_MLKEM1024,
    [KEM_X25519MLKEM768] = table_KEM_X25519MLKEM768,
    [KEM_SECP256R1MLKEM768] = table_KEM_SECP256R1MLKEM768,
    [KEM_SECP384R1MLKEM1024] = table_KEM_SECP384R1MLKEM1024,
};
