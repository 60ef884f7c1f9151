#include "shared/cpu.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"

#define STAT_MAX 1024

static int cpu_of_one(pid_t pid, uint64_t *ticks, struct err *e)
{
    char path[64], text[STAT_MAX];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n < 0)
        return err_errno(e, errno, "the processor time of process %d cannot be read", (int)pid);
    text[n] = '\0';
    /* proc(5): the name stands in parentheses and may hold any byte; utime and stime are fields 14 and 15. */
    const char *after = strrchr(text, ')');
    unsigned long long utime, stime;
    if (after == NULL ||
        sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &utime, &stime) != 2)
        return err_set(e, ERR_CORRUPT, "%s is not as proc(5) says", path);
    *ticks = utime + stime;
    return 0;
}

int cpu_of(const pid_t *pids, size_t count, uint64_t *us, struct err *e)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t ticks;
        int rc = cpu_of_one(pids[i], &ticks, e);
        if (rc != 0)
            return rc;
        sum += ticks;
    }
    *us = sum * 1000000U / (uint64_t)sysconf(_SC_CLK_TCK);
    return 0;
}

uint64_t cpu_own(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000U +
           (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}
