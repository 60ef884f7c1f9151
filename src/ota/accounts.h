/*
 * Accounts: a name, a password, a role. For people and scripts that have no certificate; the password is kept
 * as its argon2id hash alone.
 */
#ifndef PQOTA_OTA_ACCOUNTS_H
#define PQOTA_OTA_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/identity.h"
#include "base/str.h"
#include "keys/password.h"
#include "model/account.h"

struct db;
struct ota;

/* A password on its way to an account. */
struct account_password {
    struct str given;             /* n 0: one is made */
    char made[PASSWORD_MADE + 1]; /* "" when one was given; shown once */
    char phc[PASSWORD_PHC_SIZE];
};
/* In the lane for passwords. ERR_INVALID: too short, or no text. */
int ota_account_hash(struct account_password *p, struct err *e) MUST_CHECK;

/* What a new one is refused for, but for a name that is taken; before its password is hashed. ERR_INVALID. */
int ota_account_check(const char *name, const char *role, struct err *e) MUST_CHECK;
/* ERR_CONFLICT: the name is taken. */
int ota_account_create(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                       const char *name, const char *role, const struct account_password *p,
                       struct account *out, struct err *e) MUST_CHECK;

/* By name, without passwords. */
int ota_account_list(struct db *db, struct arena *a, const char *after, size_t limit, struct account **out,
                     size_t *count, struct err *e) MUST_CHECK;

/* Each holds at the account's next request. ERR_NOT_FOUND. */
int ota_account_set_password(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                             const char *name, const struct account_password *p, struct account *out,
                             struct err *e) MUST_CHECK;
int ota_account_set_role(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                         const char *name, const char *role, struct account *out, struct err *e) MUST_CHECK;
int ota_account_disable(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                        const char *name, bool disabled, struct account *out, struct err *e) MUST_CHECK;
int ota_account_remove(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                       const char *name, struct err *e) MUST_CHECK;

/* What the account may do now. ERR_UNAUTHENTICATED: there is none of that name, or it is disabled. */
int ota_account_role(struct db *db, struct arena *a, const char *name, enum who *out,
                     struct err *e) MUST_CHECK;

#endif
