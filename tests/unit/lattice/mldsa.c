#include "lattice/mldsa.h"

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

#include "lattice/mldsa_code.h"

/* Every path against OpenSSL's ML-DSA, byte for byte. PQOTA_ROUNDS is how many random keys each set gets;
 * make soak asks for ten thousand. */

static const struct mldsa_set *const sets[] = {&mldsa_44, &mldsa_65, &mldsa_87};

#define SETS (sizeof sets / sizeof sets[0])
#define MESSAGE_MAX 300

static unsigned rounds(void)
{
    const char *asked = getenv("PQOTA_ROUNDS");
    return asked != NULL ? (unsigned)strtoul(asked, NULL, 10) : 40;
}

/* ---- the other side: OpenSSL ---- */

static EVP_PKEY *their_key(const struct mldsa_set *set, const uint8_t *seed)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, set->name, "provider=default");
    EVP_PKEY *key = NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_ML_DSA_SEED, (void *)(uintptr_t)seed,
                                          MLDSA_SEED_SIZE),
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
    uint8_t theirs[MLDSA_PRIVATE_MAX];
    size_t got = 0;
    assert_int_equal(EVP_PKEY_get_octet_string_param(key, param, theirs, sizeof theirs, &got), 1);
    assert_int_equal(got, n);
    assert_memory_equal(theirs, ours, n);
}

struct bytes {
    uint8_t p[MESSAGE_MAX];
    size_t n;
};

static struct bytes random_bytes(size_t max)
{
    struct bytes b;
    uint16_t n;
    RAND_bytes((uint8_t *)&n, sizeof n);
    b.n = n % (max + 1);
    RAND_bytes(b.p, (int)sizeof b.p);
    return b;
}

static OSSL_PARAM octets(const char *name, const uint8_t *p, size_t n)
{
    return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)p, n);
}

/* random: NULL for the deterministic variant. raw: the message is an M' already. */
static void their_signature(EVP_PKEY *key, const struct bytes *context, const struct bytes *message,
                            const uint8_t *random, bool raw, uint8_t *out, size_t size)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, "provider=default");
    EVP_SIGNATURE *algorithm = EVP_SIGNATURE_fetch(NULL, EVP_PKEY_get0_type_name(key), "provider=default");
    int deterministic = random == NULL, encoding = !raw;
    OSSL_PARAM params[5], *at = params;
    *at++ = OSSL_PARAM_construct_int(OSSL_SIGNATURE_PARAM_DETERMINISTIC, &deterministic);
    *at++ = OSSL_PARAM_construct_int(OSSL_SIGNATURE_PARAM_MESSAGE_ENCODING, &encoding);
    if (!raw)
        *at++ = octets(OSSL_SIGNATURE_PARAM_CONTEXT_STRING, context->p, context->n);
    if (random != NULL)
        *at++ = octets(OSSL_SIGNATURE_PARAM_TEST_ENTROPY, random, MLDSA_RANDOM_SIZE);
    *at = OSSL_PARAM_construct_end();
    assert_int_equal(EVP_PKEY_sign_message_init(ctx, algorithm, params), 1);
    assert_int_equal(EVP_PKEY_sign(ctx, out, &size, message->p, message->n), 1);
    EVP_SIGNATURE_free(algorithm);
    EVP_PKEY_CTX_free(ctx);
}

static bool they_accept(EVP_PKEY *key, const struct bytes *context, const struct bytes *message,
                        const uint8_t *signature, size_t n)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, "provider=default");
    EVP_SIGNATURE *algorithm = EVP_SIGNATURE_fetch(NULL, EVP_PKEY_get0_type_name(key), "provider=default");
    OSSL_PARAM params[] = {
        octets(OSSL_SIGNATURE_PARAM_CONTEXT_STRING, context->p, context->n),
        OSSL_PARAM_construct_end(),
    };
    assert_int_equal(EVP_PKEY_verify_message_init(ctx, algorithm, params), 1);
    bool accepted = EVP_PKEY_verify(ctx, signature, n, message->p, message->n) == 1;
    EVP_SIGNATURE_free(algorithm);
    EVP_PKEY_CTX_free(ctx);
    return accepted;
}

/* ---- ours ---- */

/* Outside of the stack: a key is some 90 KB. */
static struct mldsa_key made, read_back, peer;

