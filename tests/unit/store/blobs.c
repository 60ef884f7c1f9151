#include "fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "store/blobs.h"
#include "store/blobs_impl.h"

/* sha256("abc"), from FIPS 180-2 appendix B.1 */
static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

static void receive(struct fixture *f, const char *data, size_t n, char sha256[SHA256_HEX_SIZE])
{
    struct spool *sp = NULL;
    const char *path = NULL;
    uint64_t size = 0;
    assert_ok(spool_new(f->store, &sp, &f->e), f->e);
    for (size_t i = 0; i < n; i++) /* byte by byte */
        assert_ok(spool_write(sp, data + i, 1, &f->e), f->e);
    assert_ok(spool_finish(sp, &path, &size, sha256, &f->e), f->e);
    assert_int_equal(size, n);
    assert_ok(blob_place(f->store, path, sha256, &f->e), f->e);
    spool_free(sp);
}

static int files_in(const struct fixture *f, const char *name)
{
    char path[PATH_MAX];
    DIR *d = opendir(fixture_path(f, name, path));
    assert_non_null(d);
    int n = 0;
    for (struct dirent *it; (it = readdir(d)) != NULL;)
        n += it->d_name[0] != '.';
    closedir(d);
    return n;
}

static void received_placed_and_read(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    char sha256[SHA256_HEX_SIZE], path[PATH_MAX], data[8] = "";
    receive(f, "abc", 3, sha256);
    assert_string_equal(sha256, abc);
    assert_int_equal(files_in(f, "tmp"), 0);
    int fd = -1;
    uint64_t size = 0;
    assert_ok(blob_open(f->store, abc, &fd, &size, &f->e), f->e);
    assert_int_equal(size, 3);
    assert_int_equal(read(fd, data, sizeof data), 3);
    assert_string_equal(data, "abc");
    close(fd);
    struct stat st;
    assert_ok(blob_path(f->data, abc, path, &f->e), f->e);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void an_empty_file_is_a_file(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    char sha256[SHA256_HEX_SIZE];
    receive(f, "", 0, sha256);
    assert_string_equal(sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void the_same_file_twice_mends_a_damaged_one(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    char sha256[SHA256_HEX_SIZE], path[PATH_MAX];
    receive(f, "abc", 3, sha256);
    assert_ok(blob_path(f->data, abc, path, &f->e), f->e);
    int reading = open(path, O_RDONLY | O_CLOEXEC);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "X", 1, 0), 1);
    close(fd);
    uint64_t size = 0;
    assert_ok(blob_open(f->store, abc, &fd, &size, &f->e), f->e);
    assert_int_equal(blob_verify(fd, -1, "it", abc, 3, &f->e), ERR_CORRUPT);
    close(fd);
    receive(f, "abc", 3, sha256);
    assert_ok(blob_open(f->store, abc, &fd, &size, &f->e), f->e);
    assert_ok(blob_verify(fd, -1, "it", abc, 3, &f->e), f->e);
    assert_int_equal(blob_verify(fd, -1, "it", abc, 4, &f->e), ERR_CORRUPT);
    close(fd);
    char first = 0; /* who read the old one goes on reading it */
    assert_int_equal(pread(reading, &first, 1, 0), 1);
    assert_int_equal(first, 'X');
    close(reading);
    assert_int_equal(files_in(f, "tmp"), 0);
}

/* However many read a blob, it is open once, until the last gives it back. */
static void many_readers_share_a_descriptor(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    char sha256[SHA256_HEX_SIZE], other[SHA256_HEX_SIZE], data[4] = "";
    int one = -1, two = -1, third = -1;
    uint64_t size = 0;
    assert_int_equal(blob_share(f->store, abc, &one, &size, &f->e), ERR_NOT_FOUND);
    receive(f, "abc", 3, sha256);
    receive(f, "xyz", 3, other);
    assert_ok(blob_share(f->store, abc, &one, &size, &f->e), f->e);
    assert_ok(blob_share(f->store, abc, &two, &size, &f->e), f->e);
    assert_ok(blob_share(f->store, other, &third, &size, &f->e), f->e);
    assert_int_equal(size, 3);
    assert_int_equal(one, two);
    assert_int_not_equal(one, third);
    blob_give_back(f->store, one);
    assert_int_equal(pread(two, data, 3, 0), 3);
    assert_string_equal(data, "abc");
    blob_give_back(f->store, two);
    blob_give_back(f->store, third);
    assert_int_equal(fcntl(two, F_GETFD), -1);
    assert_int_equal(fcntl(third, F_GETFD), -1);
}

/* A file that took a blob's place is what new readers get; what became of its size is seen each time. */
static void who_comes_later_reads_what_is_there_now(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    char sha256[SHA256_HEX_SIZE], path[PATH_MAX], first = 0;
    int before = -1, after = -1;
    uint64_t size = 0;
    receive(f, "abc", 3, sha256);
    assert_ok(blob_path(f->data, abc, path, &f->e), f->e);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "X", 1, 0), 1);
    assert_ok(blob_share(f->store, abc, &before, &size, &f->e), f->e);
    assert_int_equal(ftruncate(fd, 2), 0);
    close(fd);
    assert_ok(blob_share(f->store, abc, &after, &size, &f->e), f->e);
    assert_int_equal(size, 2);
    blob_give_back(f->store, after);
    receive(f, "abc", 3, sha256);
    assert_ok(blob_share(f->store, abc, &after, &size, &f->e), f->e);
    assert_int_not_equal(before, after);
    assert_int_equal(size, 3);
    assert_int_equal(pread(before, &first, 1, 0), 1);
    assert_int_equal(first, 'X');
    assert_int_equal(pread(after, &first, 1, 0), 1);
    assert_int_equal(first, 'a');
    blob_give_back(f->store, before);
    blob_give_back(f->store, after);
}

