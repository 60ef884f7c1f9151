#include "lattice/mlkem.h"

#include <string.h>

#include "lattice/keccak.h"
#include "lattice/mlkem_code.h"
#include "lattice/secret.h"

#define SYMBYTES 32
#define BYTES12 384    /* of a polynomial with 12 bits a coefficient */
#define NOISES_MAX 9   /* polynomials of noise that one operation draws: y, e1 and e2 with k = 4 */
#define NOISE_BLOCKS 2 /* of SHAKE256: 64 * 3 bytes are two */
#define FIRST_BLOCKS 3 /* of SHAKE128: 504 bytes are 336 candidates, which are enough 99 times in 100 */

const struct mlkem_set mlkem_512 = {.name = "ML-KEM-512",
                                    .k = 2,
                                    .eta1 = 3,
                                    .du = 10,
                                    .dv = 4,
                                    .public_size = 800,
                                    .private_size = 1632,
                                    .ciphertext_size = 768,
                                    .strength = 128};
const struct mlkem_set mlkem_768 = {.name = "ML-KEM-768",
                                    .k = 3,
                                    .eta1 = 2,
                                    .du = 10,
                                    .dv = 4,
                                    .public_size = 1184,
                                    .private_size = 2400,
                                    .ciphertext_size = 1088,
                                    .strength = 192};
const struct mlkem_set mlkem_1024 = {.name = "ML-KEM-1024",
                                     .k = 4,
                                     .eta1 = 2,
                                     .du = 11,
                                     .dv = 5,
                                     .public_size = 1568,
                                     .private_size = 3168,
                                     .ciphertext_size = 1568,
                                     .strength = 256};

void mlkem_init(struct mlkem_key *key, const struct mlkem_set *set, const struct lattice_code *code)
{
    key->set = set;
    key->code = code;
    key->has_public = key->has_private = key->has_seed = false;
}

void mlkem_clear(struct mlkem_key *key)
{
    if (key->has_private) {
        lattice_wipe(key->seed, sizeof key->seed);
        lattice_wipe(key->reject, sizeof key->reject);
        lattice_wipe(key->s, sizeof key->s);
    }
    key->has_public = key->has_private = key->has_seed = false;
}

/* ---- what is drawn ---- */

/* Algorithm 7, SampleNTT, of one stream that is further along than its neighbours' share. */
struct uniform {
    struct mlkem_poly *out;
    unsigned have;
};

static bool sample_more(const struct mlkem_code *m, struct uniform *u, const uint8_t *p, size_t n)
{
    u->have += m->sample_uniform(u->out->c + u->have, MLKEM_N - u->have, p, n);
    return u->have == MLKEM_N;
}

static void sample_alone(const struct lattice_code *code, struct mlkem_poly *out, const uint8_t *seed,
                         size_t n)
{
    struct uniform u = {.out = out};
    struct keccak k;
    uint8_t block[SHAKE128_RATE];
    keccak_start(&k, code->keccak, SHAKE128_RATE);
    keccak_absorb(&k, seed, n);
    keccak_end_shake(&k);
    do
        keccak_squeeze(&k, block, sizeof block);
    while (!sample_more(code->mlkem, &u, block, sizeof block));
}

/* As many of them as there are lanes, or fewer. */
static void sample_together(const struct lattice_code *code, struct mlkem_poly *const out[], unsigned n,
                            const uint8_t *const seeds[], size_t seed_size)
{
    struct shake_lanes lanes;
    uint8_t blocks[KECCAK_LANES_MAX][FIRST_BLOCKS * SHAKE128_RATE];
    const uint8_t *in[KECCAK_LANES_MAX];
    uint8_t *to[KECCAK_LANES_MAX];
    struct uniform u[KECCAK_LANES_MAX];
    for (unsigned i = 0; i < code->keccak->lanes; i++) {
        in[i] = seeds[i < n ? i : 0];
        to[i] = i < n ? blocks[i] : NULL;
        u[i] = (struct uniform){.out = i < n ? out[i] : NULL};
    }
    shake_lanes_start(&lanes, code->keccak, SHAKE128_RATE, in, seed_size);
    unsigned left = n;
    for (size_t count = FIRST_BLOCKS; left > 0; count = 1) {
        shake_lanes_squeeze(&lanes, to, count);
        for (unsigned i = 0; i < n; i++)
            if (to[i] != NULL && sample_more(code->mlkem, &u[i], blocks[i], count * SHAKE128_RATE)) {
                to[i] = NULL;
                left--;
            }
    }
}

