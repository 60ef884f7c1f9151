/* What is sealed opens with the same key for the same thing, and not after any change. */
#include "fixture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keys/seal.h"

CLEANUP_DEFINE(sealer, struct sealer, sealer_free);
#define auto_sealer CLEANUP(sealer_cleanup)

static struct sealer *make(const char *path)
{
    struct sealer *s = NULL;
    struct err e = {0};
    assert_int_equal(sealer_open(path, true, &s, &e), 0);
    return s;
}

static void put(const char *path, size_t n, mode_t mode)
{
    char bytes[64] = "0123456789abcdef0123456789abcdef0123456789";
    unlink(path);
    auto_close int fd = open(path, O_CREAT | O_WRONLY, mode);
    assert_int_equal(write(fd, bytes, n), n);
    assert_int_equal(fchmod(fd, mode), 0);
}

static void a_key_is_made_once_for_its_owner_alone(void **state)
{
    (void)state;
    struct stat st, again;
    struct sealer *none = NULL;
    struct err e = {0};
    assert_int_equal(sealer_open("secret.key", false, &none, &e), ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "secret.key"));
    sealer_free(make("secret.key"));
    assert_int_equal(stat("secret.key", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, SEAL_KEY_SIZE);
    sealer_free(make("secret.key"));
    assert_int_equal(stat("secret.key", &again), 0);
    assert_int_equal(st.st_ino, again.st_ino);
}

static void a_key_that_others_may_read_is_refused(void **state)
{
    (void)state;
    static const mode_t bad[] = {0640, 0604, 0620, 0660, 0644, 0606};
    struct sealer *s = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err e = {0};
        put("open.key", 32, bad[i]);
        assert_int_equal(sealer_open("open.key", true, &s, &e), ERR_INVALID);
        assert_non_null(strstr(e.text, "0600"));
    }
    put("open.key", 32, 0400);
    struct err e = {0};
    assert_int_equal(sealer_open("open.key", false, &s, &e), 0);
    sealer_free(s);
}

static void a_file_that_is_no_key_is_refused(void **state)
{
    (void)state;
    struct sealer *s = NULL;
    static const size_t sizes[] = {0, 31, 33};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        put("short.key", sizes[i], 0600);
        struct err e = {0};
        assert_int_equal(sealer_open("short.key", true, &s, &e), ERR_CORRUPT);
    }
    assert_int_equal(mkdir("folder.key", 0700), 0);
    assert_int_equal(mkfifo("fifo.key", 0600), 0);
    struct err e = {0};
    assert_int_equal(sealer_open("folder.key", true, &s, &e), ERR_CORRUPT);
    assert_int_equal(sealer_open("fifo.key", true, &s, &e), ERR_CORRUPT); /* and does not wait for a writer */
}

static void what_is_sealed_opens_again(void **state)
{
    (void)state;
    auto_sealer struct sealer *s = make("a.key");
    static const size_t sizes[] = {0, 1, 15, 16, 17, 32, SEAL_PLAIN_MAX};
    char text[SEAL_PLAIN_MAX];
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct err e = {0};
        auto_wiped_buf struct buf one, two, back;
        buf_init(&one, 8192), buf_init(&two, 8192), buf_init(&back, 8192);
        struct str plain = {.p = text, .n = sizes[i]};
        assert_int_equal(seal(s, STR("lamp-1"), plain, &one, &e), 0);
        assert_int_equal(seal(s, STR("lamp-1"), plain, &two, &e), 0);
        assert_int_equal(one.n, sizes[i] + SEAL_OVERHEAD);
        assert_false(str_eq(buf_str(&one), buf_str(&two)));
        assert_int_equal(unseal(s, STR("lamp-1"), buf_str(&one), &back, &e), 0);
        assert_true(str_eq(buf_str(&back), plain));
    }
    auto_buf struct buf out;
    buf_init(&out, 8192);
    struct err e = {0};
    char large[SEAL_PLAIN_MAX + 1] = "";
    assert_int_equal(seal(s, STR("lamp-1"), (struct str){large, sizeof large}, &out, &e), ERR_TOO_LARGE);
    assert_int_equal(out.n, 0);
}

static void no_change_goes_unnoticed(void **state)
{
    (void)state;
    auto_sealer struct sealer *s = make("a.key"), *other = make("b.key");
    struct err e = {0};
    auto_wiped_buf struct buf sealed, back;
    buf_init(&sealed, 8192), buf_init(&back, 8192);
    assert_int_equal(seal(s, STR("lamp-1"), STR("the token of lamp-1"), &sealed, &e), 0);
    struct str whole = buf_str(&sealed);
    assert_int_equal(unseal(other, STR("lamp-1"), whole, &back, &e), ERR_CORRUPT);
    assert_int_equal(unseal(s, STR("lamp-2"), whole, &back, &e), ERR_CORRUPT);
    assert_int_equal(unseal(s, STR(""), whole, &back, &e), ERR_CORRUPT);
    for (size_t i = 0; i < sealed.n * 8; i++) {
        sealed.p[i / 8] ^= (char)(1 << i % 8);
        assert_int_equal(unseal(s, STR("lamp-1"), whole, &back, &e), ERR_CORRUPT);
        sealed.p[i / 8] ^= (char)(1 << i % 8);
    }
    for (size_t n = 0; n < sealed.n; n++)
        assert_int_equal(unseal(s, STR("lamp-1"), (struct str){sealed.p, n}, &back, &e), ERR_CORRUPT);
    assert_int_equal(back.n, 0);
    assert_int_equal(unseal(s, STR("lamp-1"), whole, &back, &e), 0);
    assert_true(str_is(buf_str(&back), "the token of lamp-1"));
}

/* The bytes on disk are AES-256-GCM as SP 800-38D has it: python's cryptography opens them. */
static void another_implementation_opens_it(void **state)
{
    struct fixture *fx = *state;
    auto_sealer struct sealer *s = make("a.key");
    struct err e = {0};
    auto_buf struct buf sealed;
    buf_init(&sealed, 8192);
    assert_int_equal(seal(s, STR("lamp-1"), STR("hello"), &sealed, &e), 0);
    fx_write("sealed", buf_str(&sealed));
    assert_int_equal(fx_run(fx, "python3 -c \""
                                "from cryptography.hazmat.primitives.ciphers.aead import AESGCM\n"
                                "k = open('a.key', 'rb').read(); s = open('sealed', 'rb').read()\n"
                                "print(AESGCM(k).decrypt(s[1:13], s[13:], s[:1] + b'lamp-1').decode())\""),
                     0);
    fx_expect(fx, "hello");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_made_once_for_its_owner_alone),
        cmocka_unit_test(a_key_that_others_may_read_is_refused),
        cmocka_unit_test(a_file_that_is_no_key_is_refused),
        cmocka_unit_test(what_is_sealed_opens_again),
        cmocka_unit_test(no_change_goes_unnoticed),
        cmocka_unit_test(another_implementation_opens_it),
    };
    return cmocka_run_group_tests(tests, fx_setup, fx_teardown);
}
