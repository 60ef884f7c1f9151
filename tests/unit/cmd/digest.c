#include "cmd/digest.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "check.h"

static int file_of(size_t n, char byte)
{
    char path[] = "/tmp/pqota-digest-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    char *data = malloc(n + 1);
    assert_non_null(data);
    memset(data, byte, n);
    assert_int_equal(write(fd, data, n), (ssize_t)n);
    free(data);
    return fd;
}

static void known_hashes(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        const char *sha;
    } rows[] = {
        /* head -c N /dev/zero | tr '\0' a | sha256sum */
        {0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {1, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"},
        {1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        auto_close int fd = file_of(rows[i].n, 'a');
        char sha[SHA256_HEX_SIZE];
        struct err e = {0};
        assert_int_equal(digest_file(fd, "f", (int64_t)rows[i].n, NULL, sha, &e), 0);
        assert_string_equal(sha, rows[i].sha);
    }
}

static void a_shorter_file_is_an_error(void **state)
{
    (void)state;
    auto_close int fd = file_of(10, 'a');
    char sha[SHA256_HEX_SIZE] = "untouched";
    struct err e = {0};
    assert_int_equal(digest_file(fd, "f", 11, NULL, sha, &e), ERR_MISMATCH);
    assert_string_equal(sha, "untouched");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_hashes),
                                       cmocka_unit_test(a_shorter_file_is_an_error)};
    return RUN(tests);
}
