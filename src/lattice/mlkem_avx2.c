#include "lattice/mlkem_avx2.h"
#include "lattice/mlkem_zetas.h"

/* The portable code's steps, sixteen coefficients at a time and in the same order. */

/* What is multiplied with, and the same by q^-1 mod 2^16, which is a step less on the way to the
 * product. */
struct multiplier {
    __m256i value, scaled;
};

static struct multiplier multiplier(__m256i value)
{
    return (struct multiplier){value, _mm256_mullo_epi16(value, all(MLKEM_Q_INVERSE))};
}

/* a * b * 2^-16 in (-q, q) (Montgomery) */
static __m256i product(__m256i a, struct multiplier b)
{
    __m256i t = _mm256_mullo_epi16(a, b.scaled);
    return _mm256_sub_epi16(_mm256_mulhi_epi16(a, b.value), _mm256_mulhi_epi16(t, all(Q)));
}

/* ---- the transform ---- */

static void butterfly(__m256i *a, __m256i *b, struct multiplier zeta)
{
    __m256i t = product(*b, zeta);
    *b = _mm256_sub_epi16(*a, t);
    *a = _mm256_add_epi16(*a, t);
}

static void inverse_butterfly(__m256i *a, __m256i *b, struct multiplier zeta)
{
    __m256i t = *a;
    *a = _mm256_add_epi16(t, *b);
    *b = product(_mm256_sub_epi16(*b, t), zeta);
}

/* The one zeta of a layer whose halves are whole vectors. */
static struct multiplier zeta_of(unsigned i)
{
    return multiplier(all(mlkem_zetas[i]));
}

/* Within two vectors the halves are 8, 4 and 2 long: two, four or eight zetas in a row, each as often as
 * it is needed; backwards for the inverse, which takes them from the end. */
static struct multiplier two_zetas(unsigned i, bool backwards)
{
    int first = mlkem_zetas[i + backwards], second = mlkem_zetas[i + !backwards];
    return multiplier(_mm256_set_m128i(_mm_set1_epi16((short)second), _mm_set1_epi16((short)first)));
}

static struct multiplier four_zetas(unsigned i, bool backwards)
{
    const __m256i forth = _mm256_setr_epi8(0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 2, 3, 4, 5, 4, 5, 4, 5,
                                           4, 5, 6, 7, 6, 7, 6, 7, 6, 7);
    const __m256i back = _mm256_setr_epi8(6, 7, 6, 7, 6, 7, 6, 7, 4, 5, 4, 5, 4, 5, 4, 5, 2, 3, 2, 3, 2, 3, 2,
                                          3, 0, 1, 0, 1, 0, 1, 0, 1);
    __m128i four = _mm_loadl_epi64((const __m128i *)&mlkem_zetas[i]);
    return multiplier(_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(four), backwards ? back : forth));
}

static struct multiplier eight_zetas(unsigned i, bool backwards)
{
    const __m256i forth = _mm256_setr_epi8(0, 1, 0, 1, 2, 3, 2, 3, 4, 5, 4, 5, 6, 7, 6, 7, 8, 9, 8, 9, 10, 11,
                                           10, 11, 12, 13, 12, 13, 14, 15, 14, 15);
    const __m256i back = _mm256_setr_epi8(14, 15, 14, 15, 12, 13, 12, 13, 10, 11, 10, 11, 8, 9, 8, 9, 6, 7, 6,
                                          7, 4, 5, 4, 5, 2, 3, 2, 3, 0, 1, 0, 1);
    __m128i eight = _mm_loadu_si128((const __m128i *)&mlkem_zetas[i]);
    return multiplier(_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(eight), backwards ? back : forth));
}

/* Two vectors as they are in memory, and so that the first halves of their blocks are in a and the
 * second in b, for blocks of 16, 8 and 4: each is made from the one before it, and each step is undone
 * by its own kind. */
static void part16(__m256i *a, __m256i *b)
{
    __m256i first = _mm256_permute2x128_si256(*a, *b, 0x20);
    *b = _mm256_permute2x128_si256(*a, *b, 0x31);
    *a = first;
}

static void part8(__m256i *a, __m256i *b)
{
    __m256i first = _mm256_unpacklo_epi64(*a, *b);
    *b = _mm256_unpackhi_epi64(*a, *b);
    *a = first;
}

