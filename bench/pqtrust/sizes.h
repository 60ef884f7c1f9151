/* Bytes of the files that a device fetches. */
#ifndef PQTRUST_SIZES_H
#define PQTRUST_SIZES_H

#include "pqtrust/repo.h"
#include "trust/manifest_make.h"

struct sizes_result {
    uint64_t root, timestamp;
    uint64_t snapshot, snapshot_role;     /* with one delegated role; each further one */
    uint64_t targets, targets_role;       /* likewise */
    uint64_t delegated, delegated_target; /* with one target; each further one, in the mean */
    uint64_t director, entry, manifest;   /* entry: the vendor's, inside the manifest */
};

/* Of repositories with the plan's keys. */
int sizes_measure(const struct repo_plan *plan, struct sizes_result *out, struct err *e) MUST_CHECK;

#endif
