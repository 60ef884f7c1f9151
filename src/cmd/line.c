#include "cmd/line.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static const struct line_option common_server[] = {
    {.name = "profile", .letter = 'p', .value = "FILE", .help = "which server, with which credential"},
    {.name = NULL},
};
static const struct line_option common_json[] = {
    {.name = "json", .help = "print the server's JSON, for programs"},
    {.name = NULL},
};
static const struct line_option common_list[] = {
    {.name = "limit", .letter = 'l', .value = "NUMBER", .help = "show at most so many (100)"},
    {.name = "after", .value = "CURSOR", .help = "go on where \"next\" of an earlier --json pointed"},
    {.name = NULL},
};
static const struct line_option common_yes[] = {
    {.name = "yes", .letter = 'y', .help = "do not ask"},
    {.name = NULL},
};
static const struct line_option common_help[] = {
    {.name = "help", .letter = 'h', .help = "show this"},
    {.name = NULL},
};

static size_t add_rows(const struct line_option *rows, const struct line_option **out, size_t n)
{
    for (; rows != NULL && rows->name != NULL && n < LINE_OPTIONS_MAX; rows++)
        out[n++] = rows;
    return n;
}

size_t line_options(const struct line_sub *sub, const struct line_option *out[LINE_OPTIONS_MAX])
{
    size_t n = add_rows(sub->options, out, 0);
    if (sub->common & LINE_LIST)
        n = add_rows(common_list, out, n);
    if (sub->common & LINE_YES)
        n = add_rows(common_yes, out, n);
    if (sub->common & LINE_JSON)
        n = add_rows(common_json, out, n);
    if (sub->common & LINE_SERVER)
        n = add_rows(common_server, out, n);
    return add_rows(common_help, out, n);
}

int line_wrong(const struct line_args *a, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return cmd_usage_error(a->name, "%s", text);
}

/* --- help ------------------------------------------------------------------------------------------- */

static void print_synopsis(const struct line_verb *verb, const struct line_sub *sub, FILE *to)
{
    fprintf(to, "pqota %s%s%s", verb->name, *sub->name != '\0' ? " " : "", sub->name);
    if (*sub->operands != '\0')
        fprintf(to, " %s", sub->operands);
    const struct line_option *rows[LINE_OPTIONS_MAX];
    size_t n = line_options(sub, rows);
    for (size_t i = 0; i < n; i++)
        if (rows[i]->needed)
            fprintf(to, " --%s %s", rows[i]->name, rows[i]->value);
    fputs(" [OPTION]...\n", to);
}

void line_sub_help(const struct line_verb *verb, const struct line_sub *sub, FILE *to)
{
    print_synopsis(verb, sub, to);
    if (*sub->name != '\0')
        fprintf(to, "\nTo %s.\n", sub->help);
    else
        fprintf(to, "\n%s\n", verb->about);
    if (sub->more != NULL)
        fprintf(to, "%s\n", sub->more);
    fputs("\nOptions\n", to);
    const struct line_option *rows[LINE_OPTIONS_MAX];
    size_t n = line_options(sub, rows);
    for (size_t i = 0; i < n; i++) {
        char left[64], letter[5] = "    ";
        if (rows[i]->letter != '\0')
            snprintf(letter, sizeof letter, "-%c, ", rows[i]->letter);
        snprintf(left, sizeof left, "%s--%s%s%s", letter, rows[i]->name, rows[i]->value != NULL ? " " : "",
                 rows[i]->value != NULL ? rows[i]->value : "");
        fprintf(to, "  %-24s %s%s%s%s%s\n", left, rows[i]->help, rows[i]->needed ? "; needed" : "",
                rows[i]->repeats ? "; may be repeated" : "", rows[i]->choices != NULL ? ": " : "",
                rows[i]->choices != NULL ? rows[i]->choices : "");
    }
}

void line_help(const struct line_verb *verb, FILE *to)
{
    if (*verb->subs->name == '\0') {
        line_sub_help(verb, verb->subs, to);
        return;
    }
    fprintf(to, "pqota %s SUB-VERB [ARGUMENT]...\n\n%s\n\nSub-verbs\n", verb->name, verb->about);
    for (const struct line_sub *s = verb->subs; s->name != NULL; s++) {
        char left[48];
        snprintf(left, sizeof left, "%s %s", s->name, s->operands);
        fprintf(to, "  %-26s %s\n", left, s->help);
    }
    fprintf(to, "\nHelp on one of them: pqota %s SUB-VERB --help\n", verb->name);
}

