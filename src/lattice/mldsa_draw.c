#include "lattice/mldsa_draw.h"

#include <string.h>

#include "lattice/mldsa_code.h"

#define MATRIX_BLOCKS 5 /* of SHAKE128: 280 candidates, which are nearly always enough */
#define SECRET_BLOCKS 2 /* of SHAKE256: 544 candidates; 306 and 510 of them are taken on average */
#define MASK_BLOCKS 5   /* of SHAKE256: 256 coefficients of 20 bits */
#define INDEX_SIZE 2
#define POLYS_MAX (MLDSA_K_MAX * MLDSA_L_MAX)

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* ---- by rejection ---- */

/* A polynomial each, from a seed of its own. */
struct streams {
    enum keccak_rate rate;
    size_t first_blocks;
    unsigned eta; /* 0: uniform mod q */
    size_t seed_size;
};

static bool sample_more(const struct mldsa_code *m, const struct streams *s, struct mldsa_poly *out,
                        unsigned *have, const uint8_t *p, size_t n)
{
    if (s->eta == 0)
        *have += m->sample_uniform(out->c + *have, MLDSA_N - *have, p, n);
    else
        *have += m->sample_secret(out->c + *have, MLDSA_N - *have, p, n, s->eta);
    return *have == MLDSA_N;
}

/* As many of them as there are lanes, or fewer. */
static void sample_together(const struct lattice_code *code, const struct streams *s,
                            struct mldsa_poly *const out[], unsigned n, const uint8_t *const seeds[])
{
    struct shake_lanes lanes;
    uint8_t blocks[KECCAK_LANES_MAX][MATRIX_BLOCKS * SHAKE128_RATE];
    const uint8_t *in[KECCAK_LANES_MAX];
    uint8_t *to[KECCAK_LANES_MAX];
    unsigned have[KECCAK_LANES_MAX] = {0};
    for (unsigned i = 0; i < code->keccak->lanes; i++) {
        in[i] = seeds[i < n ? i : 0];
        to[i] = i < n ? blocks[i] : NULL;
    }
    shake_lanes_start(&lanes, code->keccak, s->rate, in, s->seed_size);
    unsigned left = n;
    for (size_t count = s->first_blocks; left > 0; count = 1) {
        shake_lanes_squeeze(&lanes, to, count);
        for (unsigned i = 0; i < n; i++)
            if (to[i] != NULL &&
                sample_more(code->mldsa, s, out[i], &have[i], blocks[i], count * (size_t)s->rate)) {
                to[i] = NULL;
                left--;
            }
    }
    if (s->eta != 0) {
        lattice_wipe(&lanes, sizeof lanes);
        lattice_wipe(blocks, sizeof blocks);
    }
}

static void sample_all(const struct lattice_code *code, const struct streams *s,
                       struct mldsa_poly *const out[], unsigned n, const uint8_t *const seeds[])
{
    unsigned lanes = code->keccak->lanes;
    for (unsigned i = 0; i < n; i += lanes)
        sample_together(code, s, out + i, smaller(n - i, lanes), seeds + i);
}

void mldsa_draw_matrix(struct mldsa_key *key, const uint8_t rho[MLDSA_RHO_SIZE])
{
    const struct streams streams = {
        .rate = SHAKE128_RATE, .first_blocks = MATRIX_BLOCKS, .seed_size = MLDSA_RHO_SIZE + INDEX_SIZE};
    uint8_t seed[POLYS_MAX][MLDSA_RHO_SIZE + INDEX_SIZE];
    const uint8_t *seeds[POLYS_MAX];
    struct mldsa_poly *out[POLYS_MAX];
    unsigned n = 0;
    for (unsigned i = 0; i < key->set->k; i++)
        for (unsigned j = 0; j < key->set->l; j++, n++) {
            memcpy(seed[n], rho, MLDSA_RHO_SIZE);
            seed[n][MLDSA_RHO_SIZE] = (uint8_t)j;
            seed[n][MLDSA_RHO_SIZE + 1] = (uint8_t)i;
            seeds[n] = seed[n];
            out[n] = &key->a[i][j];
        }
    sample_all(key->code, &streams, out, n, seeds);
}

