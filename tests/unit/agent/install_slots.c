/* The slots installer: switch, confirmation, the way back, and a cut at every step of it. */
#include "bench.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/slots.h"

static struct bench b;
static char why[PQOTA_TEXT_SIZE], slots[BENCH_PATH];
static uint32_t wait_s;

static void start(void)
{
    char path[BENCH_PATH];
    bench_init(&b);
    why[0] = '\0';
    bench_path(&b, "slots", slots);
    bench_sh(&b,
             "mkdir -p %s/a && echo 1.0 > %s/a/version && echo old > %s/a/firmware.bin && ln -s a %s/current",
             slots, slots, slots, slots);
    bench_set(&b, "type", "slots");
    bench_set(&b, "slots_dir", "%s", slots);
    bench_set(&b, "confirm_seconds", "100");
    bench_write(&b, "boot", "boot-1\n");
    struct err e = {0};
    assert_int_equal(agent_config_set(&b.config, "agent", "boot_id_file", bench_path(&b, "boot", path), &e),
                     0);
    bench_install(&b, "new firmware", 12);
}

static enum pqota_install install(void)
{
    return b.in.kind->install(&b.in, &b.artifact, why);
}

static enum pqota_confirm confirm(void)
{
    return b.in.kind->confirm(&b.in, &b.artifact, &wait_s, why);
}

/* Until it is decided, at most `most` questions. */
static enum pqota_confirm confirm_all(int most)
{
    enum pqota_confirm got = PQOTA_CONFIRM_WAIT;
    for (int i = 0; i < most && got == PQOTA_CONFIRM_WAIT; i++)
        got = confirm();
    return got;
}

static const char *version(void)
{
    static char out[PQOTA_NAME_SIZE];
    struct err e = {0};
    if (b.in.kind->running_version(&b.in, out, &e) != 0)
        snprintf(out, sizeof out, "?");
    return out;
}

static void script(const char *key, const char *name, const char *text)
{
    char path[BENCH_PATH];
    bench_set(&b, key, "%s", bench_script(&b, name, text, path));
}

static void healthy(void **s)
{
    (void)s;
    start();
    script("restart_command", "restart.sh",
           "echo \"restart $PQOTA_SLOT $(cat slots/current/version)\" >> log");
    script("health_command", "health.sh",
           "echo health $PQOTA_VERSION >> log; test \"$(cat slots/current/firmware.bin)\" = 'new firmware'");
    assert_int_equal(install(), PQOTA_INSTALL_DONE);
    assert_string_equal(version(), "2.0");
    assert_int_equal(confirm_all(5), PQOTA_CONFIRM_GOOD);
    char expected[BENCH_PATH + 100];
    snprintf(expected, sizeof expected, "restart %s/b 2.0\nhealth 2.0\n", slots);
    assert_string_equal(bench_read(&b, "log"), expected);
    assert_string_equal(bench_read(&b, "slots/current/firmware.bin"), "new firmware");
    assert_string_equal(bench_read(&b, "slots/a/firmware.bin"), "old\n"); /* the way back stays */
    assert_int_equal(confirm(), PQOTA_CONFIRM_GOOD);                      /* and says so again */
    /* And back into a with the next one. */
    b.artifact.version = "3.0";
    assert_int_equal(install(), PQOTA_INSTALL_DONE);
    assert_string_equal(version(), "3.0");
    assert_string_equal(bench_read(&b, "slots/a/version"), "3.0\n");
    bench_fini(&b);
}

static void unhealthy_returns(void **s)
{
    (void)s;
    start();
    script("restart_command", "restart.sh", "cat slots/current/version >> log");
    script("health_command", "health.sh", "echo 'sensor is silent'; exit 4");
    assert_int_equal(install(), PQOTA_INSTALL_DONE);
    assert_int_equal(confirm_all(5), PQOTA_CONFIRM_RETURNED);
    assert_string_equal(version(), "1.0");
    assert_non_null(strstr(why, "exit code 4: sensor is silent"));
    assert_non_null(strstr(why, "returned to 1.0"));
    assert_string_equal(bench_read(&b, "log"), "2.0\n1.0\n"); /* the old version was started again */
    assert_string_equal(bench_read(&b, "slots/pending"), "");
    assert_int_equal(confirm(), PQOTA_CONFIRM_RETURNED);
    bench_fini(&b);
}

