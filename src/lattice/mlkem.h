#ifndef PQOTA_LATTICE_MLKEM_H
#define PQOTA_LATTICE_MLKEM_H

/* FIPS 203: ML-KEM-512, -768 and -1024. Randomness is the caller's: each function is deterministic in
 * what it is given. Constant time in all that is secret. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice/lattice.h"

#define MLKEM_N 256
#define MLKEM_K_MAX 4
#define MLKEM_SEED_SIZE 64 /* d || z, section 7.1 */
#define MLKEM_MESSAGE_SIZE 32
#define MLKEM_SECRET_SIZE 32
#define MLKEM_PUBLIC_MAX 1568
#define MLKEM_PRIVATE_MAX 3168
#define MLKEM_CIPHERTEXT_MAX 1568

/* A row of tables 2 and 3 of FIPS 203. */
struct mlkem_set {
    const char *name; /* "ML-KEM-768" */
    unsigned k, eta1, du, dv;
    size_t public_size, private_size, ciphertext_size;
    unsigned strength; /* bits: 128, 192, 256 */
};

extern const struct mlkem_set mlkem_512, mlkem_768, mlkem_1024;

struct mlkem_poly {
    _Alignas(64) int16_t c[MLKEM_N];
};

/* A key and what is worked out of it once. Of one thread until it is made; then any number may read it. */
struct mlkem_key {
    const struct mlkem_set *set;
    const struct lattice_code *code;
    bool has_public, has_private, has_seed;
    uint8_t public_key[MLKEM_PUBLIC_MAX];
    uint8_t public_hash[32];       /* H(public_key) */
    uint8_t seed[MLKEM_SEED_SIZE]; /* where has_seed */
    uint8_t reject[32];            /* z */
    struct mlkem_poly t[MLKEM_K_MAX];
    struct mlkem_poly a[MLKEM_K_MAX][MLKEM_K_MAX]; /* A-hat, by rows */
    struct mlkem_poly s[MLKEM_K_MAX];              /* where has_private */
};

/* An empty key. */
void mlkem_init(struct mlkem_key *key, const struct mlkem_set *set, const struct lattice_code *code);
/* Makes it empty again: secrets are wiped. */
void mlkem_clear(struct mlkem_key *key);

/* Algorithm 16, ML-KEM.KeyGen_internal: both halves from a seed. */
void mlkem_generate(struct mlkem_key *key, const uint8_t seed[MLKEM_SEED_SIZE]);
/* Section 7.2: false, and the key stays empty, where p is of another length or a coefficient is not
 * reduced. */
bool mlkem_read_public(struct mlkem_key *key, const uint8_t *p, size_t n);
/* Section 7.3: both halves from a decapsulation key; false, and the key stays empty, where the length,
 * the public half, its hash or a coefficient is wrong. */
bool mlkem_read_private(struct mlkem_key *key, const uint8_t *p, size_t n);
/* Of the set's sizes; only from a key that has it. The public half is key->public_key. */
void mlkem_write_private(const struct mlkem_key *key, uint8_t *out);

/* Algorithm 17, ML-KEM.Encaps_internal: needs the public half. */
void mlkem_encapsulate(const struct mlkem_key *key, const uint8_t message[MLKEM_MESSAGE_SIZE],
                       uint8_t *ciphertext, uint8_t secret[MLKEM_SECRET_SIZE]);
/* Algorithm 18, ML-KEM.Decaps_internal, with its implicit rejection: needs the private half. The
 * ciphertext is of the set's size. */
void mlkem_decapsulate(const struct mlkem_key *key, const uint8_t *ciphertext,
                       uint8_t secret[MLKEM_SECRET_SIZE]);

#endif
