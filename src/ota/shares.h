/* Which phase of a deployment a device falls to, as its devices are found one after the other: pure. Devices
   that have nothing to do take no share. */
#ifndef PQOTA_OTA_SHARES_H
#define PQOTA_OTA_SHARES_H

#include "base/arena.h"
#include "model/deployment.h"

struct filter;

struct shares {
    const struct phase *phases;
    size_t count;
    const struct filter *filters[DEPLOYMENT_PHASES_MAX]; /* NULL: none of its own */
    int64_t taken[DEPLOYMENT_PHASES_MAX];
    int64_t shared; /* devices that no phase with a filter or a count took */
};

/* Parses the phases' filters into the arena; begins with the members that they have. The phases must live as
   long. */
int shares_init(struct shares *s, struct arena *a, const struct phase *phases, size_t count,
                struct err *e) MUST_CHECK;
/* matches: bit i says that phase i has a filter and that it matches. */
size_t shares_phase_of(const struct shares *s, unsigned matches);
/* Of those that take no share. */
size_t shares_last(const struct shares *s);
/* The device fell to it. */
void shares_take(struct shares *s, size_t phase);

#endif
