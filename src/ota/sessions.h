/*
 * Who is signed in at the console. A session is 32 random bytes that the browser keeps; the database has
 * their SHA-256. It ends by itself, by signing out, and with any change to its account.
 */
#ifndef PQOTA_OTA_SESSIONS_H
#define PQOTA_OTA_SESSIONS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/identity.h"
#include "base/str.h"
#include "model/account.h"

struct db;
struct ota;

#define SESSION_TOKEN_BYTES 32
#define SESSION_TOKEN_SIZE (2 * SESSION_TOKEN_BYTES + 1) /* hex, with the NUL */
#define SESSIONS_PER_ACCOUNT 32                          /* the oldest goes first */
#define SIGN_IN_LINK_SECONDS 900

/* ERR_INVALID: no such text is one. */
int ota_session_hash(struct str token, char hash[SHA256_HEX_SIZE], struct err *e) MUST_CHECK;
/* For any lane with a db. ERR_UNAUTHENTICATED: it counts no longer. *role is what the account may. */
int ota_session_find(struct ota *ota, struct db *db, struct arena *a, const char *hash, struct session *out,
                     enum who *role, struct err *e) MUST_CHECK;

/* For any lane with a db. ERR_UNAUTHENTICATED: no link, used already, or its time is over. */
int ota_sign_in_link_check(struct ota *ota, struct db *db, struct arena *a, struct str token,
                           struct err *e) MUST_CHECK;

/* All below: the WRITE lane. phc: what the password was checked against; NULL: it came by a link, which is
   done with. ERR_UNAUTHENTICATED: the account was changed or disabled meanwhile. who: for its address. */
int ota_session_open(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                     const char *name, const char *phc, int64_t seconds, char token[SESSION_TOKEN_SIZE],
                     struct session *out, struct err *e) MUST_CHECK;
/* This session, or all of its account. */
int ota_session_close(struct ota *ota, struct db *db, struct arena *a, const struct identity *who, bool all,
                      struct err *e) MUST_CHECK;
/* A new password, by its owner: other sessions end, this one goes on. phc: what the old one was checked
   against, NULL in a session that came by a link. */
int ota_session_set_password(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                             const char *old_phc, const char *new_phc, struct err *e) MUST_CHECK;

/* A link by which somebody signs in once, for SIGN_IN_LINK_SECONDS. made: a hash for the account if there is
   none of that name yet, which then is made with that role (NULL: admin); an account that is there keeps its
   own. ERR_CONFLICT: it is disabled, or has another role than was asked for. */
int ota_sign_in_link(struct ota *ota, struct db *db, struct arena *a, const struct identity *who,
                     const char *name, const char *role, const char *made, char token[SESSION_TOKEN_SIZE],
                     int64_t *expires_at, struct err *e) MUST_CHECK;
/* Uses one up. ERR_UNAUTHENTICATED. */
int ota_sign_in_link_take(struct ota *ota, struct db *db, struct arena *a, struct str token,
                          const char **name, struct err *e) MUST_CHECK;

#endif
