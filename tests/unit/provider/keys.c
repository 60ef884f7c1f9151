/* Keys that come and go: what is taken, what is refused, what is said about them. */
#include "fixture.h"

static void the_public_half_moves(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        EVP_PKEY *ours = generate(&kinds[k], OURS), *theirs = generate(&kinds[k], THEIRS);
        EVP_PKEY *to_them = moved(ours, THEIRS, EVP_PKEY_PUBLIC_KEY);
        EVP_PKEY *to_us = moved(theirs, OURS, EVP_PKEY_PUBLIC_KEY);
        assert_ours(ours);
        assert_theirs(to_them);
        assert_ours(to_us);
        assert_int_equal(EVP_PKEY_eq(ours, to_them), 1);
        assert_int_equal(EVP_PKEY_eq(to_us, theirs), 1);
        assert_int_not_equal(EVP_PKEY_eq(ours, to_us), 1);
        EVP_PKEY_free(ours);
        EVP_PKEY_free(theirs);
        EVP_PKEY_free(to_them);
        EVP_PKEY_free(to_us);
    }
}

static void opens(EVP_PKEY *key, const char *propq, EVP_PKEY *peer, const char *peer_propq)
{
    struct bytes ciphertext, made, got;
    encapsulate(peer, peer_propq, &ciphertext, &made);
    decapsulate(key, propq, &ciphertext, &got);
    assert_same(&made, &got);
}

static void the_private_half_moves(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        EVP_PKEY *ours = generate(&kinds[k], OURS), *again = moved(ours, OURS, EVP_PKEY_KEYPAIR);
        assert_ours(again);
        opens(again, OURS, ours, OURS);
        EVP_PKEY_free(again);
        if (!kinds[k].curve) { /* OpenSSL itself does not give away or take a hybrid's point and number */
            EVP_PKEY *theirs = generate(&kinds[k], THEIRS);
            EVP_PKEY *to_them = moved(ours, THEIRS, EVP_PKEY_KEYPAIR);
            EVP_PKEY *to_us = moved(theirs, OURS, EVP_PKEY_KEYPAIR);
            assert_theirs(to_them);
            assert_ours(to_us);
            opens(to_them, THEIRS, ours, OURS);
            opens(to_us, OURS, theirs, THEIRS);
            EVP_PKEY_free(theirs);
            EVP_PKEY_free(to_them);
            EVP_PKEY_free(to_us);
        }
        EVP_PKEY_free(ours);
    }
}

/* FIPS 203 algorithm 16: a seed is the whole key, and everybody's. */
static void a_seed_is_the_key(void **state)
{
    struct bytes seed = {.n = 64}, ours_private, theirs_private, kept;
    (void)state;
    for (size_t i = 0; i < seed.n; i++)
        seed.p[i] = (unsigned char)(7 * i);
    for (size_t k = 0; k < MLKEMS; k++) {
        EVP_PKEY *ours = from_seed(&kinds[k], OURS, seed.p), *theirs = from_seed(&kinds[k], THEIRS, seed.p);
        private_bytes(ours, &ours_private);
        private_bytes(theirs, &theirs_private);
        assert_int_equal(ours_private.n, kinds[k].private_size);
        assert_same(&ours_private, &theirs_private);
        assert_int_equal(EVP_PKEY_get_octet_string_param(ours, OSSL_PKEY_PARAM_ML_KEM_SEED, kept.p,
                                                         sizeof kept.p, &kept.n),
                         1);
        assert_same(&kept, &seed);
        EVP_PKEY *only_seed = import(&kinds[k], OURS, &seed, NULL, NULL);
        EVP_PKEY *only_private = import(&kinds[k], OURS, NULL, &ours_private, NULL);
        EVP_PKEY *both = import(&kinds[k], OURS, &seed, &ours_private, NULL);
        assert_ours(only_seed);
        assert_int_equal(EVP_PKEY_eq(only_seed, theirs), 1);
        assert_int_equal(EVP_PKEY_eq(only_private, theirs), 1);
        assert_int_equal(EVP_PKEY_eq(both, theirs), 1);
        opens(only_private, OURS, theirs, THEIRS);
        /* A key without a seed says so. */
        assert_int_not_equal(EVP_PKEY_get_octet_string_param(only_private, OSSL_PKEY_PARAM_ML_KEM_SEED,
                                                             kept.p, sizeof kept.p, &kept.n),
                             1);
        EVP_PKEY_free(ours);
        EVP_PKEY_free(theirs);
        EVP_PKEY_free(only_seed);
        EVP_PKEY_free(only_private);
        EVP_PKEY_free(both);
    }
    ERR_clear_error();
}

