#include "lattice/mlkem_avx2.h"
#include "lattice/secret.h"

/* ---- sampling ---- */

/* 12 bytes, at the start of each half, to eight numbers of 12 bits in each. */
static __m256i spread12(__m256i bytes)
{
    const __m256i pairs = _mm256_setr_epi8(0, 1, 1, 2, 3, 4, 4, 5, 6, 7, 7, 8, 9, 10, 10, 11, 0, 1, 1, 2, 3,
                                           4, 4, 5, 6, 7, 7, 8, 9, 10, 10, 11);
    __m256i v = _mm256_shuffle_epi8(bytes, pairs);
    return _mm256_and_si256(_mm256_blend_epi16(v, _mm256_srli_epi16(v, 4), 0xaa), all(0xfff));
}

/* Where the bytes of those of four 16-bit numbers are whose bit is set, one after the other. */
static const uint64_t picked[16] = {
    0x0706050403020100, 0x0706050403020100, 0x0706050403020302, 0x0706050403020100,
    0x0706050403020504, 0x0706050405040100, 0x0706050405040302, 0x0706050403020100,
    0x0706050403020706, 0x0706050407060100, 0x0706050407060302, 0x0706070603020100,
    0x0706050407060504, 0x0706070605040100, 0x0706070605040302, 0x0706050403020100,
};

/* The numbers of eight whose bit is set in good, to out: writes up to eight places, says how many count. */
static unsigned pick(int16_t *out, __m128i eight, unsigned good)
{
    unsigned first = good & 15, second = good >> 4, n = (unsigned)__builtin_popcount(first);
    __m128i where =
        _mm_set_epi64x((long long)(picked[second] + 0x0808080808080808), (long long)picked[first]);
    __m128i together = _mm_shuffle_epi8(eight, where);
    _mm_storel_epi64((__m128i *)out, together);
    _mm_storel_epi64((__m128i *)(out + n), _mm_unpackhi_epi64(together, together));
    return n + (unsigned)__builtin_popcount(second);
}

unsigned mlkem_avx2_sample_uniform(int16_t *out, unsigned room, const uint8_t *p, size_t n)
{
    unsigned count = 0;
    size_t at = 0;
    for (; at + 28 <= n && count + VECTOR <= room; at += 24) {
        __m256i bytes = _mm256_set_m128i(_mm_loadu_si128((const __m128i *)(p + at + 12)),
                                         _mm_loadu_si128((const __m128i *)(p + at)));
        __m256i v = spread12(bytes);
        __m256i good = _mm256_cmpgt_epi16(all(Q), v);
        unsigned bits = (unsigned)_mm256_movemask_epi8(_mm256_packs_epi16(good, _mm256_setzero_si256()));
        count += pick(out + count, _mm256_castsi256_si128(v), bits & 0xff);
        count += pick(out + count, _mm256_extracti128_si256(v, 1), bits >> 16 & 0xff);
    }
    return count + mlkem_portable.sample_uniform(out + count, room - count, p + at, n - at);
}

/* Each nibble is x0 x1 y0 y1 of algorithm 8: its sums side by side, then their difference. */
static void noise2(struct mlkem_poly *out, const uint8_t *p)
{
    const __m256i ones = _mm256_set1_epi8(0x55), twos = _mm256_set1_epi8(0x33),
                  nibble = _mm256_set1_epi8(0x0f), three = _mm256_set1_epi8(3);
    for (unsigned i = 0; i < MLKEM_N; i += 64, p += 32) {
        __m256i v = _mm256_loadu_si256((const __m256i *)p);
        v = _mm256_add_epi8(_mm256_and_si256(v, ones), _mm256_and_si256(_mm256_srli_epi16(v, 1), ones));
        v = _mm256_sub_epi8(_mm256_add_epi8(_mm256_and_si256(v, twos), twos),
                            _mm256_and_si256(_mm256_srli_epi16(v, 2), twos));
        __m256i even = _mm256_sub_epi8(_mm256_and_si256(v, nibble), three);
        __m256i odd = _mm256_sub_epi8(_mm256_and_si256(_mm256_srli_epi16(v, 4), nibble), three);
        __m256i low = _mm256_unpacklo_epi8(even, odd), high = _mm256_unpackhi_epi8(even, odd);
        store(out->c + i, lift(_mm256_cvtepi8_epi16(_mm256_castsi256_si128(low))));
        store(out->c + i + 16, lift(_mm256_cvtepi8_epi16(_mm256_castsi256_si128(high))));
        store(out->c + i + 32, lift(_mm256_cvtepi8_epi16(_mm256_extracti128_si256(low, 1))));
        store(out->c + i + 48, lift(_mm256_cvtepi8_epi16(_mm256_extracti128_si256(high, 1))));
    }
}

