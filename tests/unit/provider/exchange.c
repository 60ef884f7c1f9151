/* Secrets between our keys and OpenSSL's, of every kind, in every direction. */
#include "fixture.h"

#include <openssl/rand.h>

#define ROUNDS 200
#define ROUNDS_P384 60 /* it takes a hundred times as long */

static int rounds(const struct kind *kind)
{
    return kind->code_point == 0x11ed ? ROUNDS_P384 : ROUNDS;
}

/* Whose key it is, and who makes the secret for it. */
static void exchange(const struct kind *kind, const char *owner, const char *other)
{
    struct bytes share, ciphertext, made, got;
    EVP_PKEY *key = generate(kind, owner);
    public_bytes(key, &share);
    assert_int_equal(share.n, kind->public_size);
    EVP_PKEY *peer = import_public(kind, other, &share);
    assert_non_null(peer);
    if (strcmp(other, OURS) == 0)
        assert_ours(peer);
    encapsulate(peer, other, &ciphertext, &made);
    assert_int_equal(ciphertext.n, kind->ciphertext_size);
    assert_int_equal(made.n, kind->secret_size);
    decapsulate(key, owner, &ciphertext, &got);
    assert_same(&made, &got);
    /* A second and a third secret for the same key, which are made in another way. */
    for (int i = 0; i < 2; i++) {
        encapsulate(peer, other, &ciphertext, &made);
        assert_true(memcmp(made.p, got.p, made.n) != 0);
        decapsulate(key, owner, &ciphertext, &got);
        assert_same(&made, &got);
    }
    EVP_PKEY_free(peer);
    EVP_PKEY_free(key);
}

static void secrets_in_every_direction(void **state)
{
    static const char *const ways[][2] = {{OURS, THEIRS}, {THEIRS, OURS}, {OURS, OURS}};
    (void)state;
    for (size_t k = 0; k < KINDS; k++)
        for (size_t w = 0; w < 3; w++) {
            int encapsulated = counts.encapsulated, decapsulated = counts.decapsulated;
            for (int i = 0; i < rounds(&kinds[k]); i++)
                exchange(&kinds[k], ways[w][0], ways[w][1]);
            bool mine = strcmp(ways[w][0], OURS) == 0, makes = strcmp(ways[w][1], OURS) == 0;
            assert_int_equal(counts.decapsulated - decapsulated, mine ? 3 * rounds(&kinds[k]) : 0);
            assert_int_equal(counts.encapsulated - encapsulated, makes ? 3 * rounds(&kinds[k]) : 0);
        }
}

/* FIPS 203 section 6.3: what a changed ciphertext gives is as good as random, and everybody's the same. */
static void rejects_as_openssl_does(void **state)
{
    (void)state;
    for (size_t k = 0; k < MLKEMS; k++) {
        EVP_PKEY *ours = generate(&kinds[k], OURS), *theirs = moved(ours, THEIRS, EVP_PKEY_KEYPAIR);
        assert_ours(ours);
        assert_theirs(theirs);
        for (int i = 0; i < ROUNDS; i++) {
            struct bytes ciphertext, made, by_us, by_them;
            uint32_t where;
            encapsulate(ours, OURS, &ciphertext, &made);
            assert_int_equal(RAND_bytes((unsigned char *)&where, sizeof where), 1);
            ciphertext.p[where / 8 % ciphertext.n] ^= (unsigned char)(1 << where % 8);
            decapsulate(ours, OURS, &ciphertext, &by_us);
            decapsulate(theirs, THEIRS, &ciphertext, &by_them);
            assert_same(&by_us, &by_them);
            assert_true(memcmp(by_us.p, made.p, made.n) != 0);
        }
        EVP_PKEY_free(ours);
        EVP_PKEY_free(theirs);
    }
}

/* OSSL_KEM_PARAM_IKME: the same ciphertext and secret as OpenSSL's from the same randomness, and only
 * once. */