static void part4(__m256i *a, __m256i *b)
{
    __m256i first = _mm256_blend_epi32(*a, _mm256_slli_epi64(*b, 32), 0xaa);
    *b = _mm256_blend_epi32(_mm256_srli_epi64(*a, 32), *b, 0xaa);
    *a = first;
}

/* The last three layers of vectors 2 i and 2 i + 1. */
static void ntt_within(__m256i *a, __m256i *b, unsigned i)
{
    part16(a, b);
    butterfly(a, b, two_zetas(16 + 2 * i, false));
    part8(a, b);
    butterfly(a, b, four_zetas(32 + 4 * i, false));
    part4(a, b);
    butterfly(a, b, eight_zetas(64 + 8 * i, false));
    *a = reduce(*a);
    *b = reduce(*b);
    part4(a, b);
    part8(a, b);
    part16(a, b);
}

/* Algorithm 9. Each of the seven layers adds less than q: 8 q is below 2^15, so that one reduction is
 * enough. */
static void ntt(struct mlkem_poly *f)
{
    for (unsigned i = 0; i < 4; i++) {
        int16_t *p = f->c + i * VECTOR;
        __m256i a = load(p), b = load(p + 64), c = load(p + 128), d = load(p + 192);
        butterfly(&a, &c, zeta_of(1));
        butterfly(&b, &d, zeta_of(1));
        butterfly(&a, &b, zeta_of(2));
        butterfly(&c, &d, zeta_of(3));
        store(p, a);
        store(p + 64, b);
        store(p + 128, c);
        store(p + 192, d);
    }
    for (unsigned i = 0; i < 4; i++) {
        int16_t *p = f->c + i * 4 * VECTOR;
        __m256i a = load(p), b = load(p + 16), c = load(p + 32), d = load(p + 48);
        butterfly(&a, &c, zeta_of(4 + i));
        butterfly(&b, &d, zeta_of(4 + i));
        butterfly(&a, &b, zeta_of(8 + 2 * i));
        butterfly(&c, &d, zeta_of(9 + 2 * i));
        ntt_within(&a, &b, 2 * i);
        ntt_within(&c, &d, 2 * i + 1);
        store(p, a);
        store(p + 16, b);
        store(p + 32, c);
        store(p + 48, d);
    }
}

/* The first three layers of vectors 2 i and 2 i + 1. Sums grow to 8 q, products stay below q. */
static void inverse_within(__m256i *a, __m256i *b, unsigned i)
{
    part16(a, b);
    part8(a, b);
    part4(a, b);
    inverse_butterfly(a, b, eight_zetas(127 - 8 * i - 7, true));
    part4(a, b);
    inverse_butterfly(a, b, four_zetas(63 - 4 * i - 3, true));
    part8(a, b);
    inverse_butterfly(a, b, two_zetas(31 - 2 * i - 1, true));
    *a = reduce(*a);
    part16(a, b);
}

/* Algorithm 10; the last step divides by 128. */
static void inverse_ntt(struct mlkem_poly *f)
{
    struct multiplier divide = multiplier(all(512)); /* 2^16 / 128 mod q */
    for (unsigned i = 0; i < 4; i++) {
        int16_t *p = f->c + i * 4 * VECTOR;
        __m256i a = load(p), b = load(p + 16), c = load(p + 32), d = load(p + 48);
        inverse_within(&a, &b, 2 * i);
        inverse_within(&c, &d, 2 * i + 1);
        inverse_butterfly(&a, &b, zeta_of(15 - 2 * i));
        inverse_butterfly(&c, &d, zeta_of(14 - 2 * i));
        inverse_butterfly(&a, &c, zeta_of(7 - i));
        inverse_butterfly(&b, &d, zeta_of(7 - i));
        store(p, reduce(a));
        store(p + 16, reduce(b));
        store(p + 32, c);
        store(p + 48, d);
    }
    for (unsigned i = 0; i < 4; i++) {
        int16_t *p = f->c + i * VECTOR;
        __m256i a = load(p), b = load(p + 64), c = load(p + 128), d = load(p + 192);
        inverse_butterfly(&a, &b, zeta_of(3));
        inverse_butterfly(&c, &d, zeta_of(2));
        inverse_butterfly(&a, &c, zeta_of(1));
        inverse_butterfly(&b, &d, zeta_of(1));
        store(p, lift(product(a, divide)));
        store(p + 64, lift(product(b, divide)));
        store(p + 128, lift(product(c, divide)));
        store(p + 192, lift(product(d, divide)));
    }
}

