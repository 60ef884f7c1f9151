#include "lattice/mldsa_avx2.h"
#include "lattice/mldsa_zetas.h"
#include "lattice/secret.h"

/* The portable code's steps, eight coefficients at a time and in the same order. */

/* ---- arithmetic mod q ---- */

/* Eight products of 64 bits are two vectors of four: of the even and of the odd places. */
static __m256i odd_places(__m256i a)
{
    return _mm256_srli_epi64(a, 32);
}

/* Both of them times 2^-32, in one again (Montgomery). */
static __m256i montgomery(__m256i even, __m256i odd)
{
    const __m256i q = all(Q), inverse = all(MLDSA_Q_INVERSE);
    __m256i t_even = _mm256_mul_epi32(_mm256_mul_epi32(even, inverse), q);
    __m256i t_odd = _mm256_mul_epi32(_mm256_mul_epi32(odd, inverse), q);
    even = _mm256_srli_epi64(_mm256_sub_epi64(even, t_even), 32);
    odd = _mm256_sub_epi64(odd, t_odd);
    return _mm256_blend_epi32(even, odd, 0xaa);
}

/* What is multiplied with: each half only where it counts, at the even places. */
struct multiplier {
    __m256i even, odd;
};

static __m256i product(__m256i a, struct multiplier b)
{
    return montgomery(_mm256_mul_epi32(a, b.even), _mm256_mul_epi32(odd_places(a), b.odd));
}

/* (-q, q) to [0, q): as a number without sign, what is negative is the larger one. */
static __m256i lift(__m256i a)
{
    return _mm256_min_epu32(a, _mm256_add_epi32(a, all(Q)));
}

/* ---- the transform ---- */

static void butterfly(__m256i *a, __m256i *b, struct multiplier zeta)
{
    __m256i t = product(*b, zeta);
    *b = _mm256_sub_epi32(*a, t);
    *a = _mm256_add_epi32(*a, t);
}

static void inverse_butterfly(__m256i *a, __m256i *b, struct multiplier zeta)
{
    __m256i t = *a;
    *a = _mm256_add_epi32(t, *b);
    *b = product(_mm256_sub_epi32(*b, t), zeta);
}

/* The one zeta of a layer whose halves are whole vectors. */
static struct multiplier zeta_of(unsigned i)
{
    __m256i zeta = all(mldsa_zetas[i]);
    return (struct multiplier){zeta, zeta};
}

/* Within two vectors the halves are 4, 2 and 1 long: two, four or eight zetas in a row, each as often as it
 * is needed; backwards for the inverse, which takes them from the end. */
static struct multiplier two_zetas(unsigned i, bool backwards)
{
    __m256i zeta = _mm256_set_m128i(_mm_set1_epi32(mldsa_zetas[i + !backwards]),
                                    _mm_set1_epi32(mldsa_zetas[i + backwards]));
    return (struct multiplier){zeta, zeta};
}

static struct multiplier four_zetas(unsigned i, bool backwards)
{
    __m128i four = _mm_load_si128((const __m128i *)&mldsa_zetas[i]);
    __m256i zeta = _mm256_cvtepi32_epi64(backwards ? _mm_shuffle_epi32(four, 0x1b) : four);
    return (struct multiplier){zeta, zeta};
}

static struct multiplier eight_zetas(unsigned i, bool backwards)
{
    const __m256i back = _mm256_setr_epi32(7, 6, 5, 4, 3, 2, 1, 0);
    __m256i zeta = load(&mldsa_zetas[i]);
    if (backwards)
        zeta = _mm256_permutevar8x32_epi32(zeta, back);
    return (struct multiplier){zeta, odd_places(zeta)};
}

/* Two vectors as they are in memory, and so that the first halves of their blocks are in a and the second in
 * b, for blocks of 8, 4 and 2: each is made from the one before it, and each step is undone by its own
 * kind. */
