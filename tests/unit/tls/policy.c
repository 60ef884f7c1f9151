#include "tls/policy.h"

#include "tls_test.h"

static void resolves_to(const char *policy, const char *kem, const char *sig, const char *groups,
                        const char *sigalgs)
{
    struct tls_algs a;
    struct err e = {0};
    if (tls_algs_resolve(policy, kem, sig, &a, &e) != 0)
        fail_msg("%s", e.text);
    assert_string_equal(a.groups, groups);
    assert_string_equal(a.sigalgs, sigalgs);
}

static void policies_are_what_they_promise(void **state)
{
    (void)state;
    resolves_to(NULL, NULL, NULL,
                "X25519MLKEM768:SecP256r1MLKEM768:MLKEM768:SecP384r1MLKEM1024:MLKEM1024:MLKEM512", "mldsa65");
    resolves_to("Balanced", NULL, NULL,
                "X25519MLKEM768:SecP256r1MLKEM768:MLKEM768:SecP384r1MLKEM1024:MLKEM1024:MLKEM512", "mldsa65");
    resolves_to("cnsa2", NULL, NULL, "MLKEM1024", "mldsa87");
    resolves_to("constrained", NULL, NULL, "MLKEM512:MLKEM768", "mldsa44");
    struct tls_algs a;
    assert_int_equal(tls_algs_resolve("cnsa2", NULL, NULL, &a, NULL), 0);
    assert_string_equal(a.policy->ciphersuites, "TLS_AES_256_GCM_SHA384");
}

static void names_are_read_in_any_case_and_dialect(void **state)
{
    (void)state;
    static const char *const kems[][2] = {
        {"mlkem512", "MLKEM512"},
        {"MLKEM768", "MLKEM768"},
        {"ML-KEM-768", "MLKEM768"},
        {"ml_kem_1024", "MLKEM1024"},
        {"X25519MLKEM768", "X25519MLKEM768"},
        {"SecP256r1MLKEM768", "SecP256r1MLKEM768"},
        {"secp384r1mlkem1024", "SecP384r1MLKEM1024"},
        {" mlkem768 , x25519mlkem768,MLKEM768 ", "MLKEM768:X25519MLKEM768"},
    };
    for (size_t i = 0; i < sizeof kems / sizeof kems[0]; i++)
        resolves_to(NULL, kems[i][0], NULL, kems[i][1], "mldsa65");
    static const char *const sigs[][2] = {
        {"mldsa44", "mldsa44"},
        {"ML-DSA-65", "mldsa65"},
        {"Dilithium2", "mldsa44"},
        {"dilithium3", "mldsa65"},
        {"DILITHIUM5", "mldsa87"},
        {"mldsa87,dilithium3", "mldsa87:mldsa65"},
        {"mldsa65,dilithium3", "mldsa65"},
    };
    for (size_t i = 0; i < sizeof sigs / sizeof sigs[0]; i++)
        resolves_to(NULL, "mlkem768", sigs[i][0], "MLKEM768", sigs[i][1]);
}

static void refuses(const char *policy, const char *kem, const char *sig, const char *text)
{
    struct tls_algs a = {.least_strength = 77};
    struct err e = {0};
    assert_int_equal(tls_algs_resolve(policy, kem, sig, &a, &e), ERR_INVALID);
    assert_says(e.text, text);
    assert_int_equal(a.least_strength, 77);
}

static void unknown_names_are_named(void **state)
{
    (void)state;
    refuses("strong", NULL, NULL, "\"strong\" is not a policy");
    refuses(NULL, "x25519", NULL, "\"x25519\" is not a key exchange");
    refuses(NULL, "mlkem768,kyber768", NULL, "\"kyber768\" is not a key exchange");
    refuses(NULL, "mlkem768,", NULL, "empty");
    refuses(NULL, "mlkem7680", NULL, "mlkem512, mlkem768");
    refuses(NULL, "-", NULL, "\"-\" is not a key exchange");
    refuses(NULL, "", NULL, "empty");
    refuses(NULL, NULL, "rsa", "\"rsa\" is not a signature");
    refuses(NULL, NULL, "ecdsa_secp256r1_sha256", "not a signature");
    refuses(NULL, NULL, "", "empty");
    refuses(NULL, "ml\nkem", NULL, "odd characters");
}

