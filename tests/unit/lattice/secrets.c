#include "lattice/mldsa.h"
#include "lattice/mlkem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <valgrind/memcheck.h>

/* Constant time, shown by valgrind: secrets are marked as undefined memory, so that memcheck reports
 * every branch and every address that depends on them; its exit code is then the test's failure. What
 * the standard makes public the library declares (lattice/secret.h). The program itself looks whether
 * the results are right and, at each of them, whether the marks are still there: a test whose marks were
 * lost shows nothing. Memcheck does not see an instruction that takes longer for some numbers: that nothing
 * secret is divided is for who reads. */

#define SKIPPED 77

static const struct mlkem_set *const sets[] = {&mlkem_512, &mlkem_768, &mlkem_1024};

#define SETS (sizeof sets / sizeof sets[0])

/* ---- marks ---- */

static void hide(void *p, size_t n)
{
    (void)VALGRIND_MAKE_MEM_UNDEFINED(p, n);
}

static void show(void *p, size_t n)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(p, n);
}

/* Each byte has a bit that is marked. */
static bool hidden(const void *p, size_t n)
{
    static uint8_t marks[sizeof(struct mldsa_poly) * MLDSA_K_MAX]; /* the largest of all */
    assert_true(n <= sizeof marks);
    assert_int_equal(VALGRIND_GET_VBITS(p, marks, n), 1);
    for (size_t i = 0; i < n; i++)
        if (marks[i] == 0)
            return false;
    return true;
}

static void assert_hidden_and_same(void *p, const void *expected, size_t n)
{
    assert_true(hidden(p, n));
    show(p, n);
    assert_memory_equal(p, expected, n);
}

/* ---- the same twice: without marks, then with them ---- */

/* What one path and set give without marks. */
struct expected {
    struct mlkem_key key;
    uint8_t seed[MLKEM_SEED_SIZE], message[MLKEM_MESSAGE_SIZE];
    uint8_t private_key[MLKEM_PRIVATE_MAX], ciphertext[MLKEM_CIPHERTEXT_MAX], spoiled[MLKEM_CIPHERTEXT_MAX];
    uint8_t secret[MLKEM_SECRET_SIZE], rejected[MLKEM_SECRET_SIZE];
};

/* Outside of the stack: a key is some 13 KB. */
static struct expected plain;
static struct mlkem_key key;

static void work_out(const struct mlkem_set *set, const struct lattice_code *code)
{
    for (size_t i = 0; i < sizeof plain.seed; i++)
        plain.seed[i] = (uint8_t)(i * 37 + set->k);
    memset(plain.message, 0xa6, sizeof plain.message);
    mlkem_init(&plain.key, set, code);
    mlkem_generate(&plain.key, plain.seed);
    mlkem_write_private(&plain.key, plain.private_key);
    mlkem_encapsulate(&plain.key, plain.message, plain.ciphertext, plain.secret);
    memcpy(plain.spoiled, plain.ciphertext, set->ciphertext_size);
    plain.spoiled[set->ciphertext_size / 2] ^= 0x10;
    mlkem_decapsulate(&plain.key, plain.spoiled, plain.rejected);
    assert_memory_not_equal(plain.rejected, plain.secret, sizeof plain.secret);
}

/* Both private halves are marked by now: with a ciphertext made for it, and with one that is not. */
static void decapsulate(const struct mlkem_set *set)
{
    uint8_t secret[MLKEM_SECRET_SIZE];
    assert_true(hidden(key.s, set->k * sizeof key.s[0]));
    assert_true(hidden(key.reject, sizeof key.reject));
    mlkem_decapsulate(&key, plain.ciphertext, secret);
    assert_hidden_and_same(secret, plain.secret, sizeof secret);
    mlkem_decapsulate(&key, plain.spoiled, secret);
    assert_hidden_and_same(secret, plain.rejected, sizeof secret);
}

