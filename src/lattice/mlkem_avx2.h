#ifndef PQOTA_LATTICE_MLKEM_AVX2_H
#define PQOTA_LATTICE_MLKEM_AVX2_H

/* What the two halves of ML-KEM's AVX2 code share: the transform and products (mlkem_avx2.c), and the
 * way between coefficients and bytes (mlkem_avx2_bytes.c). Only for files that are compiled for AVX2. */

#include <immintrin.h>

#include "lattice/mlkem_code.h"

#define Q MLKEM_Q
#define VECTOR 16 /* coefficients */

static inline __m256i load(const int16_t *p)
{
    return _mm256_load_si256((const __m256i *)p);
}

static inline void store(int16_t *p, __m256i v)
{
    _mm256_store_si256((__m256i *)p, v);
}

static inline __m256i all(int value)
{
    return _mm256_set1_epi16((short)value);
}

/* ---- arithmetic mod q ---- */

/* (-q, q) to [0, q): as a number without sign, what is negative is the larger one. */
static inline __m256i lift(__m256i a)
{
    return _mm256_min_epu16(a, _mm256_add_epi16(a, all(Q)));
}

/* [0, 2q) to [0, q) */
static inline __m256i lower(__m256i a)
{
    return _mm256_min_epu16(a, _mm256_sub_epi16(a, all(Q)));
}

/* Any a to [0, q): Barrett; rounding down leaves q itself for some. */
static inline __m256i reduce(__m256i a)
{
    __m256i quotient = _mm256_srai_epi16(_mm256_mulhi_epi16(a, all(20159)), 10);
    return lower(_mm256_sub_epi16(a, _mm256_mullo_epi16(quotient, all(Q))));
}

/* ---- between bytes and coefficients: rows of struct mlkem_code ---- */

unsigned mlkem_avx2_sample_uniform(int16_t *out, unsigned room, const uint8_t *p, size_t n);
void mlkem_avx2_sample_noise(struct mlkem_poly *out, unsigned eta, const uint8_t *p);
void mlkem_avx2_write12(uint8_t *out, const struct mlkem_poly *f);
bool mlkem_avx2_read12(struct mlkem_poly *out, const uint8_t *p);
void mlkem_avx2_compress(uint8_t *out, const struct mlkem_poly *f, unsigned d);
void mlkem_avx2_decompress(struct mlkem_poly *out, const uint8_t *p, unsigned d);

#endif
