/* Key files: written, encrypted, read again by us and by openssl; wrong passphrases and what is no key. */
#include "fixture.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "keys/keys.h"

static const enum trust_scheme pair[] = {TRUST_ML_DSA_87, TRUST_ED25519};
static const char secret[] = "correct horse battery";

struct asking {
    const char *answer; /* NULL: nobody is there */
    int times;
    char what[128];
};

static int ask(void *ctx, const char *what, char *out, size_t size, struct err *e)
{
    struct asking *a = ctx;
    a->times++;
    snprintf(a->what, sizeof a->what, "%s", what);
    if (a->answer == NULL)
        return err_set(e, ERR_TIMEOUT, "nobody answered");
    snprintf(out, size, "%s", a->answer);
    return 0;
}

static struct sign_keys make(struct fixture *fx, const char *path, const char *passphrase)
{
    struct err e = {0};
    struct sign_keys keys = {.count = 0};
    assert_int_equal(keys_generate(pair, 2, &fx->arena, &keys, &e), 0);
    assert_int_equal(keys_save(&keys, path, passphrase, &e), 0);
    return keys;
}

static void assert_same(const struct sign_keys *a, const struct sign_keys *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_string_equal(a->key[i].keyid, b->key[i].keyid);
        assert_string_equal(a->key[i].public_text, b->key[i].public_text);
        assert_ptr_equal(a->key[i].scheme, b->key[i].scheme);
        assert_int_equal(EVP_PKEY_eq(a->key[i].pkey, b->key[i].pkey), 1);
    }
}

