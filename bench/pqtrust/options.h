/* What the command line says. */
#ifndef PQTRUST_OPTIONS_H
#define PQTRUST_OPTIONS_H

#include <stddef.h>

#include "base/err.h"

struct options {
    size_t repeat;               /* refreshes that are timed */
    size_t delegations, targets; /* of the large repository; targets of each delegated role */
    size_t sign;                 /* targets that are signed at once */
    size_t devices;              /* of the fleet */
};

/* 0: go on; 1: help was printed. */
int options_parse(int argc, char **argv, struct options *out, struct err *e) MUST_CHECK;

#endif
