/* pqload: puts load on a server over post-quantum TLS. */
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "pqload/load.h"
#include "pqload/result.h"
#include "shared/program.h"

#define NAME "pqload"

int main(int argc, char **argv)
{
    struct err e = {0};
    struct options options;
    int code = program_begin(NAME, options_parse(argc, argv, &options, &e), &e);
    if (code >= 0)
        return code;
    auto_free struct counts *counts = calloc(1, sizeof *counts);
    if (counts == NULL)
        return PROGRAM_ERRORS;
    int rc = load_run(&options, counts, &e);
    if (rc != 0 && counts->operation.count == 0 && counts->errors.count == 0)
        return program_fail(NAME, PROGRAM_ERRORS, &e);
    struct err late = {0};
    if (result_print(&options, counts, stdout, &late) != 0)
        return program_fail(NAME, PROGRAM_ERRORS, &late);
    if (rc != 0)
        return program_fail(NAME, PROGRAM_ERRORS, &e);
    return counts->errors.count > 0 && !options.allow_errors ? PROGRAM_ERRORS : PROGRAM_GOOD;
}
