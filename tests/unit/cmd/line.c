#include "cmd/line.h"

#include "check.h"
#include "frame.h"

static int ran;

static int run_it(struct line_args *args)
{
    (void)args;
    ran++;
    return CMD_REFUSED;
}

static const struct line_option options[] = {
    {.name = "model", .letter = 'm', .repeats = true, .value = "MODEL", .help = "which"},
    {.name = "name", .letter = 'n', .needed = true, .value = "NAME", .help = "what"},
    {.name = "role", .value = "ROLE", .choices = "viewer admin", .help = "who"},
    {.name = "force", .letter = 'f', .help = "all the same"},
    {.name = NULL},
};
static const struct line_sub subs[] = {
    {"add", "FILE", 1, 2, LINE_LIST | LINE_JSON | LINE_SERVER | LINE_YES, options, run_it, "add a thing",
     NULL},
    {"list", "", 0, 0, 0, NULL, run_it, "list things", NULL},
    {.name = NULL},
};
static const struct line_verb thing = {"thing", "Things.", subs};
static const struct line_sub bare_subs[] = {
    {"", "WHAT", 1, 1, 0, NULL, run_it, "do it", NULL},
    {.name = NULL},
};
static const struct line_verb bare = {"bare", "Does it.", bare_subs};

static int parse(const struct line_verb *v, const char *words, struct line_args *a, int *code)
{
    static char text[256];
    static char *argv[32];
    int argc = 0;
    snprintf(text, sizeof text, "%s", words);
    for (char *save = NULL, *w = strtok_r(text, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
        argv[argc++] = strcmp(w, "''") == 0 ? w + 2 : w;
    argv[argc] = NULL;
    frame_said[0] = '\0';
    *code = -1;
    return line_parse(v, argc, argv, a, code);
}

static void understood(void **state)
{
    (void)state;
    struct line_args a;
    int code;
    assert_int_equal(
        parse(&thing, "thing add -m one f.img --model=two --name x --limit 7 -f -- -odd", &a, &code), 0);
    assert_string_equal(a.name, "thing add");
    assert_int_equal(a.operand_count, 2);
    assert_string_equal(a.operands[0], "f.img");
    assert_string_equal(a.operands[1], "-odd");
    size_t i = 0;
    assert_string_equal(line_each(&a, "model", &i), "one");
    assert_string_equal(line_each(&a, "model", &i), "two");
    assert_null(line_each(&a, "model", &i));
    assert_string_equal(line_get(&a, "name"), "x");
    assert_true(line_has(&a, "force"));
    assert_false(line_has(&a, "json"));
    int64_t n = 0;
    assert_int_equal(line_number(&a, "limit", 1, 10, 3, &n), 0);
    assert_int_equal(n, 7);
    assert_int_equal(line_number(&a, "after", 1, 10, 3, &n), 0);
    assert_int_equal(n, 3);
    assert_int_equal(line_number(&a, "limit", 1, 6, 3, &n), CMD_USAGE);
    assert_int_equal(n, 3);
    assert_int_equal(line_number(&a, "limit", 8, 10, 3, &n), CMD_USAGE);
    assert_int_equal(line_number(&a, "name", 1, 10, 3, &n), CMD_USAGE);
}

static void wrong_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line, *why;
    } rows[] = {
        {"thing ad", "thing: there is no sub-verb \"ad\"; did you mean \"add\"?"},
        {"thing quite-else", "thing: there is no sub-verb \"quite-else\""},
        {"thing add f", "thing add: --name NAME is missing"},
        {"thing add --name x", "thing add: it needs: FILE"},
        {"thing add f g h --name x", "thing add: \"h\" is one word too many"},
        {"thing add f --name x --name y", "thing add: --name is given twice"},
        {"thing add f --name", "thing add: --name needs a value"},
        {"thing add f -n", "thing add: -n needs a value"},
        {"thing add f --name ''", "thing add: --name needs a NAME that is not empty"},
        {"thing add f --nmae x", "thing add: there is no option --nmae; did you mean --name?"},
        {"thing add f --quite-else=3", "thing add: there is no option --quite-else"},
        {"thing add f -z", "thing add: there is no option -z"},
        {"thing add f --force=yes", "thing add: --force takes no value"},
        {"thing add f --name x --role boss",
         "thing add: --role cannot be \"boss\"; it is one of: viewer admin"},
        {"thing list --json", "thing list: there is no option --json"},
        {"thing list x", "thing list: \"x\" is one word too many"},
        {"bare", "bare: it needs: WHAT"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct line_args a;
        int code;
        const struct line_verb *v = rows[i].line[0] == 't' ? &thing : &bare;
        assert_int_equal(parse(v, rows[i].line, &a, &code), ERR_INVALID);
        assert_int_equal(code, CMD_USAGE);
        if (strncmp(frame_said, rows[i].why, strlen(rows[i].why)) != 0)
            fail_msg("%s: %s", rows[i].line, frame_said);
    }
}

static void too_many_options(void **state)
{
    (void)state;
    static char *argv[2 * LINE_GIVEN_MAX + 8];
    int argc = 0;
    argv[argc++] = (char[]){"thing"};
    argv[argc++] = (char[]){"add"};
    char option[] = "-mx";
    for (int i = 0; i < LINE_GIVEN_MAX + 1; i++)
        argv[argc++] = option;
    struct line_args a;
    int code = 0;
    assert_int_equal(line_parse(&thing, argc, argv, &a, &code), ERR_INVALID);
    assert_int_equal(code, CMD_USAGE);
}

static void runs(void **state)
{
    (void)state;
    ran = 0;
    assert_int_equal(line_run(&bare, 2, (char *[]){(char[]){"bare"}, (char[]){"x"}, NULL}), CMD_REFUSED);
    assert_int_equal(ran, 1);
    assert_int_equal(line_run(&bare, 1, (char *[]){(char[]){"bare"}, NULL}), CMD_USAGE);
    assert_int_equal(ran, 1);
}

static void help_has_every_row(void **state)
{
    (void)state;
    char *text = NULL;
    size_t n;
    FILE *f = memory_stream(&text, &n);
    line_help(&thing, f);
    line_sub_help(&thing, &subs[0], f);
    fclose(f);
    static const char *const want[] = {
        "pqota thing SUB-VERB",
        "add FILE",
        "list things",
        "pqota thing add FILE --name NAME [OPTION]...",
        "-m, --model MODEL",
        "--force",
        "viewer admin",
        "--json",
        "--limit NUMBER",
        "--after CURSOR",
        "-y, --yes",
        "-p, --profile FILE",
        "-h, --help",
    };
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        if (strstr(text, want[i]) == NULL)
            fail_msg("no \"%s\" in %s", want[i], text);
    free(text);
}

/* The rows of the real verbs: no two options with one name or letter, and no more than there is room for. */
static void tables_are_sound(void **state)
{
    (void)state;
    for (const struct line_verb *const *v = line_verbs; *v != NULL; v++)
        for (const struct line_sub *s = (*v)->subs; s->name != NULL; s++) {
            const struct line_option *rows[LINE_OPTIONS_MAX];
            size_t n = line_options(s, rows);
            assert_true(n < LINE_OPTIONS_MAX);
            assert_true(s->most <= LINE_OPERANDS_MAX && s->least <= s->most);
            assert_true((s->most > 0) == (*s->operands != '\0'));
            assert_true((s->least == 0) == (*s->operands == '\0' || *s->operands == '['));
            for (size_t i = 0; i < n; i++) {
                assert_non_null(rows[i]->help);
                assert_true(rows[i]->choices == NULL || rows[i]->value != NULL);
                for (size_t j = i + 1; j < n; j++) {
                    assert_string_not_equal(rows[i]->name, rows[j]->name);
                    if (rows[i]->letter != '\0')
                        assert_int_not_equal(rows[i]->letter, rows[j]->letter);
                }
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(understood),         cmocka_unit_test(wrong_lines),
        cmocka_unit_test(too_many_options),   cmocka_unit_test(runs),
        cmocka_unit_test(help_has_every_row), cmocka_unit_test(tables_are_sound),
    };
    return RUN(tests);
}
