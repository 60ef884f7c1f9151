/* The permutation Keccak-f[1600] (FIPS 202 section 3.3) for one kind of word, which is one state's 64 bits or
 * a vector of several states'. Whoever includes it says beforehand, and may do so again for another kind:
 *
 *   KECCAK_WORD         the type: uint64_t or a vector of them, for the operators mean the same for both
 *   KECCAK_NAME(name)   the name that a function here gets
 *
 * KECCAK_NAME(permute)(KECCAK_WORD state[25]) is what comes of it. Word (x, y) of the standard is number
 * x + 5 * y. The loops of one round have to disappear: their indices and distances then are constants and the
 * words live in registers. */

#ifndef PQOTA_LATTICE_KECCAK_ROUND_H
#define PQOTA_LATTICE_KECCAK_ROUND_H

#include <stdint.h>

/* Section 3.2.2, table 2 modulo 64, by y and x. */
static const unsigned char keccak_distances[5][5] = {
    {0, 1, 62, 28, 27}, {36, 44, 6, 55, 20}, {3, 10, 43, 25, 39}, {41, 45, 15, 21, 8}, {18, 2, 61, 56, 14},
};

/* Section 3.2.5: RC of each round. */
static const uint64_t keccak_constants[24] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000, 0x000000000000808b,
    0x0000000080000001, 0x8000000080008081, 0x8000000000008009, 0x000000000000008a, 0x0000000000000088,
    0x0000000080008009, 0x000000008000000a, 0x000000008000808b, 0x800000000000008b, 0x8000000000008089,
    0x8000000000008003, 0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

#endif

static inline __attribute__((always_inline)) KECCAK_WORD KECCAK_NAME(rotate)(KECCAK_WORD word,
                                                                             unsigned distance)
{
    return word << distance | word >> (64 - distance) % 64;
}

/* Rnd, section 3.3. Each row of what theta, rho and pi make is turned at once into chi's: five words in
 * flight instead of twenty-five. */
static inline __attribute__((always_inline)) void
KECCAK_NAME(round)(KECCAK_WORD out[25], const KECCAK_WORD in[25], uint64_t constant)
{
    KECCAK_WORD column[5], change[5], row[5];
#pragma GCC unroll 5
    for (unsigned x = 0; x < 5; x++) /* theta, section 3.2.1 */
        column[x] = in[x] ^ in[x + 5] ^ in[x + 10] ^ in[x + 15] ^ in[x + 20];
#pragma GCC unroll 5
    for (unsigned x = 0; x < 5; x++)
        change[x] = column[(x + 4) % 5] ^ KECCAK_NAME(rotate)(column[(x + 1) % 5], 1);
#pragma GCC unroll 5
    for (unsigned y = 0; y < 5; y++) {
#pragma GCC unroll 5
        for (unsigned x = 0; x < 5; x++) { /* rho and pi, sections 3.2.2 and 3.2.3 */
            unsigned from = (x + 3 * y) % 5;
            row[x] = KECCAK_NAME(rotate)(in[from + 5 * x] ^ change[from], keccak_distances[x][from]);
        }
#pragma GCC unroll 5
        for (unsigned x = 0; x < 5; x++) /* chi, section 3.2.4 */
            out[x + 5 * y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]);
    }
    out[0] ^= constant; /* iota, section 3.2.5 */
}

static void KECCAK_NAME(permute)(KECCAK_WORD state[25])
{
    KECCAK_WORD even[25], odd[25];
#pragma GCC unroll 25
    for (unsigned i = 0; i < 25; i++)
        even[i] = state[i];
#pragma GCC unroll 1
    for (unsigned i = 0; i < 24; i += 2) {
        KECCAK_NAME(round)(odd, even, keccak_constants[i]);
        KECCAK_NAME(round)(even, odd, keccak_constants[i + 1]);
    }
#pragma GCC unroll 25
    for (unsigned i = 0; i < 25; i++)
        state[i] = even[i];
}

#undef KECCAK_WORD
#undef KECCAK_NAME
