#ifndef PQOTA_LATTICE_MLDSA_DRAW_H
#define PQOTA_LATTICE_MLDSA_DRAW_H

/* What ML-DSA draws from SHAKE: FIPS 204 section 7.3, as many streams side by side as there are lanes. */

#include "lattice/keccak.h"
#include "lattice/mldsa.h"

#define MLDSA_RHO_SIZE 32

/* Algorithm 32, ExpandA: key->a. */
void mldsa_draw_matrix(struct mldsa_key *key, const uint8_t rho[MLDSA_RHO_SIZE]);
/* Algorithm 33, ExpandS: key->s1 and key->s2, not transformed. */
void mldsa_draw_secrets(struct mldsa_key *key, const uint8_t rho_prime[64]);

/* Masks of one signature's attempts after the other: what a vector of lanes gives beyond an attempt's l is
 * the next one's. */
struct mldsa_masks {
    struct mldsa_poly y[MLDSA_L_MAX - 1 + KECCAK_LANES_MAX]; /* the first l are the attempt's */
    uint8_t seed[64 + 2];                                    /* rho'', and the place of a number */
    unsigned have, drawn;
};

void mldsa_masks_start(struct mldsa_masks *m, const uint8_t rho[64]);
/* Algorithm 34, ExpandMask, for kappa = 0, l, 2 l, ...: the attempt's into m->y, in place of the last
 * one's. */
void mldsa_masks_next(struct mldsa_masks *m, const struct mldsa_key *key);

/* Algorithm 29, SampleInBall, from c~. */
void mldsa_draw_challenge(struct mldsa_poly *c, const struct mldsa_key *key, const uint8_t *seed);

#endif
