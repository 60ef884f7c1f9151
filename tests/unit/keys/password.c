/* argon2id: what we make we know again, what others make too, and a stored string cannot make us work hard.
   */
#include "fixture.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "keys/password.h"

static bool verify(const char *password, const char *phc)
{
    struct err e = {0};
    bool right = false;
    assert_int_equal(password_verify(str_of(password), phc, &right, &e), 0);
    return right;
}

static void what_is_hashed_is_known_again(void **state)
{
    (void)state;
    char one[PASSWORD_PHC_SIZE], two[PASSWORD_PHC_SIZE];
    struct err e = {0};
    assert_int_equal(password_hash(STR("correct horse battery"), one, &e), 0);
    assert_int_equal(password_hash(STR("correct horse battery"), two, &e), 0);
    assert_string_not_equal(one, two);
    assert_int_equal(strncmp(one, "$argon2id$v=19$m=65536,t=3,p=1$", 31), 0);
    assert_true(verify("correct horse battery", one));
    assert_true(verify("correct horse battery", two));
    assert_false(verify("correct horse batterz", one));
    assert_false(verify("correct horse batter", one));
    assert_false(verify("correct horse battery ", one));
    assert_false(verify("", one));
}

/* Known answers of the reference implementation (P-H-C/phc-winner-argon2, src/test.c). */
static void others_hashes_are_known(void **state)
{
    (void)state;
    static const char m16[] =
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    static const char m8[] =
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    static const char p2[] =
        "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc";
    assert_true(verify("password", m16));
    assert_false(verify("differentpassword", m16));
    assert_true(verify("password", m8));
    assert_true(verify("password", p2));
    assert_false(verify("passwore", p2));
}

static void strings_that_are_none_or_too_dear_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "x",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$",
        "$argon2id$v=19$m=256,t=2,p=1$$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=16$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=1048576,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=99999999999999999999,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi",
        "$argon2id$v=19$m=256,t=2000,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=0,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=0$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=255$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=7,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQ",
        "$argon2id$v=19$m=256,t=2,p=1$c29t$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ=$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4=",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR!uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4nf65EOgLrQMR/"
        "uIPnA4rEsF"
        "5h7TKyQwu9U1bMCHGi/4nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4nf65EOgLrQMR/"
        "uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err e = {0};
        bool right = true;
        assert_int_equal(password_verify(STR("password"), bad[i], &right, &e), ERR_CORRUPT);
        assert_true(right); /* outputs are left alone */
    }
}

static int64_t cpu_us(void)
{
    struct timespec t;
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* A name that nobody has costs what a wrong password costs. */
static void nobody_takes_as_long_and_is_never_right(void **state)
{
    (void)state;
    char phc[PASSWORD_PHC_SIZE];
    struct err e = {0};
    assert_int_equal(password_hash(STR("correct horse battery"), phc, &e), 0);
    int64_t least[2] = {INT64_MAX, INT64_MAX};
    for (int i = 0; i < 6; i++) {
        int64_t began = cpu_us();
        assert_false(verify("a wrong password", i % 2 ? NULL : phc));
        int64_t took = cpu_us() - began;
        if (took < least[i % 2])
            least[i % 2] = took;
    }
    print_message("wrong %lld us, nobody %lld us\n", (long long)least[0], (long long)least[1]);
    assert_true(least[0] < 2 * least[1] && least[1] < 2 * least[0]);
}

static void passwords_are_long_enough_text(void **state)
{
    (void)state;
    struct err e = {0};
    char phc[PASSWORD_PHC_SIZE] = "", longest[PASSWORD_MAX + 1];
    memset(longest, 'a', sizeof longest);
    assert_int_equal(password_check(STR("elevenchars"), &e), ERR_INVALID);
    assert_null(strstr(e.text, "eleven"));
    assert_int_equal(password_hash(STR("elevenchars"), phc, &e), ERR_INVALID);
    assert_string_equal(phc, "");
    assert_int_equal(password_check(STR("twelve chars"), &e), 0);
    assert_int_equal(password_check(STR("p\xc3\xa4sswort mit \xc3\xa4"), &e), 0);
    assert_int_equal(password_check(STR("with a\ttabulator"), &e), ERR_INVALID);
    assert_int_equal(password_check(STR("with a\nnew line"), &e), ERR_INVALID);
    assert_int_equal(password_check(STR("with a\0zero in it"), &e), ERR_INVALID);
    assert_int_equal(password_check(STR("no utf-8 \xff\xfe at all"), &e), ERR_INVALID);
    assert_int_equal(password_check((struct str){longest, PASSWORD_MAX}, &e), 0);
    assert_int_equal(password_check((struct str){longest, PASSWORD_MAX + 1}, &e), ERR_INVALID);
    bool right;
    assert_int_equal(password_verify((struct str){longest, PASSWORD_MAX + 1}, NULL, &right, &e), ERR_INVALID);
}

static void a_made_password_is_one(void **state)
{
    (void)state;
    struct err e = {0};
    char seen[128] = "", one[PASSWORD_MADE + 1], two[PASSWORD_MADE + 1];
    assert_int_equal(password_make(one, &e), 0);
    assert_int_equal(strlen(one), PASSWORD_MADE);
    assert_int_equal(password_check(str_of(one), &e), 0);
    size_t kinds = 0;
    for (int i = 0; i < 200; i++) {
        assert_int_equal(password_make(two, &e), 0);
        assert_string_not_equal(one, two);
        for (const char *p = two; *p != '\0'; p++)
            kinds += seen[(unsigned char)*p]++ == 0 ? 1 : 0, seen[(unsigned char)*p] = 1;
    }
    assert_int_equal(kinds, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_hashed_is_known_again),
        cmocka_unit_test(others_hashes_are_known),
        cmocka_unit_test(strings_that_are_none_or_too_dear_are_refused),
        cmocka_unit_test(nobody_takes_as_long_and_is_never_right),
        cmocka_unit_test(passwords_are_long_enough_text),
        cmocka_unit_test(a_made_password_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
