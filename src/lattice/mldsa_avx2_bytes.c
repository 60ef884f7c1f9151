#include "lattice/mldsa_avx2.h"
#include "lattice/secret.h"

/* ---- sampling ---- */

/* Eight candidates at a time; all but one in a thousand are taken. */
unsigned mldsa_avx2_sample_uniform(int32_t *out, unsigned room, const uint8_t *p, size_t n)
{
    const __m256i spread = _mm256_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1, 0, 1, 2, -1,
                                            3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1);
    unsigned count = 0;
    size_t at = 0;
    for (; at + 28 <= n && count + VECTOR <= room; at += 24) {
        __m256i bytes = _mm256_set_m128i(_mm_loadu_si128((const __m128i *)(p + at + 12)),
                                         _mm_loadu_si128((const __m128i *)(p + at)));
        __m256i v = _mm256_and_si256(_mm256_shuffle_epi8(bytes, spread), all(0x7fffff));
        int good = _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(all(Q), v)));
        if (good == 0xff) {
            _mm256_storeu_si256((__m256i *)(out + count), v);
            count += VECTOR;
        } else {
            count += mldsa_portable.sample_uniform(out + count, VECTOR, p + at, 24);
        }
    }
    return count + mldsa_portable.sample_uniform(out + count, room - count, p + at, n - at);
}

/* The bytes of eight whose byte in good is all ones, as numbers to out: writes eight places, says how many
 * count. */
static unsigned pick(int32_t *out, uint64_t eight, uint64_t good)
{
    LATTICE_PUBLIC(&good, sizeof good);
    __m128i together = _mm_cvtsi64_si128((long long)_pext_u64(eight, good));
    _mm256_storeu_si256((__m256i *)out, _mm256_cvtepi8_epi32(together));
    return (unsigned)__builtin_popcountll(good) / 8;
}

/* Sixteen half bytes at a time: what each stands for is looked up within a register, and those that stand for
 * nothing have a number that no secret has. */
unsigned mldsa_avx2_sample_secret(int32_t *out, unsigned room, const uint8_t *p, size_t n, unsigned eta)
{
    const __m128i two = _mm_setr_epi8(2, 1, 0, -1, -2, 2, 1, 0, -1, -2, 2, 1, 0, -1, -2, 127);
    const __m128i four = _mm_setr_epi8(4, 3, 2, 1, 0, -1, -2, -3, -4, 127, 127, 127, 127, 127, 127, 127);
    unsigned count = 0;
    size_t at = 0;
    for (; at + 8 <= n && count + 2 * VECTOR <= room; at += 8) {
        __m128i bytes = _mm_loadl_epi64((const __m128i *)(p + at));
        __m128i half = _mm_and_si128(_mm_unpacklo_epi8(bytes, _mm_srli_epi16(bytes, 4)), _mm_set1_epi8(15));
        __m128i value = _mm_shuffle_epi8(eta == 2 ? two : four, half);
        __m128i good = _mm_cmpgt_epi8(_mm_set1_epi8(5), value);
        count += pick(out + count, (uint64_t)_mm_cvtsi128_si64(value), (uint64_t)_mm_cvtsi128_si64(good));
        count +=
            pick(out + count, (uint64_t)_mm_extract_epi64(value, 1), (uint64_t)_mm_extract_epi64(good, 1));
    }
    return count + mldsa_portable.sample_secret(out + count, room - count, p + at, n - at, eta);
}

/* ---- bytes ---- */