static void files_at_once_are_bounded(void **state)
{
    struct fixture *f = *state;
    f->options.files_max = 2;
    fixture_open(f);
    char sha256[SHA256_HEX_SIZE], other[SHA256_HEX_SIZE];
    int fd[3] = {-1, -1, -1};
    uint64_t size = 0;
    struct spool *one = NULL, *two = NULL;
    receive(f, "abc", 3, sha256);
    receive(f, "xyz", 3, other);
    assert_ok(spool_new(f->store, &one, &f->e), f->e);
    assert_ok(blob_share(f->store, abc, &fd[0], &size, &f->e), f->e);
    assert_ok(blob_share(f->store, abc, &fd[1], &size, &f->e), f->e); /* no other file */
    assert_int_equal(blob_share(f->store, other, &fd[2], &size, &f->e), ERR_BUSY);
    assert_int_equal(spool_new(f->store, &two, &f->e), ERR_BUSY);
    spool_free(one);
    assert_ok(blob_share(f->store, other, &fd[2], &size, &f->e), f->e);
    for (int i = 0; i < 3; i++)
        blob_give_back(f->store, fd[i]);
    assert_ok(spool_new(f->store, &one, &f->e), f->e);
    assert_ok(spool_new(f->store, &two, &f->e), f->e);
    spool_free(one);
    spool_free(two);
}

static void what_is_no_blob_is_refused(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    int fd = -7;
    uint64_t size = 9;
    char path[PATH_MAX], folder[PATH_MAX];
    assert_int_equal(blob_open(f->store, abc, &fd, &size, &f->e), ERR_NOT_FOUND);
    assert_non_null(strstr(f->e.text, abc));
    static const char *const bad[] = {
        "",
        "ba",
        "../../etc/passwd",
        "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0",
        "../816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(blob_open(f->store, bad[i], &fd, &size, &f->e), ERR_INVALID);
        assert_int_equal(blob_place(f->store, "/nowhere", bad[i], &f->e), ERR_INVALID);
    }
    assert_ok(blob_path(f->data, abc, path, &f->e), f->e);
    snprintf(folder, sizeof folder, "%.*s", (int)(strlen(path) - 63), path);
    assert_ok(file_mkdirs(folder, 0700, &f->e), f->e);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(blob_open(f->store, abc, &fd, &size, &f->e), ERR_CORRUPT);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0); /* must not wait for a writer either */
    assert_int_equal(blob_open(f->store, abc, &fd, &size, &f->e), ERR_CORRUPT);
    unlink(path);
    assert_int_equal(fd, -7);
    assert_int_equal(size, 9);
}

