/* What was counted, for a person or as one JSON object. */
#ifndef BENCH_PQLOAD_RESULT_H
#define BENCH_PQLOAD_RESULT_H

#include <stdio.h>

#include "pqload/load.h"

/* Above this share of one core the load, not the server, may have been the limit. */
#define RESULT_OWN_CPU_MAX 0.95

int result_print(const struct options *o, const struct counts *c, FILE *out, struct err *e) MUST_CHECK;
/* One line of JSON about a stretch of idle mode that is over. undone: operations that were due in it. */
int result_print_stretch(const struct load *l, uint64_t undone, FILE *out, struct err *e) MUST_CHECK;

#endif
