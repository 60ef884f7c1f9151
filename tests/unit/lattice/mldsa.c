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

/* ---- attempts that are given up ---- */

/* The path's own steps, and a count of what they refused: by r0, by z, by the number of hints. */
static struct {
    const struct mldsa_code *real;
    const struct mldsa_set *set;
    unsigned r0, z, hints, polys, ones;
} seen;

static bool count_reached(const struct mldsa_poly *f, int32_t bound)
{
    bool reached = seen.real->reaches(f, bound);
    seen.r0 += reached && bound == seen.set->gamma2 - seen.set->beta;
    seen.z += reached && bound == seen.set->gamma1 - seen.set->beta;
    return reached;
}

static unsigned count_hints(uint8_t bits[MLDSA_BITS_BYTES], const struct mldsa_poly *high,
                            const struct mldsa_poly *low, int32_t gamma2)
{
    unsigned ones = seen.real->make_hint(bits, high, low, gamma2);
    seen.ones = seen.polys % seen.set->k == 0 ? ones : seen.ones + ones;
    seen.polys++;
    seen.hints += seen.polys % seen.set->k == 0 && seen.ones > seen.set->omega;
    return ones;
}

/* Each reason to give an attempt up is met, and what comes after it is OpenSSL's signature. */
static void reasons_of(const struct mldsa_set *set, const struct lattice_code *real)
{
    static const uint8_t seed[MLDSA_SEED_SIZE] = {9};
    struct mldsa_code counting = *real->mldsa;
    struct lattice_code code = *real;
    struct bytes none = {.n = 0}, message = {.n = 2};
    unsigned with_r0 = 0, with_z = 0, with_hints = 0;
    uint8_t ours[MLDSA_SIGNATURE_MAX], theirs[MLDSA_SIGNATURE_MAX];
    counting.reaches = count_reached;
    counting.make_hint = count_hints;
    code.mldsa = &counting;
    EVP_PKEY *key = their_key(set, seed);
    mldsa_init(&made, set, &code);
    mldsa_generate(&made, seed);
    for (unsigned n = 0; n < 5000 && (with_r0 < 3 || with_z < 3 || with_hints < 2); n++) {
        seen.real = real->mldsa;
        seen.set = set;
        seen.r0 = seen.z = seen.hints = seen.polys = seen.ones = 0;
        message.p[0] = (uint8_t)n;
        message.p[1] = (uint8_t)(n >> 8);
        assert_true(sign(&made, &none, &message, NULL, ours));
        bool is_new = (seen.r0 > 0 && with_r0++ < 3) | (seen.z > 0 && with_z++ < 3) |
                      (seen.hints > 0 && with_hints++ < 2);
        if (is_new) {
            their_signature(key, &none, &message, NULL, false, theirs, sizeof theirs);
            assert_memory_equal(ours, theirs, set->signature_size);
        }
    }
    assert_true(with_r0 >= 3 && with_z >= 3 && with_hints >= 2);
    mldsa_clear(&made);
    EVP_PKEY_free(key);
}

static void test_each_reason_to_try_again(void **state)
{
    (void)state;
    const struct lattice_code *code;
    for (size_t path = 0; (code = lattice_code(path)) != NULL; path++)
        for (size_t i = 0; i < SETS; i++)
            reasons_of(sets[i], code);
}

static unsigned refusals;

static bool refuse(const struct mldsa_poly *f, int32_t bound)
{
    (void)f;
    refusals++;
    return bound > 10; /* but nothing when a key is read */
}