static void restart_that_fails_returns(void **s)
{
    (void)s;
    start();
    script("restart_command", "restart.sh", "grep -q 1.0 slots/current/version");
    assert_int_equal(install(), PQOTA_INSTALL_DONE);
    assert_int_equal(confirm_all(5), PQOTA_CONFIRM_RETURNED);
    assert_string_equal(version(), "1.0");
    assert_non_null(strstr(why, "restart command failed"));
    bench_fini(&b);
}

static void not_confirmed_in_time_returns(void **s)
{
    (void)s;
    start();
    assert_int_equal(install(), PQOTA_INSTALL_DONE);
    assert_int_equal(confirm_all(5), PQOTA_CONFIRM_WAIT);
    assert_true(wait_s > 0);
    b.now += 99;
    assert_int_equal(confirm(), PQOTA_CONFIRM_WAIT);
    assert_string_equal(version(), "2.0");
    b.now += 1;
    assert_int_equal(confirm(), PQOTA_CONFIRM_RETURNED);
    assert_string_equal(version(), "1.0");
    assert_non_null(strstr(why, "not confirmed within 100 s"));
    bench_fini(&b);
}

static void confirmed_by_hand(void **s)
{
    struct err e = {0};
    (void)s;
    start();
    assert_int_equal(b.in.kind->mark_good(&b.in, &e), ERR_NOT_FOUND); /* nothing waits */
    assert_int_equal(install(), PQOTA_INSTALL_DONE);
    assert_int_equal(confirm_all(3), PQOTA_CONFIRM_WAIT);
    assert_int_equal(b.in.kind->mark_good(&b.in, &e), 0);
    assert_int_equal(confirm(), PQOTA_CONFIRM_GOOD);
    assert_string_equal(version(), "2.0");
    /* An old confirmation is no good for the next one. */
    bench_write(&b, "slots/confirmed", "b 2.0\n");
    b.artifact.version = "3.0";
    assert_int_equal(install(), PQOTA_INSTALL_DONE);
    assert_int_equal(confirm_all(3), PQOTA_CONFIRM_WAIT);
    bench_fini(&b);
}

static void health_may_ask_for_time(void **s)
{
    (void)s;
    start();
    script("health_command", "health.sh", "echo x >> asked; test $(wc -l < asked) -ge 3 || exit 75");
    assert_int_equal(install(), PQOTA_INSTALL_DONE);
    assert_int_equal(confirm_all(3), PQOTA_CONFIRM_WAIT);
    assert_int_equal(confirm_all(5), PQOTA_CONFIRM_GOOD);
    bench_fini(&b);
}

static void too_many_boots_return(void **s)
{
    (void)s;
    start();
    script("health_command", "health.sh", "exit 75");
    assert_int_equal(install(), PQOTA_INSTALL_DONE);
    assert_int_equal(confirm_all(2), PQOTA_CONFIRM_WAIT);
    enum pqota_confirm got = PQOTA_CONFIRM_WAIT;
    int boots = 0;
    for (; got == PQOTA_CONFIRM_WAIT && boots < 10; boots++) {
        char id[32];
        snprintf(id, sizeof id, "boot-%d\n", boots + 2);
        bench_write(&b, "boot", id);
        got = confirm();
    }
    assert_int_equal(got, PQOTA_CONFIRM_RETURNED);
    assert_int_equal(boots, 4);
    assert_string_equal(version(), "1.0");
    bench_fini(&b);
}

