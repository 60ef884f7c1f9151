#include <string.h>

#include "lattice/mlkem_code.h"
#include "lattice/mlkem_zetas.h"
#include "lattice/secret.h"

/* The readable reference: FIPS 203, a coefficient at a time, in constant time. */

#define Q MLKEM_Q

/* ---- arithmetic mod q ---- */

/* a * 2^-16 mod q in (-q, q), for |a| < q * 2^15 (Montgomery, signed). */
static int16_t montgomery(int32_t a)
{
    int16_t t = (int16_t)((uint32_t)a * (uint32_t)MLKEM_Q_INVERSE);
    return (int16_t)((a - (int32_t)t * Q) >> 16);
}

/* a * b * 2^-16: with one of them in Montgomery's form, their product. */
static int16_t product(int16_t a, int16_t b)
{
    return montgomery((int32_t)a * b);
}

/* Any a to [0, q): Barrett with 20159 = round(2^26 / q), then q where it is negative. */
static int16_t reduce(int16_t a)
{
    int32_t quotient = (20159 * (int32_t)a + (1 << 25)) >> 26;
    int32_t r = a - quotient * Q;
    return (int16_t)(r + ((r >> 31) & Q));
}

static void reduce_all(struct mlkem_poly *f)
{
    for (unsigned i = 0; i < MLKEM_N; i++)
        f->c[i] = reduce(f->c[i]);
}

/* ---- the transform ---- */

/* Algorithm 9. Each of the seven layers adds less than q: 8 q is below 2^15, so that one reduction is
 * enough. */
static void ntt(struct mlkem_poly *f)
{
    unsigned i = 1;
    for (unsigned half = 128; half >= 2; half /= 2)
        for (unsigned start = 0; start < MLKEM_N; start += 2 * half) {
            int16_t zeta = mlkem_zetas[i++];
            for (unsigned j = start; j < start + half; j++) {
                int16_t t = product(zeta, f->c[j + half]);
                f->c[j + half] = (int16_t)(f->c[j] - t);
                f->c[j] = (int16_t)(f->c[j] + t);
            }
        }
    reduce_all(f);
}

/* Algorithm 10. Sums are reduced as they are made; the last step divides by 128. */
static void inverse_ntt(struct mlkem_poly *f)
{
    const int16_t divide = 512; /* 2^16 / 128 mod q */
    unsigned i = 127;
    for (unsigned half = 2; half <= 128; half *= 2)
        for (unsigned start = 0; start < MLKEM_N; start += 2 * half) {
            int16_t zeta = mlkem_zetas[i--];
            for (unsigned j = start; j < start + half; j++) {
                int16_t t = f->c[j];
                f->c[j] = reduce((int16_t)(t + f->c[j + half]));
                f->c[j + half] = product(zeta, (int16_t)(f->c[j + half] - t));
            }
        }
    for (unsigned j = 0; j < MLKEM_N; j++)
        f->c[j] = reduce(product(f->c[j], divide));
}

/* 17^(2 BitRev7(i) + 1): algorithm 11's gamma, which is plus and minus the last layer's zetas. */
static int16_t gamma_of(unsigned i)
{
    int16_t zeta = mlkem_zetas[64 + i / 2];
    return i % 2 == 0 ? zeta : (int16_t)-zeta;
}

static void prepare(struct mlkem_factor *out, const struct mlkem_poly *b)
{
    for (unsigned i = 0; i < MLKEM_N / 2; i++) {
        int16_t even = product(b->c[2 * i], MLKEM_R_SQUARED), odd = product(b->c[2 * i + 1], MLKEM_R_SQUARED);
        out->swapped.c[2 * i] = odd;
        out->swapped.c[2 * i + 1] = even;
        out->zeta.c[2 * i] = even;
        out->zeta.c[2 * i + 1] = product(odd, gamma_of(i));
    }
}

/* Algorithms 11 and 12. The sums of 2 k products of less than q^2 each stay below q * 2^15. */
static void multiply(struct mlkem_poly *out, const struct mlkem_poly *const a[], const struct mlkem_factor *b,
                     unsigned k)
{
    for (unsigned i = 0; i < MLKEM_N; i += 2) {
        int32_t even = 0, odd = 0;
        for (unsigned j = 0; j < k; j++) {
            even += a[j]->c[i] * b[j].zeta.c[i] + a[j]->c[i + 1] * b[j].zeta.c[i + 1];
            odd += a[j]->c[i] * b[j].swapped.c[i] + a[j]->c[i + 1] * b[j].swapped.c[i + 1];
        }
        out->c[i] = reduce(montgomery(even));
        out->c[i + 1] = reduce(montgomery(odd));
    }
}

