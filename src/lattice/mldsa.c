#include "lattice/mldsa.h"

#include <assert.h>
#include <string.h>

#include "lattice/keccak.h"
#include "lattice/mldsa_code.h"
#include "lattice/mldsa_draw.h"
#include "lattice/secret.h"

#define T1_BITS 10
#define T0_BITS 13
#define T0_TOP (1 << (MLDSA_D - 1))
#define BYTES(bits) ((size_t)MLDSA_N / 8 * (bits)) /* of a polynomial */
#define W1_BYTES_MAX 1024                          /* of k polynomials: 4 with 6 bits, 6 or 8 with 4 */
#define ATTEMPTS_MAX 814                           /* appendix C, table 3 */

const struct mldsa_set mldsa_44 = {.name = "ML-DSA-44",
                                   .k = 4,
                                   .l = 4,
                                   .eta = 2,
                                   .tau = 39,
                                   .omega = 80,
                                   .gamma1 = 1 << 17,
                                   .gamma2 = (MLDSA_Q - 1) / 88,
                                   .beta = 78,
                                   .challenge_size = 32,
                                   .public_size = 1312,
                                   .private_size = 2560,
                                   .signature_size = 2420,
                                   .strength = 128};
const struct mldsa_set mldsa_65 = {.name = "ML-DSA-65",
                                   .k = 6,
                                   .l = 5,
                                   .eta = 4,
                                   .tau = 49,
                                   .omega = 55,
                                   .gamma1 = 1 << 19,
                                   .gamma2 = (MLDSA_Q - 1) / 32,
                                   .beta = 196,
                                   .challenge_size = 48,
                                   .public_size = 1952,
                                   .private_size = 4032,
                                   .signature_size = 3309,
                                   .strength = 192};
const struct mldsa_set mldsa_87 = {.name = "ML-DSA-87",
                                   .k = 8,
                                   .l = 7,
                                   .eta = 2,
                                   .tau = 60,
                                   .omega = 75,
                                   .gamma1 = 1 << 19,
                                   .gamma2 = (MLDSA_Q - 1) / 32,
                                   .beta = 120,
                                   .challenge_size = 64,
                                   .public_size = 2592,
                                   .private_size = 4896,
                                   .signature_size = 4627,
                                   .strength = 256};

static unsigned secret_bits(const struct mldsa_set *set)
{
    return set->eta == 2 ? 3 : 4;
}

static unsigned mask_bits(const struct mldsa_set *set)
{
    return set->gamma1 == 1 << 17 ? 18 : 20;
}

static unsigned high_bits(const struct mldsa_set *set)
{
    return set->gamma2 == (MLDSA_Q - 1) / 88 ? 6 : 4;
}

void mldsa_init(struct mldsa_key *key, const struct mldsa_set *set, const struct lattice_code *code)
{
    key->set = set;
    key->code = code;
    key->has_public = key->has_private = key->has_seed = false;
}

static void wipe_private(struct mldsa_key *key)
{
    lattice_wipe(key->seed, sizeof key->seed);
    lattice_wipe(key->sign_seed, sizeof key->sign_seed);
    lattice_wipe(key->s1, sizeof key->s1);
    lattice_wipe(key->s2, sizeof key->s2);
    lattice_wipe(key->t0, sizeof key->t0);
}

void mldsa_clear(struct mldsa_key *key)
{
    if (key->has_private)
        wipe_private(key);
    key->has_public = key->has_private = key->has_seed = false;
}

/* H of section 3.7, of several pieces in a row. */
struct piece {
    const uint8_t *p;
    size_t n;
};

static void hash(const struct mldsa_key *key, const struct piece *pieces, size_t n, uint8_t *out,
                 size_t out_n)
{
    struct keccak k;
    keccak_start(&k, key->code->keccak, SHAKE256_RATE);
    for (size_t i = 0; i < n; i++)
        keccak_absorb(&k, pieces[i].p, pieces[i].n);
    keccak_end_shake(&k);
    keccak_squeeze(&k, out, out_n);
    lattice_wipe(&k, sizeof k);
}

/* ---- keys ---- */