static void encrypted_with_scrypt(void **state)
{
    struct fixture *fx = *state;
    struct err e = {0};
    struct stat st;
    auto_keys struct sign_keys keys = make(fx, "one.key", secret), again = {.count = 0};
    assert_int_equal(stat("one.key", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(fx_run(fx, "grep -c 'BEGIN ENCRYPTED PRIVATE KEY' one.key"), 0);
    fx_expect(fx, "2");
    assert_int_equal(fx_run(fx, "openssl asn1parse -in one.key"), 0);
    fx_expect(fx, ":PBES2");
    fx_expect(fx, ":scrypt");
    fx_expect(fx, ":aes-256-cbc");
    assert_int_equal(fx_run(fx, "openssl pkey -in one.key -passin 'pass:%s' -noout -text", secret), 0);
    fx_expect(fx, "ML-DSA-87 Private-Key");
    assert_int_not_equal(fx_run(fx, "openssl pkey -in one.key -passin pass:wrong -noout"), 0);
    /* Both keys for one answer. */
    struct asking a = {.answer = secret};
    struct pki_passphrase p = {.ask = ask, .ctx = &a};
    assert_int_equal(keys_load("one.key", &p, &fx->arena, &again, &e), 0);
    assert_int_equal(a.times, 1);
    assert_string_equal(a.what, "one.key");
    assert_same(&keys, &again);
}

static void two_files_have_two_salts(void **state)
{
    struct fixture *fx = *state;
    auto_keys struct sign_keys keys = make(fx, "salt-1.key", secret);
    struct err e = {0};
    assert_int_equal(keys_save(&keys, "salt-2.key", secret, &e), 0);
    assert_int_equal(fx_run(fx, "cmp salt-1.key salt-2.key"), 1);
}

static void not_encrypted(void **state)
{
    struct fixture *fx = *state;
    struct err e = {0};
    struct stat st;
    auto_keys struct sign_keys keys = make(fx, "plain.key", NULL), again = {.count = 0};
    assert_int_equal(stat("plain.key", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(keys_load("plain.key", NULL, &fx->arena, &again, &e), 0);
    assert_same(&keys, &again);
}

static void wrong_and_missing_passphrases(void **state)
{
    struct fixture *fx = *state;
    struct err e = {0};
    auto_keys struct sign_keys keys = make(fx, "locked.key", secret), none = {.count = 0};
    struct asking a = {.answer = "wrong horse battery"};
    struct pki_passphrase p = {.ask = ask, .ctx = &a};
    assert_int_equal(keys_load("locked.key", &p, &fx->arena, &none, &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "the passphrase of locked.key is wrong"));
    assert_null(strstr(e.text, "horse"));
    a = (struct asking){.answer = ""};
    assert_int_equal(keys_load("locked.key", &p, &fx->arena, &none, &e), ERR_INVALID);
    a = (struct asking){.answer = NULL};
    assert_int_equal(keys_load("locked.key", &p, &fx->arena, &none, &e), ERR_TIMEOUT);
    assert_string_equal(e.text, "nobody answered");
    assert_int_equal(a.times, 1);
    assert_int_equal(keys_load("locked.key", NULL, &fx->arena, &none, &e), ERR_UNSUPPORTED);
    assert_int_equal(none.count, 0);
}

/* One of the two is under another passphrase: not half of a holder. */
static void half_of_it_readable(void **state)
{
    struct fixture *fx = *state;
    struct err e = {0};
    struct asking a = {.answer = secret};
    struct pki_passphrase p = {.ask = ask, .ctx = &a};
    auto_keys struct sign_keys one = make(fx, "half-1", secret), two = make(fx, "half-2", "something else"),
                               none = {.count = 0};
    assert_int_equal(fx_run(fx, "cat half-1 half-2 > half"), 0);
    assert_int_equal(keys_load("half", &p, &fx->arena, &none, &e), ERR_INVALID);
    assert_int_equal(none.count, 0);
}

/* While keys are changed the server has old and new ones in one file. */
static void files_may_be_put_together(void **state)
{
    struct fixture *fx = *state;
    struct err e = {0};
    auto_keys struct sign_keys one = make(fx, "old", NULL), two = make(fx, "new", NULL), both = {.count = 0};
    assert_int_equal(fx_run(fx, "cat old new > both"), 0);
    assert_int_equal(keys_load("both", NULL, &fx->arena, &both, &e), 0);
    assert_int_equal(both.count, 4);
    assert_string_equal(both.key[0].keyid, one.key[0].keyid);
    assert_string_equal(both.key[3].keyid, two.key[1].keyid);
    auto_keys struct sign_keys none = {.count = 0};
    assert_int_equal(fx_run(fx, "cat both both both > many"), 0);
    assert_int_equal(keys_load("many", NULL, &fx->arena, &none, &e), ERR_TOO_LARGE);
}

static void what_openssl_made(void **state)
{
    struct fixture *fx = *state;
    struct err e = {0};
    static const struct {
        const char *make, *scheme;
    } rows[] = {
        {"openssl genpkey -quiet -algorithm ML-DSA-65 -out o.key", "ml-dsa-65/1"},
        {"openssl genpkey -quiet -algorithm ED25519 -outform DER -out o.key", "ed25519"},
        {"openssl ecparam -name prime256v1 -genkey -noout -out o.key", "ecdsa-sha2-nistp256"},
        {"openssl genrsa -traditional -out o.key 3072", "rsassa-pss-sha256"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        auto_keys struct sign_keys keys = {.count = 0};
        assert_int_equal(fx_run(fx, "%s", rows[i].make), 0);
        assert_int_equal(keys_load("o.key", NULL, &fx->arena, &keys, &e), 0);
        assert_int_equal(keys.count, 1);
        assert_string_equal(keys.key[0].scheme->name, rows[i].scheme);
    }
}

static void what_cannot_sign(void **state)
{
    struct fixture *fx = *state;
    struct err e = {0};
    static const char *const rows[] = {
        "openssl genpkey -quiet -algorithm ED448 -out o.key",
        "openssl genpkey -quiet -algorithm X25519 -out o.key",
        "openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out o.key",
        "openssl genrsa -out o.key 1024",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        auto_keys struct sign_keys keys = {.count = 0};
        assert_int_equal(fx_run(fx, "%s", rows[i]), 0);
        assert_int_equal(keys_load("o.key", NULL, &fx->arena, &keys, &e), ERR_UNSUPPORTED);
        assert_non_null(strstr(e.text, "o.key"));
    }
    auto_keys struct sign_keys keys = {.count = 0};
    assert_int_equal(keys_load("there-is-none.key", NULL, &fx->arena, &keys, &e), ERR_NOT_FOUND);
    fx_write("o.key", STR("hello"));
    assert_int_equal(keys_load("o.key", NULL, &fx->arena, &keys, &e), ERR_INVALID);
}

static void never_overwritten(void **state)
{
    struct fixture *fx = *state;
    struct err e = {0};
    auto_keys struct sign_keys keys = make(fx, "kept.key", NULL), other = {.count = 0};
    assert_int_equal(keys_generate(pair, 2, &fx->arena, &other, &e), 0);
    assert_int_equal(keys_save(&other, "kept.key", NULL, &e), ERR_CONFLICT);
    auto_keys struct sign_keys again = {.count = 0};
    assert_int_equal(keys_load("kept.key", NULL, &fx->arena, &again, &e), 0);
    assert_same(&keys, &again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encrypted_with_scrypt), cmocka_unit_test(two_files_have_two_salts),
        cmocka_unit_test(not_encrypted),         cmocka_unit_test(wrong_and_missing_passphrases),
        cmocka_unit_test(half_of_it_readable),   cmocka_unit_test(files_may_be_put_together),
        cmocka_unit_test(what_openssl_made),     cmocka_unit_test(what_cannot_sign),
        cmocka_unit_test(never_overwritten),
    };
    return cmocka_run_group_tests(tests, fx_setup, fx_teardown);
}
