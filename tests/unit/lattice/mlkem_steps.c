#include "lattice/mlkem_code.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Every step of a vector path against the portable one, on random and on the largest numbers; and the
 * portable one's against the standard's own words. */

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static uint64_t random_word(void)
{
    static uint64_t x = 0x9e3779b97f4a7c15;
    x ^= x << 13;
    x ^= x >> 7;
    return x ^= x << 17;
}

/* Random; from time to time with nothing but the ends of the range. */
static struct mlkem_poly random_poly(void)
{
    struct mlkem_poly f;
    unsigned kind = (unsigned)(random_word() % 8);
    for (unsigned i = 0; i < MLKEM_N; i++)
        f.c[i] = (int16_t)(kind == 0   ? MLKEM_Q - 1
                           : kind == 1 ? (random_word() & 1) * (MLKEM_Q - 1)
                                       : random_word() % MLKEM_Q);
    return f;
}

static void random_bytes(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(random_word() >> 20);
}

static void same_poly(const struct mlkem_poly *a, const struct mlkem_poly *b)
{
    for (unsigned i = 0; i < MLKEM_N; i++) {
        assert_in_range(a->c[i], 0, MLKEM_Q - 1);
        assert_int_equal(a->c[i], b->c[i]);
    }
}

static const struct mlkem_code *vectors(void)
{
    const struct lattice_code *code = lattice_code(0);
    if (code->mlkem == &mlkem_portable) {
        print_message("this processor has the portable path alone: nothing to compare\n");
        skip();
    }
    return code->mlkem;
}

static void test_transform(void **state)
{
    (void)state;
    const struct mlkem_code *m = vectors();
    for (unsigned n = 0; n < 2000; n++) {
        struct mlkem_poly a = random_poly(), b = a, before = a;
        m->ntt(&a);
        mlkem_portable.ntt(&b);
        same_poly(&a, &b);
        m->inverse_ntt(&a);
        mlkem_portable.inverse_ntt(&b);
        same_poly(&a, &b);
        same_poly(&a, &before);
        a = b = random_poly();
        m->inverse_ntt(&a);
        mlkem_portable.inverse_ntt(&b);
        same_poly(&a, &b);
    }
}

static void test_products(void **state)
{
    (void)state;
    const struct mlkem_code *m = vectors();
    for (unsigned n = 0; n < 1000; n++) {
        unsigned k = 1 + n % MLKEM_K_MAX;
        struct mlkem_poly a[MLKEM_K_MAX], b, ours, theirs;
        struct mlkem_factor factor[MLKEM_K_MAX], same[MLKEM_K_MAX];
        const struct mlkem_poly *row[MLKEM_K_MAX];
        for (unsigned j = 0; j < k; j++) {
            a[j] = random_poly();
            b = random_poly();
            row[j] = &a[j];
            m->prepare(&factor[j], &b);
            mlkem_portable.prepare(&same[j], &b);
        }
        m->multiply(&ours, row, factor, k);
        mlkem_portable.multiply(&theirs, row, same, k);
        same_poly(&ours, &theirs);
    }
}

/* The portable transform and product against multiplication as one learns it: X^256 is -1. */
static void test_product_of_polynomials(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 20; n++) {
        struct mlkem_poly a = random_poly(), b = random_poly(), product, expected;
        const struct mlkem_poly *row[1] = {&a};
        struct mlkem_factor factor;
        for (int i = 0; i < MLKEM_N; i++) {
            int64_t sum = 0;
            for (int j = 0; j < MLKEM_N; j++)
                sum += (j <= i ? 1 : -1) * (int64_t)a.c[j] * b.c[(i - j + MLKEM_N) % MLKEM_N];
            expected.c[i] = (int16_t)((sum % MLKEM_Q + MLKEM_Q) % MLKEM_Q);
        }
        mlkem_portable.ntt(&a);
        mlkem_portable.ntt(&b);
        mlkem_portable.prepare(&factor, &b);
        mlkem_portable.multiply(&product, row, &factor, 1);
        mlkem_portable.inverse_ntt(&product);
        same_poly(&product, &expected);
    }
}

static void test_sums(void **state)
{
    (void)state;
    const struct mlkem_code *m = vectors();
    for (int x = 0; x < MLKEM_Q; x += 13)
        for (unsigned n = 0; n < 4; n++) {
            struct mlkem_poly f = random_poly(), g = random_poly(), sum, difference;
            f.c[n] = (int16_t)x;
            sum = f;
            m->add(&sum, &g);
            m->subtract(&difference, &f, &g);
            for (unsigned i = 0; i < MLKEM_N; i++) {
                assert_int_equal(sum.c[i], (f.c[i] + g.c[i]) % MLKEM_Q);
                assert_int_equal(difference.c[i], (f.c[i] - g.c[i] + MLKEM_Q) % MLKEM_Q);
            }
            struct mlkem_poly same = f, other;
            mlkem_portable.add(&same, &g);
            mlkem_portable.subtract(&other, &f, &g);
            same_poly(&sum, &same);
            same_poly(&difference, &other);
        }
}