/* key->public_key and key->a are there. */
static void finish_public(struct mldsa_key *key)
{
    const struct mldsa_code *m = key->code->mldsa;
    const struct piece all = {key->public_key, key->set->public_size};
    hash(key, &all, 1, key->tr, sizeof key->tr);
    for (unsigned i = 0; i < key->set->k; i++) {
        struct mldsa_poly *t = &key->minus_t1[i];
        m->unpack(t, key->public_key + MLDSA_RHO_SIZE + i * BYTES(T1_BITS), T1_BITS);
        for (unsigned j = 0; j < MLDSA_N; j++)
            t->c[j] *= -(1 << MLDSA_D);
        m->ntt(t);
    }
    key->has_public = true;
}

/* Algorithm 6, lines 3 to 9: rho is in its place in key->public_key, key->s1 and key->s2 are not transformed
 * yet. */
static void finish_both(struct mldsa_key *key)
{
    const struct mldsa_code *m = key->code->mldsa;
    const struct mldsa_poly *a[MLDSA_L_MAX], *s[MLDSA_L_MAX];
    struct mldsa_poly t, t1;
    mldsa_draw_matrix(key, key->public_key);
    for (unsigned j = 0; j < key->set->l; j++) {
        m->ntt(&key->s1[j]);
        s[j] = &key->s1[j];
    }
    for (unsigned i = 0; i < key->set->k; i++) {
        for (unsigned j = 0; j < key->set->l; j++)
            a[j] = &key->a[i][j];
        m->multiply(&t, a, s, key->set->l);
        m->inverse_ntt(&t);
        m->add(&t, &key->s2[i]);
        m->power2round(&t1, &key->t0[i], &t);
        m->pack(key->public_key + MLDSA_RHO_SIZE + i * BYTES(T1_BITS), &t1, T1_BITS);
        m->ntt(&key->s2[i]);
        m->ntt(&key->t0[i]);
    }
    LATTICE_PUBLIC(key->public_key, key->set->public_size);
    finish_public(key);
    key->has_private = true;
    lattice_wipe(&t, sizeof t);
}

void mldsa_generate(struct mldsa_key *key, const uint8_t seed[MLDSA_SEED_SIZE])
{
    uint8_t all[MLDSA_RHO_SIZE + 64 + sizeof key->sign_seed]; /* rho, rho' and K */
    const uint8_t dimensions[2] = {(uint8_t)key->set->k, (uint8_t)key->set->l};
    const struct piece pieces[] = {{seed, MLDSA_SEED_SIZE}, {dimensions, sizeof dimensions}};
    hash(key, pieces, 2, all, sizeof all);
    memcpy(key->public_key, all, MLDSA_RHO_SIZE);
    LATTICE_PUBLIC(key->public_key, MLDSA_RHO_SIZE);
    mldsa_draw_secrets(key, all + MLDSA_RHO_SIZE);
    memcpy(key->sign_seed, all + MLDSA_RHO_SIZE + 64, sizeof key->sign_seed);
    memcpy(key->seed, seed, sizeof key->seed);
    finish_both(key);
    key->has_seed = true;
    lattice_wipe(all, sizeof all);
}

bool mldsa_read_public(struct mldsa_key *key, const uint8_t *p, size_t n)
{
    if (n != key->set->public_size)
        return false;
    memcpy(key->public_key, p, n);
    mldsa_draw_matrix(key, key->public_key);
    finish_public(key);
    return true;
}

/* Algorithm 17 or 19 of what s1, s2 and t0 are written with, one polynomial after the other, and back. */
static uint8_t *put_secret(const struct mldsa_key *key, uint8_t *out, const struct mldsa_poly *f,
                           unsigned bits, int32_t top)
{
    const struct mldsa_code *m = key->code->mldsa;
    struct mldsa_poly one, product;
    const struct mldsa_poly *ones[] = {&one}, *fs[] = {f};
    for (unsigned i = 0; i < MLDSA_N; i++)
        one.c[i] = 1; /* 1's transform: what inverse_ntt undoes is a product */
    m->multiply(&product, ones, fs, 1);
    m->inverse_ntt(&product);
    m->subtract_from(&product, top);
    m->pack(out, &product, bits);
    lattice_wipe(&product, sizeof product);
    return out + BYTES(bits);
}

