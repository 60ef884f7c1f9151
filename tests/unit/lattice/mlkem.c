#include "lattice/mlkem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

/* Every path against OpenSSL's ML-KEM, byte for byte. PQOTA_ROUNDS is how many random keys each set
 * gets; make soak asks for ten thousand. */

static const struct mlkem_set *const sets[] = {&mlkem_512, &mlkem_768, &mlkem_1024};

#define SETS (sizeof sets / sizeof sets[0])

static unsigned rounds(void)
{
    const char *asked = getenv("PQOTA_ROUNDS");
    return asked != NULL ? (unsigned)strtoul(asked, NULL, 10) : 100;
}

/* ---- the other side: OpenSSL ---- */

static EVP_PKEY *their_key(const struct mlkem_set *set, const uint8_t *seed)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, set->name, "provider=default");
    EVP_PKEY *key = NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_ML_KEM_SEED, (void *)(uintptr_t)seed,
                                          MLKEM_SEED_SIZE),
        OSSL_PARAM_construct_end(),
    };
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_params(ctx, params), 1);
    assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static void same_as_theirs(EVP_PKEY *key, const char *param, const uint8_t *ours, size_t n)
{
    uint8_t theirs[MLKEM_PRIVATE_MAX];
    size_t got = 0;
    assert_int_equal(EVP_PKEY_get_octet_string_param(key, param, theirs, sizeof theirs, &got), 1);
    assert_int_equal(got, n);
    assert_memory_equal(theirs, ours, n);
}

static void their_encapsulation(EVP_PKEY *key, const uint8_t *message, uint8_t *ciphertext, size_t size,
                                uint8_t *secret)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, "provider=default");
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_KEM_PARAM_IKME, (void *)(uintptr_t)message,
                                          MLKEM_MESSAGE_SIZE),
        OSSL_PARAM_construct_end(),
    };
    size_t n = size, secret_n = MLKEM_SECRET_SIZE;
    assert_int_equal(EVP_PKEY_encapsulate_init(ctx, params), 1);
    assert_int_equal(EVP_PKEY_encapsulate(ctx, ciphertext, &n, secret, &secret_n), 1);
    assert_int_equal(n, size);
    EVP_PKEY_CTX_free(ctx);
}

static void their_decapsulation(EVP_PKEY *key, const uint8_t *ciphertext, size_t size, uint8_t *secret)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, "provider=default");
    size_t n = MLKEM_SECRET_SIZE;
    assert_int_equal(EVP_PKEY_decapsulate_init(ctx, NULL), 1);
    assert_int_equal(EVP_PKEY_decapsulate(ctx, secret, &n, ciphertext, size), 1);
    EVP_PKEY_CTX_free(ctx);
}

/* ---- ours ---- */

/* Outside of the stack: a key is some 13 KB. */
static struct mlkem_key made, read_back, peer;

static void same_key(const struct mlkem_key *a, const struct mlkem_key *b)
{
    uint8_t one[MLKEM_PRIVATE_MAX], other[MLKEM_PRIVATE_MAX];
    mlkem_write_private(a, one);
    mlkem_write_private(b, other);
    assert_memory_equal(one, other, a->set->private_size);
    assert_memory_equal(a->public_key, b->public_key, a->set->public_size);
}

