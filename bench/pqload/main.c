/* pqload: puts load on a server over post-quantum TLS. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "pqload/load.h"
#include "pqload/result.h"

enum { EXIT_GOOD, EXIT_ERRORS, EXIT_USAGE };

static int fail(int code, const struct err *e)
{
    fprintf(stderr, "pqload: %s\n", e->text);
    return code;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct options options;
    int rc = options_parse(argc, argv, &options, &e);
    if (rc != 0)
        return rc == 1 ? EXIT_GOOD : fail(EXIT_USAGE, &e);
    signal(SIGPIPE, SIG_IGN); /* whoever reads the result may be gone: that is an error of writing */
    auto_free struct counts *counts = calloc(1, sizeof *counts);
    if (counts == NULL)
        return EXIT_ERRORS;
    rc = load_run(&options, counts, &e);
    if (rc != 0 && counts->operation.count == 0 && counts->error_count == 0)
        return fail(EXIT_ERRORS, &e);
    struct err late = {0};
    if (result_print(&options, counts, stdout, &late) != 0)
        return fail(EXIT_ERRORS, &late);
    if (rc != 0)
        return fail(EXIT_ERRORS, &e);
    return counts->error_count > 0 && !options.allow_errors ? EXIT_ERRORS : EXIT_GOOD;
}