static bool sign(const struct mldsa_key *key, const struct bytes *context, const struct bytes *message,
                 const uint8_t *random, uint8_t *out)
{
    static const uint8_t nothing[MLDSA_RANDOM_SIZE];
    uint8_t mu[MLDSA_MU_SIZE];
    mldsa_mu(key, context->p, context->n, message->p, message->n, mu);
    return mldsa_sign(key, mu, random != NULL ? random : nothing, out);
}

static bool verify(const struct mldsa_key *key, const struct bytes *context, const struct bytes *message,
                   const uint8_t *signature, size_t n)
{
    uint8_t mu[MLDSA_MU_SIZE];
    mldsa_mu(key, context->p, context->n, message->p, message->n, mu);
    return mldsa_verify(key, mu, signature, n);
}

/* The three keys, each by another way. */
static void make_keys(const struct mldsa_set *set, const struct lattice_code *code, const uint8_t *seed,
                      EVP_PKEY *theirs)
{
    uint8_t private_key[MLDSA_PRIVATE_MAX], again[MLDSA_PRIVATE_MAX];
    mldsa_init(&made, set, code);
    mldsa_generate(&made, seed);
    assert_memory_equal(made.seed, seed, MLDSA_SEED_SIZE);
    mldsa_write_private(&made, private_key);
    same_as_theirs(theirs, OSSL_PKEY_PARAM_PUB_KEY, made.public_key, set->public_size);
    same_as_theirs(theirs, OSSL_PKEY_PARAM_PRIV_KEY, private_key, set->private_size);
    mldsa_init(&peer, set, code);
    assert_true(mldsa_read_public(&peer, made.public_key, set->public_size));
    assert_true(peer.has_public && !peer.has_private);
    mldsa_init(&read_back, set, code);
    assert_true(mldsa_read_private(&read_back, private_key, set->private_size));
    assert_true(read_back.has_public && read_back.has_private && !read_back.has_seed);
    mldsa_write_private(&read_back, again);
    assert_memory_equal(again, private_key, set->private_size);
    assert_memory_equal(read_back.public_key, made.public_key, set->public_size);
}

static void one_round(const struct mldsa_set *set, const struct lattice_code *code)
{
    uint8_t seed[MLDSA_SEED_SIZE], random[MLDSA_RANDOM_SIZE], mu[MLDSA_MU_SIZE];
    uint8_t ours[MLDSA_SIGNATURE_MAX], theirs[MLDSA_SIGNATURE_MAX];
    struct bytes context = random_bytes(MLDSA_CONTEXT_MAX), message = random_bytes(MESSAGE_MAX);
    RAND_bytes(seed, sizeof seed);
    RAND_bytes(random, sizeof random);
    EVP_PKEY *key = their_key(set, seed);
    make_keys(set, code, seed, key);

    their_signature(key, &context, &message, NULL, false, theirs, sizeof theirs);
    assert_true(sign(&read_back, &context, &message, NULL, ours));
    assert_memory_equal(ours, theirs, set->signature_size);
    their_signature(key, &context, &message, random, false, theirs, sizeof theirs);
    assert_true(sign(&made, &context, &message, random, ours));
    assert_memory_equal(ours, theirs, set->signature_size);
    assert_true(verify(&peer, &context, &message, theirs, set->signature_size));
    assert_true(they_accept(key, &context, &message, ours, set->signature_size));

    their_signature(key, &context, &message, NULL, true, theirs, sizeof theirs);
    mldsa_mu_of_encoded(&peer, message.p, message.n, mu);
    assert_true(mldsa_verify(&peer, mu, theirs, set->signature_size));

    /* Another signature, message or context. */
    ours[seed[0] * 31U % set->signature_size] ^= (uint8_t)(1U << seed[1] % 8);
    assert_false(verify(&peer, &context, &message, ours, set->signature_size));
    assert_false(they_accept(key, &context, &message, ours, set->signature_size));
    ours[seed[0] * 31U % set->signature_size] ^= (uint8_t)(1U << seed[1] % 8);
    assert_true(verify(&peer, &context, &message, ours, set->signature_size));
    message.n ^= 1;
    assert_false(verify(&peer, &context, &message, ours, set->signature_size));
    message.n ^= 1;
    context.n ^= 1;
    assert_false(verify(&peer, &context, &message, ours, set->signature_size));

    mldsa_clear(&read_back);
    mldsa_clear(&made);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_openssl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