/* Algorithm 13, lines 3 to 7: A-hat from rho. */
static void expand_matrix(struct mlkem_key *key, const uint8_t rho[SYMBYTES])
{
    unsigned k = key->set->k, lanes = key->code->keccak->lanes;
    uint8_t seed[MLKEM_K_MAX * MLKEM_K_MAX][SYMBYTES + 2];
    const uint8_t *seeds[MLKEM_K_MAX * MLKEM_K_MAX];
    struct mlkem_poly *out[MLKEM_K_MAX * MLKEM_K_MAX];
    for (unsigned i = 0, n = 0; i < k; i++)
        for (unsigned j = 0; j < k; j++, n++) {
            memcpy(seed[n], rho, SYMBYTES);
            seed[n][SYMBYTES] = (uint8_t)j;
            seed[n][SYMBYTES + 1] = (uint8_t)i;
            seeds[n] = seed[n];
            out[n] = &key->a[i][j];
        }
    for (unsigned n = 0; n < k * k; n += lanes)
        if (n + 1 == k * k) /* a vector for one is dearer than one alone */
            sample_alone(key->code, out[n], seed[n], sizeof seed[n]);
        else
            sample_together(key->code, out + n, k * k - n < lanes ? k * k - n : lanes, seeds + n,
                            sizeof seed[n]);
}

struct noise {
    struct mlkem_poly *out;
    unsigned eta;
};

/* SamplePolyCBD(PRF_eta(seed, i)) for i = 0 to n - 1: section 4.1's PRF, algorithm 8. */
static void sample_noises(const struct lattice_code *code, const uint8_t seed[SYMBYTES],
                          const struct noise *noise, unsigned n)
{
    struct shake_lanes lanes;
    uint8_t blocks[KECCAK_LANES_MAX][NOISE_BLOCKS * SHAKE256_RATE], input[KECCAK_LANES_MAX][SYMBYTES + 1];
    const uint8_t *in[KECCAK_LANES_MAX];
    uint8_t *to[KECCAK_LANES_MAX];
    unsigned width = code->keccak->lanes;
    for (unsigned first = 0; first < n; first += width) {
        size_t count = 1;
        for (unsigned i = 0; i < width; i++) {
            bool used = first + i < n;
            memcpy(input[i], seed, SYMBYTES);
            input[i][SYMBYTES] = (uint8_t)(first + i);
            in[i] = input[i];
            to[i] = used ? blocks[i] : NULL;
            if (used && noise[first + i].eta == 3)
                count = 2;
        }
        shake_lanes_start(&lanes, code->keccak, SHAKE256_RATE, in, sizeof input[0]);
        shake_lanes_squeeze(&lanes, to, count);
        for (unsigned i = 0; i < width && first + i < n; i++)
            code->mlkem->sample_noise(noise[first + i].out, noise[first + i].eta, blocks[i]);
    }
    lattice_wipe(&lanes, sizeof lanes);
    lattice_wipe(blocks, sizeof blocks);
    lattice_wipe(input, sizeof input);
}

static unsigned list_noises(struct noise *list, unsigned n, struct mlkem_poly *polys, unsigned count,
                            unsigned eta)
{
    for (unsigned i = 0; i < count; i++)
        list[n + i] = (struct noise){.out = &polys[i], .eta = eta};
    return n + count;
}

/* ---- keys ---- */

/* The bytes of both halves are in their places: what is worked out of them. */
static void finish_public(struct mlkem_key *key)
{
    sha3_256(key->code->keccak, key->public_key, key->set->public_size, key->public_hash);
    key->has_public = true;
}

void mlkem_generate(struct mlkem_key *key, const uint8_t seed[MLKEM_SEED_SIZE])
{
    const struct mlkem_code *m = key->code->mlkem;
    unsigned k = key->set->k;
    uint8_t input[SYMBYTES + 1], both[2 * SYMBYTES]; /* d || k, and rho || sigma */
    struct noise noise[NOISES_MAX] = {0};
    struct mlkem_poly e[MLKEM_K_MAX];
    struct mlkem_factor s[MLKEM_K_MAX];

    /* Algorithm 13, K-PKE.KeyGen. */
    memcpy(input, seed, SYMBYTES);
    input[SYMBYTES] = (uint8_t)k;
    sha3_512(key->code->keccak, input, sizeof input, both);
    LATTICE_PUBLIC(both, SYMBYTES);
    expand_matrix(key, both);
    unsigned n = list_noises(noise, 0, key->s, k, key->set->eta1);
    n = list_noises(noise, n, e, k, key->set->eta1);
    sample_noises(key->code, both + SYMBYTES, noise, n);
    for (unsigned i = 0; i < k; i++) {
        m->ntt(&key->s[i]);
        m->ntt(&e[i]);
        m->prepare(&s[i], &key->s[i]);
    }
    for (unsigned i = 0; i < k; i++) {
        const struct mlkem_poly *row[MLKEM_K_MAX];
        for (unsigned j = 0; j < k; j++)
            row[j] = &key->a[i][j];
        m->multiply(&key->t[i], row, s, k);
        m->add(&key->t[i], &e[i]);
        m->write12(key->public_key + i * BYTES12, &key->t[i]);
    }
    memcpy(key->public_key + k * BYTES12, both, SYMBYTES);
    LATTICE_PUBLIC(key->public_key, key->set->public_size);
    LATTICE_PUBLIC(key->t, sizeof key->t);

    memcpy(key->seed, seed, sizeof key->seed);
    memcpy(key->reject, seed + SYMBYTES, sizeof key->reject);
    finish_public(key);
    key->has_private = key->has_seed = true;
    lattice_wipe(input, sizeof input);
    lattice_wipe(both, sizeof both);
    lattice_wipe(e, sizeof e);
    lattice_wipe(s, sizeof s);
}

