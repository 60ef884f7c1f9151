#include "shared/program.h"

#include <signal.h>
#include <stdio.h>

int program_fail(const char *name, int code, const struct err *e)
{
    fprintf(stderr, "%s: %s\n", name, e->text);
    return code;
}

int program_begin(const char *name, int parsed, const struct err *e)
{
    if (parsed != 0)
        return parsed == 1 ? PROGRAM_GOOD : program_fail(name, PROGRAM_USAGE, e);
    signal(SIGPIPE, SIG_IGN); /* whoever reads the result may be gone: that is an error of writing */
    return -1;
}
