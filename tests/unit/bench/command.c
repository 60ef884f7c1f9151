#include "shared/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ARGS_MAX 8

struct read {
    bool loud;
    const char *file, *operand;
    uint64_t devices;
    double share;
    size_t taken;
};

static struct err e;

static int take_three(const struct command_option *row, const char *text, struct err *why)
{
    if (strcmp(text, "three") != 0)
        return err_set(why, ERR_INVALID, "--%s is %s", row->name, text);
    *(size_t *)row->into += 3;
    return 0;
}

/* The arguments, after the program's name, up to the first NULL; operand: one is needed. */
static int parse(struct read *r, bool operand, const char *const *args)
{
    *r = (struct read){.file = "usual", .devices = 7, .share = 0.5};
    const struct command_option rows[] = {
        {"loud", 'l', .flag = &r->loud},
        {"file", .text = &r->file},
        {"devices", 'n', .count = &r->devices, .least = 1, .most = 10},
        {"share", .number = &r->share, .max = 1},
        {"three", 't', .take = take_three, .into = &r->taken},
        {NULL},
    };
    char *argv[ARGS_MAX + 2] = {(char *)(uintptr_t)"program"};
    int argc = 1;
    for (; args[argc - 1] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)args[argc - 1];
    int rc = command_parse("how to use it\n", rows, argc, argv, &e);
    if (rc == 0)
        rc = operand ? command_operand("folder", argc, argv, &r->operand, &e)
                     : command_no_operand(argc, argv, &e);
    return rc;
}

#define PARSE(r, operand, ...) parse(r, operand, (const char *const[]){__VA_ARGS__, NULL})

static void each_kind(void **state)
{
    (void)state;
    struct read r;
    assert_int_equal(PARSE(&r, false, NULL), 0);
    assert_true(!r.loud && r.devices == 7 && r.share > 0.49 && r.taken == 0);
    assert_string_equal(r.file, "usual");
    assert_int_equal(
        PARSE(&r, true, "-ln3", "here", "--file=f", "--share", "1", "-t", "three", "--three=three"), 0);
    assert_true(r.loud && r.devices == 3 && r.share > 0.99 && r.taken == 6);
    assert_string_equal(r.file, "f");
    assert_string_equal(r.operand, "here");
    assert_int_equal(PARSE(&r, true, "--dev", "10", "--", "-l"), 0); /* begun anew; a name may be cut short */
    assert_true(!r.loud && r.devices == 10);
    assert_string_equal(r.operand, "-l");
}

static void help(void **state)
{
    (void)state;
    struct read r;
    assert_int_equal(PARSE(&r, true, "-h"), 1);
    assert_int_equal(PARSE(&r, true, "-l", "--help"), 1);
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *args[3], *said;
    } rows[] = {
        {{"--devices=0", "x"}, "--devices is \"0\""}, {{"-n11", "x"}, "--devices is \"11\""},
        {{"--share=1.1", "x"}, "--share is \"1.1\""}, {{"--three=four", "x"}, "--three is four"},
        {{"--unknown", "x"}, "see --help"},           {{"-x", "x"}, "see --help"},
        {{"--loud=yes", "x"}, "see --help"},          {{"x", "--file"}, "see --help"},
        {{"-l", NULL}, "one folder is needed"},       {{"x", "y"}, "one folder is needed"},
    };
    struct read r;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (parse(&r, true, rows[i].args) != ERR_INVALID || strstr(e.text, rows[i].said) == NULL)
            fail_msg("row %zu: %s", i, e.text);
        assert_true(r.devices == 7 && r.share < 0.51 && r.taken == 0);
    }
    assert_int_equal(PARSE(&r, false, "y"), ERR_INVALID);
    assert_non_null(strstr(e.text, "\"y\" is too much"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_kind), cmocka_unit_test(help),
                                       cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