static void refuses_public_keys_of_another_length(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        struct bytes share;
        EVP_PKEY *key = generate(&kinds[k], OURS);
        public_bytes(key, &share);
        const size_t lengths[] = {0, 1, share.n - 1, share.n + 1};
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            share.n = lengths[i];
            assert_refused(import_public(&kinds[k], OURS, &share), "a public key of");
            share.n = kinds[k].public_size;
        }
        EVP_PKEY_free(key);
    }
}

/* FIPS 203 section 7.2: each coefficient, the highest that is one and the lowest that is none. */
static void refuses_coefficients_that_are_not_reduced(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        struct bytes share;
        EVP_PKEY *key = generate(&kinds[k], OURS);
        public_bytes(key, &share);
        size_t coefficients = (size_t)kinds[k].bits;
        for (size_t i = 0; i < coefficients; i += i < 300 || i > coefficients - 3 ? 1 : 127) {
            unsigned char *p = share.p + kinds[k].mlkem_at + i / 2 * 3, was[3];
            memcpy(was, p, sizeof was);
            for (unsigned value = 3328; value <= 4095; value += value < 3330 ? 1 : 765) {
                if (i % 2 == 0) {
                    p[0] = (unsigned char)value;
                    p[1] = (unsigned char)((p[1] & 0xf0) | value >> 8);
                } else {
                    p[1] = (unsigned char)((p[1] & 0x0f) | (value & 0xf) << 4);
                    p[2] = (unsigned char)(value >> 4);
                }
                EVP_PKEY *found = import_public(&kinds[k], OURS, &share);
                if (value < 3329)
                    assert_non_null(found);
                else
                    assert_refused(found, "not reduced");
                EVP_PKEY_free(found);
                memcpy(p, was, sizeof was);
            }
        }
        EVP_PKEY_free(key);
    }
}

/* SEC 1 section 2.3.4: nothing but uncompressed points, and of the curve. */
static void refuses_points_in_other_forms_and_off_the_curve(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        if (!kinds[k].curve)
            continue;
        struct bytes share, ciphertext, secret;
        EVP_PKEY *key = generate(&kinds[k], OURS);
        EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(libctx, key, OURS);
        assert_int_equal(EVP_PKEY_decapsulate_init(c, NULL), 1);
        encapsulate(key, OURS, &ciphertext, &secret);
        public_bytes(key, &share);
        for (unsigned form = 0; form < 256; form++) {
            share.p[0] = ciphertext.p[0] = (unsigned char)form;
            secret.n = BYTES_MAX;
            bool good = form == 4;
            EVP_PKEY *found = import_public(&kinds[k], OURS, &share);
            assert_int_equal(found != NULL, good);
            if (!good)
                assert_error("uncompressed");
            EVP_PKEY_free(found);
            assert_int_equal(EVP_PKEY_decapsulate(c, secret.p, &secret.n, ciphertext.p, ciphertext.n) == 1,
                             good);
            if (!good)
                assert_error("uncompressed");
            assert_int_equal(secret.n, good ? kinds[k].secret_size : 0);
        }
        share.p[0] = ciphertext.p[0] = 4;
        share.p[kinds[k].mlkem_at - 1] ^= 1; /* the last of y */
        assert_refused(import_public(&kinds[k], OURS, &share), "the key is not valid");
        ciphertext.p[kinds[k].mlkem_at - 1] ^= 1;
        secret.n = BYTES_MAX;
        assert_int_not_equal(EVP_PKEY_decapsulate(c, secret.p, &secret.n, ciphertext.p, ciphertext.n), 1);
        assert_error("the key is not valid");
        EVP_PKEY_CTX_free(c);
        EVP_PKEY_free(key);
    }
}