static void one_round(const struct mlkem_set *set, const struct lattice_code *code)
{
    uint8_t seed[MLKEM_SEED_SIZE], message[MLKEM_MESSAGE_SIZE], private_key[MLKEM_PRIVATE_MAX];
    uint8_t ours[MLKEM_CIPHERTEXT_MAX], theirs[MLKEM_CIPHERTEXT_MAX], secret[32], their_secret[32], again[32];
    RAND_bytes(seed, sizeof seed);
    RAND_bytes(message, sizeof message);
    EVP_PKEY *key = their_key(set, seed);

    mlkem_init(&made, set, code);
    mlkem_generate(&made, seed);
    mlkem_write_private(&made, private_key);
    same_as_theirs(key, OSSL_PKEY_PARAM_PUB_KEY, made.public_key, set->public_size);
    same_as_theirs(key, OSSL_PKEY_PARAM_PRIV_KEY, private_key, set->private_size);

    mlkem_init(&peer, set, code);
    assert_true(mlkem_read_public(&peer, made.public_key, set->public_size));
    assert_false(peer.has_private);
    mlkem_init(&read_back, set, code);
    assert_true(mlkem_read_private(&read_back, private_key, set->private_size));
    same_key(&made, &read_back);

    their_encapsulation(key, message, theirs, set->ciphertext_size, their_secret);
    mlkem_encapsulate(&peer, message, ours, secret);
    assert_memory_equal(ours, theirs, set->ciphertext_size);
    assert_memory_equal(secret, their_secret, sizeof secret);
    mlkem_decapsulate(&read_back, ours, again);
    assert_memory_equal(secret, again, sizeof secret);

    ours[message[0] * 4 % set->ciphertext_size] ^= (uint8_t)(1U << message[1] % 8);
    mlkem_decapsulate(&made, ours, again);
    their_decapsulation(key, ours, set->ciphertext_size, their_secret);
    assert_memory_equal(again, their_secret, sizeof again);
    assert_memory_not_equal(again, secret, sizeof again);

    mlkem_clear(&read_back);
    mlkem_clear(&made);
    EVP_PKEY_free(key);
}

static void test_same_as_openssl(void **state)
{
    (void)state;
    const struct lattice_code *code;
    for (size_t path = 0; (code = lattice_code(path)) != NULL; path++)
        for (size_t i = 0; i < SETS; i++)
            for (unsigned n = rounds(); n > 0; n--)
                one_round(sets[i], code);
}

/* Ciphertexts that nobody made: of equal bytes, and random ones, are rejected as OpenSSL rejects them. */
static void test_ciphertexts_nobody_made(void **state)
{
    (void)state;
    const struct lattice_code *code;
    uint8_t seed[MLKEM_SEED_SIZE] = {1}, ciphertext[MLKEM_CIPHERTEXT_MAX], ours[32], theirs[32];
    for (size_t path = 0; (code = lattice_code(path)) != NULL; path++)
        for (size_t i = 0; i < SETS; i++) {
            EVP_PKEY *key = their_key(sets[i], seed);
            mlkem_init(&made, sets[i], code);
            mlkem_generate(&made, seed);
            for (unsigned n = 0; n < 260; n++) {
                memset(ciphertext, (int)n, sizeof ciphertext);
                if (n >= 256)
                    RAND_bytes(ciphertext, sizeof ciphertext);
                mlkem_decapsulate(&made, ciphertext, ours);
                their_decapsulation(key, ciphertext, sets[i]->ciphertext_size, theirs);
                assert_memory_equal(ours, theirs, sizeof ours);
            }
            mlkem_clear(&made);
            EVP_PKEY_free(key);
        }
}

/* Coefficient i of a half that is written with 12 bits each, as value. */
static void put_coefficient(uint8_t *p, size_t i, unsigned value)
{
    p += i / 2 * 3;
    if (i % 2 == 0) {
        p[0] = (uint8_t)value;
        p[1] = (uint8_t)((p[1] & 0xf0) | value >> 8);
    } else {
        p[1] = (uint8_t)((p[1] & 0x0f) | (value & 15) << 4);
        p[2] = (uint8_t)(value >> 4);
    }
}