/* Appendix C: it ends, and leaves no signature. */
static void test_gives_up_at_last(void **state)
{
    (void)state;
    static const uint8_t seed[MLDSA_SEED_SIZE] = {4}, mu[MLDSA_MU_SIZE], random[MLDSA_RANDOM_SIZE];
    uint8_t signature[MLDSA_SIGNATURE_MAX], before[MLDSA_SIGNATURE_MAX];
    struct mldsa_code stubborn = *lattice_code(0)->mldsa;
    struct lattice_code code = *lattice_code(0);
    stubborn.reaches = refuse;
    code.mldsa = &stubborn;
    memset(signature, 0x5a, sizeof signature);
    memcpy(before, signature, sizeof before);
    mldsa_init(&made, &mldsa_87, &code);
    mldsa_generate(&made, seed);
    refusals = 0;
    assert_false(mldsa_sign(&made, mu, random, signature));
    assert_int_equal(refusals, 814);
    assert_memory_equal(signature, before, sizeof before);
    mldsa_clear(&made);
}

/* ---- what is not one ---- */

/* A signature with n hints in polynomial 0 at least, and room for one more: its place of hints. */
static uint8_t *signature_with_hints(const struct mldsa_set *set, unsigned n, struct bytes *message,
                                     uint8_t *signature)
{
    struct bytes none = {.n = 0};
    uint8_t *hint = signature + set->signature_size - set->omega - set->k;
    message->n = 2;
    for (unsigned i = 0; i < 1000; i++) {
        message->p[0] = (uint8_t)i;
        message->p[1] = (uint8_t)(i >> 8);
        assert_true(sign(&made, &none, message, NULL, signature));
        if (hint[set->omega] >= n && hint[set->omega + set->k - 1] < set->omega)
            return hint;
    }
    fail_msg("no signature of %s has %u hints where they are wanted", set->name, n);
    return NULL;
}

static void refused_by_both(EVP_PKEY *key, const struct bytes *message, const uint8_t *signature, size_t n)
{
    struct bytes none = {.n = 0};
    assert_false(verify(&made, &none, message, signature, n));
    assert_false(they_accept(key, &none, message, signature, n));
}

/* Algorithm 21: of the bytes that could say the same hints, one string alone is taken. Each of these says
 * what the signature said, or nothing that can be. */
static void hints_in_other_words(const struct mldsa_set *set, EVP_PKEY *key)
{
    struct bytes message;
    uint8_t good[MLDSA_SIGNATURE_MAX], bad[MLDSA_SIGNATURE_MAX], *hint = NULL;
    const size_t at = (size_t)(signature_with_hints(set, 2, &message, good) - good);
    unsigned last = good[at + set->omega + set->k - 1];
    struct bytes none = {.n = 0};
    assert_true(verify(&made, &none, &message, good, set->signature_size));
    for (int way = 0; way < 6; way++) {
        memcpy(bad, good, sizeof bad);
        hint = bad + at;
        uint8_t *ends = hint + set->omega;
        switch (way) {
        case 0: /* in another order */
            hint[0] = good[at + 1];
            hint[1] = good[at];
            break;
        case 1: /* one of them twice */
            memmove(hint + 1, hint, last);
            for (unsigned i = 0; i < set->k; i++)
                ends[i]++;
            break;
        case 2: /* with something left over */
            hint[set->omega - 1] = 1;
            break;
        case 3:
            hint[last] = 200;
            break;
        case 4: /* more than there is room for */
            ends[set->k - 1] = (uint8_t)(set->omega + 1);
            break;
        default: /* the second polynomial's end before the first's */
            ends[1] = (uint8_t)(ends[0] - 1);
            break;
        }
        refused_by_both(key, &message, bad, set->signature_size);
    }
}

static void test_hints_in_other_words(void **state)
{
    (void)state;
    static const uint8_t seed[MLDSA_SEED_SIZE] = {5};
    const struct lattice_code *code;
    for (size_t path = 0; (code = lattice_code(path)) != NULL; path++)
        for (size_t i = 0; i < SETS; i++) {
            EVP_PKEY *key = their_key(sets[i], seed);
            mldsa_init(&made, sets[i], code);
            mldsa_generate(&made, seed);
            hints_in_other_words(sets[i], key);
            mldsa_clear(&made);
            EVP_PKEY_free(key);
        }
}

