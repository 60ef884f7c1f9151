/* Numbers on a command line, with the option's name in what is said of a wrong one. */
#ifndef BENCH_SHARED_NUMBER_H
#define BENCH_SHARED_NUMBER_H

#include <stdint.h>

#include "base/err.h"

/* `what` without its dashes. */
int number_parse(const char *what, const char *text, double min, double max, double *out,
                 struct err *e) MUST_CHECK;
int number_parse_count(const char *what, const char *text, uint64_t min, uint64_t max, uint64_t *out,
                       struct err *e) MUST_CHECK;

#endif