static __m128i bytes12(const uint8_t *p)
{
    uint64_t first;
    uint32_t rest;
    __builtin_memcpy(&first, p, sizeof first);
    __builtin_memcpy(&rest, p + sizeof first, sizeof rest);
    return _mm_set_epi64x((long long)rest, (long long)first);
}

/* The same with three bits on each side: 24 bits are four coefficients. */
static void noise3(struct mlkem_poly *out, const uint8_t *p)
{
    const __m256i ones = _mm256_set1_epi32(0x249249), threes = _mm256_set1_epi32(0x1c71c7),
                  offset = _mm256_set1_epi32(0x0c30c3), /* 3 in each, so that no difference borrows */
        six = _mm256_set1_epi32(0x3f);
    const __m256i spread = _mm256_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1, 0, 1, 2, -1,
                                            3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1);
    for (unsigned i = 0; i < MLKEM_N; i += 32, p += 24) {
        __m256i v = _mm256_shuffle_epi8(_mm256_set_m128i(bytes12(p + 12), bytes12(p)), spread);
        v = _mm256_add_epi32(_mm256_and_si256(v, ones),
                             _mm256_add_epi32(_mm256_and_si256(_mm256_srli_epi32(v, 1), ones),
                                              _mm256_and_si256(_mm256_srli_epi32(v, 2), ones)));
        v = _mm256_sub_epi32(_mm256_add_epi32(_mm256_and_si256(v, threes), offset),
                             _mm256_and_si256(_mm256_srli_epi32(v, 3), threes));
        __m256i a = _mm256_or_si256(_mm256_and_si256(v, six),
                                    _mm256_slli_epi32(_mm256_and_si256(_mm256_srli_epi32(v, 6), six), 16));
        __m256i b = _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi32(v, 12), six),
                                    _mm256_slli_epi32(_mm256_srli_epi32(v, 18), 16));
        __m256i low = lift(_mm256_sub_epi16(_mm256_unpacklo_epi32(a, b), all(3)));
        __m256i high = lift(_mm256_sub_epi16(_mm256_unpackhi_epi32(a, b), all(3)));
        store(out->c + i, _mm256_permute2x128_si256(low, high, 0x20));
        store(out->c + i + 16, _mm256_permute2x128_si256(low, high, 0x31));
    }
}

void mlkem_avx2_sample_noise(struct mlkem_poly *out, unsigned eta, const uint8_t *p)
{
    if (eta == 2)
        noise2(out, p);
    else
        noise3(out, p);
}

/* ---- bytes ---- */

bool mlkem_avx2_read12(struct mlkem_poly *out, const uint8_t *p)
{
    __m256i bad = _mm256_setzero_si256();
    for (unsigned i = 0; i < MLKEM_N; i += VECTOR, p += 24) {
        __m256i v = spread12(_mm256_set_m128i(bytes12(p + 12), bytes12(p)));
        bad = _mm256_or_si256(bad, _mm256_cmpgt_epi16(v, all(Q - 1)));
        store(out->c + i, v);
    }
    int any = _mm256_movemask_epi8(bad);
    LATTICE_PUBLIC(&any, sizeof any);
    return any == 0;
}

/* d bits of each of sixteen coefficients, the lowest first: two make 2 d bits in 32, four 4 d bits in
 * 64, and two such words of a half d bytes. */
static inline __attribute__((always_inline)) void put16(uint8_t *out, __m256i v, unsigned d)
{
    const int apart = 32 - 2 * (int)d;
    uint64_t word[4];
    v = _mm256_madd_epi16(v, _mm256_set1_epi32((1 << (16 + d)) + 1));
    v = _mm256_srli_epi64(_mm256_sllv_epi32(v, _mm256_set1_epi64x(apart)), apart);
    _mm256_storeu_si256((__m256i *)word, v);
    for (unsigned i = 0; i < 4; i += 2, out += d) {
        uint64_t low = word[i] | word[i + 1] << (4 * d), high = word[i + 1] >> (64 - 4 * d);
        __builtin_memcpy(out, &low, d < 8 ? d : 8);
        if (d > 8)
            __builtin_memcpy(out + 8, &high, d - 8);
    }
}