static void with_randomness_from_outside(void **state)
{
    static unsigned char seed[64] = {1, 2, 3}, message[32] = {4, 5, 6};
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(OSSL_KEM_PARAM_IKME, message, sizeof message),
                           OSSL_PARAM_construct_end()};
    (void)state;
    for (size_t k = 0; k < MLKEMS; k++) {
        struct bytes ciphertext[2], secret[2], share[2];
        static const char *const who[] = {OURS, THEIRS};
        for (int i = 0; i < 2; i++) {
            EVP_PKEY *key = from_seed(&kinds[k], who[i], seed);
            EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(libctx, key, who[i]);
            ciphertext[i].n = secret[i].n = BYTES_MAX;
            public_bytes(key, &share[i]);
            assert_int_equal(EVP_PKEY_encapsulate_init(c, params), 1);
            assert_int_equal(
                EVP_PKEY_encapsulate(c, ciphertext[i].p, &ciphertext[i].n, secret[i].p, &secret[i].n), 1);
            struct bytes again = {.n = BYTES_MAX}, other = {.n = BYTES_MAX};
            assert_int_equal(EVP_PKEY_encapsulate(c, again.p, &again.n, other.p, &other.n), 1);
            assert_true(memcmp(other.p, secret[i].p, other.n) != 0);
            EVP_PKEY_CTX_free(c);
            EVP_PKEY_free(key);
        }
        assert_same(&share[0], &share[1]);
        assert_same(&ciphertext[0], &ciphertext[1]);
        assert_same(&secret[0], &secret[1]);
    }
}

static void refuses_randomness_of_another_length_and_for_hybrids(void **state)
{
    unsigned char message[33] = {0};
    (void)state;
    for (size_t k = 0; k < KINDS; k++)
        for (size_t n = 31; n <= 33; n++) {
            OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(OSSL_KEM_PARAM_IKME, message, n),
                                   OSSL_PARAM_construct_end()};
            EVP_PKEY *key = generate(&kinds[k], OURS);
            EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(libctx, key, OURS);
            bool good = n == 32 && !kinds[k].hybrid;
            assert_int_equal(EVP_PKEY_encapsulate_init(c, params) == 1, good);
            if (!good)
                assert_error(kinds[k].hybrid ? "takes no randomness from outside" : "32 bytes");
            EVP_PKEY_CTX_free(c);
            EVP_PKEY_free(key);
        }
}

static void says_its_sizes_and_refuses_small_buffers(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        const struct kind *kind = &kinds[k];
        struct bytes ciphertext, secret;
        EVP_PKEY *key = generate(kind, OURS);
        EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(libctx, key, OURS);
        assert_int_equal(EVP_PKEY_encapsulate_init(c, NULL), 1);
        ciphertext.n = secret.n = 0;
        assert_int_equal(EVP_PKEY_encapsulate(c, NULL, &ciphertext.n, NULL, &secret.n), 1);
        assert_int_equal(ciphertext.n, kind->ciphertext_size);
        assert_int_equal(secret.n, kind->secret_size);

        ciphertext.n = kind->ciphertext_size - 1;
        assert_int_not_equal(EVP_PKEY_encapsulate(c, ciphertext.p, &ciphertext.n, secret.p, &secret.n), 1);
        assert_error("the ciphertext takes");
        assert_int_equal(ciphertext.n, 0);
        ciphertext.n = kind->ciphertext_size;
        secret.n = kind->secret_size - 1;
        assert_int_not_equal(EVP_PKEY_encapsulate(c, ciphertext.p, &ciphertext.n, secret.p, &secret.n), 1);
        assert_error("the secret takes");
        assert_int_equal(secret.n, 0);
        ciphertext.n = kind->ciphertext_size;
        secret.n = kind->secret_size;
        assert_int_equal(EVP_PKEY_encapsulate(c, ciphertext.p, &ciphertext.n, secret.p, &secret.n), 1);

        assert_int_equal(EVP_PKEY_decapsulate_init(c, NULL), 1);
        assert_int_equal(EVP_PKEY_decapsulate(c, NULL, &secret.n, ciphertext.p, ciphertext.n), 1);
        assert_int_equal(secret.n, kind->secret_size);
        secret.n--;
        assert_int_not_equal(EVP_PKEY_decapsulate(c, secret.p, &secret.n, ciphertext.p, ciphertext.n), 1);
        assert_error("the secret takes");
        EVP_PKEY_CTX_free(c);
        EVP_PKEY_free(key);
    }
}

