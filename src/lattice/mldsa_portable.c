#include "lattice/mldsa_code.h"
#include "lattice/mldsa_zetas.h"
#include "lattice/secret.h"

/* The readable reference: FIPS 204, a coefficient at a time, in constant time. */

#define Q MLDSA_Q

/* ---- arithmetic mod q ---- */

/* a * 2^-32 mod q, for |a| < q * 2^31: in (-q, q), and nearer to 0 the smaller a is (Montgomery, signed;
 * algorithm 49). */
static int32_t montgomery(int64_t a)
{
    int32_t t = (int32_t)((uint32_t)a * (uint32_t)MLDSA_Q_INVERSE);
    return (int32_t)((a - (int64_t)t * Q) >> 32);
}

/* a * b * 2^-32: with one of them in Montgomery's form, their product. */
static int32_t product(int32_t a, int32_t b)
{
    return montgomery((int64_t)a * b);
}

/* (-q, q) to [0, q) */
static int32_t lift(int32_t a)
{
    return a + ((a >> 31) & Q);
}

/* ---- the transform ---- */

/* Algorithm 41. Each of the eight layers adds little more than q / 2, so that no sum has to be reduced. */
static void ntt(struct mldsa_poly *f)
{
    unsigned i = 1;
    for (unsigned half = 128; half >= 1; half /= 2)
        for (unsigned start = 0; start < MLDSA_N; start += 2 * half) {
            int32_t zeta = mldsa_zetas[i++];
            for (unsigned j = start; j < start + half; j++) {
                int32_t t = product(zeta, f->c[j + half]);
                f->c[j + half] = f->c[j] - t;
                f->c[j] += t;
            }
        }
}

/* Algorithm 42. Sums double with each layer: 256 q is below 2^31. */
static void inverse_ntt(struct mldsa_poly *f)
{
    unsigned i = 255;
    for (unsigned half = 1; half <= 128; half *= 2)
        for (unsigned start = 0; start < MLDSA_N; start += 2 * half) {
            int32_t zeta = mldsa_zetas[i--];
            for (unsigned j = start; j < start + half; j++) {
                int32_t t = f->c[j];
                f->c[j] = t + f->c[j + half];
                f->c[j + half] = product(zeta, f->c[j + half] - t);
            }
        }
    for (unsigned j = 0; j < MLDSA_N; j++)
        f->c[j] = product(f->c[j], MLDSA_LAST_FACTOR);
}

/* Algorithms 45 and 46. Eight products of less than 36 q^2 each stay below q * 2^31. */
static void multiply(struct mldsa_poly *out, const struct mldsa_poly *const a[],
                     const struct mldsa_poly *const b[], unsigned n)
{
    for (unsigned i = 0; i < MLDSA_N; i++) {
        int64_t sum = 0;
        for (unsigned j = 0; j < n; j++)
            sum += (int64_t)a[j]->c[i] * b[j]->c[i];
        out->c[i] = montgomery(sum);
    }
}

static void add(struct mldsa_poly *f, const struct mldsa_poly *g)
{
    for (unsigned i = 0; i < MLDSA_N; i++)
        f->c[i] += g->c[i];
}

static void subtract(struct mldsa_poly *f, const struct mldsa_poly *g)
{
    for (unsigned i = 0; i < MLDSA_N; i++)
        f->c[i] -= g->c[i];
}

static void subtract_from(struct mldsa_poly *f, int32_t b)
{
    for (unsigned i = 0; i < MLDSA_N; i++)
        f->c[i] = b - f->c[i];
}

static bool reaches(const struct mldsa_poly *f, int32_t bound)
{
    int32_t inside = -1; /* negative as long as every |c| - bound is */
    for (unsigned i = 0; i < MLDSA_N; i++) {
        int32_t sign = f->c[i] >> 31;
        inside &= ((f->c[i] ^ sign) - sign) - bound;
    }
    bool reached = (uint32_t)inside >> 31 == 0;
    LATTICE_PUBLIC(&reached, sizeof reached);
    return reached;
}

/* ---- sampling ---- */

static unsigned sample_uniform(int32_t *out, unsigned room, const uint8_t *p, size_t n)
{
    unsigned count = 0;
    for (size_t i = 0; i + 3 <= n && count < room; i += 3) {
        int32_t z = p[i] | p[i + 1] << 8 | (p[i + 2] & 0x7f) << 16;
        if (z < Q)
            out[count++] = z;
    }
    return count;
}

