/* Keys of ML-DSA: how they are made, moved, compared and refused. */
#include "fixture.h"

#include "lattice/mldsa_code.h"
#include "provider/context.h"
#include "provider/provider.h"
#include "provider/sig_key.h"

/* What generate and import want to know of a kind. */
static struct kind as_kind(const struct set *set)
{
    return (struct kind){
        .name = set->name, .public_size = set->public_size, .private_size = set->private_size};
}

static EVP_PKEY *make(const struct set *set, const char *propq)
{
    struct kind kind = as_kind(set);
    return generate(&kind, propq);
}

static void octets_of(EVP_PKEY *key, const char *name, struct bytes *out)
{
    assert_int_equal(EVP_PKEY_get_octet_string_param(key, name, out->p, sizeof out->p, &out->n), 1);
}

static EVP_PKEY *put_together(const struct set *set, const char *propq, const struct bytes *seed,
                              const struct bytes *private_key, const struct bytes *public_key)
{
    OSSL_PARAM params[4], *at = params;
    EVP_PKEY *key = NULL;
    const struct {
        const char *name;
        const struct bytes *value;
    } rows[] = {{"seed", seed}, {"priv", private_key}, {"pub", public_key}};
    for (size_t i = 0; i < 3; i++)
        if (rows[i].value != NULL)
            *at++ = OSSL_PARAM_construct_octet_string(rows[i].name, (void *)(uintptr_t)rows[i].value->p,
                                                      rows[i].value->n);
    *at = OSSL_PARAM_construct_end();
    ERR_clear_error();
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(libctx, set->name, propq);
    assert_int_equal(EVP_PKEY_fromdata_init(c), 1);
    int selection = seed != NULL || private_key != NULL ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY;
    int result = EVP_PKEY_fromdata(c, &key, selection, params);
    assert_int_equal(result == 1, key != NULL);
    EVP_PKEY_CTX_free(c);
    return key;
}

static void a_seed_is_the_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < SETS; i++) {
        struct bytes seed, ours, theirs;
        EVP_PKEY *key = make(&sets[i], OURS);
        octets_of(key, "seed", &seed);
        assert_int_equal(seed.n, 32);
        EVP_PKEY *same = put_together(&sets[i], THEIRS, &seed, NULL, NULL);
        EVP_PKEY *back = put_together(&sets[i], OURS, &seed, NULL, NULL);
        octets_of(key, "priv", &ours);
        octets_of(same, "priv", &theirs);
        assert_int_equal(ours.n, sets[i].private_size);
        assert_same(&ours, &theirs);
        octets_of(key, "pub", &ours);
        octets_of(same, "pub", &theirs);
        assert_int_equal(ours.n, sets[i].public_size);
        assert_same(&ours, &theirs);
        assert_int_equal(EVP_PKEY_eq(key, back), 1);
        assert_int_equal(EVP_PKEY_eq(key, same), 1);
        EVP_PKEY_free(key);
        EVP_PKEY_free(same);
        EVP_PKEY_free(back);
    }
}

static void an_expanded_key_has_no_seed(void **state)
{
    (void)state;
    for (size_t i = 0; i < SETS; i++) {
        struct bytes private_key, again, seed, public_key;
        EVP_PKEY *key = make(&sets[i], THEIRS);
        octets_of(key, "priv", &private_key);
        octets_of(key, "pub", &public_key);
        octets_of(key, "seed", &seed);
        EVP_PKEY *found = put_together(&sets[i], OURS, NULL, &private_key, NULL);
        assert_ours(found);
        octets_of(found, "priv", &again);
        assert_same(&again, &private_key);
        octets_of(found, "pub", &again);
        assert_same(&again, &public_key);
        assert_int_not_equal(
            EVP_PKEY_get_octet_string_param(found, "seed", again.p, sizeof again.p, &again.n), 1);
        EVP_PKEY_free(found);
        found = put_together(&sets[i], OURS, &seed, &private_key, &public_key);
        octets_of(found, "seed", &again);
        assert_same(&again, &seed);
        EVP_PKEY_free(found);
        EVP_PKEY_free(key);
    }
    ERR_clear_error();
}

static void refuses_what_is_not_of_one_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < SETS; i++) {
        const struct set *set = &sets[i];
        struct bytes seed, private_key, public_key, other;
        EVP_PKEY *key = make(set, OURS), *another = make(set, OURS);
        octets_of(key, "seed", &seed);
        octets_of(key, "priv", &private_key);
        octets_of(key, "pub", &public_key);
        octets_of(another, "pub", &other);
        assert_refused(put_together(set, OURS, &seed, NULL, &other), "not that of the private one");
        assert_refused(put_together(set, OURS, NULL, &private_key, &other), "not that of the private one");
        octets_of(another, "priv", &other);
        assert_refused(put_together(set, OURS, &seed, &other, NULL), "the seed is not that");
        /* tr, t0 */
        const size_t places[] = {64, 127, private_key.n - 1};
        for (size_t j = 0; j < sizeof places / sizeof places[0]; j++) {
            other = private_key;
            other.p[places[j]] ^= 0x20;
            assert_refused(put_together(set, OURS, NULL, &other, NULL), "does not fit together");
        }
        EVP_PKEY_free(key);
        EVP_PKEY_free(another);
    }
}

