/* A command line as a table: each option is a row, and getopt's tables are made of those. */
#ifndef BENCH_SHARED_COMMAND_H
#define BENCH_SHARED_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define COMMAND_OPTIONS_MAX 40

struct command_option {
    const char *name; /* without its dashes; NULL ends the rows */
    char letter;      /* its short form, or 0 */
    /* Where it goes, one of these; a wrong value changes nothing there. */
    bool *flag; /* takes no value */
    const char **text;
    uint64_t *count;                                                                /* from least to most */
    double *number;                                                                 /* from min to max */
    int (*take)(const struct command_option *row, const char *text, struct err *e); /* any other way */
    void *into;                                                                     /* take's */
    uint64_t least, most;
    double min, max;
};

/* Reads the options; -h and --help print the usage. 0, 1 when help was printed, or an error. */
int command_parse(const char *usage, const struct command_option *rows, int argc, char **argv,
                  struct err *e) MUST_CHECK;
/* After that, what is left: one word, which is called `what`. */
int command_operand(const char *what, int argc, char **argv, const char **out, struct err *e) MUST_CHECK;
/* Or nothing. */
int command_no_operand(int argc, char **argv, struct err *e) MUST_CHECK;

#endif
