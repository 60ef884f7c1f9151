/*
 * Time on a board whose clock may have lost it: the latest of the system's clock, the time this program was
 * built, and a floor kept on disk. The floor rises only to what is vouched for: our own clock while a
 * server's certificate verified under it, and the beginning of a certificate that was issued to us.
 */
#ifndef PQOTA_AGENT_CLOCK_FLOOR_H
#define PQOTA_AGENT_CLOCK_FLOOR_H

#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"

#define FLOOR_STEP_S 86400 /* it is written anew when it can rise by a day: spares the flash */

struct clock_floor {
    const struct clock *clock;
    const char *path;
    int64_t floor; /* Unix seconds, never below the build time */
};

/* A missing or damaged file counts as none. */
void clock_floor_load(struct clock_floor *f, const char *path, const struct clock *clock);
int64_t clock_floor_now(const struct clock_floor *f);
/* A server's certificate was just verified: the system clock counts if it is past the floor. */
void clock_floor_verified(struct clock_floor *f);
void clock_floor_raise(struct clock_floor *f, int64_t at_least);

#endif
