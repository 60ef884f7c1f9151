/* What the fleet did, as one JSON object. */
#ifndef BENCH_PQFLEET_RESULT_H
#define BENCH_PQFLEET_RESULT_H

#include <stdio.h>

#include "pqfleet/counts.h"
#include "pqfleet/options.h"

int result_print(const struct options *o, const struct counts *c, const char *ended, FILE *out,
                 struct err *e) MUST_CHECK;
/* What is drawn for each device: "DEVICE ATTEMPT FATE CONSENT". */
int result_print_plan(const struct options *o, FILE *out, struct err *e) MUST_CHECK;

#endif
