#include "provider/sig_keymgmt.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#ifndef OSSL_PKEY_PARAM_SECURITY_CATEGORY /* from OpenSSL 3.6 on */
#define OSSL_PKEY_PARAM_SECURITY_CATEGORY "security-category"
#endif

/* ---- what a key has ---- */

static void free_key(void *key)
{
    sig_key_free(key);
}

static enum sig_kind kind_of(const struct sig_key *key)
{
    unsigned kind = SIG_MLDSA44;
    while (sig_sets[kind] != key->set)
        kind++;
    return (enum sig_kind)kind;
}

static int has(const void *vkey, int selection)
{
    const struct sig_key *key = vkey;
    if (key == NULL)
        return 0;
    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 && !key->has_private)
        return 0;
    return (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) == 0 || key->has_public;
}

static bool same_private(const struct sig_key *a, const struct sig_key *b)
{
    uint8_t of_a[MLDSA_PRIVATE_MAX], of_b[MLDSA_PRIVATE_MAX];
    bool same = sig_key_write_private(a, of_a) && sig_key_write_private(b, of_b) &&
                CRYPTO_memcmp(of_a, of_b, a->set->private_size) == 0;
    lattice_wipe(of_a, sizeof of_a);
    lattice_wipe(of_b, sizeof of_b);
    return same;
}

static int match(const void *va, const void *vb, int selection)
{
    const struct sig_key *a = va, *b = vb;
    bool want_public = (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0;
    bool want_private = (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;
    if (a->set != b->set)
        return 0;
    if (!want_public && !want_private)
        return 1;
    /* A private key has its public half: keys without either are as much alike as keys can be. */
    if (a->has_public != b->has_public)
        return 0;
    if (a->has_public && memcmp(a->public_key, b->public_key, a->set->public_size) != 0)
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
    return sig_key_pairwise((struct sig_key *)(uintptr_t)vkey);
}

static void *dup_key(const void *vkey, int selection)
{
    /* It gets no other halves: the copy is one more reference. */
    struct sig_key *key = (struct sig_key *)(uintptr_t)vkey;
    int halves = selection & OSSL_KEYMGMT_SELECT_KEYPAIR;
    if (halves == 0 || !key->has_public)
        return sig_key_new(key->provider, kind_of(key));
    if (halves != OSSL_KEYMGMT_SELECT_PUBLIC_KEY || !key->has_private)
        return sig_key_ref(key);
    struct sig_key *copy = sig_key_new(key->provider, kind_of(key));
    if (copy != NULL &&
        !sig_key_read_public(copy, (struct key_bytes){key->public_key, key->set->public_size})) {
        sig_key_free(copy);
        return NULL;
    }
    return copy;
}

/* ---- parameters ---- */

static int import(void *vkey, int selection, const OSSL_PARAM params[])
{
    struct sig_key *key = vkey;
    struct key_bytes public_key, private_key = {0}, seed = {0};
    if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0)
        return provider_raise(key->provider, REASON_PARAMETER, "%s has nothing but keys", key->set->name);
    if (!params_bytes(key->provider, params, OSSL_PKEY_PARAM_PUB_KEY, &public_key))
        return 0;
    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 &&
        (!params_bytes(key->provider, params, OSSL_PKEY_PARAM_PRIV_KEY, &private_key) ||
         !params_bytes(key->provider, params, OSSL_PKEY_PARAM_ML_DSA_SEED, &seed)))
        return 0;
    if (seed.p != NULL || private_key.p != NULL)
        return sig_key_read_private(key, seed, private_key, public_key);
    return sig_key_read_public(key, public_key);
}

static OSSL_PARAM octets(const char *name, const uint8_t *p, size_t n)
{
    /* OpenSSL's parameters are not const; who takes this one only reads it. */
    return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)p, n);
}

int sig_keymgmt_export(void *vkey, int selection, OSSL_CALLBACK *callback, void *arg)
{
    struct sig_key *key = vkey;
    OSSL_PARAM params[4], *at = params;
    uint8_t private_key[MLDSA_PRIVATE_MAX];
    if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0 || !key->has_public)
        return provider_raise(key->provider, REASON_NO_KEY, "%s: nothing to give away", key->set->name);
    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 && key->has_private) {
        if (!sig_key_write_private(key, private_key))
            return 0;
        const uint8_t *seed = sig_key_seed(key);
        if (seed != NULL)
            *at++ = octets(OSSL_PKEY_PARAM_ML_DSA_SEED, seed, MLDSA_SEED_SIZE);
        *at++ = octets(OSSL_PKEY_PARAM_PRIV_KEY, private_key, key->set->private_size);
    }
    if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0)
        *at++ = octets(OSSL_PKEY_PARAM_PUB_KEY, key->public_key, key->set->public_size);
    *at = OSSL_PARAM_construct_end();
    int done = callback(params, arg);
    lattice_wipe(private_key, sizeof private_key);
    return done;
}

static const OSSL_PARAM *key_types(int selection)
{
    static const OSSL_PARAM types[] = {
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ML_DSA_SEED, NULL, 0),
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
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ML_DSA_SEED, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
        OSSL_PARAM_END,
    };
    (void)provider;
    return params;
}

