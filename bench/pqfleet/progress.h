/* Once a second: a line on standard error, if wanted, and the fate file as far as it is. */
#ifndef BENCH_PQFLEET_PROGRESS_H
#define BENCH_PQFLEET_PROGRESS_H

#include "pqfleet/fleet.h"

struct progress {
    uint64_t at; /* ns: when it was last told */
    uint64_t requests, polls;
};

void progress_tick(struct progress *p, struct fleet *f, uint64_t now);

#endif
