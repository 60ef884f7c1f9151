/* Which code path the provider runs on, and what it does when one is broken. */
#include "fixture.h"

#include "lattice/keccak.h"
#include "lattice/mldsa_code.h"
#include "lattice/mlkem_code.h"
#include "lattice/selftest.h"
#include "provider/context.h"
#include "provider/provider.h"

static const struct lattice_code *sound(void)
{
    const struct lattice_code *last = NULL;
    for (size_t i = 0; lattice_code(i) != NULL; i++)
        last = lattice_code(i);
    return last;
}

/* ---- broken paths ---- */

static void permute_wrongly(uint64_t state[KECCAK_WORDS])
{
    sound()->keccak->permute(state);
    state[24] ^= 1;
}

static void multiply_wrongly(struct mlkem_poly *out, const struct mlkem_poly *const a[],
                             const struct mlkem_factor *b, unsigned k)
{
    sound()->mlkem->multiply(out, a, b, k);
    out->c[255] = (int16_t)((out->c[255] + 1) % MLKEM_Q);
}

static void compress_wrongly(uint8_t *out, const struct mlkem_poly *f, unsigned d)
{
    sound()->mlkem->compress(out, f, d);
    if (d == 11) /* ML-KEM-1024 alone */
        out[351] ^= 0x80;
}

static void sample_noise_wrongly(struct mlkem_poly *out, unsigned eta, const uint8_t *p)
{
    sound()->mlkem->sample_noise(out, eta, p);
    if (eta == 3) /* ML-KEM-512 alone */
        out->c[0] = 0;
}

static bool read_everything(struct mlkem_poly *out, const uint8_t *p)
{
    sound()->mlkem->read12(out, p);
    out->c[7] = 0;
    return true;
}

static struct keccak_code bad_keccak;
static void transform_wrongly(struct mldsa_poly *f)
{
    sound()->mldsa->ntt(f);
    f->c[200]++;
}

static unsigned sample_secret_wrongly(int32_t *out, unsigned room, const uint8_t *p, size_t n, unsigned eta)
{
    unsigned count = sound()->mldsa->sample_secret(out, room, p, n, eta);
    out[0] = 0;
    return count;
}

/* Signatures that tell of the key, but verify. */
static bool reaches_nothing(const struct mldsa_poly *f, int32_t bound)
{
    (void)f;
    (void)bound;
    return false;
}

static bool reaches_everything(const struct mldsa_poly *f, int32_t bound)
{
    (void)f;
    (void)bound;
    return true;
}

static unsigned hint_wrongly(uint8_t bits[MLDSA_BITS_BYTES], const struct mldsa_poly *high,
                             const struct mldsa_poly *low, int32_t gamma2)
{
    (void)high;
    (void)low;
    (void)gamma2;
    memset(bits, 0, MLDSA_BITS_BYTES);
    return 0;
}

static void pack_wrongly(uint8_t *out, const struct mldsa_poly *f, unsigned bits)
{
    sound()->mldsa->pack(out, f, bits);
    out[0] ^= bits == 18 || bits == 20;
}

static struct mlkem_code bad_mlkem[4];
static struct mldsa_code bad_mldsa[6];
static struct lattice_code broken[11];

#define BROKEN (sizeof broken / sizeof broken[0])

static int make_broken(void **state)
{
    bad_keccak = *sound()->keccak;
    bad_keccak.permute = permute_wrongly;
    for (size_t i = 0; i < 4; i++)
        bad_mlkem[i] = *sound()->mlkem;
    bad_mlkem[0].multiply = multiply_wrongly;
    bad_mlkem[1].compress = compress_wrongly;
    bad_mlkem[2].sample_noise = sample_noise_wrongly;
    bad_mlkem[3].read12 = read_everything;
    for (size_t i = 0; i < 4; i++)
        broken[i] = (struct lattice_code){"broken", sound()->keccak, &bad_mlkem[i], sound()->mldsa};
    broken[4] = (struct lattice_code){"broken", &bad_keccak, sound()->mlkem, sound()->mldsa};
    for (size_t i = 0; i < 6; i++) {
        bad_mldsa[i] = *sound()->mldsa;
        broken[5 + i] = (struct lattice_code){"broken", sound()->keccak, sound()->mlkem, &bad_mldsa[i]};
    }
    bad_mldsa[0].ntt = transform_wrongly;
    bad_mldsa[1].sample_secret = sample_secret_wrongly;
    bad_mldsa[2].reaches = reaches_nothing;
    bad_mldsa[3].reaches = reaches_everything;
    bad_mldsa[4].make_hint = hint_wrongly;
    bad_mldsa[5].pack = pack_wrongly;
    return start(state);
}

static void every_path_of_this_processor_passes(void **state)
{
    size_t n = 0;
    (void)state;
    for (; lattice_code(n) != NULL; n++)
        if (!lattice_selftest(lattice_code(n)))
            fail_msg("%s", lattice_code(n)->name);
    assert_true(n > 0);
    assert_string_equal(sound()->name, "portable");
}

static void a_broken_path_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < BROKEN; i++)
        if (lattice_selftest(&broken[i]))
            fail_msg("broken path %zu passes", i);
}