/* --- reading ---------------------------------------------------------------------------------------- */

static bool asks_help(const char *arg)
{
    return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

/* 0, or CMD_USAGE with the reason said. */
static int find_sub(const struct line_verb *verb, int argc, char **argv, const struct line_sub **out)
{
    const struct line_sub *s = verb->subs;
    if (*s->name == '\0') {
        *out = s;
        return 0;
    }
    const char *names[LINE_OPTIONS_MAX];
    size_t n = 0;
    for (; s->name != NULL && n < LINE_OPTIONS_MAX; s++)
        names[n++] = s->name;
    if (argc < 2) {
        line_help(verb, stderr);
        return CMD_USAGE;
    }
    for (s = verb->subs; s->name != NULL; s++)
        if (strcmp(argv[1], s->name) == 0) {
            *out = s;
            return 0;
        }
    const char *near = str_nearest(str_of(argv[1]), names, n);
    if (near != NULL)
        return cmd_usage_error(verb->name, "there is no sub-verb \"%s\"; did you mean \"%s\"?", argv[1],
                               near);
    return cmd_usage_error(verb->name, "there is no sub-verb \"%s\"", argv[1]);
}

static bool is_choice(const char *choices, const char *value)
{
    struct str rest = str_of(choices), word;
    while (str_split(&rest, ' ', &word))
        if (str_is(word, value))
            return true;
    return false;
}

static int take_option(struct line_args *a, const struct line_option *row, const char *value)
{
    if (row->choices != NULL && !is_choice(row->choices, value))
        return line_wrong(a, "--%s cannot be \"%s\"; it is one of: %s", row->name, value, row->choices);
    if (value != NULL && *value == '\0')
        return line_wrong(a, "--%s needs a %s that is not empty", row->name, row->value);
    if (!row->repeats && line_has(a, row->name))
        return line_wrong(a, "--%s is given twice", row->name);
    if (a->given_count == LINE_GIVEN_MAX)
        return line_wrong(a, "more than %d options", LINE_GIVEN_MAX);
    a->given[a->given_count++] = (struct line_given){.option = row, .value = value};
    return 0;
}

/* What getopt_long did not understand; argv[at] is the word it looked at. */
static int say_bad_option(struct line_args *a, int c, const struct line_option *const *rows, size_t n,
                          const char *word)
{
    if (c == ':')
        return line_wrong(a, "%s needs a value", word);
    if (word[0] != '-' || word[1] != '-')
        return line_wrong(a, "there is no option -%c", optopt);
    struct str rest = {.p = word + 2, .n = strlen(word + 2)}, name;
    if (!str_split(&rest, '=', &name))
        return line_wrong(a, "there is no option \"%s\"", word);
    const char *names[LINE_OPTIONS_MAX];
    for (size_t i = 0; i < n; i++) {
        names[i] = rows[i]->name;
        if (str_is(name, rows[i]->name))
            return line_wrong(a, "--%s takes no value", rows[i]->name);
    }
    const char *near = str_nearest(name, names, n);
    if (near != NULL)
        return line_wrong(a, "there is no option --" STR_FMT "; did you mean --%s?", STR_ARG(name), near);
    return line_wrong(a, "there is no option --" STR_FMT ", or it stands for several", STR_ARG(name));
}

static size_t getopt_tables(const struct line_option *const *rows, size_t n, struct option *longs,
                            char *shorts)
{
    size_t s = 0;
    shorts[s++] = ':';
    for (size_t i = 0; i < n; i++) {
        longs[i] = (struct option){.name = rows[i]->name,
                                   .has_arg = rows[i]->value != NULL ? required_argument : no_argument,
                                   .val = 256 + (int)i};
        if (rows[i]->letter == '\0')
            continue;
        shorts[s++] = rows[i]->letter;
        if (rows[i]->value != NULL)
            shorts[s++] = ':';
    }
    longs[n] = (struct option){.name = NULL};
    shorts[s] = '\0';
    return s;
}

static int read_options(struct line_args *a, int argc, char **argv)
{
    const struct line_option *rows[LINE_OPTIONS_MAX];
    size_t n = line_options(a->sub, rows);
    struct option longs[LINE_OPTIONS_MAX + 1];
    char shorts[2 * LINE_OPTIONS_MAX + 2];
    (void)getopt_tables(rows, n, longs, shorts);
    opterr = 0;
    optind = 0; /* glibc: begin anew, also after an earlier command line */
    for (;;) {
        int at = optind > 0 ? optind : 1;
        int c = getopt_long(argc, argv, shorts, longs, NULL);
        if (c == -1)
            break;
        if (c == '?' || c == ':')
            return say_bad_option(a, c, rows, n, argv[optind > at ? optind - 1 : at]);
        const struct line_option *row = NULL;
        for (size_t i = 0; i < n; i++)
            if (c == 256 + (int)i || (rows[i]->letter != '\0' && c == rows[i]->letter))
                row = rows[i];
        if (row == NULL)
            return line_wrong(a, "an option that is not understood");
        int rc = take_option(a, row, row->value != NULL ? optarg : NULL);
        if (rc != 0)
            return rc;
    }
    for (; optind < argc; optind++) {
        if (a->operand_count == a->sub->most || a->operand_count == LINE_OPERANDS_MAX)
            return line_wrong(a, "\"%s\" is one word too many", argv[optind]);
        a->operands[a->operand_count++] = argv[optind];
    }
    return 0;
}

int line_parse(const struct line_verb *verb, int argc, char **argv, struct line_args *out, int *exit_code)
{
    *out = (struct line_args){.verb = verb};
    if (argc > 1 && asks_help(argv[1])) {
        line_help(verb, stdout);
        *exit_code = CMD_OK;
        return ERR_GONE;
    }
    *exit_code = find_sub(verb, argc, argv, &out->sub);
    if (*exit_code != 0)
        return ERR_INVALID;
    bool bare = *out->sub->name == '\0';
    snprintf(out->name, sizeof out->name, "%s%s%s", verb->name, bare ? "" : " ", out->sub->name);
    if (!bare) {
        argc--;
        argv++;
    }
    *exit_code = read_options(out, argc, argv);
    if (*exit_code != 0)
        return ERR_INVALID;
    if (line_has(out, "help")) {
        line_sub_help(verb, out->sub, stdout);
        return ERR_GONE;
    }
    if (out->operand_count < out->sub->least) {
        *exit_code = line_wrong(out, "it needs: %s", out->sub->operands);
        return ERR_INVALID;
    }
    for (const struct line_option *o = out->sub->options; o != NULL && o->name != NULL; o++)
        if (o->needed && !line_has(out, o->name)) {
            *exit_code = line_wrong(out, "--%s %s is missing", o->name, o->value);
            return ERR_INVALID;
        }
    return 0;
}

int line_run(const struct line_verb *verb, int argc, char **argv)
{
    struct line_args args;
    int exit_code = CMD_OK;
    if (line_parse(verb, argc, argv, &args, &exit_code) != 0)
        return exit_code;
    return args.sub->run(&args);
}

/* --- what was given --------------------------------------------------------------------------------- */

bool line_has(const struct line_args *a, const char *option)
{
    for (size_t i = 0; i < a->given_count; i++)
        if (strcmp(a->given[i].option->name, option) == 0)
            return true;
    return false;
}

const char *line_get(const struct line_args *a, const char *option)
{
    const char *value = NULL;
    for (size_t i = 0; i < a->given_count; i++)
        if (strcmp(a->given[i].option->name, option) == 0)
            value = a->given[i].value;
    return value;
}

const char *line_each(const struct line_args *a, const char *option, size_t *i)
{
    for (; *i < a->given_count; (*i)++)
        if (strcmp(a->given[*i].option->name, option) == 0)
            return a->given[(*i)++].value;
    return NULL;
}

int line_number(const struct line_args *a, const char *option, int64_t min, int64_t max, int64_t missing,
                int64_t *out)
{
    const char *value = line_get(a, option);
    uint64_t v = 0;
    if (value == NULL) {
        *out = missing;
        return 0;
    }
    if (str_to_u64(str_of(value), (uint64_t)max, &v) != 0 || (int64_t)v < min)
        return line_wrong(a, "--%s must be a whole number from %lld to %lld, not \"%s\"", option,
                          (long long)min, (long long)max, value);
    *out = (int64_t)v;
    return 0;
}
