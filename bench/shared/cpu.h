/* Processor time of processes, from /proc: all their threads, user and system. */
#ifndef BENCH_SHARED_CPU_H
#define BENCH_SHARED_CPU_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* The sum over the processes, in microseconds (the kernel counts it in steps of 10 000 for each). */
int cpu_of(const pid_t *pids, size_t count, uint64_t *us, struct err *e) MUST_CHECK;
/* Of this process, in microseconds. */
uint64_t cpu_own(void);

#endif