/* Which half bytes are passed over says nothing about the others. */
static unsigned sample_secret(int32_t *out, unsigned room, const uint8_t *p, size_t n, unsigned eta)
{
    const unsigned end = eta == 2 ? 15 : 9;
    unsigned count = 0;
    for (size_t i = 0; i < 2 * n && count < room; i++) {
        unsigned z = (unsigned)p[i / 2] >> 4 * (i % 2) & 15;
        bool taken = z < end;
        LATTICE_PUBLIC(&taken, sizeof taken);
        if (taken) /* 13 / 64 is 1 / 5 for what is below 15 */
            out[count++] = eta == 2 ? 2 - (int32_t)(z - 5 * (13 * z >> 6)) : 4 - (int32_t)z;
    }
    return count;
}

/* ---- bytes ---- */

static void pack(uint8_t *out, const struct mldsa_poly *f, unsigned bits)
{
    uint32_t held = 0;
    for (unsigned i = 0, have = 0; i < MLDSA_N; i++) {
        held |= (uint32_t)f->c[i] << have;
        for (have += bits; have >= 8; have -= 8, held >>= 8)
            *out++ = (uint8_t)held;
    }
}

static void unpack(struct mldsa_poly *out, const uint8_t *p, unsigned bits)
{
    uint32_t held = 0, mask = (1U << bits) - 1;
    for (unsigned i = 0, have = 0; i < MLDSA_N; i++, have -= bits, held >>= bits) {
        for (; have < bits; have += 8)
            held |= (uint32_t)*p++ << have;
        out->c[i] = (int32_t)(held & mask);
    }
}

/* ---- high and low parts ---- */

static void power2round(struct mldsa_poly *high, struct mldsa_poly *low, const struct mldsa_poly *f)
{
    for (unsigned i = 0; i < MLDSA_N; i++) {
        int32_t a = lift(f->c[i]);
        int32_t a1 = (a + (1 << (MLDSA_D - 1)) - 1) >> MLDSA_D;
        high->c[i] = a1;
        low->c[i] = a - (a1 << MLDSA_D);
    }
}

/* a / (2 * gamma2), rounded, a half down, for a in [0, q). A division's time would tell what it divides; both
 * divisors are small odd numbers times a power of two. */
static int32_t rounded_quotient(int32_t a, int32_t gamma2)
{
    a += gamma2 - 1;
    if (gamma2 == (Q - 1) / 88)
        return ((a >> 11) * 5638) >> 19; /* 2 * gamma2 = 2^11 * 93; 5638 = 2^19 / 93, rounded up */
    a >>= 9;                             /* 2 * gamma2 = 2^9 * 1023 */
    return (a + (a >> 10) + 1) >> 10;
}

static void decompose(struct mldsa_poly *high, struct mldsa_poly *low, const struct mldsa_poly *f,
                      int32_t gamma2)
{
    const int32_t end = (Q - 1) / (2 * gamma2);
    for (unsigned i = 0; i < MLDSA_N; i++) {
        int32_t a = lift(f->c[i]), a1 = rounded_quotient(a, gamma2);
        int32_t wraps = ~((a1 - end) >> 31); /* all ones where a1 is m = end: lines 3 to 5 */
        high->c[i] = a1 & ~wraps;
        low->c[i] = a - a1 * 2 * gamma2 + wraps;
    }
}

static unsigned make_hint(uint8_t bits[MLDSA_BITS_BYTES], const struct mldsa_poly *high,
                          const struct mldsa_poly *low, int32_t gamma2)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < MLDSA_N; i += 8) {
        uint32_t byte = 0;
        for (unsigned j = 0; j < 8; j++) {
            /* -gamma2 still rounds to where it was where that is 0: to q - 1's high part. */
            uint32_t zero = ((uint32_t)high->c[i + j] - 1) >> 31;
            uint32_t over = (uint32_t)(gamma2 - low->c[i + j]) >> 31;
            uint32_t under = (uint32_t)(low->c[i + j] + gamma2 - 1 + (int32_t)zero) >> 31;
            byte |= (over | under) << j;
            count += over | under;
        }
        bits[i / 8] = (uint8_t)byte;
    }
    LATTICE_PUBLIC(&count, sizeof count);
    return count;
}

const struct mldsa_code mldsa_portable = {
    .name = "portable",
    .ntt = ntt,
    .multiply = multiply,
    .inverse_ntt = inverse_ntt,
    .add = add,
    .subtract = subtract,
    .subtract_from = subtract_from,
    .reaches = reaches,
    .sample_uniform = sample_uniform,
    .sample_secret = sample_secret,
    .pack = pack,
    .unpack = unpack,
    .power2round = power2round,
    .decompose = decompose,
    .make_hint = make_hint,
};
