#include "lattice/mldsa_code.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Every step of a vector path against the portable one, on random and on the largest numbers; and the
 * portable one's against the standard's own words. */

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define Q MLDSA_Q

static const int32_t gammas[] = {(Q - 1) / 88, (Q - 1) / 32};

static uint64_t random_word(void)
{
    static uint64_t x = 0x9e3779b97f4a7c15;
    x ^= x << 13;
    x ^= x >> 7;
    return x ^= x << 17;
}

/* In (-end, end); from time to time with nothing but the ends. */
static struct mldsa_poly random_poly(int32_t end)
{
    struct mldsa_poly f;
    unsigned kind = (unsigned)(random_word() % 8);
    for (unsigned i = 0; i < MLDSA_N; i++) {
        int32_t sign = (random_word() >> 9 & 1) != 0 ? 1 : -1;
        f.c[i] = kind == 0   ? end - 1
                 : kind == 1 ? 1 - end
                 : kind == 2 ? sign * (end - 1)
                             : sign * (int32_t)(random_word() % (uint64_t)end);
    }
    return f;
}

static void random_bytes(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(random_word() >> 20);
}

static void same_poly(const struct mldsa_poly *a, const struct mldsa_poly *b)
{
    assert_memory_equal(a->c, b->c, sizeof a->c);
}

static void within(const struct mldsa_poly *f, int32_t low, int32_t high)
{
    for (unsigned i = 0; i < MLDSA_N; i++)
        assert_true(f->c[i] >= low && f->c[i] <= high);
}

static int32_t modulo(int64_t a)
{
    return (int32_t)((a % Q + Q) % Q);
}

static const struct mldsa_code *vectors(void)
{
    const struct lattice_code *code = lattice_code(0);
    if (code->mldsa == &mldsa_portable) {
        print_message("this processor has the portable path alone: nothing to compare\n");
        skip();
    }
    return code->mldsa;
}

static void test_transform(void **state)
{
    (void)state;
    const struct mldsa_code *m = vectors();
    for (unsigned n = 0; n < 2000; n++) {
        struct mldsa_poly a = random_poly(Q), b = a;
        m->ntt(&a);
        mldsa_portable.ntt(&b);
        same_poly(&a, &b);
        within(&a, 1 - 6 * Q, 6 * Q - 1);
        a = b = random_poly(Q);
        m->inverse_ntt(&a);
        mldsa_portable.inverse_ntt(&b);
        same_poly(&a, &b);
        within(&a, 1 - Q, Q - 1);
    }
}

static void test_products(void **state)
{
    (void)state;
    const struct mldsa_code *m = vectors();
    for (unsigned n = 0; n < 1000; n++) {
        unsigned count = 1 + n % (MLDSA_L_MAX + 1);
        struct mldsa_poly a[MLDSA_L_MAX + 1], b[MLDSA_L_MAX + 1], ours, theirs;
        const struct mldsa_poly *as[MLDSA_L_MAX + 1], *bs[MLDSA_L_MAX + 1];
        for (unsigned j = 0; j < count; j++) {
            a[j] = random_poly(6 * Q);
            b[j] = random_poly(6 * Q);
            as[j] = &a[j];
            bs[j] = &b[j];
        }
        m->multiply(&ours, as, bs, count);
        mldsa_portable.multiply(&theirs, as, bs, count);
        same_poly(&ours, &theirs);
        within(&ours, 1 - Q, Q - 1);
    }
}

/* The portable transform and product against multiplication as one learns it: X^256 is -1. */
static void test_product_of_polynomials(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 20; n++) {
        struct mldsa_poly a = random_poly(n % 2 == 0 ? Q : 1 << 19), b = random_poly(Q), product;
        const struct mldsa_poly *as[1] = {&a}, *bs[1] = {&b};
        int32_t expected[MLDSA_N];
        for (int i = 0; i < MLDSA_N; i++) {
            int64_t sum = 0;
            for (int j = 0; j < MLDSA_N; j++)
                sum += (j <= i ? 1 : -1) * ((int64_t)a.c[j] * b.c[(i - j + MLDSA_N) % MLDSA_N] % Q);
            expected[i] = modulo(sum);
        }
        mldsa_portable.ntt(&a);
        mldsa_portable.ntt(&b);
        mldsa_portable.multiply(&product, as, bs, 1);
        mldsa_portable.inverse_ntt(&product);
        within(&product, 1 - Q, Q - 1);
        for (int i = 0; i < MLDSA_N; i++)
            assert_int_equal(modulo(product.c[i]), expected[i]);
    }
}

/* A product that is small comes back as the number that it is, not as another of its residue. */
static void test_small_products_are_next_to_zero(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 200; n++) {
        struct mldsa_poly one = {{1}}, small = random_poly(Q / 4), before = small, product;
        const struct mldsa_poly *as[1] = {&one}, *bs[1] = {&small};
        mldsa_portable.ntt(&one);
        mldsa_portable.ntt(&small);
        mldsa_portable.multiply(&product, as, bs, 1);
        mldsa_portable.inverse_ntt(&product);
        same_poly(&product, &before);
    }
}

