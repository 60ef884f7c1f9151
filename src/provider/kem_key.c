#include "provider/kem_key.h"

#include <stdlib.h>
#include <string.h>

#include "lattice/mlkem_code.h"

#define POLY_BYTES 384 /* of a polynomial in a public key: FIPS 203 section 4.2.1, d = 12 */

/* ---- what a key is made of ---- */

static struct mlkem_key *new_mlkem(const struct kem_key *key)
{
    struct mlkem_key *m = aligned_alloc(_Alignof(struct mlkem_key), sizeof *m);
    if (m == NULL)
        provider_raise(key->provider, REASON_MEMORY, "for a key of %s", key->kind->name);
    else
        mlkem_init(m, key->kind->mlkem, key->provider->code);
    return m;
}

static void free_mlkem(struct mlkem_key *m)
{
    if (m == NULL)
        return;
    mlkem_clear(m);
    free(m);
}

struct kem_key *kem_key_new(struct provider *p, enum kem_kind_id kind)
{
    size_t size = kem_public_layout(&kem_kinds[kind]).size;
    struct kem_key *key = calloc(1, sizeof *key + size);
    if (key == NULL) {
        provider_raise(p, REASON_MEMORY, "for a key of %s", kem_kinds[kind].name);
        return NULL;
    }
    atomic_init(&key->references, 1);
    key->provider = p;
    key->kind = &kem_kinds[kind];
    return key;
}

struct kem_key *kem_key_ref(struct kem_key *key)
{
    atomic_fetch_add_explicit(&key->references, 1, memory_order_relaxed);
    return key;
}

static const struct classic *classic_half(const struct kem_key *key)
{
    return classic_of(key->provider, key->kind->classic);
}

static bool is_hybrid(const struct kem_key *key)
{
    return key->kind->classic != CLASSIC_NONE;
}

/* Makes it empty again. */
static void clear(struct kem_key *key)
{
    if (is_hybrid(key) && (key->classic != NULL || atomic_load(&key->peer) != NULL)) {
        const struct classic *c = classic_half(key);
        classic_free_key(c, key->classic);
        classic_free_key(c, atomic_exchange(&key->peer, NULL));
        key->classic = NULL;
    }
    free_mlkem(atomic_exchange(&key->mlkem, NULL));
    key->has_public = key->has_private = false;
}

void kem_key_free(struct kem_key *key)
{
    if (key == NULL || atomic_fetch_sub_explicit(&key->references, 1, memory_order_acq_rel) != 1)
        return;
    clear(key);
    free(key);
}

/* A key that has one half never gets another. */
static bool is_new(const struct kem_key *key)
{
    if (!key->has_public)
        return true;
    return provider_raise(key->provider, REASON_FIXED_KEY, "%s", key->kind->name);
}

static bool has_length(const struct kem_key *key, const char *what, struct key_bytes bytes, size_t n)
{
    if (bytes.n == n)
        return true;
    return provider_raise(key->provider, REASON_LENGTH, "%s of %s has %zu bytes, this one %zu", what,
                          key->kind->name, n, bytes.n);
}

static bool bad_key(const struct kem_key *key, const char *what)
{
    return provider_raise(key->provider, REASON_BAD_KEY, "%s: %s", key->kind->name, what);
}

/* ---- the public half ---- */

/* Section 7.2, modulus check: a share that is not a key is refused when it comes, not when it is used. */
static bool is_reduced(const struct kem_key *key, const uint8_t *p)
{
    struct mlkem_poly poly;
    for (unsigned i = 0; i < key->kind->mlkem->k; i++)
        if (!key->provider->code->mlkem->read12(&poly, p + (size_t)i * POLY_BYTES))
            return false;
    return true;
}

bool kem_key_read_public(struct kem_key *key, struct key_bytes bytes)
{
    struct kem_layout at = kem_public_layout(key->kind);
    if (!is_new(key) || !has_length(key, "a public key", bytes, at.size))
        return false;
    if (!is_reduced(key, bytes.p + at.mlkem))
        return bad_key(key, "a coefficient of the public key is not reduced");
    if (is_hybrid(key)) {
        const struct classic *c = classic_half(key);
        void *peer = c != NULL ? classic_read_public(c, bytes.p + at.classic) : NULL;
        if (peer == NULL)
            return false;
        atomic_store(&key->peer, peer);
    }
    memcpy(key->public_key, bytes.p, at.size);
    key->has_public = true;
    return true;
}

/* ---- the private half ---- */

/* After both halves are there: the bytes of the public one. */
static bool write_public(struct kem_key *key, const struct mlkem_key *m)
{
    struct kem_layout at = kem_public_layout(key->kind);
    memcpy(key->public_key + at.mlkem, m->public_key, key->kind->mlkem->public_size);
    if (is_hybrid(key) &&
        !classic_write_public(classic_half(key), key->classic, key->public_key + at.classic))
        return false;
    key->has_public = key->has_private = true;
    return true;
}

