/* `pqota completion`: what makes a shell complete pqota's command line. */
#include <string.h>

#include "base/str.h"
#include "cmd/shells.h"
#include "cmd/verbs.h"

static int completion(struct line_args *args)
{
    struct str rest = STR(SHELLS_CHOICES), shell;
    while (str_split(&rest, ' ', &shell))
        if (str_is(shell, args->operands[0])) {
            shells_write(args->operands[0], cmd_verbs, line_verbs, stdout);
            return CMD_OK;
        }
    return line_wrong(args, "there is completion for %s, not for \"%s\"", SHELLS_CHOICES, args->operands[0]);
}

static const struct line_sub subs[] = {
    {"", "SHELL", 1, 1, 0, NULL, completion, "print what makes a shell complete pqota's command line",
     "SHELL is bash, zsh or fish. For bash, in this shell: eval \"$(pqota completion bash)\""},
    {.name = NULL},
};

const struct line_verb line_completion = {"completion",
                                          "Prints what makes a shell complete pqota's command line.", subs};

int cmd_completion(int argc, char **argv)
{
    return line_run(&line_completion, argc, argv);
}
