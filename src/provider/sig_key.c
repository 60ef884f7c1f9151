#include "provider/sig_key.h"

#include <stdlib.h>
#include <string.h>

const struct mldsa_set *const sig_sets[SIG_KINDS] = {
    [SIG_MLDSA44] = &mldsa_44,
    [SIG_MLDSA65] = &mldsa_65,
    [SIG_MLDSA87] = &mldsa_87,
};

/* ---- what a key is made of ---- */

static struct mldsa_key *new_mldsa(const struct sig_key *key)
{
    struct mldsa_key *m = aligned_alloc(_Alignof(struct mldsa_key), sizeof *m);
    if (m == NULL)
        provider_raise(key->provider, REASON_MEMORY, "for a key of %s", key->set->name);
    else
        mldsa_init(m, key->set, key->provider->code);
    return m;
}

static void free_mldsa(struct mldsa_key *m)
{
    if (m == NULL)
        return;
    mldsa_clear(m);
    free(m);
}

struct sig_key *sig_key_new(struct provider *p, enum sig_kind kind)
{
    struct sig_key *key = calloc(1, sizeof *key + sig_sets[kind]->public_size);
    if (key == NULL) {
        provider_raise(p, REASON_MEMORY, "for a key of %s", sig_sets[kind]->name);
        return NULL;
    }
    atomic_init(&key->references, 1);
    key->provider = p;
    key->set = sig_sets[kind];
    return key;
}

struct sig_key *sig_key_ref(struct sig_key *key)
{
    atomic_fetch_add_explicit(&key->references, 1, memory_order_relaxed);
    return key;
}

/* Makes it empty again. */
static void clear(struct sig_key *key)
{
    free_mldsa(atomic_exchange(&key->mldsa, NULL));
    key->has_public = key->has_private = false;
}

void sig_key_free(struct sig_key *key)
{
    if (key == NULL || atomic_fetch_sub_explicit(&key->references, 1, memory_order_acq_rel) != 1)
        return;
    clear(key);
    free(key);
}

/* A key that has one half never gets another. */
static bool is_new(const struct sig_key *key)
{
    if (!key->has_public)
        return true;
    return provider_raise(key->provider, REASON_FIXED_KEY, "%s", key->set->name);
}

/* Of what is there. */
static bool has_length(const struct sig_key *key, const char *what, struct key_bytes bytes, size_t n)
{
    if (bytes.p == NULL || bytes.n == n)
        return true;
    return provider_raise(key->provider, REASON_LENGTH, "%s of %s has %zu bytes, this one %zu", what,
                          key->set->name, n, bytes.n);
}

static bool bad_key(const struct sig_key *key, const char *what)
{
    return provider_raise(key->provider, REASON_BAD_KEY, "%s: %s", key->set->name, what);
}

/* ---- reading and making ---- */

bool sig_key_read_public(struct sig_key *key, struct key_bytes public_key)
{
    if (!is_new(key))
        return false;
    if (public_key.p == NULL)
        return bad_key(key, "no public key");
    if (!has_length(key, "a public key", public_key, key->set->public_size))
        return false;
    memcpy(key->public_key, public_key.p, public_key.n); /* any bytes of this length are one */
    key->has_public = true;
    return true;
}

static void take_over(struct sig_key *key, struct mldsa_key *m)
{
    memcpy(key->public_key, m->public_key, key->set->public_size);
    atomic_store(&key->mldsa, m);
    key->has_public = key->has_private = true;
}

bool sig_key_generate(struct sig_key *key, const uint8_t *seed)
{
    uint8_t drawn[MLDSA_SEED_SIZE];
    if (!is_new(key))
        return false;
    struct mldsa_key *m = new_mldsa(key);
    bool good = m != NULL;
    if (good && seed == NULL) {
        good = provider_random(key->provider, drawn, sizeof drawn, key->set->strength);
        seed = drawn;
    }
    if (good) {
        mldsa_generate(m, seed);
        take_over(key, m);
    } else {
        free_mldsa(m);
    }
    lattice_wipe(drawn, sizeof drawn);
    return good;
}

/* Of what was given and what came of it: false where they are not of one key. */
static bool belongs_together(const struct sig_key *key, struct key_bytes private_key,
                             struct key_bytes public_key)
{
    uint8_t again[MLDSA_PRIVATE_MAX];
    if (public_key.p != NULL && memcmp(public_key.p, key->public_key, public_key.n) != 0)
        return bad_key(key, "the public key is not that of the private one");
    if (private_key.p == NULL)
        return true;
    bool good = sig_key_write_private(key, again);
    if (good && CRYPTO_memcmp(private_key.p, again, private_key.n) != 0)
        good = bad_key(key, "the seed is not that of the private key");
    lattice_wipe(again, sizeof again);
    return good;
}