/* FIPS 203 section 7.3, and what of a private key does not fit to the rest. */
static void refuses_private_keys_that_do_not_fit_together(void **state)
{
    (void)state;
    for (size_t k = 0; k < MLKEMS; k++) {
        struct bytes seed = {.n = 64, .p = {9}}, good, bad, share, other_share;
        EVP_PKEY *key = from_seed(&kinds[k], OURS, seed.p), *other = generate(&kinds[k], OURS);
        private_bytes(key, &good);
        public_bytes(key, &share);
        public_bytes(other, &other_share);
        const struct {
            size_t at;
            const char *error;
        } rows[] = {
            {good.n - 64, "does not fit together"}, /* H(ek) */
            {good.n - 33, "does not fit together"},
            {good.n - 65, "does not fit together"},         /* ek: rho */
            {(size_t)kinds[k].bits * 3 / 2, "not reduced"}, /* ek: a coefficient, and its hash */
            {0, "is not that of the private"},              /* s */
        };
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            bad = good;
            bad.p[rows[i].at] ^= 1;
            assert_refused(import(&kinds[k], OURS, NULL, &bad, NULL), rows[i].error);
            assert_refused(import(&kinds[k], OURS, &seed, &bad, NULL), "the seed is not that");
        }
        bad = good;
        memset(bad.p, 0xff, 2); /* a coefficient of s of 4095 */
        assert_refused(import(&kinds[k], OURS, NULL, &bad, NULL), "not reduced");
        bad = good;
        bad.p[good.n - 1] ^= 1; /* z: any will do, but for the seed */
        assert_refused(import(&kinds[k], OURS, &seed, &bad, NULL), "the seed is not that");
        assert_refused(import(&kinds[k], OURS, NULL, &good, &other_share), "the public key is not that");
        assert_refused(import(&kinds[k], OURS, &seed, NULL, &other_share), "the public key is not that");
        EVP_PKEY *found = import(&kinds[k], OURS, &seed, &good, &share);
        assert_non_null(found);
        EVP_PKEY_free(found);
        for (int more = -1; more <= 1; more += 2) {
            bad = good;
            bad.n += (size_t)more;
            assert_refused(import(&kinds[k], OURS, NULL, &bad, NULL), "a private key of");
            bad = seed;
            bad.n += (size_t)more;
            assert_refused(import(&kinds[k], OURS, &bad, NULL, NULL), "a seed of");
        }
        EVP_PKEY_free(key);
        EVP_PKEY_free(other);
    }
}

static void refuses_hybrids_whose_halves_are_of_two_keys(void **state)
{
    (void)state;
    for (size_t k = MLKEMS; k < KINDS; k++) {
        struct bytes private_key, share, other;
        EVP_PKEY *key = generate(&kinds[k], OURS), *another = generate(&kinds[k], OURS);
        private_bytes(key, &private_key);
        public_bytes(key, &share);
        public_bytes(another, &other);
        assert_int_equal(private_key.n, kinds[k].private_size);
        EVP_PKEY *found = import(&kinds[k], OURS, NULL, &private_key, &share);
        assert_non_null(found);
        EVP_PKEY_free(found);
        assert_null(import(&kinds[k], OURS, NULL, &private_key, &other));
        ERR_clear_error();
        /* The classical half of another key alone. */
        struct bytes mixed = share;
        size_t classic_n = kinds[k].public_size - (kinds[k].bits == 1024 ? 1568 : 1184);
        memcpy(mixed.p + kinds[k].classic_at, other.p + kinds[k].classic_at, classic_n);
        assert_null(import(&kinds[k], OURS, NULL, &private_key, &mixed));
        ERR_clear_error();
        assert_refused(import(&kinds[k], OURS, NULL, &private_key, NULL), "together with its public half");
        EVP_PKEY_free(key);
        EVP_PKEY_free(another);
    }
}

