/*
 * Memory of a device that refreshes: in a process of its own, which has nothing but the client; its flash and
 * its server are this process, at the other end of a socket.
 */
#ifndef PQTRUST_MEMORY_H
#define PQTRUST_MEMORY_H

#include <sys/types.h>

#include "pqtrust/repo.h"

#define MEMORY_MOST (16u << 20) /* bytes that are given to the client at first */

struct memory_result { /* bytes */
    uint64_t client;   /* the most that was used of the client's memory */
    uint64_t least;    /* the least memory with which it succeeds */
    uint64_t stack;    /* the most of its thread's stack */
    uint64_t heap;     /* the most that OpenSSL had from malloc above what it had before */
    uint64_t resident; /* by how much the process grew at most, as the kernel counts it; OpenSSL was set up */
    uint64_t process;  /* the most that the process had, its libraries and all */
};

struct memory_device { /* the process */
    pid_t pid;
    int fd;
};

/* Starts it: before anything else, while this process is small and has not used OpenSSL. */
int memory_start(struct memory_device *d, struct err *e) MUST_CHECK;
/* Serves the repository to it until it has measured. */
int memory_measure(struct memory_device *d, struct repo *repo, struct memory_result *out,
                   struct err *e) MUST_CHECK;
void memory_stop(struct memory_device *d); /* in any case */

#endif
