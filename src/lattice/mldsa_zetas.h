#ifndef PQOTA_LATTICE_MLDSA_ZETAS_H
#define PQOTA_LATTICE_MLDSA_ZETAS_H

/* Constants of ML-DSA's transform, and the reduction that all its code paths share. */

#include <stdint.h>

#include "lattice/mldsa_code.h"

#define MLDSA_Q_INVERSE 58728449 /* of q mod 2^32 */
#define MLDSA_LAST_FACTOR 41978  /* 2^64 / 256 mod q: what ends the inverse transform */

/* 1753^BitRev8(i) in Montgomery's form. */
extern const _Alignas(64) int32_t mldsa_zetas[256];

#endif
