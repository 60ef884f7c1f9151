#ifndef PQOTA_LATTICE_MLDSA_CODE_H
#define PQOTA_LATTICE_MLDSA_CODE_H

/* The arithmetic of ML-DSA's polynomials as one kind of processor does it best: what src/lattice/mldsa.c,
 * which is the algorithm, is written in. Every path gives the same numbers at every step, in the order of
 * FIPS 204; which of a residue's numbers they are is said at each row. A yes or no that comes back is
 * public. */

#include "lattice/mldsa.h"

#define MLDSA_Q 8380417
#define MLDSA_D 13
#define MLDSA_BITS_BYTES (MLDSA_N / 8)

struct mldsa_code {
    const char *name;
    /* Algorithm 41: from (-q, q) to (-6q, 6q). */
    void (*ntt)(struct mldsa_poly *f);
    /* 2^-32 * (a[0]*b[0] + ... + a[n-1]*b[n-1]), all of them transformed, in (-6q, 6q), and at most
     * MLDSA_L_MAX + 1; to (-q, q). */
    void (*multiply)(struct mldsa_poly *out, const struct mldsa_poly *const a[],
                     const struct mldsa_poly *const b[], unsigned n);
    /* 2^32 times algorithm 42, so that multiply's factor is gone: from (-q, q) to (-q, q), of which it is the
     * number next to 0 where that is within q / 4. */
    void (*inverse_ntt)(struct mldsa_poly *f);

    void (*add)(struct mldsa_poly *f, const struct mldsa_poly *g);
    void (*subtract)(struct mldsa_poly *f, const struct mldsa_poly *g);
    /* f = b - f: between the numbers that algorithms 17 and 19 write and what they stand for. */
    void (*subtract_from)(struct mldsa_poly *f, int32_t b);
    /* Whether some |c| >= bound: the infinity norm of section 2.3, for numbers that are next to 0. */
    bool (*reaches)(const struct mldsa_poly *f, int32_t bound);

    /* Algorithm 14 for three bytes after the other: how many coefficients p, n bytes, gave; at most room. */
    unsigned (*sample_uniform)(int32_t *out, unsigned room, const uint8_t *p, size_t n);
    /* Algorithm 15 for half a byte after the other. */
    unsigned (*sample_secret)(int32_t *out, unsigned room, const uint8_t *p, size_t n, unsigned eta);

    /* Algorithms 16 and 18 with 3, 4, 6, 10, 13, 18 or 20 bits a coefficient. */
    void (*pack)(uint8_t *out, const struct mldsa_poly *f, unsigned bits);
    void (*unpack)(struct mldsa_poly *out, const uint8_t *p, unsigned bits);

    /* Algorithm 35: from (-q, q); high is not negative, low in (-2^12, 2^12]. */
    void (*power2round)(struct mldsa_poly *high, struct mldsa_poly *low, const struct mldsa_poly *f);
    /* Algorithm 36: from (-q, q); high is not negative, low in [-gamma2, gamma2]. */
    void (*decompose)(struct mldsa_poly *high, struct mldsa_poly *low, const struct mldsa_poly *f,
                      int32_t gamma2);
    /* Algorithm 39 for a number whose high part was high, and whose low part is low after something small was
     * added: the bits where that changed the high part, the first the lowest, and how many they are. */
    unsigned (*make_hint)(uint8_t bits[MLDSA_BITS_BYTES], const struct mldsa_poly *high,
                          const struct mldsa_poly *low, int32_t gamma2);
};

extern const struct mldsa_code mldsa_portable;
#ifdef LATTICE_X86_64
extern const struct mldsa_code mldsa_avx2;
#endif

#endif
