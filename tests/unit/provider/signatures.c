/* Signatures by our provider and OpenSSL's, of all that EVP_SIGNATURE-ML-DSA(7) says. */
#include "fixture.h"

#include <openssl/rand.h>

static OSSL_PARAM octets(const char *name, const void *p, size_t n)
{
    return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)p, n);
}

static EVP_PKEY *make(const struct set *set, const char *propq)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(libctx, set->name, propq);
    assert_int_equal(EVP_PKEY_keygen_init(c), 1);
    assert_int_equal(EVP_PKEY_generate(c, &key), 1);
    EVP_PKEY_CTX_free(c);
    return key;
}

/* NULL: refused. */
static EVP_PKEY_CTX *begin(EVP_PKEY *key, const char *propq, bool sign, const OSSL_PARAM *params)
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(libctx, key, propq);
    EVP_SIGNATURE *algorithm = EVP_SIGNATURE_fetch(libctx, EVP_PKEY_get0_type_name(key), propq);
    int begun = sign ? EVP_PKEY_sign_message_init(c, algorithm, params)
                     : EVP_PKEY_verify_message_init(c, algorithm, params);
    EVP_SIGNATURE_free(algorithm);
    if (begun == 1)
        return c;
    EVP_PKEY_CTX_free(c);
    return NULL;
}

static bool sign(EVP_PKEY *key, const char *propq, const OSSL_PARAM *params, const void *message, size_t n,
                 struct bytes *out)
{
    EVP_PKEY_CTX *c = begin(key, propq, true, params);
    if (c == NULL)
        return false;
    out->n = sizeof out->p;
    bool good = EVP_PKEY_sign(c, out->p, &out->n, message, n) == 1;
    EVP_PKEY_CTX_free(c);
    return good;
}

static bool verify(EVP_PKEY *key, const char *propq, const OSSL_PARAM *params, const void *message, size_t n,
                   const struct bytes *signature)
{
    EVP_PKEY_CTX *c = begin(key, propq, false, params);
    assert_non_null(c);
    int good = EVP_PKEY_verify(c, signature->p, signature->n, message, n);
    EVP_PKEY_CTX_free(c);
    return good == 1;
}

static int yes = 1, no = 0;

/* Every way to say what is signed, deterministic: theirs and ours give the same, and each takes the
 * other's. */
static void the_same_bytes(EVP_PKEY *ours, EVP_PKEY *theirs, OSSL_PARAM *settings, const void *message,
                           size_t n)
{
    struct bytes a, b;
    OSSL_PARAM params[8] = {OSSL_PARAM_construct_int(OSSL_SIGNATURE_PARAM_DETERMINISTIC, &yes)};
    size_t count = 1;
    for (; settings != NULL && settings->key != NULL; settings++)
        params[count++] = *settings;
    params[count] = OSSL_PARAM_construct_end();
    int made = counts.made, verified = counts.verified;
    assert_true(sign(ours, OURS, params, message, n, &a));
    assert_true(sign(theirs, THEIRS, params, message, n, &b));
    assert_same(&a, &b);
    assert_true(verify(ours, OURS, params + 1, message, n, &b));
    assert_true(verify(theirs, THEIRS, params + 1, message, n, &a));
    a.p[a.n / 2] ^= 1;
    assert_false(verify(ours, OURS, params + 1, message, n, &a));
    a.p[a.n / 2] ^= 1;
    a.n--;
    assert_false(verify(ours, OURS, params + 1, message, n, &a));
    assert_int_equal(counts.made - made, 1);
    assert_int_equal(counts.verified - verified, 3);
    ERR_clear_error();
}

