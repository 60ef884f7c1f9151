/* The rauc installer: its command lines, and the real program where its service is not there to answer. */
#include "bench.h"

#include <unistd.h>

static struct bench b;
static char why[PQOTA_TEXT_SIZE];

static void start(void)
{
    char path[BENCH_PATH];
    bench_init(&b);
    why[0] = '\0';
    bench_write(&b, "version", "1.0\n");
    bench_set(&b, "type", "rauc");
    bench_set(&b, "version_file", "%s", bench_path(&b, "version", path));
    bench_set(&b, "timeout_seconds", "60");
    bench_install(&b, "no bundle", 9);
}

/* Whatever stands in for rauc is given the artifact's path, and that is the file that was checked. */
static void command_line(void **s)
{
    char path[BENCH_PATH], expected[PATH_MAX + 32];
    (void)s;
    start();
    bench_set(&b, "command", "%s install --progress",
              bench_script(&b, "rauc.sh", "echo \"$*\" > args; cat \"$3\" > out", path));
    assert_int_equal(b.in.kind->install(&b.in, &b.artifact, why), PQOTA_INSTALL_REBOOT);
    snprintf(expected, sizeof expected, "install --progress %s\n", b.files.artifact);
    assert_string_equal(bench_read(&b, "args"), expected);
    assert_string_equal(bench_read(&b, "out"), "no bundle");
    bench_fini(&b);
}

/* RAUC takes a lease on the bundle, which it gets only if nobody else has it open. */
static void the_bundle_is_nobody_elses(void **s)
{
    char path[BENCH_PATH];
    (void)s;
    start();
    bench_set(&b, "command", "%s", bench_script(&b, "rauc.sh", "readlink /proc/$PPID/fd/* > open", path));
    assert_int_equal(b.in.kind->install(&b.in, &b.artifact, why), PQOTA_INSTALL_REBOOT);
    assert_null(strstr(bench_read(&b, "open"), b.files.artifact));
    bench_fini(&b);
}

/* The service was left at work by an agent that was killed: it is waited for. Other failures are final. */
static void waits_for_a_busy_service(void **s)
{
    char path[BENCH_PATH];
    (void)s;
    start();
    bench_set(&b, "command", "%s",
              bench_script(&b, "rauc.sh",
                           "echo x >> tries; [ $(wc -l < tries) -ge 3 ] || "
                           "{ echo 'Failed: Already processing a different method'; exit 1; }",
                           path));
    assert_int_equal(b.in.kind->install(&b.in, &b.artifact, why), PQOTA_INSTALL_REBOOT);
    assert_string_equal(bench_read(&b, "tries"), "x\nx\nx\n");
    bench_set(&b, "timeout_seconds", "1");
    bench_set(&b, "command", "%s",
              bench_script(&b, "busy.sh", "echo 'already processing a different method'; exit 1", path));
    assert_int_equal(b.in.kind->install(&b.in, &b.artifact, why), PQOTA_INSTALL_FAILED);
    bench_fini(&b);
}

static void the_real_one_fails_clearly(void **s)
{
    (void)s;
    start();
    if (access("/usr/bin/rauc", X_OK) != 0)
        skip();
    assert_int_equal(b.in.kind->install(&b.in, &b.artifact, why), PQOTA_INSTALL_FAILED);
    assert_memory_equal(why, "rauc failed, exit code", 22);
    assert_true(strlen(why) > 30); /* and what it said */
    bench_fini(&b);
}

static void marks(void **s)
{
    char path[BENCH_PATH];
    uint32_t wait_s = 0;
    (void)s;
    start();
    bench_write(&b, "version", "2.0\n");
    bench_set(&b, "good_command", "%s status mark-good",
              bench_script(&b, "rauc.sh", "echo \"$*\" >> marks", path));
    assert_int_equal(b.in.kind->confirm(&b.in, &b.artifact, &wait_s, why), PQOTA_CONFIRM_GOOD);
    assert_string_equal(bench_read(&b, "marks"), "status mark-good\n");
    bench_set(&b, "good_command", "/bin/false"); /* not marked is not kept: asked again */
    assert_int_equal(b.in.kind->confirm(&b.in, &b.artifact, &wait_s, why), PQOTA_CONFIRM_WAIT);
    bench_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_line),
        cmocka_unit_test(the_bundle_is_nobody_elses),
        cmocka_unit_test(waits_for_a_busy_service),
        cmocka_unit_test(the_real_one_fails_clearly),
        cmocka_unit_test(marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
