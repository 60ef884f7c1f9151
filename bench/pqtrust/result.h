/* Everything that was measured, as one JSON object. docs/bench.md says what its members mean. */
#ifndef PQTRUST_RESULT_H
#define PQTRUST_RESULT_H

#include <stdio.h>

#include "pqtrust/fleet.h"
#include "pqtrust/memory.h"
#include "pqtrust/options.h"
#include "pqtrust/refresh.h"
#include "pqtrust/signing.h"
#include "pqtrust/sizes.h"

struct results {
    struct refresh_result first, steady;       /* ML-DSA-65 everywhere */
    struct refresh_result first_87, steady_87; /* ML-DSA-87 offline, as `pqota trust init` makes them */
    struct memory_result memory;
    struct signing_result signing;
    struct fleet_result fleet;
    struct sizes_result sizes; /* as first_87 */
};

int result_print(const struct options *o, const struct results *r, FILE *out, struct err *e) MUST_CHECK;

#endif