static void refuses_ciphertexts_of_another_length(void **state)
{
    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        struct bytes ciphertext, secret;
        EVP_PKEY *key = generate(&kinds[k], OURS);
        encapsulate(key, OURS, &ciphertext, &secret);
        const size_t lengths[] = {1, ciphertext.n - 1, ciphertext.n + 1, BYTES_MAX};
        EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(libctx, key, OURS);
        assert_int_equal(EVP_PKEY_decapsulate_init(c, NULL), 1);
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            size_t n = sizeof secret.p;
            assert_int_not_equal(EVP_PKEY_decapsulate(c, secret.p, &n, ciphertext.p, lengths[i]), 1);
            assert_int_equal(n, 0);
            assert_error("a ciphertext of");
        }
        EVP_PKEY_CTX_free(c);
        EVP_PKEY_free(key);
    }
}

/* Points of small order of RFC 7748's curve: their secrets are zero. */
static const unsigned char small_orders[][32] = {
    {0},
    {1},
    {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
     0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
};

static void refuses_x25519_of_small_order(void **state)
{
    const struct kind *kind = &kinds[3];
    static const struct bytes nothing;
    (void)state;
    for (size_t i = 0; i < sizeof small_orders / sizeof small_orders[0]; i++) {
        struct bytes share, ciphertext, secret;
        EVP_PKEY *key = generate(kind, OURS);
        public_bytes(key, &share);
        encapsulate(key, OURS, &ciphertext, &secret);
        memcpy(share.p + kind->classic_at, small_orders[i], 32);
        EVP_PKEY *peer = import_public(kind, OURS, &share);
        assert_non_null(peer);
        EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(libctx, peer, OURS);
        struct bytes out, hidden;
        out.n = hidden.n = BYTES_MAX;
        memset(out.p, 0xAA, sizeof out.p);
        memset(hidden.p, 0xAA, sizeof hidden.p);
        assert_int_equal(EVP_PKEY_encapsulate_init(c, NULL), 1);
        assert_int_not_equal(EVP_PKEY_encapsulate(c, out.p, &out.n, hidden.p, &hidden.n), 1);
        assert_error("no secret comes of these keys");
        assert_int_equal(out.n + hidden.n, 0);
        assert_memory_equal(out.p, nothing.p, kind->ciphertext_size);
        assert_memory_equal(hidden.p, nothing.p, kind->secret_size);
        EVP_PKEY_CTX_free(c);
        EVP_PKEY_free(peer);

        memcpy(ciphertext.p + 1088, small_orders[i], 32);
        c = EVP_PKEY_CTX_new_from_pkey(libctx, key, OURS);
        hidden.n = BYTES_MAX;
        memset(hidden.p, 0xAA, sizeof hidden.p);
        assert_int_equal(EVP_PKEY_decapsulate_init(c, NULL), 1);
        assert_int_not_equal(EVP_PKEY_decapsulate(c, hidden.p, &hidden.n, ciphertext.p, ciphertext.n), 1);
        assert_error("no secret comes of these keys");
        assert_int_equal(hidden.n, 0);
        assert_memory_equal(hidden.p, nothing.p, kind->secret_size);
        EVP_PKEY_CTX_free(c);
        EVP_PKEY_free(key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_in_every_direction),
        cmocka_unit_test(rejects_as_openssl_does),
        cmocka_unit_test(with_randomness_from_outside),
        cmocka_unit_test(refuses_randomness_of_another_length_and_for_hybrids),
        cmocka_unit_test(says_its_sizes_and_refuses_small_buffers),
        cmocka_unit_test(refuses_ciphertexts_of_another_length),
        cmocka_unit_test(refuses_x25519_of_small_order),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