/* OpenSSL's answers. */
static bool get_numbers(const struct sig_key *key, OSSL_PARAM *params)
{
    const struct mldsa_set *set = key->set;
    const struct {
        const char *name;
        size_t value;
    } rows[] = {
        {OSSL_PKEY_PARAM_BITS, set->public_size * 8},
        {OSSL_PKEY_PARAM_SECURITY_BITS, set->strength},
        {OSSL_PKEY_PARAM_SECURITY_CATEGORY, set->strength == 128   ? 2
                                            : set->strength == 192 ? 3
                                                                   : 5},
        {OSSL_PKEY_PARAM_MAX_SIZE, set->signature_size},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!params_give_int(key->provider, params, rows[i].name, rows[i].value))
            return false;
    /* None: ML-DSA hashes for itself. */
    OSSL_PARAM *digest = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_MANDATORY_DIGEST);
    return digest == NULL || OSSL_PARAM_set_utf8_string(digest, "") == 1 ||
           provider_raise(key->provider, REASON_PARAMETER, "%s is a text", OSSL_PKEY_PARAM_MANDATORY_DIGEST);
}

static int get_params(void *vkey, OSSL_PARAM params[])
{
    const struct sig_key *key = vkey;
    const struct provider *p = key->provider;
    const uint8_t *seed = sig_key_seed(key);
    bool good = get_numbers(key, params);
    if (good && key->has_public)
        good = params_give(p, params, OSSL_PKEY_PARAM_PUB_KEY,
                           (struct key_bytes){key->public_key, key->set->public_size});
    if (good && key->has_private) {
        uint8_t *room = params_room(p, params, OSSL_PKEY_PARAM_PRIV_KEY, key->set->private_size, &good);
        if (room != NULL)
            good = sig_key_write_private(key, room);
    }
    if (good && seed != NULL)
        good = params_give(p, params, OSSL_PKEY_PARAM_ML_DSA_SEED, (struct key_bytes){seed, MLDSA_SEED_SIZE});
    return good;
}

/* ---- making keys ---- */

struct generation {
    struct provider *provider;
    enum sig_kind kind;
    bool has_keys, has_seed;
    uint8_t seed[MLDSA_SEED_SIZE]; /* for one key */
};

static int gen_set_params(void *vgeneration, const OSSL_PARAM params[])
{
    struct generation *g = vgeneration;
    struct key_bytes seed;
    if (params == NULL)
        return 1;
    if (!params_bytes(g->provider, params, OSSL_PKEY_PARAM_ML_DSA_SEED, &seed))
        return 0;
    if (seed.p == NULL)
        return 1;
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

static void *gen_init(void *provider, enum sig_kind kind, int selection, const OSSL_PARAM params[])
{
    struct generation *g = calloc(1, sizeof *g);
    if (g == NULL) {
        provider_raise(provider, REASON_MEMORY, "for making a key");
        return NULL;
    }
    g->provider = provider;
    g->kind = kind;
    g->has_keys = (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0;
    if (gen_set_params(g, params))
        return g;
    gen_cleanup(g);
    return NULL;
}

static const OSSL_PARAM *gen_settable(void *generation, void *provider)
{
    static const OSSL_PARAM params[] = {
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ML_DSA_SEED, NULL, 0),
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
    struct sig_key *key = sig_key_new(g->provider, g->kind);
    if (key != NULL && g->has_keys && !sig_key_generate(key, g->has_seed ? g->seed : NULL)) {
        sig_key_free(key);
        key = NULL;
    }
    lattice_wipe(g->seed, sizeof g->seed);
    g->has_seed = false;
    return key;
}

/* The reference of a decoder of ours is the address of its key. */
static void *load(const void *reference, size_t n)
{
    struct sig_key *key;
    if (n != sizeof key)
        return NULL;
    memcpy(&key, reference, sizeof key);
    return sig_key_ref(key);
}

/* ---- the tables ---- */

/* OpenSSL tells these two the provider, but not the kind; everything else knows its key. */
#define KIND(id)                                                                                             \
    static void *new_##id(void *provider)                                                                    \
    {                                                                                                        \
        return sig_key_new(provider, id);                                                                    \
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
        {OSSL_FUNC_KEYMGMT_EXPORT, (OSSL_FUNC)sig_keymgmt_export},                                           \
        {OSSL_FUNC_KEYMGMT_EXPORT_TYPES, (OSSL_FUNC)key_types},                                              \
        {OSSL_FUNC_KEYMGMT_GET_PARAMS, (OSSL_FUNC)get_params},                                               \
        {OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, (OSSL_FUNC)gettable},                                            \
        {OSSL_FUNC_KEYMGMT_GEN_INIT, (OSSL_FUNC)gen_init_##id},                                              \
        {OSSL_FUNC_KEYMGMT_GEN_SET_PARAMS, (OSSL_FUNC)gen_set_params},                                       \
        {OSSL_FUNC_KEYMGMT_GEN_SETTABLE_PARAMS, (OSSL_FUNC)gen_settable},                                    \
        {OSSL_FUNC_KEYMGMT_GEN, (OSSL_FUNC)gen},                                                             \
        {OSSL_FUNC_KEYMGMT_GEN_CLEANUP, (OSSL_FUNC)gen_cleanup},                                             \
        {0, NULL},                                                                                           \
    }

KIND(SIG_MLDSA44);
KIND(SIG_MLDSA65);
KIND(SIG_MLDSA87);

const OSSL_DISPATCH *const sig_keymgmts[SIG_KINDS] = {
    [SIG_MLDSA44] = table_SIG_MLDSA44,
    [SIG_MLDSA65] = table_SIG_MLDSA65,
    [SIG_MLDSA87] = table_SIG_MLDSA87,
};
