/* How these programs begin and end. */
#ifndef BENCH_SHARED_PROGRAM_H
#define BENCH_SHARED_PROGRAM_H

#include "base/err.h"

enum { PROGRAM_GOOD, PROGRAM_ERRORS, PROGRAM_USAGE };

/* Says on standard error what failed; answers the code. */
int program_fail(const char *name, int code, const struct err *e);
/* parsed: what the options came to (0, 1 when help was printed, or an error). Negative: go on; else the code
   to exit with. */
int program_begin(const char *name, int parsed, const struct err *e) MUST_CHECK;

#endif
