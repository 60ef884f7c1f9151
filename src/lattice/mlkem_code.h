#ifndef PQOTA_LATTICE_MLKEM_CODE_H
#define PQOTA_LATTICE_MLKEM_CODE_H

/* The arithmetic of ML-KEM's polynomials as one kind of processor does it best: what
 * src/lattice/mlkem.c, which is the algorithm, is written in. Coefficients that go in and come out are
 * in [0, q) unless a row says otherwise; the order of a transformed polynomial is FIPS 203's, so that
 * every path gives the same bytes at every step. */

#include "lattice/mlkem.h"

#define MLKEM_Q 3329

/* A vector made ready to be multiplied with: see multiply. */
struct mlkem_factor {
    struct mlkem_poly swapped; /* b1, b0, b3, b2, ... */
    struct mlkem_poly zeta;    /* b0, b1 * zeta, b2, b3 * -zeta, ... */
};

struct mlkem_code {
    const char *name;
    /* Algorithm 9 and 10. */
    void (*ntt)(struct mlkem_poly *f);
    void (*inverse_ntt)(struct mlkem_poly *f);
    /* What multiply wants of its right side. */
    void (*prepare)(struct mlkem_factor *out, const struct mlkem_poly *b);
    /* Algorithm 11, summed: out = a[0]*b[0] + ... + a[k-1]*b[k-1], all of them transformed. */
    void (*multiply)(struct mlkem_poly *out, const struct mlkem_poly *const a[], const struct mlkem_factor *b,
                     unsigned k);
    void (*add)(struct mlkem_poly *f, const struct mlkem_poly *g);
    void (*subtract)(struct mlkem_poly *out, const struct mlkem_poly *f, const struct mlkem_poly *g);
    /* Algorithm 7's test of three bytes after the other: how many coefficients p, n bytes, gave; at most
     * room. */
    unsigned (*sample_uniform)(int16_t *out, unsigned room, const uint8_t *p, size_t n);
    /* Algorithm 8, from 64 * eta bytes. */
    void (*sample_noise)(struct mlkem_poly *out, unsigned eta, const uint8_t *p);
    /* Algorithms 5 and 6 with d = 12; read: false where a coefficient is q or more. */
    void (*write12)(uint8_t *out, const struct mlkem_poly *f);
    bool (*read12)(struct mlkem_poly *out, const uint8_t *p);
    /* Compress_d (4.7) and ByteEncode_d, ByteDecode_d and Decompress_d (4.8) in one; d: 1, 4, 5, 10 or
     * 11. */
    void (*compress)(uint8_t *out, const struct mlkem_poly *f, unsigned d);
    void (*decompress)(struct mlkem_poly *out, const uint8_t *p, unsigned d);
};

extern const struct mlkem_code mlkem_portable;
#ifdef LATTICE_X86_64
extern const struct mlkem_code mlkem_avx2;
#endif

#endif
