/* Questions about operators. Times are Unix milliseconds; texts belong to the arena that is passed in. */
#ifndef PQOTA_STORE_OPERATORS_H
#define PQOTA_STORE_OPERATORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "model/operator.h"

struct db;

/* Without certificates. ERR_NOT_FOUND. */
int store_operator_by_name(struct db *db, struct arena *a, const char *name, struct operator_account *out,
                           struct err *e) MUST_CHECK;
/* ERR_CONFLICT: the name is taken. */
int store_operator_add(struct db *db, const char *name, const char *role, int64_t now_ms, int64_t *pk,
                       struct err *e) MUST_CHECK;
int store_operator_revoke(struct db *db, int64_t pk, int64_t now_ms, struct err *e) MUST_CHECK;
/* By name, greater than `after` (NULL from the start), without certificates. */
int store_operator_list(struct db *db, struct arena *a, const char *after, size_t limit,
                        struct operator_account **out, size_t *count, struct err *e) MUST_CHECK;
/* Admins other than `but` who could still sign in: not revoked, with a certificate that is neither revoked
   nor expired. */
int store_operator_admins(struct db *db, int64_t but, int64_t now_ms, int64_t *count,
                          struct err *e) MUST_CHECK;

struct operator_certificate {
    const char *issuer, *serial, *fingerprint;
    const char *name, *role; /* its operator's */
    bool revoked;            /* it or its operator is */
};
/* Calls each for every operator's certificate; the texts are valid during the call. */
int store_operator_each(struct db *db,
                        int (*each)(void *ctx, const struct operator_certificate *c, struct err *e),
                        void *ctx, struct err *e) MUST_CHECK;

#endif
