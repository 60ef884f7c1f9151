#ifndef PQOTA_LATTICE_KECCAK_H
#define PQOTA_LATTICE_KECCAK_H

/* FIPS 202: Keccak-f[1600], and SHA3 and SHAKE over it; one stream, or several side by side, one in each lane
 * of the processor's vectors. Constant time in what is hashed; lengths are public. Whoever hashes a secret
 * wipes the struct (lattice_wipe). Nothing here allocates or fails. */

#include <stddef.h>
#include <stdint.h>

#define KECCAK_WORDS 25
#define KECCAK_LANES_MAX 8

enum keccak_rate { /* bytes of a block: 200 - 2 * security strength in bytes */
                   SHAKE128_RATE = 168,
                   SHAKE256_RATE = 136,
                   SHA3_256_RATE = 136,
                   SHA3_512_RATE = 72,
};

/* The permutation as one kind of processor does it best. */
struct keccak_code {
    const char *name; /* "portable", "avx2", "avx512" */
    unsigned lanes;   /* states that permute_lanes takes: 1 to KECCAK_LANES_MAX */
    void (*permute)(uint64_t state[KECCAK_WORDS]);
    /* Word i of lane j is state[i * lanes + j]; state is aligned to 64 bytes. */
    void (*permute_lanes)(uint64_t *state);
    /* The first words of each lane, 8 to 24 of them, as bytes to out's lanes places. An out that is NULL is a
     * lane nobody reads. */
    void (*deal)(uint8_t *const out[], const uint64_t *state, unsigned words);
};

extern const struct keccak_code keccak_portable;
#ifdef LATTICE_X86_64
extern const struct keccak_code keccak_avx2;   /* needs AVX2, BMI1 and BMI2 */
extern const struct keccak_code keccak_avx512; /* and AVX-512 F and VL */
#endif

/* ---- one stream ---- */

struct keccak {
    const struct keccak_code *code;
    uint64_t state[KECCAK_WORDS];
    unsigned rate, at; /* bytes of a block, and of them taken or given */
};

void keccak_start(struct keccak *k, const struct keccak_code *code, enum keccak_rate rate);
void keccak_absorb(struct keccak *k, const uint8_t *p, size_t n);
/* After the last byte: SHAKE's (FIPS 202 section 6.2) and SHA3's (6.1) padding. */
void keccak_end_shake(struct keccak *k);
void keccak_end_sha3(struct keccak *k);
/* Only after an end; as often as one likes. */
void keccak_squeeze(struct keccak *k, uint8_t *out, size_t n);

void sha3_256(const struct keccak_code *code, const uint8_t *p, size_t n, uint8_t out[32]);
void sha3_512(const struct keccak_code *code, const uint8_t *p, size_t n, uint8_t out[64]);

/* ---- SHAKE, code->lanes streams side by side ---- */

struct shake_lanes {
    _Alignas(64) uint64_t state[KECCAK_WORDS * KECCAK_LANES_MAX];
    const struct keccak_code *code;
    unsigned rate;
};

/* in: code->lanes inputs of n bytes each, n < rate. */
void shake_lanes_start(struct shake_lanes *s, const struct keccak_code *code, enum keccak_rate rate,
                       const uint8_t *const in[], size_t n);
/* The next whole blocks of each lane; out: code->lanes places of blocks * rate bytes, or NULL for a lane that
 * nobody reads. */
void shake_lanes_squeeze(struct shake_lanes *s, uint8_t *const out[], size_t blocks);

#endif
