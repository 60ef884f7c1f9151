/* Running programs: arguments, environment, descriptors, output, deadlines. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "agent/process.h"
#include "base/clock.h"

static struct process_result result;

static struct process_result *run(const char *command, const char *const *env, int file, int64_t timeout_ms)
{
    struct args args;
    struct err e = {0};
    struct process p = {.args = &args, .env = env, .file = file, .timeout_ms = timeout_ms};
    assert_int_equal(args_split(command, &args, &e), 0);
    if (process_run(&p, &result, &e) != 0)
        fail_msg("%s", e.text);
    return &result;
}

static void splits_arguments(void **s)
{
    static const struct {
        const char *line;
        size_t n;
        const char *v[5];
    } rows[] = {
        {"/a", 1, {"/a"}},
        {"  /a  b\tc ", 3, {"/a", "b", "c"}},
        {"/a 'b c' \"d e\"", 3, {"/a", "b c", "d e"}},
        {"/a b\\ c '\\' \"\\\"\"", 4, {"/a", "b c", "\\", "\""}},
        {"/a '' x", 3, {"/a", "", "x"}},
        {"/a $HOME `id` ; *", 5, {"/a", "$HOME", "`id`", ";", "*"}},
        {"/a x'y'\"z\"", 2, {"/a", "xyz"}},
    };
    static const char *const bad[] = {"", "  ", "a", "./a", "/a 'b", "/a \"b", "/a b\\"};
    (void)s;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct args args;
        struct err e = {0};
        assert_int_equal(args_split(rows[i].line, &args, &e), 0);
        assert_int_equal(args.n, rows[i].n);
        for (size_t k = 0; k < args.n; k++)
            assert_string_equal(args.v[k], rows[i].v[k]);
        assert_null(args.v[args.n]);
        assert_int_equal(args_add(&args, "last one", &e), 0);
        assert_string_equal(args.v[args.n - 1], "last one");
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct args args;
        struct err e = {0};
        assert_int_equal(args_split(bad[i], &args, &e), ERR_INVALID);
        assert_true(e.text[0] != '\0');
    }
    char many[4 * ARGS_MAX] = "/a";
    for (size_t i = 0; i < ARGS_MAX; i++)
        memcpy(many + 2 + 2 * i, " b", 3);
    struct args args;
    assert_int_equal(args_split(many, &args, NULL), ERR_TOO_LARGE);
}

static void clean_environment(void **s)
{
    const char *const env[] = {"PQOTA_NAME=gw", "PQOTA_VERSION=a b", NULL};
    (void)s;
    setenv("PQOTA_SECRET", "leaked", 1);
    setenv("LD_PRELOAD_X", "leaked", 1);
    run("/usr/bin/env", env, -1, 10000);
    assert_int_equal(result.code, 0);
    assert_non_null(strstr(result.output, "PQOTA_NAME=gw\n"));
    assert_non_null(strstr(result.output, "PQOTA_VERSION=a b\n"));
    assert_non_null(strstr(result.output, "PATH=/usr/local/sbin:"));
    assert_null(strstr(result.output, "leaked"));
    assert_null(strstr(result.output, "HOME="));
}

/* Whatever is open here, the program sees its three, and the file if it is given one. */
static void inherits_nothing(void **s)
{
    (void)s;
    int open_one = open("/dev/null", O_RDONLY); /* without close-on-exec */
    assert_true(open_one >= 0);
    run("/bin/sh -c 'echo /proc/self/fd/*; readlink /proc/self/fd/0; pwd'", NULL, -1, 10000);
    assert_null(strstr(result.output, "/fd/4"));
    assert_non_null(strstr(result.output, "/dev/null\n/\n"));
    close(open_one);
}

static void file_is_descriptor_three_and_read_only(void **s)
{
    struct bench b;
    (void)s;
    bench_init(&b);
    char path[BENCH_PATH];
    bench_write(&b, "f", "hello");
    int fd = open(bench_path(&b, "f", path), O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(lseek(fd, 3, SEEK_SET), 3);
    unlink(path); /* it is the file, not its name */
    run("/bin/sh -c 'cat /dev/fd/3; cat /dev/fd/3; echo x >&3 || echo refused'", NULL, fd, 10000);
    assert_memory_equal(result.output, "hellohello", 10);
    assert_non_null(strstr(result.output, "refused"));
    close(fd);
    bench_fini(&b);
}

static void exit_codes_and_signals(void **s)
{
    char text[300];
    (void)s;
    assert_int_equal(run("/bin/sh -c 'exit 7'", NULL, -1, 10000)->code, 7);
    process_describe(&result, 10000, text, sizeof text);
    assert_string_equal(text, "exit code 7");
    assert_int_equal(run("/bin/sh -c 'echo dead; kill -9 $$'", NULL, -1, 10000)->code, 137);
    process_describe(&result, 10000, text, sizeof text);
    assert_string_equal(text, "ended by signal 9: dead");
    struct args args;
    struct err e = {0};
    struct process p = {.args = &args, .file = -1, .timeout_ms = 1000};
    assert_int_equal(args_split("/nonexistent/program", &args, &e), 0);
    assert_int_equal(process_run(&p, &result, &e), ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "/nonexistent/program"));
}