/* ---- the provider's choice ---- */

static const struct lattice_code *none(size_t i)
{
    return i < BROKEN ? &broken[i] : NULL;
}

static const struct lattice_code *third(size_t i)
{
    return i < 2 ? &broken[i] : i == 2 ? sound() : NULL;
}

static int init_none(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                     void **context)
{
    return provider_init_with(none, core, in, out, context);
}

static int init_third(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                      void **context)
{
    return provider_init_with(third, core, in, out, context);
}

static void says(OSSL_PROVIDER *p, const char *expected)
{
    char *name = NULL, *version = NULL, *buildinfo = NULL;
    int status = 0;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_ptr(OSSL_PROV_PARAM_NAME, &name, 0),
        OSSL_PARAM_construct_utf8_ptr(OSSL_PROV_PARAM_VERSION, &version, 0),
        OSSL_PARAM_construct_utf8_ptr(OSSL_PROV_PARAM_BUILDINFO, &buildinfo, 0),
        OSSL_PARAM_construct_int(OSSL_PROV_PARAM_STATUS, &status),
        OSSL_PARAM_construct_end(),
    };
    assert_int_equal(OSSL_PROVIDER_get_params(p, params), 1);
    assert_string_equal(version, PQOTA_VERSION);
    assert_string_equal(buildinfo, expected);
    assert_non_null(name);
    assert_int_equal(status, 1);
    assert_int_equal(OSSL_PROVIDER_self_test(p), 1);
}

static void the_fastest_path_is_taken(void **state)
{
    struct world w;
    char expected[100];
    (void)state;
    world_start(&w);
    snprintf(expected, sizeof expected, "%s %s", PQOTA_VERSION, lattice_code(0)->name);
    says(w.ours, expected);
    world_stop(&w);
}

static void a_broken_path_is_passed_over_and_named(void **state)
{
    OSSL_LIB_CTX *fresh = OSSL_LIB_CTX_new(), *usual = libctx;
    (void)state;
    ERR_clear_error();
    OSSL_PROVIDER *theirs = OSSL_PROVIDER_load(fresh, "default");
    assert_int_equal(OSSL_PROVIDER_add_builtin(fresh, PQLATTICE_NAME, init_third), 1);
    OSSL_PROVIDER *ours = OSSL_PROVIDER_load(fresh, PQLATTICE_NAME);
    assert_non_null(ours);
    assert_error("broken gives wrong answers and is not used");
    says(ours, PQOTA_VERSION " portable, not broken, broken: wrong answers");
    /* And the one that was taken gives the right ones. */
    libctx = fresh;
    for (size_t k = 0; k < KINDS; k++) {
        struct bytes ciphertext, made, got;
        EVP_PKEY *key = generate(&kinds[k], THEIRS), *share = moved(key, OURS, EVP_PKEY_PUBLIC_KEY);
        assert_ours(share);
        encapsulate(share, OURS, &ciphertext, &made);
        decapsulate(key, THEIRS, &ciphertext, &got);
        assert_same(&made, &got);
        EVP_PKEY_free(key);
        EVP_PKEY_free(share);
    }
    libctx = usual;
    OSSL_PROVIDER_unload(theirs); /* in this order: what ours fetched of it stays until it goes */
    OSSL_PROVIDER_unload(ours);
    OSSL_LIB_CTX_free(fresh);
}

static void without_a_sound_path_it_does_not_load(void **state)
{
    OSSL_LIB_CTX *fresh = OSSL_LIB_CTX_new();
    (void)state;
    ERR_clear_error();
    assert_int_equal(OSSL_PROVIDER_add_builtin(fresh, PQLATTICE_NAME, init_none), 1);
    assert_refused(OSSL_PROVIDER_load(fresh, PQLATTICE_NAME), "no code path gives right answers");
    OSSL_LIB_CTX_free(fresh);
}

/* ---- what it needs of others ---- */

static void without_another_provider_it_says_what_is_missing(void **state)
{
    OSSL_LIB_CTX *fresh = OSSL_LIB_CTX_new();
    (void)state;
    assert_int_equal(OSSL_PROVIDER_add_builtin(fresh, PQLATTICE_NAME, pqlattice_provider_init), 1);
    OSSL_PROVIDER *ours = OSSL_PROVIDER_load(fresh, PQLATTICE_NAME);
    assert_non_null(ours);
    for (size_t k = 0; k < KINDS; k++) {
        ERR_clear_error();
        assert_refused(EVP_PKEY_Q_keygen(fresh, NULL, kinds[k].name),
                       kinds[k].hybrid ? "no provider that is loaded has" : "bytes of");
    }
    OSSL_PROVIDER_unload(ours);
    OSSL_LIB_CTX_free(fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_of_this_processor_passes),
        cmocka_unit_test(a_broken_path_is_found),
        cmocka_unit_test(the_fastest_path_is_taken),
        cmocka_unit_test(a_broken_path_is_passed_over_and_named),
        cmocka_unit_test(without_a_sound_path_it_does_not_load),
        cmocka_unit_test(without_another_provider_it_says_what_is_missing),
    };
    return cmocka_run_group_tests(tests, make_broken, stop);
}
