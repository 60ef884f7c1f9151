#include "agent/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/descendants.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

int args_add(struct args *args, const char *arg, struct err *e)
{
    size_t used = 0, n = strlen(arg) + 1;
    if (args->n > 0)
        used = (size_t)(args->v[args->n - 1] - args->text) + strlen(args->v[args->n - 1]) + 1;
    if (args->n == ARGS_MAX || n > sizeof args->text - used)
        return err_set(e, ERR_TOO_LARGE, "the command has more than %d arguments or %d bytes", ARGS_MAX,
                       ARGS_TEXT_MAX);
    memcpy(args->text + used, arg, n);
    args->v[args->n++] = args->text + used;
    args->v[args->n] = NULL;
    return 0;
}

/* Takes one argument off *line, quotes resolved. */
static int take_arg(const char **line, char out[ARGS_TEXT_MAX], struct err *e)
{
    size_t n = 0;
    char quote = '\0';
    const char *p = *line;
    for (; *p != '\0' && (quote != '\0' || (*p != ' ' && *p != '\t')); p++) {
        if (quote == '\0' && (*p == '"' || *p == '\'')) {
            quote = *p;
            continue;
        }
        if (quote != '\0' && *p == quote) {
            quote = '\0';
            continue;
        }
        if (*p == '\\' && quote != '\'' && *++p == '\0')
            return err_set(e, ERR_INVALID, "the command ends with a backslash");
        if (n + 1 >= ARGS_TEXT_MAX)
            return err_set(e, ERR_TOO_LARGE, "the command is longer than %d bytes", ARGS_TEXT_MAX);
        out[n++] = *p;
    }
    if (quote != '\0')
        return err_set(e, ERR_INVALID, "the command has a %c without its second", quote);
    out[n] = '\0';
    *line = p;
    return 0;
}

int args_split(const char *line, struct args *out, struct err *e)
{
    struct args args = {.n = 0};
    char one[ARGS_TEXT_MAX];
    for (;;) {
        line += strspn(line, " \t");
        if (*line == '\0')
            break;
        int rc = take_arg(&line, one, e);
        if (rc == 0)
            rc = args_add(&args, one, e);
        if (rc != 0)
            return rc;
    }
    if (args.n == 0 || args.v[0][0] != '/')
        return err_set(e, ERR_INVALID, "a command begins with a program's path from the root (/...)");
    *out = args;
    for (size_t i = 0; i < args.n; i++) /* the pointers went into the copy's text */
        out->v[i] = out->text + (args.v[i] - args.text);
    return 0;
}

static int open_again(int fd, int *out, struct err *e)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    /* The same file, by its descriptor and not by a name, with an offset of its own and no right to write. */
    *out = open(path, O_RDONLY | O_CLOEXEC);
    if (*out < 0)
        return err_errno(e, errno, "cannot open the artifact for the installer");
    return 0;
}