bool mlkem_read_public(struct mlkem_key *key, const uint8_t *p, size_t n)
{
    const struct mlkem_set *set = key->set;
    if (n != set->public_size)
        return false;
    for (unsigned i = 0; i < set->k; i++)
        if (!key->code->mlkem->read12(&key->t[i], p + i * BYTES12))
            return false;
    memcpy(key->public_key, p, n);
    expand_matrix(key, p + set->k * BYTES12);
    finish_public(key);
    return true;
}

bool mlkem_read_private(struct mlkem_key *key, const uint8_t *p, size_t n)
{
    const struct mlkem_set *set = key->set;
    const uint8_t *public_key = p + set->k * BYTES12, *hash = public_key + set->public_size;
    if (n != set->private_size || !mlkem_read_public(key, public_key, set->public_size))
        return false;
    bool good = memcmp(key->public_hash, hash, SYMBYTES) == 0;
    for (unsigned i = 0; good && i < set->k; i++)
        good = key->code->mlkem->read12(&key->s[i], p + i * BYTES12);
    memcpy(key->reject, hash + SYMBYTES, SYMBYTES);
    key->has_private = true;
    if (!good)
        mlkem_clear(key);
    return good;
}

void mlkem_write_private(const struct mlkem_key *key, uint8_t *out)
{
    const struct mlkem_set *set = key->set;
    uint8_t *public_key = out + set->k * BYTES12, *hash = public_key + set->public_size;
    for (unsigned i = 0; i < set->k; i++)
        key->code->mlkem->write12(out + i * BYTES12, &key->s[i]);
    memcpy(public_key, key->public_key, set->public_size);
    memcpy(hash, key->public_hash, SYMBYTES);
    memcpy(hash + SYMBYTES, key->reject, SYMBYTES);
}

/* ---- K-PKE ---- */

/* Algorithm 14, K-PKE.Encrypt. */
static void encrypt(const struct mlkem_key *key, const uint8_t message[MLKEM_MESSAGE_SIZE],
                    const uint8_t randomness[SYMBYTES], uint8_t *ciphertext)
{
    const struct mlkem_code *m = key->code->mlkem;
    const struct mlkem_set *set = key->set;
    unsigned k = set->k;
    struct noise noise[NOISES_MAX] = {0};
    struct {
        struct mlkem_poly y[MLKEM_K_MAX], e1[MLKEM_K_MAX], e2, u, v, message;
        struct mlkem_factor factor[MLKEM_K_MAX];
    } w;
    const struct mlkem_poly *row[MLKEM_K_MAX];

    unsigned n = list_noises(noise, 0, w.y, k, set->eta1);
    n = list_noises(noise, n, w.e1, k, 2);
    n = list_noises(noise, n, &w.e2, 1, 2);
    sample_noises(key->code, randomness, noise, n);
    for (unsigned i = 0; i < k; i++) {
        m->ntt(&w.y[i]);
        m->prepare(&w.factor[i], &w.y[i]);
    }
    for (unsigned i = 0; i < k; i++) {
        for (unsigned j = 0; j < k; j++)
            row[j] = &key->a[j][i]; /* transposed */
        m->multiply(&w.u, row, w.factor, k);
        m->inverse_ntt(&w.u);
        m->add(&w.u, &w.e1[i]);
        m->compress(ciphertext, &w.u, set->du);
        ciphertext += (size_t)MLKEM_N / 8 * set->du;
    }
    for (unsigned j = 0; j < k; j++)
        row[j] = &key->t[j];
    m->multiply(&w.v, row, w.factor, k);
    m->inverse_ntt(&w.v);
    m->add(&w.v, &w.e2);
    m->decompress(&w.message, message, 1);
    m->add(&w.v, &w.message);
    m->compress(ciphertext, &w.v, set->dv);
    lattice_wipe(&w, sizeof w);
}