static void part8(__m256i *a, __m256i *b)
{
    __m256i first = _mm256_permute2x128_si256(*a, *b, 0x20);
    *b = _mm256_permute2x128_si256(*a, *b, 0x31);
    *a = first;
}

static void part4(__m256i *a, __m256i *b)
{
    __m256i first = _mm256_unpacklo_epi64(*a, *b);
    *b = _mm256_unpackhi_epi64(*a, *b);
    *a = first;
}

static void part2(__m256i *a, __m256i *b)
{
    __m256i first = _mm256_blend_epi32(*a, _mm256_slli_epi64(*b, 32), 0xaa);
    *b = _mm256_blend_epi32(_mm256_srli_epi64(*a, 32), *b, 0xaa);
    *a = first;
}

/* The last three layers of vectors 2 i and 2 i + 1. */
static void ntt_within(__m256i *a, __m256i *b, unsigned i)
{
    part8(a, b);
    butterfly(a, b, two_zetas(32 + 2 * i, false));
    part4(a, b);
    butterfly(a, b, four_zetas(64 + 4 * i, false));
    part2(a, b);
    butterfly(a, b, eight_zetas(128 + 8 * i, false));
    part2(a, b);
    part4(a, b);
    part8(a, b);
}

/* Algorithm 41. Each of the eight layers adds little more than q / 2, so that no sum has to be reduced. */
static void ntt(struct mldsa_poly *f)
{
    for (unsigned i = 0; i < 4; i++) {
        __m256i v[8];
        for (unsigned j = 0; j < 8; j++)
            v[j] = load(f->c + (4 * j + i) * VECTOR);
        for (unsigned j = 0; j < 4; j++)
            butterfly(&v[j], &v[j + 4], zeta_of(1));
        for (unsigned j = 0; j < 6; j += j == 1 ? 3 : 1) /* 0, 1, 4, 5 */
            butterfly(&v[j], &v[j + 2], zeta_of(2 + j / 4));
        for (unsigned j = 0; j < 8; j += 2)
            butterfly(&v[j], &v[j + 1], zeta_of(4 + j / 2));
        for (unsigned j = 0; j < 8; j++)
            store(f->c + (4 * j + i) * VECTOR, v[j]);
    }
    for (unsigned i = 0; i < 8; i++) {
        int32_t *p = f->c + i * 4 * VECTOR;
        __m256i a = load(p), b = load(p + 8), c = load(p + 16), d = load(p + 24);
        butterfly(&a, &c, zeta_of(8 + i));
        butterfly(&b, &d, zeta_of(8 + i));
        butterfly(&a, &b, zeta_of(16 + 2 * i));
        butterfly(&c, &d, zeta_of(17 + 2 * i));
        ntt_within(&a, &b, 2 * i);
        ntt_within(&c, &d, 2 * i + 1);
        store(p, a);
        store(p + 8, b);
        store(p + 16, c);
        store(p + 24, d);
    }
}

/* The first three layers of vectors 2 i and 2 i + 1. */
static void inverse_within(__m256i *a, __m256i *b, unsigned i)
{
    part8(a, b);
    part4(a, b);
    part2(a, b);
    inverse_butterfly(a, b, eight_zetas(255 - 8 * i - 7, true));
    part2(a, b);
    inverse_butterfly(a, b, four_zetas(127 - 4 * i - 3, true));
    part4(a, b);
    inverse_butterfly(a, b, two_zetas(63 - 2 * i - 1, true));
    part8(a, b);
}

