#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "check.h"

static char dir[64];

static const char *in_dir(const char *name)
{
    static char path[PATH_MAX];
    assert_int_equal(file_join(path, sizeof path, dir, name), 0);
    return path;
}

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/file-test-XXXXXX");
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

/* Files in the folder, temporary ones too. */
static size_t entries(void)
{
    auto_closedir DIR *d = opendir(dir);
    assert_non_null(d);
    size_t n = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    return n;
}

static void content_is(const char *path, const char *want)
{
    auto_buf struct buf b;
    buf_init(&b, 0);
    assert_int_equal(file_read(path, 1 << 20, &b, NULL), 0);
    assert_string_equal(b.p, want);
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void test_write_and_read(void **state)
{
    (void)state;
    struct err e;
    const char *path = in_dir("a");
    mode_t old = umask(0077);
    assert_int_equal(file_write_atomic(path, "one", 3, 0644, &e), 0);
    umask(old);
    content_is(path, "one");
    assert_int_equal(mode_of(path), 0644);
    assert_int_equal(file_write_atomic(path, "", 0, 0600, &e), 0);
    content_is(path, "");
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(entries(), 1);
}

static void test_read_bounds(void **state)
{
    (void)state;
    struct err e = {0};
    const char *path = in_dir("a");
    char big[50000];
    memset(big, 'x', sizeof big);
    assert_int_equal(file_write_atomic(path, big, sizeof big, 0600, &e), 0);
    auto_buf struct buf b;
    buf_init(&b, 10);
    assert_int_equal(buf_add(&b, "old", 3), 0);
    assert_int_equal(file_read(path, sizeof big - 1, &b, &e), ERR_TOO_LARGE);
    assert_non_null(strstr(e.text, path));
    assert_string_equal(b.p, "old");
    assert_int_equal(file_read(path, sizeof big, &b, &e), 0);
    assert_int_equal(b.n, sizeof big);
    assert_int_equal(b.p[b.n], '\0');
}

static void test_read_what_is_no_file(void **state)
{
    (void)state;
    struct err e = {0};
    auto_buf struct buf b;
    buf_init(&b, 10);
    assert_int_equal(file_read(in_dir("absent"), 10, &b, &e), ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "absent"));
    assert_int_equal(file_read(dir, 10, &b, &e), ERR_INVALID);
    /* A pipe that nobody writes to must not hang the reader. */
    const char *pipe = in_dir("pipe");
    assert_int_equal(mkfifo(pipe, 0600), 0);
    alarm(5);
    assert_int_equal(file_read(pipe, 10, &b, &e), ERR_INVALID);
    alarm(0);
    assert_null(b.p);
}

static void test_create(void **state)
{
    (void)state;
    struct err e = {0};
    const char *path = in_dir("a");
    assert_int_equal(file_create_atomic(path, "one", 3, 0600, &e), 0);
    assert_int_equal(file_create_atomic(path, "two", 3, 0600, &e), ERR_CONFLICT);
    assert_non_null(strstr(e.text, path));
    content_is(path, "one");
    assert_int_equal(entries(), 1);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_nlink, 1);
}

static void test_failures_leave_nothing(void **state)
{
    (void)state;
    struct err e = {0};
    assert_int_equal(file_write_atomic(in_dir("no/such"), "x", 1, 0600, &e), ERR_NOT_FOUND);
    assert_int_equal(file_create_atomic(in_dir("no/such"), "x", 1, 0600, &e), ERR_NOT_FOUND);
    assert_int_equal(mkdir(in_dir("folder"), 0755), 0);
    assert_int_equal(file_write_atomic(in_dir("folder"), "x", 1, 0600, &e), ERR_IO);
    assert_int_equal(file_create_atomic(in_dir("folder"), "x", 1, 0600, &e), ERR_CONFLICT);
    assert_int_equal(entries(), 1);
    char long_path[PATH_MAX + 10];
    memset(long_path, 'a', sizeof long_path);
    long_path[sizeof long_path - 1] = '\0';
    assert_int_equal(file_write_atomic(long_path, "x", 1, 0600, &e), ERR_TOO_LARGE);
}

static void test_full_disk(void **state)
{
    (void)state;
    struct err e = {0};
    auto_close int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, "x", 1, "the file", &e), ERR_FULL);
    assert_memory_equal(e.text, "cannot write the file: ", 23);
    assert_int_equal(file_write_all(fd, "", 0, "the file", &e), 0);
    assert_int_equal(file_write_all(-1, "x", 1, "the file", &e), ERR_IO);
    assert_int_equal(file_fsync(-1, "the file", &e), ERR_IO);
    assert_int_equal(file_fsync_dir(in_dir("absent"), &e), ERR_NOT_FOUND);
    assert_int_equal(file_fsync_dir(dir, &e), 0);
}

static void test_mkdirs(void **state)
{
    (void)state;
    struct err e = {0};
    mode_t old = umask(022);
    assert_int_equal(file_mkdirs(in_dir("a/b/c"), 0700, &e), 0);
    umask(old);
    assert_int_equal(mode_of(in_dir("a/b/c")), 0700);
    assert_int_equal(mode_of(in_dir("a/b")), 0755);
    assert_int_equal(file_mkdirs(in_dir("a/b/c"), 0700, &e), 0);
    assert_int_equal(file_mkdirs(in_dir("a//b///d/"), 0700, &e), 0);
    assert_true(file_exists(in_dir("a/b/d")));
    assert_int_equal(mode_of(in_dir("a/b/d")), 0700);
    assert_int_equal(file_write_atomic(in_dir("file"), "x", 1, 0600, &e), 0);
    assert_int_equal(file_mkdirs(in_dir("file"), 0700, &e), ERR_CONFLICT);
    assert_int_not_equal(file_mkdirs(in_dir("file/below"), 0700, &e), 0);
    assert_int_equal(file_mkdirs("", 0700, &e), ERR_INVALID);
    assert_int_equal(file_mkdirs("/", 0700, &e), 0);
    char long_path[PATH_MAX + 10];
    memset(long_path, 'a', sizeof long_path);
    long_path[sizeof long_path - 1] = '\0';
    assert_int_equal(file_mkdirs(long_path, 0700, &e), ERR_INVALID);
}

static void test_join(void **state)
{
    (void)state;
    char out[6] = "old";
    assert_int_equal(file_join(out, sizeof out, "ab", "cd"), 0);
    assert_string_equal(out, "ab/cd");
    assert_int_equal(file_join(out, sizeof out, "ab", "cde"), ERR_TOO_LARGE);
    assert_string_equal(out, "ab/cd"); /* untouched */
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(test_write_and_read), IN_DIR(test_read_bounds),    IN_DIR(test_read_what_is_no_file),
        IN_DIR(test_create),         IN_DIR(test_full_disk),      IN_DIR(test_failures_leave_nothing),
        IN_DIR(test_mkdirs),         cmocka_unit_test(test_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