static void unpack(void **s)
{
    (void)s;
    start();
    bench_sh(&b, "mkdir -p %s/b/deep && echo stale > %s/b/deep/file && ln -s /etc %s/b/link", slots, slots,
             slots);
    script("unpack_command", "unpack.sh", "mkdir $PQOTA_SLOT/bin && cp $PQOTA_FILE $PQOTA_SLOT/bin/app");
    assert_int_equal(install(), PQOTA_INSTALL_DONE);
    assert_string_equal(bench_read(&b, "slots/current/bin/app"), "new firmware");
    assert_string_equal(bench_read(&b, "slots/b/deep/file"), ""); /* what was there is gone */
    assert_int_equal(access("/etc/passwd", F_OK), 0);             /* and not what a link pointed to */
    bench_fini(&b);
}

static void unpack_that_fails_changes_nothing(void **s)
{
    (void)s;
    start();
    script("unpack_command", "unpack.sh", "echo 'not an archive'; exit 2");
    assert_int_equal(install(), PQOTA_INSTALL_FAILED);
    assert_non_null(strstr(why, "not an archive"));
    assert_string_equal(version(), "1.0");
    assert_string_equal(bench_read(&b, "slots/b/version"), ""); /* half a slot is not a whole one */
    bench_fini(&b);
}

static void first_installation(void **s)
{
    (void)s;
    start();
    bench_sh(&b, "rm -r %s/a %s/current", slots, slots);
    assert_string_equal(version(), "?");
    assert_int_equal(install(), PQOTA_INSTALL_DONE);
    assert_string_equal(version(), "2.0");
    b.now += 1;
    assert_int_equal(confirm_all(2), PQOTA_CONFIRM_WAIT);
    b.now += 1000;
    assert_int_equal(confirm(), PQOTA_CONFIRM_RETURNED);
    assert_string_equal(version(), "?"); /* there is nothing to return to, and it is not called good */
    bench_fini(&b);
}

static void foreign_link_is_refused(void **s)
{
    (void)s;
    start();
    bench_sh(&b, "ln -sfn /etc %s/current", slots);
    assert_int_equal(install(), PQOTA_INSTALL_FAILED);
    assert_non_null(strstr(why, "must be a link to \"a\" or \"b\""));
    bench_fini(&b);
}

static void damaged_note(void **s)
{
    static const char *const notes[] = {"", "x", "pqota-slots 1\nphase=restarted\n",
                                        "pqota-slots 1\nphase=restarted\nfrom=../../etc\nto=b\n"};
    (void)s;
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
        start();
        assert_int_equal(install(), PQOTA_INSTALL_DONE);
        bench_write(&b, "slots/pending", notes[i]);
        enum pqota_confirm got = confirm_all(3);
        assert_true(got == PQOTA_CONFIRM_GOOD || got == PQOTA_CONFIRM_RETURNED);
        assert_true(strcmp(version(), "2.0") == 0 || strcmp(version(), "1.0") == 0);
        bench_fini(&b);
    }
}

/* The state of the client is lost: the note alone brings the device to an end that is right. */
static void recovers_alone(void **s)
{
    uint32_t again;
    (void)s;
    start();
    assert_int_equal(install(), PQOTA_INSTALL_DONE);
    for (int i = 0; i < 3; i++) {
        b.in.kind->recover(&b.in, &again);
        assert_true(again > 0);
    }
    b.now += 1000;
    b.in.kind->recover(&b.in, &again);
    assert_int_equal(again, 0);
    assert_string_equal(version(), "1.0");
    bench_fini(&b);
}

/* --- death at every step --------------------------------------------------------------------------------
   The linker's --wrap brings each of these calls here; in a child process the n-th of them is its last. */

static int calls, last_call;

static void step(void)
{
    if (last_call > 0 && ++calls == last_call)
        _exit(42);
}

