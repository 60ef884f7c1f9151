/* Processor time of a refresh of both repositories, and where it goes. */
#ifndef PQTRUST_REFRESH_H
#define PQTRUST_REFRESH_H

#include "pqtrust/probe.h"
#include "pqtrust/repo.h"

#define REFRESH_REPEAT_MAX 1000

struct refresh_result {
    uint64_t median_ns, least_ns; /* of one refresh */
    uint64_t requests, bytes;     /* of one: what was asked for, and what came */
    /* Of one more, with its cryptography timed; and of reading its files once more. */
    struct probe probe;
    uint64_t total_ns, read_ns, canon_ns; /* read_ns: parsing and checking, canon_ns: canonical form */
};

/* first: a device with root 1 of both meets root 2 and everything else. steady: then only the timestamp is
   new. The repository's timestamp goes on. */
int refresh_measure(struct repo *repo, size_t repeat, struct refresh_result *first,
                    struct refresh_result *steady, struct err *e) MUST_CHECK;

#endif