void mldsa_write_private(const struct mldsa_key *key, uint8_t *out)
{
    const struct mldsa_set *set = key->set;
    const int32_t eta = (int32_t)set->eta;
    memcpy(out, key->public_key, MLDSA_RHO_SIZE);
    out += MLDSA_RHO_SIZE;
    memcpy(out, key->sign_seed, sizeof key->sign_seed);
    out += sizeof key->sign_seed;
    memcpy(out, key->tr, sizeof key->tr);
    out += sizeof key->tr;
    for (unsigned i = 0; i < set->l; i++)
        out = put_secret(key, out, &key->s1[i], secret_bits(set), eta);
    for (unsigned i = 0; i < set->k; i++)
        out = put_secret(key, out, &key->s2[i], secret_bits(set), eta);
    for (unsigned i = 0; i < set->k; i++)
        out = put_secret(key, out, &key->t0[i], T0_BITS, T0_TOP);
}

/* s1 or s2, n polynomials: false where a number is not in [-eta, eta]. */
static bool read_small(const struct mldsa_key *key, struct mldsa_poly *out, unsigned n, const uint8_t *p)
{
    const struct mldsa_code *m = key->code->mldsa;
    const int32_t eta = (int32_t)key->set->eta;
    for (unsigned i = 0; i < n; i++, p += BYTES(secret_bits(key->set))) {
        m->unpack(&out[i], p, secret_bits(key->set));
        m->subtract_from(&out[i], eta);
        if (m->reaches(&out[i], eta + 1))
            return false;
    }
    return true;
}

/* Of what may be secret, in the same time wherever they differ. */
static bool is_same(const uint8_t *a, const uint8_t *b, size_t n)
{
    uint8_t difference = 0;
    for (size_t i = 0; i < n; i++)
        difference |= (uint8_t)(a[i] ^ b[i]);
    LATTICE_PUBLIC(&difference, sizeof difference);
    return difference == 0;
}

bool mldsa_read_private(struct mldsa_key *key, const uint8_t *p, size_t n)
{
    const struct mldsa_set *set = key->set;
    uint8_t again[MLDSA_PRIVATE_MAX];
    if (n != set->private_size)
        return false;
    const uint8_t *sign_seed = p + MLDSA_RHO_SIZE, *s1 = sign_seed + sizeof key->sign_seed + sizeof key->tr;
    const uint8_t *s2 = s1 + set->l * BYTES(secret_bits(set));
    memcpy(key->public_key, p, MLDSA_RHO_SIZE);
    LATTICE_PUBLIC(key->public_key, MLDSA_RHO_SIZE);
    memcpy(key->sign_seed, sign_seed, sizeof key->sign_seed);
    bool good = read_small(key, key->s1, set->l, s1) && read_small(key, key->s2, set->k, s2);
    if (good) {
        finish_both(key);
        mldsa_write_private(key, again); /* t0 and tr follow from the rest */
        good = is_same(p, again, n);
        lattice_wipe(again, sizeof again);
    }
    if (good)
        return true;
    wipe_private(key);
    mldsa_clear(key);
    return false;
}

/* ---- messages ---- */

void mldsa_mu(const struct mldsa_key *key, const uint8_t *context, size_t context_n, const uint8_t *message,
              size_t n, uint8_t mu[MLDSA_MU_SIZE])
{
    assert(context_n <= MLDSA_CONTEXT_MAX);
    const uint8_t head[2] = {0, (uint8_t)context_n};
    const struct piece pieces[] = {
        {key->tr, sizeof key->tr}, {head, sizeof head}, {context, context_n}, {message, n}};
    hash(key, pieces, 4, mu, MLDSA_MU_SIZE);
}

void mldsa_mu_of_encoded(const struct mldsa_key *key, const uint8_t *encoded, size_t n,
                         uint8_t mu[MLDSA_MU_SIZE])
{
    const struct piece pieces[] = {{key->tr, sizeof key->tr}, {encoded, n}};
    hash(key, pieces, 2, mu, MLDSA_MU_SIZE);
}

/* c~ of mu and the commitment, k polynomials packed one after the other (algorithm 28). */
static void challenge_of(const struct mldsa_key *key, const uint8_t mu[MLDSA_MU_SIZE], const uint8_t *w1,
                         uint8_t *out)
{
    const struct piece pieces[] = {{mu, MLDSA_MU_SIZE}, {w1, key->set->k * BYTES(high_bits(key->set))}};
    hash(key, pieces, 2, out, key->set->challenge_size);
}

/* ---- signing ---- */