static void generate(const struct mlkem_set *set, const struct lattice_code *code)
{
    uint8_t seed[MLKEM_SEED_SIZE], private_key[MLKEM_PRIVATE_MAX];
    const size_t secret_size = set->k * (size_t)384;
    memcpy(seed, plain.seed, sizeof seed);
    hide(seed, sizeof seed);
    mlkem_init(&key, set, code);
    mlkem_generate(&key, seed);
    assert_memory_equal(key.public_key, plain.key.public_key, set->public_size);
    decapsulate(set);
    mlkem_write_private(&key, private_key);
    assert_true(hidden(private_key, secret_size));
    assert_hidden_and_same(key.seed, plain.seed, sizeof key.seed);
    show(private_key, set->private_size);
    assert_memory_equal(private_key, plain.private_key, set->private_size);
    mlkem_clear(&key);
}

/* dk_PKE, then ek and its hash, which are public, then z. */
static void read_private(const struct mlkem_set *set, const struct lattice_code *code)
{
    uint8_t private_key[MLKEM_PRIVATE_MAX];
    memcpy(private_key, plain.private_key, set->private_size);
    hide(private_key, set->k * (size_t)384);
    hide(private_key + set->private_size - 32, 32);
    mlkem_init(&key, set, code);
    assert_true(mlkem_read_private(&key, private_key, set->private_size));
    decapsulate(set);
    mlkem_clear(&key);
}

static void encapsulate(const struct mlkem_set *set, const struct lattice_code *code)
{
    uint8_t message[MLKEM_MESSAGE_SIZE], ciphertext[MLKEM_CIPHERTEXT_MAX], secret[MLKEM_SECRET_SIZE];
    memcpy(message, plain.message, sizeof message);
    hide(message, sizeof message);
    mlkem_init(&key, set, code);
    assert_true(mlkem_read_public(&key, plain.key.public_key, set->public_size));
    mlkem_encapsulate(&key, message, ciphertext, secret);
    assert_hidden_and_same(ciphertext, plain.ciphertext, set->ciphertext_size);
    assert_hidden_and_same(secret, plain.secret, sizeof secret);
    mlkem_clear(&key);
}

/* ---- ML-DSA ---- */

static const struct mldsa_set *const signing_sets[] = {&mldsa_44, &mldsa_65, &mldsa_87};

/* What one path and set give without marks: the attempts that are given up differ from message to message,
 * and several of them see every way to be. */
#define MESSAGES 4

static struct mldsa_key plain_signer, signer;

struct signed_plainly {
    uint8_t seed[MLDSA_SEED_SIZE], random[MLDSA_RANDOM_SIZE], private_key[MLDSA_PRIVATE_MAX];
    uint8_t mu[MESSAGES][MLDSA_MU_SIZE], signature[MESSAGES][MLDSA_SIGNATURE_MAX];
};

static struct signed_plainly signed_plainly;

static void sign_plainly(const struct mldsa_set *set, const struct lattice_code *code)
{
    struct signed_plainly *s = &signed_plainly;
    memset(s->seed, (int)(0x30 + set->k), sizeof s->seed);
    memset(s->random, 0x77, sizeof s->random);
    mldsa_init(&plain_signer, set, code);
    mldsa_generate(&plain_signer, s->seed);
    mldsa_write_private(&plain_signer, s->private_key);
    for (unsigned i = 0; i < MESSAGES; i++) {
        memset(s->mu[i], (int)i + 1, sizeof s->mu[i]);
        assert_true(mldsa_sign(&plain_signer, s->mu[i], s->random, s->signature[i]));
    }
}

/* The private half is marked by now; what is signed, and rnd, may be secret too. */
static void sign_marked(const struct mldsa_set *set)
{
    const struct signed_plainly *s = &signed_plainly;
    uint8_t signature[MLDSA_SIGNATURE_MAX], random[MLDSA_RANDOM_SIZE], mu[MLDSA_MU_SIZE];
    assert_true(hidden(signer.s1, set->l * sizeof signer.s1[0]));
    assert_true(hidden(signer.s2, set->k * sizeof signer.s2[0]));
    assert_true(hidden(signer.t0, set->k * sizeof signer.t0[0]));
    assert_true(hidden(signer.sign_seed, sizeof signer.sign_seed));
    for (unsigned i = 0; i < MESSAGES; i++) {
        memcpy(random, s->random, sizeof random);
        memcpy(mu, s->mu[i], sizeof mu);
        hide(random, sizeof random);
        hide(mu, sizeof mu);
        assert_true(mldsa_sign(&signer, mu, random, signature));
        assert_memory_equal(signature, s->signature[i], set->signature_size); /* is public */
    }
}

