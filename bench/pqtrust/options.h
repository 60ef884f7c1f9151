/* What the command line says. */
#ifndef PQTRUST_OPTIONS_H
#define PQTRUST_OPTIONS_H

#include <stdint.h>

#include "base/err.h"

struct options {
    uint64_t repeat;               /* refreshes that are timed */
    uint64_t delegations, targets; /* of the large repository; targets of each delegated role */
    uint64_t sign;                 /* targets that are signed at once */
    uint64_t devices;              /* of the fleet */
};

/* 0, 1 when help was printed, or an error. */
int options_parse(int argc, char **argv, struct options *out, struct err *e) MUST_CHECK;

#endif
