#ifndef PQOTA_LATTICE_LATTICE_H
#define PQOTA_LATTICE_LATTICE_H

/* What the lattice code of this folder runs on: one row a code path, from the portable reference to the
 * widest vectors, each the same algorithm. */

#include <stdbool.h>
#include <stddef.h>

struct keccak_code;
struct mldsa_code;
struct mlkem_code;

struct lattice_code {
    const char *name; /* "portable", "avx2", "avx512" */
    const struct keccak_code *keccak;
    const struct mlkem_code *mlkem;
    const struct mldsa_code *mldsa;
};

/* Path i of those that this processor can run, the fastest first; the portable one is always the last,
 * and NULL comes after it. */
const struct lattice_code *lattice_code(size_t i);

/* Zeroes that no compiler leaves out. */
void lattice_wipe(void *p, size_t n);

#endif