/* Algorithm 15, K-PKE.Decrypt. */
static void decrypt(const struct mlkem_key *key, const uint8_t *ciphertext,
                    uint8_t message[MLKEM_MESSAGE_SIZE])
{
    const struct mlkem_code *m = key->code->mlkem;
    const struct mlkem_set *set = key->set;
    struct {
        struct mlkem_poly u, v, product;
        struct mlkem_factor factor[MLKEM_K_MAX];
    } w;
    const struct mlkem_poly *s[MLKEM_K_MAX];
    for (unsigned i = 0; i < set->k; i++) {
        m->decompress(&w.u, ciphertext, set->du);
        m->ntt(&w.u);
        m->prepare(&w.factor[i], &w.u);
        s[i] = &key->s[i];
        ciphertext += (size_t)MLKEM_N / 8 * set->du;
    }
    m->multiply(&w.product, s, w.factor, set->k);
    m->inverse_ntt(&w.product);
    m->decompress(&w.v, ciphertext, set->dv);
    m->subtract(&w.v, &w.v, &w.product);
    m->compress(message, &w.v, 1);
    lattice_wipe(&w, sizeof w);
}

/* ---- ML-KEM ---- */

/* (K, r) = G(m || H(ek)): K is the shared secret, r the randomness of the encryption. */
static void derive(const struct mlkem_key *key, const uint8_t message[MLKEM_MESSAGE_SIZE],
                   uint8_t out[2 * SYMBYTES])
{
    uint8_t input[MLKEM_MESSAGE_SIZE + SYMBYTES];
    memcpy(input, message, MLKEM_MESSAGE_SIZE);
    memcpy(input + MLKEM_MESSAGE_SIZE, key->public_hash, SYMBYTES);
    sha3_512(key->code->keccak, input, sizeof input, out);
    lattice_wipe(input, sizeof input);
}

void mlkem_encapsulate(const struct mlkem_key *key, const uint8_t message[MLKEM_MESSAGE_SIZE],
                       uint8_t *ciphertext, uint8_t secret[MLKEM_SECRET_SIZE])
{
    uint8_t both[2 * SYMBYTES];
    derive(key, message, both);
    encrypt(key, message, both + SYMBYTES, ciphertext);
    memcpy(secret, both, MLKEM_SECRET_SIZE);
    lattice_wipe(both, sizeof both);
}

/* J(z || c): what a ciphertext that nobody made for this key gives. */
static void reject(const struct mlkem_key *key, const uint8_t *ciphertext, uint8_t secret[MLKEM_SECRET_SIZE])
{
    struct keccak k;
    keccak_start(&k, key->code->keccak, SHAKE256_RATE);
    keccak_absorb(&k, key->reject, sizeof key->reject);
    keccak_absorb(&k, ciphertext, key->set->ciphertext_size);
    keccak_end_shake(&k);
    keccak_squeeze(&k, secret, MLKEM_SECRET_SIZE);
    lattice_wipe(&k, sizeof k);
}

/* 0xff where the two are the same, else 0, in the same time. */
static uint8_t same_mask(const uint8_t *a, const uint8_t *b, size_t n)
{
    uint8_t difference = 0;
    for (size_t i = 0; i < n; i++)
        difference |= (uint8_t)(a[i] ^ b[i]);
    return (uint8_t)((uint32_t)(difference - 1U) >> 8 & 0xff);
}

void mlkem_decapsulate(const struct mlkem_key *key, const uint8_t *ciphertext,
                       uint8_t secret[MLKEM_SECRET_SIZE])
{
    uint8_t message[MLKEM_MESSAGE_SIZE], both[2 * SYMBYTES], rejected[MLKEM_SECRET_SIZE];
    uint8_t again[MLKEM_CIPHERTEXT_MAX];
    decrypt(key, ciphertext, message);
    derive(key, message, both);
    reject(key, ciphertext, rejected);
    encrypt(key, message, both + SYMBYTES, again);
    uint8_t same = same_mask(ciphertext, again, key->set->ciphertext_size);
    for (size_t i = 0; i < MLKEM_SECRET_SIZE; i++)
        secret[i] = (uint8_t)((both[i] & same) | (rejected[i] & (uint8_t)~same));
    lattice_wipe(message, sizeof message);
    lattice_wipe(both, sizeof both);
    lattice_wipe(rejected, sizeof rejected);
    lattice_wipe(again, sizeof again);
}
