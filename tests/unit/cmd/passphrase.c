/* Passphrases from files: the first line, whole, and nothing that looks like one and is none. */
#include "check.h"

#include <unistd.h>

#include "base/file.h"
#include "cmd/passphrase.h"

static char path[64];

static int setup(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/pqota-passphrase-%d", (int)getpid());
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

static void put(const char *text, size_t n)
{
    struct err e = {0};
    assert_int_equal(file_write_atomic(path, text, n, 0600, &e), 0);
}

static void first_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"correct horse\n", "correct horse"},
        {"correct horse", "correct horse"},
        {"correct horse\r\nthis is a remark\n", "correct horse"},
        {" blanks stay \n", " blanks stay "},
        {"x\n", "x"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err e = {0};
        char out[PKI_PASSPHRASE_MAX];
        auto_passphrase struct passphrase p;
        put(rows[i].text, strlen(rows[i].text));
        passphrase_init(&p, path);
        struct pki_passphrase asker = passphrase_asker(&p);
        assert_int_equal(asker.ask(asker.ctx, "a.key", out, sizeof out, &e), 0);
        assert_string_equal(out, rows[i].want);
        assert_int_equal(asker.ask(asker.ctx, "b.key", out, sizeof out, &e), 0);
        assert_string_equal(out, rows[i].want);
        assert_int_equal(asker.ask(asker.ctx, "b.key", out, strlen(rows[i].want), &e), ERR_TOO_LARGE);
        assert_null(strstr(e.text, "horse"));
    }
}

static void refused(void **state)
{
    (void)state;
    char longest[PKI_PASSPHRASE_MAX + 1];
    struct err e = {0};
    memset(longest, 'a', sizeof longest);
    const struct {
        const char *text;
        size_t n;
    } rows[] = {{"", 0},         {"\n", 1},     {"\r\n", 2},
                {"\nsecond", 7}, {"a\0b\n", 4}, {longest, PKI_PASSPHRASE_MAX}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        auto_passphrase struct passphrase p;
        put(rows[i].text, rows[i].n);
        passphrase_init(&p, path);
        assert_int_equal(passphrase_make(&p, "the keys", &e), ERR_INVALID);
        assert_non_null(strstr(e.text, path));
        assert_false(p.known);
    }
    auto_passphrase struct passphrase p;
    put(longest, PKI_PASSPHRASE_MAX - 1);
    passphrase_init(&p, path);
    assert_int_equal(passphrase_make(&p, "the keys", &e), 0);
    assert_int_equal(strlen(p.text), PKI_PASSPHRASE_MAX - 1);
    auto_passphrase struct passphrase none;
    passphrase_init(&none, "/nonexistent/file");
    assert_int_equal(passphrase_make(&none, "the keys", &e), ERR_NOT_FOUND);
}

static void made_once(void **state)
{
    (void)state;
    struct err e = {0};
    auto_passphrase struct passphrase p;
    passphrase_init(&p, path);
    put("short\n", 6);
    assert_int_equal(passphrase_make(&p, "the keys", &e), ERR_INVALID);
    put("the first one\n", 14);
    assert_int_equal(passphrase_make(&p, "the keys", &e), 0);
    put("another one\n", 12);
    assert_int_equal(passphrase_make(&p, "the keys", &e), 0);
    assert_string_equal(p.text, "the first one");
}

static void wiped(void **state)
{
    (void)state;
    struct err e = {0};
    struct passphrase p;
    put("a secret\n", 9);
    passphrase_init(&p, path);
    assert_int_equal(passphrase_make(&p, "the keys", &e), 0);
    assert_string_equal(p.text, "a secret");
    passphrase_fini(&p);
    for (size_t i = 0; i < sizeof p.text; i++)
        assert_int_equal(p.text[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_line),
        cmocka_unit_test(refused),
        cmocka_unit_test(made_once),
        cmocka_unit_test(wiped),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
