/* pqfleet: a fleet of simulated devices. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "pqfleet/fleet.h"
#include "pqfleet/result.h"

enum { EXIT_GOOD, EXIT_ERRORS, EXIT_USAGE };

static int fail(int code, const struct err *e)
{
    fprintf(stderr, "pqfleet: %s\n", e->text);
    return code;
}

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
    int rc = options_parse(argc, argv, &options, &e);
    if (rc != 0)
        return rc == 1 ? EXIT_GOOD : fail(EXIT_USAGE, &e);
    signal(SIGPIPE, SIG_IGN); /* whoever reads the result may be gone: that is an error of writing */
    rc = options.plan > 0 ? result_print_plan(&options, stdout, &e) : run(&options, &e);
    return rc == 0 ? EXIT_GOOD : fail(EXIT_ERRORS, &e);
}