static void test_uniform(void **state)
{
    (void)state;
    const struct mlkem_code *m = vectors();
    for (unsigned n = 0; n < 4000; n++) {
        uint8_t bytes[504];
        size_t length = random_word() % (sizeof bytes / 3 + 1) * 3;
        unsigned room = (unsigned)(random_word() % (MLKEM_N + 1));
        int16_t ours[MLKEM_N + 1], theirs[MLKEM_N + 1];
        random_bytes(bytes, sizeof bytes);
        if (n % 8 == 0)
            memset(bytes, n % 16 == 0 ? 0xff : 0, sizeof bytes);
        memset(ours, 0x55, sizeof ours);
        unsigned got = m->sample_uniform(ours, room, bytes, length);
        assert_int_equal(got, mlkem_portable.sample_uniform(theirs, room, bytes, length));
        assert_memory_equal(ours, theirs, got * sizeof ours[0]);
        assert_int_equal(ours[room], 0x5555); /* nothing is written behind the room */
    }
}

static void test_noise(void **state)
{
    (void)state;
    const struct mlkem_code *m = vectors();
    for (unsigned n = 0; n < 1000; n++)
        for (unsigned eta = 2; eta <= 3; eta++) {
            uint8_t bytes[192];
            struct mlkem_poly ours, theirs;
            random_bytes(bytes, sizeof bytes);
            m->sample_noise(&ours, eta, bytes);
            mlkem_portable.sample_noise(&theirs, eta, bytes);
            same_poly(&ours, &theirs);
        }
}

static void test_twelve_bits(void **state)
{
    (void)state;
    const struct mlkem_code *m = vectors();
    for (unsigned n = 0; n < 200; n++) {
        struct mlkem_poly f = random_poly(), ours, theirs;
        uint8_t bytes[384], same[384];
        m->write12(bytes, &f);
        mlkem_portable.write12(same, &f);
        assert_memory_equal(bytes, same, sizeof bytes);
        assert_true(m->read12(&ours, bytes));
        assert_true(mlkem_portable.read12(&theirs, bytes));
        same_poly(&ours, &f);
        same_poly(&theirs, &f);
        random_bytes(bytes, sizeof bytes);
        assert_int_equal(m->read12(&ours, bytes), mlkem_portable.read12(&theirs, bytes));
    }
}

/* All that can be compressed, and its definition in words: the nearest of x * 2^d / q. */
static void test_compression(void **state)
{
    (void)state;
    static const unsigned bits[] = {1, 4, 5, 10, 11};
    const struct mlkem_code *m = vectors();
    for (size_t b = 0; b < COUNT(bits); b++)
        for (int first = 0; first < MLKEM_Q; first += MLKEM_N) {
            unsigned d = bits[b];
            struct mlkem_poly f, ours, theirs;
            uint8_t bytes[MLKEM_N / 8 * 11], same[MLKEM_N / 8 * 11];
            for (int i = 0; i < MLKEM_N; i++)
                f.c[i] = (int16_t)((first + i) % MLKEM_Q);
            m->compress(bytes, &f, d);
            mlkem_portable.compress(same, &f, d);
            assert_memory_equal(bytes, same, MLKEM_N / 8 * d);
            for (unsigned i = 0; i < MLKEM_N; i++) {
                unsigned value = 0,
                         expected = (unsigned)(((2 * f.c[i] << d) + MLKEM_Q) / (2 * MLKEM_Q)) % (1U << d);
                for (unsigned j = 0; j < d; j++)
                    value |= (unsigned)(same[(i * d + j) / 8] >> (i * d + j) % 8 & 1) << j;
                assert_int_equal(value, expected);
            }
            m->decompress(&ours, bytes, d);
            mlkem_portable.decompress(&theirs, bytes, d);
            same_poly(&ours, &theirs);
            for (unsigned i = 0; i < MLKEM_N * d / 8; i++)
                bytes[i] = (uint8_t)random_word();
            m->decompress(&ours, bytes, d);
            mlkem_portable.decompress(&theirs, bytes, d);
            same_poly(&ours, &theirs);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transform),
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_product_of_polynomials),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_twelve_bits),
        cmocka_unit_test(test_compression),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
