/* What pqcerts is told on its command line. */
#ifndef BENCH_PQCERTS_OPTIONS_H
#define BENCH_PQCERTS_OPTIONS_H

#include <stdint.h>

#include "base/err.h"

#define OPTIONS_NUMBER_MAX 9999999 /* of a device */

struct options {
    const char *ca, *ca_key, *id_prefix;
    const char *path; /* what each line names; NULL: none */
    uint64_t devices, first;
    const char *folder;
};

/* 0, 1 when help was printed, or an error. */
int options_parse(int argc, char **argv, struct options *out, struct err *e) MUST_CHECK;

#endif