/* d bits of each of eight coefficients, the lowest first: two of them make 2 d bits in 64. */
static inline __attribute__((always_inline)) void put8(uint8_t *out, __m256i v, unsigned d)
{
    uint64_t word[4];
    v = _mm256_or_si256(_mm256_blend_epi32(v, _mm256_setzero_si256(), 0xaa),
                        _mm256_slli_epi64(_mm256_srli_epi64(v, 32), (int)d));
    _mm256_storeu_si256((__m256i *)word, v);
    if (d <= 8) {
        uint64_t eight = word[0] | word[1] << 2 * d | word[2] << 4 * d | word[3] << 6 * d;
        __builtin_memcpy(out, &eight, d);
    } else if (d <= 16) {
        uint64_t first = word[0] | word[1] << 2 * d, second = word[2] | word[3] << 2 * d;
        uint64_t low = first | second << 4 * d % 64, high = second >> (64 - 4 * d) % 64;
        __builtin_memcpy(out, &low, 8);
        __builtin_memcpy(out + 8, &high, d - 8);
    } else {
        for (unsigned i = 0; i < 4; i += 2, out += d / 2) {
            uint64_t low = word[i] | word[i + 1] << 2 * d, high = word[i + 1] >> (64 - 2 * d);
            __builtin_memcpy(out, &low, 8);
            __builtin_memcpy(out + 8, &high, d / 2 - 8);
        }
    }
}

static inline __attribute__((always_inline)) void pack_by(uint8_t *out, const struct mldsa_poly *f,
                                                          unsigned d)
{
    for (unsigned i = 0; i < MLDSA_N; i += VECTOR, out += d)
        put8(out, load(f->c + i), d);
}

/* Eight numbers of d bits, which are d bytes, to 32 bits each; left is what may be read from p. */
static inline __attribute__((always_inline)) __m256i take8(const uint8_t *p, size_t left, unsigned d)
{
    const unsigned second = 4 * d / 8; /* the byte where the fifth starts */
    uint8_t from[32], some[32] = {0};
    uint32_t by[8];
    for (unsigned i = 0; i < 8; i++) {
        for (unsigned j = 0; j < 4; j++)
            from[4 * i + j] = (uint8_t)(i * d / 8 + j - (i < 4 ? 0 : second)); /* what is beyond is masked */
        by[i] = i * d % 8;
    }
    if (left < second + 16) {
        __builtin_memcpy(some, p, d);
        p = some;
    }
    __m256i v =
        _mm256_set_m128i(_mm_loadu_si128((const __m128i *)(p + second)), _mm_loadu_si128((const __m128i *)p));
    v = _mm256_shuffle_epi8(v, _mm256_loadu_si256((const __m256i *)from));
    return _mm256_and_si256(_mm256_srlv_epi32(v, _mm256_loadu_si256((const __m256i *)by)), all((1 << d) - 1));
}

static inline __attribute__((always_inline)) void unpack_by(struct mldsa_poly *out, const uint8_t *p,
                                                            unsigned d)
{
    for (unsigned i = 0; i < MLDSA_N; i += VECTOR, p += d)
        store(out->c + i, take8(p, (MLDSA_N - i) / 8 * (size_t)d, d));
}

/* d is a constant in each row: shifts and lengths are then the instructions' own. */
#define EACH_WIDTH(run)                                                                                      \
    switch (bits) {                                                                                          \
    case 3:                                                                                                  \
        run(3);                                                                                              \
        break;                                                                                               \
    case 4:                                                                                                  \
        run(4);                                                                                              \
        break;                                                                                               \
    case 6:                                                                                                  \
        run(6);                                                                                              \
        break;                                                                                               \
    case 10:                                                                                                 \
        run(10);                                                                                             \
        break;                                                                                               \
    case 13:                                                                                                 \
        run(13);                                                                                             \
        break;                                                                                               \
    case 18:                                                                                                 \
        run(18);                                                                                             \
        break;                                                                                               \
    default:                                                                                                 \
        run(20);                                                                                             \
        break;                                                                                               \
    }

void mldsa_avx2_pack(uint8_t *out, const struct mldsa_poly *f, unsigned bits)
{
#define PACK(d) pack_by(out, f, d)
    EACH_WIDTH(PACK)
}

void mldsa_avx2_unpack(struct mldsa_poly *out, const uint8_t *p, unsigned bits)
{
#define UNPACK(d) unpack_by(out, p, d)
    EACH_WIDTH(UNPACK)
}