struct attempt {
    struct mldsa_masks masks;         /* y; then z */
    struct mldsa_poly y[MLDSA_L_MAX]; /* transformed */
    struct mldsa_poly w1[MLDSA_K_MAX], w0[MLDSA_K_MAX];
    struct mldsa_poly c, product; /* c is transformed */
    uint8_t packed[W1_BYTES_MAX]; /* w1 */
    uint8_t challenge[MLDSA_CHALLENGE_MAX];
    uint8_t hint[MLDSA_K_MAX][MLDSA_BITS_BYTES];
};

/* Algorithm 7, lines 11 to 17. */
static void commit(const struct mldsa_key *key, struct attempt *t, const uint8_t mu[MLDSA_MU_SIZE])
{
    const struct mldsa_code *m = key->code->mldsa;
    const struct mldsa_set *set = key->set;
    const struct mldsa_poly *a[MLDSA_L_MAX], *y[MLDSA_L_MAX];
    mldsa_masks_next(&t->masks, key);
    for (unsigned j = 0; j < set->l; j++) {
        t->y[j] = t->masks.y[j];
        m->ntt(&t->y[j]);
        y[j] = &t->y[j];
    }
    for (unsigned i = 0; i < set->k; i++) {
        for (unsigned j = 0; j < set->l; j++)
            a[j] = &key->a[i][j];
        m->multiply(&t->product, a, y, set->l);
        m->inverse_ntt(&t->product);
        m->decompose(&t->w1[i], &t->w0[i], &t->product, set->gamma2);
        m->pack(t->packed + i * BYTES(high_bits(set)), &t->w1[i], high_bits(set));
    }
    challenge_of(key, mu, t->packed, t->challenge);
    LATTICE_PUBLIC(t->challenge, sizeof t->challenge);
    mldsa_draw_challenge(&t->c, key, t->challenge);
    m->ntt(&t->c);
}

/* t->product = c * f */
static void by_challenge(const struct mldsa_key *key, struct attempt *t, const struct mldsa_poly *f)
{
    const struct mldsa_poly *c[] = {&t->c}, *fs[] = {f};
    key->code->mldsa->multiply(&t->product, c, fs, 1);
    key->code->mldsa->inverse_ntt(&t->product);
}

/* Lines 18 to 30: false where the signature would tell of the secrets, or be none. All have to hold, in
 * whatever order; the one that fails most comes first. */
static bool respond(const struct mldsa_key *key, struct attempt *t)
{
    const struct mldsa_code *m = key->code->mldsa;
    const struct mldsa_set *set = key->set;
    for (unsigned i = 0; i < set->k; i++) {
        by_challenge(key, t, &key->s2[i]);
        m->subtract(&t->w0[i], &t->product); /* r0 */
        if (m->reaches(&t->w0[i], set->gamma2 - set->beta))
            return false;
    }
    for (unsigned i = 0; i < set->l; i++) {
        by_challenge(key, t, &key->s1[i]);
        m->add(&t->masks.y[i], &t->product); /* z */
        if (m->reaches(&t->masks.y[i], set->gamma1 - set->beta))
            return false;
    }
    unsigned ones = 0;
    for (unsigned i = 0; i < set->k; i++) {
        by_challenge(key, t, &key->t0[i]);
        if (m->reaches(&t->product, set->gamma2))
            return false;
        m->add(&t->w0[i], &t->product);
        ones += m->make_hint(t->hint[i], &t->w1[i], &t->w0[i], set->gamma2);
    }
    return ones <= set->omega;
}

/* Algorithm 20, HintBitPack. */
static void write_hint(const struct mldsa_set *set, const struct attempt *t, uint8_t *out)
{
    unsigned n = 0;
    memset(out, 0, set->omega + set->k);
    for (unsigned i = 0; i < set->k; i++) {
        for (unsigned j = 0; j < MLDSA_N; j++)
            if ((t->hint[i][j / 8] >> j % 8 & 1) != 0)
                out[n++] = (uint8_t)j;
        out[set->omega + i] = (uint8_t)n;
    }
}

/* Algorithm 26, sigEncode. */
static void write_signature(const struct mldsa_key *key, struct attempt *t, uint8_t *out)
{
    const struct mldsa_set *set = key->set;
    memcpy(out, t->challenge, set->challenge_size);
    out += set->challenge_size;
    for (unsigned i = 0; i < set->l; i++, out += BYTES(mask_bits(set))) {
        key->code->mldsa->subtract_from(&t->masks.y[i], set->gamma1);
        key->code->mldsa->pack(out, &t->masks.y[i], mask_bits(set));
    }
    LATTICE_PUBLIC(t->hint, sizeof t->hint);
    write_hint(set, t, out);
}

