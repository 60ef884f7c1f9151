/* pqfleet: a fleet of simulated devices. */
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "pqfleet/fleet.h"
#include "pqfleet/result.h"
#include "shared/program.h"

#define NAME "pqfleet"

static int run(const struct options *o, struct err *e)
{
    const char *ended = NULL;
    auto_free struct counts *counts = calloc(1, sizeof *counts);
    if (counts == NULL)
        return err_set(e, ERR_NOMEM, "no memory");
    int rc = fleet_run(o, counts, &ended, e);
    return rc == 0 ? result_print(o, counts, ended, stdout, e) : rc;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct options options;
    int code = program_begin(NAME, options_parse(argc, argv, &options, &e), &e);
    if (code >= 0)
        return code;
    int rc = options.plan > 0 ? result_print_plan(&options, stdout, &e) : run(&options, &e);
    return rc == 0 ? PROGRAM_GOOD : program_fail(NAME, PROGRAM_ERRORS, &e);
}
