#ifndef PQOTA_LATTICE_MLDSA_H
#define PQOTA_LATTICE_MLDSA_H

/* FIPS 204: ML-DSA-44, -65 and -87. Randomness is the caller's: each function is deterministic in what it is
 * given. Constant time in all that is secret; how often a signature was tried anew is not (section 3.6.4 and
 * the documents it goes back to): the challenges of attempts that were given up are taken for public. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice/lattice.h"

#define MLDSA_N 256
#define MLDSA_K_MAX 8
#define MLDSA_L_MAX 7
#define MLDSA_SEED_SIZE 32    /* xi, algorithm 1 */
#define MLDSA_RANDOM_SIZE 32  /* rnd, algorithm 2: zeroes for the deterministic variant */
#define MLDSA_MU_SIZE 64      /* the representative of a message */
#define MLDSA_CONTEXT_MAX 255 /* bytes of a context string */
#define MLDSA_CHALLENGE_MAX 64
#define MLDSA_PUBLIC_MAX 2592
#define MLDSA_PRIVATE_MAX 4896
#define MLDSA_SIGNATURE_MAX 4627

/* A row of tables 1 and 2 of FIPS 204. */
struct mldsa_set {
    const char *name; /* "ML-DSA-65" */
    unsigned k, l, eta, tau, omega;
    int32_t gamma1, gamma2, beta;
    size_t challenge_size; /* of c~: lambda / 4 bytes */
    size_t public_size, private_size, signature_size;
    unsigned strength; /* bits: 128, 192, 256 */
};

extern const struct mldsa_set mldsa_44, mldsa_65, mldsa_87;

struct mldsa_poly {
    _Alignas(64) int32_t c[MLDSA_N];
};

/* A key and what is worked out of it once; polynomials are transformed. Of one thread until it is made; then
 * any number may read it. */
struct mldsa_key {
    const struct mldsa_set *set;
    const struct lattice_code *code;
    bool has_public, has_private, has_seed;
    uint8_t public_key[MLDSA_PUBLIC_MAX];
    uint8_t tr[64];                                                      /* H(public_key) */
    uint8_t seed[MLDSA_SEED_SIZE];                                       /* where has_seed */
    uint8_t sign_seed[32];                                               /* K */
    struct mldsa_poly a[MLDSA_K_MAX][MLDSA_L_MAX];                       /* A-hat, by rows */
    struct mldsa_poly minus_t1[MLDSA_K_MAX];                             /* of -t1 * 2^13 */
    struct mldsa_poly s1[MLDSA_L_MAX], s2[MLDSA_K_MAX], t0[MLDSA_K_MAX]; /* where has_private */
};

/* An empty key. */
void mldsa_init(struct mldsa_key *key, const struct mldsa_set *set, const struct lattice_code *code);
/* Makes it empty again: secrets are wiped. */
void mldsa_clear(struct mldsa_key *key);

/* Algorithm 6, ML-DSA.KeyGen_internal: both halves from a seed. */
void mldsa_generate(struct mldsa_key *key, const uint8_t seed[MLDSA_SEED_SIZE]);
/* Algorithm 23, pkDecode: false, and the key stays empty, where n is not the set's. Any bytes are a key. */
bool mldsa_read_public(struct mldsa_key *key, const uint8_t *p, size_t n);
/* Algorithm 25, skDecode: both halves from an expanded private key; false, and the key stays empty, where the
 * length is wrong, a coefficient is out of range, or t0 or tr are not those of s1 and s2. */
bool mldsa_read_private(struct mldsa_key *key, const uint8_t *p, size_t n);
/* Algorithm 24, skEncode: of the set's size; only from a key that has it. The public half is
 * key->public_key. */
void mldsa_write_private(const struct mldsa_key *key, uint8_t *out);

/* Algorithm 2, line 10, and algorithm 7, line 6: the representative of a message with a context string of at
 * most MLDSA_CONTEXT_MAX bytes. */
void mldsa_mu(const struct mldsa_key *key, const uint8_t *context, size_t context_n, const uint8_t *message,
              size_t n, uint8_t mu[MLDSA_MU_SIZE]);
/* Algorithm 7, line 6, alone: of what already is an M'. */
void mldsa_mu_of_encoded(const struct mldsa_key *key, const uint8_t *encoded, size_t n,
                         uint8_t mu[MLDSA_MU_SIZE]);

/* Algorithm 7, ML-DSA.Sign_internal, from line 7 on: needs the private half. The signature is of the set's
 * size. false, and no signature: as many attempts failed as appendix C allows, which for a sound processor
 * happens with a probability of less than 2^-256. */
bool mldsa_sign(const struct mldsa_key *key, const uint8_t mu[MLDSA_MU_SIZE],
                const uint8_t random[MLDSA_RANDOM_SIZE], uint8_t *signature);
/* Algorithm 8, ML-DSA.Verify_internal, without line 7: needs the public half. */
bool mldsa_verify(const struct mldsa_key *key, const uint8_t mu[MLDSA_MU_SIZE], const uint8_t *signature,
                  size_t n);

#endif
