/* The state folder as the client library's storage. */
#include "bench.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct bench b;

static void state(void **s)
{
    char text[PQOTA_STATE_SIZE];
    size_t n = 99;
    (void)s;
    bench_init(&b);
    struct pqota_storage st = files_storage(&b.files);
    assert_int_equal(st.load(st.ctx, text, sizeof text, &n), PQOTA_OK);
    assert_int_equal(n, 0);
    assert_int_equal(st.save(st.ctx, "one", 3), PQOTA_OK);
    assert_int_equal(st.save(st.ctx, "three", 5), PQOTA_OK);
    assert_int_equal(st.load(st.ctx, text, sizeof text, &n), PQOTA_OK);
    assert_int_equal(n, 5);
    assert_memory_equal(text, "three", 5);
    struct stat info;
    assert_int_equal(stat(b.files.state, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(stat(b.files.dir, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    bench_sh(&b, "head -c 100000 /dev/zero > '%s'", b.files.state); /* far too large: damaged, not fatal */
    assert_int_equal(st.load(st.ctx, text, sizeof text, &n), PQOTA_OK);
    assert_int_equal(n, 1);
    bench_fini(&b);
}

static void artifact(void **s)
{
    char text[16];
    uint64_t n = 99;
    (void)s;
    bench_init(&b);
    struct pqota_storage st = files_storage(&b.files);
    assert_int_equal(st.size(st.ctx, &n), PQOTA_OK);
    assert_int_equal(n, 0);
    assert_int_equal(st.prepare(st.ctx, 10), PQOTA_OK);
    assert_int_equal(st.write(st.ctx, 0, "hello", 5), PQOTA_OK);
    assert_int_equal(st.write(st.ctx, 5, "world", 5), PQOTA_OK);
    assert_int_equal(st.sync(st.ctx), PQOTA_OK);
    files_close(&b.files); /* the program ends */
    struct err e = {0};
    char dir[BENCH_PATH];
    assert_int_equal(files_open(&b.files, bench_path(&b, "state-dir", dir), false, &e), 0);
    assert_int_equal(st.size(st.ctx, &n), PQOTA_OK);
    assert_int_equal(n, 10);
    assert_int_equal(st.read(st.ctx, 3, text, 4), PQOTA_OK);
    assert_memory_equal(text, "lowo", 4);
    assert_int_equal(st.read(st.ctx, 8, text, 4), PQOTA_E_AGAIN); /* past the end */
    assert_int_equal(st.truncate(st.ctx, 4), PQOTA_OK);
    assert_int_equal(st.truncate(st.ctx, 100), PQOTA_OK); /* never longer */
    assert_int_equal(st.size(st.ctx, &n), PQOTA_OK);
    assert_int_equal(n, 4);
    assert_int_equal(st.discard(st.ctx), PQOTA_OK);
    assert_int_equal(st.discard(st.ctx), PQOTA_OK);
    assert_int_equal(access(b.files.artifact, F_OK), -1);
    assert_int_equal(files_artifact_fd(&b.files), -1);
    bench_fini(&b);
}

static void no_room(void **s)
{
    (void)s;
    bench_init(&b);
    struct pqota_storage st = files_storage(&b.files);
    assert_int_equal(st.prepare(st.ctx, (uint64_t)1 << 62), PQOTA_E_FULL);
    bench_fini(&b);
}

static void a_link_is_not_followed(void **s)
{
    uint64_t n;
    (void)s;
    bench_init(&b);
    bench_write(&b, "precious", "keep");
    bench_sh(&b, "ln -s '%s/precious' '%s'", b.dir, b.files.artifact);
    struct pqota_storage st = files_storage(&b.files);
    assert_int_equal(st.size(st.ctx, &n), PQOTA_E_AGAIN);
    assert_int_equal(st.prepare(st.ctx, 4), PQOTA_OK); /* the link goes, not what it points to */
    assert_int_equal(st.write(st.ctx, 0, "evil", 4), PQOTA_OK);
    assert_string_equal(bench_read(&b, "precious"), "keep");
    bench_fini(&b);
}

static void leftovers_are_swept(void **s)
{
    char path[BENCH_PATH];
    (void)s;
    bench_init(&b);
    bench_write(&b, "state.0123456789abcdef.tmp", "half");
    bench_write(&b, "roots.check", "half");
    bench_write(&b, "state", "whole");
    bench_write(&b, ".tmp", "not ours");
    files_sweep(b.dir);
    assert_int_equal(access(bench_path(&b, "state.0123456789abcdef.tmp", path), F_OK), -1);
    assert_int_equal(access(bench_path(&b, "roots.check", path), F_OK), -1);
    assert_string_equal(bench_read(&b, "state"), "whole");
    assert_string_equal(bench_read(&b, ".tmp"), "not ours");
    files_sweep("/nonexistent");
    bench_fini(&b);
}

static void one_agent_a_folder(void **s)
{
    struct files second;
    struct err e = {0};
    (void)s;
    bench_init(&b);
    assert_int_equal(files_lock(&b.files, &e), 0);
    assert_int_equal(files_open(&second, b.files.dir, false, &e), 0);
    assert_int_equal(files_lock(&second, &e), ERR_BUSY);
    files_close(&second);
    bench_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state),
        cmocka_unit_test(artifact),
        cmocka_unit_test(no_room),
        cmocka_unit_test(a_link_is_not_followed),
        cmocka_unit_test(leftovers_are_swept),
        cmocka_unit_test(one_agent_a_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