/* Algorithm 42. Sums double with each layer: 256 q is below 2^31. */
static void inverse_ntt(struct mldsa_poly *f)
{
    const struct multiplier last = {all(MLDSA_LAST_FACTOR), all(MLDSA_LAST_FACTOR)};
    for (unsigned i = 0; i < 8; i++) {
        int32_t *p = f->c + i * 4 * VECTOR;
        __m256i a = load(p), b = load(p + 8), c = load(p + 16), d = load(p + 24);
        inverse_within(&a, &b, 2 * i);
        inverse_within(&c, &d, 2 * i + 1);
        inverse_butterfly(&a, &b, zeta_of(31 - 2 * i));
        inverse_butterfly(&c, &d, zeta_of(30 - 2 * i));
        inverse_butterfly(&a, &c, zeta_of(15 - i));
        inverse_butterfly(&b, &d, zeta_of(15 - i));
        store(p, a);
        store(p + 8, b);
        store(p + 16, c);
        store(p + 24, d);
    }
    for (unsigned i = 0; i < 4; i++) {
        __m256i v[8];
        for (unsigned j = 0; j < 8; j++)
            v[j] = load(f->c + (4 * j + i) * VECTOR);
        for (unsigned j = 0; j < 8; j += 2)
            inverse_butterfly(&v[j], &v[j + 1], zeta_of(7 - j / 2));
        for (unsigned j = 0; j < 6; j += j == 1 ? 3 : 1) /* 0, 1, 4, 5 */
            inverse_butterfly(&v[j], &v[j + 2], zeta_of(3 - j / 4));
        for (unsigned j = 0; j < 4; j++)
            inverse_butterfly(&v[j], &v[j + 4], zeta_of(1));
        for (unsigned j = 0; j < 8; j++)
            store(f->c + (4 * j + i) * VECTOR, product(v[j], last));
    }
}

/* Algorithms 45 and 46. Eight products of less than 36 q^2 each stay below q * 2^31. */
static void multiply(struct mldsa_poly *out, const struct mldsa_poly *const a[],
                     const struct mldsa_poly *const b[], unsigned n)
{
    for (unsigned i = 0; i < MLDSA_N; i += VECTOR) {
        __m256i even = _mm256_setzero_si256(), odd = even;
        for (unsigned j = 0; j < n; j++) {
            __m256i x = load(a[j]->c + i), y = load(b[j]->c + i);
            even = _mm256_add_epi64(even, _mm256_mul_epi32(x, y));
            odd = _mm256_add_epi64(odd, _mm256_mul_epi32(odd_places(x), odd_places(y)));
        }
        store(out->c + i, montgomery(even, odd));
    }
}

static void add(struct mldsa_poly *f, const struct mldsa_poly *g)
{
    for (unsigned i = 0; i < MLDSA_N; i += VECTOR)
        store(f->c + i, _mm256_add_epi32(load(f->c + i), load(g->c + i)));
}

static void subtract(struct mldsa_poly *f, const struct mldsa_poly *g)
{
    for (unsigned i = 0; i < MLDSA_N; i += VECTOR)
        store(f->c + i, _mm256_sub_epi32(load(f->c + i), load(g->c + i)));
}

static void subtract_from(struct mldsa_poly *f, int32_t b)
{
    for (unsigned i = 0; i < MLDSA_N; i += VECTOR)
        store(f->c + i, _mm256_sub_epi32(all(b), load(f->c + i)));
}

static bool reaches(const struct mldsa_poly *f, int32_t bound)
{
    __m256i most = _mm256_setzero_si256();
    for (unsigned i = 0; i < MLDSA_N; i += VECTOR)
        most = _mm256_max_epi32(most, _mm256_abs_epi32(load(f->c + i)));
    int reached = _mm256_movemask_epi8(_mm256_cmpgt_epi32(most, all(bound - 1)));
    LATTICE_PUBLIC(&reached, sizeof reached);
    return reached != 0;
}

/* ---- high and low parts ---- */

static void power2round(struct mldsa_poly *high, struct mldsa_poly *low, const struct mldsa_poly *f)
{
    for (unsigned i = 0; i < MLDSA_N; i += VECTOR) {
        __m256i a = lift(load(f->c + i));
        __m256i a1 = _mm256_srli_epi32(_mm256_add_epi32(a, all((1 << (MLDSA_D - 1)) - 1)), MLDSA_D);
        store(high->c + i, a1);
        store(low->c + i, _mm256_sub_epi32(a, _mm256_slli_epi32(a1, MLDSA_D)));
    }
}

