/*
 * The director for a fleet: the server's own code for it (src/ota, on a database in a folder of its own),
 * without HTTP around it.
 */
#ifndef PQTRUST_FLEET_H
#define PQTRUST_FLEET_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define FLEET_DEVICES_MAX 100000
#define FLEET_POLLS 10 /* of each device after the release was deployed */

struct fleet_result {
    uint64_t devices, polls, decisions;
    uint64_t signatures;   /* made, of all polls */
    uint64_t first_ns;     /* processor time of all that was decided, signed and stored */
    uint64_t again_ns;     /* of all fetches after that */
    uint64_t stored_bytes; /* by how much the database grew for it */
};

int fleet_measure(size_t devices, struct fleet_result *out, struct err *e) MUST_CHECK;

#endif
