/* What we sign, the real openssl and our own verification take. */
#include "fixture.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "keys/keys.h"

static const enum trust_scheme schemes[] = {TRUST_ML_DSA_44, TRUST_ML_DSA_65,  TRUST_ML_DSA_87,
                                            TRUST_ED25519,   TRUST_ECDSA_P256, TRUST_RSA_PSS};
#define SCHEMES (sizeof schemes / sizeof schemes[0])

static const char body[] = "{\"_type\":\"targets\"}";

static const char *openssl_options(enum trust_scheme s)
{
    if (s == TRUST_RSA_PSS)
        return "-digest sha256 -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:32";
    return s == TRUST_ECDSA_P256 ? "-digest sha256" : "";
}

/* The public key's PEM, and its raw bytes as metadata readers have them. */
static size_t decode(struct fixture *fx, const struct sign_key *k, unsigned char out[TRUST_SPKI_MAX])
{
    struct err e = {0};
    size_t n;
    assert_int_equal(trust_key_decode(k->scheme, str_of(k->public_text), out, &n, &e), 0);
    if (k->scheme->scheme != TRUST_ED25519) {
        fx_write("pub.pem", str_of(k->public_text));
        return n;
    }
    /* RFC 8410: the head of a SubjectPublicKeyInfo. */
    unsigned char der[44] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
    memcpy(der + 12, out, 32);
    fx_write("pub.der", (struct str){.p = (const char *)der, .n = sizeof der});
    assert_int_equal(fx_run(fx, "openssl pkey -pubin -inform DER -in pub.der -pubout -out pub.pem"), 0);
    return n;
}

static void check(struct fixture *fx, const struct sign_key *k, struct str message, struct str sig)
{
    unsigned char key[TRUST_SPKI_MAX];
    size_t n = decode(fx, k, key);
    assert_int_equal(keys_crypto.verify(NULL, k->scheme->scheme, key, n, message.p, message.n, sig.p, sig.n),
                     0);
    if (k->scheme->sig_exact > 0)
        assert_int_equal(sig.n, k->scheme->sig_exact);
    fx_write("msg", message);
    fx_write("sig", sig);
    assert_int_equal(fx_run(fx,
                            "openssl pkeyutl -verify -rawin -pubin -inkey pub.pem -in msg -sigfile sig %s",
                            openssl_options(k->scheme->scheme)),
                     0);
}

static void every_scheme(void **state)
{
    struct fixture *fx = *state;
    struct err e = {0};
    auto_keys struct sign_keys keys = {.count = 0};
    assert_int_equal(keys_generate(schemes, SCHEMES, &fx->arena, &keys, &e), 0);
    assert_int_equal(keys.count, SCHEMES);
    for (size_t i = 0; i < keys.count; i++) {
        struct str sig;
        assert_ptr_equal(keys.key[i].scheme, trust_scheme_row(schemes[i]));
        assert_int_equal(strlen(keys.key[i].keyid), 64);
        assert_int_equal(keys_sign_raw(&keys.key[i], str_of(body), &fx->arena, &sig, &e), 0);
        check(fx, &keys.key[i], str_of(body), sig);
    }
}

/* TAP 21: "tuf" || 0x01 || SHA-512 for ML-DSA; the bytes themselves for the others. */
static void metadata_rule(void **state)
{
    struct fixture *fx = *state;
    struct err e = {0};
    auto_keys struct sign_keys keys = {.count = 0};
    unsigned char tbs[68] = {'t', 'u', 'f', 1};
    SHA512((const unsigned char *)body, strlen(body), tbs + 4);
    assert_int_equal(keys_generate(schemes, SCHEMES, &fx->arena, &keys, &e), 0);
    for (size_t i = 0; i < keys.count; i++) {
        struct str sig,
            message = keys.key[i].scheme->hashed ? (struct str){(const char *)tbs, sizeof tbs} : str_of(body);
        assert_int_equal(keys.key[i].scheme->hashed, i < 3);
        assert_int_equal(keys_sign(&keys.key[i], str_of(body), &fx->arena, &sig, &e), 0);
        check(fx, &keys.key[i], message, sig);
        assert_true(keys_signed(&keys.key[i], str_of(body), sig));
        assert_false(keys_signed(&keys.key[i], STR("{}"), sig));
        assert_false(keys_signed(&keys.key[(i + 1) % keys.count], str_of(body), sig));
    }
}

static void no_room_for_the_signature(void **state)
{
    struct fixture *fx = *state;
    struct err e = {0};
    struct arena small;
    struct str sig = {.p = "untouched", .n = 9};
    auto_keys struct sign_keys keys = {.count = 0};
    const enum trust_scheme one = TRUST_ED25519;
    assert_int_equal(keys_generate(&one, 1, &fx->arena, &keys, &e), 0);
    arena_init(&small, 64);
    assert_int_equal(keys_sign(&keys.key[0], str_of(body), &small, &sig, &e), ERR_NOMEM);
    assert_string_equal(sig.p, "untouched");
    arena_fini(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scheme),
        cmocka_unit_test(metadata_rule),
        cmocka_unit_test(no_room_for_the_signature),
    };
    return cmocka_run_group_tests(tests, fx_setup, fx_teardown);
}