static void test_sums(void **state)
{
    (void)state;
    const struct mldsa_code *m = vectors();
    for (unsigned n = 0; n < 200; n++) {
        struct mldsa_poly a = random_poly(Q), b = a, other = random_poly(Q);
        m->add(&a, &other);
        mldsa_portable.add(&b, &other);
        same_poly(&a, &b);
        m->subtract(&a, &other);
        m->subtract(&a, &other);
        mldsa_portable.subtract(&b, &other);
        mldsa_portable.subtract(&b, &other);
        same_poly(&a, &b);
        m->subtract_from(&a, 1 << 19);
        mldsa_portable.subtract_from(&b, 1 << 19);
        same_poly(&a, &b);
    }
}

static void test_norms(void **state)
{
    (void)state;
    const struct mldsa_code *const paths[] = {&mldsa_portable, vectors()};
    for (size_t path = 0; path < COUNT(paths); path++)
        for (int32_t bound = 1; bound < 1 << 19; bound = bound * 3 + 1)
            for (unsigned at = 0; at < MLDSA_N; at++) {
                struct mldsa_poly f = random_poly(bound);
                assert_false(paths[path]->reaches(&f, bound));
                f.c[at] = bound;
                assert_true(paths[path]->reaches(&f, bound));
                f.c[at] = -bound;
                assert_true(paths[path]->reaches(&f, bound));
            }
}

static void test_uniform(void **state)
{
    (void)state;
    const struct mldsa_code *m = vectors();
    uint8_t p[840];
    for (unsigned n = 0; n < 2000; n++) {
        int32_t ours[MLDSA_N] = {0}, theirs[MLDSA_N] = {0};
        size_t size = n % 5 == 0 ? 168 : sizeof p;
        unsigned room = n % 3 == 0 ? MLDSA_N : 1 + (unsigned)(random_word() % MLDSA_N);
        random_bytes(p, sizeof p);
        for (unsigned i = 0; n % 4 == 0 && i < 60; i++) { /* what is passed over is rare */
            uint8_t *z = p + random_word() % (sizeof p / 3) * 3;
            int32_t value = Q - 2 + (int32_t)(random_word() % 4);
            z[0] = (uint8_t)value;
            z[1] = (uint8_t)(value >> 8);
            z[2] = (uint8_t)(value >> 16 | (int32_t)(random_word() & 0x80));
        }
        unsigned a = m->sample_uniform(ours, room, p, size);
        assert_int_equal(a, mldsa_portable.sample_uniform(theirs, room, p, size));
        assert_true(a <= room);
        assert_memory_equal(ours, theirs, a * sizeof ours[0]);
        for (unsigned i = 0; i < a; i++)
            assert_in_range(ours[i], 0, Q - 1);
    }
}

/* Algorithm 15 in its own words. */
static void test_secrets(void **state)
{
    (void)state;
    const struct mldsa_code *const paths[] = {&mldsa_portable, vectors()};
    uint8_t p[272];
    for (unsigned n = 0; n < 1000; n++) {
        unsigned eta = n % 2 == 0 ? 2 : 4, room = n % 3 == 0 ? MLDSA_N : 1 + (unsigned)(random_word() % 256);
        size_t size = n % 5 == 0 ? 136 : sizeof p;
        int32_t expected[MLDSA_N];
        unsigned count = 0;
        random_bytes(p, sizeof p);
        for (size_t i = 0; i < 2 * size && count < room; i++) {
            int z = i % 2 == 0 ? p[i / 2] % 16 : p[i / 2] / 16;
            if (eta == 2 && z < 15)
                expected[count++] = 2 - z % 5;
            if (eta == 4 && z < 9)
                expected[count++] = 4 - z;
        }
        for (size_t path = 0; path < COUNT(paths); path++) {
            int32_t got[MLDSA_N] = {0};
            assert_int_equal(paths[path]->sample_secret(got, room, p, size, eta), count);
            assert_memory_equal(got, expected, count * sizeof got[0]);
        }
    }
}

/* Algorithms 16 and 18: bit by bit. */
static void test_packing(void **state)
{
    (void)state;
    static const unsigned widths[] = {3, 4, 6, 10, 13, 18, 20};
    const struct mldsa_code *const paths[] = {&mldsa_portable, vectors()};
    for (unsigned n = 0; n < 140; n++) {
        unsigned bits = widths[n % COUNT(widths)];
        size_t size = (size_t)MLDSA_N / 8 * bits;
        struct mldsa_poly f;
        uint8_t expected[640] = {0};
        for (unsigned i = 0; i < MLDSA_N; i++) {
            f.c[i] = n % 4 == 0 ? (1 << bits) - 1 : (int32_t)(random_word() >> 20 & ((1U << bits) - 1));
            for (unsigned j = 0; j < bits; j++)
                expected[(i * bits + j) / 8] |= (uint8_t)((f.c[i] >> j & 1) << (i * bits + j) % 8);
        }
        for (size_t path = 0; path < COUNT(paths); path++) {
            uint8_t *exact = malloc(size); /* one byte beyond it is told */
            struct mldsa_poly back;
            assert_non_null(exact);
            paths[path]->pack(exact, &f, bits);
            assert_memory_equal(exact, expected, size);
            paths[path]->unpack(&back, exact, bits);
            same_poly(&back, &f);
            free(exact);
        }
    }
}

