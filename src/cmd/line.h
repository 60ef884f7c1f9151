/*
 * A verb's command line as tables: sub-verbs are rows, their options are rows; reading the arguments,
 * --help and shell completion all come from the same rows.
 */
#ifndef PQOTA_CMD_LINE_H
#define PQOTA_CMD_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "cmd/cmd.h"

#define LINE_OPTIONS_MAX 40 /* rows that a sub-verb may have, the common ones included */
#define LINE_GIVEN_MAX 128  /* options on one command line */
#define LINE_OPERANDS_MAX 104

struct line_option {
    const char *name;    /* without the dashes; NULL ends the rows */
    char letter;         /* short form, or 0 */
    bool needed;         /* leaving it out is a usage error */
    bool repeats;        /* may be given more than once */
    const char *value;   /* what its value is called ("FILE", "DAYS"); NULL: it takes none */
    const char *choices; /* the words it may be, separated by blanks, or NULL for anything */
    const char *help;    /* begins small, ends without a full stop */
};

enum line_common {                  /* options that many share */
                   LINE_SERVER = 1, /* --profile */
                   LINE_JSON = 2,   /* --json */
                   LINE_LIST = 4,   /* --limit, --after */
                   LINE_YES = 8,    /* --yes */
};

struct line_args;

struct line_sub {
    const char *name;                   /* NULL ends the rows; "" when the verb has no sub-verbs */
    const char *operands;               /* as shown: "ID TAG", "RELEASE", "" */
    int least, most;                    /* operands */
    unsigned common;                    /* enum line_common bits */
    const struct line_option *options;  /* own ones, or NULL */
    int (*run)(struct line_args *args); /* answers an enum cmd_exit */
    const char *help;                   /* one line, as an option's */
    const char *more;                   /* further paragraphs for --help, or NULL */
};

struct line_verb {
    const char *name;
    const char *about; /* a sentence or two for --help, ends with a full stop */
    const struct line_sub *subs;
};

struct line_given {
    const struct line_option *option;
    const char *value; /* NULL for one without value */
};

struct line_args {
    const struct line_verb *verb;
    const struct line_sub *sub;
    char name[48]; /* "firmware publish", for messages */
    const char *operands[LINE_OPERANDS_MAX];
    int operand_count;
    struct line_given given[LINE_GIVEN_MAX];
    size_t given_count;
};

/* Reads argv (argv[0] is the verb) into *out; else *exit_code is what to end with (OK: help was shown). */
int line_parse(const struct line_verb *verb, int argc, char **argv, struct line_args *out,
               int *exit_code) MUST_CHECK;
/* Reads, and runs the sub-verb; answers an enum cmd_exit. */
int line_run(const struct line_verb *verb, int argc, char **argv);

bool line_has(const struct line_args *a, const char *option);
/* The value given last, or NULL. */
const char *line_get(const struct line_args *a, const char *option);
/* The values of a repeating option, one by one: *i starts at 0; NULL at the end. */
const char *line_each(const struct line_args *a, const char *option, size_t *i);
/* A whole number; `missing` when it was not given; outside [min, max] CMD_USAGE, and it is said why. */
int line_number(const struct line_args *a, const char *option, int64_t min, int64_t max, int64_t missing,
                int64_t *out) MUST_CHECK;
/* As cmd_usage_error, for this sub-verb. */
int line_wrong(const struct line_args *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* All option rows of a sub-verb, common ones and --help included; answers their number. */
size_t line_options(const struct line_sub *sub, const struct line_option *out[LINE_OPTIONS_MAX]);
void line_help(const struct line_verb *verb, FILE *to);
void line_sub_help(const struct line_verb *verb, const struct line_sub *sub, FILE *to);

/* The verbs that have tables, NULL-ended (in verbs.c). */
extern const struct line_verb *const line_verbs[];

#endif