static void numbers_are_openssls(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        EVP_PKEY *ours = generate(&kinds[k], OURS), *theirs = generate(&kinds[k], THEIRS);
        assert_int_equal(EVP_PKEY_get_bits(ours), kinds[k].bits);
        assert_int_equal(EVP_PKEY_get_bits(ours), EVP_PKEY_get_bits(theirs));
        assert_int_equal(EVP_PKEY_get_security_bits(ours), kinds[k].security_bits);
        assert_int_equal(EVP_PKEY_get_security_bits(ours), EVP_PKEY_get_security_bits(theirs));
        assert_int_equal(EVP_PKEY_get_size(ours), kinds[k].ciphertext_size);
        assert_int_equal(EVP_PKEY_get_size(ours), EVP_PKEY_get_size(theirs));
        int category = 0;
        assert_int_equal(EVP_PKEY_get_int_param(ours, "security-category", &category), 1);
        assert_int_equal(category, kinds[k].security_bits == 128 ? 1 : kinds[k].security_bits == 192 ? 3 : 5);
        EVP_PKEY_free(ours);
        EVP_PKEY_free(theirs);
    }
}

static int check(EVP_PKEY *key, int (*how)(EVP_PKEY_CTX *))
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(libctx, key, OURS);
    int result = how(c);
    EVP_PKEY_CTX_free(c);
    return result;
}

static void copies_and_comparisons(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        EVP_PKEY *key = generate(&kinds[k], OURS), *other = generate(&kinds[k], OURS);
        EVP_PKEY *copy = EVP_PKEY_dup(key), *share = moved(key, OURS, EVP_PKEY_PUBLIC_KEY);
        assert_int_equal(EVP_PKEY_eq(key, copy), 1);
        assert_int_equal(EVP_PKEY_eq(key, share), 1);
        assert_int_not_equal(EVP_PKEY_eq(key, other), 1);
        assert_int_equal(check(key, EVP_PKEY_check), 1);
        assert_int_equal(check(key, EVP_PKEY_pairwise_check), 1);
        assert_int_equal(check(share, EVP_PKEY_public_check), 1);
        assert_int_not_equal(check(share, EVP_PKEY_private_check), 1);
        EVP_PKEY_free(key); /* the copy lives on */
        opens(copy, OURS, share, OURS);
        EVP_PKEY *copy_of_share = EVP_PKEY_dup(share);
        EVP_PKEY_free(share);
        opens(copy, OURS, copy_of_share, OURS);
        EVP_PKEY_free(copy_of_share);
        EVP_PKEY_free(copy);
        EVP_PKEY_free(other);
    }
    ERR_clear_error();
}

/* A key with a public half alone opens nothing, and one that has a half does not change. */
static void a_half_is_a_half(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        struct bytes share, other, found;
        EVP_PKEY *key = generate(&kinds[k], OURS), *another = generate(&kinds[k], OURS);
        EVP_PKEY *half = moved(key, OURS, EVP_PKEY_PUBLIC_KEY);
        public_bytes(key, &share);
        public_bytes(another, &other);
        EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(libctx, half, OURS);
        assert_int_not_equal(EVP_PKEY_decapsulate_init(c, NULL), 1);
        assert_error("lacks this half");
        EVP_PKEY_CTX_free(c);
        EVP_PKEY *all[] = {key, half};
        for (int i = 0; i < 2; i++) {
            assert_int_not_equal(EVP_PKEY_set1_encoded_public_key(all[i], other.p, other.n), 1);
            assert_error("a key does not change");
            public_bytes(all[i], &found);
            assert_same(&found, &share);
        }
        /* Less room than a key takes. */
        size_t n = 0;
        assert_int_not_equal(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, found.p,
                                                             kinds[k].public_size - 1, &n),
                             1);
        assert_int_not_equal(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PRIV_KEY, found.p,
                                                             kinds[k].private_size - 1, &n),
                             1);
        EVP_PKEY_free(key);
        EVP_PKEY_free(another);
        EVP_PKEY_free(half);
        ERR_clear_error();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_public_half_moves),
        cmocka_unit_test(the_private_half_moves),
        cmocka_unit_test(a_seed_is_the_key),
        cmocka_unit_test(refuses_public_keys_of_another_length),
        cmocka_unit_test(refuses_coefficients_that_are_not_reduced),
        cmocka_unit_test(refuses_points_in_other_forms_and_off_the_curve),
        cmocka_unit_test(refuses_private_keys_that_do_not_fit_together),
        cmocka_unit_test(refuses_hybrids_whose_halves_are_of_two_keys),
        cmocka_unit_test(numbers_are_openssls),
        cmocka_unit_test(copies_and_comparisons),
        cmocka_unit_test(a_half_is_a_half),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