/* Algorithms 35 to 37 of every number there is, in the standard's words. */
static void decompose_in_words(int32_t r, int32_t gamma2, int32_t *r1, int32_t *r0)
{
    *r0 = r % (2 * gamma2);
    if (*r0 > gamma2)
        *r0 -= 2 * gamma2;
    if (r - *r0 == Q - 1) {
        *r1 = 0;
        *r0 -= 1;
    } else {
        *r1 = (r - *r0) / (2 * gamma2);
    }
}

static void compare_rounding(const struct mldsa_code *m, const struct mldsa_poly *f)
{
    struct mldsa_poly high, low;
    int32_t r1, r0;
    m->power2round(&high, &low, f);
    for (unsigned i = 0; i < MLDSA_N; i++) {
        int32_t r = modulo(f->c[i]), rest = r % (1 << MLDSA_D);
        rest -= rest > 1 << (MLDSA_D - 1) ? 1 << MLDSA_D : 0;
        assert_int_equal(low.c[i], rest);
        assert_int_equal(high.c[i], (r - rest) >> MLDSA_D);
    }
    for (size_t g = 0; g < COUNT(gammas); g++) {
        m->decompose(&high, &low, f, gammas[g]);
        for (unsigned i = 0; i < MLDSA_N; i++) {
            decompose_in_words(modulo(f->c[i]), gammas[g], &r1, &r0);
            assert_int_equal(high.c[i], r1);
            assert_int_equal(low.c[i], r0);
        }
    }
}

static void test_rounding(void **state)
{
    (void)state;
    const struct mldsa_code *const paths[] = {&mldsa_portable, vectors()};
    struct mldsa_poly f;
    for (size_t path = 0; path < COUNT(paths); path++)
        for (int32_t first = 1 - Q; first < Q; first += first >= 0 ? MLDSA_N : 7 * MLDSA_N) {
            for (int32_t i = 0; i < MLDSA_N; i++)
                f.c[i] = first + i < Q ? first + i : Q - 1;
            compare_rounding(paths[path], &f);
        }
    /* Where the roundings change. */
    for (size_t path = 0; path < COUNT(paths); path++)
        for (size_t g = 0; g < COUNT(gammas); g++)
            for (int32_t edge = gammas[g]; edge < Q; edge += 2 * gammas[g]) {
                for (int32_t i = 0; i < MLDSA_N; i++)
                    f.c[i] = edge - 128 + i < Q ? edge - 128 + i : Q - 1;
                compare_rounding(paths[path], &f);
            }
}

/* Algorithm 39: whether the high part of what is left of r = high * 2 gamma2 + low differs. */
static void test_hints(void **state)
{
    (void)state;
    const struct mldsa_code *const paths[] = {&mldsa_portable, vectors()};
    for (unsigned n = 0; n < 400; n++) {
        int32_t gamma2 = gammas[n % 2], end = (Q - 1) / (2 * gamma2), r1, r0;
        struct mldsa_poly high, low;
        uint8_t expected[MLDSA_BITS_BYTES] = {0}, got[MLDSA_BITS_BYTES];
        unsigned count = 0;
        for (unsigned i = 0; i < MLDSA_N; i++) {
            high.c[i] = (int32_t)(random_word() % (uint64_t)end);
            if (i % 5 == 0)
                high.c[i] = i % 2 == 0 ? 0 : end - 1;
            low.c[i] = (int32_t)(random_word() % (uint64_t)(4 * gamma2 - 1)) - 2 * gamma2 + 1;
            if (i % 3 == 0)
                low.c[i] = (i % 2 == 0 ? gamma2 : -gamma2) + (int32_t)(random_word() % 3) - 1;
            decompose_in_words(modulo(high.c[i] * 2 * gamma2 + low.c[i]), gamma2, &r1, &r0);
            if (r1 != high.c[i]) {
                expected[i / 8] |= (uint8_t)(1U << i % 8);
                count++;
            }
        }
        for (size_t path = 0; path < COUNT(paths); path++) {
            assert_int_equal(paths[path]->make_hint(got, &high, &low, gamma2), count);
            assert_memory_equal(got, expected, sizeof got);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transform),
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_product_of_polynomials),
        cmocka_unit_test(test_small_products_are_next_to_zero),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_norms),
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_packing),
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_hints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