#define WRAP(type, name, params, args)                                                                       \
    type __real_##name params;                                                                               \
    type __wrap_##name params;                                                                               \
    type __wrap_##name params                                                                                \
    {                                                                                                        \
        step();                                                                                              \
        type got = __real_##name args;                                                                       \
        step();                                                                                              \
        return got;                                                                                          \
    }
WRAP(int, rename, (const char *from, const char *to), (from, to))
WRAP(int, unlink, (const char *path), (path))
WRAP(int, symlink, (const char *to, const char *path), (to, path))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, syncfs, (int fd), (fd))
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode))
WRAP(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))
WRAP(int, pidfd_open, (pid_t pid, unsigned flags), (pid, flags))

/* True: the child died at that step. */
static bool die_at(int n)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        calls = 0;
        last_call = n;
        if (install() == PQOTA_INSTALL_DONE)
            confirm_all(5);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == 42 || WEXITSTATUS(status) == 0));
    return WEXITSTATUS(status) == 42;
}

static void check_whole(int n)
{
    const char *now = version();
    const char *want = strcmp(now, "1.0") == 0 ? "old\n" : "new firmware";
    if (strcmp(now, "1.0") != 0 && strcmp(now, "2.0") != 0)
        fail_msg("death at %d: version %s runs", n, now);
    if (strcmp(bench_read(&b, "slots/current/firmware.bin"), want) != 0)
        fail_msg("death at %d: the slot of %s is not whole", n, now);
}

/* Wherever it dies: a whole old or a whole new version, and going on (as the client library does: confirm
   when the new version runs, otherwise install again) brings it to the end it would have had. */
static void dies_at_every_step(bool good)
{
    int n = 1;
    for (;; n++) {
        start();
        script("restart_command", "restart.sh", "exit 0");
        script("health_command", "health.sh", good ? "exit 0" : "grep -q 1.0 slots/current/version");
        bool died = die_at(n);
        check_whole(n);
        enum pqota_confirm got;
        struct slots_pending p;
        /* What the client does: the note of a way back that was begun leads there, too. */
        if (strcmp(version(), "2.0") == 0 || slots_pending_read(slots, &p, NULL) == 0) {
            got = confirm_all(5);
            if (got == PQOTA_CONFIRM_RETURNED && good) { /* cut off before the switch: it starts over */
                assert_string_equal(version(), "1.0");
                assert_int_equal(install(), PQOTA_INSTALL_DONE);
                got = confirm_all(5);
            }
        } else {
            assert_int_equal(install(), PQOTA_INSTALL_DONE);
            got = confirm_all(5);
        }
        check_whole(n);
        assert_int_equal(got, good ? PQOTA_CONFIRM_GOOD : PQOTA_CONFIRM_RETURNED);
        assert_string_equal(version(), good ? "2.0" : "1.0");
        assert_string_equal(bench_read(&b, "slots/pending"), "");
        bench_fini(&b);
        if (!died)
            break;
    }
    assert_true(n > 30); /* there were steps to die at */
}

static void dies_while_a_good_one_comes(void **s)
{
    (void)s;
    dies_at_every_step(true);
}

static void dies_while_a_bad_one_comes(void **s)
{
    (void)s;
    dies_at_every_step(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(healthy),
        cmocka_unit_test(unhealthy_returns),
        cmocka_unit_test(restart_that_fails_returns),
        cmocka_unit_test(not_confirmed_in_time_returns),
        cmocka_unit_test(confirmed_by_hand),
        cmocka_unit_test(health_may_ask_for_time),
        cmocka_unit_test(too_many_boots_return),
        cmocka_unit_test(unpack),
        cmocka_unit_test(unpack_that_fails_changes_nothing),
        cmocka_unit_test(first_installation),
        cmocka_unit_test(foreign_link_is_refused),
        cmocka_unit_test(damaged_note),
        cmocka_unit_test(recovers_alone),
        cmocka_unit_test(dies_while_a_good_one_comes),
        cmocka_unit_test(dies_while_a_bad_one_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