static void refuses_other_lengths(void **state)
{
    (void)state;
    for (size_t i = 0; i < SETS; i++) {
        const struct set *set = &sets[i];
        struct bytes seed, private_key, public_key;
        EVP_PKEY *key = make(set, OURS);
        octets_of(key, "seed", &seed);
        octets_of(key, "priv", &private_key);
        octets_of(key, "pub", &public_key);
        struct bytes *const all[] = {&seed, &private_key, &public_key};
        for (size_t j = 0; j < 3; j++) {
            const size_t right = all[j]->n, wrong[] = {0, 1, right - 1, right + 1};
            for (size_t w = 0; w < 4; w++) {
                all[j]->n = wrong[w];
                assert_refused(put_together(set, OURS, j == 0 ? &seed : NULL, j == 1 ? &private_key : NULL,
                                            j == 2 ? &public_key : NULL),
                               "wrong length");
            }
            all[j]->n = right;
        }
        EVP_PKEY_free(key);
    }
}

/* Algorithm 25 wants s1 and s2 in [-eta, eta]: 3 bits with 2 eta = 4, 4 bits with 8. */
static void refuses_secrets_out_of_range(void **state)
{
    (void)state;
    for (size_t i = 0; i < SETS; i++) {
        const bool four = i == 1; /* bits */
        const size_t polys = i == 0 ? 8 : i == 1 ? 11 : 15, size = polys * (four ? 128 : 96);
        struct bytes private_key, spoiled;
        EVP_PKEY *key = make(&sets[i], OURS);
        octets_of(key, "priv", &private_key);
        for (size_t at = 0; at < size; at += 13) {
            spoiled = private_key;
            spoiled.p[128 + at] |= four ? 0x0f : 0x07; /* some coefficient that starts in it, as 15 or 7 */
            if (!four && at % 3 != 0)
                spoiled.p[128 + at] = 0xff;
            assert_refused(put_together(&sets[i], OURS, NULL, &spoiled, NULL), "out of range");
        }
        EVP_PKEY_free(key);
    }
}