bool sig_key_read_private(struct sig_key *key, struct key_bytes seed, struct key_bytes private_key,
                          struct key_bytes public_key)
{
    if (!is_new(key) || !has_length(key, "a seed", seed, MLDSA_SEED_SIZE) ||
        !has_length(key, "a private key", private_key, key->set->private_size) ||
        !has_length(key, "a public key", public_key, key->set->public_size))
        return false;
    if (seed.p == NULL && private_key.p == NULL)
        return bad_key(key, "neither a seed nor a private key");
    struct mldsa_key *m = new_mldsa(key);
    if (m == NULL)
        return false;
    if (seed.p != NULL) {
        mldsa_generate(m, seed.p);
    } else if (!mldsa_read_private(m, private_key.p, private_key.n)) {
        free_mldsa(m);
        return bad_key(key, "the private key does not fit together or a coefficient is out of range");
    }
    take_over(key, m);
    if (belongs_together(key, seed.p != NULL ? private_key : (struct key_bytes){0}, public_key))
        return true;
    clear(key);
    return false;
}

const uint8_t *sig_key_seed(const struct sig_key *key)
{
    const struct mldsa_key *m = key->has_private ? atomic_load(&key->mldsa) : NULL;
    return m != NULL && m->has_seed ? m->seed : NULL;
}

bool sig_key_write_private(const struct sig_key *key, uint8_t *out)
{
    if (!key->has_private)
        return provider_raise(key->provider, REASON_NO_KEY, "%s: the private one", key->set->name);
    mldsa_write_private(atomic_load(&key->mldsa), out);
    return true;
}

/* ---- signatures ---- */

static void representative(const struct mldsa_key *m, const struct sig_message *message,
                           uint8_t mu[MLDSA_MU_SIZE])
{
    struct key_bytes in = message->message;
    if (message->form == SIG_MU)
        memcpy(mu, in.p, MLDSA_MU_SIZE);
    else if (message->form == SIG_ENCODED)
        mldsa_mu_of_encoded(m, in.p, in.n, mu);
    else
        mldsa_mu(m, message->context.p, message->context.n, in.p, in.n, mu);
}

bool sig_key_sign(struct sig_key *key, const struct sig_message *message, const uint8_t *random,
                  uint8_t *signature)
{
    const struct mldsa_set *set = key->set;
    uint8_t mu[MLDSA_MU_SIZE];
    if (!key->has_private)
        return provider_raise(key->provider, REASON_NO_KEY, "%s: the private one", set->name);
    const struct mldsa_key *m = atomic_load_explicit(&key->mldsa, memory_order_acquire);
    representative(m, message, mu);
    bool good = mldsa_sign(m, mu, random, signature);
    if (good && key->provider->verify_after_sign)
        good = mldsa_verify(m, mu, signature, set->signature_size);
    if (good)
        return true;
    /* What a fault made may tell of the key. */
    lattice_wipe(signature, set->signature_size);
    return provider_raise(key->provider, REASON_FAULT,
                          "%s: a signature came out wrong and is kept back; the processor or the memory "
                          "may be at fault",
                          set->name);
}

/* The key that signatures are verified with, made ready: with a private half, or at the second signature,
 * that which is kept; else one that the caller frees. NULL: no memory. */
static struct mldsa_key *made_ready(struct sig_key *key, bool *kept)
{
    struct mldsa_key *have = atomic_load_explicit(&key->mldsa, memory_order_acquire);
    *kept = true;
    if (have != NULL)
        return have;
    struct mldsa_key *made = new_mldsa(key);
    if (made == NULL)
        return NULL;
    mldsa_read_public(made, key->public_key, key->set->public_size); /* of the length that it wants */
    if (!atomic_exchange(&key->used, true)) {
        *kept = false;
        return made;
    }
    if (atomic_compare_exchange_strong(&key->mldsa, &have, made))
        return made;
    free_mldsa(made); /* somebody was faster */
    return have;
}

bool sig_key_verify(struct sig_key *key, const struct sig_message *message, struct key_bytes signature)
{
    uint8_t mu[MLDSA_MU_SIZE];
    bool kept;
    if (!key->has_public)
        return provider_raise(key->provider, REASON_NO_KEY, "%s: the public one", key->set->name);
    struct mldsa_key *m = made_ready(key, &kept);
    if (m == NULL)
        return false;
    representative(m, message, mu);
    bool good = mldsa_verify(m, mu, signature.p, signature.n);
    if (!kept)
        free_mldsa(m);
    return good;
}

bool sig_key_pairwise(struct sig_key *key)
{
    static const uint8_t nothing[MLDSA_MU_SIZE];
    const struct sig_message message = {.form = SIG_MU, .message = {nothing, sizeof nothing}};
    uint8_t signature[MLDSA_SIGNATURE_MAX], random[MLDSA_RANDOM_SIZE];
    const struct key_bytes made = {signature, key->set->signature_size};
    bool good = provider_random(key->provider, random, sizeof random, key->set->strength) &&
                sig_key_sign(key, &message, random, signature);
    if (good && !sig_key_verify(key, &message, made))
        good = bad_key(key, "the public half is not that of the private one");
    lattice_wipe(random, sizeof random);
    return good;
}
