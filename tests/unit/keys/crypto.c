/* Signatures that the real openssl made, checked by raw keys; and everything that is none. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#include "keys/keys.h"

#define MESSAGE "what is signed"

struct made { /* a key and its signature, as openssl has them */
    struct str key, sig;
};

static struct str tail(struct str s, size_t n)
{
    assert_true(s.n >= n);
    return (struct str){.p = s.p + s.n - n, .n = n};
}

/* A key of that kind (openssl genpkey's words) and its signature of MESSAGE; raw: bytes of a raw key, 0 for a
   SubjectPublicKeyInfo. */
static struct made make(struct fixture *fx, const char *kind, size_t raw, const char *sign_options)
{
    fx_write("msg", str_of(MESSAGE));
    assert_int_equal(fx_run(fx, "openssl genpkey -quiet %s -out k.pem", kind), 0);
    assert_int_equal(fx_run(fx, "openssl pkey -in k.pem -pubout -outform DER -out k.der"), 0);
    assert_int_equal(
        fx_run(fx, "openssl pkeyutl -sign -rawin -in msg -inkey k.pem -out sig %s", sign_options), 0);
    struct made m = {.key = fx_read(fx, "k.der"), .sig = fx_read(fx, "sig")};
    if (raw > 0)
        m.key = tail(m.key, raw);
    return m;
}

static int verify(enum trust_scheme scheme, struct str key, const char *msg, struct str sig)
{
    return keys_crypto.verify(keys_crypto.ctx, scheme, key.p, key.n, msg, strlen(msg), sig.p, sig.n);
}

static struct str flipped(struct fixture *fx, struct str s, size_t at)
{
    char *copy = arena_dup(&fx->arena, s.p, s.n);
    assert_non_null(copy);
    copy[at] = (char)(copy[at] ^ 0x10);
    return (struct str){.p = copy, .n = s.n};
}

#define PSS                                                                                                  \
    "-digest sha256 -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_mgf1_md:sha256 -pkeyopt rsa_pss_saltlen:"