static void numbers_are_openssls(void **state)
{
    (void)state;
    for (size_t i = 0; i < SETS; i++) {
        EVP_PKEY *ours = make(&sets[i], OURS), *theirs = make(&sets[i], THEIRS);
        char a[80] = "?", b[80] = "?";
        int category = 0;
        assert_int_equal(EVP_PKEY_get_bits(ours), EVP_PKEY_get_bits(theirs));
        assert_int_equal(EVP_PKEY_get_security_bits(ours), sets[i].security_bits);
        assert_int_equal(EVP_PKEY_get_security_bits(theirs), sets[i].security_bits);
        assert_int_equal(EVP_PKEY_get_size(ours), sets[i].signature_size);
        assert_int_equal(EVP_PKEY_get_size(theirs), sets[i].signature_size);
        assert_int_equal(EVP_PKEY_get_default_digest_name(ours, a, sizeof a),
                         EVP_PKEY_get_default_digest_name(theirs, b, sizeof b));
        assert_string_equal(a, b);
        assert_int_equal(EVP_PKEY_get_int_param(ours, "security-category", &category), 1);
        assert_int_equal(category, i == 0 ? 2 : i == 1 ? 3 : 5); /* FIPS 204 table 1 */
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
    for (size_t i = 0; i < SETS; i++) {
        EVP_PKEY *key = make(&sets[i], OURS), *other = make(&sets[i], OURS);
        EVP_PKEY *copy = EVP_PKEY_dup(key), *half = moved(key, OURS, EVP_PKEY_PUBLIC_KEY);
        assert_int_equal(EVP_PKEY_eq(key, copy), 1);
        assert_int_equal(EVP_PKEY_eq(key, half), 1);
        assert_int_not_equal(EVP_PKEY_eq(key, other), 1);
        assert_int_equal(check(key, EVP_PKEY_check), 1);
        assert_int_equal(check(key, EVP_PKEY_pairwise_check), 1);
        assert_int_equal(check(half, EVP_PKEY_public_check), 1);
        assert_int_not_equal(check(half, EVP_PKEY_private_check), 1);
        EVP_PKEY_free(key); /* the copy lives on */
        assert_int_equal(check(copy, EVP_PKEY_pairwise_check), 1);
        EVP_PKEY_free(copy);
        EVP_PKEY_free(half);
        EVP_PKEY_free(other);
    }
    ERR_clear_error();
}

/* A TLS connection keeps its peer's key: it is no more than its bytes, before it was used and after. */
static void a_public_key_keeps_its_bytes_until_it_is_used_again(void **state)
{
    (void)state;
    struct provider p = {.verify_after_sign = true};
    const struct sig_message message = {.form = SIG_PURE, .message = {(const uint8_t *)"x", 1}};
    assert_true(provider_choose(&p, lattice_code));
    for (int kind = 0; kind < SIG_KINDS; kind++) {
        static const uint8_t seed[MLDSA_SEED_SIZE] = {7}, random[MLDSA_RANDOM_SIZE];
        uint8_t signature[MLDSA_SIGNATURE_MAX];
        struct sig_key *key = sig_key_new(&p, (enum sig_kind)kind),
                       *half = sig_key_new(&p, (enum sig_kind)kind);
        struct key_bytes made = {signature, sig_sets[kind]->signature_size};
        assert_true(sig_key_generate(key, seed));
        assert_true(sig_key_sign(key, &message, random, signature));
        assert_true(sig_key_read_public(half, (struct key_bytes){key->public_key, key->set->public_size}));
        assert_null(atomic_load(&half->mldsa));
        for (int use = 1; use <= 3; use++) {
            assert_true(sig_key_verify(half, &message, made));
            assert_int_equal(atomic_load(&half->mldsa) != NULL, use > 1);
        }
        sig_key_free(key);
        sig_key_free(half);
    }
}

static unsigned hint_lost(uint8_t bits[MLDSA_BITS_BYTES], const struct mldsa_poly *high,
                          const struct mldsa_poly *low, int32_t gamma2)
{
    (void)high;
    (void)low;
    (void)gamma2;
    memset(bits, 0, MLDSA_BITS_BYTES);
    return 0;
}

/* A processor that errs between self-test and signature: what comes out is kept back. */
static void a_wrong_signature_is_kept_back(void **state)
{
    (void)state;
    static const uint8_t seed[MLDSA_SEED_SIZE] = {8}, random[MLDSA_RANDOM_SIZE], nothing[MLDSA_SIGNATURE_MAX];
    const struct sig_message message = {.form = SIG_PURE, .message = {(const uint8_t *)"x", 1}};
    struct mldsa_code erring = *lattice_code(0)->mldsa;
    struct lattice_code code = *lattice_code(0);
    struct provider p = {.code = &code};
    erring.make_hint = hint_lost;
    code.mldsa = &erring;
    for (int kind = 0; kind < SIG_KINDS; kind++) {
        uint8_t signature[MLDSA_SIGNATURE_MAX];
        struct sig_key *key = sig_key_new(&p, (enum sig_kind)kind);
        struct key_bytes made = {signature, sig_sets[kind]->signature_size};
        assert_true(sig_key_generate(key, seed));
        p.verify_after_sign = false;
        assert_true(sig_key_sign(key, &message, random, signature));
        assert_false(sig_key_verify(key, &message, made));
        p.verify_after_sign = true;
        assert_false(sig_key_sign(key, &message, random, signature));
        assert_memory_equal(signature, nothing, made.n);
        sig_key_free(key);
    }
}

static OSSL_PROVIDER *load_with(OSSL_LIB_CTX *ctx, const char *value)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(PQLATTICE_PARAM_VERIFY, (char *)(uintptr_t)value, 0),
        OSSL_PARAM_construct_end(),
    };
    assert_int_equal(OSSL_PROVIDER_add_builtin(ctx, PQLATTICE_NAME, pqlattice_provider_init), 1);
    return OSSL_PROVIDER_load_ex(ctx, PQLATTICE_NAME, params);
}

static void says(OSSL_PROVIDER *p, const char *value)
{
    const char *got = "";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_ptr(PQLATTICE_PARAM_VERIFY, (char **)(uintptr_t)&got, 0),
        OSSL_PARAM_construct_end(),
    };
    assert_non_null(p);
    assert_int_equal(OSSL_PROVIDER_get_params(p, params), 1);
    assert_string_equal(got, value);
}

static void verify_after_sign_is_a_setting(void **state)
{
    (void)state;
    static const char *const good[] = {"yes", "no"};
    struct world w;
    world_start(&w);
    says(w.ours, "yes");
    world_stop(&w);
    for (size_t i = 0; i < 2; i++) {
        OSSL_LIB_CTX *ctx = OSSL_LIB_CTX_new();
        OSSL_PROVIDER *p = load_with(ctx, good[i]);
        says(p, good[i]);
        OSSL_PROVIDER_unload(p);
        OSSL_LIB_CTX_free(ctx);
    }
    OSSL_LIB_CTX *ctx = OSSL_LIB_CTX_new();
    assert_null(load_with(ctx, "perhaps"));
    assert_error("verify-after-sign is yes or no, not \"perhaps\"");
    OSSL_LIB_CTX_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_is_the_key),
        cmocka_unit_test(an_expanded_key_has_no_seed),
        cmocka_unit_test(refuses_what_is_not_of_one_key),
        cmocka_unit_test(refuses_other_lengths),
        cmocka_unit_test(refuses_secrets_out_of_range),
        cmocka_unit_test(numbers_are_openssls),
        cmocka_unit_test(copies_and_comparisons),
        cmocka_unit_test(a_public_key_keeps_its_bytes_until_it_is_used_again),
        cmocka_unit_test(a_wrong_signature_is_kept_back),
        cmocka_unit_test(verify_after_sign_is_a_setting),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
