#ifndef PQOTA_LATTICE_MLKEM_ZETAS_H
#define PQOTA_LATTICE_MLKEM_ZETAS_H

/* Constants of ML-KEM's transform, and the reduction that all its code paths share. */

#include <stdint.h>

#include "lattice/mlkem_code.h"

#define MLKEM_Q_INVERSE (-3327) /* of q mod 2^16 */
#define MLKEM_R_SQUARED 1353    /* 2^32 mod q: into Montgomery's form */

/* 17^BitRev7(i) in Montgomery's form. */
extern const int16_t mlkem_zetas[128];

#endif