static void add(struct mlkem_poly *f, const struct mlkem_poly *g)
{
    for (unsigned i = 0; i < MLKEM_N; i++)
        f->c[i] = reduce((int16_t)(f->c[i] + g->c[i]));
}

static void subtract(struct mlkem_poly *out, const struct mlkem_poly *f, const struct mlkem_poly *g)
{
    for (unsigned i = 0; i < MLKEM_N; i++)
        out->c[i] = reduce((int16_t)(f->c[i] - g->c[i]));
}

/* ---- sampling ---- */

static unsigned sample_uniform(int16_t *out, unsigned room, const uint8_t *p, size_t n)
{
    unsigned count = 0;
    for (size_t i = 0; i + 3 <= n && count < room; i += 3) {
        int16_t d1 = (int16_t)(p[i] | (p[i + 1] & 0x0f) << 8), d2 = (int16_t)(p[i + 1] >> 4 | p[i + 2] << 4);
        if (d1 < Q)
            out[count++] = d1;
        if (d2 < Q && count < room)
            out[count++] = d2;
    }
    return count;
}

static unsigned bit(const uint8_t *p, unsigned i)
{
    return (unsigned)p[i / 8] >> i % 8 & 1U;
}

static void sample_noise(struct mlkem_poly *out, unsigned eta, const uint8_t *p)
{
    for (unsigned i = 0; i < MLKEM_N; i++) {
        int x = 0, y = 0;
        for (unsigned j = 0; j < eta; j++) {
            x += (int)bit(p, 2 * i * eta + j);
            y += (int)bit(p, 2 * i * eta + eta + j);
        }
        out->c[i] = reduce((int16_t)(x - y));
    }
}

/* ---- bytes ---- */

static void write12(uint8_t *out, const struct mlkem_poly *f)
{
    for (unsigned i = 0; i < MLKEM_N; i += 2, out += 3) {
        unsigned a = (unsigned)f->c[i], b = (unsigned)f->c[i + 1];
        out[0] = (uint8_t)a;
        out[1] = (uint8_t)(a >> 8 | b << 4);
        out[2] = (uint8_t)(b >> 4);
    }
}

static bool read12(struct mlkem_poly *out, const uint8_t *p)
{
    unsigned bad = 0;
    for (unsigned i = 0; i < MLKEM_N; i += 2, p += 3) {
        unsigned a = p[0] | (p[1] & 0x0fU) << 8, b = p[1] >> 4 | (unsigned)p[2] << 4;
        bad |= (Q - 1 - a) | (Q - 1 - b); /* borrows where one is q or more */
        out->c[i] = (int16_t)a;
        out->c[i + 1] = (int16_t)b;
    }
    bad >>= 31;
    LATTICE_PUBLIC(&bad, sizeof bad);
    return bad == 0;
}

/* round(x * 2^d / q) mod 2^d without a division, whose time would tell what it divides: the factor is
 * ceil(2^35 / q), exact for all that can come. */
static unsigned compressed(int16_t x, unsigned d)
{
    uint32_t n = ((uint32_t)x << d) + Q / 2;
    return (unsigned)((n * UINT64_C(10321340)) >> 35) & ((1U << d) - 1);
}

static void compress(uint8_t *out, const struct mlkem_poly *f, unsigned d)
{
    uint32_t bits = 0;
    for (unsigned i = 0, have = 0; i < MLKEM_N; i++) {
        bits |= (uint32_t)compressed(f->c[i], d) << have;
        for (have += d; have >= 8; have -= 8, bits >>= 8)
            *out++ = (uint8_t)bits;
    }
}

static void decompress(struct mlkem_poly *out, const uint8_t *p, unsigned d)
{
    uint32_t bits = 0, mask = (1U << d) - 1;
    for (unsigned i = 0, have = 0; i < MLKEM_N; i++, have -= d, bits >>= d) {
        for (; have < d; have += 8)
            bits |= (uint32_t)*p++ << have;
        out->c[i] = (int16_t)(((bits & mask) * Q + (1U << (d - 1))) >> d);
    }
}

const struct mlkem_code mlkem_portable = {
    .name = "portable",
    .ntt = ntt,
    .inverse_ntt = inverse_ntt,
    .prepare = prepare,
    .multiply = multiply,
    .add = add,
    .subtract = subtract,
    .sample_uniform = sample_uniform,
    .sample_noise = sample_noise,
    .write12 = write12,
    .read12 = read12,
    .compress = compress,
    .decompress = decompress,
};
