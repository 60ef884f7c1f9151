/* Questions about enrolment tokens. Times are Unix milliseconds; texts belong to the arena that is passed
   in. */
#ifndef PQOTA_STORE_TOKENS_H
#define PQOTA_STORE_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "model/token.h"

struct db;

int store_token_add(struct db *db, const struct token *t, int64_t *id, struct err *e) MUST_CHECK;
int store_token_by_hash(struct db *db, struct arena *a, const char *hash, struct token *out,
                        struct err *e) MUST_CHECK;
int store_token_by_id(struct db *db, struct arena *a, int64_t id, struct token *out,
                      struct err *e) MUST_CHECK;
/* Newest first; before: ids below this, 0 from the newest. The hashes are left NULL. */
int store_token_list(struct db *db, struct arena *a, int64_t before, size_t limit, struct token **out,
                     size_t *count, struct err *e) MUST_CHECK;
int store_token_revoke(struct db *db, int64_t id, int64_t now_ms, struct err *e) MUST_CHECK;

/* The device that this key enrolled with this token, and when; 0 when it did not. */
int store_token_use_get(struct db *db, int64_t token, const char *key_id, int64_t *device, int64_t *used_at,
                        struct err *e) MUST_CHECK;
/* What this device enrolled with is good for no lost reply any more. Looks through all uses. */
int store_token_uses_forget(struct db *db, int64_t device, struct err *e) MUST_CHECK;
/* Takes one use and notes who took it; *taken is false when none is left. */
int store_token_use_take(struct db *db, int64_t token, const char *key_id, int64_t device, int64_t now_ms,
                         bool *taken, struct err *e) MUST_CHECK;

#endif
