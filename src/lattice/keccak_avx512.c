#include "lattice/keccak.h"

#include <immintrin.h>

#define LANES 8

/* The portable permutation once more: this file's flags give it andn and rorx. */
#define KECCAK_WORD uint64_t
#define KECCAK_NAME(name) one_##name
#include "lattice/keccak_round.h"

typedef uint64_t eight __attribute__((vector_size(64)));

/* The compiler makes vprolq of the rotations and vpternlogq of two operations that follow each other, and
 * the 25 words stay in registers. */
#define KECCAK_WORD eight
#define KECCAK_NAME(name) eight_##name
#include "lattice/keccak_round.h"

static void permute_lanes(uint64_t *state)
{
    eight_permute((eight *)(void *)state);
}

/* _mm512_shuffle_i64x2: of the quarters of both vectors */
#define EVEN_QUARTERS 0x88
#define ODD_QUARTERS 0xdd

/* Words [first, first + 8) of the lanes: a transposed square, by twos, by fours and by eights. */
static void deal_square(uint8_t *const out[], const uint64_t *state, unsigned first)
{
    const __m512i *in = (const __m512i *)(const void *)state + first;
    __m512i two[8], four[8], lanes[LANES];
#pragma GCC unroll 4
    for (unsigned i = 0; i < 8; i += 2) { /* words i, i + 1 of lanes 0, 2, 4, 6; and of 1, 3, 5, 7 */
        two[i] = _mm512_unpacklo_epi64(in[i], in[i + 1]);
        two[i + 1] = _mm512_unpackhi_epi64(in[i], in[i + 1]);
    }
#pragma GCC unroll 2
    for (unsigned j = 0; j < 2; j++) /* words i to i + 3 of lanes j, j + 4; and of j + 2, j + 6 */
#pragma GCC unroll 2
        for (unsigned i = 0; i < 8; i += 4) {
            four[i + j] = _mm512_shuffle_i64x2(two[i + j], two[i + j + 2], EVEN_QUARTERS);
            four[i + j + 2] = _mm512_shuffle_i64x2(two[i + j], two[i + j + 2], ODD_QUARTERS);
        }
#pragma GCC unroll 4
    for (unsigned j = 0; j < 4; j++) {
        lanes[j] = _mm512_shuffle_i64x2(four[j], four[j + 4], EVEN_QUARTERS);
        lanes[j + 4] = _mm512_shuffle_i64x2(four[j], four[j + 4], ODD_QUARTERS);
    }
#pragma GCC unroll 8
    for (unsigned j = 0; j < LANES; j++)
        if (out[j] != NULL)
            _mm512_storeu_si512(out[j] + 8 * (size_t)first, lanes[j]);
}

/* Where the last square would not be full it takes words again that the one before it gave. */
static void deal(uint8_t *const out[], const uint64_t *state, unsigned words)
{
    for (unsigned i = 0; i < words; i += 8)
        deal_square(out, state, i + 8 <= words ? i : words - 8);
}

const struct keccak_code keccak_avx512 = {
    .name = "avx512",
    .lanes = LANES,
    .permute = one_permute,
    .permute_lanes = permute_lanes,
    .deal = deal,
};