static void every_form_gives_openssls_bytes(void **state)
{
    (void)state;
    static const char text[] = "firmware";
    unsigned char context[255], mu[64], random[32];
    RAND_bytes(context, sizeof context);
    RAND_bytes(mu, sizeof mu);
    RAND_bytes(random, sizeof random);
    OSSL_PARAM short_context[] = {octets("context-string", "pqota", 5), OSSL_PARAM_construct_end()};
    OSSL_PARAM long_context[] = {octets("context-string", context, sizeof context),
                                 OSSL_PARAM_construct_end()};
    OSSL_PARAM no_context[] = {octets("context-string", context, 0), OSSL_PARAM_construct_end()};
    OSSL_PARAM encoded[] = {OSSL_PARAM_construct_int("message-encoding", &no), OSSL_PARAM_construct_end()};
    OSSL_PARAM of_mu[] = {OSSL_PARAM_construct_int("mu", &yes), OSSL_PARAM_construct_end()};
    OSSL_PARAM given[] = {octets("test-entropy", random, sizeof random), OSSL_PARAM_construct_end()};
    for (size_t i = 0; i < SETS; i++) {
        EVP_PKEY *ours = make(&sets[i], OURS), *theirs = moved(ours, THEIRS, EVP_PKEY_KEYPAIR);
        assert_ours(ours);
        assert_theirs(theirs);
        the_same_bytes(ours, theirs, NULL, text, sizeof text);
        the_same_bytes(ours, theirs, NULL, "", 0);
        the_same_bytes(ours, theirs, short_context, text, sizeof text);
        the_same_bytes(ours, theirs, long_context, text, sizeof text);
        the_same_bytes(ours, theirs, no_context, text, sizeof text);
        the_same_bytes(ours, theirs, encoded, text, sizeof text);
        the_same_bytes(ours, theirs, of_mu, mu, sizeof mu);
        the_same_bytes(ours, theirs, given, text, sizeof text);
        EVP_PKEY_free(ours);
        EVP_PKEY_free(theirs);
    }
}

static void mu_is_what_an_offline_key_hashed(void **state)
{
    (void)state;
    for (size_t i = 0; i < SETS; i++) {
        EVP_PKEY *key = make(&sets[i], OURS);
        struct bytes share, a;
        unsigned char tr[64], mu[64];
        const OSSL_PARAM of_mu[] = {OSSL_PARAM_construct_int("mu", &yes), OSSL_PARAM_construct_end()};
        size_t n;
        assert_int_equal(EVP_PKEY_get_octet_string_param(key, "pub", share.p, sizeof share.p, &share.n), 1);
        /* mu = H(H(pk) || 0 || 2 || "v1" || message): FIPS 204 algorithms 2 and 7. */
        EVP_MD *shake = EVP_MD_fetch(libctx, "SHAKE256", THEIRS);
        EVP_MD_CTX *c = EVP_MD_CTX_new();
        EVP_DigestInit_ex(c, shake, NULL);
        EVP_DigestUpdate(c, share.p, share.n);
        EVP_DigestFinalXOF(c, tr, sizeof tr);
        EVP_DigestInit_ex(c, shake, NULL);
        EVP_DigestUpdate(c, tr, sizeof tr);
        EVP_DigestUpdate(c, "\0\2v1image", 9);
        EVP_DigestFinalXOF(c, mu, sizeof mu);
        EVP_MD_CTX_free(c);
        EVP_MD_free(shake);
        assert_true(sign(key, OURS, of_mu, mu, sizeof mu, &a));
        const OSSL_PARAM v1[] = {octets("context-string", "v1", 2), OSSL_PARAM_construct_end()};
        assert_true(verify(key, OURS, v1, "image", 5, &a));
        assert_true(verify(key, THEIRS, v1, "image", 5, &a));
        for (n = 0; n < 130; n += n == 62 ? 1 : 31) { /* not 64 */
            assert_false(sign(key, OURS, of_mu, mu, n < sizeof mu ? n : 0, &a));
            assert_error("mu has 64 bytes");
        }
        EVP_PKEY_free(key);
    }
}

static void hedged_by_default(void **state)
{
    (void)state;
    for (size_t i = 0; i < SETS; i++) {
        struct bytes a, b;
        EVP_PKEY *key = make(&sets[i], OURS);
        assert_true(sign(key, OURS, NULL, "x", 1, &a));
        assert_true(sign(key, OURS, NULL, "x", 1, &b));
        assert_int_equal(a.n, sets[i].signature_size);
        assert_memory_not_equal(a.p, b.p, a.n);
        assert_true(verify(key, OURS, NULL, "x", 1, &a));
        assert_true(verify(key, THEIRS, NULL, "x", 1, &b));
        EVP_PKEY_free(key);
    }
}

static void refused(EVP_PKEY *key, OSSL_PARAM param, const char *why)
{
    const OSSL_PARAM params[] = {param, OSSL_PARAM_construct_end()};
    struct bytes out;
    assert_false(sign(key, OURS, params, "x", 1, &out));
    assert_error(why);
}

