/* All that a program started: its children, theirs, and those that left its process group or session. They
   stay below this process, which is their subreaper (prctl(2), PR_SET_CHILD_SUBREAPER), so that /proc knows
   them. */
#ifndef PQOTA_AGENT_DESCENDANTS_H
#define PQOTA_AGENT_DESCENDANTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define DESCENDANTS_OLD_MAX 64   /* children that earlier programs left behind, and that are left alone */
#define DESCENDANTS_DEPTH_MAX 64 /* generations looked at */
#define DESCENDANTS_ROUNDS 200   /* looks for the last of them, 10 ms apart */

struct descendants {
    uint64_t begun; /* start of the program, in the kernel's ticks since boot */
    pid_t old[DESCENDANTS_OLD_MAX];
    int count;
};

/* Before a program is started: reaps what earlier ones left and has ended, and notes what lives on. */
void descendants_begin(struct descendants *d);
/* To the program's process group and to everything below it. `leader` is not reaped yet. */
void descendants_signal(const struct descendants *d, pid_t leader, int signal);
/* After `leader` was reaped: SIGKILL to what is left, until there is nothing. False: something was left. */
bool descendants_end(const struct descendants *d);

#endif
