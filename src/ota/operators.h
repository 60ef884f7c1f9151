/* Operators: a name, a role, and the certificates by which they are known. */
#ifndef PQOTA_OTA_OPERATORS_H
#define PQOTA_OTA_OPERATORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/identity.h"
#include "base/str.h"
#include "model/operator.h"
#include "pki/pki.h"

struct db;
struct ota;

/* Whether an operator may be called so. */
int ota_operator_check_name(const char *name, struct err *e) MUST_CHECK;
/* Registers an operator, or one more certificate of one who has that role already. The certificate must be
   known to come from an operator root. For `pqota init`: nothing is running, so nothing in memory changes.
   role: viewer, operator or admin. ERR_CONFLICT: another role, revoked, or the certificate is registered. */
int ota_operator_add(struct db *db, const char *name, const char *role, const struct pki_cert *cert,
                     int64_t now_ms, struct err *e) MUST_CHECK;

/* The same over the interface, in three steps: SIGN checks that one of the operator roots issued it for a
   client, WRITE registers, and READ, after the commit, lets it count. */
struct registration {
    const char *name, *role; /* asked for; in the arena */
    struct str pem;
    struct pki_cert cert;
    struct operator_account account; /* what it became, with all its certificates */
};
int ota_operator_check(struct ota *ota, struct registration *r, struct err *e) MUST_CHECK;
int ota_operator_register(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                          struct registration *r, struct err *e) MUST_CHECK;
int ota_operator_admit(struct ota *ota, const struct registration *r, struct err *e) MUST_CHECK;

/* By name, with their certificates. */
int ota_operator_list(struct db *db, struct arena *a, const char *after, size_t limit,
                      struct operator_account **out, size_t *count, struct err *e) MUST_CHECK;
/* The operator and all certificates; not oneself, and not the last admin. */
int ota_operator_revoke(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                        const char *name, struct err *e) MUST_CHECK;

#endif