static void settings_that_are_none(void **state)
{
    (void)state;
    int three = 3;
    unsigned char long_context[256] = {0};
    EVP_PKEY *key = make(&sets[1], OURS);
    refused(key, octets("context-string", long_context, 256), "at most 255 bytes, this one 256");
    refused(key, octets("test-entropy", long_context, 31), "is 32 bytes");
    refused(key, octets("test-entropy", long_context, 33), "is 32 bytes");
    refused(key, OSSL_PARAM_construct_int("deterministic", &three), "is 0 or 1");
    refused(key, OSSL_PARAM_construct_int("message-encoding", &three), "is 0 or 1");
    refused(key, OSSL_PARAM_construct_int("mu", &three), "is 0 or 1");
    refused(key, octets("mu", long_context, 1), "is not a number");
    refused(key, OSSL_PARAM_construct_int("context-string", &three), "is not bytes");
    EVP_PKEY_free(key);
}

/* EVP_DigestSign, as TLS and X.509 use it: in one piece, without a digest. */
static void by_digest_sign(void **state)
{
    (void)state;
    for (size_t i = 0; i < SETS; i++) {
        EVP_PKEY *ours = make(&sets[i], OURS), *theirs = moved(ours, THEIRS, EVP_PKEY_KEYPAIR);
        struct bytes a = {.n = BYTES_MAX};
        EVP_MD_CTX *c = EVP_MD_CTX_new(), *d = EVP_MD_CTX_new();
        size_t n = 0;
        assert_int_equal(EVP_DigestSignInit_ex(c, NULL, NULL, libctx, OURS, ours, NULL), 1);
        assert_int_equal(EVP_DigestSign(c, NULL, &n, (const unsigned char *)"abc", 3), 1);
        assert_int_equal(n, sets[i].signature_size);
        assert_int_equal(EVP_MD_CTX_copy_ex(d, c), 1);
        n--;
        assert_int_not_equal(EVP_DigestSign(c, a.p, &n, (const unsigned char *)"abc", 3), 1);
        assert_error("buffer is too small");
        assert_int_equal(EVP_DigestSign(d, a.p, &a.n, (const unsigned char *)"abc", 3), 1);
        EVP_MD_CTX_reset(c);
        assert_int_equal(EVP_DigestVerifyInit_ex(c, NULL, NULL, libctx, THEIRS, theirs, NULL), 1);
        assert_int_equal(EVP_DigestVerify(c, a.p, a.n, (const unsigned char *)"abc", 3), 1);
        EVP_MD_CTX_reset(c);
        assert_int_equal(EVP_DigestVerifyInit_ex(c, NULL, NULL, libctx, OURS, ours, NULL), 1);
        assert_int_equal(EVP_DigestVerify(c, a.p, a.n, (const unsigned char *)"abc", 3), 1);
        assert_int_not_equal(EVP_DigestVerify(c, a.p, a.n, (const unsigned char *)"abd", 3), 1);
        EVP_MD_CTX_reset(c);
        ERR_clear_error();
        assert_int_not_equal(EVP_DigestSignInit_ex(c, NULL, "SHA256", libctx, OURS, ours, NULL), 1);
        assert_error("takes no digest, and here is SHA256");
        EVP_MD_CTX_free(c);
        EVP_MD_CTX_free(d);
        EVP_PKEY_free(ours);
        EVP_PKEY_free(theirs);
    }
}

static void a_public_key_signs_nothing(void **state)
{
    (void)state;
    EVP_PKEY *key = make(&sets[0], OURS), *half = moved(key, OURS, EVP_PKEY_PUBLIC_KEY);
    struct bytes out;
    assert_false(sign(half, OURS, NULL, "x", 1, &out));
    assert_error("lacks this half");
    EVP_PKEY_free(key);
    EVP_PKEY_free(half);
}

static void another_sets_algorithm_is_refused(void **state)
{
    (void)state;
    EVP_PKEY *key = make(&sets[0], OURS);
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(libctx, key, OURS);
    EVP_SIGNATURE *algorithm = EVP_SIGNATURE_fetch(libctx, sets[1].name, OURS);
    ERR_clear_error();
    assert_int_not_equal(EVP_PKEY_sign_message_init(c, algorithm, NULL), 1);
    ERR_clear_error();
    EVP_SIGNATURE_free(algorithm);
    EVP_PKEY_CTX_free(c);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_gives_openssls_bytes),
        cmocka_unit_test(mu_is_what_an_offline_key_hashed),
        cmocka_unit_test(hedged_by_default),
        cmocka_unit_test(settings_that_are_none),
        cmocka_unit_test(by_digest_sign),
        cmocka_unit_test(a_public_key_signs_nothing),
        cmocka_unit_test(another_sets_algorithm_is_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
