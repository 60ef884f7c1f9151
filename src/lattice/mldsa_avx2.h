#ifndef PQOTA_LATTICE_MLDSA_AVX2_H
#define PQOTA_LATTICE_MLDSA_AVX2_H

/* What the two halves of ML-DSA's AVX2 code share: the transform, products and roundings (mldsa_avx2.c), and
 * the way between coefficients and bytes (mldsa_avx2_bytes.c). Only for files that are compiled for AVX2. */

#include <immintrin.h>

#include "lattice/mldsa_code.h"

#define Q MLDSA_Q
#define VECTOR 8 /* coefficients */

static inline __m256i load(const int32_t *p)
{
    return _mm256_load_si256((const __m256i *)p);
}

static inline void store(int32_t *p, __m256i v)
{
    _mm256_store_si256((__m256i *)p, v);
}

static inline __m256i all(int32_t value)
{
    return _mm256_set1_epi32(value);
}

/* ---- between bytes and coefficients: rows of struct mldsa_code ---- */

unsigned mldsa_avx2_sample_uniform(int32_t *out, unsigned room, const uint8_t *p, size_t n);
unsigned mldsa_avx2_sample_secret(int32_t *out, unsigned room, const uint8_t *p, size_t n, unsigned eta);
void mldsa_avx2_pack(uint8_t *out, const struct mldsa_poly *f, unsigned bits);
void mldsa_avx2_unpack(struct mldsa_poly *out, const uint8_t *p, unsigned bits);

#endif
