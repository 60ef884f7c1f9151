/* Runs a program: no shell, a clean environment, nothing inherited but what is named, a deadline for all of
   it. */
#ifndef PQOTA_AGENT_PROCESS_H
#define PQOTA_AGENT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define ARGS_MAX 64
#define ARGS_TEXT_MAX 2048
#define PROCESS_OUTPUT_MAX 4096 /* bytes kept of what it printed: the last ones */
#define PROCESS_GRACE_MS 5000   /* from SIGTERM to SIGKILL when the deadline has passed */
#define PROCESS_ENV_MAX 32
#define PROCESS_FILE "/dev/fd/3" /* how the program sees `file` */

struct args {
    char *v[ARGS_MAX + 1]; /* NULL-ended, into text */
    size_t n;
    char text[ARGS_TEXT_MAX];
};

/* Splits "program arg 'an arg' \"another\"" at spaces; quotes and a backslash before a character group, and
   nothing else has a meaning. The program must be named by its path from the root. */
int args_split(const char *line, struct args *out, struct err *e) MUST_CHECK;
int args_add(struct args *args, const char *arg, struct err *e) MUST_CHECK;

struct process {
    struct args *args;
    const char *const *env; /* "NAME=value", NULL-ended, beside PATH and LANG; NULL: none */
    int file;               /* given to the program as descriptor 3, read-only and at its start; -1: none */
    int64_t timeout_ms;
};

struct process_result {
    int code; /* exit code, or 128 + signal */
    bool timed_out;
    size_t n;
    char output[PROCESS_OUTPUT_MAX + 1]; /* both of its outputs; NUL-terminated */
};

/* Runs it to its end. A program that fails is no error: look at result. After the deadline it is ended
   with all that it started, SIGTERM first, whatever process group or session that went to. The caller's
   process becomes the one that orphans below it are handed to (PR_SET_CHILD_SUBREAPER), and they are
   reaped here: it must not have children of its own by other ways. */
int process_run(const struct process *p, struct process_result *result, struct err *e) MUST_CHECK;

/* "exit code 3: last lines", "no end after 60 s", ... for a person; control characters gone. */
void process_describe(const struct process_result *r, int64_t timeout_ms, char *out, size_t size);
/* The first line of what it printed, without blanks around it. */
void process_first_line(const struct process_result *r, char *out, size_t size);

#endif