bool kem_key_generate(struct kem_key *key, const uint8_t *seed)
{
    uint8_t drawn[MLKEM_SEED_SIZE];
    const struct classic *c = NULL;
    if (!is_new(key) || (is_hybrid(key) && (c = classic_half(key)) == NULL))
        return false;
    struct mlkem_key *m = new_mlkem(key);
    atomic_store(&key->mlkem, m);
    bool good = m != NULL;
    if (good && seed == NULL) {
        good = provider_random(key->provider, drawn, sizeof drawn, key->kind->mlkem->strength);
        seed = drawn;
    }
    if (good) {
        mlkem_generate(m, seed);
        good = (c == NULL || (key->classic = classic_generate(c)) != NULL) && write_public(key, m);
    }
    lattice_wipe(drawn, sizeof drawn);
    if (!good)
        clear(key);
    return good;
}

static bool is_same(const uint8_t *a, const uint8_t *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

/* Of what was given and what came of it: false where they are not of one key. */
static bool belongs_together(const struct kem_key *key, struct key_bytes private_key,
                             struct key_bytes public_key)
{
    if (public_key.p != NULL && !is_same(public_key.p, key->public_key, public_key.n))
        return bad_key(key, "the public key is not that of the private one");
    if (private_key.p == NULL)
        return true;
    uint8_t again[KEM_PRIVATE_MAX];
    bool good = kem_key_write_private(key, again);
    if (good && !is_same(private_key.p, again, private_key.n))
        good = bad_key(key, "the seed is not that of the private key");
    lattice_wipe(again, sizeof again);
    return good;
}

/* key->mlkem and key->classic from their bytes, the lengths of which are right. */
static bool read_halves(struct kem_key *key, struct key_bytes seed, struct key_bytes private_key,
                        struct key_bytes public_key)
{
    struct mlkem_key *m = new_mlkem(key);
    if (m == NULL)
        return false;
    atomic_store(&key->mlkem, m);
    if (seed.p != NULL)
        mlkem_generate(m, seed.p);
    else if (!mlkem_read_private(m, private_key.p + kem_private_layout(key->kind).mlkem,
                                 key->kind->mlkem->private_size))
        return bad_key(key, "the private key does not fit together or a coefficient is not reduced");
    if (is_hybrid(key)) {
        const struct classic *c = classic_half(key);
        if (c == NULL)
            return false;
        key->classic = classic_read_private(c, private_key.p + kem_private_layout(key->kind).classic,
                                            public_key.p + kem_public_layout(key->kind).classic);
        if (key->classic == NULL)
            return false;
    }
    return write_public(key, m);
}

bool kem_key_read_private(struct kem_key *key, struct key_bytes seed, struct key_bytes private_key,
                          struct key_bytes public_key)
{
    if (!is_new(key) || (seed.p != NULL && !has_length(key, "a seed", seed, MLKEM_SEED_SIZE)) ||
        (private_key.p != NULL &&
         !has_length(key, "a private key", private_key, kem_private_layout(key->kind).size)) ||
        (public_key.p != NULL &&
         !has_length(key, "a public key", public_key, kem_public_layout(key->kind).size)))
        return false;
    if (is_hybrid(key) ? seed.p != NULL || private_key.p == NULL || public_key.p == NULL
                       : seed.p == NULL && private_key.p == NULL)
        return bad_key(key, is_hybrid(key)
                                ? "a private key is read together with its public half, without seed"
                                : "neither a seed nor a private key");
    bool good = read_halves(key, seed, private_key, public_key) &&
                belongs_together(key, seed.p != NULL ? private_key : (struct key_bytes){0}, public_key) &&
                (seed.p != NULL || kem_key_pairwise(key));
    if (!good)
        clear(key);
    return good;
}

const uint8_t *kem_key_seed(const struct kem_key *key)
{
    const struct mlkem_key *m = key->has_private && !is_hybrid(key) ? atomic_load(&key->mlkem) : NULL;
    return m != NULL && m->has_seed ? m->seed : NULL;
}

bool kem_key_write_private(const struct kem_key *key, uint8_t *out)
{
    struct kem_layout at = kem_private_layout(key->kind);
    if (!key->has_private)
        return provider_raise(key->provider, REASON_NO_KEY, "%s: the private one", key->kind->name);
    mlkem_write_private(atomic_load(&key->mlkem), out + at.mlkem);
    if (!is_hybrid(key) || classic_write_private(classic_half(key), key->classic, out + at.classic))
        return true;
    lattice_wipe(out, at.size);
    return false;
}

/* ---- secrets ---- */

/* What secrets for this key are made with from its second one on. */
static const struct mlkem_key *keep_mlkem(struct kem_key *key)
{
    struct mlkem_key *have = NULL, *made = new_mlkem(key);
    if (made == NULL)
        return NULL;
    if (!mlkem_read_public(made, key->public_key + kem_public_layout(key->kind).mlkem,
                           key->kind->mlkem->public_size)) {
        free_mlkem(made);
        bad_key(key, "the public key was read before and now is none");
        return NULL;
    }
    if (atomic_compare_exchange_strong(&key->mlkem, &have, made))
        return made;
    free_mlkem(made); /* somebody was faster */
    return have;
}

static bool encapsulate_mlkem(struct kem_key *key, const uint8_t *message, uint8_t *ciphertext,
                              uint8_t *secret)
{
    const struct mlkem_key *m = atomic_load_explicit(&key->mlkem, memory_order_acquire);
    if (m == NULL && !atomic_exchange(&key->used, true)) {
        struct mlkem_key once;
        mlkem_init(&once, key->kind->mlkem, key->provider->code);
        if (!mlkem_read_public(&once, key->public_key + kem_public_layout(key->kind).mlkem,
                               key->kind->mlkem->public_size))
            return bad_key(key, "the public key was read before and now is none");
        mlkem_encapsulate(&once, message, ciphertext, secret);
        return true;
    }
    if (m == NULL && (m = keep_mlkem(key)) == NULL)
        return false;
    mlkem_encapsulate(m, message, ciphertext, secret);
    return true;
}

/* RFC 10024 section 3: the ciphertext of the classical half is a key of our own, made for this once. */
static bool encapsulate_classic(struct kem_key *key, uint8_t *ciphertext, uint8_t *secret)
{
    const struct classic *c = classic_half(key);
    if (c == NULL)
        return false;
    void *peer = atomic_exchange(&key->peer, NULL);
    if (peer == NULL)
        peer = classic_read_public(c, key->public_key + kem_public_layout(key->kind).classic);
    void *own = peer != NULL ? classic_generate(c) : NULL;
    bool good =
        own != NULL && classic_write_public(c, own, ciphertext) && classic_derive(c, own, peer, secret);
    classic_free_key(c, own);
    classic_free_key(c, peer);
    return good;
}

bool kem_key_encapsulate(struct kem_key *key, const uint8_t *message, uint8_t *ciphertext, uint8_t *secret)
{
    struct kem_layout at = kem_ciphertext_layout(key->kind), secret_at = kem_secret_layout(key->kind);
    uint8_t drawn[MLKEM_MESSAGE_SIZE];
    if (!key->has_public)
        return provider_raise(key->provider, REASON_NO_KEY, "%s: the public one", key->kind->name);
    bool good = true;
    if (message == NULL) {
        good = provider_random(key->provider, drawn, sizeof drawn, key->kind->mlkem->strength);
        message = drawn;
    }
    good = good && encapsulate_mlkem(key, message, ciphertext + at.mlkem, secret + secret_at.mlkem) &&
           (!is_hybrid(key) || encapsulate_classic(key, ciphertext + at.classic, secret + secret_at.classic));
    lattice_wipe(drawn, sizeof drawn);
    if (!good) {
        lattice_wipe(ciphertext, at.size);
        lattice_wipe(secret, secret_at.size);
    }
    return good;
}

static bool decapsulate_classic(const struct kem_key *key, const uint8_t *ciphertext, uint8_t *secret)
{
    const struct classic *c = classic_half(key);
    void *peer = c != NULL ? classic_read_public(c, ciphertext) : NULL;
    bool good = peer != NULL && classic_derive(c, key->classic, peer, secret);
    if (c != NULL)
        classic_free_key(c, peer);
    return good;
}

bool kem_key_decapsulate(struct kem_key *key, const uint8_t *ciphertext, uint8_t *secret)
{
    struct kem_layout at = kem_ciphertext_layout(key->kind), secret_at = kem_secret_layout(key->kind);
    if (!key->has_private)
        return provider_raise(key->provider, REASON_NO_KEY, "%s: the private one", key->kind->name);
    mlkem_decapsulate(atomic_load(&key->mlkem), ciphertext + at.mlkem, secret + secret_at.mlkem);
    if (!is_hybrid(key) || decapsulate_classic(key, ciphertext + at.classic, secret + secret_at.classic))
        return true;
    lattice_wipe(secret, secret_at.size);
    return false;
}

bool kem_key_pairwise(struct kem_key *key)
{
    uint8_t ciphertext[MLKEM_CIPHERTEXT_MAX + CLASSIC_PUBLIC_MAX];
    uint8_t made[2 * MLKEM_SECRET_SIZE + CLASSIC_PRIVATE_MAX] = {0}, got[sizeof made] = {0};
    bool good = kem_key_encapsulate(key, NULL, ciphertext, made) && kem_key_decapsulate(key, ciphertext, got);
    if (good && !is_same(made, got, sizeof made))
        good = bad_key(key, "the public half is not that of the private one");
    lattice_wipe(made, sizeof made);
    lattice_wipe(got, sizeof got);
    return good;
}
