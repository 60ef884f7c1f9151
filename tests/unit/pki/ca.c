/* Loading an authority: what does not fit together is refused; several threads issue with one. */
#include "fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static void refuse(const char *cert, const char *key, int code, const char *part)
{
    struct err e = {0};
    struct pki_ca *ca = NULL;
    assert_int_equal(pki_ca_load(cert, key, &ca, &e), code);
    assert_null(ca);
    if (strstr(e.text, part) == NULL)
        fail_msg("\"%s\" does not hold \"%s\"", e.text, part);
}

static void what_does_not_fit_is_refused(void **state)
{
    struct fixture *fx = *state;
    auto_ca struct pki_ca *one = fx_root(fx, "one", "mldsa44", 10), *two = fx_root(fx, "two", "mldsa44", 10);
    fx_leaf(fx, one, "leaf", "mldsa44", PKI_CLIENT);
    assert_string_not_equal(pki_ca_key_id(one), pki_ca_key_id(two));
    refuse("one.pem", "two.key", ERR_MISMATCH, "two.key is not that of the certificate one.pem");
    refuse("leaf.pem", "leaf.key", ERR_INVALID, "for no authority");
    refuse("none.pem", "one.key", ERR_NOT_FOUND, "none.pem");
    refuse("one.pem", "none.key", ERR_NOT_FOUND, "none.key");
    refuse("one.key", "one.key", ERR_INVALID, "no certificate");
    assert_int_equal(fx_run(fx, "openssl req -x509 -key one.key -out signer.pem -subj /CN=s -days 10 "
                                "-addext keyUsage=critical,digitalSignature"),
                     0);
    refuse("signer.pem", "one.key", ERR_INVALID, "key usage");
}

static void references_are_counted(void **state)
{
    struct pki_ca *ca = fx_root(*state, "counted", "mldsa44", 10);
    char id[SHA256_HEX_SIZE];
    snprintf(id, sizeof id, "%s", pki_ca_key_id(ca));
    struct pki_ca *second = pki_ca_ref(ca);
    pki_ca_free(ca);
    assert_string_equal(pki_ca_key_id(second), id);
    pki_ca_free(second);
    pki_ca_free(NULL);
}

enum { THREADS = 4, EACH = 16 };

struct worker {
    struct pki_ca *ca;
    struct pki_cert certs[EACH];
    int failed;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    for (int i = 0; i < EACH; i++) {
        auto_arena struct arena a;
        arena_init(&a, 1u << 20);
        struct err e = {0};
        struct str pem;
        EVP_PKEY *key = NULL;
        struct pki_issue what = {
            .purpose = PKI_CLIENT, .common_name = "gw", .not_before = NOW, .not_after = NOW + DAY};
        if (pki_key_generate("mldsa44", &key, &e) != 0 ||
            pki_issue_cert(w->ca, NULL, key, &what, &a, &pem, &w->certs[i], &e) != 0)
            w->failed++;
        pki_key_free(key);
    }
    pki_ca_free(w->ca);
    return NULL;
}

static void threads_share_an_authority(void **state)
{
    static struct worker workers[THREADS];
    pthread_t threads[THREADS];
    struct pki_ca *ca = fx_root(*state, "shared", "mldsa44", 10);
    for (int i = 0; i < THREADS; i++) {
        workers[i].ca = pki_ca_ref(ca);
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    pki_ca_free(ca); /* the threads' references keep it */
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(workers[i].failed, 0);
    for (int i = 0; i < THREADS * EACH; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(workers[i / EACH].certs[i % EACH].serial,
                                    workers[j / EACH].certs[j % EACH].serial);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(references_are_counted),
        cmocka_unit_test(threads_share_an_authority),
    };
    return cmocka_run_group_tests(tests, fx_setup, fx_teardown);
}
