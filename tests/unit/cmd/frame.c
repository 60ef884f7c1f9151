#include "frame.h"

#include <stdarg.h>
#include <stdio.h>

char frame_said[1024];

int cmd_usage_error(const char *verb, const char *fmt, ...)
{
    va_list ap;
    int n = snprintf(frame_said, sizeof frame_said, "%s: ", verb);
    va_start(ap, fmt);
    vsnprintf(frame_said + n, sizeof frame_said - (size_t)n, fmt, ap);
    va_end(ap);
    return CMD_USAGE;
}

int cmd_fail(const char *verb, const struct err *e)
{
    snprintf(frame_said, sizeof frame_said, "%s: %s", verb, e->text);
    return CMD_FAILED;
}

static int run_nothing(int argc, char **argv)
{
    (void)argc, (void)argv;
    return CMD_OK;
}

const struct cmd_verb cmd_verbs[] = {
    {"plain", run_nothing, "it's a verb without tables",
     "pqota plain [--some-thing N] [--other]\n\n--some-thing N\n"},
    {"device", run_nothing, "a verb with tables", NULL},
    {NULL, NULL, NULL, NULL},
};
