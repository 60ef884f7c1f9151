/* Questions about accounts. Times are Unix milliseconds; texts belong to the arena that is passed in. */
#ifndef PQOTA_STORE_ACCOUNTS_H
#define PQOTA_STORE_ACCOUNTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "model/account.h"

struct db;

/* ERR_NOT_FOUND. */
int store_account_by_name(struct db *db, struct arena *a, const char *name, struct account *out,
                          struct err *e) MUST_CHECK;
/* ERR_CONFLICT: the name is taken. */
int store_account_add(struct db *db, const struct account *account, int64_t *pk, struct err *e) MUST_CHECK;
/* Role, password, disabled_at and changed_at become those of *account. */
int store_account_change(struct db *db, const struct account *account, struct err *e) MUST_CHECK;
int store_account_remove(struct db *db, int64_t pk, struct err *e) MUST_CHECK;
/* By name, greater than `after` (NULL from the start), without passwords. */
int store_account_list(struct db *db, struct arena *a, const char *after, size_t limit, struct account **out,
                       size_t *count, struct err *e) MUST_CHECK;

/* Whether anything is there that the secret key is needed for (keys/seal.h). */
int store_anything_sealed(struct db *db, bool *out, struct err *e) MUST_CHECK;

#endif