bool mldsa_sign(const struct mldsa_key *key, const uint8_t mu[MLDSA_MU_SIZE],
                const uint8_t random[MLDSA_RANDOM_SIZE], uint8_t *signature)
{
    struct attempt t;
    uint8_t rho[64];
    const struct piece pieces[] = {
        {key->sign_seed, sizeof key->sign_seed}, {random, MLDSA_RANDOM_SIZE}, {mu, MLDSA_MU_SIZE}};
    hash(key, pieces, 3, rho, sizeof rho);
    mldsa_masks_start(&t.masks, rho);
    bool good = false;
    for (unsigned i = 0; i < ATTEMPTS_MAX && !good; i++) {
        commit(key, &t, mu);
        good = respond(key, &t);
    }
    if (good) {
        write_signature(key, &t, signature);
        LATTICE_PUBLIC(signature, key->set->signature_size);
    }
    lattice_wipe(&t, sizeof t);
    lattice_wipe(rho, sizeof rho);
    return good;
}

/* ---- verifying ---- */

/* Algorithm 21, HintBitUnpack, without unpacking: p stays as it is and is what use_hint reads; false where it
 * is not the one way to write a hint. */
static bool is_hint(const struct mldsa_set *set, const uint8_t *p)
{
    const uint8_t *ends = p + set->omega;
    unsigned n = 0;
    for (unsigned i = 0; i < set->k; i++) {
        if (ends[i] < n || ends[i] > set->omega)
            return false;
        for (unsigned first = n; n < ends[i]; n++)
            if (n > first && p[n - 1] >= p[n])
                return false;
    }
    for (; n < set->omega; n++)
        if (p[n] != 0)
            return false;
    return true;
}

/* Algorithm 40 for polynomial i, whose other coefficients keep their high part. */
static void use_hint(const struct mldsa_set *set, const uint8_t *p, unsigned i, struct mldsa_poly *high,
                     const struct mldsa_poly *low)
{
    const int32_t end = (MLDSA_Q - 1) / (2 * set->gamma2);
    for (unsigned n = i == 0 ? 0 : p[set->omega + i - 1]; n < p[set->omega + i]; n++) {
        int32_t *c = &high->c[p[n]];
        *c = (*c + (low->c[p[n]] > 0 ? 1 : end - 1)) % end;
    }
}

bool mldsa_verify(const struct mldsa_key *key, const uint8_t mu[MLDSA_MU_SIZE], const uint8_t *signature,
                  size_t n)
{
    const struct mldsa_code *m = key->code->mldsa;
    const struct mldsa_set *set = key->set;
    struct mldsa_poly z[MLDSA_L_MAX + 1], w, high, low; /* c is the last of z */
    const struct mldsa_poly *a[MLDSA_L_MAX + 1], *b[MLDSA_L_MAX + 1];
    uint8_t packed[W1_BYTES_MAX], challenge[MLDSA_CHALLENGE_MAX];
    if (n != set->signature_size)
        return false;
    const uint8_t *p = signature + set->challenge_size, *hint = p + set->l * BYTES(mask_bits(set));
    if (!is_hint(set, hint))
        return false;
    for (unsigned i = 0; i < set->l; i++, p += BYTES(mask_bits(set))) {
        m->unpack(&z[i], p, mask_bits(set));
        m->subtract_from(&z[i], set->gamma1);
        if (m->reaches(&z[i], set->gamma1 - set->beta))
            return false;
        m->ntt(&z[i]);
        b[i] = &z[i];
    }
    mldsa_draw_challenge(&z[set->l], key, signature);
    m->ntt(&z[set->l]);
    b[set->l] = &z[set->l];
    for (unsigned i = 0; i < set->k; i++) {
        for (unsigned j = 0; j < set->l; j++)
            a[j] = &key->a[i][j];
        a[set->l] = &key->minus_t1[i];
        m->multiply(&w, a, b, set->l + 1);
        m->inverse_ntt(&w);
        m->decompose(&high, &low, &w, set->gamma2);
        use_hint(set, hint, i, &high, &low);
        m->pack(packed + i * BYTES(high_bits(set)), &high, high_bits(set));
    }
    challenge_of(key, mu, packed, challenge);
    return memcmp(challenge, signature, set->challenge_size) == 0;
}
