/*
 * Chance that can be repeated: what a device does is a function of the seed, the device's number, which
 * attempt it is and what is asked, so it is known before anything runs, and does not depend on how the fleet
 * is spread over processes or on when what happens.
 */
#ifndef BENCH_PQFLEET_DRAW_H
#define BENCH_PQFLEET_DRAW_H

#include <stdbool.h>
#include <stdint.h>

#include "pqfleet/options.h"

enum fate { FATE_SUCCEED, FATE_FAIL, FATE_VANISH, FATE_HANG, FATE_FALL_BACK, FATES };

extern const char *const fate_names[FATES];

/* attempt: 1 for the first action that a device is offered. */
enum fate draw_fate(const struct rates *r, uint64_t seed, uint64_t number, uint32_t attempt);
/* Whether consent to that attempt is denied. */
bool draw_denial(const struct rates *r, uint64_t seed, uint64_t number, uint32_t attempt);

/* For times, where only the spread matters: the next of a sequence, [0, 1). */
uint64_t draw_start(uint64_t seed, uint64_t number);
double draw_next(uint64_t *state);

#endif
