/* Questions about who is signed in at the console. Times are Unix milliseconds; texts belong to the arena. */
#ifndef PQOTA_STORE_SESSIONS_H
#define PQOTA_STORE_SESSIONS_H

#include "base/arena.h"
#include "base/err.h"
#include "model/account.h"

struct db;

/* What began later than this from now was made when the clock was wrong, and would last until it is right by
   that clock: it is over. */
#define SESSION_AHEAD_MAX_MS INT64_C(3600000)

/* ERR_NOT_FOUND. Its account is there with it; whether the session still counts is for the caller to say. */
int store_session_by_hash(struct db *db, struct arena *a, const char *hash, struct session *out,
                          struct err *e) MUST_CHECK;

/* *name is whom it is for. ERR_NOT_FOUND: none, or it is over. */
int store_link_find(struct db *db, struct arena *a, const char *hash, int64_t now_ms, const char **name,
                    struct err *e) MUST_CHECK;

/* Writer only. */
int store_session_add(struct db *db, const char *hash, const struct session *s, const char *address,
                      struct err *e) MUST_CHECK;
int store_session_remove(struct db *db, const char *hash, struct err *e) MUST_CHECK;
int store_session_remove_all(struct db *db, int64_t account, struct err *e) MUST_CHECK;
/* It goes on under the account as it is now. */
int store_session_rebind(struct db *db, const char *hash, int64_t account_changed, struct err *e) MUST_CHECK;
/* Those that are over, links too, and of the account's all but the `keep` that began last. */
int store_session_prune(struct db *db, int64_t now_ms, int64_t account, size_t keep,
                        struct err *e) MUST_CHECK;

int store_link_add(struct db *db, const char *hash, int64_t account, int64_t now_ms, int64_t expires_at,
                   const char *created_by, struct err *e) MUST_CHECK;
int store_links_remove(struct db *db, int64_t account, struct err *e) MUST_CHECK;
/* As store_link_find, and takes it away. */
int store_link_take(struct db *db, struct arena *a, const char *hash, int64_t now_ms, const char **name,
                    struct err *e) MUST_CHECK;

#endif
