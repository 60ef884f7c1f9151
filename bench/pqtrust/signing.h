/* Signing many targets at once: what it takes, and how many signatures. */
#ifndef PQTRUST_SIGNING_H
#define PQTRUST_SIGNING_H

#include "pqtrust/repo.h"

struct signing_result {
    uint64_t targets, roles, signatures, bytes;    /* bytes: of the three files */
    uint64_t make_ns, canon_ns, sign_ns, write_ns; /* processor time; write: the files' text */
};

/* A delegated role with that many targets, the snapshot and the timestamp after it. */
int signing_measure(struct repo *repo, size_t targets, struct signing_result *out, struct err *e) MUST_CHECK;

#endif