static const struct {
    enum trust_scheme scheme;
    const char *kind;
    size_t raw;
    const char *options;
} kinds[] = {
    {TRUST_ML_DSA_44, "-algorithm ML-DSA-44", 1312, ""},
    {TRUST_ML_DSA_65, "-algorithm ML-DSA-65", 1952, ""},
    {TRUST_ML_DSA_87, "-algorithm ML-DSA-87", 2592, ""},
    {TRUST_ED25519, "-algorithm ED25519", 32, ""},
    {TRUST_ECDSA_P256, "-algorithm EC -pkeyopt ec_paramgen_curve:P-256", 0, "-digest sha256"},
    {TRUST_RSA_PSS, "-algorithm RSA -pkeyopt rsa_keygen_bits:2048", 0, PSS "32"},
    {TRUST_RSA_PSS, "-algorithm RSA -pkeyopt rsa_keygen_bits:2048", 0, PSS "0"},
    {TRUST_RSA_PSS, "-algorithm RSA -pkeyopt rsa_keygen_bits:2048", 0, PSS "max"},
    {TRUST_RSA_PKCS1, "-algorithm RSA -pkeyopt rsa_keygen_bits:2048", 0, "-digest sha256"},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static void openssls_signatures(void **state)
{
    struct fixture *fx = *state;
    for (size_t i = 0; i < KINDS; i++) {
        enum trust_scheme s = kinds[i].scheme;
        struct made m = make(fx, kinds[i].kind, kinds[i].raw, kinds[i].options);
        assert_int_equal(verify(s, m.key, MESSAGE, m.sig), 0);
        assert_int_equal(verify(s, m.key, "what is not", m.sig), ERR_MISMATCH);
        for (size_t at = 0; at < m.sig.n; at += 97)
            assert_int_equal(verify(s, m.key, MESSAGE, flipped(fx, m.sig, at)), ERR_MISMATCH);
        assert_int_equal(verify(s, flipped(fx, m.key, m.key.n - 9), MESSAGE, m.sig), ERR_MISMATCH);
        assert_int_equal(verify(s, m.key, MESSAGE, (struct str){.p = m.sig.p, .n = m.sig.n - 1}),
                         ERR_MISMATCH);
        assert_int_equal(verify(s, m.key, MESSAGE, (struct str){.p = m.sig.p, .n = 0}), ERR_MISMATCH);
        assert_int_equal(verify(s, (struct str){.p = m.key.p, .n = m.key.n - 1}, MESSAGE, m.sig),
                         ERR_MISMATCH);
        assert_int_equal(verify(s, (struct str){.p = m.key.p, .n = 0}, MESSAGE, m.sig), ERR_MISMATCH);
        /* As any other scheme: never a fall-back. */
        for (size_t k = 0; k < KINDS; k++)
            if (kinds[k].scheme != s)
                assert_int_equal(verify(kinds[k].scheme, m.key, MESSAGE, m.sig), ERR_MISMATCH);
    }
}

/* TAP 21: the empty context. A signature for another purpose is none. */
static void context_is_empty(void **state)
{
    struct made m = make(*state, "-algorithm ML-DSA-65", 1952, "-pkeyopt context-string:pqota");
    assert_int_equal(verify(TRUST_ML_DSA_65, m.key, MESSAGE, m.sig), ERR_MISMATCH);
}

static void keys_of_the_wrong_size(void **state)
{
    struct fixture *fx = *state;
    struct made m = make(fx, "-algorithm RSA -pkeyopt rsa_keygen_bits:1024", 0, PSS "32");
    assert_int_equal(verify(TRUST_RSA_PSS, m.key, MESSAGE, m.sig), ERR_MISMATCH);
    m = make(fx, "-algorithm EC -pkeyopt ec_paramgen_curve:P-384", 0, "-digest sha256");
    assert_int_equal(verify(TRUST_ECDSA_P256, m.key, MESSAGE, m.sig), ERR_MISMATCH);
    m = make(fx, "-algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit", 0,
             "-digest sha256");
    assert_int_equal(verify(TRUST_ECDSA_P256, m.key, MESSAGE, m.sig), ERR_MISMATCH);
}

static void nothing_after_the_key(void **state)
{
    struct fixture *fx = *state;
    struct made m = make(fx, "-algorithm EC -pkeyopt ec_paramgen_curve:P-256", 0, "-digest sha256");
    struct str longer = {.p = arena_printf(&fx->arena, "%200s", ""), .n = m.key.n + 1};
    assert_true(m.key.n < 200);
    memcpy((char *)(uintptr_t)longer.p, m.key.p, m.key.n);
    assert_int_equal(verify(TRUST_ECDSA_P256, m.key, MESSAGE, m.sig), 0);
    assert_int_equal(verify(TRUST_ECDSA_P256, longer, MESSAGE, m.sig), ERR_MISMATCH);
}

/* Another digest, or another mask, than the scheme's name says. */
static void pss_of_other_hashes(void **state)
{
    struct fixture *fx = *state;
    static const char *const options[] = {
        "-digest sha512 -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_mgf1_md:sha512 -pkeyopt "
        "rsa_pss_saltlen:32",
        "-digest sha256 -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_mgf1_md:sha512 -pkeyopt "
        "rsa_pss_saltlen:32",
    };
    for (size_t i = 0; i < 2; i++) {
        struct made m = make(fx, "-algorithm RSA -pkeyopt rsa_keygen_bits:2048", 0, options[i]);
        assert_int_equal(verify(TRUST_RSA_PSS, m.key, MESSAGE, m.sig), ERR_MISMATCH);
    }
}

static void hashes(void **state)
{
    (void)state;
    unsigned char out[TRUST_SHA512_SIZE];
    char hex[2 * TRUST_SHA512_SIZE + 1];
    assert_int_equal(keys_crypto.hash(NULL, TRUST_SHA256, "abc", 3, out), 0);
    hex_encode(out, TRUST_SHA256_SIZE, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(keys_crypto.hash(NULL, TRUST_SHA512, "abc", 3, out), 0);
    hex_encode(out, 8, hex);
    assert_string_equal(hex, "ddaf35a193617aba");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openssls_signatures),    cmocka_unit_test(context_is_empty),
        cmocka_unit_test(keys_of_the_wrong_size), cmocka_unit_test(nothing_after_the_key),
        cmocka_unit_test(pss_of_other_hashes),    cmocka_unit_test(hashes),
    };
    return cmocka_run_group_tests(tests, fx_setup, fx_teardown);
}
