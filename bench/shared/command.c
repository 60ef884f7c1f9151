#include "shared/command.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>

#include "shared/number.h"

#define FIRST_ROW 256 /* above all letters */

static void tables(const struct command_option *rows, struct option *longs, char *shorts)
{
    int n = 0;
    for (; rows[n].name != NULL; n++) {
        assert(n < COMMAND_OPTIONS_MAX);
        int has = rows[n].flag != NULL ? no_argument : required_argument;
        longs[n] = (struct option){rows[n].name, has, NULL, FIRST_ROW + n};
        if (rows[n].letter == 0)
            continue;
        *shorts++ = rows[n].letter;
        if (has == required_argument)
            *shorts++ = ':';
    }
    longs[n] = (struct option){"help", no_argument, NULL, 'h'};
    longs[n + 1] = (struct option){0};
    *shorts++ = 'h';
    *shorts = '\0';
}

static const struct command_option *row_of(const struct command_option *rows, int c)
{
    for (int i = 0; rows[i].name != NULL; i++)
        if (c == FIRST_ROW + i || (rows[i].letter != 0 && c == rows[i].letter))
            return &rows[i];
    return NULL;
}

static int take(const struct command_option *row, const char *text, struct err *e)
{
    if (row->take != NULL)
        return row->take(row, text, e);
    if (row->count != NULL)
        return number_parse_count(row->name, text, row->least, row->most, row->count, e);
    if (row->number != NULL)
        return number_parse(row->name, text, row->min, row->max, row->number, e);
    if (row->flag != NULL)
        *row->flag = true;
    else
        *row->text = text;
    return 0;
}

int command_parse(const char *usage, const struct command_option *rows, int argc, char **argv, struct err *e)
{
    struct option longs[COMMAND_OPTIONS_MAX + 2];
    char shorts[2 * COMMAND_OPTIONS_MAX + 2];
    tables(rows, longs, shorts);
    optind = 0; /* glibc: begin anew, also after an earlier command line */
    for (int c; (c = getopt_long(argc, argv, shorts, longs, NULL)) != -1;) {
        if (c == 'h') {
            fputs(usage, stdout);
            return 1;
        }
        const struct command_option *row = row_of(rows, c);
        int rc = row != NULL ? take(row, optarg, e)
                             : err_set(e, ERR_INVALID, "the command line could not be read; see --help");
        if (rc != 0)
            return rc;
    }
    return 0;
}

int command_operand(const char *what, int argc, char **argv, const char **out, struct err *e)
{
    if (optind + 1 != argc)
        return err_set(e, ERR_INVALID, "one %s is needed; see --help", what);
    *out = argv[optind];
    return 0;
}

int command_no_operand(int argc, char **argv, struct err *e)
{
    return optind == argc ? 0 : err_set(e, ERR_INVALID, "\"%s\" is too much; see --help", argv[optind]);
}