static void given_up_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    struct spool *sp = NULL;
    assert_ok(spool_new(f->store, &sp, &f->e), f->e);
    assert_ok(spool_write(sp, "half", 4, &f->e), f->e);
    assert_int_equal(files_in(f, "tmp"), 1);
    spool_free(sp);
    assert_int_equal(files_in(f, "tmp"), 0);
    spool_free(NULL);

    /* A disk that takes no more: the file goes at once, not only with the request. */
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN);
    static char chunk[64 << 10];
    assert_ok(spool_new(f->store, &sp, &f->e), f->e);
    small = (struct rlimit){.rlim_cur = 100 << 10, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_ok(spool_write(sp, chunk, sizeof chunk, &f->e), f->e);
    int rc = spool_write(sp, chunk, sizeof chunk, &f->e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(rc, ERR_IO);
    assert_int_equal(files_in(f, "tmp"), 0);
    const char *path = NULL;
    uint64_t size = 0;
    char sha256[SHA256_HEX_SIZE];
    assert_int_equal(spool_write(sp, chunk, 1, &f->e), ERR_INTERNAL);
    assert_int_equal(spool_finish(sp, &path, &size, sha256, &f->e), ERR_INTERNAL);
    spool_free(sp);
}

static void left_overs_are_swept_at_start(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    struct spool *sp = NULL;
    char path[PATH_MAX], copy[PATH_MAX];
    assert_ok(spool_new(f->store, &sp, &f->e), f->e);
    assert_ok(spool_write(sp, "half", 4, &f->e), f->e);
    DIR *d = opendir(fixture_path(f, "tmp", path));
    assert_non_null(d);
    struct dirent *it = readdir(d);
    while (it != NULL && it->d_name[0] == '.')
        it = readdir(d);
    assert_non_null(it);
    char mine[PATH_MAX + sizeof it->d_name + 1];
    snprintf(mine, sizeof mine, "%s/%s", path, it->d_name);
    closedir(d);
    /* A process that dies leaves it there. */
    assert_int_equal(rename(mine, fixture_path(f, "kept", copy)), 0);
    spool_free(sp);
    fixture_close(f);
    assert_int_equal(rename(copy, mine), 0);
    assert_int_equal(files_in(f, "tmp"), 1);
    fixture_open(f);
    assert_int_equal(files_in(f, "tmp"), 0);
}

/* ---- the sweep ---- */

struct keeper {
    const char *keep; /* this one, none else */
    int fail_at;      /* the how-manieth question fails; 0 none */
    int asked;
};

static int keep(void *ctx, const char *sha256, struct err *e)
{
    struct keeper *k = ctx;
    k->asked++;
    if (k->fail_at == k->asked)
        return err_set(e, ERR_IO, "as the test wants it");
    return k->keep != NULL && strcmp(sha256, k->keep) == 0;
}

static void make_old(struct fixture *f, const char *sha256)
{
    char path[PATH_MAX];
    struct timeval old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_ok(blob_path(f->data, sha256, path, &f->e), f->e);
    assert_int_equal(utimes(path, old), 0);
}

static bool is_there(struct fixture *f, const char *sha256)
{
    char path[PATH_MAX];
    assert_ok(blob_path(f->data, sha256, path, &f->e), f->e);
    return file_exists(path);
}

static void the_sweep_takes_what_is_old_and_not_needed(void **state)
{
    struct fixture *f = *state;
    fixture_open(f);
    char names[6][SHA256_HEX_SIZE];
    for (int i = 0; i < 6; i++) {
        char data[2] = {(char)('a' + i), '\0'};
        receive(f, data, 1, names[i]);
        if (i != 0)
            make_old(f, names[i]);
    }
    struct keeper k = {.keep = names[1]};
    size_t removed = 0;
    int64_t now = clock_unix_ms(&clock_system);
    /* Two files a call: three calls for six, and then once more from the start. */
    size_t all = 0;
    for (int i = 0; i < 3; i++) {
        assert_ok(blob_sweep(f->store, now, 3600 * 1000, 2, keep, &k, &removed, &f->e), f->e);
        all += removed;
    }
    assert_int_equal(all, 4);
    assert_int_equal(k.asked, 5); /* the young one is not even asked about */
    assert_true(is_there(f, names[0]) && is_there(f, names[1]));
    for (int i = 2; i < 6; i++)
        assert_false(is_there(f, names[i]));

    /* Placed again, it is young again. */
    receive(f, "b", 1, names[1]);
    k = (struct keeper){0};
    for (int i = 0; i < 2; i++)
        assert_ok(blob_sweep(f->store, now, 3600 * 1000, 100, keep, &k, &removed, &f->e), f->e);
    assert_int_equal(k.asked, 0);
    make_old(f, names[1]);
    k.fail_at = 1;
    assert_int_equal(blob_sweep(f->store, now, 3600 * 1000, 100, keep, &k, &removed, &f->e), ERR_IO);
    assert_true(is_there(f, names[1]));
}

struct race {
    struct fixture *f;
    pthread_t placer;
};

static void *place_anew(void *arg)
{
    struct race *r = arg;
    char sha256[SHA256_HEX_SIZE];
    receive(r->f, "abc", 3, sha256);
    return NULL;
}

/* Asked whether the old one is needed: while the sweep waits for the answer, somebody uploads it again. The
   pause lets him come as far as he can; how far that is decides nothing but whether a fault would show. */
static int keep_slowly(void *ctx, const char *sha256, struct err *e)
{
    struct race *r = ctx;
    (void)sha256;
    (void)e;
    assert_int_equal(pthread_create(&r->placer, NULL, place_anew, r), 0);
    usleep(50000);
    return 0;
}

static void what_is_placed_during_the_sweep_stays(void **state)
{
    struct fixture *f = *state;
    struct race r = {.f = f};
    size_t removed = 0;
    fixture_open(f);
    place_anew(&r);
    make_old(f, abc);
    assert_ok(blob_sweep(f->store, clock_unix_ms(&clock_system), 3600 * 1000, 100, keep_slowly, &r, &removed,
                         &f->e),
              f->e);
    assert_int_equal(pthread_join(r.placer, NULL), 0);
    assert_int_equal(removed, 1);
    assert_true(is_there(f, abc));
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(received_placed_and_read),
        T(an_empty_file_is_a_file),
        T(the_same_file_twice_mends_a_damaged_one),
        T(many_readers_share_a_descriptor),
        T(who_comes_later_reads_what_is_there_now),
        T(files_at_once_are_bounded),
        T(what_is_no_blob_is_refused),
        T(given_up_leaves_nothing),
        T(left_overs_are_swept_at_start),
        T(the_sweep_takes_what_is_old_and_not_needed),
        T(what_is_placed_during_the_sweep_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
