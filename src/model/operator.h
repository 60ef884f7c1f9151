/* Operators and their roles. Times are Unix milliseconds, 0 for never. Texts belong to an arena. */
#ifndef PQOTA_MODEL_OPERATOR_H
#define PQOTA_MODEL_OPERATOR_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/identity.h"
#include "base/str.h"
#include "model/certificate.h"

struct operator_account {
    int64_t pk;
    const char *name;
    const char *role; /* "viewer", "approver", "operator", "admin" */
    int64_t created_at, revoked_at;
    /* Filled by what lists them; else empty. */
    struct certificate *certificates;
    size_t certificate_count;
};

/* The one bit of a role's name; ERR_INVALID says which names there are. */
int role_parse(struct str name, enum who *out, struct err *e) MUST_CHECK;
const char *role_name(enum who role); /* "" for what is no operator's role */

#endif