/* Section 7.2: each coefficient by itself, at q - 1, q and all ones. */
static void test_public_keys_out_of_range(void **state)
{
    (void)state;
    const struct lattice_code *code;
    uint8_t seed[MLKEM_SEED_SIZE] = {2}, p[MLKEM_PUBLIC_MAX + 1] = {0};
    for (size_t path = 0; (code = lattice_code(path)) != NULL; path++)
        for (size_t i = 0; i < SETS; i++) {
            const struct mlkem_set *set = sets[i];
            mlkem_init(&made, set, code);
            mlkem_generate(&made, seed);
            for (size_t c = 0; c < (size_t)set->k * MLKEM_N; c++) {
                static const unsigned bad[] = {3329, 3330, 4095};
                memcpy(p, made.public_key, set->public_size);
                mlkem_init(&peer, set, code);
                for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++) {
                    put_coefficient(p, c, bad[b]);
                    assert_false(mlkem_read_public(&peer, p, set->public_size));
                    assert_false(peer.has_public);
                }
            }
            put_coefficient(p, 5, 3328);
            put_coefficient(p, (size_t)set->k * MLKEM_N - 1, 3328);
            assert_true(mlkem_read_public(&peer, p, set->public_size));
            mlkem_init(&peer, set, code);
            assert_false(mlkem_read_public(&peer, made.public_key, set->public_size - 1));
            assert_false(mlkem_read_public(&peer, p, set->public_size + 1));
            assert_false(mlkem_read_public(&peer, p, 0));
            mlkem_clear(&made);
        }
}

/* Section 7.3: length, hash, both halves. */
static void test_private_keys_that_are_wrong(void **state)
{
    (void)state;
    const struct lattice_code *code;
    uint8_t seed[MLKEM_SEED_SIZE] = {3}, good[MLKEM_PRIVATE_MAX + 1] = {0}, p[MLKEM_PRIVATE_MAX + 1];
    for (size_t path = 0; (code = lattice_code(path)) != NULL; path++)
        for (size_t i = 0; i < SETS; i++) {
            const struct mlkem_set *set = sets[i];
            size_t half = (size_t)set->k * 384, hash = set->private_size - 64;
            mlkem_init(&made, set, code);
            mlkem_generate(&made, seed);
            mlkem_write_private(&made, good);
            mlkem_init(&read_back, set, code);
            assert_false(mlkem_read_private(&read_back, good, set->private_size - 1));
            assert_false(mlkem_read_private(&read_back, good, set->private_size + 1));
            for (size_t at = hash; at < hash + 32; at++) {
                memcpy(p, good, sizeof p);
                p[at] ^= 1;
                assert_false(mlkem_read_private(&read_back, p, set->private_size));
            }
            memcpy(p, good, sizeof p);
            p[half] ^= 1; /* another public half than the hash's */
            assert_false(mlkem_read_private(&read_back, p, set->private_size));
            for (size_t c = 0; c < (size_t)set->k * MLKEM_N; c += 7) {
                memcpy(p, good, sizeof p);
                put_coefficient(p, c, 3329);
                assert_false(mlkem_read_private(&read_back, p, set->private_size));
                assert_false(read_back.has_private || read_back.has_public);
            }
            assert_true(mlkem_read_private(&read_back, good, set->private_size));
            assert_true(read_back.has_private && !read_back.has_seed);
            same_key(&made, &read_back);
            mlkem_clear(&read_back);
            mlkem_clear(&made);
        }
}

static void test_nothing_secret_is_left(void **state)
{
    (void)state;
    static const struct mlkem_key empty;
    uint8_t seed[MLKEM_SEED_SIZE];
    memset(seed, 0xa5, sizeof seed);
    mlkem_init(&made, &mlkem_768, lattice_code(0));
    mlkem_generate(&made, seed);
    mlkem_clear(&made);
    assert_memory_equal(made.seed, empty.seed, sizeof made.seed);
    assert_memory_equal(made.reject, empty.reject, sizeof made.reject);
    assert_memory_equal(made.s, empty.s, sizeof made.s);
    assert_false(made.has_private || made.has_public || made.has_seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_openssl),          cmocka_unit_test(test_ciphertexts_nobody_made),
        cmocka_unit_test(test_public_keys_out_of_range), cmocka_unit_test(test_private_keys_that_are_wrong),
        cmocka_unit_test(test_nothing_secret_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