/* The portable code's rounded_quotient for both gamma2: see there. */
static __m256i quotient88(__m256i a)
{
    a = _mm256_srli_epi32(_mm256_add_epi32(a, all((Q - 1) / 88 - 1)), 11);
    return _mm256_srli_epi32(_mm256_mullo_epi32(a, all(5638)), 19);
}

static __m256i quotient32(__m256i a)
{
    a = _mm256_srli_epi32(_mm256_add_epi32(a, all((Q - 1) / 32 - 1)), 9);
    a = _mm256_add_epi32(_mm256_add_epi32(a, _mm256_srli_epi32(a, 10)), all(1));
    return _mm256_srli_epi32(a, 10);
}

static inline __attribute__((always_inline)) void decompose_by(struct mldsa_poly *high,
                                                               struct mldsa_poly *low,
                                                               const struct mldsa_poly *f, int32_t gamma2,
                                                               __m256i quotient(__m256i))
{
    const __m256i end = all((Q - 1) / (2 * gamma2));
    for (unsigned i = 0; i < MLDSA_N; i += VECTOR) {
        __m256i a = lift(load(f->c + i)), a1 = quotient(a), wraps = _mm256_cmpeq_epi32(a1, end);
        __m256i rest = _mm256_sub_epi32(a, _mm256_mullo_epi32(a1, all(2 * gamma2)));
        store(high->c + i, _mm256_andnot_si256(wraps, a1));
        store(low->c + i, _mm256_add_epi32(rest, wraps));
    }
}

static void decompose(struct mldsa_poly *high, struct mldsa_poly *low, const struct mldsa_poly *f,
                      int32_t gamma2)
{
    if (gamma2 == (Q - 1) / 88)
        decompose_by(high, low, f, (Q - 1) / 88, quotient88);
    else
        decompose_by(high, low, f, (Q - 1) / 32, quotient32);
}

static unsigned make_hint(uint8_t bits[MLDSA_BITS_BYTES], const struct mldsa_poly *high,
                          const struct mldsa_poly *low, int32_t gamma2)
{
    int32_t count[VECTOR];
    __m256i counts = _mm256_setzero_si256();
    for (unsigned i = 0; i < MLDSA_N; i += VECTOR) {
        __m256i a = load(low->c + i);
        __m256i zero = _mm256_cmpeq_epi32(load(high->c + i), _mm256_setzero_si256());
        __m256i over = _mm256_cmpgt_epi32(a, all(gamma2));
        __m256i under = _mm256_cmpgt_epi32(_mm256_add_epi32(all(1 - gamma2), zero), a);
        __m256i hint = _mm256_or_si256(over, under);
        counts = _mm256_sub_epi32(counts, hint);
        bits[i / VECTOR] = (uint8_t)_mm256_movemask_ps(_mm256_castsi256_ps(hint));
    }
    _mm256_storeu_si256((__m256i *)count, counts);
    unsigned sum = 0;
    for (unsigned i = 0; i < VECTOR; i++)
        sum += (unsigned)count[i];
    LATTICE_PUBLIC(&sum, sizeof sum);
    return sum;
}

const struct mldsa_code mldsa_avx2 = {
    .name = "avx2",
    .ntt = ntt,
    .multiply = multiply,
    .inverse_ntt = inverse_ntt,
    .add = add,
    .subtract = subtract,
    .subtract_from = subtract_from,
    .reaches = reaches,
    .sample_uniform = mldsa_avx2_sample_uniform,
    .sample_secret = mldsa_avx2_sample_secret,
    .pack = mldsa_avx2_pack,
    .unpack = mldsa_avx2_unpack,
    .power2round = power2round,
    .decompose = decompose,
    .make_hint = make_hint,
};