static void generate_signer(const struct mldsa_set *set, const struct lattice_code *code)
{
    const struct signed_plainly *s = &signed_plainly;
    uint8_t seed[MLDSA_SEED_SIZE], private_key[MLDSA_PRIVATE_MAX];
    memcpy(seed, s->seed, sizeof seed);
    hide(seed, sizeof seed);
    mldsa_init(&signer, set, code);
    mldsa_generate(&signer, seed);
    assert_memory_equal(signer.public_key, plain_signer.public_key, set->public_size);
    sign_marked(set);
    mldsa_write_private(&signer, private_key);
    assert_true(hidden(private_key + 128, set->private_size - 128));
    show(private_key, set->private_size);
    assert_memory_equal(private_key, s->private_key, set->private_size);
    assert_hidden_and_same(signer.seed, s->seed, sizeof signer.seed);
    mldsa_clear(&signer);
}

/* rho and tr are public, between them is K, then s1, s2 and t0. */
static void read_signer(const struct mldsa_set *set, const struct lattice_code *code)
{
    uint8_t private_key[MLDSA_PRIVATE_MAX];
    memcpy(private_key, signed_plainly.private_key, set->private_size);
    hide(private_key + 32, 32);
    hide(private_key + 128, set->private_size - 128);
    mldsa_init(&signer, set, code);
    assert_true(mldsa_read_private(&signer, private_key, set->private_size));
    sign_marked(set);
    mldsa_clear(&signer);
}

static void test_signing_depends_on_no_secret(void **state)
{
    (void)state;
    const struct lattice_code *code;
    for (size_t path = 0; (code = lattice_code(path)) != NULL; path++)
        for (size_t i = 0; i < sizeof signing_sets / sizeof signing_sets[0]; i++) {
            sign_plainly(signing_sets[i], code);
            generate_signer(signing_sets[i], code);
            read_signer(signing_sets[i], code);
        }
}

/* ---- ML-KEM ---- */

static void test_nothing_depends_on_secrets(void **state)
{
    (void)state;
    const struct lattice_code *code;
    for (size_t path = 0; (code = lattice_code(path)) != NULL; path++) {
        printf("%s\n", code->name);
        for (size_t i = 0; i < SETS; i++) {
            work_out(sets[i], code);
            generate(sets[i], code);
            read_private(sets[i], code);
            encapsulate(sets[i], code);
        }
    }
}

/* ---- that it can fail ---- */

static volatile unsigned taken; /* so that no compiler makes the branch go away */

static __attribute__((noinline)) void branch(const uint8_t *p)
{
    if (*p > 0x20)
        taken++;
}

static __attribute__((noinline)) void look_up(const uint8_t *p)
{
    static const volatile uint8_t table[256] = {1};
    taken += table[*p];
}

static void test_branch_and_address_are_told(void **state)
{
    (void)state;
    uint8_t secret = 0x21;
    void (*const leaks[])(const uint8_t *) = {branch, look_up};
    for (size_t i = 0; i < sizeof leaks / sizeof leaks[0]; i++) {
        show(&secret, sizeof secret);
        leaks[i](&secret);
        unsigned before = VALGRIND_COUNT_ERRORS;
        hide(&secret, sizeof secret);
        leaks[i](&secret);
        assert_true(VALGRIND_COUNT_ERRORS > before);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest quiet[] = {
        cmocka_unit_test(test_nothing_depends_on_secrets),
        cmocka_unit_test(test_signing_depends_on_no_secret),
    };
    const struct CMUnitTest told[] = {
        cmocka_unit_test(test_branch_and_address_are_told),
    };
    if (!RUNNING_ON_VALGRIND) {
        printf("only valgrind sees what depends on a secret: valgrind --error-exitcode=1 %s\n", argv[0]);
        return SKIPPED;
    }
    if (argc > 1 && strcmp(argv[1], "told") == 0)
        return cmocka_run_group_tests(told, NULL, NULL);
    if (strcmp(lattice_code(0)->name, "avx512") != 0)
        printf("skipped: avx512, which valgrind or this processor does not have\n");
    return cmocka_run_group_tests(quiet, NULL, NULL);
}
