#include "agent/descendants.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"

#define STAT_MAX 1024
#define ROUND_MS 10

struct process_stat {
    char state;
    pid_t parent;
    uint64_t begun; /* ticks since boot */
};

/* The word at `index` of a line of words; proc_pid_stat(5) counts from 1, and so from 3 after the name. */
static bool word(const char *text, int index, uint64_t *out)
{
    struct str rest = {.p = text, .n = strcspn(text, "\n")}, one;
    for (int i = 0; i <= index; i++)
        if (!str_split(&rest, ' ', &one))
            return false;
    return str_to_u64(one, UINT64_MAX, out) == 0;
}

static bool read_stat(pid_t pid, struct process_stat *out)
{
    char path[40], text[STAT_MAX];
    uint64_t parent;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (n <= 0)
        return false;
    text[n] = '\0';
    char *after = strrchr(text, ')'); /* the name before it may hold anything, this too */
    if (after == NULL || strlen(after) < 4 || !word(after + 2, 1, &parent) ||
        !word(after + 2, 19, &out->begun))
        return false;
    out->state = after[2];
    out->parent = (pid_t)parent;
    return true;
}

static bool is_old(const struct descendants *d, pid_t pid)
{
    for (int i = 0; i < d->count; i++)
        if (d->old[i] == pid)
            return true;
    return false;
}

/* Is it below this process, and not by way of what an earlier program left? */
static bool is_below(const struct descendants *d, pid_t pid)
{
    pid_t self = getpid();
    struct process_stat st;
    if (!read_stat(pid, &st) || st.state == 'Z' || st.begun < d->begun)
        return false;
    for (int depth = 0; depth < DESCENDANTS_DEPTH_MAX; depth++) {
        if (is_old(d, pid))
            return false;
        if (st.parent == self)
            return true;
        pid = st.parent;
        if (pid <= 1 || !read_stat(pid, &st))
            return false;
    }
    return true; /* nobody nests so deep but to hide */
}

/* Calls what() for each process that /proc lists. */
static void each(void (*what)(void *ctx, pid_t pid), void *ctx)
{
    auto_closedir DIR *proc = opendir("/proc");
    struct dirent *entry;
    uint64_t pid;
    while (proc != NULL && (entry = readdir(proc)) != NULL)
        if (str_to_u64(str_of(entry->d_name), INT32_MAX, &pid) == 0 && pid > 1)
            what(ctx, (pid_t)pid);
}

static void note_child(void *ctx, pid_t pid)
{
    struct descendants *d = ctx;
    struct process_stat st;
    if (d->count < DESCENDANTS_OLD_MAX && read_stat(pid, &st) && st.parent == getpid())
        d->old[d->count++] = pid;
}

static void reap(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

void descendants_begin(struct descendants *d)
{
    struct process_stat self;
    struct timespec now;
    *d = (struct descendants){.count = 0};
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
        log_warn("process", "this kernel has no subreaper: what leaves its process group is not followed");
    reap();
    /* In the unit of /proc/PID/stat, one tick early: a child may begin within the tick. */
    if (clock_gettime(CLOCK_BOOTTIME, &now) == 0)
        d->begun = ((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000) *
                   (uint64_t)sysconf(_SC_CLK_TCK) / 1000;
    d->begun -= d->begun > 0;
    if (!read_stat(getpid(), &self))
        log_warn("process", "/proc is not there: what leaves its process group is not followed");
    each(note_child, d);
}

struct signalling {
    const struct descendants *d;
    int signal, found;
};

static void signal_one(void *ctx, pid_t pid)
{
    struct signalling *s = ctx;
    if (is_below(s->d, pid) && kill(pid, s->signal) == 0)
        s->found++;
}

void descendants_signal(const struct descendants *d, pid_t leader, int signal)
{
    struct signalling s = {.d = d, .signal = signal};
    kill(-leader, signal); /* also without /proc */
    each(signal_one, &s);
}

bool descendants_end(const struct descendants *d)
{
    /* What forks while it is looked at is found by the next look; the parent of what was found is dead by
       then. */
    for (int i = 0; i < DESCENDANTS_ROUNDS; i++) {
        struct signalling s = {.d = d, .signal = SIGKILL};
        reap();
        each(signal_one, &s);
        if (s.found == 0) {
            reap();
            return true;
        }
        poll(NULL, 0, ROUND_MS);
    }
    return false;
}