static int start(const struct process *p, int output, int file, pid_t *pid, struct err *e)
{
    static const char *const fixed[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                        "LANG=C.UTF-8"};
    char *env[PROCESS_ENV_MAX + 3];
    size_t n = 0;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        env[n++] = (char *)(uintptr_t)fixed[i];
    for (size_t i = 0; p->env != NULL && p->env[i] != NULL && i < PROCESS_ENV_MAX; i++)
        env[n++] = (char *)(uintptr_t)p->env[i];
    env[n] = NULL;

    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    if (posix_spawn_file_actions_init(&actions) != 0)
        return err_set(e, ERR_NOMEM, "no memory to start %s", p->args->v[0]);
    int rc = posix_spawnattr_init(&attr);
    if (rc == 0)
        rc = posix_spawn_file_actions_addchdir_np(&actions, "/");
    if (rc == 0)
        rc = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    for (int to = 1; rc == 0 && to <= 2; to++)
        rc = posix_spawn_file_actions_adddup2(&actions, output, to);
    if (rc == 0 && file >= 0)
        rc = posix_spawn_file_actions_adddup2(&actions, file, 3);
    if (rc == 0)
        rc = posix_spawn_file_actions_addclosefrom_np(&actions, file >= 0 ? 4 : 3);
    if (rc == 0)
        rc = posix_spawnattr_setflags(&attr,
                                      POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (rc == 0)
        rc = posix_spawnattr_setsigmask(&attr, &none);
    if (rc == 0)
        rc = posix_spawnattr_setsigdefault(&attr, &all);
    if (rc == 0)
        rc = posix_spawn(pid, p->args->v[0], &actions, &attr, p->args->v, env);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return rc == 0 ? 0 : err_errno(e, rc, "cannot start %s", p->args->v[0]);
}

/* Keeps the last PROCESS_OUTPUT_MAX bytes. False at the end of the output. */
static bool take_output(int fd, struct process_result *r)
{
    char chunk[1024];
    ssize_t got = read(fd, chunk, sizeof chunk);
    if (got < 0)
        return errno == EINTR || errno == EAGAIN;
    if (got == 0)
        return false;
    size_t n = (size_t)got;
    if (r->n + n > PROCESS_OUTPUT_MAX) {
        size_t drop = r->n + n - PROCESS_OUTPUT_MAX;
        memmove(r->output, r->output + drop, r->n - drop);
        r->n -= drop;
    }
    memcpy(r->output + r->n, chunk, n);
    r->n += n;
    r->output[r->n] = '\0';
    return true;
}

/* Until the program has ended or the time is up. Children it left behind are its own business if it ended
   well: a restart command may start a service. */
static bool wait_until(int pidfd, int output, int64_t deadline, struct process_result *r)
{
    bool open = true;
    for (;;) {
        int64_t left = deadline - clock_mono_ms(&clock_system);
        struct pollfd fds[2] = {{.fd = pidfd, .events = POLLIN},
                                {.fd = open ? output : -1, .events = POLLIN}};
        int rc = poll(fds, 2, left < 0 ? 0 : left > 60000 ? 60000 : (int)left);
        if (rc < 0 && errno != EINTR)
            return false;
        if (rc > 0 && fds[1].revents != 0)
            open = take_output(output, r);
        if (rc > 0 && fds[0].revents != 0)
            return true;
        if (clock_mono_ms(&clock_system) >= deadline)
            return false;
    }
}

static void drain(int output, struct process_result *r)
{
    struct pollfd fd = {.fd = output, .events = POLLIN};
    /* Bounded: a child that was left behind may print for ever. */
    for (int i = 0; i < PROCESS_OUTPUT_MAX && poll(&fd, 1, 0) == 1; i++)
        if (!take_output(output, r))
            break;
}

/* From SIGTERM to the end of the last of them. The leader is reaped here. */
static void end_all(struct descendants *family, pid_t pid, int pidfd, int output, struct process_result *r,
                    int *status)
{
    r->timed_out = true;
    descendants_signal(family, pid, SIGTERM);
    if (pidfd >= 0)
        wait_until(pidfd, output, clock_mono_ms(&clock_system) + PROCESS_GRACE_MS, r);
    /* Before the leader is reaped: until then nobody else can get its number, or its process group's. */
    descendants_signal(family, pid, SIGKILL);
    while (waitpid(pid, status, 0) < 0 && errno == EINTR)
        ;
    if (!descendants_end(family))
        log_error("process", "not all of a program's children could be ended");
}

int process_run(const struct process *p, struct process_result *result, struct err *e)
{
    auto_close int file = -1;
    struct descendants family;
    int ends[2], status = 0;
    pid_t pid;
    if (p->file >= 0 && open_again(p->file, &file, e) != 0)
        return e != NULL ? e->code : ERR_IO;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(e, errno, "cannot make a pipe for %s", p->args->v[0]);
    auto_close int output = ends[0];
    auto_close int theirs = ends[1];
    descendants_begin(&family);
    int rc = start(p, theirs, file, &pid, e);
    if (rc != 0)
        return rc;
    close(take_fd(&theirs));
    memset(result, 0, sizeof *result);
    auto_close int pidfd = pidfd_open(pid, 0);
    int64_t now = clock_mono_ms(&clock_system);
    bool ended = pidfd >= 0 && wait_until(pidfd, output, now + p->timeout_ms, result);
    if (!ended)
        end_all(&family, pid, pidfd, output, result, &status);
    else
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
    drain(output, result);
    result->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return 0;
}

/* The end of the output as one line: what a failing script said last is what a person wants to see. */
static void last_lines(const struct process_result *r, char *out, size_t size)
{
    size_t from = r->n > size - 1 ? r->n - (size - 1) : 0, at = 0;
    while (from > 0 && from < r->n && r->output[from - 1] != '\n' && (r->output[from] & 0xC0) == 0x80)
        from++; /* not in the middle of a character */
    for (size_t i = from; i < r->n && at + 1 < size; i++) {
        char ch = r->output[i];
        bool blank = (unsigned char)ch <= ' ' || ch == 0x7F;
        if (blank && (at == 0 || out[at - 1] == ' '))
            continue;
        out[at++] = blank ? ' ' : ch;
    }
    while (at > 0 && out[at - 1] == ' ')
        at--;
    out[at] = '\0';
}

void process_describe(const struct process_result *r, int64_t timeout_ms, char *out, size_t size)
{
    char said[400]; /* the words before it take up to 40 bytes: its end, which counts, must fit */
    last_lines(r, said, size > sizeof said + 40 ? sizeof said : size > 41 ? size - 40 : 1);
    const char *colon = said[0] != '\0' ? ": " : "";
    if (r->timed_out)
        snprintf(out, size, "no end after %lld s%s%s", (long long)(timeout_ms / 1000), colon, said);
    else if (r->code > 128)
        snprintf(out, size, "ended by signal %d%s%s", r->code - 128, colon, said);
    else
        snprintf(out, size, "exit code %d%s%s", r->code, colon, said);
}

void process_first_line(const struct process_result *r, char *out, size_t size)
{
    struct str line = {.p = r->output, .n = strcspn(r->output, "\r\n")};
    line = str_trim(line);
    snprintf(out, size, "%.*s", (int)(line.n < size ? line.n : size - 1), line.p);
}
