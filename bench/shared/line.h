/* A result as one line of JSON. */
#ifndef BENCH_SHARED_LINE_H
#define BENCH_SHARED_LINE_H

#include <stdio.h>
#include <yyjson.h>

#include "base/err.h"

int line_print(yyjson_mut_doc *doc, FILE *out, struct err *e) MUST_CHECK;

#endif