/* Two neighbours change places. */
static __m256i swap(__m256i a)
{
    return _mm256_or_si256(_mm256_slli_epi32(a, 16), _mm256_srli_epi32(a, 16));
}

/* Eight zetas, each beside its negative: the gammas of eight pairs of coefficients are four of them,
 * twice. */
static __m256i gammas(unsigned i)
{
    const __m256i signs = _mm256_setr_epi16(1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1);
    __m128i four = _mm_loadl_epi64((const __m128i *)&mlkem_zetas[i]);
    __m256i each = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(four),
                                       _mm256_setr_epi8(0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 2, 3, 4, 5,
                                                        4, 5, 4, 5, 4, 5, 6, 7, 6, 7, 6, 7, 6, 7));
    return _mm256_sign_epi16(each, signs);
}

static void prepare(struct mlkem_factor *out, const struct mlkem_poly *b)
{
    struct multiplier square = multiplier(all(MLKEM_R_SQUARED));
    for (unsigned i = 0; i < MLKEM_N / VECTOR; i++) {
        __m256i v = product(load(b->c + i * VECTOR), square);
        __m256i turned = product(v, multiplier(gammas(64 + 4 * i)));
        store(out->swapped.c + i * VECTOR, swap(v));
        store(out->zeta.c + i * VECTOR, _mm256_blend_epi16(v, turned, 0xaa));
    }
}

/* Algorithms 11 and 12. The sums of 2 k products of less than q^2 each stay below q * 2^15, in 32 bits;
 * one reduction for the sum. */
static void multiply(struct mlkem_poly *out, const struct mlkem_poly *const a[], const struct mlkem_factor *b,
                     unsigned k)
{
    for (unsigned i = 0; i < MLKEM_N; i += VECTOR) {
        __m256i even = _mm256_setzero_si256(), odd = _mm256_setzero_si256();
        for (unsigned j = 0; j < k; j++) {
            __m256i v = load(a[j]->c + i);
            even = _mm256_add_epi32(even, _mm256_madd_epi16(v, load(b[j].zeta.c + i)));
            odd = _mm256_add_epi32(odd, _mm256_madd_epi16(v, load(b[j].swapped.c + i)));
        }
        __m256i low = _mm256_blend_epi16(even, _mm256_slli_epi32(odd, 16), 0xaa);
        __m256i high = _mm256_blend_epi16(_mm256_srli_epi32(even, 16), odd, 0xaa);
        __m256i t = _mm256_mullo_epi16(low, all(MLKEM_Q_INVERSE));
        store(out->c + i, lift(_mm256_sub_epi16(high, _mm256_mulhi_epi16(t, all(Q)))));
    }
}

static void add(struct mlkem_poly *f, const struct mlkem_poly *g)
{
    for (unsigned i = 0; i < MLKEM_N; i += VECTOR)
        store(f->c + i, lower(_mm256_add_epi16(load(f->c + i), load(g->c + i))));
}

static void subtract(struct mlkem_poly *out, const struct mlkem_poly *f, const struct mlkem_poly *g)
{
    for (unsigned i = 0; i < MLKEM_N; i += VECTOR)
        store(out->c + i, lift(_mm256_sub_epi16(load(f->c + i), load(g->c + i))));
}

const struct mlkem_code mlkem_avx2 = {
    .name = "avx2",
    .ntt = ntt,
    .inverse_ntt = inverse_ntt,
    .prepare = prepare,
    .multiply = multiply,
    .add = add,
    .subtract = subtract,
    .sample_uniform = mlkem_avx2_sample_uniform,
    .sample_noise = mlkem_avx2_sample_noise,
    .write12 = mlkem_avx2_write12,
    .read12 = mlkem_avx2_read12,
    .compress = mlkem_avx2_compress,
    .decompress = mlkem_avx2_decompress,
};
