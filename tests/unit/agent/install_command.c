/* The command installer, with real scripts. */
#include "bench.h"

static struct bench b;
static char why[PQOTA_TEXT_SIZE];

static void with_script(const char *text)
{
    char path[BENCH_PATH];
    bench_init(&b);
    why[0] = '\0';
    bench_set(&b, "command", "%s --slot 'a b'", bench_script(&b, "install.sh", text, path));
    bench_set(&b, "version_file", "%s", bench_path(&b, "version", path));
    bench_set(&b, "timeout_seconds", "2");
    bench_write(&b, "version", "1.0\n");
    bench_install(&b, "firmware", 8);
}

static enum pqota_install install(void)
{
    return b.in.kind->install(&b.in, &b.artifact, why);
}

static void installs(void **s)
{
    (void)s;
    with_script(
        "cat \"$PQOTA_FILE\" > out; echo \"$1 $2|$PQOTA_NAME $PQOTA_VERSION $PQOTA_FILENAME $PQOTA_SIZE "
        "$PQOTA_SHA256\" > args; echo $PQOTA_VERSION > version");
    assert_int_equal(install(), PQOTA_INSTALL_DONE);
    assert_string_equal(bench_read(&b, "out"), "firmware");
    char expected[256];
    snprintf(expected, sizeof expected, "--slot a b|gw 2.0 gw.bin 8 %s\n", b.sha256);
    assert_string_equal(bench_read(&b, "args"), expected);
    uint32_t wait_s;
    assert_int_equal(b.in.kind->confirm(&b.in, &b.artifact, &wait_s, why), PQOTA_CONFIRM_GOOD);
    bench_fini(&b);
}

/* What is installed is the descriptor that was checked, whatever stands at its name by then. */
static void a_swapped_file_is_not_installed(void **s)
{
    (void)s;
    with_script("cat \"$PQOTA_FILE\" > out");
    bench_sh(&b, "printf evil > '%s'.new && mv '%s'.new '%s'", b.files.artifact, b.files.artifact,
             b.files.artifact);
    assert_int_equal(install(), PQOTA_INSTALL_DONE);
    assert_string_equal(bench_read(&b, "out"), "firmware");
    bench_fini(&b);
}

static void failure_is_told(void **s)
{
    (void)s;
    with_script("echo starting; echo 'flash is \033[1mbroken' >&2; exit 3");
    assert_int_equal(install(), PQOTA_INSTALL_FAILED);
    assert_non_null(strstr(why, "exit code 3"));
    assert_non_null(strstr(why, "flash is"));
    assert_null(strchr(why, '\033'));
    bench_fini(&b);
}

static void reboot_code(void **s)
{
    (void)s;
    with_script("exit 10");
    assert_int_equal(install(), PQOTA_INSTALL_REBOOT);
    bench_set(&b, "reboot_code", "77");
    assert_int_equal(install(), PQOTA_INSTALL_FAILED);
    bench_fini(&b);
}

static void deadline(void **s)
{
    (void)s;
    with_script("echo waiting; sleep 300");
    assert_int_equal(install(), PQOTA_INSTALL_FAILED);
    assert_non_null(strstr(why, "no end after 2 s: waiting"));
    bench_fini(&b);
}

static void reboot_command(void **s)
{
    char path[BENCH_PATH];
    (void)s;
    with_script("exit 10");
    struct pqota_installer cb = installer_callbacks(&b.in);
    assert_int_equal(cb.reboot(cb.ctx, why), PQOTA_OK); /* none: somebody else reboots */
    bench_set(&b, "reboot_command", "%s", bench_script(&b, "reboot.sh", "echo now > rebooted", path));
    assert_int_equal(cb.reboot(cb.ctx, why), PQOTA_OK);
    assert_string_equal(bench_read(&b, "rebooted"), "now\n");
    bench_set(&b, "reboot_command", "/bin/false");
    assert_true(cb.reboot(cb.ctx, why) != PQOTA_OK);
    assert_non_null(strstr(why, "reboot command failed"));
    bench_fini(&b);
}

static void versions(void **s)
{
    char path[BENCH_PATH], out[PQOTA_NAME_SIZE];
    struct err e = {0};
    (void)s;
    with_script("exit 0");
    assert_int_equal(b.in.kind->running_version(&b.in, out, &e), 0);
    assert_string_equal(out, "1.0");
    bench_write(&b, "version", "../../etc\n");
    assert_int_equal(b.in.kind->running_version(&b.in, out, &e), ERR_INVALID);
    bench_set(&b, "version_command", "%s", bench_script(&b, "version.sh", "echo ' 3.1 '; echo more", path));
    assert_int_equal(b.in.kind->running_version(&b.in, out, &e), 0);
    assert_string_equal(out, "3.1");
    bench_script(&b, "version.sh", "echo 3.1; exit 1", path);
    assert_int_equal(b.in.kind->running_version(&b.in, out, &e), ERR_IO);
    bench_fini(&b);
}

static void health_and_marks(void **s)
{
    char path[BENCH_PATH];
    uint32_t wait_s = 0;
    (void)s;
    with_script("exit 0");
    bench_set(&b, "good_command", "%s",
              bench_script(&b, "good.sh", "echo good $PQOTA_VERSION >> marks", path));
    bench_set(&b, "bad_command", "%s", bench_script(&b, "bad.sh", "echo bad >> marks", path));
    bench_set(&b, "health_command", "%s", bench_script(&b, "health.sh", "test -e healthy", path));
    bench_set(&b, "reboot_command", "%s", bench_script(&b, "reboot.sh", "echo reboot >> marks", path));
    assert_int_equal(b.in.kind->confirm(&b.in, &b.artifact, &wait_s, why), PQOTA_CONFIRM_RETURNED);
    assert_string_equal(bench_read(&b, "marks"), ""); /* the old version is neither good nor bad */
    bench_write(&b, "version", "2.0\n");
    assert_int_equal(b.in.kind->confirm(&b.in, &b.artifact, &wait_s, why), PQOTA_CONFIRM_WAIT);
    assert_string_equal(bench_read(&b, "marks"), "bad\nreboot\n");
    bench_write(&b, "healthy", "");
    assert_int_equal(b.in.kind->confirm(&b.in, &b.artifact, &wait_s, why), PQOTA_CONFIRM_GOOD);
    assert_string_equal(bench_read(&b, "marks"), "bad\nreboot\ngood 2.0\n");
    bench_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(installs),        cmocka_unit_test(a_swapped_file_is_not_installed),
        cmocka_unit_test(failure_is_told), cmocka_unit_test(reboot_code),
        cmocka_unit_test(deadline),        cmocka_unit_test(reboot_command),
        cmocka_unit_test(versions),        cmocka_unit_test(health_and_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