void mlkem_avx2_write12(uint8_t *out, const struct mlkem_poly *f)
{
    for (unsigned i = 0; i < MLKEM_N; i += VECTOR, out += 24)
        put16(out, load(f->c + i), 12);
}

/* round(x * 2^d / q) mod 2^d of eight numbers of 32 bits, by the portable code's factor. */
static inline __attribute__((always_inline)) __m256i compressed(__m256i x, unsigned d)
{
    const __m256i factor = _mm256_set1_epi32(10321340);
    __m256i n = _mm256_add_epi32(_mm256_slli_epi32(x, (int)d), _mm256_set1_epi32(Q / 2));
    __m256i even = _mm256_srli_epi64(_mm256_mul_epu32(n, factor), 35);
    __m256i odd = _mm256_srli_epi64(_mm256_mul_epu32(_mm256_srli_epi64(n, 32), factor), 35);
    return _mm256_and_si256(_mm256_or_si256(even, _mm256_slli_epi64(odd, 32)),
                            _mm256_set1_epi32((1 << d) - 1));
}

static inline __attribute__((always_inline)) void compress_by(uint8_t *out, const struct mlkem_poly *f,
                                                              unsigned d)
{
    for (unsigned i = 0; i < MLKEM_N; i += VECTOR, out += 2 * (size_t)d) {
        __m256i v = load(f->c + i);
        __m256i even = compressed(_mm256_and_si256(v, _mm256_set1_epi32(0xffff)), d);
        __m256i odd = compressed(_mm256_srli_epi32(v, 16), d);
        put16(out, _mm256_or_si256(even, _mm256_slli_epi32(odd, 16)), d);
    }
}

/* d is a constant in each: shifts and lengths are then the instructions' own. */
void mlkem_avx2_compress(uint8_t *out, const struct mlkem_poly *f, unsigned d)
{
    if (d == 1)
        compress_by(out, f, 1);
    else if (d == 4)
        compress_by(out, f, 4);
    else if (d == 5)
        compress_by(out, f, 5);
    else if (d == 10)
        compress_by(out, f, 10);
    else
        compress_by(out, f, 11);
}

/* Eight numbers of d bits, which are d bytes, to 32 bits each; left is what may be read from p. */
static inline __attribute__((always_inline)) __m256i take8(const uint8_t *p, size_t left, unsigned d)
{
    __m256i where, shift;
    uint8_t from[32], some[16] = {0};
    uint32_t by[8];
    for (unsigned i = 0; i < 8; i++) {
        for (unsigned j = 0; j < 4; j++)
            from[4 * i + j] = (uint8_t)(i * d / 8 + j); /* of 16 bytes: what is beyond is masked */
        by[i] = i * d % 8;
    }
    where = _mm256_loadu_si256((const __m256i *)from);
    shift = _mm256_loadu_si256((const __m256i *)by);
    if (left < sizeof some)
        __builtin_memcpy(some, p, d);
    __m256i v =
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(left < sizeof some ? some : p)));
    return _mm256_and_si256(_mm256_srlv_epi32(_mm256_shuffle_epi8(v, where), shift),
                            _mm256_set1_epi32((1 << d) - 1));
}

static inline __attribute__((always_inline)) __m256i decompressed(__m256i y, unsigned d)
{
    y = _mm256_add_epi32(_mm256_mullo_epi32(y, _mm256_set1_epi32(Q)), _mm256_set1_epi32(1 << (d - 1)));
    return _mm256_srli_epi32(y, (int)d);
}

static inline __attribute__((always_inline)) void decompress_by(struct mlkem_poly *out, const uint8_t *p,
                                                                unsigned d)
{
    size_t left = MLKEM_N / 8 * (size_t)d;
    for (unsigned i = 0; i < MLKEM_N; i += VECTOR, p += 2 * (size_t)d, left -= 2 * (size_t)d) {
        __m256i first = decompressed(take8(p, left, d), d),
                second = decompressed(take8(p + d, left - d, d), d);
        store(out->c + i, _mm256_permute4x64_epi64(_mm256_packus_epi32(first, second), 0xd8));
    }
}

void mlkem_avx2_decompress(struct mlkem_poly *out, const uint8_t *p, unsigned d)
{
    if (d == 1)
        decompress_by(out, p, 1);
    else if (d == 4)
        decompress_by(out, p, 4);
    else if (d == 5)
        decompress_by(out, p, 5);
    else if (d == 10)
        decompress_by(out, p, 10);
    else
        decompress_by(out, p, 11);
}