static void keys_fit_their_policy(void **state)
{
    (void)state;
    static const struct {
        const char *policy, *sig, *key;
    } rows[] = {
        {NULL, NULL, "mldsa65"},
        {"balanced", NULL, "mldsa65"},
        {"cnsa2", NULL, "mldsa87"},
        {"constrained", NULL, "mldsa44"},
        {"balanced", "mldsa87", "mldsa87"},
        {"balanced", "dilithium2,mldsa65", "mldsa44"},
    };
    struct err e = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char key[TLS_KEY_NAME_MAX];
        assert_int_equal(tls_policy_key(rows[i].policy, rows[i].sig, key, &e), 0);
        assert_string_equal(key, rows[i].key);
    }
    char untouched[TLS_KEY_NAME_MAX] = "as it was";
    assert_int_equal(tls_policy_key("none such", NULL, untouched, &e), ERR_INVALID);
    assert_string_equal(untouched, "as it was");
}

static void only_the_insecure_policy_is_classical(void **state)
{
    (void)state;
    resolves_to("insecure_classical", NULL, NULL, "X25519MLKEM768:X25519:secp256r1:secp384r1",
                "ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384");
    assert_true(tls_policy_is_post_quantum("balanced"));
    assert_true(tls_policy_is_post_quantum("CNSA2"));
    assert_false(tls_policy_is_post_quantum("insecure_classical"));
    assert_false(tls_policy_is_post_quantum("browser"));
    assert_false(tls_policy_is_post_quantum("mlkem768"));
    assert_false(tls_policy_is_post_quantum(NULL));
}

static void a_chain_may_be_stronger_but_not_weaker(void **state)
{
    (void)state;
    fixture_start();
    struct ident *ca44 =
        fixture_make("ca44", NULL, &(struct cert_spec){.alg = "ML-DSA-44", .cn = "44", .ca = true});
    struct ident *ca87 =
        fixture_make("ca87", NULL, &(struct cert_spec){.alg = "ML-DSA-87", .cn = "87", .ca = true});
    struct ident *ec = fixture_make("ec", NULL, &(struct cert_spec){.alg = "P-256", .cn = "ec", .ca = true});
    struct tls_algs a;
    assert_int_equal(tls_algs_resolve(NULL, NULL, "mldsa65", &a, NULL), 0);
    assert_false(tls_algs_allow_signature(&a, ca44->cert));
    assert_true(tls_algs_allow_signature(&a, server_ca->cert));
    assert_true(tls_algs_allow_signature(&a, ca87->cert));
    assert_false(tls_algs_allow_signature(&a, ec->cert));
    assert_false(tls_algs_allow_key(&a, ca44->key));
    assert_true(tls_algs_allow_key(&a, server_ca->key));
    assert_false(tls_algs_allow_key(&a, ca87->key));
    assert_string_equal(tls_key_signature_name(ec->key), "ecdsa_secp256r1_sha256");
    assert_string_equal(tls_cert_signature_name(ca44->cert), "mldsa44");
    assert_int_equal(tls_algs_resolve("insecure_classical", NULL, NULL, &a, NULL), 0);
    assert_true(tls_algs_allow_key(&a, ec->key));
    assert_true(tls_algs_allow_signature(&a, ec->cert));
    fixture_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies_are_what_they_promise),
        cmocka_unit_test(names_are_read_in_any_case_and_dialect),
        cmocka_unit_test(unknown_names_are_named),
        cmocka_unit_test(keys_fit_their_policy),
        cmocka_unit_test(only_the_insecure_policy_is_classical),
        cmocka_unit_test(a_chain_may_be_stronger_but_not_weaker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