/* Lengths, and a z that is too long: line 3 of algorithm 8. */
static void test_signatures_that_are_none(void **state)
{
    (void)state;
    static const uint8_t seed[MLDSA_SEED_SIZE] = {6};
    const struct lattice_code *code;
    for (size_t path = 0; (code = lattice_code(path)) != NULL; path++)
        for (size_t i = 0; i < SETS; i++) {
            const struct mldsa_set *set = sets[i];
            uint8_t signature[MLDSA_SIGNATURE_MAX + 1] = {0};
            struct bytes message = {.n = 1}, none = {.n = 0};
            EVP_PKEY *key = their_key(set, seed);
            mldsa_init(&made, set, code);
            mldsa_generate(&made, seed);
            assert_true(sign(&made, &none, &message, NULL, signature));
            for (size_t n = 0; n <= set->signature_size + 1;
                 n += n < 3 || n + 3 > set->signature_size ? 1 : 97)
                if (n != set->signature_size)
                    refused_by_both(key, &message, signature, n);
            memset(signature + set->challenge_size, 0, 3); /* gamma1 itself */
            refused_by_both(key, &message, signature, set->signature_size);
            memset(signature, 0, sizeof signature);
            refused_by_both(key, &message, signature, set->signature_size);
            memset(signature, 0xff, sizeof signature);
            refused_by_both(key, &message, signature, set->signature_size);
            mldsa_clear(&made);
            EVP_PKEY_free(key);
        }
}

static void test_keys_that_are_none(void **state)
{
    (void)state;
    static const uint8_t seed[MLDSA_SEED_SIZE] = {3};
    const struct lattice_code *code;
    for (size_t path = 0; (code = lattice_code(path)) != NULL; path++)
        for (size_t i = 0; i < SETS; i++) {
            const struct mldsa_set *set = sets[i];
            uint8_t good[MLDSA_PRIVATE_MAX + 1] = {0}, bad[MLDSA_PRIVATE_MAX];
            mldsa_init(&made, set, code);
            mldsa_generate(&made, seed);
            mldsa_write_private(&made, good);
            mldsa_init(&peer, set, code);
            for (int off = -1; off <= 1; off += 2) {
                assert_false(mldsa_read_private(&peer, good, set->private_size + (size_t)off));
                assert_false(mldsa_read_public(&peer, made.public_key, set->public_size + (size_t)off));
            }
            assert_false(mldsa_read_public(&peer, good, 0));
            for (size_t at = 0; at < set->private_size; at += at < 200 ? 7 : 101) {
                if (at >= 32 && at < 64)
                    continue; /* K: any will do */
                memcpy(bad, good, sizeof bad);
                bad[at] ^= 0x11;
                assert_false(mldsa_read_private(&peer, bad, set->private_size));
                assert_false(peer.has_private || peer.has_public);
            }
            assert_true(mldsa_read_private(&peer, good, set->private_size));
            mldsa_clear(&peer);
            mldsa_clear(&made);
        }
}

static void test_nothing_secret_is_left(void **state)
{
    (void)state;
    static const struct mldsa_key empty;
    uint8_t seed[MLDSA_SEED_SIZE];
    memset(seed, 0xa5, sizeof seed);
    mldsa_init(&made, &mldsa_65, lattice_code(0));
    mldsa_generate(&made, seed);
    mldsa_clear(&made);
    assert_memory_equal(made.seed, empty.seed, sizeof made.seed);
    assert_memory_equal(made.sign_seed, empty.sign_seed, sizeof made.sign_seed);
    assert_memory_equal(made.s1, empty.s1, sizeof made.s1);
    assert_memory_equal(made.s2, empty.s2, sizeof made.s2);
    assert_memory_equal(made.t0, empty.t0, sizeof made.t0);
    assert_false(made.has_private || made.has_public || made.has_seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_openssl),          cmocka_unit_test(test_each_reason_to_try_again),
        cmocka_unit_test(test_gives_up_at_last),         cmocka_unit_test(test_hints_in_other_words),
        cmocka_unit_test(test_signatures_that_are_none), cmocka_unit_test(test_keys_that_are_none),
        cmocka_unit_test(test_nothing_secret_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
