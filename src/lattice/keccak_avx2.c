#include "lattice/keccak.h"

#include <immintrin.h>
#include <string.h>

#define LANES 4

/* The portable permutation once more: this file's flags give it andn and rorx. */
#define KECCAK_WORD uint64_t
#define KECCAK_NAME(name) one_##name
#include "lattice/keccak_round.h"

typedef uint64_t four __attribute__((vector_size(32)));

#define KECCAK_WORD four
#define KECCAK_NAME(name) four_##name
#include "lattice/keccak_round.h"

static void permute_lanes(uint64_t *state)
{
    four_permute((four *)(void *)state);
}

/* Words [first, first + 4) of the lanes: a transposed square. */
static void deal_square(uint8_t *const out[], const uint64_t *state, unsigned first)
{
    const __m256i *in = (const __m256i *)(const void *)state + first;
    __m256i even01 = _mm256_unpacklo_epi64(in[0], in[1]), odd01 = _mm256_unpackhi_epi64(in[0], in[1]);
    __m256i even23 = _mm256_unpacklo_epi64(in[2], in[3]), odd23 = _mm256_unpackhi_epi64(in[2], in[3]);
    const __m256i lanes[LANES] = {
        _mm256_permute2x128_si256(even01, even23, 0x20),
        _mm256_permute2x128_si256(odd01, odd23, 0x20),
        _mm256_permute2x128_si256(even01, even23, 0x31),
        _mm256_permute2x128_si256(odd01, odd23, 0x31),
    };
    for (unsigned j = 0; j < LANES; j++)
        if (out[j] != NULL)
            _mm256_storeu_si256((__m256i *)(void *)(out[j] + 8 * (size_t)first), lanes[j]);
}

static void deal(uint8_t *const out[], const uint64_t *state, unsigned words)
{
    unsigned i = 0;
    for (; i + 4 <= words; i += 4)
        deal_square(out, state, i);
    for (; i < words; i++)
        for (unsigned j = 0; j < LANES; j++)
            if (out[j] != NULL)
                memcpy(out[j] + 8 * (size_t)i, &state[LANES * i + j], 8);
}

const struct keccak_code keccak_avx2 = {
    .name = "avx2",
    .lanes = LANES,
    .permute = one_permute,
    .permute_lanes = permute_lanes,
    .deal = deal,
};