void mldsa_draw_secrets(struct mldsa_key *key, const uint8_t rho_prime[64])
{
    const struct streams streams = {.rate = SHAKE256_RATE,
                                    .first_blocks = SECRET_BLOCKS,
                                    .eta = key->set->eta,
                                    .seed_size = 64 + INDEX_SIZE};
    uint8_t seed[MLDSA_L_MAX + MLDSA_K_MAX][64 + INDEX_SIZE];
    const uint8_t *seeds[MLDSA_L_MAX + MLDSA_K_MAX];
    struct mldsa_poly *out[MLDSA_L_MAX + MLDSA_K_MAX];
    unsigned l = key->set->l, n = l + key->set->k;
    for (unsigned i = 0; i < n; i++) {
        memcpy(seed[i], rho_prime, 64);
        seed[i][64] = (uint8_t)i;
        seed[i][65] = 0;
        seeds[i] = seed[i];
        out[i] = i < l ? &key->s1[i] : &key->s2[i - l];
    }
    sample_all(key->code, &streams, out, n, seeds);
    lattice_wipe(seed, sizeof seed);
}

/* ---- masks ---- */

void mldsa_masks_start(struct mldsa_masks *m, const uint8_t rho[64])
{
    memcpy(m->seed, rho, 64);
    m->have = m->drawn = 0;
}

static void draw_masks(struct mldsa_masks *m, const struct mldsa_key *key)
{
    const struct lattice_code *code = key->code;
    const unsigned bits = key->set->gamma1 == 1 << 17 ? 18 : 20;
    struct shake_lanes lanes;
    uint8_t blocks[KECCAK_LANES_MAX][MASK_BLOCKS * SHAKE256_RATE], seed[KECCAK_LANES_MAX][sizeof m->seed];
    const uint8_t *in[KECCAK_LANES_MAX];
    uint8_t *to[KECCAK_LANES_MAX];
    for (unsigned i = 0; i < code->keccak->lanes; i++) {
        memcpy(seed[i], m->seed, sizeof seed[i]);
        seed[i][64] = (uint8_t)m->drawn;
        seed[i][65] = (uint8_t)(m->drawn >> 8);
        m->drawn++;
        in[i] = seed[i];
        to[i] = blocks[i];
    }
    shake_lanes_start(&lanes, code->keccak, SHAKE256_RATE, in, sizeof seed[0]);
    shake_lanes_squeeze(&lanes, to, MASK_BLOCKS);
    for (unsigned i = 0; i < code->keccak->lanes; i++) {
        struct mldsa_poly *y = &m->y[m->have++];
        code->mldsa->unpack(y, blocks[i], bits);
        code->mldsa->subtract_from(y, key->set->gamma1);
    }
    lattice_wipe(&lanes, sizeof lanes);
    lattice_wipe(blocks, sizeof blocks);
    lattice_wipe(seed, sizeof seed);
}

void mldsa_masks_next(struct mldsa_masks *m, const struct mldsa_key *key)
{
    unsigned l = key->set->l;
    if (m->drawn > 0) {
        m->have -= l;
        memmove(m->y, m->y + l, m->have * sizeof m->y[0]);
    }
    while (m->have < l)
        draw_masks(m, key);
}

/* ---- challenges ---- */

void mldsa_draw_challenge(struct mldsa_poly *c, const struct mldsa_key *key, const uint8_t *seed)
{
    struct keccak k;
    uint8_t signs[8], block[SHAKE256_RATE - sizeof signs];
    keccak_start(&k, key->code->keccak, SHAKE256_RATE);
    keccak_absorb(&k, seed, key->set->challenge_size);
    keccak_end_shake(&k);
    keccak_squeeze(&k, signs, sizeof signs);
    keccak_squeeze(&k, block, sizeof block);
    memset(c, 0, sizeof *c);
    unsigned sign = 0, at = 0;
    for (unsigned i = MLDSA_N - key->set->tau; i < MLDSA_N;) {
        if (at == sizeof block) {
            keccak_squeeze(&k, block, sizeof block);
            at = 0;
        }
        unsigned j = block[at++];
        if (j > i)
            continue;
        c->c[i++] = c->c[j];
        c->c[j] = 1 - 2 * (int32_t)(signs[sign / 8] >> sign % 8 & 1);
        sign++;
    }
}
