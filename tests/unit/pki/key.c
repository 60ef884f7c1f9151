/* Keys: every kind made, saved, read back by us and by openssl; what is no key says what it is. */
#include "fixture.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void made_keys_are_read_by_openssl(void **state)
{
    static const struct {
        const char *algorithm, *text;
    } kinds[] = {{"mldsa44", "ML-DSA-44 Private-Key"},
                 {"mldsa65", "ML-DSA-65 Private-Key"},
                 {"mldsa87", "ML-DSA-87 Private-Key"},
                 {"p256", "prime256v1"}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct err e = {0};
        char path[64];
        snprintf(path, sizeof path, "%s.key", kinds[i].algorithm);
        auto_key EVP_PKEY *key = fx_key(kinds[i].algorithm), *again = NULL;
        assert_string_equal(pki_key_algorithm(key), kinds[i].algorithm);
        assert_int_equal(pki_key_save(key, path, &e), 0);
        assert_int_equal(fx_run(*state, "openssl pkey -in %s -noout -text", path), 0);
        fx_expect(*state, kinds[i].text);
        assert_int_equal(pki_key_load(path, &again, &e), 0);
        assert_int_equal(EVP_PKEY_eq(key, again), 1);
    }
}

static void saved_key_is_private_and_never_overwritten(void **state)
{
    (void)state;
    struct err e = {0};
    struct stat st;
    auto_key EVP_PKEY *key = fx_key("mldsa44"), *other = fx_key("mldsa44"), *there = NULL;
    assert_int_equal(pki_key_save(key, "once.key", &e), 0);
    assert_int_equal(stat("once.key", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(pki_key_save(other, "once.key", &e), ERR_CONFLICT);
    assert_non_null(strstr(e.text, "once.key"));
    assert_int_equal(pki_key_load("once.key", &there, &e), 0);
    assert_int_equal(EVP_PKEY_eq(key, there), 1);
}

static void unknown_algorithm(void **state)
{
    (void)state;
    struct err e = {0};
    EVP_PKEY *key = NULL;
    assert_int_equal(pki_key_generate("rsa", &key, &e), ERR_UNSUPPORTED);
    assert_null(key);
    assert_non_null(strstr(e.text, "\"rsa\""));
    assert_non_null(strstr(e.text, "mldsa65"));
}

/* OSSL_STORE alone would take the ones with a colon for URIs. */
static void odd_file_names(void **state)
{
    static const char *const names[] = {"with space.key", "a:b.key",      "file:x",
                                        "pkcs11:token=x", "per%20cent",   "-dash",
                                        "q?x=1#y",        "\xc3\xa4.key", "pkcs11://x"};
    (void)state;
    struct err e = {0};
    auto_key EVP_PKEY *key = fx_key("mldsa44");
    assert_int_equal(mkdir("pkcs11:", 0700), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        auto_key EVP_PKEY *again = NULL;
        assert_int_equal(pki_key_save(key, names[i], &e), 0);
        if (pki_key_load(names[i], &again, &e) != 0)
            fail_msg("%s", e.text);
        assert_int_equal(EVP_PKEY_eq(key, again), 1);
    }
}

static void a_uri_goes_to_ossl_store(void **state)
{
    struct fixture *fx = *state;
    struct err e = {0};
    char uri[128];
    auto_key EVP_PKEY *key = fx_key("mldsa65"), *again = NULL;
    assert_int_equal(pki_key_save(key, "uri.key", &e), 0);
    snprintf(uri, sizeof uri, "file:%s/uri.key", fx->dir);
    if (pki_key_load(uri, &again, &e) != 0)
        fail_msg("%s", e.text);
    assert_int_equal(EVP_PKEY_eq(key, again), 1);
    assert_int_equal(pki_key_load("nosuchscheme:object=key", &again, &e), ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "nosuchscheme:object=key"));
}

static void der_and_a_key_after_a_certificate(void **state)
{
    struct err e = {0};
    auto_ca struct pki_ca *ca = fx_root(*state, "both", "mldsa44", 10);
    auto_key EVP_PKEY *pem = NULL, *der = NULL, *after = NULL;
    assert_int_equal(fx_run(*state, "openssl pkey -in both.key -outform DER -out both.der && "
                                    "cat both.pem both.key > bundle"),
                     0);
    assert_int_equal(pki_key_load("both.key", &pem, &e), 0);
    assert_int_equal(pki_key_load("both.der", &der, &e), 0);
    assert_int_equal(pki_key_load("bundle", &after, &e), 0);
    assert_int_equal(EVP_PKEY_eq(pem, der), 1);
    assert_int_equal(EVP_PKEY_eq(pem, after), 1);
}

static void refuse(const char *path, int code, const char *part)
{
    struct err e = {0};
    EVP_PKEY *key = NULL;
    assert_int_equal(pki_key_load(path, &key, &e), code);
    assert_null(key);
    if (strstr(e.text, path) == NULL || strstr(e.text, part) == NULL)
        fail_msg("\"%s\" does not name %s and \"%s\"", e.text, path, part);
}

static void what_is_no_key_says_what_it_is(void **state)
{
    auto_ca struct pki_ca *ca = fx_root(*state, "wrong", "mldsa44", 10);
    assert_int_equal(fx_run(*state, "openssl pkey -in wrong.key -pubout -out public.pem && "
                                    "openssl pkcs8 -topk8 -in wrong.key -passout pass:x -out locked.key && "
                                    "head -c 2000 wrong.key > cut.key && mkdir folder"),
                     0);
    fx_write("garbage", STR("not a key at all\n"));
    fx_write("empty", STR(""));
    refuse("wrong.pem", ERR_INVALID, "holds a certificate and no private key");
    refuse("public.pem", ERR_INVALID, "holds a public key and no private key");
    refuse("locked.key", ERR_UNSUPPORTED, "passphrase");
    refuse("cut.key", ERR_INVALID, "no private key");
    refuse("garbage", ERR_INVALID, "no private key");
    refuse("empty", ERR_INVALID, "no private key");
    refuse("folder", ERR_INVALID, "not a regular file");
    refuse("missing.key", ERR_NOT_FOUND, "No such file");
    assert_int_equal(fx_run(*state, "head -c 70000 /dev/zero > huge"), 0);
    refuse("huge", ERR_TOO_LARGE, "larger");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_keys_are_read_by_openssl),
        cmocka_unit_test(saved_key_is_private_and_never_overwritten),
        cmocka_unit_test(unknown_algorithm),
        cmocka_unit_test(odd_file_names),
        cmocka_unit_test(a_uri_goes_to_ossl_store),
        cmocka_unit_test(der_and_a_key_after_a_certificate),
        cmocka_unit_test(what_is_no_key_says_what_it_is),
    };
    return cmocka_run_group_tests(tests, fx_setup, fx_teardown);
}