static void output_is_bounded_and_clean(void **s)
{
    char text[300];
    (void)s;
    run("/bin/sh -c 'i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; printf "
        "\"\\033[31mred\\r\\n\"; exit 1'",
        NULL, -1, 20000);
    assert_int_equal(result.n, PROCESS_OUTPUT_MAX);
    process_describe(&result, 20000, text, sizeof text);
    assert_non_null(strstr(text, "line 2999"));
    assert_non_null(strstr(text, "[31mred"));
    for (const char *p = text; *p != '\0'; p++)
        assert_true((unsigned char)*p >= ' ');
    run("/bin/sh -c 'echo \"  1.0-2 \"; echo more'", NULL, -1, 10000);
    process_first_line(&result, text, sizeof text);
    assert_string_equal(text, "1.0-2");
}

/* A grandchild that holds the pipe and ignores SIGTERM, as a hung script leaves it. */
static void deadline_ends_grandchildren(void **s)
{
    (void)s;
    int64_t begun = clock_mono_ms(&clock_system);
    run("/bin/sh -c 'trap \"\" TERM; (trap \"\" TERM; sleep 300) & echo $!; wait; sleep 300'", NULL, -1, 300);
    int64_t took = clock_mono_ms(&clock_system) - begun;
    assert_true(result.timed_out);
    assert_true(took >= 300 + PROCESS_GRACE_MS && took < 20000);
    pid_t grandchild = (pid_t)strtol(result.output, NULL, 10);
    assert_true(grandchild > 1);
    for (int i = 0; i < 500 && kill(grandchild, 0) == 0; i++) {
        char state[64], path[64];
        snprintf(path, sizeof path, "/proc/%d/stat", (int)grandchild);
        FILE *f = fopen(path, "r");
        char *got = f != NULL ? fgets(state, sizeof state, f) : NULL;
        if (f != NULL)
            fclose(f);
        if (got == NULL || strstr(state, ") Z") != NULL)
            break; /* a zombie that nobody has reaped is ended too */
        assert_true(i < 499);
        usleep(10000);
    }
    char text[300];
    process_describe(&result, 300, text, sizeof text);
    assert_memory_equal(text, "no end after 0 s", 16);
}

static bool is_gone(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    return access(path, F_OK) != 0; /* a zombie would be there */
}

/* A session of its own, an own process group, a daemon whose parent is gone: none gets past the deadline, and
   none is left as a zombie. */
static void deadline_ends_what_has_left(void **s)
{
    static const char *const ways[] = {
        "setsid sh -c \"trap '' TERM; echo \\$\\$; sleep 300\" & sleep 300",
        "(setsid sh -c \"echo \\$\\$; exec sleep 300\" &) ; sleep 300",
        "(setsid sh -c \"(setsid sleep 300 & echo \\$!)\" &) ; trap '' TERM; sleep 300; sleep 300",
    };
    (void)s;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct args args = {.n = 0};
        struct err e = {0};
        struct process p = {.args = &args, .file = -1, .timeout_ms = 500};
        assert_int_equal(args_add(&args, "/bin/sh", &e), 0);
        assert_int_equal(args_add(&args, "-c", &e), 0);
        assert_int_equal(args_add(&args, ways[i], &e), 0);
        assert_int_equal(process_run(&p, &result, &e), 0);
        assert_true(result.timed_out);
        pid_t left = (pid_t)strtol(result.output, NULL, 10);
        assert_true(left > 1);
        if (!is_gone(left)) {
            kill(left, SIGKILL);
            fail_msg("way %zu: process %d is still there", i, (int)left);
        }
    }
}

/* A service that an earlier command started is not this command's, whatever becomes of this one. */
static void deadline_spares_earlier_services(void **s)
{
    (void)s;
    run("/bin/sh -c 'setsid sleep 300 & echo $!'", NULL, -1, 10000);
    pid_t service = (pid_t)strtol(result.output, NULL, 10);
    assert_true(service > 1 && result.code == 0);
    run("/bin/sleep 300", NULL, -1, 200);
    assert_true(result.timed_out);
    assert_false(is_gone(service));
    kill(service, SIGKILL);
    for (int i = 0; i < 500 && !is_gone(service); i++) { /* the next command reaps it */
        run("/bin/true", NULL, -1, 10000);
        usleep(1000);
    }
    assert_true(is_gone(service));
}

static void deadline_is_prompt_for_the_obedient(void **s)
{
    (void)s;
    int64_t begun = clock_mono_ms(&clock_system);
    run("/bin/sleep 300", NULL, -1, 200);
    assert_true(result.timed_out);
    assert_true(clock_mono_ms(&clock_system) - begun < PROCESS_GRACE_MS);
}

/* A restart command may leave a service behind: it ends well, and the service lives. */
static void what_a_good_program_leaves_lives(void **s)
{
    (void)s;
    int64_t begun = clock_mono_ms(&clock_system);
    run("/bin/sh -c 'sleep 300 & echo $!'", NULL, -1, 10000);
    assert_false(result.timed_out);
    assert_int_equal(result.code, 0);
    assert_true(clock_mono_ms(&clock_system) - begun < 5000);
    pid_t left = (pid_t)strtol(result.output, NULL, 10);
    assert_true(left > 1);
    assert_int_equal(kill(left, 0), 0);
    kill(left, SIGKILL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_arguments),
        cmocka_unit_test(clean_environment),
        cmocka_unit_test(inherits_nothing),
        cmocka_unit_test(file_is_descriptor_three_and_read_only),
        cmocka_unit_test(exit_codes_and_signals),
        cmocka_unit_test(output_is_bounded_and_clean),
        cmocka_unit_test(deadline_ends_grandchildren),
        cmocka_unit_test(deadline_ends_what_has_left),
        cmocka_unit_test(deadline_spares_earlier_services),
        cmocka_unit_test(deadline_is_prompt_for_the_obedient),
        cmocka_unit_test(what_a_good_program_leaves_lives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
