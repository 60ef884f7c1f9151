/*
 * The verbs of `pqota`, one file each: src/cmd/<verb>.c holds cmd_<verb> and, beside it, usage_<verb>, the
 * text that `pqota <verb> --help` shows. A verb is a row of the table in main.c.
 */
#ifndef PQOTA_CMD_CMD_H
#define PQOTA_CMD_CMD_H

#include "base/err.h"

/* What `pqota` ends with. Shown by `pqota --help`: scripts depend on it. */
enum cmd_exit {
    CMD_OK = 0,
    CMD_FAILED = 1,      /* it was tried and did not work */
    CMD_USAGE = 2,       /* the command line makes no sense; nothing was tried */
    CMD_NOT_FOUND = 3,   /* what was asked for is not there */
    CMD_REFUSED = 4,     /* the server does not know this credential, or it may not do this */
    CMD_UNREACHABLE = 5, /* no server answered */
};

struct cmd_verb {
    const char *name;
    /* argv[0] is the verb's name; options are read with getopt_long from there. Answers an enum cmd_exit.
       --help never arrives: main shows `usage` for it, also after a word as in `firmware publish --help`. */
    int (*run)(int argc, char **argv);
    const char *help;  /* one line for the list of verbs: begins small, ends without a full stop */
    const char *usage; /* whole text, begins with "pqota VERB ...", ends with a newline */
};

#define CMD_VERB(verb)                                                                                       \
    int cmd_##verb(int argc, char **argv);                                                                   \
    extern const char usage_##verb[]

CMD_VERB(init);
CMD_VERB(check_config);
CMD_VERB(serve);
CMD_VERB(firmware);
CMD_VERB(deploy);
CMD_VERB(deployment);
CMD_VERB(device);
CMD_VERB(token);
CMD_VERB(operator);
CMD_VERB(status);
CMD_VERB(events);
CMD_VERB(completion);
CMD_VERB(backup);
CMD_VERB(restore);

/* The table, ended by a row without name. */
extern const struct cmd_verb cmd_verbs[];

/* Prints "pqota VERB: " and the error's text on standard error; answers the exit code that fits its code. */
int cmd_fail(const char *verb, const struct err *e);
/* Prints what is wrong with the command line and where help is; answers CMD_USAGE. */
int cmd_usage_error(const char *verb, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
